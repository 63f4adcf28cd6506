"""Masks: colours in files, class indices in memory.

In memory a mask is a uint8 array `H x W` of class indices. Colours exist only at the edges of the program:
a `ColorMap` turns them into indices on reading and back on writing. Masks are never interpolated.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flexunet.data.dicom.read import MAX_PIXELS
from flexunet.data.images.color_map import IGNORED, ColorMap, as_grey_if_grey
from flexunet.data.images.files.header import is_float_file, turned_alone
from flexunet.data.images.files.read import read_alpha, read_image, read_palette_indices
from flexunet.errors import ImageError, MaskError
from flexunet.files import NOWHERE, leads_nowhere, write_bytes

__all__ = [
    "IGNORED",
    "ColorMap",
    "MaskReader",
    "encode_mask",
    "fit_colors",
    "foreground_classes",
    "read_mask",
    "resize_mask",
    "without_ignored",
    "write_mask",
]

RGB_MAP, RGB_MAP_OPTION = "[mask] rgb_map", "--rgb-map"  # where the colours of the classes are given
FAR = 48  # Euclidean distance in RGB beyond which a colour counts as off the map
TOLERANCE = 0.05  # share of pixels that may be off the map: antialiased edges, JPEG blocks
_MOST_CLASSES = 256
_LOOKED_AT = 24  # masks of a data set looked at for a note
_OPAQUE = 128  # of 255; an antialiased edge is painted from its middle on
_FLAT_AREA = 16  # pixels of one strange colour, their neighbours too: less is taken for an edge


def read_mask(
    path: Path | str,
    color_map: ColorMap,
    *,
    tolerance: float = TOLERANCE,
    threshold: float | None = None,
    setting: str = RGB_MAP,
    grey_range: str = "full",
) -> np.ndarray:
    """Read a mask file as class indices.

    The first rule that fits decides:

    1. `.npz` with the key `mask`: class indices `H x W`, or one-hot `H x W x classes` (the highest counts).
    2. Grey picture, not JPEG, whose values are all below the number of classes and not all colours of the
       map: class indices.
    3. With `threshold`: class 1 where the grey level is above it (`[mask] binarize` of the older dialect).
    4. Colours of the map, the nearest one. So grey 0 and 255 work with a black and white map. A colour that
       is off the map, but clearly of the hue of one entry, stands for it (`fit_colors`).
    5. Palette PNG whose colours are not those of the map, but whose stored values are all below the number
       of classes: class indices.

    Where the map has a colour for ignored pixels, they become `IGNORED`, by whatever rule the others are
    read; stored class indices then hold its grey value or `IGNORED`, and one-hot arrays a row of zeros.

    Args:
        path: The file.
        color_map: Colours of the classes.
        tolerance: Share of pixels that may lie far from every colour (antialiasing, JPEG); 1 accepts all.
        threshold: Grey level from 0 to 255, see rule 3.
        setting: Where the user gives the colours, for messages.
        grey_range: Which values of floating-point files are black and white, `LOW,HIGH`; `full` takes whole
            numbers alone.

    Returns:
        uint8 array `(H, W)`.

    Raises:
        MaskError: if the file cannot be read or its colours or indices do not fit the map.

    Example:
        >>> colors = flexunet.ColorMap({(0, 0, 0): 0, (255, 255, 255): 1})
        >>> mask = flexunet.read_mask("mask.png", colors)
        >>> mask.shape, mask.dtype
        ((64, 64), dtype('uint8'))
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, color_map, setting)
    try:
        picture = as_grey_if_grey(_eight_bits(_read_picture(path, grey_range)))
    except ImageError as error:
        raise MaskError(f"mask {error}") from error
    if (painted := _painted_in_alpha(path, picture, color_map)) is not None:
        return painted
    ignored = _is_ignored(picture, color_map)
    if picture.ndim == 2 and _holds_indices(path, picture, ignored, color_map):
        return picture if ignored is None else np.where(ignored, np.uint8(IGNORED), picture)
    if threshold is not None:
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        mask = (grey > threshold).astype(np.uint8)
        return mask if ignored is None else np.where(ignored, np.uint8(IGNORED), mask)
    fitted = fit_colors(picture, color_map)
    mask, distances = fitted.encode_with_distance(picture)
    complaint = _strange_colors(picture, mask, distances > FAR**2, color_map, tolerance, setting)
    if not complaint:
        return mask
    indices = read_palette_indices(path)
    if indices is not None and color_map.is_index(indices).all():
        return indices
    raise MaskError(f"mask {path}: {complaint}")


def fit_colors(picture: np.ndarray, color_map: ColorMap) -> ColorMap:
    """The map as a picture uses it: with its darker or paler colours of an entry's hue, each as that class.

    Two shades of one entry in one picture are two classes, of which the map lacks one: then the map is
    returned as it is, and so it is where nothing is to be added.

    Args:
        picture: uint8 `(H, W)` or `(H, W, 3)`.
        color_map: Colours of the classes.
    """
    if picture.ndim == 2:
        return color_map
    off = color_map.distance(picture) > FAR**2
    if not off.any():
        return color_map
    colors, counts = np.unique(picture[_flat(picture, off)].reshape(-1, 3), axis=0, return_counts=True)
    colors = colors[np.argsort(-counts, kind="stable")].astype(np.int32)
    counts = np.sort(counts)[::-1]
    added: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    while len(colors):
        near = ((colors - colors[0]) ** 2).sum(axis=1) <= FAR**2  # JPEG spreads one colour over many
        color = tuple(colors[0].tolist())
        entry = color_map.entry_by_hue(color) if counts[near].sum() >= _FLAT_AREA else None
        if entry is not None:
            if entry in added.values() or np.count_nonzero((picture == entry).all(axis=2)) >= _FLAT_AREA:
                return color_map
            added[color] = entry
        colors, counts = colors[~near], counts[~near]
    if not added:
        return color_map
    known = color_map.colors_to_class
    return color_map.with_colors({color: known[entry] for color, entry in added.items()})


@dataclass(frozen=True)
class MaskReader:
    """How the masks of a data set are read: made once, from the configuration or the command line.

    Attributes:
        color_map: Colours of the classes; black and white by default.
        threshold: As in `read_mask` (`[mask] binarize`); None takes colours as they are.
        tolerance: As in `read_mask`.
        setting: Where the user gives the colours, for messages: the configuration key or the option.
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

        Looks at 24 of the masks at most.
        """
        if self.threshold is not None:
            return ""
        added: dict[tuple[int, int, int], int] = {}
        for path in paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]:
            try:
                picture = _read_picture(path) if path.suffix.lower() != ".npz" else None
            except ImageError:
                continue
            if picture is not None:
                fitted = fit_colors(as_grey_if_grey(_eight_bits(picture)), self.color_map)
                added |= fitted.colors_to_class.items() - self.color_map.colors_to_class.items()
        told = [
            f"{color} for {self.color_map.entry_by_hue(color)}, class {index}"
            for color, index in sorted(added.items(), key=lambda item: item[1])
        ]
        if not told:
            return ""
        return (
            f"masks hold colours that {self.setting} lacks; each is taken for the entry of its hue: "
            f"{'; '.join(told)}. Write the colours of the masks into {self.setting} if that is not meant."
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


def write_mask(path: Path | str, mask: np.ndarray, color_map: ColorMap) -> None:
    """Write a mask as palette PNG: the stored values are class indices, the palette has the colours.

    Args:
        path: The file; its name ends in .png.
        mask: Class indices, uint8 array `(H, W)`.
        color_map: Colours of the classes.

    Raises:
        MaskError: if an index has no colour, or the name does not end in .png.
        PathError: if the file cannot be written.

    Example:
        >>> import numpy as np
        >>> mask = np.zeros((64, 64), np.uint8)
        >>> mask[20:30, 20:40] = 1
        >>> colors = flexunet.ColorMap({(0, 0, 0): 0, (255, 255, 255): 1})
        >>> flexunet.write_mask("drawn.png", mask, colors)
        >>> int(flexunet.read_mask("drawn.png", colors).sum())
        200
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise MaskError(f"cannot write mask {path}: the name must end in .png.")
    if mask.ndim != 2:
        raise MaskError(f"cannot write mask {path}: expected H x W class indices, found shape {mask.shape}.")
    write_bytes(path, encode_mask(mask, color_map))


def encode_mask(mask: np.ndarray, color_map: ColorMap) -> bytes:
    """The palette PNG of a mask, as `write_mask` writes it; `mask` is uint8 `(H, W)`.

    Raises:
        MaskError: if an index has no colour.
    """
    color_map.check_indices(mask)
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    picture.putpalette(color_map.file_palette.ravel().tolist())
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=4)
    return stream.getvalue()


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize class indices by nearest neighbour: no class appears that was not there."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def without_ignored(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A mask with its ignored pixels as background, and where they are; the mask itself and None without any.

    Args:
        mask: Class indices, uint8 `(H, W)`, of fewer than 256 classes.
    """
    ignored = mask == IGNORED
    if not ignored.any():
        return mask, None
    return np.where(ignored, np.uint8(0), mask), ignored


def foreground_classes(mask: np.ndarray) -> list[int]:
    """Classes other than 0 that a mask has, uint8 `(H, W)`, without a wider copy as `bincount` makes."""
    histogram = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256]).ravel()
    return (np.flatnonzero(histogram[1:]) + 1).tolist()


def _read_picture(path: Path, grey_range: str = "full") -> np.ndarray:
    """A mask file as an image. In DICOM the values count, not a window, which is for looking at films."""
    if grey_range != "full" and is_float_file(path):
        return read_image(path, channels=None, grey_range=grey_range)
    picture = read_image(path, channels=None, dicom_window="stored")
    if picture.dtype == np.uint16 and int(picture.max()) > 255:
        picture = read_image(path, channels=None, dicom_window="full")  # white of 12 bits is white
    return picture


def _eight_bits(picture: np.ndarray) -> np.ndarray:
    """16-bit mask files hold either 8-bit values as they are, or colours scaled up to 65535."""
    if picture.dtype == np.uint8 or int(picture.max()) <= 255:
        return picture.astype(np.uint8)
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _painted_in_alpha(path: Path, picture: np.ndarray, color_map: ColorMap) -> np.ndarray | None:
    """The mask of a file that is of one colour, and opaque where that is painted; None for any other file.

    Where the colour is that of the background, as black paint, the class is the only other one.

    Raises:
        MaskError: if several classes may be meant.
    """
    if (picture != picture[0, 0]).any():
        return None
    alpha = read_alpha(path)
    if alpha is None or alpha.min() == alpha.max():
        return None
    painted = int(color_map.encode(picture[:1, :1])[0, 0])
    if not painted and color_map.num_classes > 2:
        raise MaskError(
            f"mask {path}: its colour is {picture[0, 0].tolist()} everywhere, that of the background, and "
            "only its alpha (transparency) differs: nothing tells the class. Save it in the classes' colours."
        )
    return np.where(alpha >= _OPAQUE, painted or 1, 0).astype(np.uint8)


def _is_ignored(picture: np.ndarray, color_map: ColorMap) -> np.ndarray | None:
    """Pixels that have the colour of ignored ones, boolean `(H, W)`; None where the map has none."""
    if color_map.ignore is None:
        return None
    if picture.ndim == 3:
        return (picture == np.array(color_map.ignore, np.uint8)).all(axis=2)
    red, *others = color_map.ignore
    return picture == red if others == [red, red] else np.zeros(picture.shape, bool)


def _holds_indices(path: Path, grey: np.ndarray, ignored: np.ndarray | None, color_map: ColorMap) -> bool:
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):  # lossy: small values there are noise
        return False
    values = grey if ignored is None else grey[~ignored]
    if int(values.max(initial=0)) >= color_map.num_classes and not color_map.is_index(values).all():
        return False
    return bool(color_map.distance(np.unique(values)[None]).any())


def _strange_colors(
    picture: np.ndarray,
    mask: np.ndarray,
    off: np.ndarray,
    color_map: ColorMap,
    tolerance: float,
    setting: str,
) -> str:
    """Say so if many pixels, or a good part of the objects' flat areas, are far from every colour.

    Antialiased and JPEG edges are thin and vary from pixel to pixel; a class that the map lacks fills areas.
    """
    if tolerance >= 1 or not off.any():
        return ""
    flat = _flat(picture, off)
    background = int(np.bincount(mask.ravel()).argmax())
    objects = np.count_nonzero((mask != background) | off)
    count, flat_count = np.count_nonzero(off), np.count_nonzero(flat)
    if count <= tolerance * off.size and (flat_count < _FLAT_AREA or flat_count <= tolerance * objects):
        return ""
    strange, counts = np.unique(picture[flat if flat_count else off], axis=0, return_counts=True)
    color = tuple(int(value) for value in np.resize(strange[counts.argmax()], 3))
    expected = ", ".join(str(color) for color in color_map.colors_to_class)
    return (
        f"{count / off.size:.2%} of its pixels are far from every colour of {setting}, most often "
        f"{color}. Expected {expected}. Add the colour to {setting}, or correct the mask."
    )


def _flat(picture: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Pixels of `off` whose neighbours all have their colour, boolean `(H, W)`."""
    packed = picture.astype(np.float32)
    if picture.ndim == 3:
        packed = packed @ np.array([65536, 256, 1], np.float32)  # one exact number a colour
    kernel = np.ones((3, 3), np.uint8)
    return off & (cv2.dilate(packed, kernel) == cv2.erode(packed, kernel))


def _check_header(path: Path) -> None:
    """Refuse an `.npz` mask by its header, before its values are unpacked: kilobytes may hold gigabytes."""
    with zipfile.ZipFile(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        if "mask" not in keys:
            raise MaskError(f"mask {path}: expected the key 'mask', found {', '.join(keys) or 'nothing'}.")
        with archive.open("mask.npy") as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
    if math.prod(shape[:2]) > MAX_PIXELS or math.prod(shape[2:]) > _MOST_CLASSES or dtype.itemsize > 16:
        raise MaskError(
            f"mask {path} declares an array {shape} of {dtype}; expected at most {MAX_PIXELS:,} pixels of at "
            f"most {_MOST_CLASSES} classes."
        )


def _read_arrays(path: Path, color_map: ColorMap, setting: str) -> np.ndarray:
    if not path.is_file():
        raise MaskError(f"mask {path} {NOWHERE if leads_nowhere(path) else 'does not exist.'}")
    try:
        _check_header(path)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            values = arrays["mask"]
    except MaskError:
        raise
    except Exception as error:  # encrypted, oddly compressed, cut short: each raises a class of its own
        raise MaskError(f"mask {path} cannot be read as .npz ({error}). Write it again.") from error
    numeric = values.dtype.kind in "buif"
    if numeric and values.ndim == 3 and values.shape[2] > 1:
        if values.shape[2] != color_map.num_classes:
            raise MaskError(
                f"mask {path}: {values.shape[2]} classes in the array, {color_map.num_classes} in {setting}."
            )
        indices = values.argmax(axis=2).astype(np.uint8)
        if color_map.ignore is not None:
            indices[~values.any(axis=2)] = IGNORED
        return indices
    if not numeric or values.ndim not in (2, 3) or values.size == 0:
        raise MaskError(
            f"mask {path}: expected indices H x W or one-hot H x W x classes, found {values.dtype} "
            f"{values.shape}."
        )
    indices = values.reshape(values.shape[:2])
    if values.ndim == 3 and values.dtype.kind == "f":
        indices = indices > 0.5
    if indices.min() < 0 or not color_map.is_index(indices).all() or (indices != np.floor(indices)).any():
        raise MaskError(
            f"mask {path}: expected class indices 0 to {color_map.num_classes - 1}, found values from "
            f"{indices.min()} to {indices.max()}."
        )
    return indices.astype(np.uint8)
