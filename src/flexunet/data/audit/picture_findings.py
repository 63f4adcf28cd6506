"""Findings about images as such: unreadable, blank, of mixed size, depth or colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flexunet.data.audit.examine import Examined
from flexunet.data.audit.files import unreadable
from flexunet.data.audit.findings import Finding
from flexunet.data.dataset.matching import listed
from flexunet.data.images.grey_range import range_of_highest, say_range
from flexunet.errors import counted

_BLANK = 2.0  # standard deviation of the grey levels
_MUCH_DARKER = 16  # times: 12 bits beside 16
_TINTED = 0.001  # share of coloured pixels from which an image counts as coloured


def picture_findings(examined: Sequence[Examined]) -> list[Finding]:
    """Findings about the images of a data set."""
    findings = [unreadable(e.entry.name, e.image_error, e.entry.split) for e in examined if e.image_error]
    read = [e for e in examined if not e.image_error]
    findings += _blank(read)
    findings += _part_of_range(read)
    findings += _mixed(
        read,
        "size-varies",
        [f"{e.width} x {e.height}" for e in read],
        "note",
        "images have several sizes",
        "Training resizes all to image_width x image_height; check that the shapes are not distorted by it.",
    )
    findings += _mixed(
        read,
        "depth-varies",
        [f"{e.bits} bit" for e in read],
        "warning",
        "images have 8 and 16 bit",
        "Convert all to one bit depth; otherwise the same tissue has different grey levels.",
    )
    findings += _mixed(
        read,
        "colour-varies",
        ["colour" if e.coloured > _TINTED else "grey" for e in read],
        "note",
        "some images are coloured and some are grey",
        "If the modality has no colour, write all images grey: image_channels = 1.",
    )
    return findings


def _blank(read: Sequence[Examined]) -> list[Finding]:
    blank = [e for e in read if e.nearly_constant or e.deviation < _BLANK]
    if not blank:
        return []
    names = tuple(e.entry.name for e in blank)
    return [
        Finding(
            "blank-image",
            "warning",
            names,
            f"{counted(len(names), 'image is', 'images are')} nearly constant, all of one grey: "
            f"{listed(names)}.",
            "Remove them, or export them again.",
        )
    ]


def _part_of_range(read: Sequence[Examined]) -> list[Finding]:
    deep = [e for e in read if e.highest]
    highest = max((e.highest for e in deep), default=0)
    rule = range_of_highest(highest)
    if not deep:
        return []
    dark = tuple(e.entry.name for e in deep if e.highest * _MUCH_DARKER <= highest and not e.nearly_constant)
    findings = [
        Finding(
            "range-varies",
            "warning",
            dark,
            f"{len(dark)} of {counted(len(deep), '16-bit image')} have no value above a sixteenth of the "
            f"highest, {highest}: {listed(dark)}. One range serves all, so these are nearly black.",
            "Export all with the same bits; files of 12 bits and of 16 do not mix.",
            {"highest": highest},
        )
    ] * bool(dark)
    if rule == "full":
        return findings
    return [
        *findings,
        Finding(
            "grey-range",
            "warning",
            tuple(e.entry.name for e in deep),
            say_range("auto", highest, len(deep), "images"),
            f"Train with [image] range = auto, as by default, or {rule!r}; other programs see black.",
            {"highest": highest, "range": rule},
        ),
    ]


def _mixed(
    read: Sequence[Examined], code: str, kinds: Sequence[str], severity: str, what: str, remedy: str
) -> list[Finding]:
    counts = Counter(kinds)
    if len(counts) < 2:
        return []
    commonest = counts.most_common(1)[0][0]
    rare = tuple(e.entry.name for e, kind in zip(read, kinds, strict=True) if kind != commonest)
    table = ", ".join(f"{kind}: {count}" for kind, count in counts.most_common(6))
    more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
    return [Finding(code, severity, rare, f"{what} ({table}{more}).", remedy, {"counts": dict(counts)})]
