"""What the images of a run's training were like: measured once, and kept in the run folder.

Pictures are those of the training split. What a model predicts on images that it has learnt is surer than on
others, so predictions are those of validation images where there are enough; else of training images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.configured import pairs_or_none, split_pairs
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import DatasetError
from flexunet.evaluation.drift.compare import FEWEST
from flexunet.evaluation.drift.measures import ImageMeasures
from flexunet.evaluation.drift.observe import Observer
from flexunet.files import write_text
from flexunet.inference.predict.calibration import identity_of
from flexunet.progress import Progress, silent
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

SCHEMA = "flexunet.drift_reference/1"
MOST = 500  # films of each split


@dataclass(frozen=True)
class Reference:
    """The measures that recent images are compared with.

    Attributes:
        weights: What the model is told by; with other weights it predicts otherwise.
        pictures: Split of the pictures.
        predictions: Split of the predictions.
        measured: The images.
    """

    weights: str
    pictures: str
    predictions: str
    measured: tuple[ImageMeasures, ...]

    @property
    def described(self) -> str:
        """In a sentence."""
        learnt = (
            ", which the model has learnt, so that it is surer of them" if self.predictions == "train" else ""
        )
        count = sum("lesion" in one.values for one in self.measured)
        pictures = sum("longer_side" in one.values for one in self.measured)
        return (
            f"pictures: {pictures} images of the {self.pictures} split; predictions: {count} images of the "
            f"{self.predictions} split{learnt}"
        )


def read_reference(config: Config) -> Reference | None:
    """The reference that a run folder holds; None where there is none, or one of other weights."""
    try:
        told = json.loads(RunFolder.of(config).drift_reference.read_text(encoding="utf-8"))
        if told.pop("schema") != SCHEMA:
            return None
        measured = tuple(ImageMeasures(**one) for one in told.pop("measured"))
        reference = Reference(measured=measured, **told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return reference if reference.weights == identity_of(config) else None


def make_reference(
    config: Config, observer: Observer | None = None, *, progress: Progress = silent
) -> Reference:
    """Measure the images of a run's training and keep that in its folder.

    Args:
        config: The run.
        observer: Its model, where it is at hand.
        progress: Told how many images are measured.

    Raises:
        ConfigError, PathError, PairingError: if the images of the training cannot be listed.
        DatasetError: if none of them can be read.
    """
    observer = observer or Observer(config)
    training = _spread(split_pairs(config, "train"))
    validation = _spread(pairs_or_none(config, "valid"))
    enough = len({pair.patient for pair in validation}) >= FEWEST
    tasks = [(pair, True, not enough) for pair in training]
    tasks += [(pair, False, True) for pair in validation] if enough else []
    measured = []
    for done, (pair, picture, predicted) in enumerate(tasks, start=1):
        values = observer.look(pair.image_path, pair.identity, picture=picture, predicted=predicted)
        measured.append(ImageMeasures(pair.image_path.name, pair.patient, values))
        progress("measuring the reference", done, len(tasks))
    if not measured:
        raise DatasetError(f"[train] of {config.source} has no images to compare with.")
    predictions = "valid" if enough else "train"
    reference = Reference(identity_of(config), "train", predictions, tuple(measured))
    _write(RunFolder.of(config).drift_reference, reference)
    return reference


def _write(path: Path, reference: Reference) -> None:
    write_text(path, json.dumps({"schema": SCHEMA, **asdict(reference)}) + "\n")


def _spread(pairs: Sequence[Pair]) -> list[Pair]:
    """At most 500 films, evenly spread over the list: of the copies of one the original, if it is there."""
    originals_last = sorted(pairs, key=lambda pair: not pair.identity.operation)
    films = list({pair.identity.source: pair for pair in originals_last}.values())
    places = np.unique(np.linspace(0, len(films) - 1, MOST).astype(int)).tolist() if films else []
    return [films[place] for place in places]
