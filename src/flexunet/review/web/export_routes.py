"""Routes of what leaves the desk."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from flexunet.data.tables import rows_as_text
from flexunet.review.exports.write import DECISION_COLUMNS, decision_rows, export
from flexunet.review.web.dependencies import Asking, OnDesk
from flexunet.review.web.requests import ExportForm

router = APIRouter()


@router.get("/api/decisions.csv", summary="All decisions as a table", response_class=Response)
def decisions(desk: OnDesk, asking: Asking) -> Response:
    """Safe to open in a spreadsheet."""
    asking.require("reviewer", "the table holds the decisions of all readers")
    text = rows_as_text(DECISION_COLUMNS, decision_rows(desk))
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/api/export", summary="Write what the desk has come to")
def exported(desk: OnDesk, asking: Asking, form: ExportForm) -> dict[str, Any]:
    """The new folder, and its files."""
    asking.require("reviewer", "an export holds what all readers decided")
    folder, files = export(desk, form.target)
    desk.log(asking.reader, "export", f"{form.target} to {folder}")
    return {"folder": str(folder), "files": files}
