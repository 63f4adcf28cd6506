"""Evaluating a run: published metrics as the reference has them, calibration, leakage, folds."""

import json
import shutil

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import open_split
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.folds import find_folds, pool_tables
from flexunet.evaluation.run import evaluate, evaluate_fold_runs
from flexunet.evaluation.run_calibration import fit_calibration
from flexunet.evaluation.scores.pixels import confusion_matrix, foreground_counts, pixel_scores
from flexunet.evaluation.scores.published import (
    ClassSums,
    categorical_crossentropy,
    dice_coef_multiclass,
    mean_over_batches,
)
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.calibration import Calibration
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
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
metrics = ["dice_coef_multiclass"]
[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
batch_size = 4
run_dir = "run"
precision = "float32"
cache_dir = "cache"
[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"
[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
[infer]
images_dir = "dataset/test/images"
[evaluate]
bootstrap_samples = 100
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with a model that was never trained, on phantoms of 48 x 40 pixels."""
    folder = tmp_path_factory.mktemp("evaluated")
    write_phantom_dataset(
        folder / "dataset",
        patients=4,
        splits={"train": 0.25, "valid": 0.25, "test": 0.5},
        width=48,
        height=40,
    )
    (folder / "config.toml").write_text(SETTINGS)
    config = load_config(folder / "config.toml")
    model = build_model(config)
    # A bias for foreground, so that there is something to score.
    bias = model.weights[-1]
    bias.assign(np.array([0.0, 0.3], np.float32))
    RunFolder.of(config).best_model.parent.mkdir(parents=True, exist_ok=True)
    model.save(RunFolder.of(config).best_model)
    return folder


@pytest.fixture(scope="module")
def evaluated(run):
    """Its evaluation."""
    return evaluate(load_config(run / "config.toml"))


def test_the_published_figures_are_those_of_the_published_system(run, evaluated):
    config = load_config(run / "config.toml")
    predictor = Predictor.load(config)
    cache = open_split(config, "test")
    truth = np.eye(2)[np.asarray(cache.masks)]
    pixels = np.stack([predictor.prepare(read_image(pair.image_path, 3)) for pair in cache.pairs])
    probabilities = predictor.predict_batch(pixels)
    loss, metric = evaluated.scores.published.figures
    assert (loss.name, metric.name) == ("categorical_crossentropy", "dice_coef_multiclass")
    assert loss.value == pytest.approx(categorical_crossentropy(truth, probabilities), rel=1e-3)
    by_image = dice_coef_multiclass(ClassSums.of_probabilities(truth, probabilities))
    assert metric.value == pytest.approx(mean_over_batches(by_image, 4), rel=1e-3)
    empty = dice_coef_multiclass(ClassSums.of_probabilities(truth, truth).empty_prediction())
    assert metric.empty_prediction == pytest.approx(mean_over_batches(empty, 4))
    assert loss.empty_prediction == pytest.approx(
        categorical_crossentropy(truth, np.eye(2)[np.zeros_like(cache.masks)]), rel=1e-6
    )
    lines = (run / "run" / "evaluation.csv").read_text().splitlines()
    assert lines == [
        f"categorical_crossentropy,{round(loss.value, 4)}",
        f"dice_coef_multiclass,{round(metric.value, 4)}",
    ]


def test_what_is_scored_is_what_infer_writes(run, evaluated):
    config = load_config(run / "config.toml")
    predictor = Predictor.load(config)
    dice = []
    for path in sorted((run / "dataset" / "test" / "images").iterdir()):
        truth = read_mask(run / "dataset" / "test" / "masks" / path.name, ColorMap.binary())
        mask = mask_of(predictor(read_image(path, 3)))
        dice.append(pixel_scores(*foreground_counts(confusion_matrix(truth, mask, 2)))["dice"][0])
    np.testing.assert_array_equal(evaluated.tables.by_image()["dice"], dice)
    assert evaluated.scores.foreground.dice_per_image_mean.value == pytest.approx(np.nanmean(dice))


def test_all_files_are_there(run, evaluated):
    names = {path.name for path in (run / "run").iterdir()}
    assert {"evaluation.csv", "calibration.json", "MODEL_CARD.md", "evaluation"} <= names
    names = {path.name for path in (run / "run" / "evaluation").iterdir()}
    assert names == {"report.html", "scores.json", "per_image.csv", "per_lesion.csv"}
    assert evaluated.folder == run / "run" / "evaluation"
    assert "| architecture | " in (run / "run" / "MODEL_CARD.md").read_text()


def test_calibration_is_fitted_on_the_validation_split_and_stored(run, evaluated):
    stored = Calibration.read(run / "run")
    assert stored.split == "valid"
    assert stored.images == len(list((run / "dataset" / "valid" / "images").iterdir()))
    fitted = evaluated.scores.probability.fitted
    assert (fitted.temperature, fitted.threshold) == (stored.temperature, stored.threshold)
    assert stored.log_loss_after <= stored.log_loss_before
    assert evaluated.scores.probability.after_fit is not None
    assert evaluated.scores.lesions.scored_by == "probability"


def test_post_processing_is_fitted_on_validation_and_scored_on_test(run, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(run, project, ignore=shutil.ignore_patterns("evaluation", "cache"))
    asked = ["infer.threshold=run", "infer.postprocess=run"]
    config = load_config(project / "config.toml", asked)
    found = evaluate(config)
    stored = Calibration.read(project / "run")
    assert stored.postprocess.threshold == stored.threshold  # for the masks that are written
    assert found.scores.probability.fitted.postprocess == stored.postprocess.in_words
    assert "Post-processing of the masks" in (found.folder / "report.html").read_text()
    assert stored.postprocess.in_words in (project / "run" / "MODEL_CARD.md").read_text()
    masks = infer_folder(config).mask_paths
    dice = []
    for path in masks:
        truth = read_mask(project / "dataset" / "test" / "masks" / path.name, ColorMap.binary())
        counts = foreground_counts(confusion_matrix(truth, read_mask(path, ColorMap.binary()), 2))
        dice.append(pixel_scores(*counts)["dice"][0])
    np.testing.assert_array_equal(found.tables.by_image()["dice"], dice)
    # Switched off, nothing of it is left; switched on for other masks, it is fitted again.
    plain = evaluate(load_config(project / "config.toml"))
    assert plain.scores.probability.fitted.postprocess is None
    assert Calibration.read(project / "run") == stored
    evaluate(load_config(project / "config.toml", ["infer.postprocess=run"]))
    assert Calibration.read(project / "run").postprocess.threshold is None
    with pytest.raises(DatasetError, match="no post-processing for masks of"):
        infer_folder(config)
    (project / "run" / "calibration.json").unlink()
    without = evaluate(config, calibrate=False)
    assert "go without what [infer] takes from the run" in without.notes[0]
    np.testing.assert_array_equal(without.tables.by_image()["dice"], plain.tables.by_image()["dice"])
    on_valid = evaluate(config, split="valid")
    assert on_valid.scores.probability.fitted is None
    assert "fitted on this split" in on_valid.notes[0]


def test_nothing_is_fitted_on_the_test_split(run):
    config = load_config(run / "config.toml")
    predictor = Predictor.load(config)
    with pytest.raises(DatasetError, match="must not be fitted on the test split"):
        fit_calibration(config, predictor, split="test")
    same = load_config(
        run / "config.toml",
        ["valid.images_dir=dataset/test/images", "valid.masks_dir=dataset/test/masks", "train.run_dir=other"],
    )
    with pytest.raises(DatasetError, match="validation split holds images of the test split"):
        fit_calibration(same, predictor)
    found = evaluate(same, model=predictor.model)
    assert found.scores.probability.fitted is None
    assert "no temperature or threshold was fitted" in found.notes[0]
    assert not (run / "other" / "calibration.json").exists()


def test_other_weights_make_a_calibration_stale(run, evaluated):
    stored = Calibration.read(run / "run")
    path = run / "run" / "calibration.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "weights": "0" * 64, "temperature": 9.0}))
    evaluate(load_config(run / "config.toml"))
    assert Calibration.read(run / "run") == stored


def test_a_clean_split_does_not_leak_and_the_training_images_do(run, evaluated):
    assert evaluated.scores.verdict[2].question == "Does the test set leak?"
    assert evaluated.scores.verdict[2].answer == "no"
    config = load_config(run / "config.toml")
    trained = evaluate(config, split="train")
    assert trained.scores.verdict[2].answer == "yes"
    assert trained.folder == run / "run" / "evaluation" / "train"
    leaking = load_config(
        run / "config.toml",
        [
            "train.images_dir=dataset/test/images",
            "train.masks_dir=dataset/test/masks",
            "train.run_dir=leaking",
        ],
    )
    answer = evaluate(leaking, model=Predictor.load(config).model, calibrate=False).scores.verdict[2]
    assert answer.answer == "yes"
    assert "originals have copies in training" in answer.sentence


def test_an_audit_is_heard(run):
    config = load_config(run / "config.toml")
    found = evaluate(config, audit={"leak_pairs": 3}).scores
    assert found.verdict[2].answer == "yes"
    assert "3 pairs of nearly equal images" in found.verdict[2].sentence


def test_a_second_evaluation_is_compared_with_the_first(run, evaluated):
    found = evaluate(load_config(run / "config.toml")).scores
    assert found.comparison is not None
    assert found.comparison.images == evaluated.scores.images
    assert all(one.p_value in (None, 1) for one in found.comparison.scores)


def test_folds_pool_images_that_each_fold_held_out(run, tmp_path):
    model = Predictor.load(load_config(run / "config.toml")).model
    runs = []
    for split in ("valid", "test"):
        text = (SETTINGS.split("[test]")[0] + f'[test]\nimages_dir = "{split}/images"\n').replace(
            "dataset/", f"{run.as_posix()}/dataset/"
        )
        text += f'masks_dir = "{split}/masks"\n[evaluate]\nbootstrap_samples = 100\n'
        text = text.replace(f'"{split}/', f'"{run.as_posix()}/dataset/{split}/').replace(
            'run_dir = "run"', 'run_dir = "."'
        )
        folder = tmp_path / f"fold_{split}"
        folder.mkdir()
        (folder / "config.toml").write_text(text)
        config = load_config(folder)
        RunFolder.of(config).best_model.parent.mkdir(parents=True)
        model.save(RunFolder.of(config).best_model)
        runs.append(folder)
    assert find_folds([tmp_path]) == sorted(runs)
    found = evaluate_fold_runs(find_folds([tmp_path]), ["infer.postprocess=run"], out=tmp_path / "pooled")
    # Each fold decides by its own validation images; one of them tests on these, and fits nothing.
    assert Calibration.read(tmp_path / "fold_test").postprocess is not None
    assert Calibration.read(tmp_path / "fold_valid") is None
    scores = found.scores
    assert scores.images == sum(fold.images for fold in scores.folds)
    assert [fold.run for fold in scores.folds] == ["fold_test", "fold_valid"]
    assert scores.probability.all_pixels.pixels == np.sum(scores.confusion)
    assert scores.lesions.scored_by == "probability"
    assert (tmp_path / "pooled" / "report.html").is_file()
    with pytest.raises(DatasetError, match="occurs twice"):
        pool_tables([found.tables, found.tables])
    with pytest.raises(PathError, match="needs two run folders"):
        find_folds([tmp_path / "fold_valid"])


@pytest.mark.parametrize(
    ("classes", "colours"),
    [(1, '{"0,0,0" = 0, "255,255,255" = 1}'), (3, '{"0,0,0" = 0, "255,255,255" = 1, "255,0,0" = 2}')],
)
def test_one_sigmoid_class_and_three_classes(run, tmp_path, classes, colours):
    text = SETTINGS.replace("num_classes = 2", f"num_classes = {classes}").replace(
        '"dataset/', f'"{run}/dataset/'
    )
    (tmp_path / "config.toml").write_text(f"{text}[mask]\nrgb_map = {colours}\n")
    config = load_config(tmp_path / "config.toml", ["model.loss=binary_crossentropy"] if classes == 1 else [])
    found = evaluate(config, model=build_model(config)).scores
    assert len(found.classes) == max(1, classes - 1)
    assert found.probability.fitted.temperature > 0
    assert np.sum(found.confusion) == 40 * 48 * found.images
    if classes == 3:  # no pixel of class 2 is true
        assert found.classes[1].lesions.lesions == 0
    assert found.published.figures[1].empty_prediction is not None


def test_a_run_without_a_model_says_so(run):
    with pytest.raises(PathError, match="no trained model"):
        evaluate(load_config(run / "config.toml", ["train.run_dir=empty"]))


def test_an_evaluation_of_other_images_keeps_all_its_files(run, tmp_path):
    shutil.copytree(run, tmp_path / "project", ignore=shutil.ignore_patterns("evaluation", "cache"))
    config = load_config(tmp_path / "project" / "config.toml")
    own, kept = config.run_dir, config.run_dir / "evaluation" / "other_images_1"
    evaluate(config, look=False)
    first = {name: (own / name).read_bytes() for name in ("evaluation.csv", "MODEL_CARD.md")}
    scores = (own / "evaluation" / "scores.json").read_bytes()
    config.test.images_dir, config.test.masks_dir = config.valid.images_dir, config.valid.masks_dir
    notes = evaluate(config, look=False).notes
    assert any(str(kept) in note for note in notes)
    assert {name: (kept / name).read_bytes() for name in first} == first
    assert (kept / "scores.json").read_bytes() == scores
    assert (own / "MODEL_CARD.md").read_bytes() != first["MODEL_CARD.md"]
    assert (own / "evaluation.csv").is_file()
