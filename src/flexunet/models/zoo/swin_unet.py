"""Swin-Unet: a U-Net without convolutions, of attention inside shifted windows.

Source: Cao, H., Wang, Y., et al. (2021), "Swin-Unet: Unet-like Pure Transformer for Medical Image
Segmentation", arXiv:2105.05537.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.errors import ConfigError
from flexunet.models.layers.blocks import head, input_image, require_multiple, scale_input
from flexunet.models.layers.patch_layers import PatchEmbedding, PatchExpanding, PatchMerging
from flexunet.models.layers.swin_block import SwinBlock

if TYPE_CHECKING:
    from flexunet.config.schema import Config

HEADS = (4, 8, 8, 8)
WINDOWS = (4, 2, 2, 2)
UNITS = 512


def build(config: Config) -> keras.Model:
    """Build the model that `[model] depth`, `filter_num_begin` and the keys of its attention describe.

    On the way up the published class takes the heads and windows of the level below; so does this one.

    Args:
        config: Configuration; sizes must be multiples of `patch_size` times 2 to the power of `depth` - 1,
            and hold whole windows at each level.

    Returns:
        A model from `(N, H, W, image_channels)` of 0..255 to probabilities `(N, H, W, num_classes)`.

    Raises:
        ShapeError: if the image does not hold whole patches at each level.
        ConfigError: if heads or windows do not fit the levels.
    """
    options = config.model
    depth, patch = options.depth, _patch_size(config)
    heads = _a_level(config, "num_heads", HEADS)
    windows = _a_level(config, "window_size", WINDOWS)
    dims = [options.filter_num_begin * 2**level for level in range(depth)]
    if options.filter_num_begin % patch:
        raise ConfigError(
            f"[model] filter_num_begin = {options.filter_num_begin}: Swin-Unet needs a multiple of "
            f"patch_size = {patch}."
        )
    for dim, lower in zip(dims, [*heads[1:], heads[-1]], strict=True):
        for number in (heads[dims.index(dim)], lower):
            if dim % number:
                raise ConfigError(
                    f"[model] num_heads: {number} heads cannot share the {dim} filters of their level."
                )
    require_multiple(config, _needed_multiple(config, patch, windows), "Swin-Unet as configured")

    def stack(tokens: Any, count: int, level: int, source: int, name: str) -> Any:
        window = min(windows[source], *grids[level])
        for number in range(count):
            # A window that covers the grid has nothing to be shifted against.
            shifted = number % 2 and options.shift_window and windows[source] <= min(grids[level])
            tokens = SwinBlock(
                grids[level],
                heads[source],
                window,
                window // 2 if shifted else 0,
                options.num_mlp or UNITS,
                name=f"{name}_block{number}",
            )(tokens)
        return tokens

    image = input_image(config)
    features = scale_input(image, config, published=False)
    grids = [
        (options.image_height // patch // 2**level, options.image_width // patch // 2**level)
        for level in range(depth)
    ]
    tokens = PatchEmbedding(patch, dims[0], name="patch_embedding")(features)
    skips = []
    for level in range(depth):
        if level:
            tokens = PatchMerging(grids[level - 1], name=f"encoder{level}_merge")(tokens)
        tokens = stack(tokens, options.stack_num_down, level, level, f"encoder{level}")
        skips.append(tokens)
    for level in reversed(range(depth - 1)):
        tokens = PatchExpanding(grids[level + 1], 2, True, name=f"decoder{level}_expand")(tokens)
        tokens = layers.Concatenate(name=f"decoder{level}_concat")([tokens, skips[level]])
        tokens = layers.Dense(dims[level], use_bias=False, name=f"decoder{level}_project")(tokens)
        tokens = stack(tokens, options.stack_num_up, level, level + 1, f"decoder{level}")
    features = PatchExpanding(grids[0], patch, False, name="image_expand")(tokens)
    return keras.Model(image, head(features, config, use_bias=False), name="swin_unet")


def _patch_size(config: Config) -> int:
    size = config.model.patch_size
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) > 1:
        raise ConfigError(f"[model] patch_size = {size}: height and width of a patch must be equal.")
    return sides.pop()


def _a_level(config: Config, key: str, default: tuple[int, ...]) -> list[int]:
    """The key's value for each level: one number stands for all, the default's last for the deeper ones."""
    depth, value = config.model.depth, getattr(config.model, key)
    if value is None:
        return [default[min(level, len(default) - 1)] for level in range(depth)]
    if isinstance(value, int):
        return [value] * depth
    if len(value) != depth:
        raise ConfigError(
            f"[model] {key} has {len(value)} numbers: Swin-Unet needs one for each of depth = {depth} levels."
        )
    return list(value)


def _needed_multiple(config: Config, patch: int, windows: list[int]) -> int:
    """Pixels that both sizes must be a multiple of, for whole patches and whole windows at every level."""
    needed = patch * 2 ** (config.model.depth - 1)
    smaller = min(config.model.image_height, config.model.image_width)
    for level in range(config.model.depth):
        for window in (windows[level], windows[min(level + 1, len(windows) - 1)]):
            if smaller // patch // 2**level >= window:
                needed = math.lcm(needed, patch * 2**level * window)
    return needed
