"""Runs that predict together: the mean of what each says, whatever the size of its model."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ConfigError
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.weights.load import save_weights


def write_run(folder, seed, size, classes=2):
    (folder / "models").mkdir(parents=True)
    (folder / "config.toml").write_text(
        f"[model]\nimage_width = {size}\nimage_height = {size}\nnum_layers = 2\nbase_filters = 4\n"
        f"base_kernels = [3, 3]\nnum_classes = {classes}\ninput_normalize = true\n"
        "[train]\nprecision = 'float32'\n"
    )
    model = build_model(load_config(folder))
    draw_initial_weights(model, seed)
    save_weights(model, folder / "models" / "best_model.weights.h5")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [write_run(root / f"fold{seed}", seed, size) for seed, size in ((1, 16), (2, 32))]


@pytest.fixture
def config(tmp_path, runs):
    text = (runs[0] / "config.toml").read_text()
    path = tmp_path / "together.toml"
    path.write_text(
        text + "[infer]\nensemble = [" + ", ".join(repr(run.as_posix()) for run in runs) + "]\n"
        f"images_dir = '{(tmp_path / 'images').as_posix()}'\n"
    )
    return load_config(path)


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    write_image(tmp_path / "images" / "a.png", pixels)
    return pixels


def test_the_mean_of_the_members(runs, config, image):
    alone = [Predictor.load(run)(image) for run in runs]
    assert np.abs(alone[0] - alone[1]).max() > 0.01
    together = Predictor.load(config)
    np.testing.assert_allclose(together(image), np.mean(alone, axis=0), atol=1e-6)
    both = together.forward([together.prepare(image), together.prepare(image[::-1])])
    np.testing.assert_allclose(
        together.finish(both[0], 40, 30).probabilities, np.mean(alone, axis=0), atol=1e-5
    )


def test_tiles_and_turns_of_an_ensemble(runs, config, image):
    settings = ["tiledinfer.split_size=16", "tiledinfer.overlapping=4", "infer.test_time_augmentation=true"]
    alone = [Predictor.load(load_config(run, settings)).predict_tiled(image) for run in runs]
    together = Predictor.load(load_config(config.source, settings))
    np.testing.assert_allclose(together.predict_tiled(image), np.mean(alone, axis=0), atol=1e-5)


@pytest.mark.parametrize("setting", ["tiledinfer.blending=paste", "infer.fit=pad"])
def test_each_member_takes_images_and_tiles_at_its_own_size(runs, config, image, setting):
    settings = ["tiledinfer.split_size=16", "tiledinfer.overlapping=4", setting]
    alone = [Predictor.load(load_config(run, settings)) for run in runs]
    together = Predictor.load(load_config(config.source, settings))
    tiled = setting.startswith("tiledinfer")
    np.testing.assert_allclose(
        together.predict(image, tiled=tiled).probabilities,
        np.mean([each.predict(image, tiled=tiled).probabilities for each in alone], axis=0),
        atol=1e-5,
    )


def test_a_folder_through_an_ensemble_writes_where_its_members_differ(config, image, tmp_path):
    config.infer.uncertainty = "mutual_information"
    first = infer_folder(config)
    assert not first.failures
    levels = read_image(tmp_path / "mini_test_output_uncertainty" / "a.png", 1)
    assert levels.dtype == np.uint16
    predictor = Predictor.load(config)
    expected = predictor.predict(image).uncertainty
    assert np.abs(levels[..., 0] / 65535 - expected).max() < 1e-4
    with (tmp_path / "mini_test_output_lesions" / "lesions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with_lesion = predictor(image).argmax(-1) == 1
    areas = np.array([int(row["area_px"]) for row in rows])
    doubt = np.array([float(row["mean_uncertainty"]) for row in rows])
    assert areas.sum() == with_lesion.sum() > 0
    assert (areas * doubt).sum() / areas.sum() == pytest.approx(expected[with_lesion].mean(), abs=1e-4)
    # Another member is another model: nothing is taken over from before.
    assert infer_folder(config).reused == 1
    config.infer.ensemble = config.infer.ensemble[:1]
    config.infer.uncertainty = "none"
    assert infer_folder(config).reused == 0


def test_members_of_other_classes_are_refused(config, tmp_path):
    other = write_run(tmp_path / "other", 3, 16, classes=3)
    config.infer.ensemble = [*config.infer.ensemble, str(other)]
    with pytest.raises(ConfigError, match=r"other.*has 3 classes.*the same classes"):
        Predictor.load(config)


def test_members_that_see_other_grey_values_are_refused(config):
    config.image.normalize = "zscore"
    with pytest.raises(ConfigError, match=r"normalize = 'none'.*'zscore'"):
        Predictor.load(config)


def test_a_folder_of_runs_on_the_command_line_is_all_of_them(runs, config, image, tmp_path):
    masks = []
    for number, given in enumerate(
        (
            [config.source, "--runs", runs[0], "--runs", runs[1]],
            [config.source, "--runs", runs[0].parent],
            # Without a CONFIG, that of the first run counts, and what follows are images.
            ["--runs", runs[0].parent, config.resolve(config.infer.images_dir)],
        )
    ):
        out = tmp_path / f"masks{number}"
        arguments = ["infer", "--out", out, *given]
        answer = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        masks.append(read_image(out / "a.png"))
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])
    alone = Predictor.load(runs[0])(image).argmax(-1)
    assert (masks[0].reshape(*alone.shape, -1)[..., 0] > 0).astype(int).tolist() != alone.tolist()


def test_infer_without_configuration_and_runs_says_what_is_missing():
    answer = CliRunner().invoke(app, ["infer"])
    assert isinstance(answer.exception, ConfigError)
    assert "--runs RUN" in str(answer.exception)
