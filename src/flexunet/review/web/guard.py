"""What every request passes before its route: host, origin, session, token against forgery, size.

The page runs under a policy that lets no inline script and nothing from elsewhere in.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from flexunet.review.web.sessions import Session, Sessions, same
from flexunet.serve.addresses import Message, add_headers, host_name, host_of_origin

log = logging.getLogger("flexunet.review")

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 64 << 20  # of a request: the runs of a mask of 4096 x 3328 in the worst case are less
CSRF_HEADER = "x-desk-csrf"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OPEN_CALLS = frozenset({"/api/login"})
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware.

    Args:
        app: What comes behind it.
        sessions: The sessions of the desk.
        token: What the address printed at start holds; None where readers sign in.
        reader: Who has the token.
        hosts: Names that the desk may be called by; a page elsewhere may not reach it under a name that it
            has pointed here (DNS rebinding). None accepts all.
        cookie: Name of the cookie.
        secure: Whether the cookie is sent over TLS alone.
    """

    def __init__(
        self,
        app: App,
        *,
        sessions: Sessions,
        token: str | None,
        reader: str,
        hosts: Collection[str] | None,
        cookie: str,
        secure: bool,
    ):
        self.app = app
        self.sessions = sessions
        self.token = token
        self.reader = reader
        self.hosts = hosts
        self.cookie = cookie
        self.secure = secure

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                add_headers(message, _HEADERS)
            await send(message)

        try:
            answer = self._turn_away(scope)
            if answer is None:
                await self.app(scope, receive, send_guarded)
            else:
                await _answer(send_guarded, *answer)
        except Exception:
            log.exception("a request failed")
            if started:  # too late for another answer
                raise
            await _answer(send_guarded, 500, "the desk failed; its log says why. Nothing was saved.")

    def _turn_away(self, scope: Message) -> tuple[int, str, list[tuple[str, str]]] | tuple[int, str] | None:
        """Status and text of a refusal, or the welcome to who brings the token; None lets it pass."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and host_name(host) not in self.hosts:
            return 421, f"expected one of {', '.join(sorted(self.hosts))} as host."
        origin = headers.get("origin")
        if origin is not None and host_of_origin(origin) != host.lower():
            return 403, "requests from web pages of other hosts are not answered."
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"].startswith("/api"):
            return 403, "requests from web pages of other hosts are not answered."
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and (refusal := _refuse_body(headers)):
            return refusal
        if scope["path"] == "/" and (given := _token_of(scope)) is not None:
            return self._welcome(given)
        if not scope["path"].startswith("/api"):
            return None
        session = self._session(headers)
        scope.setdefault("state", {})["session"] = session
        if scope["path"] in _OPEN_CALLS:
            return None
        if session is None:
            how = "sign in" if self.token is None else "open the address that flexunet review printed"
            return 401, f"this browser has no session: {how}."
        if changes and not same(headers.get(CSRF_HEADER, ""), session.csrf):
            return 403, "the header X-Desk-CSRF is missing or wrong: load the page again."
        return None

    def _session(self, headers: dict[str, str]) -> Session | None:
        cookie = cookie_in(headers.get("cookie", ""), self.cookie)
        return self.sessions.find(cookie) if cookie else None

    def _welcome(self, given: str) -> tuple[int, str, list[tuple[str, str]]] | tuple[int, str]:
        if self.token is None or not same(given, self.token):
            return 401, "the token is wrong: open the address that flexunet review printed."
        cookie = cookie_header(self.cookie, self.sessions.begin(self.reader, "admin"), self.secure)
        return 303, "", [("location", "/"), ("set-cookie", cookie)]


def cookie_header(name: str, value: str, secure: bool) -> str:
    """The header that gives a browser its cookie, or takes it away where the value is empty."""
    ends = "" if value else "; Max-Age=0"
    return f"{name}={value}; HttpOnly; SameSite=Strict; Path=/{ends}{'; Secure' if secure else ''}"


def cookie_in(header: str, name: str) -> str:
    """The value of a cookie; "" where there is none."""
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _refuse_body(headers: dict[str, str]) -> tuple[int, str] | None:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        return 411, "expected a body whose length is told beforehand (Content-Length)."
    if int(length) > MOST_BYTES:
        return 413, f"expected a request of at most {MOST_BYTES >> 20} MiB, found {int(length)} bytes."
    if int(length) and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 415, "expected JSON (Content-Type: application/json)."
    return None


def _token_of(scope: Message) -> str | None:
    given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return given[0] if given else None


async def _answer(send: Send, status: int, text: str, headers: Collection[tuple[str, str]] = ()) -> None:
    body = json.dumps({"error": text}).encode() if text else b""
    given = [*headers, ("content-type", "application/json"), ("content-length", str(len(body)))]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given],
        }
    )
    await send({"type": "http.response.body", "body": body})
