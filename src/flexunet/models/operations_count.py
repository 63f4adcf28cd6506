"""How many multiply-adds one image costs: counted over the layers, nothing is run.

Counted are convolutions, dense layers and the products of attention; sums, activations and normalisation are
not, as is usual. One multiply-add is often told as two floating-point operations.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from flexunet.models.layers.patch_layers import PatchEmbedding, PatchExpanding, PatchMerging
from flexunet.models.layers.swin_block import SwinBlock


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one image of the model's own size.

    Args:
        model: A functional model with a fixed input size.

    Returns:
        The sum over its layers; layers of unknown kinds count by the size of their largest weight.
    """
    return sum(multiply_adds_by_layer(model).values())


def multiply_adds_by_layer(model: keras.Model) -> dict[str, int]:
    """The same, layer by layer; those without weights are left out."""
    return {layer.name: _of_layer(layer) for layer in model.layers if layer.weights}


def _shape(tensor: Any) -> tuple[int, ...]:
    """Shape without the batch."""
    tensor = tensor[0] if isinstance(tensor, (list, tuple)) else tensor
    return tuple(int(length) for length in tensor.shape[1:])


def _of_layer(layer: Any) -> int:
    if isinstance(layer, (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)):
        return 0
    if isinstance(layer, layers.Normalization):
        return 0
    inputs, outputs = _shape(layer.input), _shape(layer.output)
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(inputs[:-1]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.MultiHeadAttention):
        return _attention(layer, inputs)
    if isinstance(layer, SwinBlock):
        return _swin_block(layer, inputs)
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    # Each weight of the kernel meets each place of the output once.
    places = math.prod(inputs[:-1]) if isinstance(layer, (PatchMerging, PatchExpanding)) else 0
    if isinstance(layer, PatchMerging):
        places //= 4
    kernel = max((math.prod(weight.shape) for weight in layer.trainable_weights or layer.weights), default=0)
    if isinstance(layer, PatchEmbedding):
        kernel = math.prod(layer.kernel.shape)
    return (places or math.prod(outputs[:-1])) * kernel


def _attention(layer: Any, inputs: tuple[int, ...]) -> int:
    tokens = math.prod(inputs[:-1])
    projections = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) == 3)
    return tokens * projections + 2 * tokens**2 * layer.num_heads * layer.key_dim


def _swin_block(layer: Any, inputs: tuple[int, ...]) -> int:
    tokens, dim = inputs
    weights = (layer.qkv_kernel, layer.out_kernel, layer.mlp_kernel1, layer.mlp_kernel2)
    dense = sum(math.prod(weight.shape) for weight in weights)
    return tokens * dense + 2 * tokens * layer.window**2 * dim
