"""Starting and ending a desk: who may reach it, the address, the socket."""

from __future__ import annotations

import logging
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from flexunet.errors import PrintableFormatter
from flexunet.extras import import_extra
from flexunet.review.desk import Desk, DeskSettings
from flexunet.serve.server import is_loopback, listen

LIBRARIES = ("uvicorn", "fastapi", "sqlalchemy", "alembic", "argon2")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Service:
    """How a desk is served.

    Attributes:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        reader: Who has the token.
    """

    host: str = "127.0.0.1"
    port: int = 0
    reader: str = "reader"


def run_desk(settings: DeskSettings, service: Service, announce: Callable[[str, Desk], None]) -> None:
    """Serve a desk until the process is told to stop (SIGINT, SIGTERM).

    Args:
        settings: The desk.
        service: How.
        announce: Called with the address, token and all, when requests are taken.

    Raises:
        PathError: if the source cannot be laid on the desk, or the address cannot be had.
        EngineError: if the desk's libraries are not installed.
    """
    import_extra(*LIBRARIES, extra="review", needed_by="the review desk")
    import uvicorn

    from flexunet.review.web.app import make_app

    listener = listen(service.host, service.port)
    desk = None
    try:
        desk = opened = Desk(settings)
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        host = f"[{service.host}]" if ":" in service.host else service.host
        hosts = _LOOPBACK_NAMES | {service.host} if is_loopback(service.host) else None
        app = make_app(desk, token=token, reader=service.reader, hosts=hosts, cookie=f"desk_session_{port}")
        handler = logging.StreamHandler()
        handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[handler])

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                announce(f"http://{host}:{port}/?token={token}", opened)

        server = Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off",
                timeout_graceful_shutdown=30,
            )
        )  # fmt: skip
        # uvicorn ends in order on these, then hands them on to whoever had them before: to nobody.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])
    finally:
        listener.close()
        if desk is not None:
            desk.close()
