"""The images of a data set in any layout, each with its mask where it has one, and whose image it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.identity import Identities, Identity
from flexunet.data.dataset.layouts import FolderPair
from flexunet.data.dataset.matching import Matches, match_names
from flexunet.data.dataset.pairs import mask_files
from flexunet.data.images.files.listing import is_image_file
from flexunet.data.images.files.names import image_stem


@dataclass(frozen=True)
class ListedImage:
    """An image of a data set, and its mask if it has one.

    Attributes:
        name: Path of the image relative to the data set, forward slashes.
        image: Path of the image.
        mask: Path of the mask; None if there is none.
        split: Folder of the split: `train`, `valid`, `test`, or "" outside of splits.
        class_name: The manifest's column `class`, else the class folder; "" without either.
        identity: Whose image it is.
    """

    name: str
    image: Path
    mask: Path | None
    split: str
    class_name: str
    identity: Identity

    @property
    def stem(self) -> str:
        """Name without folder and suffix."""
        return image_stem(self.image)


def list_dataset(root: Path, folder: FolderPair) -> tuple[list[ListedImage], Matches]:
    """Images of one folder of a data set, sorted by name, and how they match the masks beside them.

    Raises:
        DatasetError: if the manifest cannot be read.
    """
    images = sorted(path for path in folder.images.iterdir() if is_image_file(path))
    matches = match_names(images, mask_files(folder.masks) if folder.masks else [])
    identities = Identities.of_folder(folder.images)
    entries = []
    for image in images:
        identity = identities.of(image)
        name, mask = image.relative_to(root).as_posix(), matches.partners.get(image)
        class_name = identity.row.get("class") or folder.class_name
        entries.append(ListedImage(name, image, mask, folder.split, class_name, identity))
    return entries, matches
