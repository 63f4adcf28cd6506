"""Routes of the tools that compute: they answer what a stroke would be, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter

from flexunet.errors import ShapeError
from flexunet.review.readings.errors import NoModelError
from flexunet.review.readings.runs import Box, changed_box, encode_runs
from flexunet.review.tools.edges import grow, live_wire
from flexunet.review.tools.shapes import components, filled, smooth
from flexunet.review.web.dependencies import Asked, OnItem
from flexunet.review.web.requests import GrowForm, LabelForm, PredictForm, SmoothForm, WireForm

router = APIRouter(prefix="/api/items/{number}")


@router.post("/live-wire", summary="A line along edges from one point to another")
def wire(asked: OnItem, form: WireForm) -> dict[str, Any]:
    """Its points."""
    return {"points": live_wire(_plane(asked), form.start, form.to)}


@router.post("/grow", summary="The region around a click, within a box")
def grown(asked: OnItem, form: GrowForm) -> dict[str, Any]:
    """Labels 0 and 1."""
    region = grow(_plane(asked), (form.x, form.y), form.box.box, form.tolerance)
    return _part(region.astype(np.uint8), form.box.box)


@router.post("/smooth", summary="Round the outline of a class within a box")
def smoothed(asked: OnItem, form: SmoothForm) -> dict[str, Any]:
    """Labels of the box."""
    labels = asked.desk.masks.newest(asked.where).labels
    return _part(smooth(labels, form.box.box, _class(asked, form.label), form.radius), form.box.box)


@router.post("/fill-holes", summary="Fill what a class encloses")
def without_holes(asked: OnItem, form: LabelForm) -> dict[str, Any]:
    """Labels of the box that changes; the box is null where nothing does."""
    labels = asked.desk.masks.newest(asked.where).labels
    after = filled(labels, _class(asked, form.label))
    box = changed_box(labels, after)
    return {"box": None, "runs": []} if box is None else _part(after[box.slices], box)


@router.post("/predict", summary="What the run's model says of a box")
def predicted(asked: OnItem, form: PredictForm) -> dict[str, Any]:
    """Labels of the box, and the part that the model was shown."""
    model = asked.desk.model
    if model is None:
        raise NoModelError("the desk was opened without a run: start it with --run RUN.")
    if asked.desk.hides_draft(asked.item, asked.reader):
        raise NoModelError("the model answers after your own decision (blind mode).")
    labels, seen = model.predict(Path(asked.item.image), form.box.box)
    return {**_part(labels, form.box.box), "seen": _told(seen)}


@router.get("/components", summary="The lesions of the mask")
def lesions(asked: OnItem) -> list[dict[str, Any]]:
    """Number, class, box, area and centre of each."""
    return components(asked.desk.masks.newest(asked.where).labels)


def _plane(asked: Asked) -> np.ndarray:
    return asked.desk.images.picture(asked.item).level(0)


def _class(asked: Asked, label: int) -> int:
    known = [each["index"] for each in asked.desk.classes[1:]]
    if label not in known:
        raise ShapeError(f"expected one of the labels {', '.join(map(str, known))}, found {label}.")
    return label


def _told(box: Box) -> dict[str, int]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def _part(labels: np.ndarray, box: Box) -> dict[str, Any]:
    return {"box": _told(box), "runs": encode_runs(labels)}
