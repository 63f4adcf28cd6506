import json

import numpy as np
import pytest
from PIL import Image

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import PathError, ShapeError
from flexunet.inference.folder import infer_folder
from flexunet.inference.inputs import mask_names
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.training.compiling import evaluate_published


@pytest.fixture(scope="module")
def published_run(reference):
    """The run that the published system trained and recorded: 64 x 64, two classes."""
    return reference / "run"


@pytest.fixture(scope="module")
def config(published_run):
    synth = (published_run / "dataset" / "Synth" / "test").as_posix()
    settings = [f"test.images_dir={synth}/images", f"test.masks_dir={synth}/masks", "train.precision=float32"]
    return load_config(published_run / "project" / "train_eval_infer.config", settings)


@pytest.fixture(scope="module")
def predictor(config):
    return Predictor.load(config)


def test_published_weights_give_the_recorded_probabilities(published_run, predictor):
    with np.load(published_run / "trained_test_io.npz", allow_pickle=False) as recorded:
        images, probabilities = recorded["X"], recorded["P"]
    np.testing.assert_allclose(predictor.predict_batch(images.astype(np.float32)), probabilities, atol=1e-4)
    np.testing.assert_allclose(predictor(images[0]), probabilities[0], atol=1e-4)


def test_evaluation_gives_the_published_figures(published_run, config, predictor):
    recorded = json.loads((published_run / "trained_test_eval.json").read_text())
    by_file = dict(
        zip(recorded["files_in_glob_order"], recorded["per_image_dice_coef_multiclass"], strict=True)
    )
    # The published figure is the unweighted mean over batches, so it depends on the order: ours is by name.
    dice = [by_file[name] for name in sorted(by_file)]
    by_batch_size = {
        1: recorded["evaluate_batch1"][1],
        6: recorded["evaluate_batch6"][1],
        4: (np.mean(dice[:4]) + np.mean(dice[4:])) / 2,
    }
    for batch_size, expected in by_batch_size.items():
        config.evaluate.batch_size = batch_size
        figures = evaluate_published(config, predictor.model)
        assert list(figures) == ["categorical_crossentropy", "dice_coef_multiclass"]
        assert figures["categorical_crossentropy"] == pytest.approx(recorded["evaluate_batch1"][0], rel=1e-4)
        assert figures["dice_coef_multiclass"] == pytest.approx(expected, rel=1e-4)


def test_a_folder_gives_the_published_masks(published_run, config, predictor, tmp_path):
    config = config.model_copy(deep=True)
    config.infer.output_dir = str(tmp_path / "masks")
    result = infer_folder(config, predictor=predictor)
    assert result.failures == {}
    published = published_run / "project" / "mini_test_output"
    compared = 0
    for path in list_images(config.resolve(config.infer.images_dir)):
        recorded = published / (path.stem + (".png" if path.suffix == ".jpg" else path.suffix))
        if not recorded.is_file():
            continue  # the published system passed over .JPG and .jpeg
        with Image.open(recorded) as mask:
            expected = np.asarray(mask.convert("L")) > 127
        with Image.open(tmp_path / "masks" / f"{path.stem}.png") as mask:
            found = np.asarray(mask)
        image = read_image(path)
        assert found.shape == expected.shape == image.shape[:2]
        # Ours enlarges probabilities where the published system enlarged the pixels of the mask.
        small = mask_of(predictor.predict_batch(predictor.prepare(image)[np.newaxis])[0])
        enlarged = np.asarray(Image.fromarray(small).resize(expected.shape[::-1], Image.Resampling.NEAREST))
        assert (enlarged == expected).mean() > 0.9995
        assert (found == expected).mean() > 0.95
        compared += 1
    assert compared == 5


def test_no_image_of_two_with_one_stem_is_lost(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "a.png", "b.tif", "a.bmp")]
    names = mask_names(paths)
    assert names[tmp_path / "a.bmp"] == "a.png"
    assert names[tmp_path / "a.jpg"] == "a.jpg.png"
    assert names[tmp_path / "a.png"] == "a.png.png"
    assert names[tmp_path / "b.tif"] == "b.png"


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_every_level_of_sixteen_bits_reaches_the_model(predictor, tmp_path, suffix):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    write_image(tmp_path / f"a{suffix}", levels)
    image = read_image(tmp_path / f"a{suffix}", None)
    for top in range(0, 256, 64):  # the model takes 64 x 64
        tile = image[top : top + 64, :64]
        prepared = predictor.prepare(tile)
        assert prepared.dtype == np.float32
        for channel in range(3):
            np.testing.assert_array_equal(prepared[..., channel], tile[..., 0] / np.float32(257))
        assert len(np.unique(prepared)) == 64 * 64


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 5, 2), (5,), (2, 5, 5, 3)])
def test_what_is_no_image_is_refused(predictor, shape):
    with pytest.raises(ShapeError, match="expected an image of shape"):
        predictor(np.zeros(shape, np.uint8))


def test_grey_and_16_bit_images_are_taken(predictor):
    grey = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    whole = predictor(np.repeat(grey[..., np.newaxis], 3, axis=2))
    assert whole.shape == (40, 50, 2)
    np.testing.assert_allclose(whole.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(predictor(grey), whole, atol=1e-6)
    np.testing.assert_allclose(predictor(grey.astype(np.uint16) * 257), whole, atol=1e-5)


def test_a_run_without_model_says_where_it_looked(tmp_path):
    (tmp_path / "config.toml").write_text("[model]\nimage_width = 64\nimage_height = 64\nnum_layers = 3\n")
    with pytest.raises(PathError, match=r"best_model\.keras.*flexunet train"):
        Predictor.load(tmp_path)


def test_mask_worked_by_hand():
    assert mask_of(np.array([[[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]])).tolist() == [[0, 2]]
    assert mask_of(np.array([[[0.5], [0.51]]])).tolist() == [[0, 1]]


def pointwise_predictor(size, channels=3, **sections):
    """A predictor whose model sees one pixel at a time, at any model size the same."""
    import keras

    image = keras.Input((size, size, channels))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    head = keras.layers.Conv2D(2, 1, activation="softmax")
    model = keras.Model(image, head(scaled))
    kernel = np.linspace(-6, 6, channels * 2, dtype=np.float32).reshape(1, 1, channels, 2)
    head.set_weights([kernel, np.array([0.2, -0.2], np.float32)])
    sizes = {"image_width": size, "image_height": size, "image_channels": channels}
    return Predictor(model, Config(model=sizes, **sections))


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 1)])
def test_tiled_equals_whole_on_a_model_without_border_effects(dtype, channels):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (96, 96, channels), dtype=dtype)
    tiles = {"split_size": 32, "overlapping": 8}
    whole = pointwise_predictor(96)(image)
    tiled = pointwise_predictor(32, tiledinfer=tiles).predict(image, tiled=True).probabilities
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("shape", [(30, 40), (32, 32), (9, 40)])
def test_a_padded_image_is_predicted_pixel_by_pixel_as_it_is(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    padded = pointwise_predictor(48, infer={"fit": "pad"})
    np.testing.assert_allclose(padded(image), one_pixel_at_a_time(image), atol=1e-6)
    assert np.abs(pointwise_predictor(48)(image) - one_pixel_at_a_time(image)).max() > 0.05


def test_a_padded_image_that_is_too_large_keeps_its_proportions():
    image = np.full((40, 120), 200, np.uint8)
    image[:, 60:] = 20
    seen = pointwise_predictor(30, infer={"fit": "pad"}).prepare(image)[..., 0]
    assert np.array_equal(seen[:10], np.repeat([[200, 20]], 15, axis=1).repeat(10, axis=0))
    assert np.array_equal(seen[10:], np.repeat(seen[9:10], 20, axis=0))
    found = pointwise_predictor(30, infer={"fit": "pad"})(image)
    assert found.shape == (40, 120, 2)
    expected = one_pixel_at_a_time(image)
    np.testing.assert_allclose(found[:, :56], expected[:, :56], atol=1e-5)
    np.testing.assert_allclose(found[:, 64:], expected[:, 64:], atol=1e-5)


def one_pixel_at_a_time(image):
    """What the model of `pointwise_predictor` says of each pixel."""
    tile = pointwise_predictor(1)
    values = [tile(np.array([[value]], np.uint8))[0, 0] for value in np.unique(image)]
    return np.array(values)[np.searchsorted(np.unique(image), image)]


def test_a_dark_image_in_breast_tiles_is_the_same():
    # Nothing on it looks like a breast, so no tile is left out.
    tiles = {"split_size": 32, "overlapping": 8, "breast_only": True}
    image = np.full((64, 64), 40, np.uint8)
    np.testing.assert_allclose(
        pointwise_predictor(32, tiledinfer=tiles).predict_tiled(image),
        pointwise_predictor(64)(image),
        atol=1e-5,
    )
