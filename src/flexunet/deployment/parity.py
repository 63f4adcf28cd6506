"""How an exported model predicts beside the run's own: probabilities, masks and the Dice of the foreground.

Both predict the validation split as `infer` would, each image at its own size, and are scored against its
masks by the rules of the evaluation. Without masks the run's own masks stand in for the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import channels_read, image_reader, mask_reader
from flexunet.evaluation.scores.pixels import (
    confusion_matrix,
    foreground_counts,
    mean_over_classes,
    pixel_scores,
)
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# The most that an export may change either Dice of the foreground.
TOLERANCE = 0.002


@dataclass(frozen=True)
class ComparedImage:
    """An image to compare on, and its true mask where there is one."""

    name: str
    image: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Parity:
    """What the comparison came to.

    Attributes:
        images: Images compared.
        truth: What Dice is against: "masks of the validation split", or "masks of the run's own model".
        largest_difference: Of a probability, over all pixels and classes.
        largest_difference_in: The image where that is.
        mean_difference: Mean over images of the mean difference of a probability.
        agreement: Share of pixels that have the same class in both masks.
        identical_masks: Images whose masks are the same.
        dice_per_image_mean: Of the run's model and of the export; images without foreground left out.
        dice_pooled: The same, all pixels of all images together.
    """

    images: int
    truth: str
    largest_difference: float
    largest_difference_in: str
    mean_difference: float
    agreement: float
    identical_masks: int
    dice_per_image_mean: tuple[float, float]
    dice_pooled: tuple[float, float]

    @property
    def dice_change(self) -> float:
        """The larger change of the two kinds of Dice; infinite where only one model finds anything."""
        changes = [change(*pair) for pair in (self.dice_per_image_mean, self.dice_pooled)]
        return max(changes)

    def document(self) -> dict[str, Any]:
        """The figures, ready for JSON: NaN, which JSON lacks, is null."""
        figures = asdict(self) | {"dice_change": self.dice_change}
        for name in ("dice_per_image_mean", "dice_pooled"):
            pair = zip(("run", "export"), figures[name], strict=True)
            figures[name] = {model: None if np.isnan(value) else value for model, value in pair}
        if np.isinf(self.dice_change):
            figures["dice_change"] = None
        return figures


def change(run: float, export: float) -> float:
    """How far two Dice lie apart; infinitely where only one of them is none."""
    if np.isnan(run) and np.isnan(export):
        return 0.0
    return float("inf") if np.isnan(run) or np.isnan(export) else abs(export - run)


def read_compared(config: Config, image_path: Path, mask_path: Path | None) -> ComparedImage:
    """Read an image, and its mask where there is one."""
    image = image_reader(config).read(image_path, channels_read(config))
    truth = mask_reader(config).read_like(mask_path, image.shape, image_path) if mask_path else None
    return ComparedImage(image_path.name, image, truth)


def compare(
    run: Predictor,
    export: Predictor,
    items: Sequence[Any],
    read: Callable[[Any], ComparedImage],
    progress: Progress = silent,
) -> Parity:
    """Compare an exported model with the run's own.

    Args:
        run: The run's model.
        export: The exported one.
        items: What `read` makes a `ComparedImage` of, one after the other.
        read: Reads one of them.
        progress: Told how many images are compared.

    Raises:
        ShapeError: if a mask is not of its image's size.
    """
    classes = max(2, run.classes)
    largest, largest_in, means, agreeing, pixels, identical = 0.0, "", [], 0, 0, 0
    confusions: list[tuple[np.ndarray, np.ndarray]] = []
    known = True
    for done, item in enumerate(items, start=1):
        compared = read(item)
        expected, found = run(compared.image), export(compared.image)
        difference = np.abs(expected - found)
        if difference.max() >= largest:
            largest, largest_in = float(difference.max()), compared.name
        means.append(float(difference.mean()))
        masks = mask_of(expected), mask_of(found)
        same = int(np.count_nonzero(masks[0] == masks[1]))
        agreeing, pixels = agreeing + same, pixels + masks[0].size
        identical += same == masks[0].size
        known = known and compared.truth is not None
        truth = masks[0] if compared.truth is None else compared.truth
        confusions.append(
            (confusion_matrix(truth, masks[0], classes), confusion_matrix(truth, masks[1], classes))
        )
        progress("comparing", done, len(items))
    by_model = [np.stack(matrices) for matrices in zip(*confusions, strict=True)]
    return Parity(
        images=len(items),
        truth="masks of the validation split" if known else "masks of the run's own model",
        largest_difference=largest,
        largest_difference_in=largest_in,
        mean_difference=float(np.mean(means)),
        agreement=agreeing / pixels,
        identical_masks=identical,
        dice_per_image_mean=(dice_per_image_mean(by_model[0]), dice_per_image_mean(by_model[1])),
        dice_pooled=(dice_pooled(by_model[0]), dice_pooled(by_model[1])),
    )


def dice_per_image_mean(confusions: np.ndarray) -> float:
    """Mean over images of the mean Dice of their foreground classes; NaN where no image has any.

    Args:
        confusions: int64 `(images, classes, classes)`, true class in the row.
    """
    dice = mean_over_classes(pixel_scores(*foreground_counts(confusions))["dice"])
    known = dice[~np.isnan(dice)]
    return float(known.mean()) if known.size else float("nan")


def dice_pooled(confusions: np.ndarray) -> float:
    """Mean Dice of the foreground classes, the pixels of all images together; NaN where there are none."""
    pooled = confusions.sum(axis=0, keepdims=True)
    return float(mean_over_classes(pixel_scores(*foreground_counts(pooled))["dice"])[0])
