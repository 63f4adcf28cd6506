"""From a trained Keras model to the file of another runtime.

TensorFlow converts to every form. On another engine it does so in a process of its own, from the run's
weights file, so that one conversion serves every engine. Where TensorFlow is not installed, PyTorch
converts to OpenVINO and ONNX itself.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.files import load_config, save_config
from flexunet.data.model_file import find_model_file
from flexunet.errors import EngineError
from flexunet.inference.bundle import MODELS
from flexunet.inference.runtimes import import_library, import_openvino

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

# What Keras calls each form, and the library and extra that the conversion needs besides TensorFlow.
_FORMATS = {"openvino": "openvino", "onnx": "onnx", "litert": "litert", "saved_model": "tf_saved_model"}
_ONNX_OPSET = 18
_CHILD = "from flexunet.deployment.convert import main; main()"


def convert(config: Config, model: keras.Model, form: str, folder: Path) -> Path:
    """Write a trained model in another form.

    Args:
        config: Configuration of the run.
        model: Its model in float32, on the engine in use.
        form: openvino, onnx, litert or saved_model.
        folder: Folder to write into.

    Returns:
        The model's file, or folder.

    Raises:
        EngineError: if a library is missing, or the model cannot be converted.
    """
    import keras

    path = folder / MODELS[form]
    if form == "openvino":
        import_openvino()
    elif form == "onnx":
        import_library("onnx", "onnx")
        import_library("tf2onnx", "onnx")
    engine = keras.config.backend()
    alone = engine == "torch" and form in ("openvino", "onnx") and not _has_tensorflow()
    if engine == "tensorflow" or alone:
        _convert_here(model, form, path)
    elif _has_tensorflow():
        _convert_in_child(config, form, path)
    else:
        raise EngineError(
            f"exporting to {form} from {engine} needs TensorFlow, which is not installed: "
            "pip install 'flexunet[tensorflow]'."
        )
    return path


def _has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _convert_here(model: keras.Model, form: str, path: Path) -> None:
    import keras

    image = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    options: dict[str, Any] = {"input_signature": [image]}
    if form == "onnx":
        options["opset_version"] = _ONNX_OPSET
        _hold_constants(model)
    elif form == "litert":
        import tensorflow as tf

        # TensorFlow's own operations would need TensorFlow where the model runs.
        options["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    try:
        with _quiet():
            model.export(str(path), format=_FORMATS[form], verbose=False, **options)
    except Exception as error:  # the converters raise whatever they like
        reason = str(error).strip().splitlines()
        raise EngineError(
            f"this model cannot be exported to {form}: {type(error).__name__}: "
            f"{reason[0] if reason else 'no reason given'}. docs/export.md says which models export to what."
        ) from error


def _hold_constants(model: keras.Model) -> None:
    """Make the constants of normalisation layers part of the graph: tf2onnx takes tensors for inputs."""
    import keras
    import numpy as np

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean = np.asarray(keras.ops.convert_to_numpy(layer.mean))
            layer.variance = np.asarray(keras.ops.convert_to_numpy(layer.variance))


def _convert_in_child(config: Config, form: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="flexunet-export-") as folder:
        copy = Path(folder) / "config.toml"
        save_config(config, copy)
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        if ":" in config.model.model:  # a class of one's own, which may lie beside the configuration
            found = [str(config.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(found)
        answer = subprocess.run(  # noqa: S603 - ourselves
            [
                sys.executable,
                "-P",  # what lies in the working folder is no module of ours
                "-c",
                _CHILD,
                str(copy),
                str(find_model_file(config).resolve()),
                form,
                str(path),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()
        raise EngineError(reason[-1] if reason else f"the conversion to {form} was killed: is memory short?")


def main() -> None:
    """The child process: build the model on TensorFlow, fill it, convert it."""
    from flexunet.errors import FlexUNetError
    from flexunet.models.trained import load_trained_model

    copy, weights, form, path = sys.argv[1:]
    if form == "openvino":
        import_openvino()
    try:
        model = load_trained_model(load_config(copy), precision="float32", path=Path(weights))
        _convert_here(model, form, Path(path))
    except FlexUNetError as error:
        sys.exit(str(error))


@contextmanager
def _quiet() -> Iterator[None]:
    """Converters warn of their own insides; what matters is measured afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
