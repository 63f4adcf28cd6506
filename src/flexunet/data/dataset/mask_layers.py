"""Masks in several folders, painted over each other: tissue in one, lesions in another, one mask in memory.

    dataset/train/masks/a.png            tissue
    dataset/train/masks_lesions/a.png    lesions, of the same film: `[mask] layers` says so

A film may lack a layer: it has none of its classes then. A film may lack its mask and have a layer: what the
layer does not paint is ignored (`[mask] ignore`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import IGNORED, Color, ColorMap
from flexunet.data.images.files.names import MASK_SUFFIXES
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import MaskError

_BLACK = (0, 0, 0)  # paints nothing, unless a layer gives that to another colour


@dataclass(frozen=True)
class MaskLayer:
    """A folder of masks that lie over others.

    Attributes:
        folder: Its name, beside the folder of masks.
        classes: Class index of each colour of its files; 0 leaves what lies below.
        ignore: Colour of pixels that count for nothing; None: no such pixels.
    """

    folder: str
    classes: tuple[tuple[Color, int], ...]
    ignore: Color | None = None

    @classmethod
    def configured(cls, folder: str, classes: Mapping[Color, int], ignore: Color | None) -> MaskLayer:
        """The layer of an entry of `[mask] layers`."""
        return cls(folder, tuple(classes.items()), None if ignore in classes else ignore)

    def file_of(self, mask: Path) -> Path | None:
        """Its file for a mask, by the mask's name; None where it has none."""
        folder = mask.parent.parent / self.folder
        names = (mask.name, *(f"{mask.stem}{suffix}" for suffix in sorted(MASK_SUFFIXES)))
        return next((path for name in names if (path := folder / name).is_file()), None)

    def read(self, path: Path) -> np.ndarray:
        """Class indices of one of its files, uint8 `(H, W)`; 0 where it paints nothing.

        Raises:
            MaskError: if the file cannot be read or its colours do not fit.
        """
        # Files are read by indices of their own, without gaps: 0 and 1 where the classes are 0 and 4.
        classes = dict(self.classes)
        if 0 not in classes.values():
            classes[_BLACK] = 0
        indices = sorted(set(classes.values()))
        own = ColorMap({color: indices.index(index) for color, index in classes.items()}, self.ignore)
        table = np.full(IGNORED + 1, IGNORED, np.uint8)
        table[: len(indices)] = indices
        return table[read_mask(path, own, setting=f"[mask] layers.{self.folder}")]


@dataclass(frozen=True)
class LayeredMaskReader(MaskReader):
    """Reads masks with their layers.

    Attributes:
        layers: What lies over them, the lowest first.
    """

    layers: tuple[MaskLayer, ...] = ()

    @property
    def flat(self) -> MaskReader:
        """How masks without layers are read, such as predicted ones."""
        return MaskReader(self.color_map, self.threshold, self.tolerance, self.setting, self.grey_range)

    def files(self, path: Path) -> list[Path]:
        """The mask file and those of its layers."""
        above = [file for layer in self.layers if (file := layer.file_of(path)) and file != path]
        return [path, *above]

    def read(self, path: Path | str) -> np.ndarray:
        """Class indices of a mask file with its layers over it, uint8 `(H, W)`.

        A file in the folder of a layer stands for a film without a mask: what no layer paints is ignored.

        Raises:
            MaskError: if a file cannot be read or does not fit, or a layer has another size.
        """
        path = Path(path)
        folders = [layer.folder for layer in self.layers]
        mask = None if path.parent.name in folders else super().read(path)
        for layer in self.layers:
            file = layer.file_of(path)
            if file is None:
                continue
            painted = layer.read(file)
            if mask is None:
                mask = np.full(painted.shape, IGNORED, np.uint8)
            if painted.shape != mask.shape:
                raise MaskError(
                    f"mask {file} has {painted.shape[1]} x {painted.shape[0]} pixels, and {path}, which it "
                    f"lies over, {mask.shape[1]} x {mask.shape[0]} (width x height). Make both at the size "
                    "of the image."
                )
            mask = np.where(painted > 0, painted, mask)
        if mask is None:
            raise MaskError(f"mask {path} is not there any more. Check the folder of the layer.")
        return mask
