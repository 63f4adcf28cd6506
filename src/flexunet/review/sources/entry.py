"""One image that is laid on the desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """An image of a source, with what is known of it before anybody looks.

    Attributes:
        key: Path of the image relative to the source, forward slashes; it names the image for good.
        image: The image file.
        mask: The mask to begin with (a draft, or one to check); None where there is none.
        patient: The person, "" where unknown.
        side: `L`, `R` or "".
        view: `CC`, `MLO`, ... or "".
        exam: What tells examinations of one person apart, a date for example; "" where unknown.
        split: `train`, `valid`, `test` or "".
        confidence: Of the draft, 0 to 1; None where it is not known.
        entropy: Of the draft, 0 to 1; None where it is not known.
        disagreement: 1 less the Dice coefficient of two drafts; None without a second draft.
        audit: Severity of the worst audit finding, 0 to 1; None without an audit.
        reasons: Why a person should look, a sentence each.
        truth: The mask that is known to be right, by which readers are measured; None for other images.
    """

    key: str
    image: Path
    mask: Path | None = None
    patient: str = ""
    side: str = ""
    view: str = ""
    exam: str = ""
    split: str = ""
    confidence: float | None = None
    entropy: float | None = None
    disagreement: float | None = None
    audit: float | None = None
    reasons: tuple[str, ...] = field(default=())
    truth: Path | None = None

    @property
    def need(self) -> float:
        """How much a person is needed, 0 to 1: the greatest of the doubts that are known."""
        doubts = [
            None if self.confidence is None else 1 - self.confidence,
            self.entropy,
            self.disagreement,
            self.audit,
        ]
        return round(max((doubt for doubt in doubts if doubt is not None), default=0.0), 6)
