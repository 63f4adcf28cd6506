"""Runs scored together on one test set: their mean, their files, and no fit on what one of them has seen."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.configured import split_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, InputError
from flexunet.evaluation.run import evaluate
from flexunet.evaluation.run_calibration import fit_calibration
from flexunet.evaluation.run_ensemble import may_have_seen
from flexunet.evaluation.scores.pixels import confusion_matrix
from flexunet.inference.predict.calibration import Calibration, stored_fit
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.run_folder import RunFolder

SETTINGS = """
[model]
image_width = 32
image_height = 32
image_channels = 1
base_filters = 4
num_layers = 3
num_classes = 2
[train]
images_dir = "../dataset/{train}/images"
masks_dir = "../dataset/{train}/masks"
batch_size = 4
precision = "float32"
cache_dir = "../cache"
seed = {seed}
[valid]
images_dir = "../dataset/valid/images"
masks_dir = "../dataset/valid/masks"
[test]
images_dir = "../dataset/test/images"
masks_dir = "../dataset/test/masks"
[infer]
images_dir = "../dataset/test/images"
output_dir = "masks"
[evaluate]
bootstrap_samples = 50
"""


def write_run(folder, seed, train="train"):
    folder.mkdir()
    (folder / "config.toml").write_text(SETTINGS.format(seed=seed, train=train))
    config = load_config(folder)
    model = build_model(config)
    draw_initial_weights(model, seed)
    image = Predictor(model, config).prepare(read_image(next(folder.glob("../dataset/test/images/*")), 3))
    found = model.predict_on_batch(image[None])
    # A bias for half of the pixels to be foreground, so that there is something to score.
    model.weights[-1].assign(np.array([0.0, np.median(np.log(found[..., 0] / found[..., 1]))], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    model.save(RunFolder.of(config).best_model)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two runs of one split and other seeds; one that was trained on validation, one on test images."""
    root = tmp_path_factory.mktemp("together")
    splits = {"train": 0.25, "valid": 0.25, "test": 0.5}
    write_phantom_dataset(root / "dataset", patients=4, splits=splits, width=48, height=40)
    for name, seed, train in (
        ("a", 1, "train"),
        ("b", 2, "train"),
        ("saw_valid", 3, "valid"),
        ("saw_test", 4, "test"),
    ):
        write_run(root / name, seed, train)
    return root


def together(root, *names, **infer):
    members = [(root / name).as_posix() for name in names]
    keys = {"ensemble": members, **infer}
    return load_config(root / names[0], [f"infer.{key}={value!r}" for key, value in keys.items()])


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_the_mean_of_seeds_is_scored_in_a_folder_of_its_own(root):
    own = evaluate(root / "a")
    before = {path: path.read_bytes() for path in (root / "a").rglob("*") if path.is_file()}
    answer = invoke("evaluate", root / "a", "--runs", root / "a", "--runs", root / "b", "--json")
    assert answer.exit_code == 0, answer.output
    scores = json.loads(answer.stdout)
    predictors = [Predictor.load(root / name) for name in ("a", "b")]
    expected = 0
    for path in sorted((root / "dataset/test/images").iterdir()):
        truth = read_mask(root / "dataset/test/masks" / path.name, ColorMap.binary())
        mean = np.mean([predictor(read_image(path, 3)) for predictor in predictors], axis=0)
        expected = expected + confusion_matrix(truth, mean.argmax(-1).astype(np.uint8), 2)
    assert np.array_equal(scores["confusion"], expected)
    assert scores["confusion"] != own.scores.model_dump()["confusion"]
    assert scores["prediction"].startswith("2 runs together: ")
    assert scores["probability"]["fitted"]["split"] == "valid"
    files = {path.name for path in (root / "a/evaluation_of_ensemble").iterdir()}
    assert {"report.html", "scores.json", "evaluation.csv", "MODEL_CARD.md", "per_image.csv"} <= files
    assert (root / "a/calibration_of_ensemble.json").is_file()
    after = {path: path.read_bytes() for path in before}
    assert after == before  # of the run's own evaluation nothing has changed
    assert stored_fit(together(root, "a", "b")) != stored_fit(load_config(root / "a"))


def test_infer_decides_as_the_ensemble_was_fitted(root):
    arguments = (
        "infer",
        root / "b",
        "--runs",
        root / "a",
        "--runs",
        root / "b",
        "--set",
        "infer.threshold=run",
    )
    answer = invoke(*arguments)
    assert answer.exit_code == 0, answer.output
    assert "fitting on the validation split" in answer.stderr
    told = json.loads((root / "b/masks_lesions/prediction.json").read_text())
    fitted = Calibration.read(root / "b", "calibration_of_ensemble.json")
    assert told["threshold"] == fitted.threshold
    assert fitted.images == len(list((root / "dataset/valid/images").iterdir()))
    assert "fitting" not in invoke(*arguments).stderr


def test_what_one_has_trained_on_is_not_fitted_on(root):
    asked = {"threshold": "run", "postprocess": "run"}
    config = together(root, "a", "saw_valid", **asked)
    (root / "saw_valid/calibration.json").unlink(missing_ok=True)
    joint = fit_calibration(config, Predictor.load(config), weights=_identity(config))
    fits = [Calibration.read(root / name) for name in ("a", "saw_valid")]  # each has fitted for itself
    assert fits[0].threshold != fits[1].threshold
    assert joint.threshold == pytest.approx(np.mean([fit.threshold for fit in fits]))
    assert joint.temperature == pytest.approx(np.sqrt(fits[0].temperature * fits[1].temperature))
    assert joint.postprocess.threshold == joint.threshold
    assert Decision.configured(config).threshold == joint.threshold
    (root / "saw_valid/calibration.json").unlink()
    path = root / "saw_valid/config.toml"
    head, tail = path.read_text().split("[valid]")
    path.write_text(f"{head}[valid]{tail.replace('dataset/valid/masks', 'dataset/nowhere')}")
    with pytest.raises(InputError, match="nowhere"):
        fit_calibration(config, Predictor.load(config))
    path.write_text(f"{head.replace('dataset/valid', 'dataset/elsewhere')}[valid]{tail}")
    assert may_have_seen(config, split_pairs(config, "valid"))  # nobody can tell
    assert not may_have_seen(together(root, "a", "b"), split_pairs(config, "valid"))


def _identity(config):
    from flexunet.inference.predict.calibration import identity_of

    return identity_of(config)


def test_a_run_that_was_trained_on_test_images_is_told(root):
    clean = evaluate(together(root, "a", "b"), look=False).scores
    leaking = evaluate(together(root, "a", "saw_test"), look=False).scores
    leak = next(one for one in leaking.verdict if "leak" in one.question.lower())
    assert leak.good is False
    assert next(one for one in clean.verdict if "leak" in one.question.lower()).good is not False


def test_options_that_contradict_each_other_are_refused(root, tmp_path):
    for extra, said in (
        (("--folds", "--runs", root / "b"), "give one of them"),
        (("--out", tmp_path), "goes with"),
    ):
        answer = invoke("evaluate", root / "a", *extra)
        assert isinstance(answer.exception, ConfigError)
        assert said in str(answer.exception)


def test_a_fit_of_an_ensemble_in_the_file_of_earlier_versions_is_read(root, tmp_path):
    config = together(root, "a", "b", threshold="run")
    fitted = fit_calibration(config, Predictor.load(config), weights=_identity(config))
    for name in ("a", "b"):
        shutil.copytree(root / name, tmp_path / name)
    (tmp_path / "a/calibration_of_ensemble.json").unlink()
    fitted.write(tmp_path / "a")
    assert Decision.configured(together(tmp_path, "a", "b", threshold="run")).threshold == fitted.threshold
