"""The audit as a page: one self-contained HTML file with pictures of what was found."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flexunet.data.audit.files import take_inventory
from flexunet.data.audit.findings import SEVERITIES, AuditResult, Finding
from flexunet.data.audit.kinds import KINDS
from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.overlay import draw_overlay
from flexunet.data.images.regions import find_regions
from flexunet.errors import FlexUNetError, counted
from flexunet.files import sweep, templates_of, write_text
from flexunet.svg import prose
from flexunet.version import __version__

_SIDE = 220  # pixels of a thumbnail
_SHOWN = 12  # findings of one kind with pictures
_PICTURES = 6  # pictures of one finding
_QUALITY = 80
_TINY = 14  # pixels of a thumbnail
_RINGS = 8
_UNPICTURED = ("other-files", "missing-file", "mask-without-image", "patients-unknown")


@dataclass(frozen=True)
class _Picture:
    name: str
    data: str
    text: str


def write_report(result: AuditResult, path: Path | str) -> Path:
    """Write the page; it appears whole or not at all. Returns its path.

    Args:
        result: From `audit_dataset`.
        path: Where to write.
    """
    path = Path(path)
    sweep(path.parent)
    environment = templates_of("flexunet.data.audit")
    gallery = _Gallery(result.root, result.masks.lenient)
    environment.globals["counted"] = counted
    environment.filters["prose"] = prose
    page = environment.get_template("audit.html.jinja").render(
        dataset=str(result.root),
        scores_hold=result.scores_hold,
        counts={s: sum(f.severity == s for f in result.findings) for s in SEVERITIES},
        kinds=[_kind(group, gallery) for group in _grouped(result.findings)],
        splits=result.splits,
        figures=result.figures,
        not_known=result.not_known,
        version=__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        num_classes=max((len(row["class_shares"]) for row in result.splits.values()), default=0),
    )
    write_text(path, page)
    return path


def _grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    order = list(KINDS)
    return sorted(groups.values(), key=lambda g: (SEVERITIES.index(g[0].severity), order.index(g[0].code)))


def _kind(group: Sequence[Finding], gallery: _Gallery) -> dict[str, Any]:
    first = group[0]
    heading, why = KINDS[first.code]
    shown, pictured = list(group[:_SHOWN]), first.code not in _UNPICTURED
    examples: list[dict[str, Any]] = [
        {
            "text": finding.explanation,
            "pictures": gallery.pictures(finding) if pictured else [],
            "more": len(finding.files) > (_PICTURES if pictured else 0),
            "files": finding.files,
        }
        for finding in shown
    ]
    return {
        "code": first.code,
        "severity": first.severity,
        "heading": heading,
        "why": why,
        "remedy": first.remedy,
        "count": len(group),
        "files": len({file for finding in group for file in finding.files}),
        "examples": examples,
        "single": len(examples) > 1 and all(len(example["pictures"]) == 1 for example in examples),
        "rest": [finding.explanation for finding in group[len(shown) :]],
    }


class _Gallery:
    """Thumbnails of images with the outlines of their masks."""

    def __init__(self, root: Path, masks: MaskReader):
        self.masks = masks
        self.entries = {entry.name: entry for entry in take_inventory(root).entries}

    def pictures(self, finding: Finding) -> list[_Picture]:
        chosen = _spread_over_splits(finding.files)
        return [picture for name in chosen if (picture := self._picture(name, finding)) is not None]

    def _picture(self, name: str, finding: Finding) -> _Picture | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        try:
            grey = grey_of(read_image(entry.image, None))
        except (FlexUNetError, OSError):
            return None
        small = _small(grey)
        if entry.mask is not None:
            try:
                mask = self.masks.read(entry.mask)
                small = _outlined(small, mask)
            except (FlexUNetError, OSError):
                pass
        done, encoded = cv2.imencode(
            ".jpg", small[..., ::-1] if small.ndim == 3 else small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        if not done:
            return None
        score = finding.figures.get("robust_z", {}).get(name)
        text = f"z = {score}" if score is not None else ""
        return _Picture(name, "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode(), text)


def _outlined(small: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A thumbnail with the outlines of the mask; a ring around what is too small to be seen."""
    height, width = small.shape
    drawn = draw_overlay(small, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT))
    regions = find_regions(mask > 0)
    scale = width / mask.shape[1]
    for box, (y, x) in zip(regions.boxes[:_RINGS], regions.centres[:_RINGS], strict=True):
        if box[2:].max() * scale < _TINY:
            cv2.circle(drawn, (round(x * scale), round(y * scale)), _TINY, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def _spread_over_splits(files: Sequence[str]) -> list[str]:
    """A few files, from each folder in turn, so that a leak shows both of its sides."""
    by_folder: dict[str, list[str]] = {}
    for name in files:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    columns = list(by_folder.values())
    rounds = max((len(column) for column in columns), default=0)
    turned = [column[i] for i in range(rounds) for column in columns if i < len(column)]
    return turned[:_PICTURES]


def _small(grey: np.ndarray) -> np.ndarray:
    scale = min(1.0, _SIDE / max(grey.shape))
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
