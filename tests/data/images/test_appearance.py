"""Pictures that are unlike a training set, and nothing said of those that are like it."""

import cv2
import numpy as np
import pytest

from flexunet.data.images.appearance import (
    FEWEST,
    NEARLY_CONSTANT,
    Appearance,
    is_nearly_constant,
    unlike_training,
)


def film(seed, side=96):
    """A half disc of soft tissue on black, chest wall on the left."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    inside = np.hypot(rows - side / 2 + random.normal(0, 3), columns) < side * random.uniform(0.4, 0.5)
    texture = cv2.GaussianBlur(random.normal(0, 60, (side, side)), (0, 0), 3)
    return np.clip(inside * (120 + texture), 0, 255).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def appearance():
    return Appearance.of_training((film(seed), 1.0) for seed in range(20))


def test_new_pictures_of_the_kind_are_like_it(appearance):
    assert [seed for seed in range(100, 140) if appearance.differences(film(seed))] == []


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda image: 255 - image, "share of dark background"),
        (lambda image: np.rot90(image).copy(), "brightness top against bottom"),
        (lambda image: np.repeat(image, 3, axis=2) * np.array([1, 0, 0], np.uint8), "colour"),
        (lambda image: np.vstack([image] * 4), "proportions"),
        (lambda image: image // 8, "share of dark background"),
    ],
)
def test_what_is_different_is_named(appearance, change, figure):
    assert figure in appearance.differences(change(film(200)))


def test_bit_depth_and_channels_make_no_difference(appearance):
    grey = film(200)
    deep = appearance.distances(grey.astype(np.uint16) * 257)
    assert np.allclose(appearance.distances(grey), deep, atol=1e-3)
    assert np.allclose(
        appearance.distances(grey), appearance.distances(np.repeat(grey, 3, axis=2)), atol=1e-3
    )


def test_it_is_read_as_it_was_written(appearance, tmp_path):
    appearance.write(tmp_path / "looks.json")
    assert Appearance.read(tmp_path / "looks.json") == appearance
    assert Appearance.read(tmp_path / "none.json") is None
    (tmp_path / "other.json").write_text('{"figures": ["another"]}')
    assert Appearance.read(tmp_path / "other.json") is None


def test_of_few_images_nothing_is_said():
    assert Appearance.of_training((film(seed), 1.0) for seed in range(FEWEST - 1)) is None
    assert unlike_training(film(1), None) == ""


@pytest.mark.parametrize(
    ("image", "constant"),
    [
        (np.full((32, 32, 1), 90, np.uint8), True),
        (np.full((32, 32, 3), 0, np.uint8), True),
        (np.random.default_rng(1).integers(0, 4, (32, 32, 1)).astype(np.uint16), True),
        (np.random.default_rng(1).integers(30000, 30100, (32, 32, 1)).astype(np.uint16), True),
        (film(3), False),
        (film(3).astype(np.uint16) * 16, False),  # 12 bits in 16
    ],
)
def test_a_picture_of_one_grey_shows_nothing(image, constant):
    assert is_nearly_constant(image) == constant
    assert (unlike_training(image, None) == NEARLY_CONSTANT) == constant
