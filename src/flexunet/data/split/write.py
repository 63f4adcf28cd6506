"""Write what a split decided: a data set in the published layout, whole or not at all, resumable."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flexunet.data.dataset.folder import SPLITS
from flexunet.data.dataset.instances import FOLDER, instance_file
from flexunet.data.dataset.manifest import FILE_NAME, Manifest
from flexunet.data.dataset.matching import suffix_of
from flexunet.data.split.plan import SplitPlan
from flexunet.errors import DatasetError, PathError
from flexunet.files import PARTIAL, explaining, replacing, sweep
from flexunet.locks import locked_output
from flexunet.progress import Progress, silent


def write_split(
    plan: SplitPlan, out: Path | str, *, link: bool = False, progress: Progress = silent
) -> Manifest:
    """Write `train|valid|test/{images,masks}/` and `manifest.csv`.

    The folder appears whole or not at all: it grows beside `out` under a hidden name, and an interrupted run
    goes on where it stopped if it is started again with the same plan.

    Args:
        plan: From `plan_split`.
        out: Folder to write; it must not exist, or be empty, or hold this very split.
        link: Make hard links instead of copies.
        progress: Told how many images are written.

    Returns:
        The manifest that was written.

    Raises:
        DatasetError: if `out` holds something else.
        RunLockedError: if another process writes it.
        PathError: if a file cannot be written or linked.

    Examples:
        >>> plan = flexunet.plan_split("dataset", by="patient", ratios=(0.6, 0.2, 0.2))
        >>> manifest = flexunet.write_split(plan, "split")
        >>> len(manifest.rows)
        20
    """
    out = Path(out)
    manifest = manifest_of(plan)
    if is_written(out, [(manifest, "")]):
        return manifest
    with growing(out, digest_of_manifests([manifest])) as folder:
        fill_folder(plan, folder, manifest, how="link" if link else "copy", progress=progress)
    return manifest


def manifest_of(plan: SplitPlan) -> Manifest:
    """Manifest of the data set that a plan makes, one row an image."""
    manifest = Manifest()
    for item, split in zip(plan.items, plan.split, strict=True):
        known = {column: value for column, value in item.identity.row.items() if value}
        manifest.append(
            {
                **known,
                "file": f"{split}/images/{item.name}{suffix_of(item.pair.image_path)}",
                "mask": f"{split}/masks/{item.name}{suffix_of(item.pair.mask_path)}",
                "split": split,
                "source": item.identity.source,
                "patient": item.identity.known_patient,
                "operation": item.identity.operation,
                "sha256": item.sha256,
                **({"class": item.class_name} if item.class_name else {}),
            }
        )
    manifest.rows.sort(key=lambda row: (SPLITS.index(row["split"]), row["file"]))
    return manifest


def fill_folder(
    plan: SplitPlan,
    folder: Path,
    manifest: Manifest,
    *,
    how: str = "copy",
    progress: Progress = silent,
    stage: str = "write",
) -> None:
    """Put what is missing of a plan's files into a folder (see `_place`), then write the manifest."""
    for done, (item, split) in enumerate(zip(plan.items, plan.split, strict=True), 1):
        numbers = instance_file(item.pair.mask_path)
        parts = [(item.pair.image_path, "images"), (item.pair.mask_path, "masks")]
        if numbers is not None and numbers.is_file():
            parts.append((numbers, FOLDER))
        for source, kind in parts:
            target = folder / split / kind / f"{item.name}{suffix_of(source)}"
            if not target.exists():
                _place(source, target, how)
        progress(stage, done, len(plan.items))
    manifest.write(folder)


def is_written(out: Path, parts: Sequence[tuple[Manifest, str]]) -> bool:
    """Whether `out` already holds these manifests, each in its subfolder.

    Raises:
        DatasetError: if `out` holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    same = out.is_dir() and all(
        (out / sub / FILE_NAME).is_file() and _rows(Manifest.read(out / sub)) == _rows(manifest)
        for manifest, sub in parts
    )
    if not same:
        raise _is_taken(out)
    return True


def _is_taken(out: Path) -> DatasetError:
    return DatasetError(
        f"{out} already exists and holds something other than this split. Choose a new folder, or remove the "
        "old one."
    )


@contextmanager
def growing(out: Path, key: str) -> Iterator[Path]:
    """Yield a hidden folder beside `out`, which gets that name when the body is done.

    Unlike `files.replacing`, what has been written stays when the work is interrupted: a later run with the
    same `key` goes on with it, one with another removes it.

    Raises:
        RunLockedError: if another process writes there.
        DatasetError: if another process has just written it.
    """
    partial = out.parent / f".{out.name}.{key[:12]}{PARTIAL}"
    with locked_output(out, beside=True):
        if out.exists() and any(out.iterdir()):
            raise _is_taken(out)
        _remove_other_plans(out, partial)
        with explaining(partial):
            partial.mkdir(exist_ok=True)
        sweep(partial, alone=True, below=True)
        yield partial
        with explaining(out):
            if out.is_dir():
                out.rmdir()  # empty, as was looked
            partial.replace(out)


def _remove_other_plans(out: Path, current: Path) -> None:
    """Remove what killed runs with other plans left of this folder; its lock is ours."""
    name = re.compile(rf"{re.escape(f'.{out.name}.')}[0-9a-f]{{12}}{re.escape(PARTIAL)}")
    for path in out.parent.iterdir():
        if name.fullmatch(path.name) and path != current:
            shutil.rmtree(path, ignore_errors=True)


def _place(source: Path, target: Path, how: str) -> None:
    """Put a file at `target`: `copy` it, `link` it, or `try` to link it and copy it where that fails."""
    with explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if how != "copy":
            try:
                os.link(source.resolve(), target)
            except OSError as error:
                if how == "link":
                    raise PathError(
                        f"cannot link {target} to {source} ({error.strerror}): hard links work only within "
                        "one disk. Leave --link out to copy."
                    ) from error
            else:
                return
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _rows(manifest: Manifest | None) -> list[dict[str, str]]:
    # Columns that are empty everywhere come and go with writing and reading.
    return [{k: v for k, v in row.items() if v} for row in (manifest.rows if manifest else [])]


def digest_of_manifests(manifests: Sequence[Manifest]) -> str:
    """Digest that tells one plan from another."""
    text = json.dumps([_rows(manifest) for manifest in manifests], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
