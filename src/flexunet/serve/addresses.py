"""What a request says of where it goes to and where it comes from, and the headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]


def host_name(host: str) -> str:
    """The name in a header Host, without its port; "" where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def host_of_origin(origin: str) -> str:
    """The host with its port in a header Origin; "" where there is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def add_headers(message: Message, headers: Mapping[str, str]) -> None:
    """Add headers to the start of an ASGI answer, but those that it has."""
    given = {name.lower() for name, _ in message["headers"]}
    message["headers"] = [
        *message["headers"],
        *((name.encode(), value.encode()) for name, value in headers.items() if name.encode() not in given),
    ]
