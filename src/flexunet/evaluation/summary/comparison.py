"""Two runs on the same images: difference, its interval, and a permutation p value."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from flexunet.errors import DatasetError
from flexunet.evaluation.scores.intervals import Estimate, Resampling, permutation_p
from flexunet.evaluation.scores.pixels import Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.pixels import figure, resampling_of
from flexunet.evaluation.tables.document import ComparedScore, Comparison
from flexunet.evaluation.tables.files import find_evaluation, read_tables
from flexunet.evaluation.tables.rows import Tables


class Quotient(NamedTuple):
    """A score as one sum over images divided by another."""

    numerator: Values
    denominator: Values


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
    shared = {origin.name for origin in first.origins} & {origin.name for origin in second.origins}
    one, two = (_only(tables, shared) for tables in (first, second))
    draw = resampling_of(one, rules)
    scores = [
        _compared(name, better, quotients[0][name], quotients[1][name], draw, rules)
        for quotients in [_quotients(one, two)]
        for name, better in _SCORES.items()
    ]
    return Comparison(
        first=names[0],
        second=names[1],
        images=len(one),
        patients=draw.num_groups,
        only_in_first=len(first) - len(one),
        only_in_second=len(second) - len(two),
        scores=scores,
    )


_SCORES = {
    "dice_per_image_mean_paired": True,
    "iou_per_image_mean_paired": True,
    "boundary_dice_per_image_mean_paired": True,
    "dice_pooled": True,
    "precision_pooled": True,
    "recall_pooled": True,
    "hausdorff_95_px_mean": False,
    "average_surface_distance_px_mean": False,
    "sensitivity": True,
    "false_positives_per_image": False,
    "dice_per_lesion_mean": True,
}
_PAIRED = ("dice", "iou", "boundary_dice")
_DISTANCES = ("hausdorff_95_px", "average_surface_distance_px")


def _only(tables: Tables, names: set[str]) -> Tables:
    kept = tables.subset(np.array([origin.name in names for origin in tables.origins]))
    order = np.argsort([origin.name for origin in kept.origins])
    if (order == np.arange(len(order))).all():
        return kept
    raise DatasetError("per_image.csv must be sorted by image. Evaluate again.")


def why_not_comparable(first: Tables, second: Tables) -> str | None:
    """What keeps two evaluations from being compared, in words; None if nothing does."""
    if first.num_classes != second.num_classes:
        return f"one has {first.num_classes} classes, the other {second.num_classes}"
    places = {origin.name: index for index, origin in enumerate(second.origins)}
    shared = [
        (index, places[origin.name]) for index, origin in enumerate(first.origins) if origin.name in places
    ]
    if not shared:
        return "they have no image in common"
    one, two = np.array(shared).T
    different = np.flatnonzero((first.truth[one] != second.truth[two]).any(axis=1))
    if len(different):
        name = first.origins[one[different[0]]].name
        return f"they were scored against different masks, e.g. of image {name}"
    return None


def _quotients(one: Tables, two: Tables) -> tuple[dict[str, Quotient], dict[str, Quotient]]:
    first, second = one.by_image(), two.by_image()
    found: tuple[dict[str, Quotient], dict[str, Quotient]] = ({}, {})
    for name in _PAIRED:
        either = ~np.isnan(first[name]) | ~np.isnan(second[name])
        for values, quotients in zip((first[name], second[name]), found, strict=True):
            quotients[f"{name}_per_image_mean_paired"] = Quotient(
                np.where(either & np.isnan(values), 1.0, np.nan_to_num(values)), either.astype(np.float64)
            )
    for name in _DISTANCES:
        both = ~np.isnan(first[name]) & ~np.isnan(second[name])
        for values, quotients in zip((first[name], second[name]), found, strict=True):
            quotients[f"{name}_mean"] = Quotient(np.where(both, values, 0.0), both.astype(np.float64))
    for tables, quotients in zip((one, two), found, strict=True):
        quotients |= _counted(tables)
    return found


def _counted(tables: Tables) -> dict[str, Quotient]:
    correct, truth, predicted = (
        counts[:, 1:].sum(axis=1).astype(np.float64)
        for counts in (tables.correct, tables.truth, tables.predicted)
    )
    lesions = tables.counted(tables.lesion_image).astype(np.float64)
    found = tables.counted(tables.lesion_image, tables.lesions.found).astype(np.float64)
    decided = tables.candidates.decided & ~tables.candidates.matched
    false = tables.counted(tables.candidate_image, decided).astype(np.float64)
    dice = np.bincount(tables.lesion_image, tables.lesions.dice, len(tables)).astype(np.float64)
    return {
        "dice_pooled": Quotient(2 * correct, truth + predicted),
        "precision_pooled": Quotient(correct, predicted),
        "recall_pooled": Quotient(correct, truth),
        "sensitivity": Quotient(found, lesions),
        "false_positives_per_image": Quotient(false, np.ones(len(tables))),
        "dice_per_lesion_mean": Quotient(dice, lesions),
    }


def _compared(
    name: str,
    higher_is_better: bool,
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
        difference=figure(Estimate.of(difference, replicates, rules.confidence, images)),
        p_value=None if np.isnan(p_value) else p_value,
        higher_is_better=higher_is_better,
    )


def compare_runs(first: Path | str, second: Path | str, rules: ScoringRules) -> Comparison:
    """Compare two run folders, or folders of evaluations, by their per_image.csv and per_lesion.csv.

    Raises:
        PathError: if one has no evaluation.
        DatasetError: if they cannot be compared.
    """
    tables = [read_tables(find_evaluation(run)) for run in (first, second)]
    return compare_tables(tables[0], tables[1], distinct_names(first, second), rules)


def distinct_names(first: Path | str, second: Path | str) -> tuple[str, str]:
    """Short names of two folders: the last parts of their paths, as many as tell them apart."""
    one, two = Path(first).resolve().parts, Path(second).resolve().parts
    for count in range(1, max(len(one), len(two)) + 1):
        if one[-count:] != two[-count:]:
            return "/".join(one[-count:]), "/".join(two[-count:])
    return f"{one[-1]} (A)", f"{two[-1]} (B)"
