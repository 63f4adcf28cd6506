"""The forms of requests, checked by Pydantic before a route sees them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flexunet.review.readings.runs import Box

_MOST_SIDE = 1 << 20
Side = Annotated[int, Field(ge=1, le=_MOST_SIDE)]
Place = Annotated[int, Field(ge=0, le=_MOST_SIDE)]
Point = Annotated[tuple[Place, Place], Field(strict=False)]
VersionNumber = Annotated[int, Field(ge=0, le=1 << 31)]


class Form(BaseModel):
    """A form; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BoxForm(Form):
    """A rectangle in pixels of the full-size image."""

    x: Place
    y: Place
    width: Side
    height: Side

    @property
    def box(self) -> Box:
        """The rectangle."""
        return Box(self.x, self.y, self.width, self.height)


class StrokeForm(Form):
    """Labels that a tool left in a box."""

    base_version: VersionNumber
    box: BoxForm
    runs: list[int]
    tool: str = Field(default="brush", max_length=32)


class RestoreForm(Form):
    """A version to bring back."""

    version: VersionNumber
    base_version: VersionNumber


class VerdictForm(Form):
    """What a reader says of an image."""

    verdict: Literal["accept", "correct", "reject", "no_lesion", "unsure"]
    likert: Annotated[int, Field(ge=1, le=5)] | None = None
    comment: str = Field(default="", max_length=10_000)
    lesions: list[LesionForm] = Field(default=[], max_length=10_000)
    seconds: float = Field(default=0, ge=0, le=1e7, strict=False)
    base_version: VersionNumber


class LesionForm(Form):
    """What a reader says of one lesion."""

    component: str | int
    verdict: str = Field(max_length=32)
    comment: str = Field(default="", max_length=10_000)


class WireForm(Form):
    """Two points to join."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    start: Point = Field(alias="from")
    to: Point


class GrowForm(Form):
    """A click, and the box in which its region may lie."""

    x: Place
    y: Place
    box: BoxForm
    tolerance: float | None = Field(default=None, ge=0, le=1, strict=False)


class SmoothForm(Form):
    """A class to round."""

    box: BoxForm
    label: int
    radius: float = Field(gt=0, le=64, strict=False)


class LabelForm(Form):
    """A class."""

    label: int


class PredictForm(Form):
    """A part of an image."""

    box: BoxForm


class ExportForm(Form):
    """What is to leave the desk."""

    target: Literal["dataset", "coco", "seg", "csv"]


class LoginForm(Form):
    """Who signs in."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=1000)


class AccountForm(Form):
    """An account."""

    name: str = Field(max_length=64)
    role: Literal["reader", "reviewer", "admin"]
    password: str = Field(max_length=1000)


Preferences = dict[Annotated[str, Field(max_length=64)], Any]
