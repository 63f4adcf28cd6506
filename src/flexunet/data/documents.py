"""JSON and XML that other programs wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flexunet.data.tables import decode_text
from flexunet.errors import DatasetError, InputError


def read_json(path: Path, error: type[InputError] = DatasetError) -> Any:
    """The document of a JSON file; one that says two things under one key is an error.

    Args:
        path: The file.
        error: The class of the errors raised.

    Raises:
        InputError: if it is no JSON; an error of the class `error`.
        OSError: if the file cannot be read.
    """
    try:
        text, _ = decode_text(path, "JSON file", error)
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is not valid JSON: {reason}.") from reason


def parse_xml(content: bytes, name: str) -> ElementTree.Element:
    """The root of an XML document; one with a document type, by which texts can grow without end, is refused.

    Raises:
        ValueError: if it has one; names it by `name`.
        ElementTree.ParseError: if it is no XML.
    """
    if b"<!DOCTYPE" in content.replace(b"\0", b""):  # in UTF-16 every second byte is 0
        raise ValueError(f"{name} has a document type, which no program of its kind writes")
    return ElementTree.fromstring(content)  # noqa: S314 (without document type there are no entities)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is given twice in one object")
    return values
