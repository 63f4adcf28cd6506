"""What an audit says: findings, and the figures they rest on."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import counted

SEVERITIES = ("error", "warning", "note")
# A split whose scores are quoted. "" is a folder without splits: any of its images may be tested on later.
SCORED_SPLITS = ("test", "")
ERROR_SHARE = 0.1  # of the masks of a split: from here on faults are no slips, and what is learned is untrue


def severity_of_share(split: str, wrong: int, total: int) -> str:
    """Severity of faulty masks: an error if any is in a scored split, or they are 10 % of the split.

    Args:
        split: Where they are.
        wrong: How many are faulty.
        total: Of how many.
    """
    return "error" if split in SCORED_SPLITS or wrong >= ERROR_SHARE * total else "warning"


@dataclass(frozen=True)
class Finding:
    """Something that a user of the data set should know.

    Attributes:
        code: What kind of finding, a short name that stays the same.
        severity: `error`: a test score would be untrue; `warning`: look at it; `note`: good to know.
        files: Paths relative to the data set, forward slashes; images where there is a choice.
        explanation: What was found.
        remedy: What to do.
        figures: Numbers behind it.
    """

    code: str
    severity: str
    files: tuple[str, ...]
    explanation: str
    remedy: str
    figures: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass
class AuditResult:
    """Outcome of an audit.

    Attributes:
        root: The data set.
        findings: Errors first.
        splits: Counts and figures of each split.
        figures: Figures of the data set as a whole.
        masks: How masks were read.
    """

    root: Path
    findings: list[Finding]
    splits: dict[str, dict[str, Any]]
    figures: dict[str, Any]
    masks: MaskReader = field(default_factory=MaskReader)

    def __post_init__(self) -> None:
        self.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))

    def __repr__(self) -> str:
        counts = Counter(finding.severity for finding in self.findings)
        told = ", ".join(f"{counts[severity]} {severity}s" for severity in SEVERITIES if counts[severity])
        return f"<AuditResult of {self.root}: {told or 'no findings'}>"

    @property
    def scores_hold(self) -> bool:
        """Whether nothing was found that would make a test score untrue."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 if scores hold, 1 if not."""
        return 0 if self.scores_hold else 1

    @property
    def not_known(self) -> list[str]:
        """What the audit could not look at, and what a verdict therefore says nothing of."""
        unnamed = sum(len(finding.files) for finding in self.with_code("patients-unknown"))
        parts = [
            (
                unnamed,
                f"whether one person is in two splits, for {counted(unnamed, 'image')} without a patient",
            ),
            (
                not self.figures.get("compared", True),
                "whether a picture is there twice, for none were compared",
            ),
            (self.with_code("no-masks"), "whether masks are right, for there are none"),
        ]
        return [text for applies, text in parts if applies]

    def with_code(self, code: str) -> list[Finding]:
        """Findings of one kind."""
        return [finding for finding in self.findings if finding.code == code]

    def summary(self) -> dict[str, Any]:
        """Short form for reports: counts, and one line a kind of finding."""
        kinds = Counter((finding.severity, finding.code) for finding in self.findings)
        first: dict[str, Finding] = {}
        for finding in self.findings:
            first.setdefault(finding.code, finding)
        return {
            "dataset": str(self.root),
            "scores_hold": self.scores_hold,
            "not_known": self.not_known,
            **self._for_verdict(),
            "counts": {s: sum(f.severity == s for f in self.findings) for s in SEVERITIES},
            "findings": [
                {
                    "code": code,
                    "severity": severity,
                    "count": count,
                    "files": sum(len(f.files) for f in self.with_code(code) if f.severity == severity),
                    "example": first[code].explanation,
                    "remedy": first[code].remedy,
                }
                for (severity, code), count in kinds.items()
            ],
            "splits": self.splits,
        }

    def _for_verdict(self) -> dict[str, Any]:
        """What an evaluation of this data set must say (keys as `evaluation.verdict.leaking` reads them)."""
        leaks = ("leak", "patient-in-two-splits")
        untrue = [f.explanation for f in self.findings if f.severity == "error" and f.code not in leaks]
        return {
            "leak_pairs": self.figures.get("leak_pairs", 0),
            "shared_patients": len(self.with_code("patient-in-two-splits")),
            "untrue": untrue,
            "checked": "flexunet audit"
            + ("" if self.figures.get("compared", True) else " (pictures were not compared)"),
        }

    def document(self) -> dict[str, Any]:
        """Everything, as one JSON document."""
        return {
            "dataset": str(self.root),
            "scores_hold": self.scores_hold,
            "not_known": self.not_known,
            **self._for_verdict(),
            "splits": self.splits,
            "figures": self.figures,
            "findings": [{**asdict(finding), "files": list(finding.files)} for finding in self.findings],
        }
