"""The one image of a request: read up to a limit, taken out of a form, kept in memory.

Nothing that a client says about its image counts: no file name, no media type. The content decides.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flexunet.serve.problems import ProblemError

_FORM = "multipart/form-data"
# A form's boundaries and part headers, beside the image itself.
_FORM_ROOM = 4096
_MOST_PARTS = 8
_LONGEST_BOUNDARY = 70


async def read_body(
    headers: Mapping[str, str], chunks: AsyncIterator[bytes], most: int, seconds: float
) -> bytes:
    """Read the body of a request.

    Args:
        headers: Of the request.
        chunks: Its body.
        most: Bytes that are accepted.
        seconds: Time that the client has to send it.

    Raises:
        ProblemError: 413 if it is larger, announced or not; 408 if it takes longer; 415 if it is packed; 400
            if it is empty.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "expected the image as it is, found Content-Encoding. Send it unpacked.")
    allowed = most + (_FORM_ROOM if headers.get("content-type", "").startswith(_FORM) else 0)
    too_large = ProblemError(
        413,
        f"the image is larger than {most:,} bytes. Send a smaller one, or start the service with a higher "
        "--max-megabytes.",
        {"Connection": "close"},
    )
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > allowed:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                body += chunk
                if len(body) > allowed:
                    raise too_large
    except TimeoutError:
        raise ProblemError(
            408, f"the image did not arrive within {seconds:g} s. Send it again.", {"Connection": "close"}
        ) from None
    if not body:
        raise ProblemError(400, "expected an image in the body of the request, found nothing.")
    return bytes(body)


def image_of(content_type: str, body: bytes, most: int) -> bytes:
    """The image in a body: the body itself, or the one file of a form.

    Raises:
        ProblemError: 400 if the form cannot be read or has no file, or several; 413 if the file is too large.
    """
    if not content_type.startswith(_FORM):
        return body
    files = _files_of_form(content_type, body)
    if len(files) != 1 or not files[0]:
        found = f"{len(files)} files" if len(files) != 1 else "an empty file"
        raise ProblemError(400, f"expected a form with one file, the image; found {found}.")
    if len(files[0]) > most:
        raise ProblemError(413, f"the image is larger than {most:,} bytes. Send a smaller one.")
    return files[0]


@contextmanager
def as_file(content: bytes) -> Iterator[Path]:
    """A file of this content for readers that want one: in memory on Linux, elsewhere in a private folder.

    It has no name that a reader could go by, and is gone afterwards, also if the process is killed (Linux).
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("image")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(content)
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="flexunet-") as folder:
        path = Path(folder, "image")
        path.write_bytes(content)
        yield path


def _files_of_form(content_type: str, body: bytes) -> list[bytes]:
    """Contents of the parts that have a file name; the name itself is dropped."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    files: list[bytearray] = []
    state: dict[str, Any] = {}

    def begin() -> None:
        state["parts"] = state.get("parts", 0) + 1
        if state["parts"] > _MOST_PARTS:
            raise ProblemError(400, f"the form has more than {_MOST_PARTS} parts. Send the image alone.")
        state.update(field=b"", value=b"", is_file=False)

    def header_field(data: bytes, start: int, end: int) -> None:
        state["field"] += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        state["value"] += data[start:end]

    def header_end() -> None:
        if state["field"].lower() == b"content-disposition":
            _, options = parse_options_header(state["value"])
            state["is_file"] = b"filename" in options
        state.update(field=b"", value=b"")

    def headers_finished() -> None:
        if state["is_file"]:
            files.append(bytearray())

    def part_data(data: bytes, start: int, end: int) -> None:
        if state["is_file"]:
            files[-1] += data[start:end]

    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise ProblemError(400, "the form has no boundary. Send it as multipart/form-data; boundary=...")
    if len(boundary) > _LONGEST_BOUNDARY:
        raise ProblemError(
            400,
            f"the boundary of the form has {len(boundary)} bytes; expected at most {_LONGEST_BOUNDARY} "
            "(RFC 2046).",
        )
    finished: list[bool] = []
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_part_data": part_data,
            "on_header_field": header_field,
            "on_header_value": header_value,
            "on_header_end": header_end,
            "on_headers_finished": headers_finished,
            "on_end": lambda: finished.append(True),
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, LookupError) as error:
        raise ProblemError(400, f"the form cannot be read ({error}). Send it again.") from None
    if not finished:
        raise ProblemError(400, "the form ends before its last boundary. Send it again.")
    return [bytes(file) for file in files]
