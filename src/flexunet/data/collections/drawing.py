"""The mask of a film of a public data set, from its outlines and from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED
from flexunet.data.collections.collection import Collection, Film, MaskFiles
from flexunet.data.dataset.instances import cut_out, number_lesions
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.header import image_size
from flexunet.data.images.label_values import read_label_values
from flexunet.data.images.masks.indices import resize_mask
from flexunet.data.images.masks.read import read_mask
from flexunet.errors import ImageError, MaskError

_SAME_PROPORTIONS = 0.001  # of the longer side, beyond a pixel of rounding
_SMALLEST = 0.5  # of the film: what is smaller is a crop


def draw_mask(
    film: Film, collection: Collection, width: int, height: int, classes: Mapping[str, int] | None = None
) -> np.ndarray:
    """Draw the lesions of a film.

    Args:
        film: The film.
        collection: Its data set.
        width: Pixels of the film.
        height: Pixels of the film.
        classes: Class index of each label, 0 for what is not to be drawn. Left out: lesions are class 1.
            Tissues are drawn only if they are named.

    Returns:
        Class indices, uint8 array `(height, width)`.

    Raises:
        MaskError: if a lesion has no class or no mask of the film's proportions.
    """

    def class_of(label: str) -> int:
        return _class_of(label, collection, classes)

    def rank(label: str) -> int:
        return -collection.on_top.index(label) if label in collection.on_top else -len(collection.on_top)

    mask = np.zeros((height, width), np.uint8)
    for marked in sorted(film.masks, key=lambda each: rank(each.label)):
        if value := class_of(marked.label):
            mask[_read_like(marked, width, height) > 0] = value
    shapes = sorted(film.annotation.shapes, key=lambda each: rank(each.label))
    values = {shape.label: class_of(shape.label) for shape in shapes}
    drawn = tuple(shape for shape in shapes if values[shape.label])
    outlines = replace(film.annotation, state=ANNOTATED, shapes=drawn).rasterise(width, height, values)
    mask[outlines > 0] = outlines[outlines > 0]
    return mask


def number_lesions_of(
    film: Film,
    collection: Collection,
    mask: np.ndarray,
    classes: Mapping[str, int] | None = None,
) -> np.ndarray | None:
    """Numbers of the lesions of a film whose mask was drawn, as `instances.number_lesions` gives them.

    Mask files that several people drew are of one lesion each time: there components tell lesions apart.
    """
    height, width = mask.shape
    files = () if collection.annotators else film.masks
    lesions = [marked for marked in files if marked.label not in collection.tissues]
    shapes = [shape for shape in film.annotation.shapes if shape.label not in collection.tissues]
    if len(lesions) + len(shapes) < 2:
        return None
    values = {each.label: _class_of(each.label, collection, classes) for each in (*lesions, *shapes)}
    outlined = replace(film.annotation, state=ANNOTATED, shapes=tuple(shapes))
    drawn = ((values[each.label], *cut_out(_read_like(each, width, height) > 0)) for each in lesions)
    return number_lesions(mask, chain(drawn, outlined.areas(width, height, values)))


def _class_of(label: str, collection: Collection, classes: Mapping[str, int] | None) -> int:
    if label in collection.tissues or classes is None:
        return (classes or {}).get(label, 0 if label in collection.tissues else 1)
    if label not in classes:
        raise MaskError(
            f"the lesion {label!r} has no class: name it in --classes ({label}=1, or {label}=0 to leave it "
            "out)."
        )
    return classes[label]


def _read_like(marked: MaskFiles, width: int, height: int) -> np.ndarray:
    """The mask of a lesion at the size of its film, class indices 0 and 1.

    Of several files the mask is the one that has the film's proportions, is not much smaller, and holds two
    values; a crop of the film is smaller and grey. Numbers and order of files tell nothing.
    """
    reasons, masks = [], []
    for path in marked.candidates:
        try:
            mask_width, mask_height = image_size(path)
            if problem := _misfit(mask_width, mask_height, width, height):
                raise MaskError(problem)
            mask = _marked_pixels(path, marked.value)
            if not mask.any():
                raise MaskError("it marks no pixel")
            masks.append(mask if mask.shape == (height, width) else resize_mask(mask, width, height))
        except (MaskError, ImageError) as error:
            reasons.append(f"{path.name}: {str(error).removeprefix(f'mask {path}: ')}")
    if not masks:
        raise MaskError(
            f"no file of the lesion {marked.label!r} in {_place(marked)} is a mask of this film: "
            f"{'; '.join(reasons)}"
        )
    if any((mask != masks[0]).any() for mask in masks[1:]):
        raise MaskError(
            f"{len(masks)} files in {_place(marked)} may be the mask of one lesion, and they differ. Take "
            "out all but the right one."
        )
    return masks[0]


def _marked_pixels(path: Path, value: int | None) -> np.ndarray:
    if value is None:
        return read_mask(path, ColorMap.binary())
    return (read_label_values(path) == value).astype(np.uint8)


def _place(marked: MaskFiles) -> Path:
    return marked.candidates[0].parent


def _misfit(mask_width: int, mask_height: int, width: int, height: int) -> str:
    """Why a file of this size is no mask of the film, even scaled; "" if it may be one."""
    sizes = f"{mask_width} x {mask_height} pixels, the film {width} x {height}"
    if mask_width < _SMALLEST * width or mask_height < _SMALLEST * height:
        return f"it has {sizes}: a crop, not a mask"
    scale = mask_width / width
    rounding = 1 + _SAME_PROPORTIONS * max(mask_width, mask_height)
    if abs(mask_height - scale * height) > rounding * max(1.0, height / width):
        return f"it has {sizes}: other proportions"
    return ""
