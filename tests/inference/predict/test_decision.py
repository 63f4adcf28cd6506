"""Temperature and threshold: by number, or as evaluate fitted them for this very way to predict."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ConfigError, DatasetError, PathError
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.calibration import Calibration, identity_of
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.load import save_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "models").mkdir()
    (folder / "config.toml").write_text(
        "[model]\nimage_width = 16\nimage_height = 16\nnum_layers = 2\nbase_filters = 4\n"
        "base_kernels = [3, 3]\ninput_normalize = true\n[train]\nprecision = 'float32'\n"
        "[infer]\nimages_dir = 'images'\nprobabilities = 'png'\n"
    )
    model = build_model(load_config(folder))
    draw_initial_weights(model, 1)
    save_weights(model, folder / "models" / "best_model.weights.h5")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    write_image(folder / "images" / "a.png", pixels)
    return folder


def fitted(config, temperature=2.0, threshold=0.3, **changes):
    values = {"split": "valid", "images": 3, "temperature": temperature, "threshold": threshold}
    figures = dict.fromkeys(("log_loss_before", "log_loss_after", "dice_at_half", "dice_at_threshold"), 0.0)
    return Calibration(**(values | figures | {"weights": identity_of(config)} | changes))


def test_by_default_nothing_changes(run):
    decision = Decision.configured(load_config(run))
    assert decision == Decision(1.0, None)
    probabilities = np.array([[[0.6, 0.4], [0.4, 0.6]]], np.float32)
    assert decision.mask(probabilities).tolist() == [[0, 1]]
    assert decision.calibrate(probabilities) is probabilities


def test_numbers_worked_by_hand():
    decision = Decision(2.0, 0.4)
    # sqrt(0.8 / 0.2) = 2 to 1, as odds.
    two = np.array([[[0.2, 0.8], [0.6, 0.4], [0.61, 0.39]]], np.float32)
    np.testing.assert_allclose(decision.calibrate(two)[0, 0], [1 / 3, 2 / 3], atol=1e-6)
    assert decision.mask(two).tolist() == [[1, 1, 0]]
    one = two[..., 1:]
    np.testing.assert_allclose(decision.calibrate(one)[0, 0], [2 / 3], atol=1e-6)
    assert decision.mask(one).tolist() == [[1, 1, 0]]
    # Of three classes, the likelier of those that are foreground.
    assert Decision(1.0, 0.4).mask(np.array([[[0.55, 0.15, 0.3], [0.7, 0.2, 0.1]]])).tolist() == [[2, 0]]


def test_what_the_run_says_reaches_masks_and_probabilities(run, tmp_path):
    settings = ["infer.threshold=run", "infer.temperature=run", f"infer.output_dir={tmp_path}/masks"]
    config = load_config(run, settings)
    with pytest.raises(PathError, match=r"calibration\.json does not exist: 'flexunet evaluate"):
        infer_folder(config)
    raw = Predictor.load(run)(read_image(run / "images" / "a.png"))
    threshold = round(float(np.quantile(raw[..., 1], 0.7)), 3)
    fitted(config, threshold=threshold).write(run)
    result = infer_folder(config)
    mask = read_image(tmp_path / "masks" / "a.png", 3).any(axis=2)
    assert np.array_equal(mask, raw[..., 1] >= threshold)
    assert 0 < mask.sum() != (raw.argmax(-1) == 1).sum()
    levels = read_image(tmp_path / "masks_probabilities" / "a.png", 1)[..., 0] / 65535
    odds = np.sqrt(raw[..., 1] / raw[..., 0])
    np.testing.assert_allclose(levels, odds / (1 + odds), atol=1e-4)
    with (tmp_path / "masks_lesions" / "lesions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    areas = np.array([int(row["area_px"]) for row in rows])
    means = np.array([float(row["mean_probability"]) for row in rows])
    assert (areas * means).sum() / areas.sum() == pytest.approx(levels[mask].mean(), abs=1e-4)
    told = json.loads((tmp_path / "masks_lesions" / "prediction.json").read_text())
    assert (told["temperature"], told["threshold"]) == (2.0, threshold)
    assert result.reused == 0
    assert infer_folder(config).reused == 1
    fitted(config, threshold=threshold / 2).write(run)  # fitted anew: masks are made anew
    assert infer_folder(config).reused == 0


def test_a_fit_of_something_else_is_refused(run):
    config = load_config(run, ["infer.threshold=run"])
    fitted(config, weights="0" * 64).write(run)
    with pytest.raises(DatasetError, match="other weights, or for another way to predict"):
        Decision.configured(config)
    fitted(config).write(run)
    assert Decision.configured(config).threshold == 0.3
    turned = load_config(run, ["infer.threshold=run", "infer.test_time_augmentation=true"])
    with pytest.raises(DatasetError, match="another way to predict"):
        Decision.configured(turned)
    with pytest.raises(DatasetError, match="another way to predict"):
        Decision.configured(load_config(run, ["infer.threshold=run", "infer.fit=pad"]))
    fitted(turned).write(run)
    assert Decision.configured(turned).threshold == 0.3
    mirrored = load_config(run, [*turned.overrides, "random_transform.enabled=true"])
    with pytest.raises(DatasetError, match="another way to predict"):
        Decision.configured(mirrored)


@pytest.mark.parametrize("setting", ["threshold=1.5", "threshold=0", "temperature=0", "threshold=best"])
def test_what_cannot_be_meant_is_refused(run, setting):
    with pytest.raises(ConfigError, match=r"\[infer\]|infer\."):
        load_config(run, [f"infer.{setting}"])


def test_the_example_of_the_page_runs(run, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "inference.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copytree(run, tmp_path / "runs" / "mammogram")
    shutil.copy(run / "images" / "a.png", tmp_path / "case.png")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert found["probabilities"].shape == (24, 20, 2)
    assert np.array_equal(found["mask"], found["probabilities"].argmax(-1))
    assert found["prediction"].uncertainty.shape == (24, 20)
