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

from flexunet.config.schema import Config
from flexunet.data.audit import audit_dataset
from flexunet.data.audit.findings import AuditResult
from flexunet.data.configured import mask_reader
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.statistics.count import measure_dataset
from flexunet.errors import DatasetError, PathError, counted, typed
from flexunet.files import write_text
from flexunet.machine import Machine, this_machine
from flexunet.planning.budget import Timing, fit_to_budget
from flexunet.planning.dataset_facts import DatasetFacts, facts_of
from flexunet.planning.given import given_keys
from flexunet.planning.rules import (
    Decision,
    Draft,
    decide,
    first_size,
)
from flexunet.planning.text import configuration_text
from flexunet.planning.written import error_explanations, listing_digest, plan_file, refusal
from flexunet.progress import Progress, silent
from flexunet.version import __version__

_WIDE = 1.5  # factor between ratios of sides from which images are stretched visibly


@dataclass(frozen=True)
class Plan:
    """What `plan_training` decided.

    Attributes:
        facts: The data set.
        machine: The machine.
        decisions: Each key that is set, and why.
        notes: What the user should know before training.
        timings: What was measured to fit a budget; empty without one.
        listing: Digest of the names, sizes and times of change of the data set's files.
        accepted_errors: What the audit found and the user accepted.
    """

    facts: DatasetFacts
    machine: Machine
    decisions: list[Decision]
    notes: list[str]
    timings: list[Timing]
    listing: str
    accepted_errors: list[str]

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
            "listing": self.listing,
            "accepted_errors": self.accepted_errors,
        }

    def write(self, path: Path | str, run_dir: str = "./run") -> Path:
        """Write the configuration, and `NAME.plan.json` beside it.

        Args:
            path: The configuration; neither it nor its plan may be there yet.
            run_dir: Run folder, relative to it.

        Returns:
            The file of the plan.

        Raises:
            PathError: if a file is there already, or cannot be written.
        """
        path = Path(path)
        refuse_existing(path)
        document = plan_file(path)
        write_text(document, json.dumps(self.document(), indent=1) + "\n")
        write_text(path, self.text(path.absolute().parent, run_dir))
        return document


def refuse_existing(path: Path) -> None:
    """Refuse to write a configuration where it, or the plan that belongs beside it, is already.

    Raises:
        PathError: if one is.
    """
    for each in (path, plan_file(path)):
        if each.exists():
            raise PathError(
                f"{each} is there already, and is not overwritten: remove it, or choose --out FILE."
            )


def plan_training(
    root: Path | str,
    *,
    masks: MaskReader | None = None,
    config: Config | None = None,
    budget: float | None = None,
    machine: Machine | None = None,
    accept_audit_errors: bool = False,
    progress: Progress = silent,
) -> Plan:
    """Look at a data set and decide how a model is trained on it.

    Args:
        root: Folder of the data set, in any layout that `stats` knows.
        masks: How masks are read; by default as `config` says, and without one the colours are guessed.
        config: Configuration whose `[mask]` and `[image]` keys are taken over.
        budget: Seconds that training may take; model and epochs then follow from steps that are timed here.
        machine: Where training will run; this machine by default.
        accept_audit_errors: Whether a plan is made though the audit found errors.
        progress: Told how many images are looked at.

    Returns:
        The plan.

    Raises:
        DatasetError: if the audit finds that a test score would be untrue, or nothing can be trained on.
        PathError: if there is no data set.

    Examples:
        >>> plan = flexunet.plan_training("dataset")
        >>> plan.facts.training_images, plan.facts.num_classes
        (12, 2)
        >>> plan.write("planned.toml").name
        'planned.plan.json'
    """
    listing = listing_digest(Path(root))  # before files are read: one that changes meanwhile is audited again
    if masks is None and config is not None:
        masks = mask_reader(config)
    audit = audit_dataset(root, masks=masks, progress=progress)
    if not audit.scores_hold and not accept_audit_errors:
        told = refusal(audit, None if config is None else config.source)
        raise DatasetError(f"{told} Or accept the errors with `flexunet init --i-accept-audit-errors`.")
    facts = facts_of(measure_dataset(root, audit.masks, progress=progress))
    machine = machine or this_machine()
    pixels, filters = first_size(machine)
    given = [] if config is None else given_keys(config, audit.masks)
    draft = decide(Draft(facts, machine, pixels, filters, given=given))
    timings: list[Timing] = []
    notes: list[str] = []
    if budget is not None:
        draft, timings, notes = fit_to_budget(draft, budget, progress)
    return Plan(
        facts,
        machine,
        draft.decisions,
        notes + _notes(facts, audit, draft.is_cropped),
        timings,
        listing,
        error_explanations(audit),
    )


def _notes(facts: DatasetFacts, audit: AuditResult, is_cropped: bool) -> list[str]:
    notes = []
    if "test" not in facts.splits:
        notes.append(
            "There are no test images, so no score of this model will be of images that it has never met. "
            f"`flexunet split {typed(facts.root)} OUT` makes train, valid and test."
        )
    if not facts.is_validated:
        whose = "patient" if facts.patients_known == 1 else "source"
        notes.append(
            f"All training images are of one {whose}, so none is held back: the best epoch is chosen by "
            "images that the model has learned from. Images of a second one, or a folder valid, are "
            "needed to tell whether it learns anything else."
        )
    if not facts.lesion_diameter:
        notes.append("No training mask holds a class other than 0: a model learns from them to find nothing.")
    elif not facts.kept_with_lesion:
        notes.append(
            "All images with a lesion are held back for validation: make a folder valid with "
            f"`flexunet split {typed(facts.root)} OUT`."
        )
    if facts.patients_known < 1:
        whose = "no image" if facts.patients_known == 0 else f"{1 - facts.patients_known:.0%} of the images"
        is_known = "is" if facts.patients_known == 0 else "is not"
        notes.append(
            f"The patient of {whose} {is_known} known, so whether one person is on both sides of a split is "
            "not known either."
        )
    if facts.shape_spread > _WIDE and not is_cropped:
        notes.append(
            f"The ratios of width to height differ by a factor of {facts.shape_spread:.2g}, and training "
            "resizes all images to one shape, which stretches some. Pad them to one shape beforehand if that "
            "is not meant; [infer] fit = 'pad' is for prediction alone."
        )
    if facts.spacing_spread and facts.spacing_spread > 1.2:
        notes.append(
            f"Pixel spacings differ by a factor of {facts.spacing_spread:g}: equal lesions differ in pixels."
        )
    warnings = sum(finding.severity == "warning" for finding in audit.findings)
    if warnings:
        told = counted(warnings, "warning")
        notes.append(f"The audit has {told}: `flexunet audit {typed(facts.root)}` shows more.")
    if not audit.scores_hold:
        notes.append(
            "The audit found errors, which were accepted: a test score of this data set is not true."
        )
    return notes
