"""What `flexunet plan-study --json` prints for each score."""

from __future__ import annotations

from pydantic import Field

from flexunet.evaluation.tables.part import Part


class StudyPlan(Part):
    """How many patients a score needs for an interval of a width."""

    score: str
    value: float | None = Field(default=None, description="In this run.")
    patients: int
    patients_with_units: int = Field(description="Patients who count in the score.")
    spread: float | None = Field(default=None, description="Standard deviation between patients.")
    width: float
    confidence: float
    needed: int | None = Field(default=None, description="Patients; null where not known or above a million.")
    needed_low: int | None = Field(default=None, description="At the lower end of the spread's interval.")
    needed_high: int | None = None
    images_per_patient: float | None = None
    widths: dict[str, float] = Field(default_factory=dict, description="Width by number of patients.")
    reason: str = Field(default="", description="Why nothing is known; empty where something is.")


class PairedPlan(Part):
    """What two methods on the same patients can show for one score."""

    score: str
    patients: int
    observed: float | None = Field(default=None, description="Second less first.")
    spread: float | None = Field(default=None, description="Of the difference, between patients.")
    detectable: float | None = Field(default=None, description="Smallest difference these patients show.")
    difference: float | None = Field(default=None, description="The difference that is planned for.")
    needed: int | None = None
    needed_low: int | None = None
    needed_high: int | None = None
    power: float
    confidence: float
    reason: str = ""
