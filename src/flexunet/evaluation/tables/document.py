"""The form of scores.json; the scores in it are those of the registry.

    python -m flexunet.evaluation.tables.document docs

writes docs/scores.schema.json, and the table of scores in docs/scores-schema.md; tests keep both up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, create_model, model_validator

from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import (
    SET_LESION_SCORES,
    SET_SCORES,
    SetScore,
    score_table,
    shown_in,
)
from flexunet.evaluation.tables.part import Part
from flexunet.evaluation.tables.readers import ReaderAgreement
from flexunet.files import renew_page, with_tables, write_text

_START, _END = "<!-- scores: written by flexunet.evaluation.tables.document -->", "<!-- end of scores -->"


class Scored(Part):
    """A part that has an estimate for each of some scores, by its key."""

    score_keys: ClassVar[tuple[str, ...]] = ()
    unknown: ClassVar[Any] = Estimate()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """A file written before a score was added lacks it: its estimate is unknown."""
        unknown = dict.fromkeys(cls.score_keys, cls.unknown)
        return unknown | values if isinstance(values, dict) else values

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)


def _with_scores(base: type[Scored], scores: Sequence[SetScore], kind: Any = Estimate) -> Any:
    """The part with a field for each score, of type `kind`, described by its row."""
    fields: dict[str, Any] = {
        score.key: (kind, Field(description=f"{score.row.definition} Better: {score.row.better}."))
        for score in scores
    }
    model = create_model(f"_{base.__name__}", __base__=base, **fields)
    model.score_keys = tuple(fields)
    return model


class PixelScores(_with_scores(Scored, SET_SCORES)):  # type: ignore[misc]
    """Pixel and boundary scores of one class or over the foreground classes."""

    empty_images: int = Field(description="Images with nothing in truth and prediction: the empty-mask rule.")
    one_sided_images: int = Field(description="Images empty on one side only: they have no surface distance.")


class SizeBand(Part):
    """Lesions of one band of equivalent diameters."""

    label: str
    unit: Literal["px", "mm"]
    low: float
    high: float | None
    lesions: int
    found: int
    sensitivity: Estimate
    dice_per_lesion_mean: Estimate


class FrocPoint(Part):
    """One threshold of the FROC curve."""

    threshold: float
    false_positives_per_image: float
    sensitivity: float


class FrocSensitivity(Part):
    """Sensitivity with at most so many false positives an image."""

    false_positives_per_image: float
    sensitivity: Estimate


class NetBenefit(Part):
    """One threshold of the decision curve: follow up every image whose surest candidate reaches it."""

    threshold: float
    net_benefit: Estimate = Field(description="Images; that of following up none is 0.")
    net_benefit_of_all: float = Field(description="Of following up every image.")


class _Counts(Scored):
    lesions: int
    found: int
    predicted: int = Field(description="Regions in the predicted masks.")
    false_positives: int
    images_without_lesion: int
    specks: int = Field(
        description="True lesions and false positives of fewer than 10 pixels, often crumbs of soft edges."
    )


class LesionScores(_with_scores(_Counts, SET_LESION_SCORES)):  # type: ignore[misc]
    """Lesion scores: connected components of truth and prediction, matched one to one."""

    size_bands: list[SizeBand]
    scored_by: Literal["probability", "hard masks"] = Field(
        description="hard masks: FROC is one operating point, there is no curve and no average precision."
    )
    froc: list[FrocPoint]
    froc_sensitivity: list[FrocSensitivity]
    decision_curve: list[NetBenefit] = Field(
        default_factory=list,
        description="Net benefit of images by threshold; empty where all images have a lesion, or none has.",
    )


class ClassScores(Part):
    """Scores of one foreground class."""

    index: int
    name: str
    color: tuple[int, int, int]
    pixels: PixelScores
    lesions: LesionScores


class PublishedMetric(Part):
    """A published metric, beside what an empty prediction would score."""

    name: str
    value: float
    empty_prediction: float | None


class PublishedMetrics(Part):
    """The published metrics, labelled as what they are."""

    computed_on: str
    figures: list[PublishedMetric]


class ReliabilityBin(Part):
    """One bin of the reliability curve."""

    low: float
    high: float
    pixels: int
    mean_probability: float | None
    foreground_share: float | None


class Reliability(Part):
    """Calibration over one set of pixels."""

    pixels: int
    expected_calibration_error: Estimate
    brier_score: Estimate
    brier_score_empty_prediction: float | None
    bins: list[ReliabilityBin]


class FittedCalibration(Part):
    """What was fitted on the validation split and is stored in the run (calibration.json)."""

    split: str
    images: int
    temperature: float
    threshold: float
    log_loss_before: float
    log_loss_after: float
    dice_pooled_at_half: float = Field(description="On that split, foreground against background.")
    dice_pooled_at_threshold: float
    postprocess: str | None = Field(
        default=None,
        description="What is done to the masks that are scored, by class; null: nothing was asked for.",
    )


class ProbabilityScores(Part):
    """Whether probabilities mean what they say."""

    all_pixels: Reliability
    pixels_in_play: Reliability = Field(description="Pixels with a foreground probability of 1 % or more.")
    fitted: FittedCalibration | None
    after_fit: Reliability | None = Field(description="Pixels in play, after temperature scaling.")
    dice_per_image_mean_at_fitted_threshold: Estimate | None


class _Subgroup(Scored):
    value: str
    images: int
    patients: int
    lesions: int


class Subgroup(_with_scores(_Subgroup, shown_in("headline"))):  # type: ignore[misc]
    """One value of a manifest column."""


class SubgroupColumn(Part):
    """Scores by the values of one column."""

    column: str
    groups: list[Subgroup]


class _Fold(Scored):
    unknown: ClassVar[Any] = None

    run: str
    images: int
    patients: int


class Fold(_with_scores(_Fold, shown_in("headline"), float | None)):  # type: ignore[misc]
    """One fold of a cross-validation."""


class ComparedScore(Part):
    """A score of two runs on the same images."""

    name: str
    first: float | None
    second: float | None
    difference: Estimate = Field(description="Second less first.")
    p_value: float | None = Field(description="Permutation test, patients swapped between the runs.")
    higher_is_better: bool


class Comparison(Part):
    """Two runs, compared on the images that both have scored."""

    first: str
    second: str
    images: int
    patients: int
    only_in_first: int
    only_in_second: int
    scores: list[ComparedScore]


class Answer(Part):
    """One sentence of the verdict."""

    question: str
    answer: Literal["yes", "no", "unsure", "unknown"]
    good: bool | None = Field(description="Whether the answer speaks for the model; null where unknown.")
    sentence: str

    @property
    def words(self) -> str:
        """The answer as pages and commands print it."""
        return {"unsure": "not sure", "unknown": "not known"}.get(self.answer, self.answer)


class Scores(Part):
    """The whole document."""

    schema_version: Literal["flexunet.scores/1"] = Field(default="flexunet.scores/1", alias="schema")
    flexunet: str
    created: str
    truth: str
    prediction: str
    split: str | None
    images: int
    drafts: int = Field(default=0, description="True masks that a model drew and no person has accepted.")
    patients: int
    patients_known: bool = Field(description="False: patients are unknown, sources stand for them.")
    rules: dict[str, Any]
    published: PublishedMetrics
    foreground: PixelScores
    lesions: LesionScores
    classes: list[ClassScores]
    confusion: list[list[int]] = Field(description="Pixels by true class (row) and predicted class (column).")
    probability: ProbabilityScores | None
    subgroups: list[SubgroupColumn]
    folds: list[Fold]
    comparison: Comparison | None = Field(description="With the last run or the one asked for.")
    readers: ReaderAgreement | None = Field(
        default=None, description="With --readers: the agreement of several readers beside the model's."
    )
    audit: dict[str, Any] | None
    environment: dict[str, Any]
    verdict: list[Answer]

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null", populate_by_name=True)


def estimate_of(part: Scores | ClassScores, score: SetScore) -> Estimate:
    """A score of the foreground, or of one class."""
    if score.kind is None:
        return part.lesions[score.key]
    return (part.foreground if isinstance(part, Scores) else part.pixels)[score.key]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scores.json."""
    schema = Scores.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def with_score_table(page: str) -> str:
    """docs/scores-schema.md with its table of scores made anew from the registry.

    Raises:
        ValueError: if the page has no place for it.
    """
    return with_tables(page, _START, _END, score_table())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_text(folder / "scores.schema.json", json.dumps(json_schema(), indent=2) + "\n")
    renew_page(folder / "scores-schema.md", with_score_table)
