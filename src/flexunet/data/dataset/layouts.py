"""Where the images and masks of a folder are, whichever of the known layouts it has.

    ROOT/{images,masks}/                       one folder
    ROOT/{train,valid,test}/{images,masks}/    the published data set
    ROOT/CLASS/{images,masks}/                 a folder a class (Cancer, Non-Cancer)
    ROOT/{images,masks}/CLASS/                 the same the other way round
    ROOT/{imagesTr,labelsTr,imagesTs,labelsTs}/  the raw folder of nnU-Net, with one channel a case
    ROOT/                                      images alone

The older dialect's `image/` and `mask/` count as well. Class folders may also lie inside splits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.nnunet import DESCRIPTION, read_description
from flexunet.data.images.files.listing import is_for_programs, is_image_file
from flexunet.data.images.files.names import IMAGE_SUFFIXES
from flexunet.data.volumes.read import is_volume_file
from flexunet.errors import DatasetError, PathError, counted, typed

_IMAGES, _MASKS = ("images", "image"), ("masks", "mask")
_NNUNET = (("train", "imagesTr", "labelsTr"), ("test", "imagesTs", "labelsTs"))
_DEPTH = 2  # folders between the root and images/
_SHOWN = 6  # folders that a refusal names


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
        DatasetError: if it is a raw folder of nnU-Net that cannot be used as it is.
    """
    root = Path(root)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise PathError(f"data set {root} {what}. Check the path.")
    found = _nnunet(root) or _search(root, "", "", _DEPTH)
    if not found and _holds_images(root):
        found = [FolderPair("", "", root, None)]
    if not found:
        raise PathError(
            f"{root} is no data set: expected images/ and masks/ in it, or in train/, valid/ and test/, or "
            f"in a folder for each class, {_there(root)}"
        )
    order = {split: position for position, split in enumerate(SPLITS)}
    return sorted(found, key=lambda pair: (order.get(pair.split, -1), pair.class_name))


def no_images(root: Path, folders: Iterable[FolderPair]) -> PathError:
    """The error of a data set in whose folders no image lies."""
    volumes = sorted(path.name for pair in folders for path in pair.images.iterdir() if is_volume_file(path))
    if volumes:
        return PathError(
            f"{root} holds no image. {counted(len(volumes), 'file is a volume', 'files are volumes')}, "
            f"{volumes[0]} for example: models are trained on images, and predict volumes slice by slice "
            "(`flexunet infer3d`). Write the slices and their masks as PNG files."
        )
    return PathError(f"{root} holds no image. Check the path, and that its images/ is not empty.")


def _nnunet(root: Path) -> list[FolderPair]:
    """The folders of a raw folder of nnU-Net; test images without labels are there to be predicted alone.

    Raises:
        DatasetError: if `dataset.json` tells of what masks of class indices beside images cannot express.
    """
    pairs = [
        FolderPair(split, "", root / images, root / labels)
        for split, images, labels in _NNUNET
        if (root / images).is_dir() and (root / labels).is_dir()
    ]
    if not pairs or not (root / DESCRIPTION).is_file():
        return pairs
    about = read_description(root / DESCRIPTION)
    reasons = [
        (len(about.channels) > 1, f"{len(about.channels)} channels, each in a file of its own"),
        (about.ignored is not None, f"the label 'ignore' ({about.ignored})"),
        (about.ending.lower() not in IMAGE_SUFFIXES, f"files ending in {about.ending}"),
    ]
    for applies, what in reasons:
        if applies:
            raise DatasetError(
                f"{root} is a raw folder of nnU-Net with {what}, which is not used as it is. "
                f"`flexunet derive {typed(root)} DATASET --dataset nnunet` makes a data set of its images; "
                "volumes of several slices are predicted (`flexunet infer3d`), not trained on."
            )
    return pairs


def _there(root: Path) -> str:
    """What a folder of no known layout holds, and what to do; ends the sentence of a refusal."""
    folders = _subfolders(root)
    inside = next((folder for folder in folders if (folder / _NNUNET[0][1]).is_dir()), None)
    if inside:
        return f"found a raw folder of nnU-Net in it: give {inside}."
    if not folders:
        return "found no folder in it. Check the path."
    more = ", ..." if len(folders) > _SHOWN else ""
    return (
        f"found {', '.join(f'{folder.name}/' for folder in folders[:_SHOWN])}{more}. Rename the folders, or "
        "make a data set of raw films and their masks or outlines with `flexunet derive`."
    )


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
