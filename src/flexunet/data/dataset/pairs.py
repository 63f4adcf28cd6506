"""Images and their masks: paired by name, never by order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flexunet.data.dataset.identity import Identities, Identity
from flexunet.data.dataset.matching import Matches, listed, match_names
from flexunet.data.images.files.listing import (
    is_mask_file,
    list_images,
    perhaps_inside,
    unread_pictures,
)
from flexunet.data.images.files.names import image_stem
from flexunet.errors import PairingError, PathError

_LISTED = 10


@dataclass(frozen=True)
class Pair:
    """An image, its mask, and whose image it is.

    Examples:
        >>> pair = flexunet.find_pairs("dataset/train/images", "dataset/train/masks")[0]
        >>> pair.image_path.name == pair.mask_path.name, pair.identity.patient_known
        (True, True)
    """

    image_path: Path
    mask_path: Path
    identity: Identity

    @property
    def stem(self) -> str:
        """Name of the image without its suffix."""
        return image_stem(self.image_path)

    @property
    def source(self) -> str:
        """Original image that it descends from."""
        return self.identity.source

    @property
    def patient(self) -> str:
        """The person it shows; the source where the person is unknown."""
        return self.identity.patient


def find_pairs(
    images_dir: Path | str, masks_dir: Path | str, mask_suffix: str = "", others: Sequence[Path] = ()
) -> list[Pair]:
    """Pair the images of one folder with the masks of another by stem, sorted by name.

    A mask may carry more than the stem of its image (`a_mask.png` for `a.png`): either say what in
    `mask_suffix`, or let it be found; that works if no mask has the plain name and one and the same ending
    explains all of them.

    Raises:
        PathError: if a folder is missing or has no images.
        PairingError: if an image has no mask, a mask no image, or two files share a stem.

    Examples:
        >>> pairs = flexunet.find_pairs("dataset/train/images", "dataset/train/masks")
        >>> len(pairs), pairs[0].patient
        (12, 'P001')
    """
    images_dir, masks_dir = Path(images_dir), Path(masks_dir)
    matches = match_names(list_images(images_dir), list_masks(masks_dir), mask_suffix or None)
    for folder in others:
        if matches.alone and folder.is_dir():
            found = match_names(matches.alone, mask_files(folder), "")
            partners = dict(sorted({**matches.partners, **found.partners}.items()))
            matches = replace(matches, partners=partners, alone=found.alone)
    if complaint := complaint_about(matches, images_dir, masks_dir):
        raise PairingError(complaint)
    identities = Identities.of_folder(images_dir)
    return [Pair(image, mask, identities.of(image)) for image, mask in matches.partners.items()]


def complaint_about(matches: Matches, images_dir: Path, masks_dir: Path) -> str:
    """What is wrong with the names of images and masks, and what to do; "" if all pair up."""
    for what, folder, repeated in (
        ("images", images_dir, matches.repeated),
        ("masks", masks_dir, matches.repeated_partners),
    ):
        if repeated:
            names = [" and ".join(path.name for path in paths) for paths in repeated]
            return (
                f"{what} with the same name but different endings in {folder}: {listed(names, _LISTED)}. "
                "Names pair images with masks, so each may occur once: rename or remove one of each."
            )
    paired = len(matches.partners)
    wrong = [
        f"{len(alone)} of {len(alone) + paired} {what} in {folder} have no {other}: "
        f"{listed([path.name for path in alone], _LISTED)}"
        for what, other, folder, alone in (
            ("images", "mask", images_dir, matches.alone),
            ("masks", "image", masks_dir, matches.strangers),
        )
        if alone
    ]
    if not wrong:
        return ""
    remedy = (
        "An image and its mask have the same name (endings may differ): add what is missing, or take the "
        f"file out. {matches.hint}{unread_pictures(masks_dir, masks=True)}"
    )
    return f"{'; '.join(wrong)}. {remedy.rstrip()}"


def list_masks(folder: Path | str) -> list[Path]:
    """Mask files in a folder: images and `.npz`, sorted by name.

    Raises:
        PathError: if the folder is missing or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise PathError(f"mask folder {folder} {what}. Check the path.")
    masks = mask_files(folder)
    if not masks:
        told = unread_pictures(folder, masks=True) + perhaps_inside(folder, "masks")
        raise PathError(f"no masks in {folder}: expected images or .npz files.{told}")
    return masks


def mask_files(folder: Path) -> list[Path]:
    """Mask files in a folder, sorted by name; none is no error."""
    masks = [path for path in folder.iterdir() if is_mask_file(path)]
    return sorted(masks, key=lambda path: path.name)
