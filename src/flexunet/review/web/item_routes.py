"""Routes of one image: facts, tiles, mask, draft, strokes, versions, verdict."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response

from flexunet.review.pictures.pyramid import TILE
from flexunet.review.readings.decisions import Verdict
from flexunet.review.readings.masks import Mask
from flexunet.review.readings.runs import decode_runs
from flexunet.review.store.tables import Decision
from flexunet.review.web.dependencies import OnItem
from flexunet.review.web.requests import RestoreForm, StrokeForm, VerdictForm

router = APIRouter(prefix="/api/items/{number}")
_BYTES = "application/octet-stream"


@router.get("", summary="What is known of an image")
def item(asked: OnItem, later: BackgroundTasks, order: str = "need") -> dict[str, Any]:
    """Size, windows, levels, mask, verdict; the next image of the order is cut into tiles meanwhile."""
    row, desk = asked.item, asked.desk
    later.add_task(desk.prepare_next, desk.wish(asked.reader, order), row.id)
    picture = desk.images.picture(row)
    mask = desk.masks.newest(asked.where)
    decision = desk.decisions.last(row.id, track=asked.track)
    return {
        "id": row.id,
        "name": row.name,
        "patient": row.patient,
        "side": row.side,
        "view": row.view,
        "width": picture.width,
        "height": picture.height,
        "bits": picture.bits,
        "minimum": picture.minimum,
        "maximum": picture.maximum,
        "inverted": False,  # tiles are bright where tissue is: MONOCHROME1 is turned round by the server
        "spacing_mm": desk.spacing_of(row),
        "windows": picture.windows,
        "tile_size": TILE,
        "levels": [
            {"level": level, "width": width, "height": height}
            for level, (width, height) in enumerate(picture.levels)
        ],
        "image_sha256": row.image_sha256,
        "mask": {"version": mask.version, "sha256": mask.sha256},
        "draft": {
            "present": desk.has_draft(row, asked.reader),
            "hidden": desk.hides_draft(row, asked.reader),
        },
        "verdict": _told(decision),
        "versions": mask.version + 1,
        "status": desk.queue.status(row.id, asked.track),
        "reasons": row.reasons,
        "readers": [_told(read) for read in desk.readers_of(row)] if desk.settings.consensus else [],
    }


@router.get("/tiles/{level}/{column}/{row}", summary="A tile, uint16", response_class=Response)
def tile(asked: OnItem, request: Request, level: int, column: int, row: int) -> Response:
    """Little-endian values, row by row; tiles at the edge are cut to the image."""
    tag = f'"{asked.item.image_sha256[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    pixels = asked.desk.images.picture(asked.item).tile(level, column, row)
    return Response(pixels.astype("<u2").tobytes(), media_type=_BYTES, headers=headers)


@router.get("/mask", summary="The mask, uint8", response_class=Response)
def mask(
    asked: OnItem, version: Annotated[int | None, Query(ge=0)] = None, of: str | None = None
) -> Response:
    """Labels of the whole image, row by row; for a consensus also those of a blind reader."""
    if of is not None:
        return _labels(asked.desk.mask_of_reader(asked.item, of))
    masks = asked.desk.masks
    return _labels(masks.newest(asked.where) if version is None else masks.at(asked.where, version))


@router.get("/draft", summary="The mask that came with the image, uint8", response_class=Response)
def draft(asked: OnItem) -> Response:
    """Labels of the whole image, row by row."""
    return _labels(Mask.of(0, asked.desk.draft(asked.item, asked.reader)))


@router.post("/strokes", summary="Change labels in a box")
def stroke(asked: OnItem, form: StrokeForm) -> dict[str, Any]:
    """The new version, which is on the disk."""
    labels = decode_runs(form.runs, form.box.box, asked.desk.colors)
    changed = asked.desk.masks.change(
        asked.where, form.base_version, form.box.box, labels, asked.reader, form.tool
    )
    return {"version": changed.version, "sha256": changed.sha256}


@router.get("/versions", summary="All versions of the mask")
def versions(asked: OnItem) -> list[dict[str, Any]]:
    """The newest first."""
    return asked.desk.masks.versions(asked.where)


@router.post("/restore", summary="Bring a version back")
def restore(asked: OnItem, form: RestoreForm) -> dict[str, Any]:
    """It becomes the newest version; those between stay."""
    masks = asked.desk.masks
    earlier = masks.at(asked.where, form.version)
    restored = masks.replace(
        asked.where, form.base_version, earlier.labels, asked.reader, f"restore {form.version}"
    )
    return {"version": restored.version, "sha256": restored.sha256}


@router.post("/verdict", summary="Decide on an image")
def verdict(asked: OnItem, form: VerdictForm, order: str = "need") -> dict[str, Any]:
    """The decision, which is on the disk, and the next image."""
    said = Verdict(
        form.verdict,
        form.seconds,
        form.likert,
        form.comment,
        [lesion.model_dump() for lesion in form.lesions],
    )
    desk = asked.desk
    number, signed = desk.decisions.sign(asked.where, asked.item, form.base_version, said, asked.reader)
    desk.log(asked.reader, "verdict", f"{number}: {form.verdict} on {asked.item.key}")
    following = desk.queue.next(desk.wish(asked.reader, order), asked.item.id)
    return {"decision": number, "status": said.status, "next": following, "version": signed.version}


@router.get("/views", summary="The other images of the person")
def views(asked: OnItem) -> dict[str, Any]:
    """Those of the same examination, and those of others."""
    row = asked.item
    if not row.patient:
        return {
            "views": [{"id": row.id, "side": row.side, "view": row.view, "name": row.name}],
            "previous": [],
        }
    same = asked.desk.images.seen_with(row)
    return {
        "views": [
            {"id": each.id, "side": each.side, "view": each.view, "name": each.name}
            for each in same
            if each.exam == row.exam
        ],
        "previous": [
            {"id": each.id, "date": each.exam, "side": each.side, "view": each.view, "name": each.name}
            for each in same
            if each.exam < row.exam
        ],
    }


def _labels(mask: Mask) -> Response:
    headers = {"X-Mask-Version": str(mask.version), "X-Mask-SHA256": mask.sha256}
    return Response(mask.labels.tobytes(), media_type=_BYTES, headers=headers)


def _told(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    names = ("verdict", "likert", "comment", "lesions", "seconds", "reader", "at", "version")
    return {name: getattr(decision, name) for name in names}
