"""Which files of a folder are images or masks, and which are pictures of kinds that are not read."""

from collections import Counter
from pathlib import Path

from flexunet.data.dicom.read import DICOM_SUFFIXES, is_dicom_file
from flexunet.data.images.files.names import ARRAY_SUFFIX, IMAGE_SUFFIXES, MASK_PICTURES, MASK_SUFFIXES
from flexunet.errors import PathError
from flexunet.files import leads_nowhere

# macOS archives, Synology thumbnails, bins of network disks and of Windows.
_FOR_PROGRAMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN")
_UNREAD = (".jp2", ".heic", ".avif", ".psd", ".xcf", ".svg", ".mat", ".pdf")


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


def list_images(folder: Path | str) -> list[Path]:
    """Image files in a folder (not below it), sorted by name.

    Raises:
        PathError: if the folder is missing or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise PathError(f"image folder {folder} {what}. Check the path.")
    found = sorted((path for path in folder.iterdir() if is_image_file(path)), key=lambda path: path.name)
    if not found:
        raise PathError(
            f"no images in {folder}: expected DICOM files, or files ending in {', '.join(IMAGE_SUFFIXES)}."
            f"{unread_pictures(folder)}{perhaps_inside(folder, 'images')}"
        )
    return found


def perhaps_inside(folder: Path, name: str) -> str:
    """A sentence on the folder `name` in a folder that holds no files that are read; "" if there is none."""
    return f" Perhaps {folder / name} is meant." if (folder / name).is_dir() else ""


def unread_pictures(folder: Path, masks: bool = False) -> str:
    """A sentence on pictures in a folder of kinds that are not read, with a blank before; "" if none.

    `masks` says that the folder is one of masks, of which more kinds are read.
    """
    unread = (*_UNREAD, *(() if masks else MASK_PICTURES))
    counts = Counter(path.suffix.lower() for path in folder.iterdir() if path.suffix.lower() in unread)
    if not counts:
        return ""
    told = " and ".join(f"{count} ending in {suffix}" for suffix, count in sorted(counts.items()))
    return f" There are files of kinds that are not read: {told}. Convert them to PNG."
