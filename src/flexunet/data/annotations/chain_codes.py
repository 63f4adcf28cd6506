"""Outlines of DDSM as chain codes: `.OVERLAY` files, with the words of each abnormality.

Source: Heath, M. et al. (2001), The digital database for screening mammography, Proc. 5th International
    Workshop on Digital Mammography, 212-218.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from flexunet.data.annotations.shapes import Polygon
from flexunet.data.annotations.values import check_coordinate
from flexunet.data.tables import decode_text
from flexunet.errors import MaskError

# Steps of a code, x and y: 0 is up, and on clockwise.
_STEPS = ((0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1))


@dataclass(frozen=True)
class Abnormality:
    """One abnormality of a film.

    Attributes:
        outline: Its boundary through the middles of the border's pixels, which belong to it.
        cores: Outlines within it, of calcifications for example: no holes, and no further lesions.
        words: What follows the keys `ASSESSMENT`, `SUBTLETY` and `PATHOLOGY`.
    """

    outline: Polygon
    cores: tuple[Polygon, ...]
    words: dict[str, str]


def read_overlay(path: Path) -> tuple[Abnormality, ...]:
    """The abnormalities of an overlay; the label of an outline joins its types: `calcification+mass`.

    Raises:
        MaskError: if it is no overlay, or holds fewer abnormalities or outlines than it tells.
    """
    text, _ = decode_text(path, "overlay", MaskError)
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0][0] != "TOTAL_ABNORMALITIES":
        raise MaskError(f"{path} is no overlay of DDSM: it does not begin with TOTAL_ABNORMALITIES.")
    starts = [number for number, words in enumerate(lines) if words[0] == "ABNORMALITY"]
    if lines[0][1:] != [str(len(starts))]:
        raise MaskError(f"{path}: TOTAL_ABNORMALITIES {' '.join(lines[0][1:])}, but there are {len(starts)}.")
    ends = [*starts[1:], len(lines)]
    return tuple(_abnormality(lines[start:end], path) for start, end in zip(starts, ends, strict=True))


def _abnormality(lines: list[list[str]], path: Path) -> Abnormality:
    where = f"{path}, abnormality {' '.join(lines[0][1:])}"
    words = {key: " ".join(rest) for key, *rest in lines if key not in ("BOUNDARY", "CORE")}
    types = sorted({rest[0].casefold() for key, *rest in lines if key == "LESION_TYPE" and rest})
    outlines = {"BOUNDARY": list[Polygon](), "CORE": list[Polygon]()}
    for (key, *_), codes in pairwise(lines):
        if key in outlines:
            outlines[key].append(_outline(codes, "+".join(types) or "lesion", where))
    count = len(outlines["BOUNDARY"]) + len(outlines["CORE"])
    if len(outlines["BOUNDARY"]) != 1 or words.get("TOTAL_OUTLINES") != str(count):
        raise MaskError(
            f"{where}: expected one BOUNDARY and TOTAL_OUTLINES outlines ({words.get('TOTAL_OUTLINES')}), "
            f"found {len(outlines['BOUNDARY'])} and {count}."
        )
    return Abnormality(outlines["BOUNDARY"][0], tuple(outlines["CORE"]), words)


def _outline(codes: list[str], label: str, where: str) -> Polygon:
    """The polygon of `x y c c c ... #`; it is closed, where the chain stops short of its start."""
    if (
        codes[-1] != "#"
        or not all(code.isascii() and code.isdigit() for code in codes[:-1])
        or len(codes) < 4
    ):
        raise MaskError(f"{where}: expected 'x y c c c ... #', found {' '.join(codes)[:60]!r}.")
    x, y = (check_coordinate(int(code), where) for code in codes[:2])
    points = [(x + 0.5, y + 0.5)]
    for code in codes[2:-1]:
        if code not in "01234567" or len(code) > 1:
            raise MaskError(f"{where}: expected codes from 0 to 7, found {code[:20]!r}.")
        across, down = _STEPS[int(code)]
        points.append((points[-1][0] + across, points[-1][1] + down))
    return Polygon(tuple(points), label)
