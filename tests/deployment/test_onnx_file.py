"""ONNX files: weights kept outside while a graph is converted come out the same, and cost little memory."""

import os
import subprocess
import sys

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from flexunet.deployment.onnx_file import write_onnx
from flexunet.errors import EngineError
from flexunet.models.trained import load_trained_model

pytestmark = pytest.mark.filterwarnings("ignore")  # of the converters' own insides

# Prints the memory that writing a model of eight million numbers (32 MiB) adds, in MiB.
MEASURED = """
import resource, sys, warnings
from pathlib import Path
import keras, tf2onnx
warnings.simplefilter("ignore")
from flexunet.deployment.onnx_file import write_onnx
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
image = keras.Input((32, 32, 1))
answer = keras.layers.Conv2D(8, 3, padding="same")(image)
write_onnx(keras.Model(image, answer), Path(sys.argv[1]))  # what is loaded once
for width in (1024, 900):
    answer = keras.layers.Conv2D(width, 3, padding="same")(answer)
model = keras.Model(image, keras.layers.Conv2D(2, 1)(answer))
before = peak()
write_onnx(model, Path(sys.argv[1]))
print(peak() - before)
"""


def initialisers(path):
    graph = onnx.load(path).graph
    assert [item.name for item in graph.input] == ["image"]
    return sorted(numpy_helper.to_array(item).tobytes() for item in graph.initializer if item.dims)


def answers(path, pixels):
    return onnxruntime.InferenceSession(path).run(None, {"image": pixels})[0]


def test_weights_kept_outside_come_out_the_same(config, tmp_path):
    model = load_trained_model(config, precision="float32")
    kernels = [weight for weight in model.weights if np.prod(weight.shape) >= 100]
    assert 3 < len(kernels) < len(model.weights)  # biases stay inside
    write_onnx(model, tmp_path / "inside.onnx")
    write_onnx(model, tmp_path / "outside.onnx", large=100)
    assert initialisers(tmp_path / "inside.onnx") == initialisers(tmp_path / "outside.onnx")
    operations = [
        [node.op_type for node in onnx.load(tmp_path / name).graph.node]
        for name in ("inside.onnx", "outside.onnx")
    ]
    assert operations[0] == operations[1]
    pixels = np.random.default_rng(0).uniform(0, 255, (3, *model.input_shape[1:])).astype("float32")
    expected = model.predict_on_batch(pixels)
    np.testing.assert_allclose(answers(tmp_path / "outside.onnx", pixels), expected, atol=1e-5)


def test_weights_of_every_kind_may_stay_outside(tmp_path):
    """Dense, depthwise, transposed, normalising, and one kernel that two layers read."""
    image = keras.Input((8, 8, 4))
    shared = keras.layers.Conv2D(4, 3, padding="same")
    answer = shared(shared(image))
    answer = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(answer)
    answer = keras.layers.BatchNormalization()(answer)
    answer = keras.layers.Conv2DTranspose(5, 2, strides=2, padding="same")(answer)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(answer))
    pixels = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    write_onnx(model, tmp_path / "model.onnx", large=1)
    initialisers(tmp_path / "model.onnx")
    expected = model.predict_on_batch(pixels)
    np.testing.assert_allclose(answers(tmp_path / "model.onnx", pixels), expected, atol=1e-5)


def test_a_model_larger_than_a_file_can_be_is_refused(config, tmp_path):
    class Large:
        def count_params(self):
            return 2**29

    with pytest.raises(EngineError, match=r"536,870,912 parameters does not fit .* 2 GiB"):
        write_onnx(Large(), tmp_path / "model.onnx")


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_memory_grows_with_a_few_copies_of_the_weights(tmp_path):
    """With the weights inside, tf2onnx takes 1,267 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "model.onnx")],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout.split()[-1]) < 400
