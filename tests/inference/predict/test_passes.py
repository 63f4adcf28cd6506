"""Turned copies, dropout samples and ensembles: the mean, and how far its parts are apart."""

import numpy as np
import pytest

from flexunet.config.schema import Config
from flexunet.inference.predict.passes import Passes, Turn, most_turns, turns_for
from flexunet.inference.predict.uncertainty import entropy, mutual_information


def corner_model(pixels):
    """Answers by where a pixel lies: a model that is anything but symmetric."""
    rows, columns = np.mgrid[: pixels.shape[1], : pixels.shape[2]]
    lesion = (pixels[..., 0] / 255 * (rows + 2 * columns) / (3 * max(pixels.shape[1:3]))).astype(np.float32)
    return np.stack([1 - lesion, lesion], axis=-1)


@pytest.mark.parametrize(("height", "width", "count"), [(8, 8, 8), (8, 12, 4)])
def test_turns_differ_and_each_is_undone(height, width, count):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, height, width, 3)).astype(np.float32)
    turns = turns_for(height, width)
    turned = [turn.apply(pixels) for turn in turns]
    assert len(turns) == count
    assert all(each.shape == pixels.shape for each in turned)
    assert len({each.tobytes() for each in turned}) == count
    for turn, each in zip(turns, turned, strict=True):
        assert np.array_equal(turn.undo(each), pixels)


def test_the_mean_of_turned_copies_turns_with_the_image():
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 1)).astype(np.float32)
    passes = Passes(most_turns=None)
    straight = passes.mean(corner_model, pixels)
    assert np.abs(straight - corner_model(pixels)).max() > 0.1
    for turn in turns_for(8, 8):
        turned = passes.mean(corner_model, turn.apply(pixels))
        np.testing.assert_allclose(turned, turn.apply(straight), atol=1e-6)
    # By hand: pixel (0, 0) of an all-white image is answered for as each of the four corners, twice.
    white = passes.mean(corner_model, np.full((1, 8, 8, 1), 255, np.float32))
    assert white[0, 0, 0, 1] == pytest.approx(np.mean([0, 7, 14, 21]) / 24, abs=1e-6)


def test_mean_entropy_comes_as_a_last_channel():
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 1)).astype(np.float32)
    found = Passes(most_turns=None, with_entropy=True).mean(corner_model, pixels)
    assert found.shape == (1, 8, 8, 3)
    answers = [turn.undo(corner_model(turn.apply(pixels))) for turn in turns_for(8, 8)]
    np.testing.assert_allclose(found[..., 2], np.mean([entropy(each) for each in answers], 0), atol=1e-6)
    doubt = mutual_information(found[..., :2], found[..., 2])
    assert doubt.min() >= 0
    assert doubt.max() > 0.01


def test_entropy_worked_by_hand():
    assert entropy(np.array([[0.5, 0.5], [1, 0], [0.25, 0.75]], np.float32)).tolist() == pytest.approx(
        [1, 0, 0.811278], abs=1e-5
    )
    assert entropy(np.array([[1 / 3] * 3], np.float32))[0] == pytest.approx(1, abs=1e-6)
    assert entropy(np.array([[0.25]], np.float32))[0] == pytest.approx(0.811278, abs=1e-5)


def test_mutual_information_worked_by_hand():
    # Two predictions that are certain of opposite things: all doubt is between them.
    assert mutual_information(np.array([0.5, 0.5], np.float32), np.float32(0)) == pytest.approx(1)
    # Two that agree to know nothing: none is.
    assert mutual_information(np.array([0.5, 0.5], np.float32), np.float32(1)) == pytest.approx(0)


@pytest.mark.parametrize(("size", "count"), [((6, 6), 8), ((6, 4), 4)])
def test_the_number_of_turns_can_be_limited(size, count):
    assert turns_for(*size, most=99) == turns_for(*size)
    assert len(turns_for(*size)) == count
    first = turns_for(*size, most=4)
    # As it is, left to right, upside down, and both; quarter turns come last.
    assert first[0] == Turn(0, False)
    assert {(turn.quarters, turn.flipped) for turn in first} == {(0, False), (0, True), (2, False), (2, True)}
    assert turns_for(*size, most=2) == [Turn(0, False), Turn(0, True)]
    pixels = np.random.default_rng(0).random((1, *size, 1), dtype=np.float32)
    passes = Passes(most_turns=2)
    left = np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    expected = pixels * (left + left[::-1]) / 2
    np.testing.assert_allclose(passes.mean(lambda given: given * left, pixels), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "flip", "passes", "expected"),
    [
        (True, "never", None, 1),
        (True, "horizontal", None, 2),
        (True, "both", None, 4),
        (True, "both", 2, 2),
        (False, "both", None, None),  # whatever changed the images then, its orientations are not known
        (False, "both", 3, 3),
    ],
)
def test_by_itself_only_orientations_of_training_are_predicted(changed, flip, passes, expected):
    config = Config.model_validate({"random_transform": {"enabled": changed, "flip": flip}})
    assert most_turns(config) == 1
    config.infer.test_time_augmentation = True
    config.infer.test_time_passes = passes
    assert most_turns(config) == expected
