"""The scores of a test set as tables: one row an image, one row a lesion, one row a candidate.

A `Tally` collects the scores image by image; its `Tables` are what everything after is computed from,
whether it comes from a tally, from the files of an earlier evaluation or from several folds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flexunet.errors import DatasetError
from flexunet.evaluation.scores.froc import DetectionTable
from flexunet.evaluation.scores.images import ImageScores
from flexunet.evaluation.scores.lesion_counts import LesionCounts
from flexunet.evaluation.scores.lesions import Candidates, Lesions, joined, rows_of
from flexunet.evaluation.scores.pixels import Counts, mean_over_classes, pixel_scores
from flexunet.evaluation.scores.published import ClassSums
from flexunet.evaluation.scores.reliability import ProbabilityCounts
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.scores.surface import SURFACE_SCORES


@dataclass(frozen=True)
class ImageOrigin:
    """Which image scores belong to.

    Attributes:
        name: File name stem.
        source: Original image it descends from.
        patient: Person; the source where unknown.
        attributes: Further columns of the manifest.
        unlike_training: In what the image is unlike the training images, "" where it is not; None: unknown.
    """

    name: str
    source: str
    patient: str
    attributes: dict[str, str] = field(default_factory=dict)
    unlike_training: str | None = None


@dataclass
class Tables:
    """All scores of a test set, sorted by image name.

    Attributes:
        origins: The images.
        sizes: Height and width, int64 `(N, 2)`.
        spacing: Height and width of a pixel in mm, NaN where unknown, `(N, 2)`.
        correct: Pixels in truth and prediction by class, background first, int64 `(N, C)`.
        truth: Pixels in truth, `(N, C)`.
        predicted: Pixels in the prediction, `(N, C)`.
        confusion: Pixels by true and predicted class over all images, int64 `(C, C)`.
        surface: The scores of `SURFACE_SCORES`, `(N, C - 1, rows)`.
        lesion_image: Image index of each lesion.
        lesions: The lesions.
        candidate_image: Image index of each candidate.
        candidates: The candidates.
        probability: Bins by image, arrays `(N, 2, bins)`; None for hard masks.
        scaled: The same after temperature scaling.
        dice_at_threshold: Dice of each image at the fitted threshold, `(N,)`.
        breast: Share of each image that the breast covers, `(N,)`, NaN where the image was not at hand; None
            for tables read from files, which lack it.
    """

    origins: list[ImageOrigin]
    sizes: Counts
    spacing: Values
    correct: Counts
    truth: Counts
    predicted: Counts
    confusion: Counts
    surface: Values
    lesion_image: Counts
    lesions: Lesions
    candidate_image: Counts
    candidates: Candidates
    probability: ProbabilityCounts | None = None
    scaled: ProbabilityCounts | None = None
    dice_at_threshold: Values | None = None
    breast: Values | None = None

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def by_probability(self) -> bool:
        """Whether candidates have scores of their own; those of hard masks are all exactly 1."""
        return self.probability is not None or bool((self.candidates.score != 1).any())

    @property
    def num_classes(self) -> int:
        """Number of classes, background included."""
        return self.correct.shape[1]

    @property
    def patients(self) -> list[str]:
        """Patient of each image."""
        return [origin.patient for origin in self.origins]

    def lesion_diameters(self) -> tuple[Values, Values]:
        """Diameter of the circle of equal area of each lesion, in pixels and in mm (NaN where unknown)."""
        pixels = 2 * np.sqrt(self.lesions.area / np.pi)
        return pixels, pixels * np.sqrt(self.spacing.prod(axis=1))[self.lesion_image]

    @property
    def class_sums(self) -> ClassSums:
        """What the published metrics are computed from."""
        return ClassSums(
            *(counts.astype(np.float64) for counts in (self.correct, self.truth, self.predicted))
        )

    def by_class(self) -> dict[str, Values]:
        """Scores of each image and foreground class, arrays `(N, C - 1)`; NaN where a class is in neither."""
        scores = pixel_scores(self.correct[:, 1:], self.truth[:, 1:], self.predicted[:, 1:])
        return scores | {row.name: self.surface[..., k] for k, row in enumerate(SURFACE_SCORES)}

    def by_image(self) -> dict[str, Values]:
        """The same, each the mean over the classes that occur in the image, arrays `(N,)`."""
        return {name: mean_over_classes(values) for name, values in self.by_class().items()}

    def counted(self, image: Counts, where: NDArray[np.bool_] | None = None) -> Counts:
        """How many entries of a lesion or candidate column each image has, `(N,)`."""
        return np.bincount(image if where is None else image[where], minlength=len(self)).astype(np.int64)

    def lesion_counts(
        self, label: int | None = None, chosen: NDArray[np.bool_] | None = None
    ) -> LesionCounts:
        """Lesions and predicted regions of each image.

        Args:
            label: One class, or None for all foreground classes.
            chosen: The lesions that count, bool, of all classes; all by default.
        """
        lesion_in = np.ones(len(self.lesion_image), bool) if chosen is None else chosen
        decided = self.candidates.decided
        if label is not None:
            lesion_in = lesion_in & (self.lesions.label == label)
            decided = decided & (self.candidates.label == label)
        halves = np.where(self.lesions.best_iou > 0.5, 1.0, self.lesions.best_iou * 0)  # NaN stays NaN
        half_iou = halves * self.lesions.best_iou

        def summed(column: Values) -> Values:
            return np.bincount(self.lesion_image[lesion_in], column[lesion_in], len(self)).astype(np.float64)

        return LesionCounts(
            lesions=self.counted(self.lesion_image, lesion_in),
            found=self.counted(self.lesion_image, lesion_in & self.lesions.found),
            predicted=self.counted(self.candidate_image, decided),
            false=self.counted(self.candidate_image, decided & ~self.candidates.matched),
            dice=summed(self.lesions.dice),
            component_dice=summed(self.lesions.component_dice),
            halves=summed(halves),
            half_iou=summed(half_iou),
            centre_hits=summed(self.lesions.centre_hit),
        )

    def detections(self, label: int | None = None) -> DetectionTable:
        """Candidates and lesions for FROC, of one class or of all."""
        lesion_in = np.ones(len(self.lesion_image), bool) if label is None else self.lesions.label == label
        inside = np.ones(len(self.candidate_image), bool) if label is None else self.candidates.label == label
        return DetectionTable(
            self.candidates.score[inside],
            self.candidates.hit[inside],
            self.candidate_image[inside],
            self.counted(self.lesion_image, lesion_in),
        )

    def subset(self, chosen: NDArray[np.bool_]) -> Tables:
        """The tables of some of the images, without probabilities; `confusion` stays that of all."""
        new_index = np.cumsum(chosen) - 1
        lesion_in, candidate_in = chosen[self.lesion_image], chosen[self.candidate_image]
        return Tables(
            origins=[origin for origin, kept in zip(self.origins, chosen, strict=True) if kept],
            sizes=self.sizes[chosen],
            spacing=self.spacing[chosen],
            correct=self.correct[chosen],
            truth=self.truth[chosen],
            predicted=self.predicted[chosen],
            confusion=self.confusion,
            surface=self.surface[chosen],
            lesion_image=new_index[self.lesion_image[lesion_in]],
            lesions=rows_of(self.lesions, lesion_in),
            candidate_image=new_index[self.candidate_image[candidate_in]],
            candidates=rows_of(self.candidates, candidate_in),
        )


class Tally:
    """Collects scores image by image."""

    def __init__(self) -> None:
        self._rows: list[tuple[ImageOrigin, ImageScores]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, origin: ImageOrigin, scores: ImageScores) -> None:
        """Add the scores of one image."""
        self._rows.append((origin, scores))

    def finish(self) -> Tables:
        """The tables, sorted by image name, so that the order of adding changes nothing.

        Raises:
            DatasetError: if there are no images, or two of one name.
        """
        if not self._rows:
            raise DatasetError("there is nothing to score: expected at least one image, found none.")
        rows = sorted(self._rows, key=lambda row: row[0].name)
        origins = [origin for origin, _ in rows]
        refuse_twins([origin.name for origin in origins])
        scores = [found for _, found in rows]
        confusion = np.stack([found.confusion for found in scores])
        scaled = _stacked([found.scaled for found in scores])
        return Tables(
            origins=origins,
            sizes=np.array([found.size for found in scores], np.int64),
            spacing=np.array([found.spacing for found in scores], np.float64),
            correct=np.diagonal(confusion, axis1=1, axis2=2).copy(),
            truth=confusion.sum(axis=2),
            predicted=confusion.sum(axis=1),
            confusion=confusion.sum(axis=0),
            surface=np.stack([found.surface for found in scores]),
            lesion_image=_image_index([len(found.lesions.label) for found in scores]),
            lesions=joined([found.lesions for found in scores]),
            candidate_image=_image_index([len(found.candidates.label) for found in scores]),
            candidates=joined([found.candidates for found in scores]),
            probability=_stacked([found.probability for found in scores]),
            scaled=scaled,
            dice_at_threshold=np.array([found.dice_at_threshold for found in scores]) if scaled else None,
            breast=np.array([found.breast for found in scores]),
        )


def _stacked(counts: Sequence[ProbabilityCounts | None]) -> ProbabilityCounts | None:
    known = [one for one in counts if one is not None]
    if not known or len(known) < len(counts):
        return None
    return ProbabilityCounts(*(np.stack(sums) for sums in zip(*known, strict=True)))


def _image_index(lengths: Sequence[int]) -> Counts:
    return np.repeat(np.arange(len(lengths)), lengths)


def refuse_twins(names: Sequence[str]) -> None:
    """Raise if a name occurs twice in a sorted list.

    Raises:
        DatasetError: naming the first.
    """
    for first, second in itertools.pairwise(names):
        if first == second:
            raise DatasetError(
                f"image {first} occurs twice. Each image is scored once: by one fold, in one folder."
            )
