"""A data set folder in the published layout: `train|valid|test/{images,masks}/`."""

from pathlib import Path

from flexunet.data.dataset.pairs import Pair, find_pairs
from flexunet.errors import PathError

SPLITS = ("train", "valid", "test")


class DatasetFolder:
    """The splits of a data set on disk.

    Args:
        root: Folder that holds `train`, `valid` and `test` (at least one of them).

    Raises:
        PathError: if the folder is missing or has none of the splits.
    """

    def __init__(self, root: Path | str):
        self.root = Path(root)
        if not self.root.is_dir():
            what = "is a file, not a folder" if self.root.exists() else "does not exist"
            raise PathError(f"data set {self.root} {what}. Check the path.")
        self.splits = [split for split in SPLITS if self.images_dir(split).is_dir()]
        if not self.splits:
            raise PathError(
                f"{self.root} is no data set: expected train/images, valid/images or test/images in it."
            )

    def __repr__(self) -> str:
        return f"DatasetFolder({str(self.root)!r})"

    def images_dir(self, split: str) -> Path:
        """Folder of a split's images."""
        return self.root / split / "images"

    def masks_dir(self, split: str) -> Path:
        """Folder of a split's masks."""
        return self.root / split / "masks"

    def pairs(self, split: str) -> list[Pair]:
        """Images with their masks, sorted by name.

        Raises:
            PathError: if the split is missing or empty.
            PairingError: if images and masks do not match by name.
        """
        return find_pairs(self.images_dir(split), self.masks_dir(split))
