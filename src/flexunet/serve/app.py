"""The routes of the service.

POST /predict        an image in, raw or as a form; mask, lesions, overlay or DICOM SEG out
GET  /model          run, digest, classes, figures of the evaluation
GET  /health         whether the service takes images (/health/ready, the same; /health/live)
GET  /metrics        figures for Prometheus
GET  /openapi.json   all of this, for machines
GET  /               a page to drop an image on
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from flexunet.serve import figures as figures_module
from flexunet.serve.answers import EMBEDDED, FORMATS, Answerer, Wish, choose_format
from flexunet.serve.figures import Figures
from flexunet.serve.guard import Guard
from flexunet.serve.page import page
from flexunet.serve.problems import MEDIA_TYPE, ProblemError
from flexunet.serve.upload import image_of, read_body
from flexunet.version import __version__

_BINARY = {"type": "string", "format": "binary"}
_IMAGE_BODY = {
    "required": True,
    "description": "One image: PNG, JPEG, TIFF, BMP, PNM or DICOM. The content decides which.",
    "content": {
        "application/octet-stream": {"schema": _BINARY},
        "image/*": {"schema": _BINARY},
        "application/dicom": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["image"], "properties": {"image": _BINARY}}
        },
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was expected, what was found, what to do."},
    },
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    for status, description in {
        400: "The request, its form or a parameter cannot be understood.",
        401: "The token is missing or wrong.",
        406: "The answer cannot be given in that form.",
        408: "The image did not arrive in time.",
        413: "The image has too many bytes or pixels.",
        422: "The image cannot be used: damaged, no image, colour DICOM, several frames, ...",
        503: "Too many images are waiting; Retry-After says when to come back.",
    }.items()
}


@dataclass(frozen=True)
class Limits:
    """Limits on requests.

    Attributes:
        most_bytes: Maximum size of an image file, in bytes.
        waiting: Maximum number of images that have arrived and are waiting or under way.
        arriving: Maximum number of images that are being sent at the same time.
        threads: Number of images that are read, predicted and encoded at the same time.
        seconds: Time that a client has to send its image.
    """

    most_bytes: int = 64 << 20
    waiting: int = 32
    arriving: int = 256
    threads: int = 8
    seconds: float = 60.0


def make_app(
    answerer: Answerer,
    facts: dict[str, Any],
    figures: Figures,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = None,
    at_end: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The ASGI application.

    Args:
        answerer: Predicts.
        facts: What `/model` tells.
        figures: Where things are counted.
        limits: How much is taken.
        token: Bearer token that is asked for; none asks for none.
        hosts: Names it may be called by; none accepts all.
        at_end: Called when the last request is answered.
    """
    limits = limits or Limits()
    desk = _Desk(answerer, figures, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.open = True
        yield
        desk.open = False
        desk.pool.shutdown()
        at_end()

    app = FastAPI(
        title="FlexUNet",
        version=__version__,
        summary="Segments mammograms and other medical images.",
        description="For research. Not a medical device.",
        docs_url=None,  # they load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, figures=figures, token=token, hosts=hosts)
    _add_problems(app)

    @app.post(
        "/predict",
        summary="Predict an image",
        response_class=Response,
        openapi_extra={"requestBody": _IMAGE_BODY},
        responses={
            200: {
                "description": "By `format`.",
                "content": {kind: {} for kind in sorted({*FORMATS.values()})},
            },
            **_PROBLEMS,
        },
    )
    async def predict(
        request: Request,
        form: Annotated[
            str | None,
            Query(alias="format", description=f"{', '.join(FORMATS)}; instead of the Accept header."),
        ] = None,
        embed: Annotated[
            list[Literal[EMBEDDED]],  # type: ignore[valid-type]
            Query(description="Pictures that lesions come with, as data URLs; repeatable."),
        ] = [],  # noqa: B006 - FastAPI copies it
        longest_side: Annotated[
            int | None, Query(ge=64, le=16384, description="Pixels that overlays are scaled down to.")
        ] = None,
        pixel_spacing_mm: Annotated[
            float | None,
            Query(ge=0.001, le=100, description="Side of a pixel, where the image does not tell."),
        ] = None,
    ) -> Response:
        """One image in; its mask, lesions, overlay or DICOM Segmentation object out."""
        spacing = None if pixel_spacing_mm is None else (pixel_spacing_mm, pixel_spacing_mm)
        wish = Wish(choose_format(form, request.headers.get("accept")), embed, longest_side, spacing)
        return await desk.serve(request, wish)

    @app.get("/model", summary="Which model, which classes, how good")
    async def model() -> dict[str, Any]:
        return facts

    @app.get("/health", summary="Whether images are taken")
    @app.get("/health/ready", summary="The same")
    async def ready() -> Response:
        if not desk.open:
            raise ProblemError(503, "the service is starting or stopping.")
        if desk.is_full:
            raise desk.refusal()
        return Response('{"status": "ready"}', media_type="application/json")

    @app.get("/health/live", summary="Whether the process lives")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    def metrics() -> Response:
        # In a thread: drift takes some milliseconds to work out.
        return Response(figures.text(), media_type=figures_module.MEDIA_TYPE)

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        text, policy = page()
        return Response(text, media_type="text/html", headers={"Content-Security-Policy": policy})

    return app


class _Desk:
    """Takes as many images as the limits allow, and has each answered in a thread."""

    def __init__(self, answerer: Answerer, figures: Figures, limits: Limits):
        self.answerer = answerer
        self.figures = figures
        self.limits = limits
        self.pool = ThreadPoolExecutor(limits.threads, "flexunet-answer")
        self.open = False
        self.arriving = 0
        self.taken = 0
        self.usual_seconds = 1.0

    @property
    def is_full(self) -> bool:
        """Whether an image that arrived now would be turned away."""
        return self.taken >= self.limits.waiting or self.arriving >= self.limits.arriving

    def refusal(self) -> ProblemError:
        after = math.ceil(self.usual_seconds * max(self.taken, 1) / self.limits.threads)
        return ProblemError(
            503,
            f"{self.taken} images are waiting and {self.arriving} are arriving. Send this one again in "
            f"{after} s.",
            {"Retry-After": str(after), "Connection": "close"},
        )

    def _count_arriving(self, change: int) -> None:
        self.arriving += change
        self.figures.arriving.set(self.arriving)

    def _admit(self) -> None:
        if self.is_full:
            self.figures.refused.inc()
            raise self.refusal()

    async def serve(self, request: Request, wish: Wish) -> Response:
        self._admit()
        headers, most = request.headers, self.limits.most_bytes
        self._count_arriving(1)
        try:
            body = await read_body(headers, request.stream(), most, self.limits.seconds)
        finally:
            self._count_arriving(-1)
        # A place is taken by an image that is there: clients that send slowly hold none.
        self._admit()
        self.taken += 1
        self.figures.at_work.set(self.taken)
        try:
            content_type = headers.get("content-type", "")
            work = asyncio.get_running_loop().run_in_executor(
                self.pool, self._answer, content_type, body, wish
            )
            del body
            answer, media_type, seconds = await work
            self.usual_seconds += 0.1 * (seconds - self.usual_seconds)
            return Response(answer, media_type=media_type)
        finally:
            self.taken -= 1
            self.figures.at_work.set(self.taken)

    def _answer(self, content_type: str, body: bytes, wish: Wish) -> tuple[bytes, str, float]:
        start = time.perf_counter()
        content = image_of(content_type, body, self.limits.most_bytes)
        answer, media_type = self.answerer.answer(content, wish)
        return answer, media_type, time.perf_counter() - start


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def of_ours(_: Request, problem: ProblemError) -> Response:
        return problem.response()

    @app.exception_handler(HTTPException)
    async def of_the_router(request: Request, error: HTTPException) -> Response:
        detail = {
            404: "there is no such address; GET /openapi.json names those that there are.",
            405: f"expected another method than {request.method[:10]}.",
        }.get(error.status_code, str(error.detail))
        return ProblemError(error.status_code, detail, error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def of_a_parameter(_: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{one['loc'][1]}: {one['msg']}" for one in error.errors())
        return ProblemError(400, f"parameters cannot be used: {wrong}.").response()

    @app.exception_handler(ClientDisconnect)
    async def of_a_client_that_left(_: Request, __: ClientDisconnect) -> Response:
        return ProblemError(400, "the image ended before its end.").response()
