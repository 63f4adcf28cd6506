"""Class indices to palette PNG."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from flexunet.data.images.color_map import ColorMap
from flexunet.errors import MaskError
from flexunet.files import write_bytes


def write_mask(path: Path | str, mask: np.ndarray, color_map: ColorMap) -> None:
    """Write a mask as palette PNG: the stored values are class indices, the palette has the colours.

    Args:
        path: The file; its name ends in .png.
        mask: Class indices, uint8 array `(H, W)`.
        color_map: Colours of the classes.

    Raises:
        MaskError: if an index has no colour, or the name does not end in .png.
        PathError: if the file cannot be written.

    Examples:
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
