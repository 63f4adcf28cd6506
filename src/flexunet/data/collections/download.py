"""The files of a downloaded folder, listed once."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.images.files.listing import is_for_programs
from flexunet.data.tables import read_table
from flexunet.errors import DatasetError, PathError


@dataclass(frozen=True)
class Download:
    """A downloaded folder.

    Attributes:
        root: The folder.
        files: Its files and those of the folders below it, relative to it, with forward slashes, sorted.
    """

    root: Path
    files: tuple[str, ...]

    @classmethod
    def open(cls, root: Path | str) -> Download:
        """List a folder; hidden files and folders of programs are left out.

        Raises:
            PathError: if it is no folder, or holds no file.
        """
        root = Path(root)
        if not root.is_dir():
            what = "is a file, not a folder: unpack it first" if root.exists() else "does not exist"
            raise PathError(f"download {root} {what}. Check the path.")
        files = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not is_for_programs(name)]
            below = Path(folder).relative_to(root)
            files += [(below / name).as_posix() for name in names if not name.startswith(".")]
        if not files:
            raise PathError(f"{root} holds no file. Give the folder into which the data set was unpacked.")
        return cls(root, tuple(sorted(files)))

    def matching(self, pattern: str) -> list[tuple[str, re.Match[str]]]:
        """Files whose path ends in what a regular expression fits, from the beginning of a folder's name.

        The name of the folder itself counts too: `anonymized_dataset/004/004_0.png` is found in there.
        """
        expression, name = re.compile(rf"(?:.*/)?{pattern}"), self.root.resolve().name
        return [(file, match) for file in self.files if (match := expression.fullmatch(f"{name}/{file}"))]

    def by_name(self, pattern: str, group: str, what: str) -> dict[str, tuple[str, re.Match[str]]]:
        """The files that fit a pattern, by what one of its groups finds.

        Raises:
            DatasetError: if two files have the same: which of them counts is for a person to say.
        """
        named: dict[str, list[tuple[str, re.Match[str]]]] = defaultdict(list)
        for file, match in self.matching(pattern):
            named[match[group]].append((file, match))
        for name, several in named.items():
            if len(several) > 1:
                raise DatasetError(
                    f"{self.root} holds the {what} {name!r} twice, {several[0][0]} and {several[1][0]}. "
                    "Keep one of them. If one is a mask, this is no download as it was published: give its "
                    "folders of films and masks to derive --masks."
                )
        return {name: several[0] for name, several in named.items()}

    def the(self, pattern: str, what: str) -> Path | None:
        """The one file that fits a pattern; None where none does.

        Raises:
            DatasetError: if several do.
        """
        several = self.matching(pattern)
        if len(several) > 1:
            raise DatasetError(
                f"{self.root} holds several files that may be {what}: {several[0][0]} and {several[1][0]}. "
                "Keep one of them."
            )
        return self.root / several[0][0] if several else None


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """Rows of a table by name of the column, in small letters; no blanks or line breaks around cells.

    Args:
        path: CSV file.
        columns: Columns that it must have.

    Raises:
        DatasetError: if it is no table, or lacks a column.
    """
    table = read_table(path)
    for column in columns:
        table.find(column)
    return [{name: row[column].strip() for name, column in table.named.items()} for _, row in table.rows]
