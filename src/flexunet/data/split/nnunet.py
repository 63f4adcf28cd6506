"""Write a data set as a raw folder of nnU-Net.

    write_nnunet("dataset", "Dataset001_Mass", labels=("mass",))

Training and validation images go to `imagesTr`, test images to `imagesTs`; `splits_final.json` keeps apart
what FlexUNet kept apart. Images become PNG of 8 or 16 bits, masks their class indices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from flexunet.data.dataset.layouts import find_layout
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.nnunet import (
    FOLDER_NAME,
    NnunetDescription,
    channel_name,
    write_description,
    write_splits,
)
from flexunet.data.images.color_map import IGNORED
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.reader import survey_range
from flexunet.data.split.split_images import SplitImage, collect_items
from flexunet.data.split.write import growing
from flexunet.errors import ConfigError, DatasetError, counted
from flexunet.progress import Progress, silent
from flexunet.workers import work_in_processes

_ENDING = ".png"
_GREY, _COLOUR = ("mammogram",), ("red", "green", "blue")


@dataclass(frozen=True)
class _Job:
    """How a worker writes cases: into which folder, by which colours, and by which range of 16-bit images."""

    folder: Path
    masks: MaskReader
    grey_range: str


@dataclass(frozen=True)
class _Case:
    """An image of the data set, and the part of it that it belongs to; "" where it is not divided."""

    image: SplitImage
    split: str

    def files(self) -> tuple[str, str]:
        """Its image and its labels in the folder of nnU-Net."""
        part = "Ts" if self.split == "test" else "Tr"
        return f"images{part}/{self.channel_file(0)}", f"labels{part}/{self.image.name}{_ENDING}"

    def channel_file(self, number: int) -> str:
        """Name of the file of a channel."""
        return channel_name(self.image.name, number, _ENDING)


def write_nnunet(
    root: Path | str,
    out: Path | str,
    *,
    masks: MaskReader | None = None,
    labels: Sequence[str] = (),
    jobs: int = 1,
    progress: Progress = silent,
) -> tuple[dict[str, int], list[str]]:
    """Write a data set as a raw folder of nnU-Net; it appears whole or not at all.

    Args:
        root: Folder of images and masks in any known layout.
        out: The folder to write, named `DatasetNNN_NAME` as nnU-Net wants it; it must not exist.
        masks: How masks are read; if left out, colours are guessed.
        labels: Name of each class from 1 on; `lesion`, or `class_1` and so on, when left out.
        jobs: Worker processes.
        progress: Told how many images are written.

    Returns:
        How many cases have which part, and what a user should know, a sentence each.

    Raises:
        ConfigError: if the folder's name or the names of the classes do not fit.
        DatasetError: if `out` exists.
        PathError, PairingError, ImageError, MaskError: if the data set cannot be read.
    """
    root, out = Path(root), Path(out)
    if not FOLDER_NAME.fullmatch(out.name):
        raise ConfigError(
            f"nnU-Net knows a data set by its folder, DatasetNNN_NAME with three digits: name the folder so, "
            f"for example {out.with_name('Dataset001_Mammograms')}, not {out.name!r}."
        )
    if out.exists():
        raise DatasetError(f"{out} already exists. Choose a new folder, or remove the old one.")
    cases, notes = _cases(root, progress)
    if masks is None:
        masks, guessed = guess_reader([case.image.pair.mask_path for case in cases])
        notes += [guessed] if guessed else []
    named = _label_names(labels, masks.color_map.num_classes)
    if masks.color_map.ignore is not None:
        named[masks.color_map.num_classes] = "ignore"  # nnU-Net's own name of the label after all classes
    survey = survey_range(case.image.pair.image_path for case in cases)
    rule = survey.rule if survey.count else "full"
    if note := survey.note(rule, "images"):
        notes.append(note)
    told = [str(masks), rule, *(f"{case.image.name} {case.image.sha256} {case.split}" for case in cases)]
    with growing(out, hashlib.sha256("\n".join(told).encode()).hexdigest()) as folder:
        job = partial(_write_case, job=_Job(folder, masks, rule))
        widths: list[int] = []
        for width in work_in_processes(job, cases, jobs):
            widths.append(width)
            progress("write", len(widths), len(cases))
        channels = _channel_names(set(widths))
        if set(widths) == {len(_GREY), len(_COLOUR)}:
            for case in cases:
                _make_colour(folder / case.files()[0])
            notes.append("grey images were written in three channels, since others have colours.")
        counts = {part: sum(case.split == part for case in cases) for part in ("", "train", "valid", "test")}
        about = NnunetDescription(out.name.partition("_")[2], channels, named, _ENDING)
        write_description(folder, about, len(cases) - counts["test"])
        notes += _write_splits(folder, cases, counts)
        _manifest(cases).write(folder)
    return {part: count for part, count in counts.items() if count}, notes


def _label_names(labels: Sequence[str], num_classes: int) -> dict[int, str]:
    wanted = num_classes - 1
    names = list(labels) or (
        ["lesion"] if wanted == 1 else [f"class_{value}" for value in range(1, num_classes)]
    )
    if len(names) != wanted or len(set(names)) < wanted or not all(names):
        raise ConfigError(
            f"--labels: expected a name of its own for each of the {counted(wanted, 'class', 'classes')} "
            f"from 1 on, found {', '.join(names)}."
        )
    return dict(enumerate(names, start=1))


def _cases(root: Path, progress: Progress) -> tuple[list[_Case], list[str]]:
    """The originals of a data set; copies by augmentation are left out."""
    splits = {folder.images: folder.split for folder in find_layout(root)}
    images = collect_items(root, progress)
    originals = [image for image in images if not image.identity.operation]
    notes = []
    if left := len(images) - len(originals):
        notes.append(
            f"{counted(left, 'copy', 'copies')} by augmentation left out: nnU-Net augments while it trains."
        )
    return [_Case(image, splits[image.pair.image_path.parent]) for image in originals], notes


def _channel_names(widths: set[int]) -> tuple[str, ...]:
    """Names of the channels of images that have so many."""
    if widths <= {len(_GREY), len(_COLOUR)}:
        return _COLOUR if len(_COLOUR) in widths else _GREY
    if len(widths) > 1:
        raise DatasetError(
            f"images have {' and '.join(map(str, sorted(widths)))} channels; nnU-Net wants as many of each."
        )
    return tuple(f"channel_{number}" for number in range(widths.pop()))


def _write_case(case: _Case, job: _Job) -> int:
    """Write image and labels of a case that are not there yet; how many channels the image has.

    Grey and RGB are one file; of other images each channel is one.
    """
    image_file, label_file = (job.folder / file for file in case.files())
    pair = case.image.pair
    if not label_file.exists():
        image = _grey_if_grey(read_image(pair.image_path, None, grey_range=job.grey_range))
        mask = job.masks.read_like(pair.mask_path, image.shape, pair.image_path)
        if job.masks.color_map.ignore is not None:
            mask = np.where(mask == IGNORED, np.uint8(job.masks.color_map.num_classes), mask)
        whole = image.shape[2] in (len(_GREY), len(_COLOUR))
        planes = [image] if whole else np.split(image, image.shape[2], axis=2)
        files = [image_file.with_name(case.channel_file(number)) for number in range(len(planes))]
        for file, pixels in (*zip(files, planes, strict=True), (label_file, mask)):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_image(file, np.ascontiguousarray(pixels))
        return image.shape[2]
    count = 0
    while image_file.with_name(case.channel_file(count)).is_file():
        count += 1
    return count if count > 1 else read_image(image_file, None).shape[2]


def _grey_if_grey(image: np.ndarray) -> np.ndarray:
    grey = image[..., :1]
    return grey if (image == grey).all() else image


def _make_colour(path: Path) -> None:
    image = read_image(path, None)
    if image.shape[2] == 1:
        write_image(path, np.repeat(image, len(_COLOUR), axis=2))


def _write_splits(folder: Path, cases: Sequence[_Case], counts: dict[str, int]) -> list[str]:
    if not counts["train"] or not counts["valid"]:
        return [
            "nnU-Net divides cases by chance, so that one patient may be in training and validation: divide "
            "the data set with `flexunet split` first."
        ]
    write_splits(
        folder, [{case.image.name: case.split for case in cases if case.split in ("train", "valid")}]
    )
    return [
        "nnU-Net looks for splits_final.json beside its plans: after nnUNetv2_plan_and_preprocess, copy it "
        "to nnUNet_preprocessed/DATASET, and train fold 0."
    ]


def _manifest(cases: Sequence[_Case]) -> Manifest:
    """What is known of each case, for `derive --dataset nnunet`; nnU-Net does not read it."""
    manifest = Manifest()
    for case in cases:
        identity = case.image.identity
        known = {name: value for name, value in identity.row.items() if value and name != "sha256"}
        file, mask = case.files()
        own = {"file": file, "mask": mask, "split": case.split, "source": identity.source}
        group = {"class": case.image.class_name} if case.image.class_name else {}
        manifest.append({**known, **own, **group, "patient": identity.known_patient})
    return manifest
