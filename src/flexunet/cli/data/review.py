"""`flexunet review`: a person looks at masks in a browser, corrects and signs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.colors import ColorsFrom, RgbMap, chosen_masks
from flexunet.cli.configuration import open_config
from flexunet.cli.console import console, print_notes

if TYPE_CHECKING:
    from flexunet.review.desk import Desk


def review(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A data set, drafts (to_review), images or DICOM files.")
    ],
    reader: Annotated[
        str | None, typer.Option("--reader", help="Name that decisions are signed with. Default: yours.")
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Show drafts and other readers' masks after the reader's own.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--desk", metavar="FOLDER", help="Folder of database, masks and tiles. Default: PATH_review."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="postgresql+psycopg://USER@HOST/NAME, or sqlite:///FILE."
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 chooses a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Trained run that predicts a part again.")
    ] = None,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
) -> None:
    """Review masks in a browser: look, correct, accept or reject, sign."""
    import getpass

    from flexunet.review.desk import DeskSettings
    from flexunet.review.web.server import Service, run_desk

    config = open_config(run) if run else None
    settings = DeskSettings(path, folder, database, blind, chosen_masks(config_path, rgb_map), config)

    def announce(address: str, desk: Desk) -> None:
        print_notes(desk.notes)
        console.print(f"reviewing {path} at {address}", soft_wrap=True, highlight=False)
        if browser:
            import webbrowser

            webbrowser.open(address)

    run_desk(settings, Service(host, port, reader or getpass.getuser()), announce)
