"""Predict and score test images under every corruption, each by the run that is judged on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.augment.warps import Change, Flip
from flexunet.data.configured import channels_read, color_map, image_reader, mask_reader, split_pairs
from flexunet.data.dataset.instances import read_instances
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import ConfigError
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.robustness.corruptions import Corruption
from flexunet.evaluation.robustness.sides import SideCheck
from flexunet.evaluation.run_calibration import calibration_of
from flexunet.evaluation.run_predictions import as_written
from flexunet.evaluation.scores.images import ImageScores, score_image
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.rows import Tables, Tally
from flexunet.evaluation.tables.streaming import Prediction, default_jobs, map_bounded
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor
from flexunet.progress import Progress

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Unchanged:
    """Image and mask as they are."""

    def image(self, image: np.ndarray) -> np.ndarray:
        """The image itself."""
        return image

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The mask itself."""
        return mask


@dataclass(frozen=True)
class Condition:
    """One way in which all test images are shown: as they are, flipped, or corrupted at one strength."""

    corruption: Corruption | None = None
    strength: float = 0.0
    flipped: bool = False

    def of_image(self, shape: tuple[int, int], name: str) -> Change:
        """The change of one image."""
        if self.corruption is not None:
            return self.corruption.of_image(self.strength, shape, name)
        return Flip("h") if self.flipped else Unchanged()


@dataclass(frozen=True)
class Measured:
    """The tables of the test images under every condition.

    Attributes:
        tables: By condition, in their order.
        sides: What is known of the sides of the images.
        patients_known: Whether the patient of every image is known.
    """

    tables: dict[Condition, Tables]
    sides: SideCheck
    patients_known: bool


def conditions_of(corruptions: Sequence[Corruption]) -> list[Condition]:
    """As they are, flipped left to right, and every corruption at every strength."""
    return [
        Condition(),
        Condition(flipped=True),
        *(Condition(row, strength) for row in corruptions for strength in row.strengths),
    ]


def measure(
    configs: Sequence[Config],
    split: str,
    corruptions: Sequence[Corruption],
    rules: ScoringRules,
    *,
    calibrate: bool,
    notes: list[str],
    jobs: int | None,
    progress: Progress,
) -> Measured:
    """Score the split of every run under every condition; images of several runs are pooled.

    Args:
        configs: The runs.
        split: Which images of each.
        corruptions: What they are put through.
        rules: How they are scored.
        calibrate: Whether what a run's masks need from its validation split is fitted where it is missing.
        notes: Told what a user should know.
        jobs: Threads for scoring.
        progress: Told how many predictions are scored.

    Raises:
        ConfigError: if the runs differ in their classes.
        DatasetError: if an image is in the splits of two runs.
    """
    classes = {color_map(config).num_classes for config in configs}
    if len(classes) > 1:
        raise ConfigError(f"the runs differ in their classes: {sorted(classes)}. Measure them one by one.")
    conditions = conditions_of(corruptions)
    tallies = {condition: Tally() for condition in conditions}
    pairs = [split_pairs(config, split) for config in configs]
    total, done, sides = sum(map(len, pairs)) * len(conditions), 0, SideCheck()
    score = partial(_scored, num_classes=classes.pop(), rules=replace(rules, surface_scores=False))
    for config, own in zip(configs, pairs, strict=True):
        predictor = Predictor.load(config, engine="keras")
        decision = Decision.of(
            config.infer, calibration_of(config, predictor, split, calibrate, notes, jobs, progress)
        )
        shown = _predicted(config, predictor, decision, own, conditions, sides)
        for condition, prediction, scores in map_bounded(score, shown, jobs or default_jobs()):
            tallies[condition].add(prediction.origin, scores)
            done += 1
            progress("scoring corrupted images", done, total)
    known = all(pair.identity.patient_known for own in pairs for pair in own)
    return Measured({condition: tally.finish() for condition, tally in tallies.items()}, sides, known)


def _predicted(
    config: Config,
    predictor: Predictor,
    decision: Decision,
    pairs: Sequence[Pair],
    conditions: Sequence[Condition],
    sides: SideCheck,
) -> Iterator[tuple[Condition, Prediction]]:
    """Every image under every condition, with its mask as `flexunet infer` writes it."""
    masks, reader = mask_reader(config), image_reader(config)
    for pair in pairs:
        image = reader.read(pair.image_path, channels_read(config))
        truth = masks.read_like(pair.mask_path, image.shape, pair.image_path)
        numbers = read_instances(pair.mask_path, truth)
        sides.look(image, pair.identity)
        origin = origin_of(pair.image_path, pair.identity)
        for condition in conditions:
            change = condition.of_image(truth.shape, origin.name)
            shown = Prediction(
                origin,
                np.ascontiguousarray(change.mask(truth)),
                probabilities=predictor(np.ascontiguousarray(change.image(image))),
                spacing=pair.identity.spacing,
                numbers=None if numbers is None else np.ascontiguousarray(change.mask(numbers)),
            )
            yield condition, as_written(config, decision, shown)._replace(probabilities=None)


def _scored(
    shown: tuple[Condition, Prediction], num_classes: int, rules: ScoringRules
) -> tuple[Condition, Prediction, ImageScores]:
    condition, prediction = shown
    scores = score_image(
        prediction.truth,
        prediction.mask,
        num_classes,
        rules,
        spacing=prediction.spacing,
        numbers=prediction.numbers,
    )
    return condition, prediction, scores
