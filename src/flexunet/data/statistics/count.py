"""What a data set holds: counts, lesion sizes, grey levels, split by split.

    statistics = measure_dataset("phantoms")
    statistics.summary()        # a document for JSON
    write_statistics(statistics, "out")     # charts and contact sheets (statistics/write.py)

Images are read one at a time; only a few figures of each stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.data.dataset.identity import doubtful_patients
from flexunet.data.dataset.layouts import FolderPair, find_layout, no_images
from flexunet.data.dataset.listing import ListedImage, list_dataset
from flexunet.data.dataset.pairs import complaint_about
from flexunet.data.images.files.read import read_picture
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.pixels import to_model_range
from flexunet.data.images.regions import find_regions
from flexunet.errors import FlexUNetError
from flexunet.progress import Progress, silent

ALL = "all"  # the split of images that lie in none
_BINS = 256


@dataclass(frozen=True)
class ImageFacts:
    """What is kept of one image and its mask.

    Attributes:
        entry: The image, its mask, and whose image it is.
        split: `train`, `valid`, `test` or `all`.
        width: Pixels.
        height: Pixels.
        histogram: Pixels of each grey level 0 to 255, int64 `(256,)`; colour as its luma.
        class_pixels: Pixels of each class, background included.
        ignored_pixels: Pixels of no class, which count for nothing (`[mask] ignore`).
        lesion_areas: Area of each lesion in pixels: connected areas of each foreground class.
        lesion_grey: Mean grey level inside the lesions; NaN without any.
        problem: Why the image or its mask cannot be read; "" if they can.
    """

    entry: ListedImage
    split: str
    width: int = 0
    height: int = 0
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    class_pixels: tuple[int, ...] = ()
    ignored_pixels: int = 0
    lesion_areas: tuple[int, ...] = ()
    lesion_grey: float = float("nan")
    problem: str = ""

    @property
    def lesion_share(self) -> float:
        """Share of the image that lesions cover."""
        return sum(self.class_pixels[1:]) / max(1, self.width * self.height)


@dataclass(frozen=True)
class DatasetStatistics:
    """Figures of a whole data set.

    Attributes:
        root: Its folder.
        masks: How masks were read.
        images: Facts of each image, split by split.
        notes: What is odd about the files.
    """

    root: Path
    masks: MaskReader
    images: list[ImageFacts]
    notes: list[str]

    @property
    def splits(self) -> list[str]:
        """Splits in their order."""
        return list(dict.fromkeys(facts.split for facts in self.images))

    def of_split(self, split: str) -> list[ImageFacts]:
        """Facts of the images of a split."""
        return [facts for facts in self.images if facts.split == split]

    def summary(self) -> dict[str, Any]:
        """All figures as one document."""
        return {
            "root": str(self.root),
            "classes": self.masks.color_map.num_classes,
            "splits": {split: summarise(self.of_split(split)) for split in self.splits},
            "notes": self.notes,
        }


def measure_dataset(
    root: Path | str,
    masks: MaskReader | None = None,
    *,
    workers: int = 4,
    progress: Progress = silent,
) -> DatasetStatistics:
    """Measure every image and mask of a data set, whatever its layout, with or without a manifest.

    Args:
        root: Folder of the data set.
        masks: How masks are read; if left out, colours are guessed (black and white unless they clearly are
            not).
        workers: Threads that read.
        progress: Told how many images are measured.

    Raises:
        PathError: if there is no data set, or no image in it.
    """
    root, notes = Path(root), list[str]()
    folders = find_layout(root)
    planned = [facts for folder in folders for facts in _plan(root, folder, notes)]
    if not planned:
        raise no_images(root, folders)
    if masks is None:
        masks, guessed = guess_reader([path for facts in planned if (path := facts.entry.mask)])
        notes += [guessed] if guessed else []
    reader = masks
    notes += doubtful_patients([facts.entry.identity.row for facts in planned])
    measured: list[ImageFacts] = []
    with ThreadPoolExecutor(workers) as pool:
        for facts in pool.map(lambda plan: _measure(plan, reader), planned):
            measured.append(facts)
            if facts.problem:
                notes.append(facts.problem)
            progress("images", len(measured), len(planned))
    return DatasetStatistics(root, reader, measured, notes)


def images_with_class(images: Iterable[ImageFacts], classes: int) -> list[int]:
    """In how many images each class occurs, background first; images without a readable mask do not count."""
    masked = [facts.class_pixels for facts in images if facts.class_pixels]
    return [sum(bool(pixels[value]) for pixels in masked) for value in range(classes)]


def summarise(images: Sequence[ImageFacts]) -> dict[str, Any]:
    """Figures of a group of images."""
    readable = [facts for facts in images if not facts.problem]
    known = {facts.entry.identity.known_patient for facts in images if facts.entry.identity.patient_known}
    masked = [facts for facts in readable if facts.entry.mask is not None]
    with_lesion = [facts for facts in masked if facts.lesion_areas]
    areas = [area for facts in masked for area in facts.lesion_areas]
    histogram = np.sum([facts.histogram for facts in readable], axis=0) if readable else np.zeros(_BINS)
    classes = max((len(facts.class_pixels) for facts in masked), default=0)
    pixels = np.sum([facts.class_pixels for facts in masked], axis=0) if classes else np.zeros(0)
    ignored = sum(facts.ignored_pixels for facts in masked)
    return {
        "images": len(images),
        "originals": sum(not facts.entry.identity.operation for facts in images),
        "sources": len({facts.entry.identity.source for facts in images}),
        "patients": len(known),
        "images_of_unknown_patients": sum(not facts.entry.identity.patient_known for facts in images),
        "without_mask": sum(facts.entry.mask is None for facts in images),
        "unreadable": len(images) - len(readable),
        "sizes": dict(Counter(f"{facts.width}x{facts.height}" for facts in readable).most_common()),
        "class_folders": dict(
            sorted(Counter(f.entry.class_name for f in images if f.entry.class_name).items())
        ),
        "operations": dict(
            Counter(f.entry.identity.operation for f in images if f.entry.identity.operation).most_common()
        ),
        "images_with_lesion": len(with_lesion),
        "images_with_empty_mask": len(masked) - len(with_lesion),
        "lesions": len(areas),
        "lesion_area_pixels": quantiles(areas),
        "lesion_share_of_image": quantiles([facts.lesion_share for facts in with_lesion]),
        "class_share_of_pixels": [round(float(share), 6) for share in pixels / max(1, pixels.sum())],
        "images_with_class": images_with_class(masked, classes),
        "ignored_share_of_pixels": round(ignored / max(1, ignored + int(pixels.sum())), 6),
        "grey": grey_levels(histogram),
        "lesion_grey_mean": _mean([facts.lesion_grey for facts in with_lesion]),
    }


def quantiles(values: Iterable[float]) -> dict[str, float] | None:
    """Minimum, quartiles, maximum and mean; None of nothing."""
    known = np.asarray(list(values), np.float64)
    if not known.size:
        return None
    names = ("min", "q25", "median", "q75", "max")
    figures = dict(zip(names, np.quantile(known, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
    return {name: round(value, 6) for name, value in {**figures, "mean": float(known.mean())}.items()}


def grey_levels(histogram: np.ndarray) -> dict[str, float] | None:
    """Mean, standard deviation, quantiles and share of black of a histogram of grey levels."""
    total = float(histogram.sum())
    if not total:
        return None
    levels = np.arange(_BINS)
    mean = float((histogram * levels).sum() / total)
    spread = float(np.sqrt((histogram * (levels - mean) ** 2).sum() / total))
    cumulative = np.cumsum(histogram) / total
    marks = {f"q{share}": float(np.searchsorted(cumulative, share / 100)) for share in (50, 90, 99)}
    return {"mean": round(mean, 3), "std": round(spread, 3), **marks, "black": round(histogram[0] / total, 6)}


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(known)), 3) if known else None


def _plan(root: Path, folder: FolderPair, notes: list[str]) -> list[ImageFacts]:
    """Images of one folder, not yet measured; notes about those that do not pair up."""
    entries, matches = list_dataset(root, folder)
    if not entries:
        notes.append(f"no images in {folder.images}.")
    elif folder.masks is None:
        notes.append(f"{folder.images} has no folder of masks beside it.")
    elif complaint := complaint_about(matches, folder.images, folder.masks):
        notes.append(complaint)
    return [ImageFacts(entry, entry.split or entry.identity.row.get("split") or ALL) for entry in entries]


def _measure(plan: ImageFacts, masks: MaskReader) -> ImageFacts:
    try:
        grey = np.rint(to_model_range(read_picture(plan.entry.image, channels=1)[..., 0])).astype(np.uint8)
        height, width = grey.shape
        facts = replace(
            plan, width=width, height=height, histogram=np.bincount(grey.ravel(), minlength=_BINS)
        )
        if plan.entry.mask is None:
            return facts
        mask = masks.read_like(plan.entry.mask, grey.shape, plan.entry.image)
    except FlexUNetError as error:
        return replace(plan, problem=str(error))
    count = masks.color_map.num_classes
    classes, ignored = np.bincount(mask.ravel(), minlength=count), 0
    if masks.color_map.ignore is not None:
        ignored = int(classes[count:].sum())
        classes, (mask, _) = classes[:count], without_ignored(mask)
    areas: list[int] = []
    for value in np.flatnonzero(classes[1:]) + 1:
        areas += find_regions(mask == value).areas.tolist()
    inside = float(grey[mask > 0].mean()) if areas else float("nan")
    return replace(
        facts,
        class_pixels=tuple(classes.tolist()),
        ignored_pixels=ignored,
        lesion_areas=tuple(areas),
        lesion_grey=inside,
    )
