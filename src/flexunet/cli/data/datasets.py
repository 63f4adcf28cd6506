"""`flexunet datasets`: the public data sets that are read as downloaded, and whether a download is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexunet.cli.console import console, print_json, print_missing, print_notes
from flexunet.cli.options import AsJson

if TYPE_CHECKING:
    from flexunet.data.collections.collection import Collection


def datasets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|auto]", help="Name of a data set; auto recognises FOLDER."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Download to check against what to expect.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List public data sets, tell of one, or check a download of it. Nothing is fetched."""
    from flexunet.data.collections.registry import COLLECTIONS, find_collection

    if name is None:
        rows = [_document(row) for row in COLLECTIONS.values()]
        print_json({"datasets": rows}) if as_json else _print_list(rows)
        return
    if folder is None:
        document = _document(find_collection(name))
        print_json(document) if as_json else _print_one(document)
        return
    _check(name, folder, as_json)


def _check(name: str, folder: Path, as_json: bool) -> None:
    from flexunet.data.collections.download import Download
    from flexunet.data.collections.registry import open_collection

    download = Download.open(folder)
    collection = open_collection(download, name)
    contents = collection.read(download)
    counts = contents.count(collection.tissues)
    fewer = {kind: number for kind, number in collection.expected.items() if counts[kind] < number}
    if as_json:
        document = {"dataset": collection.name, "counts": counts, "expected": dict(collection.expected)}
        print_json({**document, "missing": contents.gaps, "notes": contents.notes})
    else:
        console.print(f"{folder} is {collection.title}", highlight=False, soft_wrap=True)
        for kind, number in counts.items():
            told = collection.expected.get(kind)
            console.print(f"{number} {kind}" + (f", of {told} expected" if told else ""), highlight=False)
        print_missing(contents.gaps)
        print_notes(contents.notes)
    if fewer or contents.gaps:
        raise typer.Exit(2)


def _document(row: Collection) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "about": row.about,
        "lesions are marked by": row.marks,
        "licence": row.licence,
        "get it from": row.obtain,
        "layout": row.layout,
        "expect": dict(row.expected),
        "errata": [f"{erratum.text} ({erratum.source})" for erratum in row.errata],
    }


def _print_list(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("name", "what it is", "lesions are marked by", "licence"):
        table.add_column(title)
    for row in rows:
        table.add_row(row["name"], row["about"], row["lesions are marked by"], row["licence"])
    console.print(table)
    console.print("`flexunet datasets NAME` tells where to get one; nothing is fetched")


def _print_one(document: dict[str, Any]) -> None:
    for key, value in document.items():
        if isinstance(value, dict):
            value = ", ".join(f"{number:,} {kind}" for kind, number in value.items()) or "not known"
        for line in value if isinstance(value, list) else [value]:
            console.print(f"{key}: {line}", highlight=False, soft_wrap=True)
