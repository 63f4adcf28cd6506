"""Starting and ending the service: who may reach it, the model, the socket."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.errors import ConfigError, PathError, PrintableFormatter
from flexunet.extras import import_extra

if TYPE_CHECKING:
    from flexunet.config.schema import Config

TOKEN_VARIABLE = "FLEXUNET_TOKEN"  # noqa: S105 - the name of the variable
_LEAST_TOKEN = 16
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Service:
    """How a service is to run.

    Attributes:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        token_file: File with the bearer token; none: the environment variable, or no token.
        tiled: Whether images are predicted tile by tile.
        most_bytes: Size of an image's file.
        most_pixels: Pixels of an image.
        batch: Most images predicted together.
        waiting: Images that may be waiting or under way.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token_file: Path | None = None
    tiled: bool = False
    most_bytes: int = 64 << 20
    most_pixels: int = 50_000_000
    batch: int = 4
    waiting: int = 32
    token: str | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", read_token(self.token_file))
        if not is_loopback(self.host) and self.token is None:
            raise ConfigError(
                f"--host {self.host} lets other machines reach the service, so it wants a token: put one of "
                f"at least {_LEAST_TOKEN} characters into the environment variable {TOKEN_VARIABLE}, or into "
                "a file named by --token-file. python -c 'import secrets; print(secrets.token_urlsafe())' "
                "makes one."
            )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_token(path: Path | None) -> str | None:
    """The bearer token: of a file, else of the environment, else none.

    Raises:
        PathError: if the file cannot be read.
        ConfigError: if the token is short, or not of visible ASCII characters.
    """
    if path is not None:
        try:
            token, source = path.read_text(encoding="utf-8").strip(), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise PathError(f"cannot read the token file {path} ({error}). Check --token-file.") from error
    elif TOKEN_VARIABLE in os.environ:
        token, source = os.environ[TOKEN_VARIABLE].strip(), f"the environment variable {TOKEN_VARIABLE}"
    else:
        return None
    if len(token) < _LEAST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError(
            f"{source}: expected a token of at least {_LEAST_TOKEN} letters, digits and signs without "
            f"spaces, found {len(token)} characters."
        )
    return token


def serve(config: Config, service: Service, announce: Callable[[str], None]) -> None:
    """Serve a trained run until the process is told to stop (SIGINT, SIGTERM); answers what it has taken.

    Args:
        config: The configuration of a trained run.
        service: How.
        announce: Called with the address when requests are taken.

    Raises:
        PathError: if the run has no model, or the address cannot be had.
        EngineError: if the service's libraries are not installed.
    """
    libraries = ("uvicorn", "fastapi", "prometheus_client", "python_multipart")
    import_extra(*libraries, extra="serve", needed_by="the service")
    import uvicorn

    from flexunet.serve.connection import PromptProtocol

    listener = listen(service.host, service.port)
    try:
        app = _make(config, service)
        handler = logging.StreamHandler()
        handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[handler])
        logging.getLogger("flexunet.serve").setLevel(logging.INFO)
        host = f"[{service.host}]" if ":" in service.host else service.host
        address = f"http://{host}:{listener.getsockname()[1]}"

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                announce(address)

        server = Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # it would log file names in queries, and addresses
                server_header=False,
                ws="none",
                http=PromptProtocol,
                lifespan="on",
                timeout_graceful_shutdown=60,
            )
        )
        # uvicorn ends in order on these, then hands them on to whoever had them before: to nobody.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])
    finally:
        listener.close()


def _make(config: Config, service: Service) -> Any:
    from flexunet.inference.journal import digest_of_weights
    from flexunet.inference.predict.predictor import Predictor
    from flexunet.serve.answers import Answerer
    from flexunet.serve.app import Limits, make_app
    from flexunet.serve.batching import share_models
    from flexunet.serve.drift import DriftWindow
    from flexunet.serve.facts import model_facts
    from flexunet.serve.figures import Figures

    figures = Figures()
    predictor = Predictor.load(config)
    digest = digest_of_weights(*predictor.models)
    watch = DriftWindow.of_run(config)
    if watch is not None:
        figures.registry.register(watch)
    close = share_models(predictor, most=service.batch, observe=figures.observe_batch)
    return make_app(
        Answerer(predictor, digest, tiled=service.tiled, most_pixels=service.most_pixels, watch=watch),
        model_facts(predictor.config, digest, tiled=service.tiled),
        figures,
        # Twice what a batch holds: while one is in the model, the next is read and the last is encoded.
        limits=Limits(service.most_bytes, service.waiting, threads=2 * service.batch),
        token=service.token,
        hosts=None if service.token else _LOOPBACK_NAMES | {service.host},
        at_end=close,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Raises:
        PathError: if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name != "nt":  # there it would let another process take the same port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PathError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}. Choose "
            "another --host or --port."
        ) from error
    return listener
