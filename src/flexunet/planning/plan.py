"""A plan: a configuration for a data set on a machine, with the reason for every choice.

    plan = plan_training("dataset")
    plan.write("dataset.toml")        # and dataset.plan.json beside it

The same data set and machine give the same plan, unless a budget of time asks for measuring the machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flexunet.data.audit import audit_dataset
from flexunet.data.audit.findings import AuditResult
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.statistics.count import measure_dataset
from flexunet.errors import DatasetError, PathError, counted
from flexunet.files import write_text
from flexunet.machine import Machine, this_machine
from flexunet.planning.budget import Timing, fit_to_budget
from flexunet.planning.dataset_facts import DatasetFacts, facts_of
from flexunet.planning.rules import (
    CPU_FILTERS,
    CPU_PIXELS,
    GPU_FILTERS,
    GPU_PIXELS,
    Decision,
    Draft,
    decide,
)
from flexunet.planning.text import configuration_text
from flexunet.progress import Progress, silent
from flexunet.version import __version__

_SHOWN = 3  # findings of an audit that a refusal quotes


@dataclass(frozen=True)
class Plan:
    """What `plan_training` decided.

    Attributes:
        facts: The data set.
        machine: The machine.
        decisions: Each key that is set, and why.
        notes: What the user should know before training.
        timings: What was measured to fit a budget; empty without one.
    """

    facts: DatasetFacts
    machine: Machine
    decisions: list[Decision]
    notes: list[str]
    timings: list[Timing]

    def text(self, folder: Path, run_dir: str = "./run") -> str:
        """The configuration as TOML.

        Args:
            folder: Where the file will lie: paths are relative to it.
            run_dir: Run folder, relative to it.
        """
        root = Path(self.facts.root)
        heading = [
            f"Written by `flexunet init` {__version__} for {root.resolve().name}: "
            f"{self.facts.training_images} images to train on, {self.facts.num_classes} classes.",
            "Each comment says why; docs/configuration.md says what a key means.",
            *self.notes,
        ]
        return configuration_text(root, self.decisions, folder, run_dir, heading)

    def document(self) -> dict[str, Any]:
        """All that the plan rests on, for JSON."""
        return {
            "flexunet": __version__,
            "dataset": self.facts.document(),
            "machine": self.machine.document(),
            "decisions": [asdict(decision) for decision in self.decisions],
            "notes": self.notes,
            "timings": [asdict(timing) for timing in self.timings],
        }

    def write(self, path: Path | str, run_dir: str = "./run") -> Path:
        """Write the configuration, and `NAME.plan.json` beside it.

        Args:
            path: The configuration, which must not be there yet.
            run_dir: Run folder, relative to it.

        Returns:
            The file of the plan.

        Raises:
            PathError: if the file is there already, or cannot be written.
        """
        path = Path(path)
        refuse_existing(path)
        document = path.with_suffix(".plan.json")
        write_text(document, json.dumps(self.document(), indent=1) + "\n")
        write_text(path, self.text(path.absolute().parent, run_dir))
        return document


def refuse_existing(path: Path) -> None:
    """Refuse to write where a file is already.

    Raises:
        PathError: if it is.
    """
    if path.exists():
        raise PathError(f"{path} is there already, and is not overwritten: remove it, or choose --out FILE.")


def plan_training(
    root: Path | str,
    *,
    masks: MaskReader | None = None,
    budget: float | None = None,
    machine: Machine | None = None,
    accept_audit_errors: bool = False,
    progress: Progress = silent,
) -> Plan:
    """Look at a data set and decide how a model is trained on it.

    Args:
        root: Folder of the data set, in any layout that `stats` knows.
        masks: How masks are read; by default the colours are guessed.
        budget: Seconds that training may take; model and epochs then follow from steps that are timed here.
        machine: Where training will run; this machine by default.
        accept_audit_errors: Whether a plan is made though the audit found errors.
        progress: Told how many images are looked at.

    Returns:
        The plan.

    Raises:
        DatasetError: if the audit finds that a test score would be untrue, or nothing can be trained on.
        PathError: if there is no data set.

    Example:
        >>> plan = flexunet.plan_training("dataset")
        >>> plan.facts.training_images, plan.facts.num_classes
        (12, 2)
        >>> plan.write("planned.toml").name
        'planned.plan.json'
    """
    audit = audit_dataset(root, masks=masks, progress=progress)
    if not audit.scores_hold and not accept_audit_errors:
        raise DatasetError(_refusal(audit))
    facts = facts_of(measure_dataset(root, audit.masks, progress=progress))
    machine = machine or this_machine()
    pixels, filters = (GPU_PIXELS, GPU_FILTERS) if machine.has_gpu else (CPU_PIXELS, CPU_FILTERS)
    draft = decide(Draft(facts, machine, pixels, filters))
    timings: list[Timing] = []
    if budget is not None:
        draft, timings = fit_to_budget(draft, budget, progress)
    return Plan(facts, machine, draft.decisions, _notes(facts, audit), timings)


def _refusal(audit: AuditResult) -> str:
    errors = [finding for finding in audit.findings if finding.severity == "error"]
    quoted = "; ".join(finding.explanation.rstrip(".") for finding in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    return (
        f"{audit.root}: the audit found what makes a test score untrue: {quoted}{more}. Mend it "
        f"first (`flexunet audit {audit.root}` says how), or add --i-accept-audit-errors."
    )


def _notes(facts: DatasetFacts, audit: AuditResult) -> list[str]:
    notes = []
    if "test" not in facts.splits:
        notes.append(
            "There are no test images, so no score of this model will be of images that it has never met. "
            f"`flexunet split {facts.root} OUT` makes train, valid and test."
        )
    if facts.patients_known < 1:
        whose = "no image" if facts.patients_known == 0 else f"{1 - facts.patients_known:.0%} of the images"
        is_known = "is" if facts.patients_known == 0 else "is not"
        notes.append(
            f"The patient of {whose} {is_known} known, so whether one person is on both sides of a split is "
            "not known either."
        )
    if facts.spacing_spread and facts.spacing_spread > 1.2:
        notes.append(
            f"Pixel spacings differ by a factor of {facts.spacing_spread:g}: equal lesions differ in pixels."
        )
    warnings = sum(finding.severity == "warning" for finding in audit.findings)
    if warnings:
        told = counted(warnings, "warning")
        notes.append(f"The audit has {told}: `flexunet audit {facts.root}` shows more.")
    if not audit.scores_hold:
        notes.append(
            "The audit found errors, which were accepted: a test score of this data set is not true."
        )
    return notes
