"""A file that says which image is in which split, so that a split of others can be made again.

Such a file is a table, or `splits_final.json` of nnU-Net. The table has a column with the name of the image
and either `split` (with folds also `fold`), or a column a fold, `fold_1` and so on, as our `folds.csv` has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.nnunet import read_splits
from flexunet.data.images.files.names import image_stem
from flexunet.data.tables import Table, read_table
from flexunet.errors import DatasetError, PathError

NAME_COLUMNS = ("image", "file", "name", "filename", "file_name", "image_path")
FOLD_COLUMN = "fold_"
_SPLIT_OF_WORD = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class SplitFile:
    """What a split file says.

    Attributes:
        path: The file.
        folds: Split of each image by its name without folder and ending; one mapping a fold.
        has_folds: Whether the file is one of a cross-validation.
        others: Split of images that it does not name; None where they have none.
        notes: What was guessed of a table.
    """

    path: Path
    folds: list[dict[str, str]]
    has_folds: bool
    others: str | None = None
    notes: tuple[str, ...] = ()


def read_split_file(path: Path | str) -> SplitFile:
    """Read a split file.

    Raises:
        PathError: if there is none.
        DatasetError: if it names no images, an image twice in a fold, or a split that is none.
    """
    path = Path(path)
    if not path.is_file():
        raise PathError(f"there is no split file {path}. Check the path of --splits.")
    if path.suffix.lower() == ".json":
        folds = read_splits(path)
        # Test cases lie in a folder of their own there, and are in no split.
        return SplitFile(path, folds, has_folds=len(folds) > 1, others="test")
    table = read_table(path, "table of splits", may_be_short=True)
    image = table.find(*NAME_COLUMNS)
    columns = {
        number: column
        for name, column in table.named.items()
        if (number := name.removeprefix(FOLD_COLUMN)) != name and number.isdecimal()
    }
    folds = _of_columns(table, image, columns) if columns else _of_rows(table, image)
    if not any(folds):
        raise DatasetError(f"{path} names no image. Expected a row for each.")
    has_folds = bool(columns) or "fold" in table.named
    return SplitFile(path, folds, has_folds, notes=tuple(table.notes))


def _of_columns(table: Table, image: str, columns: Mapping[str, str]) -> list[dict[str, str]]:
    folds = []
    for _, column in sorted(columns.items(), key=lambda entry: int(entry[0])):
        fold: dict[str, str] = {}
        for line, row in table.rows:
            _put(table, line, fold, row[image], row[column])
        folds.append(fold)
    return folds


def _of_rows(table: Table, image: str) -> list[dict[str, str]]:
    split, numbered = table.find("split"), table.named.get("fold")
    folds: dict[int, dict[str, str]] = {}
    for line, row in table.rows:
        text = row[numbered].strip() if numbered else "1"
        if not text.isdecimal():
            raise DatasetError(f"{table.where(line)}: expected the number of a fold, found {text!r}.")
        _put(table, line, folds.setdefault(int(text), {}), row[image], row[split])
    return [folds[number] for number in sorted(folds)]


def _put(table: Table, line: int, fold: dict[str, str], image: str, word: str) -> None:
    """Note the split of an image; its name may be a path, on Windows too."""
    name = image.strip().replace("\\", "/").rpartition("/")[2]
    stem = image_stem(Path(name))
    split = _SPLIT_OF_WORD.get(word.strip().casefold())
    if split is None:
        raise DatasetError(f"{table.where(line)}: expected train, valid or test, found {word!r}.")
    if not name:
        raise DatasetError(f"{table.where(line)}: expected the name of an image, found nothing.")
    if stem in fold:
        raise DatasetError(f"{table.where(line)}: {image!r} is named a second time. Remove one of the rows.")
    fold[stem] = split
