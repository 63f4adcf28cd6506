"""Two runs on the same images: difference, its interval, and a permutation p value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexunet.errors import DatasetError
from flexunet.evaluation.scores.intervals import Estimate, Resampling, permutation_p
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.scores.row import ImageScore, LesionScore, ScoreRow
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.pixels import foreground_counts_of, resampling_of
from flexunet.evaluation.summary.quotients import Quotient, paired
from flexunet.evaluation.tables.document import ComparedScore, Comparison
from flexunet.evaluation.tables.files import find_evaluation, read_tables, read_told
from flexunet.evaluation.tables.rows import Tables

_COMPARED_RULES = (
    "empty_masks",
    "lesion_match",
    "lesion_iou",
    "connectivity",
    "min_lesion_pixels",
    "boundary_tolerance",
    "surface_tolerance_mm",
)


def compare_tables(first: Tables, second: Tables, names: tuple[str, str], rules: ScoringRules) -> Comparison:
    """Compare two runs on the images that both have scored.

    Scores named `_paired` let a false alarm cost: on images without a lesion where exactly one of the two
    predicted nothing, that run counts 1 and the other 0. Images with nothing in truth and both predictions
    are left out. Distances are compared on the images where both have one.

    Args:
        first: Tables of the first run.
        second: Tables of the second run.
        names: What to call them.
        rules: Bootstrap settings.

    Returns:
        The comparison; differences are second less first.

    Raises:
        DatasetError: if they share no image, or were scored against different masks.
    """
    reason = why_not_comparable(first, second)
    if reason:
        raise DatasetError(
            f"{names[0]} and {names[1]} cannot be compared: {reason}. Evaluate both on the same split of one "
            "data set."
        )
    one, two = shared_images(first, second)
    draw = resampling_of(one, rules)
    scores = [_compared(*named, draw, rules) for named in paired_quotients(one, two)]
    return Comparison(
        first=names[0],
        second=names[1],
        images=len(one),
        patients=draw.num_groups,
        only_in_first=len(first) - len(one),
        only_in_second=len(second) - len(two),
        scores=scores,
    )


def shared_images(first: Tables, second: Tables) -> tuple[Tables, Tables]:
    """The tables of the images that both have, in one order."""
    shared = {origin.name for origin in first.origins} & {origin.name for origin in second.origins}
    return _only(first, shared), _only(second, shared)


def _only(tables: Tables, names: set[str]) -> Tables:
    kept = tables.subset(np.array([origin.name in names for origin in tables.origins]))
    order = np.argsort([origin.name for origin in kept.origins])
    if (order == np.arange(len(order))).all():
        return kept
    raise DatasetError("per_image.csv must be sorted by image. Evaluate again.")


def why_not_comparable(first: Tables, second: Tables, same_rules: bool = True) -> str | None:
    """What keeps two evaluations from being compared, in words; None if nothing does.

    Args:
        first: Tables of one.
        second: Tables of the other.
        same_rules: Whether both are known to be scored by the same rules; otherwise true lesions may differ
            because small ones were left out, and only their pixels are compared.
    """
    if first.num_classes != second.num_classes:
        return f"one has {first.num_classes} classes, the other {second.num_classes}"
    places = {origin.name: index for index, origin in enumerate(second.origins)}
    shared = [
        (index, places[origin.name]) for index, origin in enumerate(first.origins) if origin.name in places
    ]
    if not shared:
        return "they have no image in common"
    one, two = np.array(shared).T
    spacing = first.spacing[one], second.spacing[two]
    if not np.array_equal(*spacing, equal_nan=True):
        unequal = ~((spacing[0] == spacing[1]) | np.isnan(spacing[0]) & np.isnan(spacing[1])).all(axis=1)
        name = first.origins[one[unequal.argmax()]].name
        return f"their pixel spacing differs, e.g. of image {name}"
    different = (first.truth[one] != second.truth[two]).any(axis=1)
    if same_rules:
        different |= _other_lesions(first, second, one, two)
    if different.any():
        name = first.origins[one[different.argmax()]].name
        return f"they were scored against different masks, e.g. of image {name}"
    return None


def _other_lesions(first: Tables, second: Tables, one: NDArray, two: NDArray) -> NDArray[np.bool_]:
    """Which shared images have other true lesions; masks of equal area need not be equal.

    Sums over the lesions of an image are compared, for their order depends on the prediction. Where a
    per_lesion.csv is lacking, nothing is known.
    """
    if not (len(first.lesion_image) and len(second.lesion_image)):
        return np.zeros(len(one), np.bool_)

    def sums(tables: Tables) -> NDArray:
        label, area, row, column = tables.lesions[:4]
        features = (np.ones(len(area)), label * area, area**2, area * row, area * column, row**2, column**2)
        return np.stack([np.bincount(tables.lesion_image, each, len(tables)) for each in features], axis=1)

    return ~np.isclose(sums(first)[one], sums(second)[two], rtol=1e-6, atol=1e-6).all(axis=1)


def paired_quotients(one: Tables, two: Tables) -> list[tuple[str, ScoreRow, Quotient, Quotient]]:
    """Key, row and the two quotients of each score that is compared: paired, pooled, distances, lesions."""
    by_image, pooled, distances, by_lesion = [], [], [], []
    of_images = one.by_image(), two.by_image()
    pixels = foreground_counts_of(one), foreground_counts_of(two)
    counts = one.lesion_counts(), two.lesion_counts()
    for score in shown_in("comparison"):
        row = score.row
        if isinstance(row, LesionScore) and row.terms:
            first, second = (Quotient(*row.terms(part)) for part in counts)
            by_lesion.append((score.key, row, first, second))
        elif isinstance(row, ImageScore) and score.kind == "pooled" and row.terms:
            first, second = (Quotient(*row.terms(*part)) for part in pixels)
            pooled.append((score.key, row, first, second))
        elif isinstance(row, ImageScore) and row.empty_rule:
            silent = [(truth == 0) & (predicted == 0) for _, truth, predicted in pixels]
            first, second = paired([values[row.name] for values in of_images], silent)
            by_image.append((f"{score.key}_paired", row, first, second))
        else:
            values = [part[row.name] for part in of_images]
            both = ~np.isnan(values[0]) & ~np.isnan(values[1])
            first, second = (Quotient(np.where(both, part, 0.0), both.astype(np.float64)) for part in values)
            distances.append((score.key, row, first, second))
    return by_image + pooled + distances + by_lesion


def _compared(
    name: str,
    row: ScoreRow,
    first: Quotient,
    second: Quotient,
    draw: Resampling,
    rules: ScoringRules,
) -> ComparedScore:
    one, two = draw.ratio(*first), draw.ratio(*second)
    nothing = float("nan")
    difference = nothing if one.value is None or two.value is None else two.value - one.value
    replicates = draw.ratio_replicates(*second) - draw.ratio_replicates(*first)
    images = int(np.count_nonzero(np.maximum(first.denominator, second.denominator)))
    p_value = permutation_p(
        (draw.by_group(first.numerator), draw.by_group(first.denominator)),
        (draw.by_group(second.numerator), draw.by_group(second.denominator)),
        max(rules.bootstrap_samples, 1000),
        rules.seed,
    )
    return ComparedScore(
        name=name,
        first=one.value,
        second=two.value,
        difference=Estimate.of(difference, replicates, rules.confidence, images),
        p_value=None if np.isnan(p_value) else p_value,
        higher_is_better=row.better == "higher",
    )


class Pair(NamedTuple):
    """Two evaluations that may be compared: scored by the same rules.

    Attributes:
        folders: Their folders.
        names: What to call them.
        tables: Their tables.
        patients_known: Whether the patients of all images are known in both.
    """

    folders: tuple[Path, Path]
    names: tuple[str, str]
    tables: tuple[Tables, Tables]
    patients_known: bool


def read_pair(first: Path | str, second: Path | str) -> Pair:
    """Read two run folders, or folders of evaluations: per_image.csv, per_lesion.csv and scores.json.

    Raises:
        PathError: if one has no evaluation, or one without scores.json.
        DatasetError: if a file is damaged, or they were scored by other rules.
    """
    one, two = find_evaluation(first), find_evaluation(second)
    names = distinct_names(first, second)
    told = [read_told(folder) for folder in (one, two)]
    if reason := other_rules(told[0].rules, told[1].rules):
        raise DatasetError(
            f"{names[0]} and {names[1]} cannot be compared: {reason}. Evaluate both with the same rules."
        )
    known = all(part.patients_known for part in told)
    return Pair((one, two), names, (read_tables(one), read_tables(two)), known)


def other_rules(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """In which rules two evaluations differ so that their scores cannot be compared; None if in none."""
    differing = [
        f"{name} is {first[name]} in one and {second[name]} in the other"
        for name in _COMPARED_RULES
        if name in first and name in second and first[name] != second[name]
    ]
    return "they were scored by other rules: " + ", ".join(differing) if differing else None


def distinct_names(first: Path | str, second: Path | str) -> tuple[str, str]:
    """Short names of two folders: the last parts of their paths, as many as tell them apart."""
    one, two = Path(first).resolve().parts, Path(second).resolve().parts
    for count in range(1, max(len(one), len(two)) + 1):
        if one[-count:] != two[-count:]:
            return "/".join(one[-count:]), "/".join(two[-count:])
    return f"{one[-1]} (A)", f"{two[-1]} (B)"
