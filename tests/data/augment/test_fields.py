import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from flexunet.data.augment import fields

SHAPES = [(40, 40), (128, 96), (33, 200)]
SIGMAS = [0.8, 3.0, 8.0, 40.0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_smooth_is_the_gaussian_filter_of_scipy(shape, sigma):
    noise = np.random.default_rng(0).standard_normal(shape)
    expected = gaussian_filter(noise, sigma, mode="constant")
    np.testing.assert_allclose(fields.smooth(noise, sigma), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_slopes_are_the_derivatives_of_scipy(shape, sigma):
    noise = np.random.default_rng(0).standard_normal(shape)
    along_x, along_y = fields.slopes(noise, sigma)
    for found, order in ((along_x, (0, 1)), (along_y, (1, 0))):
        expected = gaussian_filter(noise, sigma, order=order)
        np.testing.assert_allclose(found, expected, atol=3e-3 * np.abs(expected).max())


def test_deformation_field_is_that_of_the_middle_channel():
    draws = np.random.RandomState(5)
    noise = draws.rand(48, 64, 3) * 2 - 1
    displacement = gaussian_filter(noise, 4, mode="constant")[..., 1] * 300
    map_x, _ = fields.deformation_field(48, 64, alpha=300, sigma=4, seed=5)
    np.testing.assert_allclose(map_x - np.arange(64), displacement, atol=2e-3)


def test_deformation_strength_is_as_documented():
    map_x, map_y = fields.deformation_field(512, 512, alpha=1300, sigma=8, seed=137)
    assert (map_x - np.arange(512)).std() == pytest.approx(1300 / 580, rel=0.1)
    assert (map_y - np.arange(512)[:, None]).std() == pytest.approx(1300 / 580, rel=0.1)


def test_distortion_reaches_its_size_and_no_further():
    # int(0.05 * 200) = 10 pixels along x, int(0.05 * 90) = 4 along y, whichever side they are on.
    for seed in range(5):
        map_x, map_y = fields.distortion_field(90, 200, size=0.05, sigma=10, seed=seed)
        assert np.abs(map_x - np.arange(200)).max() == pytest.approx(10, abs=1e-4)
        assert np.abs(map_y - np.arange(90)[:, None]).max() == pytest.approx(4, abs=1e-4)


def test_distortion_of_less_than_a_pixel_moves_nothing():
    map_x, map_y = fields.distortion_field(16, 16, size=0.02, sigma=40, seed=0)
    np.testing.assert_array_equal(map_x, np.broadcast_to(np.arange(16), (16, 16)))
    np.testing.assert_array_equal(map_y, np.broadcast_to(np.arange(16)[:, None], (16, 16)))


def test_disc_field_by_hand():
    # Centre (50, 25), R = 0.2 * 100 = 20. At (60, 25): r = 10, factor = sin(pi / 4) ** 0.5 = 0.8409.
    top, left, (map_x, map_y) = fields.disc_field(50, 100, (0.5, 0.5), 0.2, 0.5)
    assert (top, left) == (5, 30)
    assert map_x[25 - top, 60 - left] == pytest.approx(50 + 10 * 0.8409, abs=1e-3)
    assert map_y[25 - top, 60 - left] == pytest.approx(25)
    # The centre, and a corner of the box, which the disc does not reach, stay where they are.
    for x, y in ((50, 25), (30, 5)):
        assert map_x[y - top, x - left] == pytest.approx(x)
        assert map_y[y - top, x - left] == pytest.approx(y)


def test_disc_outside_the_image_is_empty():
    _, _, (map_x, map_y) = fields.disc_field(20, 20, (3.0, 3.0), 0.3, 0.3)
    assert map_x.size == 0
    assert map_y.size == 0


def test_same_seed_same_field():
    first = fields.distortion_field(30, 40, 0.1, 5, seed=3)
    np.testing.assert_array_equal(first, fields.distortion_field(30, 40, 0.1, 5, seed=3))
    assert not np.array_equal(first, fields.distortion_field(30, 40, 0.1, 5, seed=4))
