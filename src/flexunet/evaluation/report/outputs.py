"""The files of an evaluation: scores.json, the CSV files, the report and the model card."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from flexunet.errors import DatasetError, PathError, counted
from flexunet.evaluation.report.model_card import model_card
from flexunet.evaluation.report.page import write_report
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import other_rules, why_not_comparable
from flexunet.evaluation.tables.document import Scores
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.files import (
    find_evaluation,
    image_columns,
    lesion_columns,
    read_tables,
    read_told,
    write_tables,
)
from flexunet.evaluation.tables.rows import Tables
from flexunet.extras import import_extra
from flexunet.files import explaining, write_text
from flexunet.run_folder import PER_IMAGE, PER_LESION, REPORT, SCORES


class Evaluation(NamedTuple):
    """A finished evaluation.

    Attributes:
        scores: The scores.
        tables: The tables behind them.
        folder: Where its files are; None if nothing was written.
        notes: What the user should know.
    """

    scores: Scores
    tables: Tables
    folder: Path | None
    notes: list[str]

    def __repr__(self) -> str:
        dice = self.scores.foreground.dice_per_image_mean
        value = "not defined" if dice.value is None else f"{dice.value:.3f}"
        if dice.low is not None and dice.high is not None:
            value += f" ({dice.low:.3f} to {dice.high:.3f})"
        return f"<Evaluation of {counted(self.scores.images, 'image')}: dice_per_image_mean {value}>"

    def to_pandas(self, per: Literal["image", "lesion"] = "image") -> Any:
        """The scores of each image, or of each lesion, as a pandas table.

        Args:
            per: What a row is: an image (the columns of per_image.csv) or a lesion (those of per_lesion.csv).

        Raises:
            EngineError: if pandas is not installed.
        """
        pandas = import_extra("pandas", extra="pandas", needed_by="Evaluation.to_pandas()")
        columns = image_columns(self.tables) if per == "image" else lesion_columns(self.tables)
        return pandas.DataFrame(columns)


def write_evaluation(
    folder: Path,
    scores: Scores,
    tables: Tables,
    gallery: Extremes | None = None,
    *,
    title: str,
    curves_dir: Path | None = None,
) -> None:
    """Write scores, tables and report; each file appears whole or not at all.

    Args:
        folder: Where; made if missing.
        scores: The scores.
        tables: The tables.
        gallery: Best and worst images.
        title: Headline of the report.
        curves_dir: Folder of training curves.
    """
    write_tables(tables, folder)
    write_report(folder / REPORT, scores, tables, gallery, title=title, curves_dir=curves_dir)
    # Last, so that a scores.json means that all of it is there.
    write_text(folder / SCORES, scores_json(scores))


def keep_other_images(
    folder: Path, tables: Tables, rules: ScoringRules, notes: list[str], beside: Sequence[Path] = ()
) -> None:
    """Move an evaluation of other images aside, into a folder of its own, before this one is written.

    Args:
        folder: The folder of the evaluation.
        tables: Tables of the evaluation that is to be written.
        rules: Its rules.
        notes: Told where the other one is kept.
        beside: Its files that lie elsewhere.
    """
    try:
        earlier = read_tables(folder)
    except (PathError, DatasetError):
        return
    try:
        same_rules = other_rules(read_told(folder).rules, rules.document()) is None
    except (PathError, DatasetError):
        same_rules = False
    names, earlier_names = ({one.name for one in part.origins} for part in (tables, earlier))
    if names == earlier_names and why_not_comparable(earlier, tables, same_rules) is None:
        return
    number = next(number for number in itertools.count(1) if not (folder / f"other_images_{number}").exists())
    kept = folder / f"other_images_{number}"
    with explaining(kept):
        kept.mkdir()
        # The document last: while it lies in the folder, its tables do too or were moved before it.
        inside = (folder / name for name in (REPORT, PER_LESION, PER_IMAGE, SCORES))
        for path in (*beside, *inside):
            if path.is_file():
                shutil.move(path, kept / path.name)  # may be on another disk
    notes.append(f"the evaluation of {len(earlier)} other images that was here is kept in {kept}")


def scores_json(scores: Scores) -> str:
    """The text of scores.json."""
    return json.dumps(scores.model_dump(mode="json", by_alias=True), indent=2, allow_nan=False) + "\n"


def read_scores(folder: Path) -> Scores:
    """Read scores.json of an evaluation.

    Raises:
        PathError: if there is none.
        DatasetError: if it has another form.
    """
    path = folder / SCORES
    if not path.is_file():
        raise PathError(f"{path} does not exist. Run `flexunet evaluate` or `flexunet score --out` first.")
    try:
        return Scores.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise DatasetError(
            f"{path} has another form than this version writes ({error.error_count()} differences). "
            "Evaluate again."
        ) from error


def read_previous(folder: Path, rules: ScoringRules, notes: list[str]) -> tuple[str, Tables] | None:
    """The evaluation that a folder holds now, to be compared with the next; None if there is none to read.

    Args:
        folder: The folder.
        rules: The rules of the next evaluation; one by other rules is not compared.
        notes: Told why it is not compared.
    """
    try:
        earlier = find_evaluation(folder)
    except PathError:
        return None
    try:
        reason = other_rules(read_told(earlier).rules, rules.document())
        if reason is None:
            return "the last run", read_tables(earlier)
    except (PathError, DatasetError) as error:
        reason = str(error)
    notes.append(f"not compared with the last evaluation: {reason}")
    return None


def write_published(path: Path, metrics: dict[str, float]) -> None:
    """Write evaluation.csv as published: name and value, four decimals, zeros at the end dropped."""
    write_text(path, "".join(f"{name},{published_text(value)}\n" for name, value in metrics.items()))


def published_text(value: float) -> str:
    """A value as the published system writes it.

    >>> published_text(0.11898), published_text(0.914), published_text(1.0)
    ('0.119', '0.914', '1.0')
    """
    return str(round(float(value), 4))


def write_card(path: Path, scores: Scores, title: str, model: dict[str, str]) -> None:
    """Write the model card.

    Args:
        path: The file.
        scores: The scores.
        title: Name of the model.
        model: What is known of it, in the words to print.
    """
    write_text(path, model_card(scores, title, model))
