"""Starting and ending a desk: who may reach it, the address, the socket."""

from __future__ import annotations

import hashlib
import logging
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.errors import ConfigError, PathError, PrintableFormatter
from flexunet.extras import import_extra
from flexunet.review.desk import Desk
from flexunet.review.settings import DeskSettings
from flexunet.review.web.sessions import check_name
from flexunet.serve.server import is_loopback, listen

if TYPE_CHECKING:
    from fastapi import FastAPI

LIBRARIES = ("uvicorn", "fastapi", "sqlalchemy", "alembic", "argon2")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Service:
    """How a desk is served.

    Attributes:
        host: Address to listen on.
        port: Port; 0 takes the usual one of the desk's folder, or a free one.
        reader: Who has the token.
        accounts: Whether readers sign in by name and password, and there is no token.
        certificate: File of the TLS certificate; none: no TLS.
        key: File of its key.

    Raises:
        ConfigError: if others could reach the desk without signing in, or the certificate lacks its key.
    """

    host: str = "127.0.0.1"
    port: int = 0
    reader: str = "reader"
    accounts: bool = False
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        check_name(self.reader)
        if not is_loopback(self.host) and not self.accounts:
            raise ConfigError(
                f"--host {self.host} lets other machines reach the desk, so readers must sign in: add "
                "--accounts, after making an account with --add-account NAME:admin."
            )
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--tls-cert and --tls-key belong together: give both.")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise ConfigError(f"there is no file {path}: check --tls-cert and --tls-key.")

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        if is_loopback(self.host) or self.certificate:
            return []
        return [
            "without TLS, passwords and images pass the network as they are: add --tls-cert and --tls-key, "
            "or let a proxy with TLS stand before the desk."
        ]

    def address(self, port: int) -> str:
        """The address at a port; IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}/"


def run_desk(settings: DeskSettings, service: Service, announce: Callable[[str, Desk], None]) -> None:
    """Serve a desk until the process is told to stop (SIGINT, SIGTERM).

    Args:
        settings: The desk.
        service: How.
        announce: Called with the address, token and all, when requests are taken.

    Raises:
        PathError: if the source cannot be laid on the desk, or the address cannot be had.
        ConfigError: if readers are to sign in, and there is no account.
        EngineError: if the desk's libraries are not installed.
    """
    import_extra(*LIBRARIES, extra="review", needed_by="the review desk")

    listener = _listen(service, settings.own_folder)
    desk = None
    try:
        desk = Desk(settings)
        desk.notes += service.notes
        port = listener.getsockname()[1]
        token = None if service.accounts else secrets.token_urlsafe(24)
        address = service.address(port) + (f"?token={token}" if token else "")
        app = _make(desk, service, token, port)
        _serve(app, service, listener, partial(announce, address, desk))
    finally:
        listener.close()
        if desk is not None:
            desk.close()


def usual_port(folder: Path) -> int:
    """The port of a desk's folder, the same at each start, below those that systems hand out.

    A browser keeps strokes that wait for the desk under the desk's address: at another port they would not be
    found again after a restart.
    """
    digest = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).digest()
    return 20000 + int.from_bytes(digest[:4], "big") % 12000


def _listen(service: Service, folder: Path) -> socket.socket:
    """The socket of the service; without a port, at the usual one where that is free."""
    if not service.port:
        try:
            return listen(service.host, usual_port(folder))
        except PathError:
            pass
    return listen(service.host, service.port)


def _make(desk: Desk, service: Service, token: str | None, port: int) -> FastAPI:
    from flexunet.review.web.accounts import Accounts
    from flexunet.review.web.app import make_app

    if service.accounts and not Accounts(desk.database).count():
        raise ConfigError("--accounts: there is none yet. Make one with --add-account NAME:admin.")
    return make_app(
        desk,
        token=token,
        reader=service.reader,
        hosts=_LOOPBACK_NAMES | {service.host} if is_loopback(service.host) else None,
        cookie=f"desk_session_{port}",  # cookies of one machine are shared by all its ports
        secure=service.certificate is not None,
    )


def _serve(app: FastAPI, service: Service, listener: socket.socket, announce: Callable[[], None]) -> None:
    import uvicorn

    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce()

    server = Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # it would log addresses and what is searched for
            server_header=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=30,
            ssl_certfile=service.certificate,
            ssl_keyfile=service.key,
        )
    )
    # uvicorn ends in order on these, then hands them on to whoever had them before: to nobody.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
