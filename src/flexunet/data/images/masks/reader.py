"""How the masks of a data set are read: colours, threshold and tolerance, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import GUESSED, RGB_MAP, RGB_MAP_OPTION, Color, ColorMap
from flexunet.data.images.files.header import turned_alone
from flexunet.data.images.masks.colors import TOLERANCE, fit_colors
from flexunet.data.images.masks.picture import mask_picture
from flexunet.data.images.masks.read import read_mask
from flexunet.errors import ImageError, MaskError

_SAMPLE = 24  # masks of a data set that are looked at for a note or a guess


def sample_of(masks: Sequence[Path]) -> Sequence[Path]:
    """At most 24 mask files out of many, at equal distances."""
    return masks[:: max(1, len(masks) // _SAMPLE)][:_SAMPLE]


@dataclass(frozen=True)
class MaskReader:
    """How the masks of a data set are read: made once, from the configuration or the command line.

    Attributes:
        color_map: Colours of the classes; black and white by default.
        threshold: As in `read_mask` (`[mask] binarize`); None takes colours as they are.
        tolerance: As in `read_mask`.
        setting: Where the user gives the colours, for messages: the configuration key or the option, or
            `GUESSED`.
        grey_range: As in `read_mask`.
    """

    color_map: ColorMap = field(default_factory=ColorMap.binary)
    threshold: float | None = None
    tolerance: float = TOLERANCE
    setting: str = RGB_MAP
    grey_range: str = "full"

    @property
    def lenient(self) -> MaskReader:
        """The same, with any colour taken for the nearest of the map: to look at masks, not to score them."""
        return replace(self, tolerance=1.0)

    @property
    def flat(self) -> MaskReader:
        """How masks without layers are read, such as predicted ones."""
        return self

    def files(self, path: Path) -> list[Path]:
        """The files that a mask comes from."""
        return [path]

    def note_on(self, paths: Sequence[Path]) -> str:
        """A sentence on colours that stand for those of the map by their hue (`fit_colors`); "" if none do.

        Looks at a sample of the masks (`sample_of`).
        """
        if self.threshold is not None:
            return ""
        added: dict[Color, int] = {}
        for path in sample_of(paths):
            if path.suffix.lower() == ".npz":
                continue
            try:
                fitted = fit_colors(mask_picture(path), self.color_map)
            except ImageError:
                continue
            added |= fitted.colors_to_class.items() - self.color_map.colors_to_class.items()
        told = [
            f"{color} for {self.color_map.entry_by_hue(color)}, class {index}"
            for color, index in sorted(added.items(), key=lambda item: item[1])
        ]
        if not told:
            return ""
        place = RGB_MAP_OPTION if self.setting == GUESSED else self.setting
        return (
            f"masks hold colours that {self.setting} lacks; each is taken for the entry of its hue: "
            f"{'; '.join(told)}. Write the colours of the masks into {place} if that is not meant."
        )

    def read(self, path: Path | str) -> np.ndarray:
        """Class indices of a mask file, uint8 `(H, W)`.

        Raises:
            MaskError: if the file cannot be read or its colours or indices do not fit the map.
        """
        return read_mask(
            path,
            self.color_map,
            tolerance=self.tolerance,
            threshold=self.threshold,
            setting=self.setting,
            grey_range=self.grey_range,
        )

    def read_like(
        self, path: Path | str, shape: tuple[int, ...], other: Path | str, what: str = "image"
    ) -> np.ndarray:
        """Class indices of a mask that must have the size of something else.

        Args:
            path: The mask file.
            shape: Shape of what it belongs to, `(H, W)` or `(H, W, C)`.
            other: Name of what it belongs to, for the message.
            what: What that is.

        Raises:
            MaskError: if the mask cannot be read or has another size.
        """
        mask = self.read(path)
        if mask.shape != shape[:2]:
            raise MaskError(
                f"mask {path} has {mask.shape[1]} x {mask.shape[0]} pixels, its {what} {other} has "
                f"{shape[1]} x {shape[0]} (width x height). Make the mask again at the size of its {what}."
                f"{turned_alone(Path(other), Path(path))}"
            )
        return mask
