"""From a Keras model to an ONNX file; on TensorFlow its large weights are kept out of the conversion.

tf2onnx copies every constant of a graph on the way in and again for each of its optimisers: about 52 bytes
of memory a byte of weights, 24 GiB for the published model. So it is given a graph whose large weights are
inputs, and they become the file's initialisers afterwards: the same graph, the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from flexunet.errors import EngineError

if TYPE_CHECKING:
    import onnx

_OPSET = 18
# In numbers. tf2onnx folds smaller ones into their neighbours, for which it needs their values.
LARGE_WEIGHT = 2**18
# An ONNX file is one protobuf message, which is no larger; a MiB is left for the graph.
_LARGEST_FILE = 2**31 - 2**20


class _WithWeightsOutside(keras.Model):
    """A model that takes its large weights as inputs, after the image."""

    def __init__(self, model: keras.Model, weights: list[Any]) -> None:
        super().__init__(name="outside")
        self._whole, self._outside = model, weights
        self.built = True

    def call(self, inputs: list[Any]) -> Any:
        """What the model makes of `[image, *weights]`."""
        image, *weights = inputs
        with keras.StatelessScope(state_mapping=list(zip(self._outside, weights, strict=True))):
            return self._whole(image, training=False)


def write_onnx(model: keras.Model, path: Path, large: int = LARGE_WEIGHT) -> None:
    """Write a model as one ONNX file.

    Args:
        model: The model in float32, on TensorFlow or PyTorch.
        path: File to write.
        large: Weights of so many numbers are kept out of the conversion by TensorFlow.

    Raises:
        EngineError: if the model is larger than an ONNX file can be.
    """
    import onnx

    if 4 * model.count_params() > _LARGEST_FILE:
        raise EngineError(
            f"a model of {model.count_params():,} parameters does not fit into an ONNX file, which ends at "
            "2 GiB: export it to openvino."
        )
    _hold_constants(model)
    outside = {
        f"outside_{number}": weight
        for number, weight in enumerate(model.weights)
        if keras.config.backend() == "tensorflow" and np.prod(weight.shape) >= large
    }
    inputs = [keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")]
    inputs += [
        keras.InputSpec(shape=weight.shape, dtype="float32", name=name) for name, weight in outside.items()
    ]
    signature = [inputs] if outside else inputs
    model = _WithWeightsOutside(model, list(outside.values())) if outside else model
    model.export(str(path), format="onnx", verbose=False, input_signature=signature, opset_version=_OPSET)
    if outside:
        file = onnx.load(path)
        _put_inside(file.graph, {name: np.asarray(weight) for name, weight in outside.items()})
        onnx.save(file, path)


def _put_inside(graph: onnx.GraphProto, values: dict[str, np.ndarray]) -> None:
    """Make inputs of a graph its initialisers: transposed where the graph does so first, else as they are."""
    from onnx import numpy_helper

    readers = defaultdict(list)
    for node in graph.node:
        for name in set(node.input) & set(values):
            readers[name].append(node)
    for name, nodes in readers.items():
        turning = [node for node in nodes if node.op_type == "Transpose"]
        for node in turning:
            turned = np.ascontiguousarray(values[name].transpose(node.attribute[0].ints))
            graph.initializer.append(numpy_helper.from_array(turned, node.output[0]))
            graph.node.remove(node)
        if len(turning) < len(nodes):
            graph.initializer.append(numpy_helper.from_array(values[name], name))
    for place in reversed(range(len(graph.input))):
        if graph.input[place].name in values:
            del graph.input[place]


def _hold_constants(model: keras.Model) -> None:
    """Make the constants of normalisation layers part of the graph: tf2onnx takes tensors for inputs."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean = np.asarray(keras.ops.convert_to_numpy(layer.mean))
            layer.variance = np.asarray(keras.ops.convert_to_numpy(layer.variance))
