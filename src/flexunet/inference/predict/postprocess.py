"""What is done to a predicted mask by what helped on the validation split: holes filled, specks removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexunet.data.images.regions import drop_small, fill_holes


@dataclass(frozen=True)
class ClassPostprocess:
    """What was chosen for one foreground class, and what it does to Dice on the validation split.

    Attributes:
        label: Class index.
        fill_holes: Whether background that the class encloses becomes the class.
        min_pixels: Smaller regions of the class become background; 0: none.
        dice_before: Mean Dice of the class over the images that have it in truth or prediction, without
            post-processing; None where no image has it.
        dice_after: The same with what was chosen.
    """

    label: int
    fill_holes: bool = False
    min_pixels: int = 0
    dice_before: float | None = None
    dice_after: float | None = None

    @property
    def in_words(self) -> str:
        """What is done, such as `holes filled, regions below 40 pixels removed`."""
        done = ["holes filled"] if self.fill_holes else []
        done += [f"regions below {self.min_pixels} pixels removed"] if self.min_pixels else []
        if not done:
            return "nothing, as no gain was sure"
        return f"{', '.join(done)} (Dice {self.dice_before:.4f} to {self.dice_after:.4f})"


@dataclass(frozen=True)
class Postprocess:
    """Holes that are filled and regions that are removed, class by class.

    Attributes:
        threshold: Threshold of the masks that it was fitted for; None: those of the most probable class.
        classes: One entry per foreground class.
    """

    threshold: float | None
    classes: tuple[ClassPostprocess, ...]

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The mask after it, uint8 `(H, W)`: holes first, then small regions; a copy where it changed."""
        filled = {row.label for row in self.classes if row.fill_holes}
        least = {row.label: row.min_pixels for row in self.classes if row.min_pixels}
        if filled:
            mask = fill_holes(mask, classes=filled)
        return drop_small(mask, least) if least else mask

    @property
    def in_words(self) -> str:
        """What is done to each class, in a sentence without a full stop."""
        return "; ".join(f"class {row.label}: {row.in_words}" for row in self.classes)

    @classmethod
    def from_document(cls, values: Mapping[str, Any]) -> Postprocess:
        """What `dataclasses.asdict` and JSON made of it.

        Raises:
            TypeError, KeyError, ValueError: if that is something else.
        """
        classes = tuple(ClassPostprocess(**row) for row in values["classes"])
        if any(row.label < 1 or row.min_pixels < 0 for row in classes):
            raise ValueError("classes count from 1, and sizes from 0")
        return cls(values["threshold"], classes)


def joint_postprocess(parts: Sequence[Postprocess], threshold: float | None) -> Postprocess:
    """That of several runs together: holes where most fill them, and the median of the least sizes.

    Args:
        parts: Those of the runs, of the same classes.
        threshold: Threshold of the masks that it is used for.
    """
    by_class = zip(*(part.classes for part in parts), strict=True)
    return Postprocess(
        threshold,
        tuple(
            ClassPostprocess(
                rows[0].label,
                sum(row.fill_holes for row in rows) * 2 > len(rows),
                int(np.median([row.min_pixels for row in rows])),
            )
            for rows in by_class
        ),
    )
