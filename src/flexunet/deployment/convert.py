"""From a trained Keras model to the file of another runtime.

TensorFlow converts to every form. On another engine it does so in a process of its own, from the run's
weights file, so that one conversion serves every engine. Where TensorFlow is not installed, PyTorch
converts to OpenVINO and ONNX itself. Large models are always converted in a process of their own: a system
that is short of memory kills without a word, and someone must be left to say what happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.config.files import load_config, save_config
from flexunet.errors import EngineError
from flexunet.extras import import_extra, install_command, is_installed
from flexunet.inference.runtimes.bundle import MODELS
from flexunet.inference.runtimes.load import import_openvino
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

# What Keras calls each form that it writes as it is.
_FORMATS = {"openvino": "openvino", "litert": "litert", "saved_model": "tf_saved_model"}
# In parameters; smaller ones convert in less memory than starting another engine takes.
_LARGE_MODEL = 20_000_000
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
        EngineError: if a library is missing, the model cannot be converted, or its conversion was killed.
    """
    import keras

    path = folder / MODELS[form]
    if form == "openvino":
        import_openvino()
    elif form == "onnx":
        import_extra("onnx", "tf2onnx", extra="onnx")
    engine = keras.config.backend()
    alone = engine == "torch" and form in ("openvino", "onnx") and not is_installed("tensorflow")
    if engine == "tensorflow" or alone:
        if model.count_params() > _LARGE_MODEL:
            _convert_in_child(config, form, path, engine)
        else:
            _convert_here(model, form, path)
    elif is_installed("tensorflow"):
        _convert_in_child(config, form, path)
    else:
        raise EngineError(
            f"exporting to {form} from {engine} needs TensorFlow, which is not installed: "
            f"{install_command('tensorflow')}."
        )
    return path


def _convert_here(model: keras.Model, form: str, path: Path) -> None:
    import keras

    from flexunet.deployment.onnx_file import write_onnx

    image = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    options: dict[str, Any] = {"input_signature": [image]}
    if form == "litert":
        import tensorflow as tf

        # TensorFlow's own operations would need TensorFlow where the model runs.
        options["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    try:
        with _quiet():
            if form == "onnx":
                write_onnx(model, path)
            else:
                model.export(str(path), format=_FORMATS[form], verbose=False, **options)
    except EngineError:
        raise
    except Exception as error:  # the converters raise whatever they like
        reason = str(error).strip().splitlines()
        raise EngineError(
            f"this model cannot be exported to {form}: {type(error).__name__}: "
            f"{reason[0] if reason else 'no reason given'}. docs/export.md says which models export to what."
        ) from error


def _convert_in_child(config: Config, form: str, path: Path, engine: str = "tensorflow") -> None:
    with tempfile.TemporaryDirectory(prefix="flexunet-export-") as folder:
        copy = RunFolder.at(Path(folder)).config
        save_config(config, copy)
        environment = os.environ | {"KERAS_BACKEND": engine}
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
                str(RunFolder.of(config).find_model().resolve()),
                form,
                str(path),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode < 0:
        raise EngineError(
            f"the conversion to {form} was killed by signal {-answer.returncode}, as a system does that is "
            "short of memory: close other programs, or export on a machine with more. Nothing was written."
        )
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()
        raise EngineError(
            reason[-1] if reason else f"the conversion to {form} ended with {answer.returncode}."
        )


def main() -> None:
    """The child process: build the model on TensorFlow, fill it, convert it."""
    from flexunet.errors import FlexUNetError
    from flexunet.models.trained import load_trained_model

    copy, weights, form, path = sys.argv[1:]
    # A system that is short of memory shall take this process, not the one that can say so.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
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
