"""Post-training quantisation to 8-bit integers with NNCF: weights a channel, activations a layer.

Source: Jacob, B. et al. (2018), Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, CVPR, 2704-2713; Nagel, M. et al. (2019), Data-Free Quantization through
Weight Equalization and Bias Correction, ICCV, 1325-1334.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flexunet.extras import import_extra
from flexunet.inference.runtimes.load import import_openvino

# NNCF's own default. Ranges of activations settle well before.
CALIBRATION_IMAGES = 300
# Names of operations that TensorFlow and PyTorch give those of normalisation layers.
_NORMALISATION = ".*normalization.*"
_TRANSFORMERS = ("swin", "trans")

Prepare = Callable[[Any], np.ndarray]
Score = Callable[["_Compiled", Iterable[Any]], float]


class Quantised(NamedTuple):
    """What became of the convolutions and matrix products of a model.

    Attributes:
        kept: Names of those kept in floating point for the sake of the score.
        layers: How many there are.
    """

    kept: list[str]
    layers: int


def quantise(
    form: str,
    source: Path,
    target: Path,
    images: Sequence[Any],
    prepare: Prepare,
    *,
    architecture: str,
    score: Score | None = None,
    tolerance: float = 0.0,
    plain_normalisation: bool = False,
) -> Quantised:
    """Quantise an exported model.

    Args:
        form: openvino or onnx.
        source: The model's file.
        target: File to write.
        images: What `prepare` makes float32 `(1, H, W, C)` of, as the model takes it.
        prepare: Reads and prepares an image.
        architecture: `[model] model`.
        score: Scores a runtime on images. Where given (OpenVINO alone), layers that
            cost the score most go back to floating point until it changes by no more than the tolerance.
        tolerance: See score.
        plain_normalisation: Whether normalisation layers stay in floating point. Group and instance
            normalisation divide by small numbers, which eight bits hold badly; batch normalisation is part of
            the convolutions by then.

    Returns:
        What is kept in floating point for the sake of the score; of a model quantised without one, nothing.

    Raises:
        EngineError: if NNCF is not installed.
    """
    nncf = import_openvino("nncf")
    nncf.set_log_level(logging.ERROR)
    chosen = list(images)[:CALIBRATION_IMAGES]
    # NNCF would take the mean over images of each activation's greatest value, which cuts off what the few
    # images with a lesion need (benchmarks/RESULTS.md).
    whole_range = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    options: dict[str, Any] = {
        "preset": nncf.QuantizationPreset.MIXED,
        "subset_size": len(chosen),
        "fast_bias_correction": True,
    }
    advanced = nncf.AdvancedQuantizationParameters(activations_range_estimator_params=whole_range)
    if plain_normalisation:
        options["ignored_scope"] = nncf.IgnoredScope(patterns=[_NORMALISATION], validate=False)
    if any(name in architecture.lower() for name in _TRANSFORMERS):
        options["model_type"] = nncf.ModelType.TRANSFORMER
    if form == "onnx":
        onnx = import_extra("onnx", extra="onnx")
        model = onnx.load(source)
        name = model.graph.input[0].name
        with _quiet():
            quantised = nncf.quantize(
                model,
                nncf.Dataset(chosen, lambda item: {name: prepare(item)}),
                advanced_parameters=advanced,
                **options,
            )
        onnx.save(quantised, target)
        return Quantised([], 0)
    openvino = import_openvino()
    model = openvino.Core().read_model(source)
    calibration = nncf.Dataset(chosen, prepare)
    with _quiet():
        if score is None:
            quantised = nncf.quantize(model, calibration, advanced_parameters=advanced, **options)
        else:
            quantised = nncf.quantize_with_accuracy_control(
                model,
                calibration,
                nncf.Dataset(list(images)),
                lambda compiled, items: (score(_Compiled(compiled), items), None),
                max_drop=tolerance,
                advanced_quantization_parameters=advanced,
                **options,
            )
    found = _floating(model, quantised) if score else Quantised([], 0)
    openvino.save_model(quantised, target, compress_to_fp16=False)
    return found


class _Compiled:
    """A model that NNCF has compiled, as a runtime."""

    digest = ""

    def __init__(self, compiled: Any):
        self._compiled = compiled

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        return self._compiled(pixels)[0]


def _floating(before: Any, after: Any) -> Quantised:
    """The convolutions and matrix products that nothing quantises in the quantised model."""
    kinds = {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "MatMul"}
    wanted = {node.get_friendly_name() for node in before.get_ops() if node.get_type_name() in kinds}
    kept = sorted(
        node.get_friendly_name()
        for node in after.get_ops()
        if node.get_friendly_name() in wanted
        and node.input_value(0).get_node().get_type_name() != "FakeQuantize"
    )
    return Quantised(kept, len(wanted))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's progress bars out of standard output, which is ours, and its warnings to itself."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
