"""Names of image files: the suffixes that are read, and names without them."""

import unicodedata
from pathlib import Path

from flexunet.data.dicom.read import DICOM_SUFFIXES

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".pnm")
ARRAY_SUFFIX = ".npy"  # of images with any number of channels
MASK_PICTURES = {".gif": "GIF", ".webp": "WEBP"}  # pictures that are read as masks alone, and their formats
MASK_SUFFIXES = (".npz", *MASK_PICTURES)  # of masks, beside those of images
# What tables and annotations name films by, beside the files that are read.
_OTHER_SUFFIXES = (".dicom", ".ljpeg", ".jp2", *MASK_SUFFIXES, ARRAY_SUFFIX, ".json", ".xml")
_NAMED_SUFFIXES = IMAGE_SUFFIXES + DICOM_SUFFIXES + _OTHER_SUFFIXES


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
