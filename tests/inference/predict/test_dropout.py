"""Monte Carlo dropout: drawn, repeatable, and leaving the model as it was."""

import keras
import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.inference.predict.dropout import DropoutSampler
from flexunet.inference.predict.predictor import Predictor
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model

SIZE = 16


def configured(**sections):
    model = {
        "image_width": SIZE,
        "image_height": SIZE,
        "num_layers": 3,
        "base_filters": 4,
        "base_kernels": (3, 3),
        "dropout_rate": 0.2,
        "normalization": True,
        "input_normalize": True,
    }
    return Config(model=model, **sections)


@pytest.fixture(scope="module")
def model():
    built = build_model(configured())
    draw_initial_weights(built, 1)
    return built


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)


def samples_of(sampler, pixels, count=6, batch_size=4):
    return np.concatenate(list(sampler(pixels, count, batch_size)))


def test_samples_differ_from_each_other_and_come_again(model, pixels):
    before = [np.asarray(weight) for weight in model.weights]
    sampler = DropoutSampler(model, 5)
    samples = samples_of(sampler, pixels)
    assert samples.shape == (6, SIZE, SIZE, 2)
    assert len({each.tobytes() for each in samples}) == 6
    np.testing.assert_allclose(samples.sum(-1), 1, atol=1e-5)
    model.predict_on_batch(pixels[np.newaxis])
    assert np.array_equal(samples_of(sampler, pixels), samples)
    assert not np.array_equal(samples_of(DropoutSampler(model, 6), pixels), samples)
    # Neither moving statistics nor the state of the seeds have changed.
    for old, weight in zip(before, model.weights, strict=True):
        assert np.array_equal(old, np.asarray(weight))
    assert all(layer.trainable for layer in model.layers)


def test_their_mean_is_near_what_the_model_says_without_dropout(model, pixels):
    # Batch normalisation keeps to its moving statistics: with those of one image it would be far off.
    whole = model.predict_on_batch(pixels[np.newaxis])[0]
    mean = samples_of(DropoutSampler(model, 5), pixels, 64, 16).mean(0)
    assert np.abs(mean - whole).mean() < 0.05


def test_dropout_by_hand():
    image = keras.Input((4, 4, 1))
    half = keras.layers.Dropout(0.5, seed=3)(image)
    sampler = DropoutSampler(keras.Model(image, half), 1)
    samples = samples_of(sampler, np.ones((4, 4, 1), np.float32), 200, 50)
    assert set(np.unique(samples)) == {0, 2}  # what is kept is divided by the share that is kept
    assert samples.mean() == pytest.approx(1, abs=0.1)


def test_a_model_without_dropout_is_refused():
    image = keras.Input((4, 4, 1))
    plain = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    for given in (plain, object()):
        with pytest.raises(ConfigError, match="monte_carlo needs a Keras model with dropout"):
            DropoutSampler(given, 1)


@pytest.mark.parametrize("turned", [False, True])
def test_the_predictor_does_not_depend_on_what_it_predicts_besides(model, turned):
    infer = {"monte_carlo": 3, "test_time_augmentation": turned}
    predictor = Predictor(model, configured(infer=infer))
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (20, 24, 3), dtype=np.uint8) for _ in range(2)]
    alone = [predictor.predict(image) for image in images]
    together = predictor.forward([predictor.prepare(image) for image in images])
    for image, one, raw in zip(images, alone, together, strict=True):
        other = predictor.finish(raw, *image.shape[:2])
        np.testing.assert_allclose(other.probabilities, one.probabilities, atol=1e-6)
        np.testing.assert_allclose(other.uncertainty, one.uncertainty, atol=1e-6)
        assert one.uncertainty.shape == (20, 24)
        assert one.uncertainty.max() > 0


def test_tiles_are_sampled_too(model):
    config = configured(
        infer={"monte_carlo": 2}, tiledinfer={"split_size": SIZE, "overlapping": 4, "batch_size": 3}
    )
    predictor = Predictor(model, config)
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    found = predictor.predict(image, tiled=True)
    assert found.probabilities.shape == (30, 40, 2)
    np.testing.assert_allclose(found.probabilities.sum(-1), 1, atol=1e-5)
    config.tiledinfer.batch_size = 1
    again = predictor.predict(image, tiled=True)
    np.testing.assert_allclose(again.probabilities, found.probabilities, atol=1e-6)
    np.testing.assert_allclose(again.uncertainty, found.uncertainty, atol=1e-6)


def test_a_predictor_of_training_stays_plain(model, pixels):
    predictor = Predictor(model, configured(infer={"monte_carlo": 3}), plain=True)
    np.testing.assert_allclose(predictor(pixels), model.predict_on_batch(pixels[np.newaxis])[0], atol=1e-6)
    assert predictor.predict(pixels).uncertainty is None


def test_one_prediction_has_no_mutual_information(model):
    with pytest.raises(ConfigError, match="needs several predictions"):
        Predictor(model, configured(infer={"uncertainty": "mutual_information"}))
