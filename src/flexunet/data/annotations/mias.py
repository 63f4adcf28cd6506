"""The truth table of mini-MIAS."""

from __future__ import annotations

import re
from pathlib import Path

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Annotations,
    Circle,
    FilmAnnotation,
)
from flexunet.data.tables import decode_text
from flexunet.errors import MaskError

_SIZE = 1024
_COORDINATE = re.compile(r"[0-9]{1,5}")
_LINE = re.compile(r"(?P<film>mdb[0-9]{3})\s+(?P<tissue>[FGD])\s+(?P<label>[A-Z]{4})\b\s*(?P<rest>.*)")


def read_mias(path: Path) -> Annotations:
    """The truth table of mini-MIAS: `mdb001 G CIRC B 535 425 197`, y counted from the bottom of 1024 pixels.

    Source: Suckling, J. et al. (1994), The Mammographic Image Analysis Society digital mammogram database,
        Excerpta Medica International Congress Series 1069, 375-378.

    Raises:
        MaskError: if it has no such line, or two lines contradict each other; names the line.
    """
    text, note = decode_text(path, "mini-MIAS table", MaskError)
    films = Annotations(notes=[note] if note else [])
    for line, words in enumerate(text.splitlines(), 1):
        match = _LINE.match(words.strip())
        if not match:
            continue
        rest = match["rest"].split()
        severity = rest[0] if rest and rest[0] in ("B", "M") else ""
        numbers = rest[1:4] if severity else rest[:3]
        shapes: tuple[Circle, ...] = ()
        state, reason = UNKNOWN, f"{path.name}: {words.strip()[:100]!r} gives no coordinates"
        if len(numbers) == 3 and all(_COORDINATE.fullmatch(number) for number in numbers):
            x, y, radius = (int(number) for number in numbers)
            shapes = (Circle(x, _SIZE - y, radius, match["label"]),)
            state, reason = ANNOTATED, ""
        elif match["label"] == "NORM":
            state, reason = NORMAL, ""
        number = int(match["film"][3:])  # odd films are right breasts; films 2k - 1 and 2k are of one person
        columns = {
            "patient": f"mias{(number + 1) // 2:03d}",
            "side": "R" if number % 2 else "L",
            "tissue": match["tissue"],
            "finding": match["label"],
            "severity": severity,
        }
        film = FilmAnnotation(state, shapes, _SIZE, _SIZE, True, reason, columns)
        films.add(match["film"], film, f"{path}, line {line},")
    if not films:
        raise MaskError(f"{path} is no mini-MIAS table: expected lines like 'mdb001 G CIRC B 535 425 197'.")
    return films
