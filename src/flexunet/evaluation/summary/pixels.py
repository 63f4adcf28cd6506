"""From tables to figures with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import Counts, Values, apply_empty_rule, mean_over_classes
from flexunet.evaluation.scores.published import PUBLISHED_METRICS, published_metric
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.lesions import lesion_figures
from flexunet.evaluation.tables.document import (
    ClassFigures,
    Figure,
    LesionFigures,
    PixelFigures,
    PublishedFigure,
    PublishedFigures,
)
from flexunet.evaluation.tables.rows import Tables


def figure(estimate: Estimate) -> Figure:
    """An estimate as it is written down."""
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high, images=estimate.images)


def resampling_of(tables: Tables, rules: ScoringRules) -> Resampling:
    """The bootstrap of a test set, by patient."""
    return Resampling(tables.patients, rules.bootstrap_samples, rules.confidence, rules.seed)


def pixel_figures(
    scores: dict[str, Values], counts: tuple[Counts, Counts, Counts], rules: ScoringRules, draw: Resampling
) -> PixelFigures:
    """Pixel and boundary scores with their intervals.

    Args:
        scores: Score of each image, arrays `(N,)`, NaN where it does not exist.
        counts: Correct, true and predicted pixels of each image, `(N,)`.
        rules: The rules.
        draw: The bootstrap.

    Returns:
        The figures.
    """
    correct, truth, predicted = counts
    ruled = {name: apply_empty_rule(scores[name], rules.empty_masks) for name in ("dice", "iou")}
    # Without surface scores every boundary Dice is NaN, and no rule may fill them.
    surfaces = rules.surface_scores
    boundary = apply_empty_rule(scores["boundary_dice"], rules.empty_masks if surfaces else "exclude")
    return PixelFigures(
        dice_per_image_mean=figure(draw.mean(ruled["dice"])),
        dice_per_image_median=figure(draw.median(ruled["dice"])),
        dice_pooled=figure(draw.ratio(2 * correct, truth + predicted)),
        iou_per_image_mean=figure(draw.mean(ruled["iou"])),
        iou_per_image_median=figure(draw.median(ruled["iou"])),
        iou_pooled=figure(draw.ratio(correct, truth + predicted - correct)),
        precision_per_image_mean=figure(draw.mean(scores["precision"])),
        precision_pooled=figure(draw.ratio(correct, predicted)),
        recall_per_image_mean=figure(draw.mean(scores["recall"])),
        recall_pooled=figure(draw.ratio(correct, truth)),
        boundary_dice_per_image_mean=figure(draw.mean(boundary)),
        hausdorff_95_px_mean=figure(draw.mean(scores["hausdorff_95_px"])),
        hausdorff_95_px_median=figure(draw.median(scores["hausdorff_95_px"])),
        average_surface_distance_px_mean=figure(draw.mean(scores["average_surface_distance_px"])),
        hausdorff_95_mm_mean=figure(draw.mean(scores["hausdorff_95_mm"])),
        average_surface_distance_mm_mean=figure(draw.mean(scores["average_surface_distance_mm"])),
        empty_images=int(np.count_nonzero((truth == 0) & (predicted == 0))),
        one_sided_images=int(np.count_nonzero((truth == 0) != (predicted == 0))),
    )


def foreground_figures(tables: Tables, rules: ScoringRules, draw: Resampling) -> PixelFigures:
    """Scores over the foreground classes: by image the mean over the classes that occur in it."""
    counts = tables.correct[:, 1:].sum(1), tables.truth[:, 1:].sum(1), tables.predicted[:, 1:].sum(1)
    return pixel_figures(tables.by_image(), counts, rules, draw)


def class_figures(
    tables: Tables,
    rules: ScoringRules,
    draw: Resampling,
    names: Sequence[str],
    palette: NDArray[np.uint8],
    of_all: tuple[PixelFigures, LesionFigures],
) -> list[ClassFigures]:
    """Scores of each foreground class; `of_all` are those over all classes, which a single class shares."""
    scores = tables.by_class()
    found = []
    alone = tables.num_classes == 2
    for label in range(1, tables.num_classes):
        of_class = {name: values[:, label - 1] for name, values in scores.items()}
        counts = tables.correct[:, label], tables.truth[:, label], tables.predicted[:, label]
        red, green, blue = (int(value) for value in palette[label])
        found.append(
            ClassFigures(
                index=label,
                name=names[label],
                color=(red, green, blue),
                pixels=of_all[0] if alone else pixel_figures(of_class, counts, rules, draw),
                lesions=of_all[1] if alone else lesion_figures(tables, rules, draw, label),
            )
        )
    return found


def published_on_masks(tables: Tables, names: Sequence[str] = PUBLISHED_METRICS) -> PublishedFigures:
    """The published metrics on hard masks at their own size, mean over images."""
    sums = tables.class_sums
    empty = sums.empty_prediction()
    return PublishedFigures(
        computed_on="hard masks at their own size, mean over images",
        figures=[
            PublishedFigure(
                name=name,
                value=float(published_metric(name, sums).mean()),
                empty_prediction=float(published_metric(name, empty).mean()),
            )
            for name in names
        ],
    )


def image_dice(tables: Tables, rules: ScoringRules) -> Values:
    """`dice_per_image` of each image under the empty-mask rule, `(N,)`."""
    return apply_empty_rule(mean_over_classes(tables.by_class()["dice"]), rules.empty_masks)
