"""Routes of the results of runs.

Pages that FlexUNet wrote before are shown as they are, in a sandbox: no script, no form, nothing from
elsewhere, and no part of the desk's own session.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from flexunet.review.web.dependencies import OnDesk

router = APIRouter(prefix="/api/results")
POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


@router.get("", summary="Runs, reports and predictions")
def listing(desk: OnDesk) -> dict[str, Any]:
    """By path, below the folders that the desk was given."""
    return desk.catalogue.listing()


@router.get("/files/{root}/{path:path}", summary="A page or a picture", response_class=Response)
def file(desk: OnDesk, root: str, path: str) -> Response:
    """As it was written, in a sandbox."""
    content, media_type = desk.catalogue.read(root, path)
    headers = {"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(content, headers={**headers, "Content-Type": media_type})


@router.get("/curves", summary="Curves of a run")
def curves(desk: OnDesk, root: str, path: str) -> dict[str, Any]:
    """One value an epoch."""
    return {"curves": desk.catalogue.curves(root, path)}


@router.get("/scores", summary="Scores of a run")
def scores(desk: OnDesk, root: str, path: str) -> dict[str, Any]:
    """As scores.json has them."""
    return desk.catalogue.scores(root, path)


@router.get("/predictions", summary="Predicted images by doubt")
def predictions(desk: OnDesk, root: str, path: str) -> dict[str, Any]:
    """The least certain first."""
    return {"images": desk.catalogue.predictions(root, path)}


@router.get("/compare", summary="Two runs compared")
def compare(desk: OnDesk, root: str, first: str, second: str) -> dict[str, Any]:
    """Differences of scores (second less first) with their intervals and p values, and a sentence."""
    from flexunet.evaluation.scores.rules import ScoringRules
    from flexunet.evaluation.summary.comparison import compare_tables, read_pair
    from flexunet.evaluation.summary.verdict import compared_in_words

    pair = read_pair(desk.catalogue.find(root, first), desk.catalogue.find(root, second))
    comparison = compare_tables(*pair.tables, pair.names, ScoringRules())
    _, sentence = compared_in_words(comparison, pair.patients_known)
    return {**comparison.model_dump(mode="json"), "sentence": sentence}
