"""The tables in docs/datasets.md, made from the rows of the data sets.

Run `python -m flexunet.data.collections.page docs/datasets.md` after a change of a row; a test compares.
"""

from __future__ import annotations

import sys

from flexunet.data.collections.collection import FACTS, ORIGINS, Collection
from flexunet.data.collections.registry import COLLECTIONS
from flexunet.files import renew_page, with_tables

_START = "<!-- The tables below are made by `python -m flexunet.data.collections.page`; do not edit them. -->"
_END = "<!-- End of the tables. -->"


def dataset_tables() -> str:
    """Data sets, the vocabulary of the manifest, and known faults, as Markdown."""
    rows = COLLECTIONS.values()
    columns = ("name", "what it is", "lesions are marked by", "a whole download", "licence", "get it from")
    sets = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *map(_row, rows)]
    words = ["| column | meaning |", "|---|---|", *(f"| `{name}` | {told} |" for name, told in FACTS.items())]
    origins = ["| `mask_origin` | meaning |", "|---|---|"]
    origins += [f"| `{name}` | {told} |" for name, told in ORIGINS.items()]
    faults = ["### Known faults of the data sets", ""]
    faults += [f"- {row.title}: {each.text}. ({each.source})" for row in rows for each in row.errata]
    parts = [["### Data sets", "", *sets], ["### Columns of the manifest", "", *words], origins, faults]
    return "\n\n".join("\n".join(part) for part in parts)


def renewed(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: if the page has no place for them.
    """
    return with_tables(page, _START, _END, dataset_tables())


def _row(row: Collection) -> str:
    whole = ", ".join(f"{number:,} {kind}" for kind, number in row.expected.items()) or "not known"
    cells = (f"`{row.name}`", f"{row.title}: {row.about}", row.marks, whole, row.licence, row.obtain)
    return f"| {' | '.join(cells)} |".replace("*", r"\*")


if __name__ == "__main__":
    renew_page(sys.argv[1], renewed)
