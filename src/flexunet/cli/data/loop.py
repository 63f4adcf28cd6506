"""`flexunet loop`: train, draft, review the most useful images, train again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console


def loop(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Trained run that the loop begins with.")],
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder of images that nobody has marked.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the loop.")],
    take: Annotated[
        int, typer.Option("--take", min=1, help="Images to review in a round, chosen; as many random ones.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of what is drawn.")] = 137,
) -> None:
    """Train, draft, have the most useful images reviewed, train again: run it after each review."""
    from flexunet.review.loop.page import write_loop_page
    from flexunet.review.loop.rounds import Loop, advance

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    given = Loop(run, pool, out, take, seed)
    folder = advance(given, say)
    say(f"page: {write_loop_page(given)}")
    if folder is not None:
        say(f"next: flexunet review {folder} --run {run}, then this command again")
