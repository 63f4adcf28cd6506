"""What is measured of an image to watch for drift: one table, a row for each measure.

A measure is a number or a word. Those of the picture and of its header need no model; those of the prediction
say what the model made of it. Tables, charts, gauges and files loop over the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.names import film_of
from flexunet.data.dicom.read import DicomFacts
from flexunet.data.images.appearance import FIGURES, MEANINGS, figures_of
from flexunet.data.images.regions import find_regions
from flexunet.inference.predict.uncertainty import entropy

Value = float | str
Group = Literal["picture", "acquisition", "prediction"]


@dataclass(frozen=True)
class Measure:
    """One row of the table of measures.

    Attributes:
        name: In files and gauges.
        label: For people.
        group: Of the picture, of its acquisition, or of what the model predicts.
        numeric: Whether it is a number; else a word.
        meaning: What it is, in a sentence.
    """

    name: str
    label: str
    group: Group
    numeric: bool = True
    meaning: str = ""


def _named(text: str) -> str:
    return text.replace(" ", "_")


_PICTURE = tuple(Measure(_named(name), name, "picture", meaning=MEANINGS[name]) for name in FIGURES)
MEASURES = (
    Measure("longer_side", "longer side in pixels", "picture", meaning="Pixels of the file."),
    *_PICTURE,
    Measure(
        "pixel_spacing", "pixel spacing in mm", "acquisition",
        meaning="Mean of height and width of a pixel, by header or manifest.",
    ),
    Measure("manufacturer", "manufacturer", "acquisition", False, "By header or manifest."),
    Measure("machine", "machine", "acquisition", False, "Model of the machine, by header or manifest."),
    Measure("kind", "kind of image", "acquisition", False, "Low energy or subtracted, by manifest or name."),
    Measure("view", "view", "acquisition", False, "CC, MLO and so on, by header, manifest or name."),
    Measure("side", "side", "acquisition", False, "L or R, by header, manifest or name."),
    Measure("lesion", "images with a lesion", "prediction", False, "Whether the predicted mask marks any."),
    Measure("lesion_count", "lesions per image", "prediction", meaning="Regions of the predicted mask."),
    Measure(
        "lesion_area", "share of the picture that is lesion", "prediction",
        meaning="Foreground of the predicted mask over all pixels, of images that have any.",
    ),
    Measure(
        "confidence", "confidence in lesions", "prediction",
        meaning="Mean foreground probability over the predicted foreground, of images that have any.",
    ),
    Measure(
        "uncertainty", "uncertainty", "prediction",
        meaning="Mean entropy of the pixels, as a share of the greatest.",
    ),
)  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
Measured = dict[str, Value]


def measures_of_picture(image: np.ndarray) -> Measured:
    """Measures of a picture `(H, W, C)`, uint8, uint16 or float32 of 0..255."""
    height, width = image.shape[:2]
    figures = figures_of(image, width / height)
    told = {measure.name: float(value) for measure, value in zip(_PICTURE, figures, strict=True)}
    return {"longer_side": float(max(height, width)), **told}


def measures_of_acquisition(
    identity: Identity, facts: DicomFacts | None = None, spacing: tuple[float, float] | None = None
) -> Measured:
    """What header and manifest tell; a fact that neither tells is left out.

    Args:
        identity: With the row of the manifest.
        facts: What the DICOM header says, where the image is DICOM.
        spacing: Height and width of a pixel in mm, where known.
    """
    row = {column.casefold(): value for column, value in identity.row.items() if value}
    film = film_of(identity.source, identity.row)
    words = {
        "manufacturer": (facts and facts.Manufacturer) or row.get("manufacturer") or row.get("vendor"),
        "machine": (facts and facts.ManufacturerModelName) or row.get("manufacturer_model_name"),
        "kind": film["modality"],
        "view": (facts and facts.view) or film["view"],
        "side": (facts and facts.laterality) or film["side"],
    }
    told: Measured = {name: text.strip().upper() for name, text in words.items() if text and text.strip()}
    if spacing is not None:
        told["pixel_spacing"] = math.sqrt(spacing[0] * spacing[1])
    return told


def measures_of_prediction(mask: np.ndarray, probabilities: np.ndarray) -> Measured:
    """What a model made of an image.

    Args:
        mask: Class indices as written, uint8 `(H, W)`.
        probabilities: Float32 `(H, W, classes)`; one channel is that of the foreground.
    """
    foreground = mask > 0
    told: Measured = {
        "lesion": "yes" if foreground.any() else "no",
        "lesion_count": float(len(find_regions(foreground.view(np.uint8)))),
        "uncertainty": float(entropy(probabilities).mean()),
    }
    if foreground.any():
        of_foreground = probabilities[..., 0] if probabilities.shape[2] == 1 else 1 - probabilities[..., 0]
        told["lesion_area"] = float(foreground.mean())
        told["confidence"] = float(of_foreground[foreground].mean())
    return told


@dataclass(frozen=True)
class ImageMeasures:
    """The measures of one image.

    Attributes:
        name: The image.
        unit: The person it shows, or what else stands alone: images of one unit resemble each other.
        values: By the name of the measure; what is not known is not there.
    """

    name: str
    unit: str
    values: Measured
