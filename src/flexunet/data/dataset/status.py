"""Whether a person has looked at a mask: the column `status` of a manifest.

`derive` writes `draft` for masks that a model proposed, the review desk what its readers decided. Manifests
without the column are of masks that people drew, but for drafts of earlier versions, whose `mask_origin` is
`model` and whose `confidence` is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flexunet.errors import DatasetError, counted

STATUS, ANNOTATOR, REVIEWED_AT = "status", "annotator", "reviewed_at"
DRAFT = "draft"
CHECKED = ("accepted", "corrected", "no_lesion")
REJECTED = "rejected"
UNCHECKED = (DRAFT, "unreviewed", "begun", "unsure")
_BY_MODEL = "model"  # in the column mask_origin


def is_unchecked(row: Mapping[str, str]) -> bool:
    """Whether no person has decided that the mask of a row of the manifest is good.

    >>> is_unchecked({"status": "draft"}), is_unchecked({})
    (True, False)
    """
    status = row.get(STATUS, "")
    if status in CHECKED:
        return False
    if status in UNCHECKED or status == REJECTED:
        return True
    # Films of a normal folder have an empty mask, about which no model was asked.
    return row.get("mask_origin") == _BY_MODEL and bool(row.get("confidence"))


def refuse_unchecked(rows: Iterable[Mapping[str, str]], allowed: bool, where: str, remedy: str) -> None:
    """Refuse masks that no person has checked, and in any case those that a person has rejected.

    Args:
        rows: Rows of the manifest; empty ones of images that have none.
        allowed: Whether drafts were asked for.
        where: What to call their data set.
        remedy: How drafts are asked for, `add --drafts`.

    Raises:
        DatasetError: if there are such masks; names one.
    """
    unchecked = [row for row in rows if is_unchecked(row)]
    rejected = [row for row in unchecked if row.get(STATUS) == REJECTED]
    if rejected:
        raise DatasetError(
            f"{where} holds {counted(len(rejected), 'mask')} that a reader rejected, of "
            f"{rejected[0].get('file', '?')} for example. Take the images out, or review them again."
        )
    if unchecked and not allowed:
        raise DatasetError(
            f"{where} holds {counted(len(unchecked), 'draft')} that no person has checked, of "
            f"{unchecked[0].get('file', '?')} for example. Check them (flexunet review), or {remedy}."
        )
