"""Image files to arrays and back. The one place where image files are decoded.

An image is `H x W x C`, RGB order, C = 1 or 3 (`.npy`: any number), uint8 or uint16. Alpha is dropped,
palettes are resolved, one-bit images become 0 and 255. An orientation tag (EXIF) is applied, to masks as well
as to images, so that both are seen as every viewer shows them. Pillow decodes, because it refuses truncated
files where OpenCV returns half an image; OpenCV takes over for 16-bit colour, which Pillow cuts to 8 bits.
DICOM has its own module, `dicom`; it hands over uint16 grey images. Volumes of one slice count as images.
"""

import io
import math
import struct
import unicodedata
from collections import Counter
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from flexunet.data.dicom.read import DICOM_SUFFIXES, MAX_PIXELS, is_dicom_file, read_dicom, read_size
from flexunet.data.images.grey_range import grey_levels
from flexunet.data.volumes.arrays import open_numpy
from flexunet.data.volumes.read import is_volume_file, plane_size, read_plane
from flexunet.errors import ImageError, PathError
from flexunet.files import NOWHERE, cannot_read, impostor, leads_nowhere, write_bytes

# macOS archives, Synology thumbnails, bins of network disks and of Windows.
_FOR_PROGRAMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".pnm")
ARRAY_SUFFIX = ".npy"  # of images with any number of channels
# What tables and annotations name films by, beside the files that are read.
_AS_MASKS = {".gif": ("GIF",), ".webp": ("WEBP",)}  # pictures that are read as masks alone
MASK_SUFFIXES = (".npz", *_AS_MASKS)  # of masks, beside those of images
_OTHER_SUFFIXES = (".dicom", ".ljpeg", ".jp2", ".gif", ".webp", ".npz", ".npy", ".json", ".xml")
_NAMED_SUFFIXES = IMAGE_SUFFIXES + DICOM_SUFFIXES + _OTHER_SUFFIXES
_UNREAD = (".jp2", ".heic", ".avif", ".psd", ".xcf", ".svg", ".mat", ".pdf")
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM")
_UINT16_MAX = 65535
MOST_CHANNELS = 64
_ARRAY_MARK = b"\x93NUMPY"
# What Pillow and OpenCV raise on damaged files; a warning only where Python was told to make errors of them.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    ArithmeticError,
    UserWarning,
    struct.error,
    cv2.error,
)


def is_image_file(path: Path) -> bool:
    """Whether this is an image: a known suffix in any case, or a DICOM file whatever its name; not hidden.

    A link that leads nowhere counts by its suffix, so that it is named when it is read, and not passed over.
    """
    if path.name.startswith("."):
        return False
    suffix = path.suffix.lower()
    if not path.is_file():
        return leads_nowhere(path) and suffix in (*IMAGE_SUFFIXES, *DICOM_SUFFIXES, ARRAY_SUFFIX)
    return suffix in (*IMAGE_SUFFIXES, ARRAY_SUFFIX) or is_dicom_file(path)


def is_mask_file(path: Path) -> bool:
    """Whether this is a mask: an image (`is_image_file`), a GIF, a WebP or an `.npz` file; not hidden."""
    if path.suffix.lower() not in MASK_SUFFIXES:
        return is_image_file(path)
    return not path.name.startswith(".") and (path.is_file() or leads_nowhere(path))


def is_for_programs(folder: str) -> bool:
    """Whether a folder of this name is one that programs keep for themselves, as hidden ones are."""
    return folder.startswith(".") or folder in _FOR_PROGRAMS


def image_stem(path: Path) -> str:
    """Name of an image without its suffix; DICOM files named by a UID (`1.2.840.7`) have none to lose.

    It is composed (`composed`), so that an image from a Mac has the name of its mask from elsewhere.
    """
    known = (*IMAGE_SUFFIXES, *DICOM_SUFFIXES, ARRAY_SUFFIX)
    return composed(path.stem if path.suffix.lower() in known else path.name)


def composed(name: str) -> str:
    """A name in Unicode form C: an accent is part of its letter, not a character that follows it.

    Disks of Macs take names apart, other systems keep them as typed. Both are shown alike.

    >>> len("e\u0301"), len(composed("e\u0301"))
    (2, 1)
    """
    return unicodedata.normalize("NFC", name)


def name_stem(name: str) -> str:
    """Name of a film without folder and suffix, as tables and annotations write it: with any suffix, or none.

    Only what is known for a suffix is one: names such as `1.2.840.7` or `A_0001_1.LEFT` have none to lose.

    >>> name_stem("films/a.1.jpg"), name_stem("1.2.840.7"), name_stem("A_0001_1.LEFT_CC.LJPEG")
    ('a.1', '1.2.840.7', 'A_0001_1.LEFT_CC')
    """
    name = composed(name.strip().replace("\\", "/").rpartition("/")[2])
    suffix = next((each for each in _NAMED_SUFFIXES if name.lower().endswith(each)), "")
    return name[: -len(suffix)] if suffix and name != suffix else name


def unread_pictures(folder: Path, masks: bool = False) -> str:
    """A sentence on pictures in a folder of kinds that are not read, with a blank before; "" if none.

    `masks` says that the folder is one of masks, of which more kinds are read.
    """
    unread = (*_UNREAD, *(() if masks else _AS_MASKS))
    counts = Counter(path.suffix.lower() for path in folder.iterdir() if path.suffix.lower() in unread)
    if not counts:
        return ""
    told = " and ".join(f"{count} ending in {suffix}" for suffix, count in sorted(counts.items()))
    return f" There are files of kinds that are not read: {told}. Convert them to PNG."


def list_images(folder: Path | str) -> list[Path]:
    """Image files in a folder (not below it), sorted by name.

    Raises:
        PathError: if the folder is missing or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise PathError(f"image folder {folder} {what}. Check the path in the configuration.")
    found = sorted((path for path in folder.iterdir() if is_image_file(path)), key=lambda path: path.name)
    if not found:
        raise PathError(
            f"no images in {folder}: expected DICOM files, or files ending in {', '.join(IMAGE_SUFFIXES)}."
            f"{unread_pictures(folder)}"
        )
    return found


def read_image(
    path: Path | str, channels: int | None = 3, *, dicom_window: str = "auto", grey_range: str = "full"
) -> np.ndarray:
    """Read an image file as an array.

    Args:
        path: PNG, JPEG, TIFF, BMP, PNM, DICOM or NumPy (`.npy`) file, or NIfTI or MetaImage of one slice.
        channels: 3 repeats grey, 1 takes the luma of colour (ITU-R BT.601, as OpenCV), None keeps what the
            file has; other numbers must be those of the file.
        dicom_window: Window rule of DICOM files, as in `dicom.read_dicom`. `stored` also takes whole
            floating-point values up to 1 as they are, as masks have them.
        grey_range: Which values of other 16-bit files are black and white, as in `grey_range.apply_range`;
            floating-point files need `LOW,HIGH`.

    Returns:
        uint8 or (from 16-bit files) uint16 array `(H, W, channels)`, RGB order.

    Raises:
        ImageError: if the file is missing, empty, truncated, too large, not an image or not 8 or 16 bit, or
            has another number of channels.

    Example:
        >>> image = flexunet.read_image("film.png", channels=1)
        >>> image.shape, image.dtype
        ((64, 64, 1), dtype('uint8'))
    """
    path = Path(path)
    pixels = _read_pixels(path, dicom_window, grey_range)
    if channels is None or pixels.shape[2] == channels:
        return pixels
    if channels == 3 and pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if channels == 1 and pixels.shape[2] == 3:
        return as_grey(pixels)
    raise ImageError(
        f"{path} has {pixels.shape[2]} channels; expected {channels}. Set [model] image_channels = "
        f"{pixels.shape[2]}, or give images of {channels} channels (.npy holds any number)."
    )


def as_picture(image: np.ndarray) -> np.ndarray:
    """What can be shown of an image `(H, W, C)`: itself if it is grey or RGB, else its second channel.

    That one is what the published system shows by default.
    """
    return image if image.shape[2] in (1, 3) else image[..., 1:2]


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The same with three channels; grey is repeated."""
    picture = as_picture(image)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def as_grey(image: np.ndarray) -> np.ndarray:
    """The same with one channel; of colour its luma (ITU-R BT.601)."""
    picture = as_picture(image)
    return picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]


def read_picture(path: Path | str, channels: int = 3, *, grey_range: str = "auto") -> np.ndarray:
    """Read an image to be looked at, `(H, W, 3)` or, as grey, `(H, W, 1)`; see `as_picture`.

    Raises:
        ImageError: as `read_image`.
    """
    image = read_image(path, None, grey_range=grey_range)
    return as_rgb(image) if channels == 3 else as_grey(image)


def image_size(path: Path | str) -> tuple[int, int]:
    """Width and height of an image file as shown (orientation applied), from its header alone.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    path = Path(path)
    _require_content(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path):
        return read_size(path)
    if is_volume_file(path):
        return plane_size(path)
    if _is_array(path):
        height, width = _open_array(path).shape[:2]
        return width, height
    try:
        with path.open("rb") as stream, _open(path, stream) as picture:
            width, height = picture.size
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            turned = turned and picture.format != "TIFF"  # for TIFF, Pillow tells the turned size
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error
    return (height, width) if turned else (width, height)


def orientation_of(path: Path | str) -> int:
    """The orientation tag of an image file (Exif 2.32, section 4.6.4 A), 1 for none; reading applies it.

    Raises:
        ImageError: as `read_image`, as far as the header tells.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return 1
    try:
        with path.open("rb") as stream, _open(path, stream) as picture:
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error
    return orientation if orientation in range(1, 9) else 1


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
    try:
        with path.open("rb") as stream, _open(path, stream) as picture:
            return _white_is_zero(picture)
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error


def _white_is_zero(picture: Image.Image) -> bool:
    return picture.format == "TIFF" and picture.tag_v2.get(262) == 0  # type: ignore[attr-defined]


def read_alpha(path: Path | str) -> np.ndarray | None:
    """Opacity of each pixel, uint8 array `(H, W)`; None for a file without alpha.

    Raises:
        ImageError: as `read_image`.
    """
    path = Path(path)
    if not _is_picture(path):
        return None
    content = _read_bytes(path)
    try:
        with _open(path, io.BytesIO(content)) as picture:
            if "transparency" not in picture.info and "a" not in picture.mode.lower():
                return None
            return np.array(ImageOps.exif_transpose(picture).convert("RGBA").getchannel("A"))
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error


def is_deep_file(path: Path) -> bool:
    """Whether an image file other than DICOM has 16 bits a channel, by its header; False for no image."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    try:
        with path.open("rb") as stream, _open(path, stream) as picture:
            stream.seek(0)
            return picture.mode.startswith("I") or _is_deep(picture, stream.read(26))
    except (ImageError, *_DECODER_ERRORS):
        return False


def read_palette_indices(path: Path | str) -> np.ndarray | None:
    """The values a palette PNG stores, uint8 array `(H, W)`; None for any other image.

    Raises:
        ImageError: as `read_image`.
    """
    path = Path(path)
    if not _is_picture(path):
        return None
    content = _read_bytes(path)
    try:
        with _open(path, io.BytesIO(content)) as picture:
            if picture.mode != "P":
                return None
            return np.array(ImageOps.exif_transpose(picture))
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error


def is_float_file(path: Path) -> bool:
    """Whether an image file holds floating-point values, by its header; False for no image."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with path.open("rb") as stream, _open(path, stream) as picture:
            return picture.mode == "F"
    except (ImageError, *_DECODER_ERRORS):
        return False


def write_image(path: Path | str, image: np.ndarray, quality: int = 95) -> None:
    """Write an image; the suffix decides the format. The file appears whole or not at all.

    Args:
        path: Where to write: PNG, TIFF, PNM or `.npy` (8 and 16 bit), JPEG or BMP (8 bit).
        image: uint8 or uint16 array `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, RGB order; `.npy` takes any number
            of channels.
        quality: JPEG quality, 0 to 100.

    Raises:
        ImageError: if array and format do not go together.
        PathError: if the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ARRAY_SUFFIX and image.dtype in (np.uint8, np.uint16) and image.ndim == 3 and image.size:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(image), allow_pickle=False)
        write_bytes(path, stream.getvalue())
        return
    if suffix not in IMAGE_SUFFIXES:
        raise ImageError(f"cannot write {path}: the name must end in one of {', '.join(IMAGE_SUFFIXES)}.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)) or image.size == 0:
        raise ImageError(f"cannot write {path}: expected an array H x W x 1 or 3, found shape {image.shape}.")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"cannot write {path}: expected uint8 or uint16 values, found {image.dtype}.")
    if image.dtype == np.uint16 and suffix in (".jpg", ".jpeg", ".bmp"):
        raise ImageError(f"cannot write {path}: {suffix} holds 8 bits per channel. Use .png or .tif.")
    colour = image.ndim == 3 and image.shape[2] == 3
    if suffix in (".pgm", ".ppm"):  # OpenCV goes by the name: pnm takes both grey and colour
        suffix = ".pnm"
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in (".jpg", ".jpeg") else []
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if colour else np.ascontiguousarray(image)
    done, encoded = cv2.imencode(suffix, pixels, options)
    if not done:
        raise ImageError(f"cannot write {path}: the image could not be encoded as {suffix}.")
    write_bytes(path, encoded.tobytes())


def resize_image(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize with linear interpolation (`cv2.INTER_LINEAR`, as published); the channel axis stays."""
    if image.shape[:2] == (height, width):
        return image
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized[..., None] if image.ndim == 3 and resized.ndim == 2 else resized


def to_model_range(image: np.ndarray) -> np.ndarray:
    """Grey levels as float32 from 0 to 255, whatever the depth of the file (uint16 is divided by 257)."""
    converted = np.asarray(image, dtype=np.float32)
    return converted / np.float32(257) if np.asarray(image).dtype == np.uint16 else converted


def _read_pixels(path: Path, dicom_window: str, grey_range: str) -> np.ndarray:
    _require_content(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path):
        return read_dicom(path, dicom_window).pixels
    stored = dicom_window == "stored"
    if _is_array(path):
        values = np.array(_open_array(path))
    else:
        values = _read_slice(path) if is_volume_file(path) else decode_image(path, _read_bytes(path))
    pixels = grey_levels(path, values, grey_range, stored=stored)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _is_array(path: Path) -> bool:
    """Whether a file is read as an array: by its suffix; without one (an upload), by its first bytes."""
    if path.suffix:
        return path.suffix.lower() == ARRAY_SUFFIX
    with path.open("rb") as stream:
        return stream.read(len(_ARRAY_MARK)) == _ARRAY_MARK


def _open_array(path: Path) -> np.ndarray:
    """An array file that may be an image, its values not read yet."""
    values = open_numpy(path)
    shape = values.shape
    if len(shape) not in (2, 3) or 0 in shape or math.prod(shape[2:]) > MOST_CHANNELS:
        raise ImageError(
            f"{path} holds an array {shape}; expected height x width x channels, at most {MOST_CHANNELS} of "
            "these."
        )
    if math.prod(shape[:2]) > MAX_PIXELS:
        raise ImageError(f"{path} is too large: more than {MAX_PIXELS:,} pixels. Scale it down.")
    return values


def _read_slice(path: Path) -> np.ndarray:
    try:
        return read_plane(path)
    except ImageError as error:
        raise ImageError(
            f"{error} It is a volume by its name; those of one slice are read as images."
        ) from error


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in (*IMAGE_SUFFIXES, *_AS_MASKS)


def _read_bytes(path: Path) -> bytes:
    _require_content(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(cannot_read(path, error)) from error


def _require_content(path: Path) -> None:
    if not path.is_file():
        if leads_nowhere(path):
            raise ImageError(f"{path} {NOWHERE}")
        what = "is a folder, not an image file" if path.is_dir() else "does not exist"
        raise ImageError(f"{path} {what}.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes). Copy or export the file again.")


def _open(path: Path, stream: IO[bytes]) -> Image.Image:
    """Header of an image file, refusing what would unpack to more than MAX_PIXELS."""
    try:
        picture = Image.open(stream, formats=_AS_MASKS.get(path.suffix.lower(), _FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} is too large: more than {MAX_PIXELS:,} pixels. Scale it down.") from error
    except Image.UnidentifiedImageError as error:
        if what := impostor(path):
            raise ImageError(f"{path} is not a readable image: {what}.") from error
        raise ImageError(
            f"{path} is not a readable image: expected PNG, JPEG, TIFF, BMP or PNM. Export it again."
        ) from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path} is too large: {width} x {height} is more than {MAX_PIXELS:,} pixels. Scale it down."
        )
    return picture


def _unreadable(path: Path, error: Exception) -> ImageError:
    return ImageError(f"{path} is truncated or damaged ({error}). Copy or export the file again.")


def decode_image(path: Path, content: bytes) -> np.ndarray:
    """Pixels of the content of an image file other than DICOM, `(H, W)` or `(H, W, C)`.

    They are uint8 or uint16, and float32 where a TIFF file has such values.

    Args:
        path: What messages call it.
        content: The bytes.

    Raises:
        ImageError: as `read_image`.
    """
    try:
        with _open(path, io.BytesIO(content)) as picture:
            pages = getattr(picture, "n_frames", 1)
            if picture.format in ("TIFF", "GIF", "WEBP") and pages > 1:
                raise ImageError(
                    f"{path} holds {pages} pages; expected one image per file. Save each page as a file."
                )
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
            deep_colour = _is_deep(picture, content) and not picture.mode.startswith("I")
            white_is_zero = _white_is_zero(picture)
            picture.load()  # in any case: this is what finds a truncated file
            if not deep_colour:
                return _pixels(path, ImageOps.exif_transpose(picture), white_is_zero)
            pixels = _decode_deep(path, content, grey=_is_grey(picture, content))
            # OpenCV turns TIFF by itself, PNG it does not.
            return _turn(pixels, orientation if picture.format == "PNG" else 1)
    except _DECODER_ERRORS as error:
        raise _unreadable(path, error) from error


def _is_deep(picture: Image.Image, content: bytes) -> bool:
    """Whether the file has 16 bits a channel, which Pillow's mode does not tell for colour."""
    if picture.format == "PNG":
        return content[24] == 16  # bit depth in the IHDR chunk, PNG specification 11.2.1
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(258, (1,))) == 16  # type: ignore[attr-defined]  # BitsPerSample
    tiles = getattr(picture, "tile", [])  # PNM: codec, box, offset, (mode, highest value)
    return bool(tiles) and picture.format == "PPM" and tiles[0].args == (picture.mode, _UINT16_MAX)


def _is_grey(picture: Image.Image, content: bytes) -> bool:
    """Whether there is one channel besides alpha; Pillow calls 16-bit grey with alpha colour."""
    if picture.format == "PNG":
        return content[25] in (0, 4)  # colour type in the IHDR chunk
    return picture.mode in ("L", "LA")


def _decode_deep(path: Path, content: bytes, grey: bool) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError(
            f"{path} has 16-bit colour that is damaged or of an unusual kind. Save it as plain PNG."
        )
    if pixels.ndim == 2:
        return pixels
    return pixels[..., 0] if grey else pixels[..., 2::-1]


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an orientation tag (1 to 8; Exif 2.32, section 4.6.4 A) to an array."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pixels(path: Path, picture: Image.Image, white_is_zero: bool) -> np.ndarray:
    if picture.mode in ("L", "RGB"):
        return np.array(picture)
    if picture.mode in ("1", "LA", "La"):
        return np.array(picture.convert("L"))
    if picture.mode.startswith("I"):
        values = np.array(picture)
        if values.size and (values.min() < 0 or values.max() > _UINT16_MAX):
            raise ImageError(
                f"{path} has values from {values.min()} to {values.max()}; expected 8 or 16 bit, 0 to 65535."
            )
        values = values.astype(np.uint16)
        return _UINT16_MAX - values if white_is_zero else values
    if picture.mode == "F":
        values = np.array(picture)
        if white_is_zero:
            raise ImageError(
                f"{path} has floating-point values of which 0 is white, which is not read. Save it again."
            )
        return values
    if picture.mode == "RGBA":
        return np.ascontiguousarray(np.asarray(picture)[..., :3])
    return np.array(picture.convert("RGB"))
