"""The copies of one image and its mask, written with their manifest rows."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.augment.operations import planned
from flexunet.data.augment.record import Row
from flexunet.data.augment.steps import Step
from flexunet.data.configured import color_map, mask_reader
from flexunet.data.dataset.manifest import sha256_of
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.names import ARRAY_SUFFIX, image_stem
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.indices import resize_mask
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.pixels import resize_image
from flexunet.errors import DatasetError
from flexunet.files import write_bytes

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_WRITERS = 4  # waiting for the disk takes longer than encoding; a few threads wait at once


@dataclass(frozen=True)
class Job:
    """What holds for all pairs.

    Attributes:
        out: Data set that is written.
        config: Operations, colours and seed.
        size: Width and height of everything written; None keeps each image's own.
    """

    out: Path
    config: Config
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Task:
    """One pair.

    Attributes:
        pair: Image and mask.
        split: Folder of the data set it is in; "" in a plain pair of folders.
        augmented: Whether copies are written, or the original alone.
    """

    pair: Pair
    split: str
    augmented: bool


def files_of(task: Task, steps: list[Step]) -> list[tuple[str, str]]:
    """Image and mask files, relative to the data set, that a task writes; the original's come first."""
    folder = PurePosixPath(task.split)
    name, stem = task.pair.image_path.name, task.pair.stem
    names = [(name, f"{stem}.png")]
    if task.augmented:
        suffix = ARRAY_SUFFIX if task.pair.image_path.suffix.lower() == ARRAY_SUFFIX else ".png"
        names += [(f"{step.prefix}{stem}{suffix}", f"{step.prefix}{stem}.png") for step in steps]
    return [(str(folder / "images" / image), str(folder / "masks" / mask)) for image, mask in names]


def write_pair(task: Task, job: Job) -> list[Row]:
    """Write the original and, if wanted, its copies.

    The original image is copied byte for byte unless its size changes; every mask becomes a palette PNG in
    the colours of the map.

    Returns:
        Manifest rows, the original's first.

    Raises:
        ImageError, MaskError: if a file cannot be read or image and mask differ in size.
        PathError: if a file cannot be written.
    """
    steps = planned(job.config) if task.augmented else []
    colors = color_map(job.config)
    rows: list[Row] = []
    pending: deque[tuple[Row, Future[str]]] = deque()
    with ThreadPoolExecutor(_WRITERS) as writers:
        for (file, mask_file), (facts, image, mask) in zip(
            files_of(task, steps), _versions(task, job, steps), strict=True
        ):
            identity = task.pair.identity
            row = {**identity.row, "source": identity.source, "patient": identity.known_patient}
            row |= {"file": file, "mask": mask_file, "split": task.split, **facts}
            saved = writers.submit(_save, job.out / file, image, job.out / mask_file, mask, colors)
            pending.append((row, saved))
            if len(pending) > _WRITERS:
                rows.append(_finished(*pending.popleft()))
        rows += [_finished(*each) for each in pending]
    return rows


def _versions(
    task: Task, job: Job, steps: list[Step]
) -> Iterator[tuple[Row, np.ndarray | bytes, np.ndarray]]:
    """Operation and parameters, image and mask of the original and of each copy."""
    path = task.pair.image_path
    image = read_image(path, channels=None)
    mask = mask_reader(job.config).read_like(task.pair.mask_path, image.shape, path)
    operation = task.pair.identity.operation
    parameters = _recorded_parameters(task)
    if job.size and job.size != (image.shape[1], image.shape[0]):
        image, mask = resize_image(image, *job.size), resize_mask(mask, *job.size)
        parameters = {"resize": list(job.size)} | ({"of": parameters} if parameters else {})
        yield {"operation": operation, "parameters": json.dumps(parameters)}, image, mask
    else:
        text = json.dumps(parameters) if parameters else ""
        yield {"operation": operation, "parameters": text}, path.read_bytes(), mask
    height, width = mask.shape
    for step in steps:
        seeded = step.seeded(job.config.train.seed, image_stem(path))
        change = seeded.change(height, width)
        own = seeded.parameters | ({"of": parameters} if parameters else {})
        label = f"{operation}+{step.label}" if operation else step.label
        yield {"operation": label, "parameters": json.dumps(own)}, change.image(image), change.mask(mask)


def _recorded_parameters(task: Task) -> Any:
    row = task.pair.identity.row
    text = row.get("parameters", "")
    try:
        return json.loads(text or "{}")
    except ValueError as error:
        raise DatasetError(
            f"manifest row of {row['file']}: expected JSON in the column parameters, found {text!r}."
        ) from error


def _save(
    image_path: Path, image: np.ndarray | bytes, mask_path: Path, mask: np.ndarray, colors: ColorMap
) -> str:
    write_mask(mask_path, mask, colors)
    if isinstance(image, bytes):
        write_bytes(image_path, image)
    else:
        write_image(image_path, image)
    return sha256_of(image_path)


def _finished(row: Row, saved: Future[str]) -> Row:
    return row | {"sha256": saved.result()}
