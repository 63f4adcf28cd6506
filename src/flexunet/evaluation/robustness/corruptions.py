"""What test images are put through: one table, a row for each corruption, each at three strengths.

A row has a name, a unit, its strengths from weak to strong, and the change that it makes of an image and its
mask. Curves, tables and files loop over the rows; a new corruption is a row here. Where a corruption has a
direction (which way an image turns), it is drawn for each image from its name, so that it is always the same.

Source of the idea: Hendrycks, D. and Dietterich, T. (2019), Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations, ICLR; for segmentation Boone, L. et al. (2023), ROOD-MRI, NeuroImage 278,
120289. The strengths are chosen for mammograms, the weakest to be hardly seen, the strongest plainly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from flexunet.data.augment.grey_changes import Grey
from flexunet.data.augment.warps import Affine, Change, rotation
from flexunet.data.images.pixels import to_model_range

_WHITE8, _WHITE16 = 255, 65535
Draw = np.random.Generator
Shape = tuple[int, int]


@dataclass(frozen=True)
class Corruption:
    """One row of the table of corruptions.

    Attributes:
        name: In files.
        label: For people.
        unit: Of the strengths.
        strengths: Three, from weak to strong.
        moves: Whether the mask is moved with the image; else it stays as it is.
        change: From a strength, the height and width of an image and a generator of its own to the change.
        meaning: What is done, in a sentence.
    """

    name: str
    label: str
    unit: str
    strengths: tuple[float, float, float]
    moves: bool
    change: Callable[[float, Shape, Draw], Change]
    meaning: str

    def of_image(self, strength: float, shape: Shape, image_name: str) -> Change:
        """The change of one image: what is drawn depends on the names of image and corruption alone."""
        digest = hashlib.sha256(f"{self.name}/{image_name}".encode()).digest()
        return self.change(strength, shape, np.random.default_rng(int.from_bytes(digest[:8], "little")))


@dataclass(frozen=True)
class GreyValues:
    """A change of grey values, of float32 from 0 to 255, on images as they are stored; the mask stays."""

    function: Callable[[np.ndarray], np.ndarray]

    def image(self, image: np.ndarray) -> np.ndarray:
        """The image, changed and stored again in its own type."""
        changed = self.function(to_model_range(image)).reshape(image.shape)
        return as_stored(changed, image.dtype)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask as it is."""
        return mask.copy()


@dataclass(frozen=True)
class CutSides:
    """A share of each side cut off; the picture is smaller afterwards, and so is its mask."""

    share: float

    def image(self, image: np.ndarray) -> np.ndarray:
        """The part that is left."""
        height, width = image.shape[:2]
        down, across = (min(round(side * self.share), (side - 1) // 2) for side in (height, width))
        return image[down : height - down, across : width - across].copy()

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask of that part."""
        return self.image(mask)


def as_stored(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Grey levels from 0 to 255 as an image of a type: uint8, uint16 or float32."""
    limited = np.clip(image, 0, _WHITE8)
    if dtype.kind == "f":
        return limited.astype(dtype)
    return np.rint(limited * (_WHITE16 / _WHITE8) if dtype == np.uint16 else limited).astype(dtype)


def _drawn(name: str) -> Callable[[float, Shape, Draw], Change]:
    """One of the grey changes that training may draw too, at a given value."""

    def change(value: float, shape: Shape, draw: Draw) -> Change:
        return GreyValues(Grey([(name, value)], int(draw.integers(2**31))).image)

    return change


def _blurred(percent: float, shape: Shape, draw: Draw) -> Change:
    return _drawn("blur")(percent / 100 * max(shape), shape, draw)


def _coarsened(share: float, shape: Shape, draw: Draw) -> Change:
    height, width = shape
    small = max(1, round(width * share)), max(1, round(height * share))

    def coarsen(image: np.ndarray) -> np.ndarray:
        fewer = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(fewer, (width, height), interpolation=cv2.INTER_LINEAR)

    return GreyValues(coarsen)


def _narrowed(share: float, shape: Shape, draw: Draw) -> Change:
    """A window of `share` of the range that the image uses, around its middle."""

    def narrow(image: np.ndarray) -> np.ndarray:
        low, high = float(image.min()), float(image.max())
        start, width = low + (high - low) * (1 - share) / 2, max((high - low) * share, 1.0)
        return (image - np.float32(start)) * np.float32(_WHITE8 / width)

    return GreyValues(narrow)


def _levelled(percent: float, shape: Shape, draw: Draw) -> Change:
    """A window of the same width whose middle is moved up or down by a share of the range."""
    sign = 1 if draw.random() < 0.5 else -1

    def level(image: np.ndarray) -> np.ndarray:
        return image + np.float32(sign * percent / 100 * float(np.ptp(image)))

    return GreyValues(level)


def _compressed(quality: float, shape: Shape, draw: Draw) -> Change:
    def compress(image: np.ndarray) -> np.ndarray:
        stored = np.rint(image).astype(np.uint8)
        _, encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        read = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        return np.asarray(read, np.float32)

    return GreyValues(_by_three(compress))


def _by_three(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of images of one or three channels, on images of any number."""

    def change(image: np.ndarray) -> np.ndarray:
        if image.ndim == 2 or image.shape[2] in (1, 3):
            return function(image)
        planes = (function(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, 2, 0))
        return np.stack(list(planes), axis=2)

    return change


def _turned(degrees: float, shape: Shape, draw: Draw) -> Change:
    return rotation(shape[1], shape[0], degrees if draw.random() < 0.5 else -degrees, black=True)


def _shifted(percent: float, shape: Shape, draw: Draw) -> Change:
    angle, reach = draw.uniform(0, 2 * np.pi), percent / 100 * max(shape)
    down, across = round(reach * np.sin(angle)), round(reach * np.cos(angle))
    return Affine(np.array([[1, 0, across], [0, 1, down]], np.float64), black=True)


_GREY = "The mask stays as it is."
_MOVED = "The mask moves with the image."

CORRUPTIONS = (
    Corruption(
        "noise", "noise", "standard deviations of the image", (0.1, 0.2, 0.4), False, _drawn("noise"),
        f"Gaussian noise is added, the same in all channels. {_GREY}",
    ),
    Corruption(
        "blur", "blur", "% of the longer side", (0.2, 0.4, 0.8), False, _blurred,
        f"The image is convolved with a Gaussian of this standard deviation. {_GREY}",
    ),
    Corruption(
        "low_resolution", "lower resolution", "of a side's pixels", (0.5, 0.25, 0.125), False, _coarsened,
        f"The image is shrunk by area and enlarged again. {_GREY}",
    ),
    Corruption(
        "jpeg", "JPEG compression", "quality", (50, 25, 10), False, _compressed,
        f"The image is written as JPEG (8 bits) and read again. {_GREY}",
    ),
    Corruption(
        "gamma_darker", "gamma, darker", "exponent", (1.2, 1.5, 2.0), False, _drawn("gamma"),
        f"Grey values from 0 to 1 are raised to this power. {_GREY}",
    ),
    Corruption(
        "gamma_brighter", "gamma, brighter", "exponent", (0.83, 0.67, 0.5), False, _drawn("gamma"),
        f"Grey values from 0 to 1 are raised to this power. {_GREY}",
    ),
    Corruption(
        "contrast_lower", "lower contrast", "of the contrast", (0.8, 0.6, 0.4), False, _drawn("contrast"),
        f"Distances from the mean grey value are multiplied. {_GREY}",
    ),
    Corruption(
        "contrast_higher", "higher contrast", "of the contrast", (1.25, 1.6, 2.5), False, _drawn("contrast"),
        f"Distances from the mean grey value are multiplied, within the range of the image. {_GREY}",
    ),
    Corruption(
        "window_narrower", "narrower window", "of the range", (0.9, 0.75, 0.5), False, _narrowed,
        f"The middle part of the range becomes black to white; beyond it grey values are cut off. {_GREY}",
    ),
    Corruption(
        "window_level", "window moved", "% of the range", (5, 10, 20), False, _levelled,
        f"The window moves up or down, drawn by image; beyond it grey values are cut off. {_GREY}",
    ),
    Corruption(
        "rotation", "rotation", "degrees", (2, 5, 10), True, _turned,
        f"The image turns about its middle, either way, drawn by image; corners are black. {_MOVED}",
    ),
    Corruption(
        "shift", "shift", "% of the longer side", (2, 5, 10), True, _shifted,
        f"The image moves in a direction drawn by image; what it uncovers is black. {_MOVED}",
    ),
    Corruption(
        "cropped_sides", "cropped sides", "% of each side", (5, 10, 20), True,
        lambda percent, shape, draw: CutSides(percent / 100),
        f"A strip is cut off at each of the four sides, and what lies in it is gone from the truth. {_MOVED}",
    ),
)  # fmt: skip
