"""Monte Carlo dropout: a trained model asked again and again with its dropout at work.

Dropout layers draw as in training, batch normalisation keeps to its moving statistics. The draws start from
the same seeds for every image, so that a prediction depends on nothing but image, model and settings.

Source: Gal, Y. and Ghahramani, Z. (2016), Dropout as a Bayesian Approximation, ICML, 1050-1059.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from flexunet.errors import ConfigError
from flexunet.models.keras_private import all_layers, seed_generators


class _Stochastic(keras.Model):
    """A model that always answers as in training."""

    def __init__(self, inner: keras.Model):
        super().__init__(name="stochastic")
        self.inner = inner

    def call(self, images: Any) -> Any:
        return self.inner(images, training=True)


class DropoutSampler:
    """Draws predictions of a model with dropout.

    Args:
        model: A Keras model.
        seed: Seed of the draws.

    Raises:
        ConfigError: if the model is none of Keras, or has no dropout.
    """

    def __init__(self, model: Any, seed: int):
        layers = list(all_layers(model)) if isinstance(model, keras.Model) else []
        self.seed = seed
        self._generators = [each for layer in layers for each in seed_generators(layer)]
        self._normalizations = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
        if not any(getattr(layer, "rate", 0) for layer in layers):
            raise ConfigError(
                "[infer] monte_carlo needs a Keras model with dropout: set [model] dropout_rate above 0 and "
                "train, use --engine keras, or set monte_carlo = 0."
            )
        self._model = _Stochastic(model)
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray, samples: int, batch_size: int) -> Iterator[np.ndarray]:
        """Predictions of one image, the same at every call.

        Args:
            pixels: Float32 `(H, W, C)`.
            samples: How many.
            batch_size: How many at a time.

        Yields:
            Float32 probabilities `(n, H, W, classes)`, `samples` in all.
        """
        with self._lock, self._seeded():
            for first in range(0, samples, batch_size):
                copies = np.repeat(pixels[np.newaxis], min(batch_size, samples - first), axis=0)
                yield np.asarray(self._model.predict_on_batch(copies), np.float32)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Start all draws anew and hold the statistics of batch normalisation; put both back afterwards."""
        states = [np.asarray(generator.state) for generator in self._generators]
        trainable = [layer.trainable for layer in self._normalizations]
        for number, generator in enumerate(self._generators):
            generator.state.assign(np.array([self.seed + number, 0], dtype=states[number].dtype))
        for layer in self._normalizations:
            layer.trainable = False
        try:
            with _torch_seed(self.seed):
                yield
        finally:
            for layer, before in zip(self._normalizations, trainable, strict=True):
                layer.trainable = before
            for generator, state in zip(self._generators, states, strict=True):
                generator.state.assign(state)


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """PyTorch draws the dropout of layers without a seed from its own state."""
    if keras.config.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
