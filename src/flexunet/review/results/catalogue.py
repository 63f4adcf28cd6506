"""Folders of results, and what lies in them. Nothing outside of them is read, wherever links lead."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexunet.data.tables import read_own_rows
from flexunet.errors import DatasetError, PathError
from flexunet.review.readings.errors import MissingError
from flexunet.review.sources.inside import find_inside, is_inside
from flexunet.run_folder import CARD, COMPARISON, HISTORY, REPORT, RUN_CONFIG, SCORES

_DEPTH = 4  # folders below a root that are looked into
_MOST = 5000  # files looked at below a root
_LARGEST = 64 << 20  # bytes of a file that is shown
_IMAGES = "images.csv"
PAGES = {
    REPORT: "evaluation",
    COMPARISON: "comparison",
    "audit.html": "audit",
    "index.html": "masks by epoch",
    "images.html": "predictions by doubt",
    "gallery.html": "masks by epoch",
    "robustness.html": "robustness",
    "drift.html": "drift",
    "loop.html": "rounds of the loop",
}
"""What a page of this name is."""
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
}
"""The files that are shown, and as what."""


@dataclass(frozen=True)
class Catalogue:
    """Folders of results.

    Attributes:
        roots: The folders, by name.
    """

    roots: dict[str, Path]

    def find(self, root: str, text: str) -> Path:
        """What a request names: a folder or file below a root.

        Raises:
            MissingError: if there is no such root, or nothing there.
            PathError: if the path leads out of it.
        """
        if root not in self.roots:
            raise MissingError("there is no such folder of results.")
        path = self.roots[root] if text in ("", ".") else find_inside(self.roots[root], text)
        if not path.exists():
            raise MissingError("there is no such file in the folder of results.")
        return path

    def read(self, root: str, text: str) -> tuple[bytes, str]:
        """A file, and its media type.

        Raises:
            MissingError: if there is none, or none of a kind that is shown.
            PathError: if the path leads out of the root.
        """
        path = self.find(root, text)
        media_type = MEDIA_TYPES.get(path.suffix.lower())
        if not path.is_file() or media_type is None or path.stat().st_size > _LARGEST:
            raise MissingError("there is no file of a kind that is shown.")
        return path.read_bytes(), media_type

    def listing(self) -> dict[str, Any]:
        """Runs, pages and predictions in all roots, by path."""
        runs, reports, predictions = [], [], []
        for name, root in self.roots.items():
            for path in _files(root):
                told = {"root": name, "path": path.relative_to(root).as_posix()}
                if path.name == RUN_CONFIG:
                    folder = path.parent.relative_to(root).as_posix()
                    runs.append({"root": name, "path": folder, "name": path.parent.name, **_run(path.parent)})
                elif path.name in PAGES:
                    reports.append({**told, "kind": PAGES[path.name], "changed": path.stat().st_mtime})
                elif path.name == _IMAGES:
                    folder = path.parent.relative_to(root).as_posix()
                    predictions.append({"root": name, "path": folder})
        return {"runs": runs, "reports": reports, "predictions": predictions}

    def curves(self, root: str, text: str) -> dict[str, list[float | None]]:
        """The curves of a run by name, one value an epoch; None where it is no number."""
        history = _json(self.find(root, text) / "history.json")
        return {
            name: [value if isinstance(value, (int, float)) and math.isfinite(value) else None
                   for value in values]
            for name, values in history.items()
            if isinstance(values, list)
        }  # fmt: skip

    def scores(self, root: str, text: str) -> dict[str, Any]:
        """What an evaluation of a run came to, as scores.json has it."""
        folder = self.find(root, text)
        return _json(next((path for path in _evaluations(folder) if path.is_file()), folder / SCORES))

    def predictions(self, root: str, text: str) -> list[dict[str, Any]]:
        """The images that `infer` predicted, the least certain first.

        Raises:
            MissingError: if there is no table.
            DatasetError: if it cannot be read.
        """
        path = self.find(root, text) / _IMAGES
        if not path.is_file() or not is_inside(path, self.roots[root]):
            raise MissingError("there is no table of predicted images.")
        columns, cells = read_own_rows(path)
        rows = [dict(zip(columns, row, strict=False)) for row in cells]
        return sorted(rows, key=lambda row: (-_doubt(row), row.get("file", "")))


def _files(root: Path) -> Iterator[Path]:
    """Files of results below a folder, by path; hidden folders and links out of it are passed over."""
    waiting, seen = [(root, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        for path in sorted(folder.iterdir()):
            seen += 1
            if seen > _MOST:
                return
            if path.name.startswith(".") or (path.is_symlink() and not is_inside(path, root)):
                continue
            if path.is_dir():
                if depth < _DEPTH:
                    waiting.append((path, depth + 1))
            elif path.name in (RUN_CONFIG, _IMAGES) or path.name in PAGES:
                yield path


def _evaluations(run: Path) -> tuple[Path, ...]:
    return run / "evaluation" / SCORES, run / SCORES


def _run(folder: Path) -> dict[str, Any]:
    """What a run came to in few words."""
    history = _json_or_nothing(folder / HISTORY)
    losses = history.get("val_loss") or history.get("loss") or []
    scores = next(filter(None, map(_json_or_nothing, _evaluations(folder))), {})
    foreground = scores.get("foreground", {}) if isinstance(scores.get("foreground"), dict) else {}
    dice = foreground.get("dice_per_image_mean")
    return {
        "epochs": len(losses) or None,
        "best_epoch": best if isinstance(best := history.get("best_epoch"), int) else None,
        "dice_per_image_mean": dice.get("value") if isinstance(dice, dict) else None,
        "has_card": (folder / CARD).is_file(),
    }


def _json_or_nothing(path: Path) -> dict[str, Any]:
    try:
        return _json(path)
    except (DatasetError, MissingError):
        return {}


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(f"the run has no {path.name}.") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path.name} of the run cannot be read ({error}).") from error
    if not isinstance(told, dict):
        raise DatasetError(f"{path.name} of the run holds no object.")
    return told


def _doubt(row: dict[str, str]) -> float:
    try:
        return max(1 - float(row["confidence"]), float(row["entropy"]))
    except (KeyError, ValueError):
        return 1.0


def make_catalogue(roots: dict[str, Path | None]) -> Catalogue:
    """The folders of results that there are.

    Raises:
        PathError: if one that was named is no folder.
    """
    for name, path in roots.items():
        if path is not None and not path.is_dir():
            raise PathError(f"there is no folder {path} of {name}: check the path.")
    return Catalogue({name: path for name, path in roots.items() if path is not None})
