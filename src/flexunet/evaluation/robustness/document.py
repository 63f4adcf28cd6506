"""The form of robustness.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.tables.part import Part

Answered = Literal["loss", "uneven", "none shown", "not known"]


class Point(Part):
    """The scores of the test images at one strength of a corruption."""

    strength: float
    scores: dict[str, Estimate] = Field(description="By the key of the score.")
    differences: dict[str, Estimate] = Field(
        description="Less the score of the images as they are; the same patients are drawn for both."
    )


class FallOff(Part):
    """Where a score falls off."""

    answer: Answered
    strength: float | None = Field(
        description="From which on there is a loss; of an uneven one the weakest; null where none is shown."
    )
    loss_at_most: float | None = Field(
        description="Loss at the greatest strength by the lower end of its interval; null where unknown."
    )


class Curve(Part):
    """The scores against the strength of one corruption."""

    name: str
    label: str
    unit: str
    moves: bool = Field(description="Whether the mask is moved with the image.")
    meaning: str
    points: list[Point]
    falls_off: dict[str, FallOff]


class Sides(Part):
    """What exchanging left and right does."""

    normalised: bool | None = Field(
        description="Whether `derive` brought all breasts to one side; null: not known."
    )
    reason: str = Field(description="By what that is known, or why not.")
    images: int
    restored: int | None = Field(
        description="Flipped images that `derive` would mirror back to the same picture; null where sides "
        "were not normalised."
    )
    answer: str
    scores: dict[str, Estimate] = Field(description="Of the images flipped left to right.")
    differences: dict[str, Estimate]


class Agreement(Part):
    """How one measurement of the films of pairs agrees between both."""

    present_in_both: int
    present_in_one: int
    present_in_none: int
    same_presence: Estimate = Field(description="Share of pairs of which both have a lesion, or neither.")
    kappa: Estimate = Field(description="Cohen's kappa of presence; null where it does not exist.")
    bias: Estimate = Field(description="Mean difference of the area, second less first.")
    lower_limit: Estimate = Field(description="Bland-Altman limit of agreement: bias less 1.96 deviations.")
    upper_limit: Estimate
    concordance: Estimate = Field(description="Lin's concordance correlation coefficient of the area.")


class Retest(Part):
    """Pairs of films of one breast."""

    name: str
    first: str
    second: str
    pairs: int
    patients: int
    area_unit: str
    answer: str
    prediction: Agreement | None = Field(description="Of the predicted masks; null: not known.")
    truth: Agreement | None = Field(
        description="The same of the true masks: what a perfect model would have."
    )
    areas: list[tuple[float, float]] = Field(description="Predicted area in both films of each pair.")


class Robustness(Part):
    """The whole document."""

    schema_version: Literal["flexunet.robustness/1"] = Field(default="flexunet.robustness/1", alias="schema")
    flexunet: str
    created: str
    runs: list[str]
    split: str
    images: int
    patients: int
    patients_known: bool
    rules: dict[str, Any]
    margin: float = Field(description="A smaller loss does not count as a fall-off.")
    scores: dict[str, Estimate] = Field(description="Of the images as they are.")
    curves: list[Curve]
    sides: Sides
    retest: list[Retest]

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null", populate_by_name=True)
