"""per_image.csv and per_lesion.csv: written, and read back to the same tables.

Only the pooled confusion between foreground classes and the bins of the probabilities are not in them; folds
take those from scores.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.files.names import composed
from flexunet.data.tables import read_own_rows, write_rows
from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.scores.lesions import Candidates, Lesions, rows_of
from flexunet.evaluation.scores.registry import IMAGE_SCORES
from flexunet.evaluation.scores.surface import SURFACE_SCORES
from flexunet.evaluation.tables.rows import ImageOrigin, Tables, refuse_twins
from flexunet.run_folder import PER_IMAGE, PER_LESION, SCORES

_ATTRIBUTE, _UNLIKE = "manifest_", "unlike_training"

Column = Sequence[Any] | NDArray[Any]


def write_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write both files; each appears whole or not at all.

    Args:
        tables: The tables.
        folder: Where; made if missing.

    Returns:
        The two paths.
    """
    paths = [folder / PER_IMAGE, folder / PER_LESION]
    for path, columns in zip(paths, (image_columns(tables), lesion_columns(tables)), strict=True):
        write_columns(path, columns)
    return paths


def write_columns(path: Path, columns: dict[str, Column]) -> None:
    """Write columns of equal length as CSV, nothing where NaN.

    Numbers have all their digits: rounded ones would make identical runs differ when they are compared.
    """
    write_rows(path, columns, (map(_text, row) for row in zip(*columns.values(), strict=True)))


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else repr(float(value)).removesuffix(".0")
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    return str(value)


def image_columns(tables: Tables) -> dict[str, Column]:
    """Columns of per_image.csv, one entry an image."""
    columns: dict[str, Column] = {
        "image": [origin.name for origin in tables.origins],
        "patient": tables.patients,
        "source": [origin.source for origin in tables.origins],
        "height": tables.sizes[:, 0],
        "width": tables.sizes[:, 1],
        "spacing_row_mm": tables.spacing[:, 0],
        "spacing_column_mm": tables.spacing[:, 1],
    }
    by_image, by_class = tables.by_image(), tables.by_class()
    columns |= {row.column: by_image[row.name] for row in IMAGE_SCORES}
    counts = tables.lesion_counts()
    columns |= {
        "lesions": counts.lesions,
        "lesions_found": counts.found,
        "regions_predicted": counts.predicted,
        "false_positives": counts.false,
    }
    for label in range(tables.num_classes):
        columns[f"truth_pixels_{label}"] = tables.truth[:, label]
        columns[f"predicted_pixels_{label}"] = tables.predicted[:, label]
        columns[f"correct_pixels_{label}"] = tables.correct[:, label]
    for label in range(1, tables.num_classes):
        for row in IMAGE_SCORES:
            columns[f"{row.column}_class_{label}"] = by_class[row.name][:, label - 1]
    if any(origin.unlike_training is not None for origin in tables.origins):
        columns[_UNLIKE] = [origin.unlike_training or "" for origin in tables.origins]
    for name in attribute_names(tables):
        columns[_ATTRIBUTE + name] = [origin.attributes.get(name, "") for origin in tables.origins]
    return columns


def attribute_names(tables: Tables) -> list[str]:
    """Manifest columns of the images, in order of appearance."""
    return list(dict.fromkeys(name for origin in tables.origins for name in origin.attributes))


def lesion_columns(tables: Tables) -> dict[str, Column]:
    """Columns of per_lesion.csv: first the lesions, then the candidates."""
    names = np.array([origin.name for origin in tables.origins])
    patients = np.array(tables.patients)
    lesions, candidates = tables.lesions, tables.candidates
    pixels, mm = tables.lesion_diameters()
    lesion_count, candidate_count = len(lesions.area), len(candidates.area)
    nothing, absent = np.full(lesion_count, np.nan), np.full(candidate_count, np.nan)
    first: dict[str, Column] = {
        "kind": ["lesion"] * lesion_count,
        "image": names[tables.lesion_image],
        "patient": patients[tables.lesion_image],
        "class": lesions.label,
        "area_pixels": lesions.area,
        "diameter_px": pixels,
        "diameter_mm": mm,
        "row": lesions.row,
        "column": lesions.column,
        "found": lesions.found,
        "dice_per_lesion": lesions.dice,
        "iou_per_lesion": lesions.iou,
        "component_dice": lesions.component_dice,
        "best_iou": lesions.best_iou,
        "centre_hit": lesions.centre_hit,
        "score": nothing,
        "in_predicted_mask": nothing,
        "matched": nothing,
        "matched_by_score": nothing,
    }
    second: dict[str, Column] = dict.fromkeys(first, absent)
    second |= {
        "kind": ["candidate"] * candidate_count,
        "image": names[tables.candidate_image],
        "patient": patients[tables.candidate_image],
        "class": candidates.label,
        "area_pixels": candidates.area,
        "diameter_px": 2 * np.sqrt(candidates.area / np.pi),
        "row": candidates.row,
        "column": candidates.column,
        "score": candidates.score,
        "in_predicted_mask": candidates.decided,
        "matched": candidates.matched,
        "matched_by_score": candidates.hit,
    }
    return {name: [*first[name], *second[name]] for name in first}


class _Columns:
    """Columns of a CSV file by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.names, rows = read_own_rows(path)
        except FileNotFoundError as error:
            raise PathError(
                f"{path} does not exist. Run `flexunet evaluate` or `flexunet score` first."
            ) from error
        self.rows = len(rows)
        if any(len(row) != len(self.names) for row in rows):
            raise DatasetError(
                f"{path}: a row has more or fewer values than there are columns. Write it again."
            )
        self._values = dict(zip(self.names, zip(*rows, strict=True), strict=True)) if rows else {}

    def text(self, name: str) -> list[str]:
        if self.rows and name not in self._values:
            raise DatasetError(f"{self.path} lacks the column {name!r}. Evaluate again with this version.")
        return list(self._values.get(name, []))

    def names_of_images(self) -> list[str]:
        return [composed(name) for name in self.text("image")]

    def numbers(self, name: str) -> NDArray[np.float64]:
        try:
            return np.array([float(text) if text else np.nan for text in self.text(name)], np.float64)
        except ValueError as error:
            raise DatasetError(f"{self.path}, column {name!r}: {error}. Expected numbers.") from error

    def counts(self, name: str) -> NDArray[np.int64]:
        return np.nan_to_num(self.numbers(name)).astype(np.int64)

    def younger(self, name: str) -> NDArray[np.float64]:
        """Numbers of a column that older files lack; NaN there."""
        return self.numbers(name) if name in self._values else np.full(self.rows, np.nan)

    def surface(self, label: int) -> NDArray[np.float64]:
        """The scores of `SURFACE_SCORES` of one class; NaN for a score younger than the file."""
        return np.stack([self.younger(f"{row.column}_class_{label}") for row in SURFACE_SCORES], axis=-1)

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        return np.stack([self.numbers(name) for name in names], axis=-1)


def read_tables(folder: Path) -> Tables:
    """Read per_image.csv and, where it exists, per_lesion.csv.

    Args:
        folder: The folder that holds them.

    Returns:
        The tables; `confusion` holds what the class counts tell, exact for two classes.

    Raises:
        PathError: if per_image.csv is missing.
        DatasetError: if a file is not what it should be.
    """
    columns = _Columns(folder / PER_IMAGE)
    if not columns.rows:
        raise DatasetError(f"{columns.path} has no rows. Evaluate again.")
    names = columns.names_of_images()
    refuse_twins(sorted(names))
    # At least background and one class; the column that lacks is named when it is read.
    labels = range(max(2, sum(name.startswith("truth_pixels_") for name in columns.names)))
    titles = [name for name in columns.names if name.startswith(_ATTRIBUTE)]
    attributes = [
        {title.removeprefix(_ATTRIBUTE): value for title, value in zip(titles, row, strict=True) if value}
        for row in zip(*(columns.text(title) for title in titles), strict=True)
    ] or [{} for _ in names]
    known = _UNLIKE in columns.names
    unlike_training = columns.text(_UNLIKE) if known else [None] * len(names)
    truth, predicted, correct = (
        np.stack([columns.counts(f"{kind}_pixels_{label}") for label in labels], axis=1)
        for kind in ("truth", "predicted", "correct")
    )
    lesion_image, lesions, candidate_image, candidates = _read_lesions(folder / PER_LESION, names)
    return Tables(
        origins=[
            ImageOrigin(name, source, patient, extra, unlike)
            for name, source, patient, extra, unlike in zip(
                names,
                columns.text("source"),
                columns.text("patient"),
                attributes,
                unlike_training,
                strict=True,
            )
        ],
        sizes=np.stack([columns.counts("height"), columns.counts("width")], axis=1),
        spacing=columns.matrix(["spacing_row_mm", "spacing_column_mm"]),
        correct=correct,
        truth=truth,
        predicted=predicted,
        confusion=_confusion(correct.sum(0), truth.sum(0), predicted.sum(0)),
        surface=np.stack([columns.surface(label) for label in labels[1:]], axis=1),
        lesion_image=lesion_image,
        lesions=lesions,
        candidate_image=candidate_image,
        candidates=candidates,
    )


def _confusion(correct: NDArray, truth: NDArray, predicted: NDArray) -> NDArray[np.int64]:
    confusion = np.diag(correct)
    if len(correct) == 2:
        confusion[0, 1], confusion[1, 0] = predicted[1] - correct[1], truth[1] - correct[1]
    return confusion


def _read_lesions(
    path: Path, names: Sequence[str]
) -> tuple[NDArray[np.int64], Lesions, NDArray[np.int64], Candidates]:
    columns = _Columns(path)
    index = {name: number for number, name in enumerate(names)}
    kinds = np.array(columns.text("kind"), dtype=str)
    try:
        image = np.array([index[name] for name in columns.names_of_images()], np.int64)
    except KeyError as error:
        raise DatasetError(
            f"{path} names image {error}, which per_image.csv lacks. Evaluate again."
        ) from error
    label, area = columns.counts("class"), columns.counts("area_pixels")
    row, column = columns.numbers("row"), columns.numbers("column")
    lesion, candidate = kinds == "lesion", kinds == "candidate"
    found, matched = columns.counts("found") > 0, columns.counts("matched") > 0
    hit, decided = columns.counts("matched_by_score") > 0, columns.counts("in_predicted_mask") > 0
    dice, iou, score = (columns.numbers(name) for name in ("dice_per_lesion", "iou_per_lesion", "score"))
    younger = [columns.younger(name) for name in ("component_dice", "best_iou", "centre_hit")]
    return (
        image[lesion],
        rows_of(Lesions(label, area, row, column, found, dice, iou, *younger), lesion),
        image[candidate],
        rows_of(Candidates(label, area, row, column, score, decided, matched, hit), candidate),
    )


class Told(NamedTuple):
    """What scores.json tells of an evaluation beside its scores.

    Attributes:
        rules: The scoring rules.
        patients_known: Whether the patients of all images are known.
    """

    rules: dict[str, Any]
    patients_known: bool


def read_told(folder: Path) -> Told:
    """The rules of an evaluation, from its scores.json of this or an earlier version.

    Raises:
        PathError: if there is no scores.json.
        DatasetError: if it cannot be read, or tells no rules.
    """
    path = folder / SCORES
    if not path.is_file():
        raise PathError(
            f"{path} does not exist, so the rules that {folder} was scored by are unknown. Evaluate again."
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        told = Told(dict(document["rules"]), bool(document.get("patients_known", False)))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}. Evaluate again.") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{path} is damaged: expected a JSON document with the key 'rules' ({error}). Evaluate again."
        ) from error
    if not told.rules:
        raise DatasetError(f"{path} tells no scoring rules. Evaluate again.")
    return told


def find_evaluation(run: Path | str) -> Path:
    """The folder of an evaluation: the folder itself, or `evaluation` in a run folder.

    Raises:
        PathError: if there is no per_image.csv in either.
    """
    run = Path(run)
    for folder in (run, run / "evaluation"):
        if (folder / PER_IMAGE).is_file():
            return folder
    raise PathError(
        f"no evaluation in {run}: expected {PER_IMAGE} in it or in its folder evaluation. Run "
        "`flexunet evaluate` on the run, or `flexunet score --out` on its masks."
    )
