"""Offline augmentation: a data set with copies of its training images, made by the table of operations.

The order is derive, split, augment. Copies are made of the training split alone; validation and test images
go over as they are, because a score measured on copies says less than it seems to. A run that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.files import as_config
from flexunet.data.augment.operations import own_operations, planned, register_operation
from flexunet.data.augment.pair import Job, Task, files_of, write_pair
from flexunet.data.augment.record import Record, Row
from flexunet.data.augment.steps import Operation, Step
from flexunet.data.configured import mask_reader
from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.manifest import FILE_NAME
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.dataset.status import refuse_unchecked
from flexunet.errors import DatasetError
from flexunet.locks import locked_output
from flexunet.progress import Progress, silent
from flexunet.workers import work_in_processes

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_SCORED = ("valid", "test")


@dataclass
class Augmented:
    """What a run did.

    Attributes:
        out: Data set that was written.
        rows: Its manifest.
        originals: Pairs taken over, by split.
        copies: Copies, by operation.
        finished_before: Pairs that an earlier run had finished.
        notes: What the user should know.
    """

    out: Path
    rows: list[Row]
    originals: dict[str, int]
    copies: dict[str, int]
    finished_before: int
    notes: list[str] = field(default_factory=list)


def augment(
    dataset: Path | str,
    out: Path | str,
    config: Config | str | Path,
    *,
    splits: Sequence[str] = ("train",),
    accept_leakage: bool = False,
    drafts: bool = False,
    jobs: int = 1,
    progress: Progress = silent,
) -> Augmented:
    """Write a data set again, with copies of its training images.

    Args:
        dataset: Folder with `train|valid|test/{images,masks}/`, or with `images/` and `masks/` alone.
        out: Folder to write; new, or begun by the same call before.
        config: A configuration or its file: what to do ([augmentor] and the sections of the operations), the
            colours of the masks, the seed, and the size if [dataset] image_width and image_height are set.
        splits: Splits that get copies.
        accept_leakage: Whether copies of images that a score is measured on may be written.
        drafts: Whether masks that no person has checked are copied too; otherwise they are refused.
        jobs: Processes.
        progress: Told how many images have their copies.

    Returns:
        What was written.

    Raises:
        RunLockedError: if another process writes `out`.
        DatasetError: if copies of valid or test images are asked for without `accept_leakage`, if there are
            drafts that were not asked for, if nothing is switched on, if `out` holds something else, or if a
            copy would have the name of an original.

    Examples:
        >>> config = flexunet.Config(augmentor={"vflip": False, "angles": [90.0]})
        >>> augmented = flexunet.augment("dataset", "augmented", config)
        >>> augmented.originals["train"], augmented.copies
        (12, {'hflip': 12, 'rotation': 12, 'shrink': 12})
    """
    config, dataset, out = as_config(config), Path(dataset), Path(out)
    steps = planned(config)
    if not steps:
        raise DatasetError("[augmentor] switches no operation on: there would be no copies. Switch one on.")
    tasks = _tasks(dataset, config, splits, accept_leakage)
    refuse_unchecked((task.pair.identity.row for task in tasks), drafts, str(dataset), "add --drafts")
    _refuse_name_clashes(tasks, steps)
    _refuse_nesting(dataset, out)
    job = Job(out, config, _size(config))
    with locked_output(out):
        record = Record(out, _settings(dataset, job, steps, tasks))
        waiting = [task for task in tasks if not record.has(files_of(task, steps))]
        done = finished_before = len(tasks) - len(waiting)
        progress("augment", done, len(tasks))
        register = partial(_register, own_operations())
        for rows in work_in_processes(partial(write_pair, job=job), waiting, jobs, register):
            record.append(rows)
            done += 1
            progress("augment", done, len(tasks))
        manifest = record.finish([file for task in tasks for file, _ in files_of(task, steps)])
    augmented = sum(task.augmented for task in tasks)
    return Augmented(
        out=out,
        rows=manifest.rows,
        originals=dict(Counter(task.split for task in tasks)),
        copies={label: count * augmented for label, count in Counter(step.label for step in steps).items()},
        finished_before=finished_before,
        notes=_notes(tasks, config),
    )


def _tasks(dataset: Path, config: Config, splits: Sequence[str], accept_leakage: bool) -> list[Task]:
    """The pairs of a data set, and which of them get copies."""
    if (dataset / "images").is_dir() and (dataset / "masks").is_dir():
        folders, chosen = {"": dataset}, {""}
    else:
        folder = DatasetFolder(dataset)
        folders, chosen = {split: dataset / split for split in folder.splits}, set(splits)
        _check_splits(chosen, folder, config, accept_leakage)
    return [
        Task(pair, split, split in chosen)
        for split, parent in folders.items()
        for pair in find_pairs(parent / "images", parent / "masks")
    ]


def _check_splits(chosen: set[str], folder: DatasetFolder, config: Config, accept_leakage: bool) -> None:
    missing = sorted(chosen - set(folder.splits))
    if missing or not chosen:
        raise DatasetError(
            f"no split {', '.join(missing) or '(none given)'} in {folder.root}: it has "
            f"{', '.join(folder.splits)}. Split it first (flexunet split), or name one of them."
        )
    if accept_leakage:
        return
    scored = sorted(chosen & set(_SCORED))
    if scored:
        raise DatasetError(
            f"copies of {' and '.join(scored)} images were asked for. A score measured on copies of a few "
            "images looks more certain than it is, and a copy that gets into training makes it untrue. Leave "
            "them out, or confirm with --i-accept-leakage."
        )
    if config.dataset.no_augmentation in chosen:
        raise DatasetError(
            f"[dataset] no_augmentation = {config.dataset.no_augmentation!r}, and copies of that split were "
            "asked for. Change the key, or leave the split out."
        )


def _refuse_name_clashes(tasks: Sequence[Task], steps: Sequence[Step]) -> None:
    """A copy must not get the name of an image that is there already: a data set augmented before."""
    originals = {(task.split, task.pair.stem): task.pair.image_path for task in tasks}
    for task in tasks:
        for step in steps if task.augmented else ():
            name = step.prefix + task.pair.stem
            if found := originals.get((task.split, name)):
                raise DatasetError(
                    f"the copy of {task.pair.image_path} would be called {name}, and {found} is there "
                    "already: the data set holds copies. Augment the originals alone."
                )


def _refuse_nesting(dataset: Path, out: Path) -> None:
    inner, outer = out.resolve(), dataset.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise DatasetError(f"{out} and {dataset} lie in each other. Choose a folder outside the data set.")


def _size(config: Config) -> tuple[int, int] | None:
    chosen = config.dataset
    if {"image_width", "image_height"} <= chosen.model_fields_set:
        return chosen.image_width, chosen.image_height
    return None


def _settings(dataset: Path, job: Job, steps: Sequence[Step], tasks: Sequence[Task]) -> dict[str, Any]:
    """What the copies depend on."""
    return {
        "dataset": str(dataset.resolve()),
        "files": _fingerprint(dataset, tasks),
        "splits": sorted({task.split for task in tasks if task.augmented}),
        "seed": job.config.train.seed,
        "size": list(job.size) if job.size else None,
        "rgb_map": {str(color): index for color, index in job.config.mask.rgb_map.items()},
        "mask_threshold": mask_reader(job.config).threshold,
        **({"mask_ignore": list(ignore)} if (ignore := job.config.mask.ignore) else {}),
        "operations": {step.prefix: {"operation": step.label, **step.parameters} for step in steps},
    }


def _fingerprint(dataset: Path, tasks: Sequence[Task]) -> str:
    """Digest of name, size and time of every file, to notice a data set that changed between two runs."""
    digest = hashlib.sha256()
    paths = [path for task in tasks for path in (task.pair.image_path, task.pair.mask_path)]
    for path in [*paths, dataset / FILE_NAME]:
        if path.is_file():
            facts = path.stat()
            digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _register(operations: Sequence[Operation]) -> None:
    for operation in operations:
        register_operation(operation)


def _notes(tasks: Sequence[Task], config: Config) -> list[str]:
    notes = []
    if config.random_transform.enabled:
        notes.append(
            "the copies are those of the operations of [augmentor]: [random_transform] changes images while "
            "training alone, and will change these copies once more."
        )
    if any(not task.split for task in tasks):
        notes.append(
            "the copies were made before the split. flexunet split keeps copies with their source, but valid "
            "and test will hold copies too: better split first, then augment."
        )
    copied = sum(bool(task.augmented and task.pair.identity.operation) for task in tasks)
    if copied:
        notes.append(
            f"{copied} of the images are copies already, by manifest or name; copies of them were made."
        )
    return notes
