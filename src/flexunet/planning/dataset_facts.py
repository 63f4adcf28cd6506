"""What a plan depends on in a data set: its splits, people, classes, sizes, sides and grey levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flexunet.config.checks import are_class_names
from flexunet.config.schema import default_of
from flexunet.data.configured import held_back
from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.nnunet import DESCRIPTION, read_description
from flexunet.data.derive.breast import find_breast
from flexunet.data.images.files.read import read_image
from flexunet.data.images.pixels import as_rgb
from flexunet.data.statistics.count import ALL, DatasetStatistics, ImageFacts
from flexunet.errors import DatasetError, FlexUNetError, counted, typed

_SEED = default_of("train", "seed")  # of a plan, which sets none
_LOOKED_AT = 48  # images that are opened to tell colour and side
_MAJORITY = 0.5
_TINT = 0.06  # difference of channels, as a share of the brightest value, up to which a pixel counts as grey
_MARK = 0.001  # share of pixels that may have a colour in a grey picture
# Difference of the shares of its height that a breast fills at its two sides: 0.3 and more on nine of
# ten films of each of six data sets, and less where something else is bright.
_CUT_OFF = 0.25


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
        width: Width of an image of the median area and the median ratio of sides, in pixels.
        height: Its height, in pixels.
        same_size: Whether all images have that size.
        shape_spread: 90th percentile of the ratios of width to height, divided by the 10th.
        is_grey: Whether no more than half of the images looked at hold colour.
        channels: Channels of images that are neither grey nor colour; 0 of others.
        class_names: Names of the classes above background, where `dataset.json` of nnU-Net gives them.
        foreground: Median share of the image that the classes from 1 on cover, of images where they occur.
        without_lesion: Share of the images whose mask holds class 0 alone.
        kept_with_lesion: Images with a lesion that are trained on; none that is held back for validation.
        kept_without_lesion: The same of images without.
        class_shares: Share of the pixels of each class.
        lesion_diameter: Diameter of a disc as large as the largest lesion of an image, in its pixels: 10th
            percentile over images with a lesion, None without any.
        small_lesion: Pixels of a lesion, 10th percentile over all of them, None without any.
        sides: Share of the breasts looked at whose chest wall is at the left; None where fewer than half of
            the images looked at show one.
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
    shape_spread: float
    is_grey: bool
    foreground: float
    without_lesion: float
    kept_with_lesion: int
    kept_without_lesion: int
    class_shares: tuple[float, ...]
    lesion_diameter: float | None
    small_lesion: float | None
    sides: float | None
    spacing: float | None
    spacing_spread: float | None
    channels: int = 0
    class_names: tuple[str, ...] = ()

    @property
    def training_images(self) -> int:
        """Images that a model is trained on, a held-back fifth included where there is no valid split."""
        return self.splits.get("train", 0) or self.splits.get(ALL, 0)

    @property
    def is_validated(self) -> bool:
        """Whether there are validation images: their own, or some that can be held back."""
        return "valid" in self.splits or self.patients > 1

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return max(self.colors.values()) + 1

    def document(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def _told(splits: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} in {split}' for split, count in splits.items())})" if splits else ""


def _way_to_masks(root: Path) -> str:
    """What to do where no image has a mask, by what lies in the folders."""
    if any(pair.masks for pair in find_layout(root)):
        return f"`flexunet audit {typed(root)}` names what is wrong."
    return (
        "Masks lie in a folder `masks` beside `images`, under the same names. Masks elsewhere, or beside "
        f"their images: `flexunet derive {typed(root)} OUT --masks FOLDER`; outlines in a file (COCO, VIA, "
        "LabelMe, ...): `--annotations FILE` in its place; none yet: `flexunet review` draws them."
    )


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
            f"{_told(splits)}. {_way_to_masks(statistics.root)}"
        )
    identities = [facts.entry.identity for facts in chosen]
    held = set() if "valid" in splits else held_back([i.patient for i in identities], _SEED)
    kept = [facts for facts in chosen if facts.entry.identity.patient not in held]
    areas = [max(facts.lesion_areas) for facts in chosen if facts.lesion_areas]
    every = [area for facts in chosen for area in facts.lesion_areas]
    shares = [facts.lesion_share for facts in chosen if facts.lesion_share > 0]
    pixels = np.sum([facts.class_pixels for facts in chosen], axis=0)
    spacings = sorted(_spacings(chosen))
    width, height, spread = _typical_size([(facts.width, facts.height) for facts in chosen])
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
        width=width,
        height=height,
        same_size=len({(facts.width, facts.height) for facts in chosen}) == 1,
        shape_spread=spread,
        is_grey=is_grey,
        foreground=round(float(np.median(shares)), 5) if shares else 0.0,
        kept_with_lesion=sum(facts.lesion_share > 0 for facts in kept),
        kept_without_lesion=sum(facts.lesion_share == 0 for facts in kept),
        without_lesion=round(1 - len(shares) / len(chosen), 3),
        class_shares=tuple(np.round(pixels / pixels.sum(), 5).tolist()),
        lesion_diameter=round(float(2 * np.sqrt(np.quantile(areas, 0.1) / np.pi)), 1) if areas else None,
        small_lesion=round(float(np.quantile(every, 0.1)), 1) if every else None,
        sides=sides,
        spacing=round(float(np.median(spacings)), 4) if spacings else None,
        spacing_spread=round(spacings[-1] / spacings[0], 3) if spacings else None,
        channels=channels,
        class_names=_names_of_classes(statistics),
    )


def _names_of_classes(statistics: DatasetStatistics) -> tuple[str, ...]:
    """Names of the classes above background as `dataset.json` of nnU-Net gives them; () where it does not."""
    if not (file := statistics.root / DESCRIPTION).is_file():
        return ()
    try:
        labels = read_description(file).labels
    except FlexUNetError:
        return ()  # some other program's dataset.json
    names = tuple(labels[index] for index in sorted(labels))
    is_complete = set(labels) == set(range(1, statistics.masks.color_map.num_classes))
    return names if is_complete and are_class_names(names) else ()


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


def _typical_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int, float]:
    """Width and height of the median area and ratio of sides, and how far the ratios spread.

    The medians of widths and heights apart would be the size of no image where some lie and others stand.

    Args:
        sizes: Width and height of each image, in pixels.
    """
    widths, heights = np.array(sizes, np.float64).T
    ratios = np.log(widths / heights)
    area, ratio = np.median(widths * heights), np.exp(np.median(ratios))
    low, high = np.quantile(ratios, [0.1, 0.9])
    width, height = max(1, round(np.sqrt(area * ratio))), max(1, round(np.sqrt(area / ratio)))
    return width, height, round(float(np.exp(high - low)), 3)


def _spacings(images: Sequence[ImageFacts]) -> list[float]:
    known = [spacing for facts in images if (spacing := facts.entry.identity.spacing)]
    return [float(np.mean(spacing)) for spacing in known]


def _look(images: Sequence[ImageFacts]) -> tuple[bool, float | None, int]:
    """Of a sample: whether most are grey, the share of chest walls at the left, channels beyond colour."""
    places = np.unique(np.linspace(0, len(images) - 1, _LOOKED_AT).astype(int)).tolist()
    looked, colored, sides, channels = 0, 0, [], 0
    for place in places:
        image = _read(images[place].entry.image)
        if image is None:
            continue
        looked += 1
        channels = max(channels, image.shape[2] if image.shape[2] not in (1, 3) else 0)
        picture = as_rgb(image)
        colored += _is_colored(picture)
        if side := _chest_side(picture[..., 0]):
            sides.append(side == "L")
    are_films = sides and len(sides) >= _MAJORITY * looked
    return (
        colored <= _MAJORITY * looked,
        round(sum(sides) / len(sides), 3) if are_films else None,
        channels,
    )


def _is_colored(picture: np.ndarray) -> bool:
    """Whether a picture `(H, W, 3)` holds more colour than a mark in a corner, or a tint, makes."""
    values = picture.astype(np.int32)
    spread = values.max(axis=2) - values.min(axis=2)
    return bool(np.mean(spread > _TINT * max(1, values.max())) > _MARK)


def _chest_side(grey: np.ndarray) -> str | None:
    """Side of the chest wall, `L` or `R`; None where what is bright is not cut off at one side."""
    try:
        breast = find_breast(grey)
    except FlexUNetError:
        return None
    x, y, width, height = cv2.boundingRect(breast.outline)
    inside = breast.outline[y : y + height, x : x + width]
    strip = max(1, width // 12)
    left, right = float(inside[:, :strip].mean()), float(inside[:, -strip:].mean())
    return breast.side if abs(left - right) >= _CUT_OFF else None


def _read(path: Path) -> np.ndarray | None:
    try:
        return read_image(path, None)
    except FlexUNetError:
        return None
