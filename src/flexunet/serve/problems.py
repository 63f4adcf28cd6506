"""Errors as problem documents: `application/problem+json`.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from flexunet.errors import FlexUNetError, InputError, OutOfMemoryError

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that is answered with an error status.

    Args:
        status: HTTP status.
        detail: What was expected, what was found and what to do.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        text = json.dumps(document, ensure_ascii=False)
        return Response(text, self.status, self.headers, media_type=MEDIA_TYPE)


def problem_of(error: FlexUNetError) -> ProblemError:
    """The problem that an error of ours is to a client."""
    if isinstance(error, OutOfMemoryError):
        return ProblemError(413, str(error))
    if isinstance(error, InputError):
        return ProblemError(422, str(error))
    return ProblemError(500, "the prediction failed; the log of the service says why.")
