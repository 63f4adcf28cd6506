"""What a plan depends on in a data set: its splits, people, classes, sizes, sides and grey levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.dataset.layouts import find_layout
from flexunet.data.derive.breast import find_breast
from flexunet.data.images.files.read import read_image
from flexunet.data.images.pixels import as_rgb
from flexunet.data.statistics.count import ALL, DatasetStatistics, ImageFacts
from flexunet.errors import DatasetError, FlexUNetError, counted

_LOOKED_AT = 48  # images that are opened to tell colour and side


@dataclass(frozen=True)
class DatasetFacts:
    """Figures of a data set that a plan rests on, of the images that a model may be trained on.

    Attributes:
        root: Its folder.
        splits: Images with masks in each split; one split "all" where there are none.
        folders: Folders of images and of masks of each split, relative to the data set; `*` for any name.
        patients: People, or sources where the person is unknown.
        patients_known: Images whose patient is known, as a share of all.
        colors: Class of each colour of the masks.
        width: Median width of the images, in pixels.
        height: Median height of the images, in pixels.
        same_size: Whether all images have that size.
        is_grey: Whether the images looked at hold no colour.
        channels: Channels of images that are neither grey nor colour; 0 of others.
        foreground: Median share of the image that the classes from 1 on cover, of images where they occur.
        without_lesion: Share of the images whose mask holds class 0 alone.
        class_shares: Share of the pixels of each class.
        lesion_diameter: Diameter of a disc as large as the largest lesion of an image, in its pixels: 10th
            percentile over images with a lesion, None without any.
        sides: Share of the images whose chest wall is at the left; None where no breast was made out.
        spacing: Median pixel spacing in mm; None where the manifest tells none.
        spacing_spread: Largest spacing divided by the smallest; None likewise.
    """

    root: str
    splits: dict[str, int]
    folders: dict[str, tuple[str, str]]
    patients: int
    patients_known: float
    colors: dict[str, int]
    width: int
    height: int
    same_size: bool
    is_grey: bool
    foreground: float
    without_lesion: float
    class_shares: tuple[float, ...]
    lesion_diameter: float | None
    sides: float | None
    spacing: float | None
    spacing_spread: float | None
    channels: int = 0

    @property
    def training_images(self) -> int:
        """Images that a model is trained on, a held-back fifth included where there is no valid split."""
        return self.splits.get("train", 0) or self.splits.get(ALL, 0)

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return max(self.colors.values()) + 1

    def document(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def _told(splits: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} in {split}' for split, count in splits.items())})" if splits else ""


def facts_of(statistics: DatasetStatistics) -> DatasetFacts:
    """The figures of a measured data set; a split `test` counts in `splits` alone.

    Raises:
        DatasetError: if no image with a mask can be trained on.
    """
    usable = [facts for facts in statistics.images if not facts.problem and facts.entry.mask is not None]
    splits = Counter(facts.split for facts in usable)
    chosen = [facts for facts in usable if facts.split in ("train", ALL)]
    if not chosen:
        raise DatasetError(
            f"{statistics.root}: expected images with masks to train on, found "
            f"{counted(len(statistics.images), 'image')}, of which {len(usable)} have a readable mask"
            f"{_told(splits)}. Masks lie in a folder `masks` beside `images`, under the same names; "
            "`flexunet audit` names what is wrong."
        )
    identities = [facts.entry.identity for facts in chosen]
    areas = [max(facts.lesion_areas) for facts in chosen if facts.lesion_areas]
    shares = [facts.lesion_share for facts in chosen if facts.lesion_share > 0]
    pixels = np.sum([facts.class_pixels for facts in chosen], axis=0)
    spacings = sorted(_spacings(chosen))
    is_grey, sides, channels = _look(chosen)
    return DatasetFacts(
        root=str(statistics.root),
        splits=dict(splits),
        folders={split: _folders(statistics.root, split) for split in splits},
        patients=len({identity.patient for identity in identities}),
        patients_known=round(sum(identity.patient_known for identity in identities) / len(chosen), 3),
        colors={
            ",".join(map(str, color)): index
            for color, index in statistics.masks.color_map.colors_to_class.items()
        },
        width=round(float(np.median([facts.width for facts in chosen]))),
        height=round(float(np.median([facts.height for facts in chosen]))),
        same_size=len({(facts.width, facts.height) for facts in chosen}) == 1,
        is_grey=is_grey,
        foreground=round(float(np.median(shares)), 5) if shares else 0.0,
        without_lesion=round(1 - len(shares) / len(chosen), 3),
        class_shares=tuple(np.round(pixels / pixels.sum(), 5).tolist()),
        lesion_diameter=round(float(2 * np.sqrt(np.quantile(areas, 0.1) / np.pi)), 1) if areas else None,
        sides=sides,
        spacing=round(float(np.median(spacings)), 4) if spacings else None,
        spacing_spread=round(spacings[-1] / spacings[0], 3) if spacings else None,
        channels=channels,
    )


def _folders(root: Path, split: str) -> tuple[str, str]:
    """The folders of a split as a configuration names them."""
    pairs = [pair for pair in find_layout(root) if pair.masks and pair.split in (split, "")]
    return _pattern(root, [pair.images for pair in pairs]), _pattern(
        root, [Path(str(pair.masks)) for pair in pairs]
    )


def _pattern(root: Path, folders: Sequence[Path]) -> str:
    """One path for several folders, `*` where their names differ.

    Raises:
        DatasetError: if no such path means these folders alone.
    """
    parts = [folder.relative_to(root).parts for folder in folders]
    pattern = "/".join(same[0] if len(set(same)) == 1 else "*" for same in zip(*parts, strict=False))
    if len({len(each) for each in parts}) > 1 or sorted(root.glob(pattern)) != sorted(folders):
        raise DatasetError(
            f"{root} has images in {', '.join('/'.join(each) for each in parts)}, which one path with '*' "
            "does not tell apart from other folders: `flexunet split` writes them as one data set."
        )
    return pattern


def _spacings(images: Sequence[ImageFacts]) -> list[float]:
    known = [spacing for facts in images if (spacing := facts.entry.identity.spacing)]
    return [float(np.mean(spacing)) for spacing in known]


def _look(images: Sequence[ImageFacts]) -> tuple[bool, float | None, int]:
    """Of a sample: whether it is grey, the share whose chest wall is at the left, channels beyond colour."""
    places = np.unique(np.linspace(0, len(images) - 1, _LOOKED_AT).astype(int)).tolist()
    is_grey, sides, channels = True, [], 0
    for place in places:
        image = _read(images[place].entry.image)
        if image is None:
            continue
        channels = max(channels, image.shape[2] if image.shape[2] not in (1, 3) else 0)
        picture = as_rgb(image)
        is_grey = is_grey and not np.any(picture != picture[..., :1])
        try:
            sides.append(find_breast(picture[..., 0]).side == "L")
        except FlexUNetError:
            continue  # no breast in it: not a mammogram
    return is_grey, round(sum(sides) / len(sides), 3) if sides else None, channels


def _read(path: Path) -> np.ndarray | None:
    try:
        return read_image(path, None)
    except FlexUNetError:
        return None
