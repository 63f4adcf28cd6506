"""On whom: the main scores by any column of the manifest, and by lesion size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexunet.data.dataset.manifest import is_descriptive
from flexunet.errors import DatasetError
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.scores.row import LesionScore
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.lesions import lesion_estimate
from flexunet.evaluation.summary.pixels import foreground_counts_of, resampling_of, set_estimate
from flexunet.evaluation.tables.document import Subgroup, SubgroupColumn
from flexunet.evaluation.tables.files import attribute_names
from flexunet.evaluation.tables.rows import Tables

_MOST_VALUES = 12
_QUARTERS = 4
_FEWEST_IMAGES = 2  # images a value has on average, so that it is a group
SIZE_COLUMN = "largest lesion"


def subgroup_columns(tables: Tables, rules: ScoringRules, wanted: Sequence[str] = ()) -> list[SubgroupColumn]:
    """Scores by the values of manifest columns.

    Args:
        tables: The tables.
        rules: The rules.
        wanted: Columns to report. None: those that describe patient, film or lesion (`DESCRIPTIVE` of the
            manifest) and have 2 to 12 values, each of two images on average; and the size of the largest
            lesion. A wanted column of many numbers is cut into quarters.

    Returns:
        One entry a column.

    Raises:
        DatasetError: if a wanted column is not in the manifest.
    """
    known = attribute_names(tables)
    missing = [name for name in wanted if name not in known and name != SIZE_COLUMN]
    if missing:
        raise DatasetError(
            f"[evaluate] subgroups: the manifest has no column {', '.join(missing)}. It has: "
            f"{', '.join(known) or 'none'}; {SIZE_COLUMN!r} is always there."
        )
    columns = []
    most = min(_MOST_VALUES, len(tables) // _FEWEST_IMAGES)
    for name in wanted or [*filter(is_descriptive, known), SIZE_COLUMN]:
        values = _size_values(tables, rules) if name == SIZE_COLUMN else _column(tables, name)
        levels = list(dict.fromkeys(sorted(values, key=_natural)))
        if len(levels) > _MOST_VALUES and name in wanted:
            values, levels = _quarters(values)
        if 2 <= len(levels) <= (_MOST_VALUES if name == SIZE_COLUMN else most) or name in wanted:
            groups = [_subgroup(tables, rules, level, np.array(values) == level) for level in levels]
            columns.append(SubgroupColumn(column=name, groups=groups))
    return columns


def _column(tables: Tables, name: str) -> list[str]:
    return [origin.attributes.get(name) or "not given" for origin in tables.origins]


def _natural(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text.split()[0]), text
    except (ValueError, IndexError):
        return True, 0.0, text


def _size_values(tables: Tables, rules: ScoringRules) -> list[str]:
    """Band of the largest lesion of each image."""
    pixels, mm = tables.lesion_diameters()
    in_mm = len(mm) > 0 and not np.isnan(mm).any()
    diameter, edges = (mm, rules.size_bands_mm) if in_mm else (pixels, rules.size_bands_px)
    largest = np.zeros(len(tables))
    np.maximum.at(largest, tables.lesion_image, diameter)
    unit, limits = "mm" if in_mm else "px", [0.0, *edges]
    bands = [f"{low:g} to {high:g} {unit}" for low, high in zip(limits, edges, strict=False)]
    bands.append(f"{edges[-1]:g} {unit} and more")
    return [
        "none" if size == 0 else bands[int(np.searchsorted(edges, size, side="right"))] for size in largest
    ]


def _quarters(values: list[str]) -> tuple[list[str], list[str]]:
    """Cut a column of numbers into quarters; a column of words stays."""
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return values, list(dict.fromkeys(sorted(values)))
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _QUARTERS + 1)))
    labels = [f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)]
    index = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(labels) - 1)
    return [labels[i] for i in index], labels


def _subgroup(tables: Tables, rules: ScoringRules, value: str, chosen: NDArray[np.bool_]) -> Subgroup:
    part = tables.subset(chosen)
    draw = resampling_of(part, rules)
    counts = part.lesion_counts()
    pixels, of_images = foreground_counts_of(part), part.by_image()
    # Without a lesion, overlap is 0 on images with a false alarm and not defined on others: the mean of few
    # false alarms would say that all is wrong.
    overlaps = bool(part.truth[:, 1:].any())
    return Subgroup(
        value=value,
        images=len(part),
        patients=draw.num_groups,
        lesions=int(counts.lesions.sum()),
        **{
            score.key: lesion_estimate(score.row, counts, draw)
            if isinstance(score.row, LesionScore)
            else set_estimate(score, of_images, pixels, rules, draw)
            if overlaps
            else Estimate(value=None, low=None, high=None)
            for score in shown_in("headline")
        },
    )
