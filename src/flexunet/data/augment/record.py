"""What an augmentation run has done so far, so that an interrupted one can go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flexunet.data.dataset.manifest import Manifest
from flexunet.errors import DatasetError
from flexunet.files import sweep, write_text
from flexunet.journal import append_to_journal, read_journal

SETTINGS = "augment.json"
JOURNAL = ".augment.rows.jsonl"

Row = dict[str, str]


class Record:
    """The settings of a run and the manifest rows of the pairs it has finished, in the folder it writes.

    `augment.json` holds the settings; rows are in a journal, one line a pair, until the manifest is written.

    Args:
        out: Folder that is written; new, or begun with the same settings.
        settings: What the copies depend on.

    Attributes:
        rows: Manifest rows by file.

    Raises:
        DatasetError: if the folder holds something else, or was begun with other settings.
    """

    def __init__(self, out: Path, settings: dict[str, Any]):
        self.out = out
        settings = json.loads(json.dumps(settings))
        if (out / SETTINGS).is_file():
            self._check(settings)
            sweep(out, alone=True, below=True)
        elif not out.is_dir() or any(not path.name.startswith(".") for path in out.iterdir()):
            raise DatasetError(f"{out} is not empty, and flexunet augment did not write it. Choose another.")
        else:
            write_text(out / SETTINGS, json.dumps(settings, indent=2) + "\n")
        self.rows = self._finished_rows()

    def append(self, rows: list[Row]) -> None:
        """Note a finished pair."""
        append_to_journal(self.out / JOURNAL, rows)
        self.rows |= {row["file"]: row for row in rows}

    def finish(self, files: list[str]) -> Manifest:
        """Write the manifest of these files, in this order, and drop the journal."""
        manifest = Manifest()
        manifest.append(*(self.rows[file] for file in files))
        manifest.write(self.out)
        (self.out / JOURNAL).unlink(missing_ok=True)
        return manifest

    def has(self, files: list[tuple[str, str]]) -> bool:
        """Whether these images and masks are there and noted."""
        return bool(self.rows) and all(
            image in self.rows and (self.out / image).is_file() and (self.out / mask).is_file()
            for image, mask in files
        )

    def _check(self, settings: dict[str, Any]) -> None:
        path = self.out / SETTINGS
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetError(f"{path} is damaged ({error}). Choose another folder.") from error
        changed = [key for key in settings if before.get(key) != settings[key]]
        if changed:
            raise DatasetError(
                f"{self.out} was begun with other settings: {', '.join(changed)} changed (see {path}). "
                "Remove the folder, or choose another."
            )

    def _finished_rows(self) -> dict[str, Row]:
        manifest = Manifest.read(self.out)
        rows = manifest.by_file if manifest else {}
        return rows | {row["file"]: row for pair in read_journal(self.out / JOURNAL) for row in pair}
