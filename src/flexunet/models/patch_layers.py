"""Layers that see an image as a row of patches: embedding, windowed attention, merging, expanding.

Each layer owns its weights in the order in which the published classes keep theirs, so that their files load.

Source: Liu, Z., Lin, Y., et al. (2021), "Swin Transformer: Hierarchical Vision Transformer using Shifted
Windows", ICCV 2021, arXiv:2103.14030; Cao, H., Wang, Y., et al. (2021), "Swin-Unet", arXiv:2105.05537.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

# Added to the attention between pixels that only the shift has brought together: as good as never.
APART = -100.0


@keras.saving.register_keras_serializable(package="flexunet")
class PatchEmbedding(keras.layers.Layer):
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
        self.kernel = self.add_weight(
            (patch * patch * channels, self.embed_dim), "glorot_uniform", name="kernel"
        )
        self.bias = self.add_weight((self.embed_dim,), "zeros", name="bias")
        self.places = self.add_weight(
            (self.grid[0] * self.grid[1], self.embed_dim), "uniform", name="embeddings"
        )

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
class SwinBlock(keras.layers.Layer):
    """Attention inside windows, then a small dense network, each added to what came in.

    Input and output `(N, rows * columns, dim)`.

    Args:
        grid: Rows and columns of the tokens.
        num_heads: Attention heads; they share the vector's length.
        window: Side of a window, in tokens.
        shift: Tokens by which the map is rolled first, so that windows straddle those of the block before.
        num_mlp: Units of the dense network's inner layer.
        options: Arguments of every Keras layer.
    """

    def __init__(
        self, grid: tuple[int, int], num_heads: int, window: int, shift: int, num_mlp: int, **options: Any
    ):
        super().__init__(**options)
        self.grid = (int(grid[0]), int(grid[1]))
        self.num_heads = num_heads
        self.window = window
        self.shift = shift
        self.num_mlp = num_mlp

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; the order is that of the published class."""
        dim = input_shape[-1]
        size = self.window * self.window
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        weight = self.add_weight
        self.gamma1 = weight((dim,), "ones", name="norm1_gamma")
        self.beta1 = weight((dim,), "zeros", name="norm1_beta")
        self.places = weight(((2 * self.window - 1) ** 2, self.num_heads), small, name="attn_pos")
        self.qkv_kernel = weight((dim, 3 * dim), "glorot_uniform", name="attn_qkv_kernel")
        self.qkv_bias = weight((3 * dim,), "zeros", name="attn_qkv_bias")
        self.out_kernel = weight((dim, dim), "glorot_uniform", name="attn_proj_kernel")
        self.out_bias = weight((dim,), "zeros", name="attn_proj_bias")
        self.gamma2 = weight((dim,), "ones", name="norm2_gamma")
        self.beta2 = weight((dim,), "zeros", name="norm2_beta")
        self.mlp_kernel1 = weight((dim, self.num_mlp), "glorot_uniform", name="mlp_0_kernel")
        self.mlp_bias1 = weight((self.num_mlp,), "zeros", name="mlp_0_bias")
        self.mlp_kernel2 = weight((self.num_mlp, dim), "glorot_uniform", name="mlp_1_kernel")
        self.mlp_bias2 = weight((dim,), "zeros", name="mlp_1_bias")
        # Constants, kept as weights because the published class does: its mask is -100 everywhere, which
        # leaves every pair together, and its weights have learned under that.
        self.mask = None
        if self.shift:
            mask = window_mask(self.grid, self.window, self.shift)
            self.mask = weight(mask.shape, _constant(mask), trainable=False, name="attn_mask")
        index = relative_places(self.window)
        self.index = weight(
            (size, size), _constant(index), dtype="int32", trainable=False, name="attn_pos_ind"
        )

    def call(self, tokens: Any) -> Any:
        """Let the tokens of each window look at each other."""
        (rows, columns), window, dim = self.grid, self.window, tokens.shape[-1]
        attended = ops.layer_normalization(tokens, self.gamma1, self.beta1, axis=-1, epsilon=1e-5)
        attended = ops.reshape(attended, (-1, rows, columns, dim))
        if self.shift:
            attended = ops.roll(attended, (-self.shift, -self.shift), axis=(1, 2))
        attended = ops.reshape(attended, (-1, rows // window, window, columns // window, window, dim))
        attended = ops.transpose(attended, (0, 1, 3, 2, 4, 5))
        attended = self._attend(ops.reshape(attended, (-1, window * window, dim)))
        attended = ops.reshape(attended, (-1, rows // window, columns // window, window, window, dim))
        attended = ops.transpose(attended, (0, 1, 3, 2, 4, 5))
        attended = ops.reshape(attended, (-1, rows, columns, dim))
        if self.shift:
            attended = ops.roll(attended, (self.shift, self.shift), axis=(1, 2))
        tokens = tokens + ops.reshape(attended, (-1, rows * columns, dim))
        inner = ops.layer_normalization(tokens, self.gamma2, self.beta2, axis=-1, epsilon=1e-5)
        inner = ops.gelu(ops.matmul(inner, self.mlp_kernel1) + self.mlp_bias1, approximate=True)
        return tokens + ops.matmul(inner, self.mlp_kernel2) + self.mlp_bias2

    def _attend(self, windows: Any) -> Any:
        size, dim = windows.shape[-2:]
        heads = self.num_heads
        qkv = ops.matmul(windows, self.qkv_kernel) + self.qkv_bias
        qkv = ops.transpose(ops.reshape(qkv, (-1, size, 3, heads, dim // heads)), (2, 0, 3, 1, 4))
        query, key, value = qkv[0] * (dim // heads) ** -0.5, qkv[1], qkv[2]
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        places = ops.reshape(
            ops.take(self.places, ops.reshape(self.index, (-1,)), axis=0), (size, size, heads)
        )
        scores = scores + ops.cast(ops.transpose(places, (2, 0, 1)), scores.dtype)
        if self.mask is not None:
            mask = ops.cast(ops.expand_dims(self.mask, 1), scores.dtype)
            scores = ops.reshape(scores, (-1, *mask.shape[:1], heads, size, size)) + mask
            scores = ops.reshape(scores, (-1, heads, size, size))
        shares = ops.cast(ops.softmax(ops.cast(scores, "float32"), axis=-1), value.dtype)
        mixed = ops.transpose(ops.matmul(shares, value), (0, 2, 1, 3))
        return ops.matmul(ops.reshape(mixed, (-1, size, dim)), self.out_kernel) + self.out_bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape that came in."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        names = ("grid", "num_heads", "window", "shift", "num_mlp")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="flexunet")
class PatchMerging(keras.layers.Layer):
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
        dim = input_shape[-1]
        self.kernel = self.add_weight((4 * dim, 2 * dim), "glorot_uniform", name="kernel")  # type: ignore[operator]

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
class PatchExpanding(keras.layers.Layer):
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
        dim = input_shape[-1]
        self.kernel = self.add_weight((1, 1, dim, self.rate * dim), "glorot_uniform", name="kernel")  # type: ignore[operator]

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


def relative_places(window: int) -> np.ndarray:
    """Number of the offset between each two tokens of a window, int32 `(window**2, window**2)`."""
    place = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij")).reshape(2, -1)
    offset = place[:, :, None] - place[:, None, :] + window - 1
    return (offset[0] * (2 * window - 1) + offset[1]).astype("int32")


def window_mask(grid: tuple[int, int], window: int, shift: int) -> np.ndarray:
    """What keeps tokens apart that only the roll has brought into one window.

    Returns:
        Float32 `(windows, window**2, window**2)`: 0 between neighbours, -100 between strangers.
    """
    rows, columns = grid
    # A shifted map has three bands a side: windows that are whole, the rest, and what was rolled in.
    row_band = np.searchsorted([rows - window, rows - shift], np.arange(rows), side="right")
    column_band = np.searchsorted([columns - window, columns - shift], np.arange(columns), side="right")
    region = row_band[:, None] * 3 + column_band[None, :]
    region = region.reshape(rows // window, window, columns // window, window).transpose(0, 2, 1, 3)
    region = region.reshape(-1, window * window)
    return np.where(region[:, :, None] == region[:, None, :], 0.0, APART).astype("float32")


def _constant(values: np.ndarray) -> Any:
    return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)
