"""Small evaluations that several tests share."""

import numpy as np
import pytest

from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.rows import ImageOrigin, Tally


def blob(rng, size=32, most=2):
    """A mask of up to `most` filled boxes."""
    mask = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(0, most + 1)):
        height, width = rng.integers(3, 10, 2)
        top, left = rng.integers(0, size - 10, 2)
        mask[top : top + height, left : left + width] = 1
    return mask


def probable(mask, rng):
    """Probabilities that agree with a mask for the most part, two channels."""
    foreground = np.clip(np.where(mask > 0, 0.7, 0.2) + rng.normal(0, 0.15, mask.shape), 0, 1).astype(
        np.float32
    )
    return np.stack([1 - foreground, foreground], axis=-1)


@pytest.fixture
def make_tables():
    """A function from settings to the tables of a small drawn evaluation."""

    def make(seed=1, images=12, noise=0.0, probabilities=False, reverse=False, flip=False, rules=None):
        rng = np.random.default_rng(seed)
        rows = []
        for index in range(images):
            truth = blob(rng)
            prediction = np.roll(truth, rng.integers(-2, 3, 2), (0, 1))
            if rng.random() < noise:
                prediction = np.zeros_like(truth)
            extra = probable(prediction, np.random.default_rng([seed, index])) if probabilities else None
            spacing = (0.5, 0.5) if seed == 2 else None
            rows.append((f"image_{index:02d}", index // 3, truth, prediction, extra, spacing))
        tally = Tally()
        for name, patient, truth, prediction, extra, spacing in reversed(rows) if reverse else rows:
            planes = [truth, prediction, extra]
            if flip:
                planes = [None if plane is None else np.ascontiguousarray(plane[:, ::-1]) for plane in planes]
            scores = score_image(
                planes[0], planes[1], 2, rules or ScoringRules(), probabilities=planes[2], spacing=spacing
            )
            origin = ImageOrigin(name, name, f"patient {patient}", {"view": "CC" if patient % 2 else "MLO"})
            tally.add(origin, scores)
        return tally.finish()

    return make


@pytest.fixture
def film_of_regions():
    """Mask of a film with two tissues beside the background, and one that is predicted for it."""
    truth = np.zeros((40, 40), np.uint8)
    truth[:, 10:30], truth[:, 30:] = 1, 2
    return truth, np.roll(truth, 1, 1)
