"""What the header of an image file tells without its pixels: size, orientation, depth."""

from pathlib import Path

from flexunet.data.dicom.read import is_dicom_file, read_size
from flexunet.data.images.files.arrays import is_array_file, open_array
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.images.files.open import is_deep, opened, orientation_tag, require_content, white_is_zero
from flexunet.data.volumes.read import is_volume_file, plane_size
from flexunet.errors import ImageError


def image_size(path: Path | str) -> tuple[int, int]:
    """Width and height of an image file as shown (orientation applied), from its header alone.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    path = Path(path)
    require_content(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path):
        return read_size(path)
    if is_volume_file(path):
        return plane_size(path)
    if is_array_file(path):
        height, width = open_array(path).shape[:2]
        return width, height
    with opened(path) as picture:
        width, height = picture.size
        # For TIFF, Pillow tells the turned size.
        turned = orientation_tag(picture) >= 5 and picture.format != "TIFF"
    return (height, width) if turned else (width, height)


def orientation_of(path: Path | str) -> int:
    """The orientation tag of an image file (Exif 2.32, section 4.6.4 A), 1 for none; reading applies it.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return 1
    with opened(path) as picture:
        return orientation_tag(picture)


def turned_alone(image: Path, mask: Path) -> str:
    """A sentence on an image that a tag turns, and its mask that has none, with a blank before; else "".

    Annotation tools that ignore the tag draw the mask on the picture as it was before.
    """
    try:
        orientation = orientation_of(image)
        if orientation == 1 or mask.suffix.lower() == ".npz" or orientation_of(mask) != 1:
            return ""
    except ImageError:
        return ""
    return (
        f" {image.name} has an orientation tag (EXIF {orientation}) by which it is shown turned, its "
        "mask has none: if the mask was drawn on the unturned picture, turn it likewise, or remove the tag."
    )


def is_white_zero(path: Path | str) -> bool:
    """Whether this is a TIFF whose tag says that 0 is white (WhiteIsZero): reading turns its values round.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    path = Path(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    with opened(path) as picture:
        return white_is_zero(picture)


def is_deep_file(path: Path) -> bool:
    """Whether an image file other than DICOM has 16 bits a channel, by its header; False for no image."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    try:
        with path.open("rb") as stream, opened(path, stream) as picture:
            stream.seek(0)
            return picture.mode.startswith("I") or is_deep(picture, stream.read(26))
    except (ImageError, OSError):
        return False


def is_float_file(path: Path) -> bool:
    """Whether an image file holds floating-point values, by its header; False for no image."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with opened(path) as picture:
            return picture.mode == "F"
    except ImageError:
        return False
