"""All scores: the rows of the other modules in the order in which tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flexunet.evaluation.scores.froc import CONFIDENCE_SCORES
from flexunet.evaluation.scores.image_level import IMAGE_LEVEL_SCORES
from flexunet.evaluation.scores.lesion_counts import COUNTED_SCORES
from flexunet.evaluation.scores.pixels import PIXEL_SCORES
from flexunet.evaluation.scores.row import ImageScore, Kind, LesionScore, Place, ScoreRow
from flexunet.evaluation.scores.surface import SURFACE_SCORES

IMAGE_SCORES: tuple[ImageScore, ...] = (*PIXEL_SCORES, *SURFACE_SCORES)
SCORES_BY_CONFIDENCE: tuple[LesionScore, ...] = (*CONFIDENCE_SCORES, *IMAGE_LEVEL_SCORES)
LESION_SCORES: tuple[LesionScore, ...] = (*COUNTED_SCORES, *SCORES_BY_CONFIDENCE)

_KINDS = {"mean": "mean over images", "median": "median over images", "pooled": "pooled"}


@dataclass(frozen=True)
class SetScore:
    """A score of a set of images, one key of scores.json.

    Attributes:
        key: Its key.
        row: The row that describes it.
        places: Where it is shown.
        kind: How the scores of images are put together; None for scores of lesions.
    """

    key: str
    row: ScoreRow
    places: tuple[Place, ...]
    kind: Kind | None = None

    @property
    def group(self) -> str:
        """The part of scores.json that holds it."""
        return "foreground" if self.kind else "lesions"

    @property
    def title(self) -> str:
        """Its name for people; a share of pixels goes by its key, which alone says which Dice is meant."""
        if self.kind and not self.row.unit:
            return self.key
        parts = [self.row.label, self.row.unit, _KINDS[self.kind] if self.kind else ""]
        return ", ".join(part for part in parts if part)

    @property
    def short(self) -> str:
        """Head of a narrow column."""
        return self.row.short or self.key


def _of_images() -> list[SetScore]:
    scores = []
    for row in IMAGE_SCORES:
        for summary in row.summaries:
            start = row.name if summary.kind == "pooled" else row.column
            scores.append(SetScore(f"{start}_{summary.kind}", row, summary.places, summary.kind))
    return scores


SET_SCORES = _of_images()
"""Scores of pixels and boundaries over a set, the keys of `foreground` in scores.json."""
SET_LESION_SCORES = [SetScore(row.name, row, row.places) for row in LESION_SCORES]
"""Scores of lesions over a set, keys of `lesions` in scores.json."""


def shown_in(place: Place, scores: Sequence[SetScore] = (*SET_SCORES, *SET_LESION_SCORES)) -> list[SetScore]:
    """The scores that a place shows, in order."""
    return [score for score in scores if place in score.places]


def score_table() -> str:
    """The scores as a Markdown table, for docs/scores-schema.md."""
    lines = [
        "| keys in scores.json | better | definition | does not exist where | source |",
        "|---|---|---|---|---|",
    ]
    for row in (*IMAGE_SCORES, *LESION_SCORES):
        keys = [score.key for score in (*SET_SCORES, *SET_LESION_SCORES) if score.row is row]
        names = ", ".join(f"`{key}`" for key in keys)
        lines.append(f"| {names} | {row.better} | {row.definition} | {row.undefined} | {row.source} |")
    return "\n".join(lines)
