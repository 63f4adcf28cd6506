"""How unsure a prediction is, pixel by pixel: 0 is certain, 1 is all classes alike.

Predictive entropy counts all doubt. Mutual information counts only the doubt in which several predictions of
one image (dropout samples, folds, turned copies) differ; what they agree to be unclear is not in it.

Source: Gal, Y. (2016), Uncertainty in Deep Learning, PhD thesis, Cambridge, section 3.3; Kendall, A. and
Gal, Y. (2017), What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?, NeurIPS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from flexunet.errors import ConfigError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Measure = Literal["none", "entropy", "mutual_information"]


def choose_measure(config: Config) -> Measure:
    """What `[infer] uncertainty` comes to.

    Raises:
        ConfigError: if mutual information is asked for where there is one prediction of an image.
    """
    infer = config.infer
    several = infer.monte_carlo > 1 or len(infer.ensemble) > 1 or infer.test_time_augmentation
    if infer.uncertainty == "auto":
        return "mutual_information" if infer.monte_carlo > 1 else "none"
    if infer.uncertainty == "mutual_information" and not several:
        raise ConfigError(
            "[infer] uncertainty = 'mutual_information' needs several predictions of an image: set "
            "monte_carlo = 20 (or test_time_augmentation, or an ensemble), or uncertainty = 'entropy'."
        )
    return infer.uncertainty


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each pixel's classes, as a share of the greatest.

    Args:
        probabilities: Float32 `(..., classes)`; one channel is that of the foreground.

    Returns:
        Float32 `(...)`, 0 to 1.
    """
    from scipy.special import xlogy  # not needed by most predictions, and a third of a second to import

    total = np.zeros(probabilities.shape[:-1], np.float32)
    for channel in range(probabilities.shape[-1]):  # one class at a time, so that no copy of all is made
        plane = probabilities[..., channel]
        total -= xlogy(plane, plane)
    if probabilities.shape[-1] == 1:
        rest = 1 - probabilities[..., 0]
        total -= xlogy(rest, rest)
    total /= np.float32(np.log(max(2, probabilities.shape[-1])))
    return np.clip(total, 0, 1, out=total)


def mutual_information(probabilities: np.ndarray, mean_entropy: np.ndarray) -> np.ndarray:
    """Entropy of the mean prediction less the mean entropy of the predictions, float32 `(...)`, 0 to 1.

    Args:
        probabilities: Mean of the predictions, `(..., classes)`.
        mean_entropy: Mean of their entropies, `(...)`.
    """
    return np.maximum(entropy(probabilities) - mean_entropy, 0)
