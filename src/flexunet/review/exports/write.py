"""Writing what leaves a desk, each kind into a new folder beside its database.

exports/dataset-1/   [train|valid|test/]images, masks, manifest.csv; deidentified.csv where images are DICOM
exports/coco-1/      annotations.json
exports/seg-1/       one DICOM Segmentation object a DICOM image
exports/csv-1/       decisions.csv
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from flexunet.data.dataset.identity import Identities
from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.dataset.status import ANNOTATOR, REVIEWED_AT, STATUS
from flexunet.data.dicom.read import is_dicom_file
from flexunet.data.images.files.names import IMAGE_SUFFIXES, image_stem
from flexunet.data.images.masks.indices import without_ignored
from flexunet.data.images.masks.write import write_mask
from flexunet.data.tables import write_rows
from flexunet.errors import DatasetError, ShapeError
from flexunet.files import replacing
from flexunet.inference.outputs.contours import coco_annotations, write_coco
from flexunet.inference.outputs.dicom_objects.segmentation import write_segmentation
from flexunet.inference.outputs.lesions import measure_lesions
from flexunet.review.exports.copies import ImageCopies
from flexunet.review.exports.reviewed import Reviewed, reviewed_images
from flexunet.review.store.tables import Decision, Item

if TYPE_CHECKING:
    from flexunet.review.desk import Desk

_PLAIN = ("images", "image")  # folders that tell nothing of an image
DECISION_COLUMNS = (
    "decision", "image", "reader", "at", "verdict", "likert", "comment", "lesions", "seconds", "version",
    "foreground_pixels", "dice_with_first", "track", "image_sha256", "mask_before_sha256",
    "mask_after_sha256",
)  # fmt: skip


def export(desk: Desk, target: str) -> tuple[Path, list[str]]:
    """Write what a desk has come to.

    Args:
        desk: The desk.
        target: One of `TARGETS`.

    Returns:
        The new folder, and the files in it, relative to it.

    Raises:
        ShapeError: if there is no such target.
        DatasetError: if no image has been decided on, or none is DICOM for `seg`.
        PathError: if it cannot be written.
    """
    if target not in TARGETS:
        raise ShapeError(f"expected a target of {', '.join(TARGETS)}, found {target!r}.")
    parent = desk.folder / "exports"
    number = 1 + max(
        (int(path.name.rpartition("-")[2]) for path in parent.glob(f"{target}-[0-9]*")), default=0
    )
    folder = parent / f"{target}-{number}"
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        TARGETS[target](desk, temporary)
    return folder, sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _write_dataset(desk: Desk, folder: Path) -> None:
    """Copies of the images, the masks, and a manifest that says who decided, what and when.

    DICOM images lose what identifies a person; patients get pseudonyms, the same in all exports of a desk.
    """
    manifest, copies = Manifest(), ImageCopies(desk.folder)
    for each, name in _named(desk):
        split = f"{each.item.split}/" if each.item.split else ""
        file = f"{split}images/{name}{each.image.suffix if _has_suffix(each.image) else ''}"
        mask = f"{split}masks/{name}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        copies.add(each.image, folder / file, file)
        write_mask(folder / mask, each.labels, desk.colors)
        identity = Identities.of_folder(each.image.parent).of(each.image)
        told = {column: value for column, value in identity.row.items() if value and column != "reason"}
        manifest.append(
            {
                **told,
                "file": file,
                "mask": mask,
                "split": each.item.split,
                "source": identity.source,
                "patient": identity.known_patient or each.item.patient,
                "operation": identity.operation,
                "sha256": sha256_of(folder / file),
                "lesion_pixels": each.decision.foreground,
                ANNOTATOR: each.decision.reader,
                STATUS: each.status,
                REVIEWED_AT: each.decision.at,
            }
        )
    copies.finish(folder, manifest)
    manifest.write(folder)


def _write_coco(desk: Desk, folder: Path) -> None:
    def images() -> Iterable[tuple[str, int, int, list[dict[str, Any]]]]:
        for each in _some(desk):
            height, width = each.labels.shape
            labels, _ = without_ignored(each.labels)
            lesions = measure_lesions(labels, None, desk.spacing_of(each.item))
            yield each.item.key, width, height, coco_annotations(labels, lesions)

    write_coco(folder / "annotations.json", images(), desk.class_names, "Reviewed with FlexUNet")


def _write_segmentations(desk: Desk, folder: Path) -> None:
    written = 0
    for each, name in _named(desk):
        if each.image.suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(each.image):
            path = folder / f"{name}.dcm"
            labels, _ = without_ignored(each.labels)
            write_segmentation(path, each.image, labels, desk.class_names, reader=each.decision.reader)
            written += 1
    if not written:
        raise DatasetError(
            "no reviewed image is a DICOM file, which alone a DICOM Segmentation object can refer to. Export "
            "a data set or COCO."
        )


def _write_decisions(desk: Desk, folder: Path) -> None:
    write_rows(folder / "decisions.csv", DECISION_COLUMNS, decision_rows(desk))


TARGETS: dict[str, Callable[[Desk, Path], None]] = {
    "dataset": _write_dataset,
    "coco": _write_coco,
    "seg": _write_segmentations,
    "csv": _write_decisions,
}


def decision_rows(desk: Desk) -> list[list[Any]]:
    """All decisions, in the order in which they were made; see `DECISION_COLUMNS`."""
    with desk.database.read() as session:
        rows = session.execute(
            select(Item.key, Decision).join(Item, Item.id == Decision.item_id).order_by(Decision.id)
        ).all()
    return [
        [
            decision.id,
            key,
            decision.reader,
            decision.at,
            decision.verdict,
            decision.likert,
            decision.comment,
            "; ".join(f"{each['component']}: {each['verdict']} {each['comment']}".strip() for each in
                      decision.lesions),
            round(decision.seconds, 3),
            decision.version,
            decision.foreground,
            round(decision.dice, 6),
            decision.track,
            decision.image_sha256,
            decision.mask_before,
            decision.mask_after,
        ]
        for key, decision in rows
    ]  # fmt: skip


def _some(desk: Desk) -> Iterable[Reviewed]:
    """The reviewed images; there must be one."""
    none = True
    for each in reviewed_images(desk):
        none = False
        yield each
    if none:
        raise DatasetError("no image has been accepted, corrected or found without lesion yet: review some.")


def _named(desk: Desk) -> Iterable[tuple[Reviewed, str]]:
    """The reviewed images, each with a name of its own within its split."""
    taken: set[str] = set()
    for each in _some(desk):
        stem = image_stem(each.image)
        folders = [
            part for part in PurePosixPath(each.item.key).parts[:-1] if part not in (*_PLAIN, each.item.split)
        ]
        names = (stem, "_".join([*folders, stem]), f"{stem}_{each.item.id}")
        name = next(name for name in names if f"{each.item.split}/{name}".casefold() not in taken)
        taken.add(f"{each.item.split}/{name}".casefold())
        yield each, name


def _has_suffix(path: Path) -> bool:
    return path.name != image_stem(path)
