"""The slices of a volume as images.

Which axis of a volume is a slice's height, its width, and the depth that slices follow, says
`[infer3d] slice_shape_order`; how a slice is turned before the model sees it, `slice_rotation`. Axes are
counted as the published system counts them: of MetaImage files the slowest first, of all others the fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.volumes.header import METAIMAGE_SUFFIXES

if TYPE_CHECKING:
    from flexunet.config.run_sections import Infer3dSection

_QUARTERS = {
    None: 0,
    "cv2.ROTATE_90_CLOCKWISE": 1,
    "cv2.ROTATE_180": 2,
    "cv2.ROTATE_90_COUNTERCLOCKWISE": 3,
}


@dataclass(frozen=True)
class SliceAxes:
    """How slices lie in a volume.

    Attributes:
        order: Axes of the volume that are depth, height and width of its slices.
        quarters: Quarter turns of each slice, clockwise.
    """

    order: tuple[int, int, int]
    quarters: int

    @classmethod
    def configured(cls, section: Infer3dSection, path: Path) -> SliceAxes:
        """The axes that `[infer3d]` says, of a volume in a file."""
        names: str = section.slice_shape_order
        if path.suffix.lower() in METAIMAGE_SUFFIXES:
            names = names[::-1]
        return cls((names.index("d"), names.index("h"), names.index("w")), _QUARTERS[section.slice_rotation])

    @property
    def depth(self) -> int:
        """The axis that slices follow."""
        return self.order[0]

    def slices_of(self, voxels: np.ndarray) -> np.ndarray:
        """All slices, turned: a view `(slices, height, width)` of a volume `(X, Y, Z)`.

        What is written to a slice is written to the volume, turned back.
        """
        return np.rot90(voxels.transpose(self.order), -self.quarters, axes=(1, 2))


def grey_levels(values: np.ndarray, normalize: bool) -> np.ndarray:
    """A slice as the model takes it: float32 0 to 255, what is no number black.

    Args:
        values: Voxels `(H, W)`.
        normalize: Whether the least value becomes 0 and the greatest 255; a slice of one value becomes 0.
            Otherwise values are cut to 0..255.
    """
    levels = np.asarray(values, np.float32)
    known = np.isfinite(levels)
    if not known.any():
        return np.zeros(levels.shape, np.float32)
    if normalize:
        low, high = (
            float(levels.min(where=known, initial=np.inf)),
            float(levels.max(where=known, initial=-np.inf)),
        )
        levels = (levels - low) * (255 / (high - low) if high > low else 0)
    return np.clip(np.where(known, levels, 0), 0, 255).astype(np.float32)
