"""The form of scores.json. Its JSON Schema in docs/ is made from these classes; a test keeps them equal.

python -m flexunet.evaluation.tables.document > docs/scores.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the document; it has the keys below and no others."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Figure(Part):
    """A figure with its interval."""

    value: float | None = Field(description="The figure; null where it does not exist.")
    low: float | None = Field(description="Lower end of the interval; null with fewer than two patients.")
    high: float | None = Field(description="Upper end of the interval.")
    images: int = Field(description="Number of images (lesions, for scores by lesion) that entered.")


class PixelFigures(Part):
    """Pixel and boundary scores of one class or over the foreground classes."""

    dice_per_image_mean: Figure
    dice_per_image_median: Figure
    dice_pooled: Figure
    iou_per_image_mean: Figure
    iou_per_image_median: Figure
    iou_pooled: Figure
    precision_per_image_mean: Figure
    precision_pooled: Figure
    recall_per_image_mean: Figure
    recall_pooled: Figure
    boundary_dice_per_image_mean: Figure
    hausdorff_95_px_mean: Figure
    hausdorff_95_px_median: Figure
    average_surface_distance_px_mean: Figure
    hausdorff_95_mm_mean: Figure
    average_surface_distance_mm_mean: Figure
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
    sensitivity: Figure
    dice_per_lesion_mean: Figure


class FrocPoint(Part):
    """One threshold of the FROC curve."""

    threshold: float
    false_positives_per_image: float
    sensitivity: float


class FrocSensitivity(Part):
    """Sensitivity with at most so many false positives an image."""

    false_positives_per_image: float
    sensitivity: Figure


class LesionFigures(Part):
    """Lesion scores: connected components of truth and prediction, matched one to one."""

    lesions: int
    found: int
    predicted: int = Field(description="Regions in the predicted masks.")
    false_positives: int
    images_without_lesion: int
    specks: int = Field(
        description="True lesions of fewer than 10 pixels, often crumbs of antialiased edges."
    )
    sensitivity: Figure = Field(description="Found lesions over lesions, predicted masks as they are.")
    false_positives_per_image: Figure = Field(description="Over all images, those without lesions included.")
    false_positives_per_image_without_lesion: Figure
    lesion_precision: Figure = Field(description="Predicted regions that match a lesion over all of them.")
    dice_per_lesion_mean: Figure = Field(
        description="Dice with the matched region; a missed lesion counts 0."
    )
    dice_per_found_lesion_mean: Figure
    size_bands: list[SizeBand]
    scored_by: Literal["probability", "hard masks"] = Field(
        description="hard masks: FROC is one operating point, there is no curve and no average precision."
    )
    froc: list[FrocPoint]
    froc_sensitivity: list[FrocSensitivity]
    froc_mean_sensitivity: Figure = Field(description="Mean over the seven rates.")
    average_precision: Figure


class ClassFigures(Part):
    """Scores of one foreground class."""

    index: int
    name: str
    color: tuple[int, int, int]
    pixels: PixelFigures
    lesions: LesionFigures


class PublishedFigure(Part):
    """A published figure, beside what an empty prediction would score."""

    name: str
    value: float
    empty_prediction: float | None


class PublishedFigures(Part):
    """The published figures, labelled as what they are."""

    computed_on: str
    figures: list[PublishedFigure]


class CalibrationBin(Part):
    """One bin of the calibration curve."""

    low: float
    high: float
    pixels: int
    mean_probability: float | None
    foreground_share: float | None


class PixelCalibration(Part):
    """Calibration over one set of pixels."""

    pixels: int
    expected_calibration_error: Figure
    brier_score: Figure
    brier_score_empty_prediction: float | None
    bins: list[CalibrationBin]


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


class ProbabilityFigures(Part):
    """Whether probabilities mean what they say."""

    all_pixels: PixelCalibration
    pixels_in_play: PixelCalibration = Field(
        description="Pixels with a foreground probability of 1 % or more."
    )
    fitted: FittedCalibration | None
    after_fit: PixelCalibration | None = Field(description="Pixels in play, after temperature scaling.")
    dice_per_image_mean_at_fitted_threshold: Figure | None


class Subgroup(Part):
    """One value of a manifest column."""

    value: str
    images: int
    patients: int
    lesions: int
    dice_per_image_mean: Figure
    sensitivity: Figure
    false_positives_per_image: Figure


class SubgroupColumn(Part):
    """Scores by the values of one column."""

    column: str
    groups: list[Subgroup]


class Fold(Part):
    """One fold of a cross-validation."""

    run: str
    images: int
    patients: int
    dice_per_image_mean: float | None
    sensitivity: float | None
    false_positives_per_image: float | None


class ComparedScore(Part):
    """A score of two runs on the same images."""

    name: str
    first: float | None
    second: float | None
    difference: Figure = Field(description="Second less first.")
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


class Scores(Part):
    """The whole document."""

    schema_version: Literal["flexunet.scores/1"] = Field(default="flexunet.scores/1", alias="schema")
    flexunet: str
    created: str
    truth: str
    prediction: str
    split: str | None
    images: int
    patients: int
    patients_known: bool = Field(description="False: patients are unknown, sources stand for them.")
    rules: dict[str, Any]
    published: PublishedFigures
    foreground: PixelFigures
    lesions: LesionFigures
    classes: list[ClassFigures]
    confusion: list[list[int]] = Field(description="Pixels by true class (row) and predicted class (column).")
    probability: ProbabilityFigures | None
    subgroups: list[SubgroupColumn]
    folds: list[Fold]
    comparison: Comparison | None = Field(description="With the last run or the one asked for.")
    audit: dict[str, Any] | None
    environment: dict[str, Any]
    verdict: list[Answer]

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null", populate_by_name=True)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scores.json."""
    schema = Scores.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
