"""The block of a Swin transformer: attention inside windows that are shifted in every second block.

Source: Liu, Z., Lin, Y., et al. (2021), "Swin Transformer: Hierarchical Vision Transformer using Shifted
Windows", ICCV 2021, arXiv:2103.14030.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from flexunet.models.layers.patch_layers import DrawnLayer

# Added to the attention between pixels that only the shift has brought together: as good as never.
APART = -100.0


@keras.saving.register_keras_serializable(package="flexunet")
class SwinBlock(DrawnLayer):
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
        dim: int = input_shape[-1]  # type: ignore[assignment]
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        self.gamma1 = self.drawn("norm1_gamma", (dim,), "ones")
        self.beta1 = self.drawn("norm1_beta", (dim,), "zeros")
        self.places = self.drawn("attn_pos", ((2 * self.window - 1) ** 2, self.num_heads), small)
        self.qkv_kernel = self.drawn("attn_qkv_kernel", (dim, 3 * dim))
        self.qkv_bias = self.drawn("attn_qkv_bias", (3 * dim,), "zeros")
        self.out_kernel = self.drawn("attn_proj_kernel", (dim, dim))
        self.out_bias = self.drawn("attn_proj_bias", (dim,), "zeros")
        self.gamma2 = self.drawn("norm2_gamma", (dim,), "ones")
        self.beta2 = self.drawn("norm2_beta", (dim,), "zeros")
        self.mlp_kernel1 = self.drawn("mlp_0_kernel", (dim, self.num_mlp))
        self.mlp_bias1 = self.drawn("mlp_0_bias", (self.num_mlp,), "zeros")
        self.mlp_kernel2 = self.drawn("mlp_1_kernel", (self.num_mlp, dim))
        self.mlp_bias2 = self.drawn("mlp_1_bias", (dim,), "zeros")
        # Constants, kept as weights because the published class does: its mask is -100 everywhere, which
        # leaves every pair together, and its weights have learned under that.
        self.mask = None
        if self.shift:
            mask = window_mask(self.grid, self.window, self.shift)
            self.mask = self.add_weight(mask.shape, _constant(mask), trainable=False, name="attn_mask")
        index = relative_places(self.window)
        self.index = self.add_weight(
            index.shape, _constant(index), dtype="int32", trainable=False, name="attn_pos_ind"
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
