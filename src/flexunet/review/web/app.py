"""The ASGI application of a desk.

GET /                 the page
/api/...              JSON, described by GET /api/openapi.json; errors are {"error": text}
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from flexunet.errors import FlexUNetError, InputError, PathError
from flexunet.review.desk import Desk
from flexunet.review.readings.errors import (
    BusyError,
    ChangedImageError,
    ForbiddenError,
    MissingError,
    NoModelError,
    StaleError,
)
from flexunet.review.web import (
    account_routes,
    export_routes,
    item_routes,
    queue_routes,
    result_routes,
    tool_routes,
)
from flexunet.review.web.accounts import Accounts
from flexunet.review.web.dependencies import SigningIn
from flexunet.review.web.guard import Guard
from flexunet.review.web.sessions import Sessions
from flexunet.version import __version__

_STATUS: tuple[tuple[type[FlexUNetError], int], ...] = (
    (MissingError, 404),
    (PathError, 404),
    (StaleError, 409),
    (ChangedImageError, 409),
    (NoModelError, 409),
    (ForbiddenError, 403),
    (BusyError, 429),
    (InputError, 422),
    (FlexUNetError, 500),
)


def make_app(
    desk: Desk,
    *,
    token: str | None,
    reader: str,
    hosts: Collection[str] | None = None,
    cookie: str = "desk_session",
    secure: bool = False,
) -> FastAPI:
    """The application.

    Args:
        desk: The desk; it is closed by who opened it.
        token: What the address printed at start holds; None where readers sign in.
        reader: Who has the token.
        hosts: Names that it may be called by; None accepts all.
        cookie: Name of the cookie of a session.
        secure: Whether the cookie is sent over TLS alone.
    """
    app = FastAPI(
        title="FlexUNet review desk",
        version=__version__,
        summary="A person looks at every mask, corrects it and signs it.",
        description="For research. Not a medical device.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load their scripts from elsewhere
        redoc_url=None,
    )
    app.state.desk = desk
    sessions = Sessions(desk.database)
    app.state.signing = SigningIn(Accounts(desk.database), sessions, cookie, secure)
    for part in (queue_routes, item_routes, tool_routes, export_routes, account_routes, result_routes):
        app.include_router(part.router)
    page = static_folder()
    if page.is_dir():
        app.mount("/", StaticFiles(directory=page, html=True))
    app.add_middleware(_Compression, minimum_size=1024, compresslevel=1)
    app.add_middleware(
        Guard, sessions=sessions, token=token, reader=reader, hosts=hosts, cookie=cookie, secure=secure
    )
    _add_problems(app)
    return app


def static_folder() -> Path:
    """The page as it is shipped; made by `npm run build` in desk/."""
    return Path(str(resources.files("flexunet.review").joinpath("static")))


class _Compression(GZipMiddleware):
    """Compresses answers, but no tiles for this machine: packing them takes longer than sending them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = (scope.get("client") or ("",))[0]
        near = client in ("127.0.0.1", "::1", "testclient")
        if near and "/tiles/" in scope.get("path", ""):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(FlexUNetError)
    async def of_ours(_: Request, error: FlexUNetError) -> Response:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        told = {"error": str(error)}
        if isinstance(error, StaleError):
            return JSONResponse(
                {**told, "version": error.version, "reader": error.reader, "at": error.at}, status
            )
        return JSONResponse(told, status)

    @app.exception_handler(HTTPException)
    async def of_the_router(_: Request, error: HTTPException) -> Response:
        detail = {404: "there is no such address.", 405: "expected another method."}
        return JSONResponse({"error": detail.get(error.status_code, str(error.detail))}, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def of_a_form(_: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc'][1:])) or 'body'}: {each['msg']}" for each in error.errors()[:5]
        )
        return JSONResponse({"error": f"the request cannot be used: {wrong}."}, 422)
