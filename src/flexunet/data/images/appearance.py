"""What the images of a training set look like, by a few figures each, and which pictures are unlike them.

    appearance = Appearance.of_training(images, size)      # in training
    appearance.write(path); appearance = Appearance.read(path)
    appearance.differences(image)                                   # ["colour"], or [] where it is like them

Each figure of a picture is compared with the median of the training images, in units of their spread (1.4826
times the median absolute deviation, at least a stated smallest spread). A picture is unlike where its
farthest figure lies beyond the limit, which is 1.5 times what 95 % of the training images themselves stay
under, at least 5 and at most 8. It tells photographs from mammograms, not good mammograms from bad ones.

Source: Leys, C. et al. (2013), Detecting outliers: Do not use standard deviation around the mean, use
absolute deviation around the median, Journal of Experimental Social Psychology 49(4), 764-766.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from flexunet.data.images.grey_range import apply_range
from flexunet.data.images.pixels import resize_image, to_model_range
from flexunet.files import write_text

NEARLY_CONSTANT = "nearly constant"
FEWEST = 8  # training images; of fewer, nothing is said
_CONSTANT = 2.0  # standard deviation, in grey levels of 256
_SIDE = 128
_DARK = 16
_LEAST_LIMIT, _MOST_LIMIT, _LIMIT_FACTOR = 5.0, 8.0, 1.5
# Smallest spread that a figure is taken to have: a set of equal images would else be unlike everything.
_FIGURES = {
    "proportions": 0.1,
    "grey level of the darkest parts": 5.0,
    "grey level of the darker half": 8.0,
    "grey level of the brighter half": 8.0,
    "grey level of the brightest parts": 8.0,
    "share of dark background": 0.05,
    "brightness left against right": 8.0,
    "brightness top against bottom": 8.0,
    "fine detail": 1.0,
    "strength of edges": 4.0,
    "colour": 2.0,
}

FIGURES = tuple(_FIGURES)
"""What `figures_of` measures, in order."""
MEANINGS = {
    "proportions": "Width over height as a power of 2: 0 is square, -1 half as wide as high.",
    "grey level of the darkest parts": "Below it lie 5 % of the grey levels, which go from 0 to 255.",
    "grey level of the darker half": "Below it lie 25 % of the grey levels.",
    "grey level of the brighter half": "Below it lie 75 % of the grey levels.",
    "grey level of the brightest parts": "Below it lie 95 % of the grey levels.",
    "share of dark background": f"Share of the picture with a grey level below {_DARK}.",
    "brightness left against right": "Difference between the mean grey levels of both halves.",
    "brightness top against bottom": "Difference between the mean grey levels of both halves.",
    "fine detail": f"Mean step in grey level between neighbours of {_SIDE} x {_SIDE} pixels.",
    "strength of edges": "Below it lie 95 % of these steps.",
    "colour": "Mean difference between the colour channels: 0 is grey.",
}
"""What each is, in a sentence."""


def is_nearly_constant(image: np.ndarray) -> bool:
    """Whether a picture shows nothing: its grey levels hardly differ (8 or 16 bit, any shape).

    Of 16-bit pictures, in the range of the bits that they use.
    """
    return float(to_model_range(apply_range(image, "auto")).std(dtype=np.float64)) < _CONSTANT


def figures_of(image: np.ndarray, aspect: float) -> np.ndarray:
    """The figures of a picture, in the order of the table above.

    Args:
        image: `(H, W, 1 or 3)`, uint8, uint16 or float32 of 0..255.
        aspect: Width by height of the picture as it is in its file.
    """
    small = cv2.resize(to_model_range(image), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = small.reshape(_SIDE, _SIDE, -1)
    grey = small.mean(axis=2)
    darkest, darker, brighter, brightest = np.percentile(grey, [5, 25, 75, 95])
    steps = np.hypot(*(step[:-1, :-1] for step in np.gradient(grey)))
    half = _SIDE // 2
    return np.array(
        [
            np.log2(aspect),
            darkest,
            darker,
            brighter,
            brightest,
            (grey < _DARK).mean(),
            abs(grey[:, :half].mean() - grey[:, half:].mean()),
            abs(grey[:half].mean() - grey[half:].mean()),
            steps.mean(),
            np.percentile(steps, 95),
            np.ptp(small, axis=2).mean(),
        ]
    )


@dataclass(frozen=True)
class Appearance:
    """The figures of a training set.

    Attributes:
        images: How many were looked at.
        width: Width that pictures are brought to first, as in training; 0: none, their own.
        height: Likewise.
        medians: Of each figure.
        spreads: Of each figure.
        limit: Spreads from the median beyond which a picture is unlike.
    """

    images: int
    width: int
    height: int
    medians: tuple[float, ...]
    spreads: tuple[float, ...]
    limit: float

    @classmethod
    def of_training(
        cls, images: Iterable[tuple[np.ndarray, float]], size: tuple[int, int] = (0, 0)
    ) -> Appearance | None:
        """The figures of images, each with its aspect; None of fewer than eight.

        Args:
            images: As `figures_of` takes them.
            size: Width and height that they have been brought to.
        """
        figures = [figures_of(image, aspect) for image, aspect in images]
        if len(figures) < FEWEST:
            return None
        table = np.stack(figures)
        medians = np.median(table, axis=0)
        spreads = np.maximum(1.4826 * np.median(np.abs(table - medians), axis=0), list(_FIGURES.values()))
        farthest = (np.abs(table - medians) / spreads).max(axis=1)
        limit = float(np.clip(_LIMIT_FACTOR * np.percentile(farthest, 95), _LEAST_LIMIT, _MOST_LIMIT))
        return cls(len(table), *size, tuple(medians.tolist()), tuple(spreads.tolist()), limit)

    def distances(self, image: np.ndarray) -> np.ndarray:
        """How far each figure of a picture lies from the median, in spreads."""
        height, width = image.shape[:2]
        pixels = to_model_range(image)
        if self.width:
            pixels = resize_image(pixels, self.width, self.height)
        figures = figures_of(pixels.reshape(*pixels.shape[:2], -1), width / height)
        return np.abs(figures - np.array(self.medians)) / np.array(self.spreads)

    def differences(self, image: np.ndarray) -> list[str]:
        """In what a picture `(H, W, 1 or 3)` is unlike the training images, worst first."""
        far = self.distances(image)
        names = list(_FIGURES)
        return [names[place] for place in np.argsort(-far) if far[place] > self.limit]

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        told = asdict(self) | {"figures": list(_FIGURES)}
        write_text(path, json.dumps(told, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Appearance | None:
        """Read them; None where there are none, or ones of another version."""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told.pop("figures") != list(_FIGURES):
                return None
            told["medians"], told["spreads"] = tuple(told["medians"]), tuple(told["spreads"])
            return cls(**told)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def unlike_training(image: np.ndarray, appearance: Appearance | None, seen: np.ndarray | None = None) -> str:
    """What tables say of a picture: "nearly constant", in what it is unlike the training images, or "".

    Args:
        image: The picture.
        appearance: What the training images look like, as the model saw them.
        seen: The picture as the model sees it, where that is another.
    """
    if is_nearly_constant(image):
        return NEARLY_CONSTANT
    return "; ".join(appearance.differences(image if seen is None else seen)) if appearance else ""
