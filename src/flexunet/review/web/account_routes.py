"""Routes of signing in and out, of accounts and of the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from flexunet.review.readings.errors import ForbiddenError
from flexunet.review.store.tables import Event
from flexunet.review.web.dependencies import Asking, OnDesk, Signing
from flexunet.review.web.guard import cookie_header, cookie_in
from flexunet.review.web.requests import AccountForm, LoginForm

router = APIRouter()


@router.post("/api/login", summary="Sign in")
def login(desk: OnDesk, signing: Signing, form: LoginForm) -> Response:
    """A cookie for who knows the password."""
    try:
        role = signing.accounts.check(form.name, form.password)
    except ForbiddenError as error:
        desk.log(form.name, "refused")
        return JSONResponse({"error": str(error)}, 401)
    cookie = signing.sessions.begin(form.name, role)
    desk.log(form.name, "sign in")
    answer = JSONResponse({"reader": form.name, "role": role})
    answer.headers["Set-Cookie"] = cookie_header(signing.cookie, cookie, signing.secure)
    return answer


@router.post("/api/logout", summary="Sign out")
def logout(desk: OnDesk, asking: Asking, signing: Signing, request: Request) -> Response:
    """The cookie is worth nothing any more."""
    signing.sessions.end(cookie_in(request.headers.get("cookie", ""), signing.cookie))
    desk.log(asking.reader, "sign out")
    answer = JSONResponse({})
    answer.headers["Set-Cookie"] = cookie_header(signing.cookie, "", signing.secure)
    return answer


@router.get("/api/accounts", summary="Who may sign in")
def accounts(asking: Asking, signing: Signing) -> list[dict[str, Any]]:
    """Names and roles."""
    asking.require("admin", "accounts are for administrators")
    return [
        {"name": each.name, "role": each.role, "made": each.made, "disabled": each.disabled}
        for each in signing.accounts.list()
    ]


@router.put("/api/accounts", summary="Make or change an account")
def put_account(desk: OnDesk, asking: Asking, signing: Signing, form: AccountForm) -> dict[str, Any]:
    """Its sessions end."""
    asking.require("admin", "accounts are for administrators")
    signing.accounts.put(form.name, form.role, form.password)
    signing.sessions.end_all(form.name)
    desk.log(asking.reader, "account", f"{form.name}: {form.role}")
    return {"name": form.name, "role": form.role}


@router.delete("/api/accounts/{name}", summary="Disable an account")
def disable_account(desk: OnDesk, asking: Asking, signing: Signing, name: str) -> dict[str, Any]:
    """Its sessions end; what was decided under the name stays."""
    asking.require("admin", "accounts are for administrators")
    signing.accounts.disable(name)
    signing.sessions.end_all(name)
    desk.log(asking.reader, "account", f"{name}: disabled")
    return {"name": name}


@router.get("/api/events", summary="The audit log")
def events(
    desk: OnDesk,
    asking: Asking,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """Who did what, the newest first."""
    asking.require("admin", "the audit log is for administrators")
    query = select(Event).order_by(Event.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Event.id < before)
    with desk.database.read() as session:
        rows = session.scalars(query).all()
    names = ("id", "at", "reader", "action", "detail")
    return [{name: getattr(row, name) for name in names} for row in rows]
