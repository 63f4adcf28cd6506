"""Compare images that a model meets with those of its training; write what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.data.dataset.identity import Identities, Identity, identify
from flexunet.data.dicom.read import read_facts
from flexunet.errors import InputError, PathError, counted
from flexunet.evaluation.drift.compare import FEWEST, LEVEL, MAJOR, SOME, Difference, compare
from flexunet.evaluation.drift.measures import ImageMeasures
from flexunet.evaluation.drift.observe import Observer
from flexunet.evaluation.drift.reference import Reference, make_reference, read_reference
from flexunet.inference.inputs import find_images
from flexunet.progress import Progress, silent
from flexunet.run_folder import RunFolder
from flexunet.version import __version__

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass
class DriftResult:
    """What a comparison came to.

    Attributes:
        run: Name of the run.
        differences: Every measure, compared.
        reference: What was compared with.
        recent: The images that were compared.
        new_reference: Whether the reference was measured now.
        patients_known: Whether the patient of every image is known.
        failures: What was wrong, by image.
    """

    run: str
    differences: list[Difference]
    reference: Reference
    recent: list[ImageMeasures]
    new_reference: bool
    patients_known: bool
    failures: dict[Path, str] = field(default_factory=dict)

    @property
    def drifted(self) -> list[Difference]:
        """The measures that have drifted."""
        return [one for one in self.differences if one]

    @property
    def sentence(self) -> str:
        """The answer, which claims no more than the images allow."""
        tested = sum(one.p is not None for one in self.differences)
        if self.drifted:
            names = ", ".join(one.measure.label for one in self.drifted)
            return (
                f"drift in {len(self.drifted)} of {counted(tested, 'measure')} that could be tested: {names}"
            )
        if not tested:
            units = len({one.unit for one in self.recent})
            return (
                f"too few images to say: {counted(len(self.recent), 'image')} of "
                f"{counted(units, 'patient' if self.patients_known else 'source')}; at least {FEWEST} are "
                "needed here and in the reference"
            )
        return f"no drift shown in {counted(tested, 'measure')}"

    @property
    def exit_code(self) -> int:
        """1: drift; 2: no drift, but images that could not be read; 0: neither."""
        return 1 if self.drifted else 2 if self.failures else 0

    def document(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "schema": "flexunet.drift/1",
            "flexunet": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "run": self.run,
            "answer": self.sentence,
            "drift": bool(self.drifted),
            "images": len(self.recent),
            "units": len({one.unit for one in self.recent}),
            "patients_known": self.patients_known,
            "reference": self.reference.described,
            "thresholds": {"level": LEVEL, "psi_some": SOME, "psi_major": MAJOR, "fewest": FEWEST},
            "measures": [told_of(one) for one in self.differences],
            "failures": {str(path): message for path, message in self.failures.items()},
        }


def told_of(one: Difference) -> dict[str, Any]:
    """A compared measure, ready for JSON."""
    told = one._asdict()
    measure = told.pop("measure")
    return {"name": measure.name, "label": measure.label, "group": measure.group, **told}


def measure_drift(
    config: Config,
    inputs: Sequence[Path | str],
    *,
    renew: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda _: None,
) -> DriftResult:
    """Compare images with those of a run's training.

    An image that cannot be used is recorded, and the rest goes on.

    Args:
        config: The run.
        inputs: Files, folders, globs, lists; see `find_images`.
        renew: Whether the reference is measured anew.
        progress: Told how far it is.
        say: Told that the reference is measured, and where it is kept.

    Raises:
        PathError: if an input means no image, or no image can be used.
        ConfigError, PairingError: if there is no reference, and the images of the training are not at hand.
    """
    images = find_images(inputs)
    observer = Observer(config)
    reference, new = reference_of(config, observer, renew=renew, progress=progress, say=say)
    identities = cache(Identities.of_folder)
    recent, failures, known = [], {}, True
    for done, path in enumerate(images, start=1):
        try:
            identity = _identified(observer, path, identities(path.parent).of(path))
            measured = ImageMeasures(str(path), identity.patient, observer.look(path, identity))
        except InputError as error:
            failures[path] = str(error)
        else:
            recent.append(measured)
            known &= identity.patient_known
        progress("measuring images", done, len(images))
    if not recent:
        first = next(iter(failures.values()))
        raise PathError(f"none of {counted(len(images), 'image')} can be used. The first: {first}")
    return DriftResult(
        run=config.run_dir.resolve().name,
        differences=compare(reference.measured, recent),
        reference=reference,
        recent=recent,
        new_reference=new,
        patients_known=known,
        failures=failures,
    )


def reference_of(
    config: Config,
    observer: Observer | None = None,
    *,
    renew: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Reference, bool]:
    """The reference of a run, and whether it was measured now; then it is kept in the run folder."""
    kept = None if renew else read_reference(config)
    if kept is not None:
        return kept, False
    made = make_reference(config, observer, progress=progress)
    say(f"measured the images of the training; kept in {RunFolder.of(config).drift_reference}")
    return made, True


def _identified(observer: Observer, path: Path, identity: Identity) -> Identity:
    """Whose image it is: of DICOM by its header, unless that names nobody."""
    if not observer.is_dicom(path):
        return identity
    by_header = identify(path, {**identity.row, "patient": read_facts(path).PatientID})
    return by_header if by_header.patient_known else identity
