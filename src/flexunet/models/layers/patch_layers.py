"""Layers that see an image as a row of patches: embedding, merging, expanding.

Each layer owns its weights in the order in which the published classes keep theirs, so that their files load.

Source: Liu, Z., Lin, Y., et al. (2021), "Swin Transformer: Hierarchical Vision Transformer using Shifted
Windows", ICCV 2021, arXiv:2103.14030; Cao, H., Wang, Y., et al. (2021), "Swin-Unet", arXiv:2105.05537.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class DrawnLayer(keras.layers.Layer):
    """A layer whose weights name their initializers, so that a seed draws the same ones on every engine."""

    def drawn(self, name: str, shape: tuple[int, ...], initializer: Any = "glorot_uniform") -> Any:
        """Create a trainable weight."""
        initializer = keras.initializers.get(initializer)
        setattr(self, f"{name}_initializer", initializer)
        return self.add_weight(shape, initializer, name=name)


@keras.saving.register_keras_serializable(package="flexunet")
class PatchEmbedding(DrawnLayer):
    """Cut a map into patches and describe each by a vector, to which its place is added.

    Input `(N, H, W, C)`, output `(N, H / patch * W / patch, embed_dim)`.

    Args:
        patch_size: Side of a patch, in pixels.
        embed_dim: Length of the vectors.
        options: Arguments of every Keras layer.
    """

    def __init__(self, patch_size: int, embed_dim: int, **options: Any):
        super().__init__(**options)
        self.patch_size = patch_size
        self.embed_dim = embed_dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        _, height, width, channels = input_shape
        patch = self.patch_size
        self.grid = (height // patch, width // patch)  # type: ignore[operator]
        self.kernel = self.drawn("kernel", (patch * patch * int(channels or 0), self.embed_dim))
        self.bias = self.drawn("bias", (self.embed_dim,), "zeros")
        self.places = self.drawn("embeddings", (self.grid[0] * self.grid[1], self.embed_dim), "uniform")

    def call(self, features: Any) -> Any:
        """Describe each patch."""
        (rows, columns), patch = self.grid, self.patch_size
        features = ops.reshape(features, (-1, rows, patch, columns, patch, features.shape[-1]))
        features = ops.transpose(features, (0, 1, 3, 2, 4, 5))
        features = ops.reshape(features, (-1, rows * columns, self.kernel.shape[0]))
        return ops.matmul(features, self.kernel) + self.bias + self.places

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(N, patches, embed_dim)`."""
        batch, height, width, _ = input_shape
        return (batch, (height // self.patch_size) * (width // self.patch_size), self.embed_dim)  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "patch_size": self.patch_size, "embed_dim": self.embed_dim}


@keras.saving.register_keras_serializable(package="flexunet")
class PatchMerging(DrawnLayer):
    """Halve the grid: four neighbouring tokens become one of twice the length.

    Input `(N, rows * columns, dim)`, output `(N, rows * columns / 4, 2 * dim)`.

    Args:
        grid: Rows and columns of the tokens that come in.
        options: Arguments of every Keras layer.
    """

    def __init__(self, grid: tuple[int, int], **options: Any):
        super().__init__(**options)
        self.grid = (int(grid[0]), int(grid[1]))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        dim = int(input_shape[-1] or 0)
        self.kernel = self.drawn("kernel", (4 * dim, 2 * dim))

    def call(self, tokens: Any) -> Any:
        """Merge each two by two tokens."""
        rows, columns = self.grid
        dim = tokens.shape[-1]
        tokens = ops.reshape(tokens, (-1, rows // 2, 2, columns // 2, 2, dim))
        # Column before row, as the published class concatenates them.
        tokens = ops.reshape(ops.transpose(tokens, (0, 1, 3, 4, 2, 5)), (-1, rows * columns // 4, 4 * dim))
        return ops.matmul(tokens, self.kernel)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(N, tokens / 4, 2 * dim)`."""
        return (input_shape[0], self.grid[0] * self.grid[1] // 4, 2 * input_shape[-1])  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="flexunet")
class PatchExpanding(DrawnLayer):
    """Enlarge the grid: each token becomes `rate` by `rate` tokens of a `rate`-th of the length.

    Input `(N, rows * columns, dim)`, output `(N, rows * rate, columns * rate, dim / rate)`, in one row of
    tokens where `flat`.

    Args:
        grid: Rows and columns of the tokens that come in.
        rate: Factor by which the grid grows.
        flat: Whether the output is a row of tokens rather than a map.
        options: Arguments of every Keras layer.
    """

    def __init__(self, grid: tuple[int, int], rate: int, flat: bool, **options: Any):
        super().__init__(**options)
        self.grid = (int(grid[0]), int(grid[1]))
        self.rate = rate
        self.flat = flat

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; a 1x1 convolution in the published class."""
        dim = int(input_shape[-1] or 0)
        self.kernel = self.drawn("kernel", (1, 1, dim, self.rate * dim))

    def call(self, tokens: Any) -> Any:
        """Spread each token over its place."""
        (rows, columns), rate, dim = self.grid, self.rate, tokens.shape[-1]
        tokens = ops.matmul(tokens, ops.reshape(self.kernel, (dim, rate * dim)))
        tokens = ops.reshape(tokens, (-1, rows, columns, rate, rate, dim // rate))
        tokens = ops.transpose(tokens, (0, 1, 3, 2, 4, 5))
        shape = (rows * rate * columns * rate,) if self.flat else (rows * rate, columns * rate)
        return ops.reshape(tokens, (-1, *shape, dim // rate))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The larger grid, or its tokens in a row."""
        rows, columns = (side * self.rate for side in self.grid)
        shape = (rows * columns,) if self.flat else (rows, columns)
        return (input_shape[0], *shape, input_shape[-1] // self.rate)  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "grid": self.grid, "rate": self.rate, "flat": self.flat}
