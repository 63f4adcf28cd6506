import keras
import numpy as np
import pytest

from flexunet.models.layers.group_normalization import GroupNormalization, groups_of


def pair(groups, **options):
    """Our layer and Keras's with the same weights, of 12 channels."""
    layers = [kind(groups, **options) for kind in (GroupNormalization, keras.layers.GroupNormalization)]
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build((None, 5, 7, 12))
    weights = [rng.normal(size=12).astype(np.float32) for _ in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def images(mean=3.0):
    return np.random.default_rng(1).normal(mean, 2, (4, 5, 7, 12)).astype(np.float32)


@pytest.mark.engines
@pytest.mark.parametrize("groups", [1, 3, 4, 12, -1])
@pytest.mark.parametrize("options", [{}, {"epsilon": 1e-5}, {"center": False}, {"scale": False}])
def test_the_numbers_are_those_of_keras(groups, options):
    ours, theirs = (keras.ops.convert_to_numpy(layer(images())) for layer in pair(groups, **options))
    np.testing.assert_allclose(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.engines
def test_a_step_of_training_is_that_of_keras():
    def trained(layer):
        model = keras.Sequential([keras.Input((5, 7, 12)), layer, keras.layers.Conv2D(2, 3)])
        model.layers[-1].set_weights([np.random.default_rng(2).normal(size=(3, 3, 12, 2)), np.zeros(2)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(images(), np.ones((4, 3, 5, 2), np.float32))
        return [keras.ops.convert_to_numpy(weight) for weight in layer.weights]

    for ours, theirs in zip(*(trained(layer) for layer in pair(4)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.engines
def test_gradients_reach_the_layer_before_it_as_in_keras():
    def trained(layer):
        first = keras.layers.Conv2D(12, 1, use_bias=False)
        model = keras.Sequential([keras.Input((5, 7, 12)), first, layer])
        first.set_weights([np.random.default_rng(2).normal(size=(1, 1, 12, 12))])
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(images(), np.random.default_rng(4).normal(size=(4, 5, 7, 12)).astype(np.float32))
        return keras.ops.convert_to_numpy(first.kernel)

    ours, theirs = (trained(layer) for layer in pair(3))
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.engines
def test_a_flat_image_and_half_precision_stay_finite():
    flat = np.full((1, 8, 8, 12), 40, np.float32)
    for policy in ("float32", "mixed_bfloat16"):
        layer = GroupNormalization(4, dtype=policy)
        output = layer(flat)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        np.testing.assert_allclose(
            np.float32(keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))), 0, atol=0.05
        )


def test_a_layer_that_has_its_channels_elsewhere_is_left_to_keras():
    first = np.moveaxis(images(), -1, 1)
    layer = GroupNormalization(3, axis=1)
    np.testing.assert_allclose(layer(first), keras.layers.GroupNormalization(3, axis=1)(first), atol=1e-6)


def test_files_of_either_layer_load_into_the_other(tmp_path):
    def model(kind):
        return keras.Sequential([keras.Input((5, 7, 12)), kind(3, name="group_normalization")])

    ours, theirs = model(GroupNormalization), model(keras.layers.GroupNormalization)
    weights = [np.full(12, 2.0), np.full(12, -1.0)]
    for saved, loaded in ((ours, theirs), (theirs, ours)):
        saved.set_weights(weights)
        saved.save_weights(tmp_path / "a.weights.h5")
        loaded.set_weights([0 * each for each in weights])
        loaded.load_weights(tmp_path / "a.weights.h5")
        np.testing.assert_array_equal(loaded.get_weights(), weights)
    theirs.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(
        again.predict(images(), verbose=0), ours.predict(images(), verbose=0), atol=1e-4
    )
    ours.save(tmp_path / "ours.keras")
    assert isinstance(keras.models.load_model(tmp_path / "ours.keras").layers[0], GroupNormalization)


def test_groups_of_channels():
    assert groups_of("instance", 24) == 24
    assert [groups_of("group", channels) for channels in (4, 8, 12, 16, 3)] == [4, 8, 4, 8, 1]
