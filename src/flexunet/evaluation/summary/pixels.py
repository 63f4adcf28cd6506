"""From tables to scores of pixels and boundaries with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import Counts, apply_empty_rule
from flexunet.evaluation.scores.published import PUBLISHED_METRICS, published_metric
from flexunet.evaluation.scores.registry import SET_SCORES, SetScore
from flexunet.evaluation.scores.row import ImageScore, Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.lesions import set_lesion_scores
from flexunet.evaluation.tables.document import (
    ClassScores,
    LesionScores,
    PixelScores,
    PublishedMetric,
    PublishedMetrics,
)
from flexunet.evaluation.tables.rows import Tables


def resampling_of(tables: Tables, rules: ScoringRules) -> Resampling:
    """The bootstrap of a test set, by patient."""
    return Resampling(tables.patients, rules.bootstrap_samples, rules.confidence, rules.seed)


def set_estimate(
    score: SetScore,
    of_images: dict[str, Values],
    counts: tuple[Counts, Counts, Counts],
    rules: ScoringRules,
    draw: Resampling,
) -> Estimate:
    """One score of pixels or boundaries over a set.

    Args:
        score: Which, one of `SET_SCORES`.
        of_images: Scores of each image, arrays `(N,)`, NaN where one does not exist.
        counts: Correct, true and predicted pixels of each image, `(N,)`.
        rules: The rules.
        draw: The bootstrap.
    """
    row = score.row
    if not isinstance(row, ImageScore):
        raise TypeError(f"{score.key} is no score of images.")
    if score.kind == "pooled" and row.terms:
        numerators, denominators = row.terms(*counts)
        return draw.honest(draw.ratio(numerators, denominators), denominators, row.bounded)
    values = of_images[row.name]
    if row.empty_rule:
        # An empty image scores by the rule; where others lack a value too, the score was not computed at all.
        empty = (counts[1] == 0) & (counts[2] == 0)
        computed = not np.isnan(values[~empty]).any() and (rules.surface_scores or row.surface is None)
        values = apply_empty_rule(values, rules.empty_masks if computed else "exclude")
    estimate = draw.median(values) if score.kind == "median" else draw.mean(values)
    return draw.honest(estimate, ~np.isnan(values), row.bounded)


def set_pixel_scores(
    of_images: dict[str, Values], counts: tuple[Counts, Counts, Counts], rules: ScoringRules, draw: Resampling
) -> PixelScores:
    """All scores of pixels and boundaries over a set; arguments as those of `set_estimate`."""
    _, truth, predicted = counts
    return PixelScores(
        **{score.key: set_estimate(score, of_images, counts, rules, draw) for score in SET_SCORES},
        empty_images=int(np.count_nonzero((truth == 0) & (predicted == 0))),
        one_sided_images=int(np.count_nonzero((truth == 0) != (predicted == 0))),
    )


def foreground_counts_of(tables: Tables) -> tuple[Counts, Counts, Counts]:
    """Correct, true and predicted pixels of each image over the foreground classes, `(N,)`."""
    return tables.correct[:, 1:].sum(1), tables.truth[:, 1:].sum(1), tables.predicted[:, 1:].sum(1)


def foreground_scores(tables: Tables, rules: ScoringRules, draw: Resampling) -> PixelScores:
    """Scores over the foreground classes: by image the mean over the classes that occur in it."""
    return set_pixel_scores(tables.by_image(), foreground_counts_of(tables), rules, draw)


def class_scores(
    tables: Tables,
    rules: ScoringRules,
    draw: Resampling,
    names: Sequence[str],
    palette: NDArray[np.uint8],
    of_all: tuple[PixelScores, LesionScores],
) -> list[ClassScores]:
    """Scores of each foreground class; `of_all` are those over all classes, which a single class shares."""
    scores = tables.by_class()
    found = []
    alone = tables.num_classes == 2
    for label in range(1, tables.num_classes):
        of_class = {name: values[:, label - 1] for name, values in scores.items()}
        counts = tables.correct[:, label], tables.truth[:, label], tables.predicted[:, label]
        red, green, blue = (int(value) for value in palette[label])
        found.append(
            ClassScores(
                index=label,
                name=names[label],
                color=(red, green, blue),
                pixels=of_all[0] if alone else set_pixel_scores(of_class, counts, rules, draw),
                lesions=of_all[1] if alone else set_lesion_scores(tables, rules, draw, label),
            )
        )
    return found


def published_on_masks(tables: Tables, names: Sequence[str] = PUBLISHED_METRICS) -> PublishedMetrics:
    """The published metrics on hard masks at their own size, mean over images."""
    sums = tables.class_sums
    empty = sums.empty_prediction()
    return PublishedMetrics(
        computed_on="hard masks at their own size, mean over images",
        figures=[
            PublishedMetric(
                name=name,
                value=float(published_metric(name, sums).mean()),
                empty_prediction=float(published_metric(name, empty).mean()),
            )
            for name in names
        ],
    )
