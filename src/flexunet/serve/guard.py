"""What every request passes before and after its route: token, host, origin; headers, figures, log.

Nothing of a request's content, name or query is logged: the route, the status and the time are.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Collection

from flexunet.serve.addresses import Message, add_headers, host_name, host_of_origin
from flexunet.serve.figures import Figures
from flexunet.serve.problems import ProblemError

log = logging.getLogger("flexunet.serve")

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# Without a token: the page, which asks for it, and what tells a load balancer that the service lives.
OPEN_ROUTES = frozenset({"/", "/health", "/health/live", "/health/ready"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Guard:
    """ASGI middleware.

    Args:
        app: What comes behind it.
        figures: Where requests are counted.
        token: Bearer token that is asked for; none where nobody but this machine reaches the service.
        hosts: Names the service may be called by; none accepts all. It keeps a web page elsewhere from
            reaching a service on this machine under a name that it has pointed here (DNS rebinding).
            Starlette's TrustedHostMiddleware answers 400 in plain text, not 421 as a problem document.
    """

    def __init__(
        self, app: App, *, figures: Figures, token: str | None = None, hosts: Collection[str] | None = None
    ):
        self.app = app
        self.figures = figures
        self.token = token
        self.hosts = hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(message, _HEADERS)
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, receive, send_guarded)
        except ProblemError as problem:
            await problem.response()(scope, receive, send_guarded)
        except Exception:
            log.exception("a request failed")
            if status:  # too late for another answer
                raise
            failure = ProblemError(500, "the service failed; its log says why.")
            await failure.response()(scope, receive, send_guarded)
        finally:
            self._note(scope, status, time.perf_counter() - start)

    def _check(self, scope: Message) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and host_name(host) not in self.hosts:
            raise ProblemError(421, f"expected one of {', '.join(sorted(self.hosts))} as host.")
        origin = headers.get("origin")
        if origin is not None and host_of_origin(origin) != host.lower():
            raise ProblemError(403, "requests from web pages of other hosts are not answered.")
        if self.token is None or scope["path"] in OPEN_ROUTES:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode())
        if scheme.lower() != "bearer" or not right:
            raise ProblemError(
                401,
                "expected the token of this service in the header 'Authorization: Bearer TOKEN'.",
                {"WWW-Authenticate": 'Bearer realm="flexunet"', "Connection": "close"},
            )

    def _note(self, scope: Message, status: int, seconds: float) -> None:
        # A path that leads nowhere is the client's text, and its method may be: neither is kept.
        route = getattr(scope.get("route"), "path", "-")
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "-"
        self.figures.requests.labels(method, route, str(status)).inc()
        self.figures.seconds.labels(route).observe(seconds)
        log.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)
