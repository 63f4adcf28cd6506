"""Images and their masks: paired by name, never by order."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.identity import Identities, Identity
from flexunet.data.images.files import is_image_file, list_images
from flexunet.errors import PairingError, PathError

_LISTED = 10


@dataclass(frozen=True)
class Pair:
    """An image, its mask, and whose image it is.

    Example:
        >>> pair = flexunet.find_pairs("dataset/train/images", "dataset/train/masks")[0]
        >>> pair.image_path.name == pair.mask_path.name, pair.identity.patient_known
        (True, True)
    """

    image_path: Path
    mask_path: Path
    identity: Identity

    @property
    def source(self) -> str:
        """Original image that it descends from."""
        return self.identity.source

    @property
    def patient(self) -> str:
        """The person it shows; the source where the person is unknown."""
        return self.identity.patient


def find_pairs(images_dir: Path | str, masks_dir: Path | str, mask_suffix: str = "") -> list[Pair]:
    """Pair the images of one folder with the masks of another by stem, sorted by name.

    A mask may carry more than the stem of its image (`a_mask.png` for `a.png`): either say what in
    `mask_suffix`, or let it be found; that works if no mask has the plain name and one and the same ending
    explains all of them.

    Raises:
        PathError: if a folder is missing or has no images.
        PairingError: if an image has no mask, a mask no image, or two files share a stem.

    Example:
        >>> pairs = flexunet.find_pairs("dataset/train/images", "dataset/train/masks")
        >>> len(pairs), pairs[0].patient
        (12, 'P001')
    """
    images = _by_stem(list_images(images_dir), "images")
    masks = _by_stem(list_masks(masks_dir), "masks")
    if not mask_suffix and not images.keys() & masks.keys():
        mask_suffix = _common_ending(images, masks)
    if mask_suffix:
        masks = _by_stem(masks.values(), "masks", mask_suffix)
    _refuse_unpaired(images, masks, Path(images_dir), Path(masks_dir))
    identities = Identities.of_folder(images_dir)
    return [Pair(path, masks[stem], identities.of(path)) for stem, path in sorted(images.items())]


def list_masks(folder: Path | str) -> list[Path]:
    """Mask files in a folder: images and `.npz`, sorted by name.

    Raises:
        PathError: if the folder is missing or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise PathError(f"mask folder {folder} {what}. Check the path in the configuration.")
    found = [path for path in folder.iterdir() if is_image_file(path) or _is_array_file(path)]
    if not found:
        raise PathError(f"no masks in {folder}: expected images or .npz files.")
    return sorted(found, key=lambda path: path.name)


def _is_array_file(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and not path.name.startswith(".") and path.is_file()


def _by_stem(paths: Iterable[Path], what: str, ending: str = "") -> dict[str, Path]:
    found: dict[str, Path] = {}
    twice: list[str] = []
    for path in paths:
        stem = path.stem.removesuffix(ending)
        if stem in found:
            twice.append(f"{found[stem].name} and {path.name}")
        found[stem] = path
    if twice:
        folder = next(iter(found.values())).parent
        raise PairingError(
            f"{what} with the same name but different endings in {folder}: {_some(twice)}. Names pair images "
            "with masks, so each may occur once: rename or remove one of each."
        )
    return found


def _common_ending(images: dict[str, Path], masks: dict[str, Path]) -> str:
    """Find the one ending that, taken off every mask name, leaves the names of the images; "" if none."""
    if len(images) != len(masks):
        return ""
    first = min(masks)
    for stem in sorted(images, key=len, reverse=True):
        ending = first.removeprefix(stem)
        if (
            first.startswith(stem)
            and re.match(r"[^0-9A-Za-z]", ending)
            and {s + ending for s in images} == set(masks)
        ):
            return ending
    return ""


def _refuse_unpaired(
    images: dict[str, Path], masks: dict[str, Path], images_dir: Path, masks_dir: Path
) -> None:
    lonely_images = [images[stem].name for stem in sorted(images.keys() - masks.keys())]
    lonely_masks = [masks[stem].name for stem in sorted(masks.keys() - images.keys())]
    if not lonely_images and not lonely_masks:
        return
    found = []
    if lonely_images:
        found.append(
            f"{len(lonely_images)} of {len(images)} images in {images_dir} have no mask: "
            f"{_some(lonely_images)}"
        )
    if lonely_masks:
        found.append(
            f"{len(lonely_masks)} of {len(masks)} masks in {masks_dir} have no image: {_some(lonely_masks)}"
        )
    raise PairingError(
        "; ".join(found) + ". An image and its mask have the same name (endings may differ): add what is "
        "missing, or take the file out."
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
