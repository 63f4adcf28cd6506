"""Other DICOM systems: by which title and address they are called, and how long one waits for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flexunet.errors import ConfigError

OWN_TITLE = "FLEXUNET"
# 1 to 16 characters without backslash and control characters, not all of them spaces (PS3.5 6.2, AE).
_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
_PEER = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9a-fA-F:]+\]|[^:@\s]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Peer:
    """Another DICOM system.

    Attributes:
        title: Its application entity title (AE title).
        host: Its name or address.
        port: Its port.
    """

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Patience:
    """How long one waits for a peer, and how often one tries.

    Attributes:
        seconds: Seconds for a connection, and for each answer.
        retries: Further attempts after one that failed for a reason that may pass.
        pause: Seconds before the first further attempt; each later pause is twice as long.
    """

    seconds: float = 30.0
    retries: int = 3
    pause: float = 1.0


def check_title(title: str) -> str:
    """An AE title, as it was given.

    Raises:
        ConfigError: if it is none.
    """
    if not _TITLE.fullmatch(title):
        raise ConfigError(
            f"expected an AE title of 1 to 16 ASCII characters without backslash, found {title!r}."
        )
    return title


def parse_peer(text: str) -> Peer:
    """The peer that `TITLE@HOST:PORT` means.

    Raises:
        ConfigError: if the text has another form.
    """
    match = _PEER.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(
            f"expected a peer as TITLE@HOST:PORT, such as ORTHANC@127.0.0.1:4242, found {text!r}."
        )
    return Peer(check_title(match["title"]), match["host"].strip("[]"), int(match["port"]))
