"""Where the images and masks of a folder are, whichever of the known layouts it has.

    ROOT/{images,masks}/                       one folder
    ROOT/{train,valid,test}/{images,masks}/    the published data set
    ROOT/CLASS/{images,masks}/                 a folder a class (Cancer, Non-Cancer)
    ROOT/{images,masks}/CLASS/                 the same the other way round
    ROOT/                                      images alone

The older dialect's `image/` and `mask/` count as well. Class folders may also lie inside splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.images.files.listing import is_for_programs, is_image_file
from flexunet.errors import PathError

_IMAGES, _MASKS = ("images", "image"), ("masks", "mask")
_DEPTH = 2  # folders between the root and images/


@dataclass(frozen=True)
class FolderPair:
    """A folder of images and the folder of their masks.

    Attributes:
        split: `train`, `valid` or `test`; "" outside a split.
        class_name: Name of the class folder; "" if there is none.
        images: Folder of images.
        masks: Folder of masks; None if there is none.
    """

    split: str
    class_name: str
    images: Path
    masks: Path | None


def find_layout(root: Path | str) -> list[FolderPair]:
    """Folders of images below `root`, with their masks; splits in the order train, valid, test.

    Raises:
        PathError: if `root` is missing or no layout fits.
    """
    root = Path(root)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise PathError(f"data set {root} {what}. Check the path.")
    found = _search(root, "", "", _DEPTH)
    if not found and _holds_images(root):
        found = [FolderPair("", "", root, None)]
    if not found:
        raise PathError(
            f"{root} is no data set: expected images/ and masks/ in it, or in train/, valid/ and test/, or "
            "in a folder for each class."
        )
    order = {split: position for position, split in enumerate(SPLITS)}
    return sorted(found, key=lambda pair: (order.get(pair.split, -1), pair.class_name))


def _search(folder: Path, split: str, class_name: str, depth: int) -> list[FolderPair]:
    images = _child(folder, _IMAGES)
    if images:
        masks = _child(folder, _MASKS)
        found = [FolderPair(split, class_name, images, masks)] if _holds_images(images) else []
        for sub in _subfolders(images):
            if _holds_images(sub):
                sub_masks = masks / sub.name if masks and (masks / sub.name).is_dir() else None
                found.append(FolderPair(split, sub.name, sub, sub_masks))
        return found or [FolderPair(split, class_name, images, masks)]
    if not depth:
        return []
    found = []
    for sub in _subfolders(folder):
        if sub.name.lower() in SPLITS and not split:
            found += _search(sub, sub.name.lower(), class_name, depth - 1)
        else:
            found += _search(sub, split, class_name or sub.name, depth - 1)
    return found


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_for_programs(path.name))


def _holds_images(folder: Path) -> bool:
    return any(is_image_file(path) for path in folder.iterdir())
