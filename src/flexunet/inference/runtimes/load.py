"""Runtimes that predict from an exported model, without Keras.

Each has what `Predictor` asks of a model: `predict_on_batch(pixels)`, float32 `(n, H, W, C)` in 0..255 to
`(n, H, W, classes)`, and `digest`, which tells its predictions from another's. A runtime's library is
imported when one is opened; TensorFlow, JAX and PyTorch never are.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flexunet.errors import ConfigError, WeightsError
from flexunet.extras import import_extra
from flexunet.machine import BFLOAT16_FLAGS, usable_flags

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.runtimes.bundle import Bundle

PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


class Runtime(Protocol):
    """A model that predicts."""

    digest: str

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, H, W, classes)`, of images `(n, H, W, C)` in 0..255."""
        ...


def engine_name(config: Config) -> str:
    """What computes predictions: that of an export, as "openvino-int8", or "tensorflow", "jax", "torch".

    "auto" is Keras here: what is loaded for it has the engine that was chosen (`with_engine`).
    """
    if config.infer.engine not in ("auto", "keras"):
        return config.infer.engine
    import keras

    return str(keras.config.backend())


def open_engine(config: Config, engine: str) -> Runtime:
    """The run's export for an engine, ready to predict.

    Args:
        config: The configuration; `[infer] precision` is followed.
        engine: "openvino", "openvino-int8", "onnx", "onnx-int8" or "litert".

    Raises:
        PathError: if the run has no such export.
        ConfigError: if the engine cannot compute in the precision asked for.
        EngineError: if its library is not installed.
        WeightsError: if the export is damaged or of other weights.
    """
    from flexunet.inference.runtimes.bundle import find_bundle

    return open_bundle(find_bundle(config, engine), config.infer.precision)


def open_bundle(bundle: Bundle, precision: str = "auto") -> Runtime:
    """An exported model, ready to predict; see `open_engine`."""
    if bundle.form == "openvino":
        return OpenVinoRuntime(bundle, precision)
    if precision not in ("auto", "float32"):
        raise ConfigError(
            f"[infer] precision = '{precision}': an export to {bundle.form} computes in float32; set 'auto', "
            "or take [infer] engine = 'openvino' or 'keras'."
        )
    if bundle.form == "onnx":
        return OnnxRuntime(bundle)
    if bundle.form == "litert":
        return LiteRtRuntime(bundle)
    raise ConfigError(
        f"{bundle.folder}: a TensorFlow SavedModel is for other programs. Its graph may write files, "
        "so FlexUNet does not run one. Predict with [infer] engine = 'keras' or 'openvino'."
    )


class OpenVinoRuntime:
    """OpenVINO on the processor.

    Single images are spread over all cores (lowest latency); from the first batch of several on, images are
    spread over the cores one each (highest throughput).

    Args:
        bundle: The exported model.
        precision: `[infer] precision`.
        profile: Whether single predictions are timed layer by layer.
    """

    def __init__(self, bundle: Bundle, precision: str = "auto", *, profile: bool = False):
        self._ov = import_openvino()
        self._core = self._ov.Core()
        wanted = bundle.precision if precision == "auto" else PRECISIONS[precision]
        # Emulated, bfloat16 is slower than float32 and less exact.
        self.precision = best_precision() if wanted == "bfloat16" else wanted
        self.digest = f"{bundle.digest}:{self.precision}"
        try:
            self._model = self._core.read_model(bundle.model_path)
            self._model.reshape([1, *bundle.input_shape])
        except RuntimeError as error:
            raise _unreadable(bundle, error) from error
        self._output_shape = bundle.output_shape
        self._profiled = profile
        self._request: Any = None
        self._queue: Any = None

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        if len(pixels) == 1 and self._queue is None:
            if self._request is None:
                self._request = self._compiled("LATENCY").create_infer_request()
            return self._request.infer([pixels], share_inputs=True)[0]
        if self._queue is None:
            self._request = None
            self._queue = self._ov.AsyncInferQueue(self._compiled("THROUGHPUT"))
        probabilities = np.empty((len(pixels), *self._output_shape), np.float32)

        def keep(request: Any, index: int) -> None:
            probabilities[index] = request.get_output_tensor(0).data[0]

        self._queue.set_callback(keep)
        for index in range(len(pixels)):
            self._queue.start_async([pixels[index : index + 1]], index, share_inputs=True)
        self._queue.wait_all()
        return probabilities

    def profile(self) -> list[tuple[float, str, str, str]]:
        """Milliseconds, operation, kernel and name of each layer in the last single prediction."""
        rows = [
            (layer.real_time.total_seconds() * 1000, layer.node_type, layer.exec_type, layer.node_name)
            for layer in self._request.get_profiling_info()
        ]
        return sorted((row for row in rows if row[0]), reverse=True)

    def _compiled(self, hint: str) -> Any:
        types = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
        settings = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_PRECISION_HINT": types[self.precision],
            "PERF_COUNT": self._profiled,
        }
        return self._core.compile_model(self._model, "CPU", settings)


def best_precision() -> str:
    """bfloat16 where OpenVINO finds that the processor multiplies it, else float32."""
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    # OpenVINO does not look at what caps oneDNN, which then has no convolution in bfloat16.
    capped = not usable_flags(frozenset(BFLOAT16_FLAGS), os.environ)
    return "bfloat16" if "BF16" in capabilities and not capped else "float32"


class OnnxRuntime:
    """ONNX Runtime on the processor."""

    def __init__(self, bundle: Bundle):
        onnxruntime = import_extra("onnxruntime", extra="onnx")
        onnxruntime.disable_telemetry_events()
        self.digest = bundle.digest
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.model_path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no class of their own
            raise _unreadable(bundle, error) from error
        self._input = self._session.get_inputs()[0].name

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        return self._session.run(None, {self._input: np.ascontiguousarray(pixels)})[0]


class LiteRtRuntime:
    """LiteRT (TensorFlow Lite) with XNNPACK on the processor."""

    def __init__(self, bundle: Bundle):
        interpreter = import_extra("ai_edge_litert.interpreter", extra="litert")
        self.digest = bundle.digest
        try:
            self._interpreter = interpreter.Interpreter(str(bundle.model_path), num_threads=os.cpu_count())
        except ValueError as error:
            raise _unreadable(bundle, error) from error
        self._batch = 0

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        source = self._interpreter.get_input_details()[0]["index"]
        if len(pixels) != self._batch:
            self._interpreter.resize_tensor_input(source, pixels.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(pixels)
        self._interpreter.set_tensor(source, np.ascontiguousarray(pixels))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])


def import_openvino(module: str = "openvino") -> Any:
    """Import OpenVINO, or a library upon it, such that it reports to nobody.

    OpenVINO and NNCF send usage data to Intel through `openvino_telemetry`, NNCF without asking. Without that
    package they send nothing, so for this process it does not exist.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return import_extra(module, extra="openvino")


def _unreadable(bundle: Bundle, error: Exception) -> WeightsError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return WeightsError(
        f"{bundle.model_path} cannot be read by {bundle.form}: {lines[-1]}. Export the model again, with the "
        "versions installed here."
    )
