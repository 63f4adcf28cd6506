"""A published network and its weights file, both written here, against the formulas in NumPy.

The published system's own files lie outside of the repository; this holds what they hold without them: the
order of layers, the meaning of every weight in an `.h5` file of Keras 2, and the arithmetic.
"""

import h5py
import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.models.registry import build_model
from flexunet.models.weights.load import load_weights

# Level by level: filters, width of the kernel, dilation.
LEVELS = [(2, 5, 2), (4, 3, 1), (8, 3, 1)]
CLASSES = 3
# That of Keras for batch normalisation.
EPSILON = 1e-3


def convolution(features, kernel, bias, dilation=1):
    """Zeros around the image, so that its size stays; the kernel is not turned over."""
    size = kernel.shape[0]
    margin = (size - 1) * dilation // 2
    padded = np.pad(features, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    height, width = features.shape[1:3]
    total = np.zeros((*features.shape[:3], kernel.shape[-1])) + bias
    for row in range(size):
        for column in range(size):
            top, left = row * dilation, column * dilation
            total += padded[:, top : top + height, left : left + width] @ kernel[row, column]
    return total


def pooled(features):
    count, height, width, channels = features.shape
    return features.reshape(count, height // 2, 2, width // 2, 2, channels).max((2, 4))


def enlarged(features, kernel, bias):
    """Each pixel becomes 2 x 2, each by weights of its own: (2, 2, to, from)."""
    count, height, width, _ = features.shape
    blocks = np.einsum("nijc,aboc->niajbo", features, kernel) + bias
    return blocks.reshape(count, 2 * height, 2 * width, -1)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
}


class Written:
    """A network of the published kind that draws its weights as it is computed, and can be written."""

    def __init__(self, seed, activation, is_normalised):
        self.generator = np.random.default_rng(seed)
        self.activation = ACTIVATIONS[activation]
        self.is_normalised = is_normalised
        self.layers = {}

    def keep(self, kind, **weights):
        number = sum(name == kind or name.rsplit("_", 1)[0] == kind for name in self.layers)
        self.layers[f"{kind}_{number}" if number else kind] = weights
        return weights.values()

    def drawn(self, *shape):
        return self.generator.normal(size=shape)

    def conv(self, features, filters, size, dilation):
        channels = features.shape[-1]
        kernel, bias = self.keep(
            "conv2d",
            kernel=self.drawn(size, size, channels, filters) / np.sqrt(size * size * channels),
            bias=self.drawn(filters),
        )
        features = self.activation(convolution(features, kernel, bias, dilation))
        if not self.is_normalised:
            return features
        gamma, beta, mean, variance = self.keep(
            "batch_normalization",
            gamma=self.drawn(filters),
            beta=self.drawn(filters),
            moving_mean=self.drawn(filters),
            moving_variance=self.generator.uniform(0.5, 2, filters),
        )
        return gamma * (features - mean) / np.sqrt(variance + EPSILON) + beta

    def probabilities(self, images):
        features, skips = images / 255, []
        for level in LEVELS:
            features = self.conv(self.conv(pooled(features) if skips else features, *level), *level)
            skips.append(features)
        for level, skip in zip(LEVELS[-2::-1], skips[-2::-1], strict=True):
            kernel, bias = self.keep(
                "conv2d_transpose",
                kernel=self.drawn(2, 2, level[0], features.shape[-1]) / 2,
                bias=self.drawn(level[0]),
            )
            features = np.concatenate([enlarged(features, kernel, bias), skip], -1)
            features = self.conv(self.conv(features, *level), *level)
        kernel, bias = self.keep(
            "conv2d", kernel=self.drawn(1, 1, LEVELS[0][0], CLASSES), bias=self.drawn(CLASSES)
        )
        scores = np.exp(convolution(features, kernel, bias))
        return scores / scores.sum(-1, keepdims=True)

    def write(self, path):
        """As Keras 2 wrote weights: a group a layer, and the order in attributes."""
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = np.array([name.encode() for name in self.layers])
            for name, weights in self.layers.items():
                group = file.create_group(name)
                paths = [f"{name}/{weight}:0" for weight in weights]
                group.attrs["weight_names"] = np.array([each.encode() for each in paths])
                for each, values in zip(paths, weights.values(), strict=True):
                    group[each] = values.astype("float32")


@pytest.mark.parametrize(("activation", "is_normalised"), [("relu", False), ("relu", True), ("mish", True)])
def test_a_weights_file_gives_the_probabilities_of_the_formulas(tmp_path, activation, is_normalised):
    written = Written(7, activation, is_normalised)
    images = written.generator.integers(0, 256, (2, 16, 24, 3))
    wanted = written.probabilities(images)
    written.write(tmp_path / "best_model.h5")

    keys = {"image_width": 24, "image_height": 16, "image_channels": 3, "num_classes": CLASSES}
    keys |= {"num_layers": 3, "base_filters": 2, "base_kernels": (5, 5), "dilation": (2, 2)}
    keys |= {"activation": activation, "normalization": is_normalised, "dropout_rate": 0.1}
    model = build_model(Config(model={**keys, "input_normalize": True}))
    load_weights(model, tmp_path / "best_model.h5")
    found = keras.ops.convert_to_numpy(model(images.astype("float32"), training=False))

    assert wanted.std() > 0.05  # an image of one probability would prove little
    np.testing.assert_allclose(found, wanted, atol=2e-5, rtol=0)
