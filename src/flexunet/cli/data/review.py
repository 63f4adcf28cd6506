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
    from flexunet.review.settings import DeskSettings


def review(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A data set, drafts (to_review), a run, images or DICOM files."),
    ],
    reader: Annotated[
        str | None, typer.Option("--reader", help="Name that decisions are signed with. Default: yours.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", metavar="FOLDER", help="Masks of the images, if not beside them."),
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option("--second", metavar="FOLDER", help="Masks of another model: order by disagreement."),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option("--audit", help="File written by `flexunet audit --json`: order by findings."),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Show drafts and other readers' masks after the reader's own.")
    ] = False,
    repeats: Annotated[
        float,
        typer.Option("--repeats", min=0, max=1, help="Share of the images that is shown twice (blind)."),
    ] = 0.0,
    known: Annotated[
        Path | None,
        typer.Option("--known", metavar="FOLDER", help="Images with true masks to mix in (blind)."),
    ] = None,
    consensus: Annotated[
        bool, typer.Option("--consensus", help="Lay images that two readers read blind before a third.")
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
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Port; 0 takes the folder's usual one, or a free one."),
    ] = 0,
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Have readers sign in by name and password.")
    ] = False,
    add_account: Annotated[
        str | None,
        typer.Option(
            "--add-account",
            metavar="NAME:ROLE",
            help="Make an account (reader, reviewer or admin), ask for its password, and end.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="TLS certificate, PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Trained run that predicts a part again.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FOLDER", help="Folder of runs and reports to look at."),
    ] = None,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
) -> None:
    """Review masks in a browser: look, correct, accept or reject, sign."""
    import getpass

    from flexunet.extras import import_extra

    import_extra(
        "sqlalchemy", "alembic", "fastapi", "uvicorn", "argon2", extra="review", needed_by="the review desk"
    )
    from flexunet.review.settings import DeskSettings
    from flexunet.review.sources.open import Given
    from flexunet.review.web.server import Service, run_desk

    config = open_config(run) if run else None
    settings = DeskSettings(
        Given(path, masks, second, audit, known),
        folder=folder,
        database=database,
        blind=blind,
        consensus=consensus,
        repeats=repeats,
        reader=chosen_masks(config_path, rgb_map),
        run=config,
        results=results,
    )

    def announce(address: str, desk: Desk) -> None:
        print_notes(desk.notes)
        console.print(f"reviewing {path} at {address}", soft_wrap=True, highlight=False)
        if browser:
            import webbrowser

            webbrowser.open(address)

    if add_account:
        _add_account(settings, add_account)
        return
    service = Service(host, port, reader or getpass.getuser(), accounts, certificate, key)
    run_desk(settings, service, announce)


def _add_account(settings: DeskSettings, text: str) -> None:
    from flexunet.review.store.database import Database
    from flexunet.review.web.accounts import Accounts

    name, _, role = text.rpartition(":")
    password = typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True)
    database = Database(settings.database_url)
    try:
        Accounts(database).put(name, role, password)
    finally:
        database.close()
    console.print(f"account of {name} ({role}) in {settings.own_folder}", soft_wrap=True, highlight=False)
