"""Drift gauges: those of the last images, none where too little is known, and in the real /metrics."""

import re

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from flexunet.config.files import load_config
from flexunet.evaluation.drift.measures import ImageMeasures
from flexunet.evaluation.drift.reference import Reference
from flexunet.inference.cases import Case
from flexunet.inference.predict.predictor import Predictor
from flexunet.serve.answers import Answerer, Wish
from flexunet.serve.drift import DriftWindow

from .conftest import draw


def reference(count=40):
    rng = np.random.default_rng(4)
    confidences = rng.uniform(0.6, 0.9, count).tolist()
    measured = tuple(
        ImageMeasures(str(k), str(k), {"longer_side": 56.0, "confidence": value, "lesion": "no"})
        for k, value in enumerate(confidences)
    )
    return Reference("0" * 64, "train", "train", measured)


def note(window, count, confidence, tmp_path):
    image = draw(1)[..., None]
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[10:20, 10:20] = 1
    probabilities = np.zeros((*mask.shape, 2), np.float32)
    probabilities[..., 1] = np.where(mask > 0, confidence, 0.1)
    probabilities[..., 0] = 1 - probabilities[..., 1]
    case = Case(tmp_path / "image", "image", image, None, None, False)
    for _ in range(count):
        window.note(tmp_path / "image", case, mask, probabilities)


def gauges(window):
    registry = CollectorRegistry()
    registry.register(window)
    text = generate_latest(registry).decode()
    return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE)}


def test_gauges_of_the_last_images(tmp_path):
    window = DriftWindow(reference(), size=30)
    note(window, 5, 0.75, tmp_path)
    few = gauges(window)
    assert few == {"flexunet_drift_window_images": 5.0}
    note(window, 40, 0.3, tmp_path)
    told = gauges(window)
    assert told["flexunet_drift_window_images"] == 30
    assert told['flexunet_drift{measure="confidence"}'] == 1
    assert told['flexunet_drift{measure="longer_side"}'] == 0
    assert told['flexunet_drift{measure="lesion"}'] == 1
    assert told['flexunet_drift_median{measure="confidence"}'] == pytest.approx(0.3)
    assert told['flexunet_drift_psi{measure="confidence"}'] > 0.25
    assert told['flexunet_drift_p{measure="confidence"}'] < 0.01


def test_an_answer_is_noted_and_one_that_cannot_be_measured_is_given_all_the_same(run, images, tmp_path):
    window = DriftWindow(reference())
    answerer = Answerer(Predictor.load(load_config(run)), "digest", tiled=False, watch=window)
    answerer.answer((images / "a.png").read_bytes(), Wish("mask"))
    answerer.answer((images / "d.dcm").read_bytes(), Wish("mask"))
    assert gauges(window)["flexunet_drift_window_images"] == 2
    window.note(tmp_path / "missing", Case(tmp_path, "", np.zeros(3), None, None, False), None, None)
    assert gauges(window)["flexunet_drift_window_images"] == 2


def test_a_run_without_reference_has_no_gauges(run):
    assert DriftWindow.of_run(load_config(run)) is None
