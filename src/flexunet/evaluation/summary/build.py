"""Everything that is known of an evaluation, put together: the document behind scores.json and the report."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flexunet.data.images.color_map import ColorMap
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import compare_tables
from flexunet.evaluation.summary.lesions import set_lesion_scores
from flexunet.evaluation.summary.pixels import (
    class_scores,
    foreground_scores,
    published_on_masks,
    resampling_of,
)
from flexunet.evaluation.summary.probability import probability_scores
from flexunet.evaluation.summary.subgroups import subgroup_columns
from flexunet.evaluation.summary.verdict import better_than_last, better_than_trivial, leaking, sure_enough
from flexunet.evaluation.tables.document import Fold, PublishedMetrics, Scores
from flexunet.evaluation.tables.readers import ReaderAgreement
from flexunet.evaluation.tables.rows import Tables
from flexunet.inference.predict.calibration import Calibration
from flexunet.version import __version__, installed_versions

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "pillow")


@dataclass
class Circumstances:
    """What the document says beside the scores themselves.

    Attributes:
        truth: Where the true masks are.
        prediction: Where the predictions are from.
        color_map: Colours and names of the classes.
        split: Split, where known.
        patients_known: Whether patients come from a manifest.
        published: The published metrics of a model; those of hard masks by default.
        calibration: Temperature and threshold fitted on the validation split.
        subgroups: Columns to report; none chooses.
        previous: Name and tables of the run to compare with.
        folds: The folds of a cross-validation.
        audit: What is known of leakage, see `verdict.leaking`.
        drafts: True masks that no person has accepted.
        readers: How far several readers agree, where their masks are given.
        environment: What it ran on; this machine by default.
    """

    truth: str
    prediction: str
    color_map: ColorMap
    split: str | None = None
    patients_known: bool = False
    published: PublishedMetrics | None = None
    calibration: Calibration | None = None
    subgroups: Sequence[str] = ()
    previous: tuple[str, Tables] | None = None
    folds: Sequence[Fold] = ()
    audit: dict[str, Any] | None = None
    drafts: int = 0
    readers: ReaderAgreement | None = None
    environment: dict[str, Any] = field(default_factory=dict)


def make_scores(tables: Tables, rules: ScoringRules, about: Circumstances) -> Scores:
    """Compute every score of an evaluation.

    Args:
        tables: The tables.
        rules: The rules.
        about: Where they come from.

    Returns:
        The document.

    Raises:
        DatasetError: if a wanted subgroup is not in the manifest, or the runs cannot be compared.
    """
    draw = resampling_of(tables, rules)
    foreground = foreground_scores(tables, rules, draw)
    lesions = set_lesion_scores(tables, rules, draw)
    published = about.published or published_on_masks(tables)
    comparison = None
    if about.previous is not None:
        name, earlier = about.previous
        comparison = compare_tables(earlier, tables, (name, "this evaluation"), rules)
    given = about.color_map.names
    names = ["background", *given] if given else default_class_names(tables.num_classes)
    return Scores(
        flexunet=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        truth=about.truth,
        prediction=about.prediction,
        split=about.split,
        images=len(tables),
        drafts=about.drafts,
        patients=draw.num_groups,
        patients_known=about.patients_known,
        rules=rules.document(),
        published=published,
        foreground=foreground,
        lesions=lesions,
        classes=class_scores(tables, rules, draw, names, about.color_map.palette, (foreground, lesions)),
        confusion=tables.confusion.tolist(),
        probability=probability_scores(tables, rules, draw, about.calibration),
        subgroups=subgroup_columns(tables, rules, about.subgroups),
        folds=list(about.folds),
        comparison=comparison,
        readers=about.readers,
        audit=about.audit,
        environment=about.environment or describe_machine(),
        verdict=[
            better_than_trivial(tables, draw, about.patients_known, about.drafts),
            better_than_last(comparison, about.patients_known),
            leaking(about.audit),
            sure_enough(draw, foreground, about.patients_known),
        ],
    )


def default_class_names(num_classes: int) -> list[str]:
    """`background`, then `foreground` or `class 1` and so on."""
    if num_classes == 2:
        return ["background", "foreground"]
    return ["background", *(f"class {label}" for label in range(1, num_classes))]


def describe_machine() -> dict[str, Any]:
    """Versions and machine; no engine is looked at."""
    return {
        "flexunet": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": installed_versions(_PACKAGES),
    }
