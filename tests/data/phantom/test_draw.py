"""Phantoms: exact masks, the spectrum of real tissue, masses that a threshold cannot find."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.phantom.draw import draw_phantom
from flexunet.data.phantom.masses import Mass, render_mass
from flexunet.data.phantom.tissue import draw_texture
from flexunet.errors import ShapeError


def spectral_exponent(patch: np.ndarray, lowest: int = 3, highest: int = 30) -> float:
    """Exponent of the radial power spectrum of a square patch, Hann window, cycles per patch."""
    size = patch.shape[0]
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2
    cycles = np.fft.fftfreq(size) * size
    frequency = np.hypot(cycles[:, None], cycles[None, :])
    rings = np.arange(lowest, highest)
    mean_power = [power[(frequency >= ring - 0.5) & (frequency < ring + 0.5)].mean() for ring in rings]
    return -np.polyfit(np.log(rings), np.log(mean_power), 1)[0]


def deepest_patch(breast: np.ndarray, size: int) -> tuple[slice, slice]:
    """Where a square of this size lies farthest inside the breast."""
    share = cv2.boxFilter(
        breast.astype(np.float32), -1, (size, size), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
    )
    inside = share[: breast.shape[0] - size + 1, : breast.shape[1] - size + 1]
    row, column = np.unravel_index(np.argmax(inside), inside.shape)
    return slice(row, row + size), slice(column, column + size)


@pytest.mark.parametrize("exponent", [2.5, 3.0, 3.5])
def test_texture_has_the_exponent_asked_for(exponent):
    fields = [draw_texture(np.random.default_rng(seed), 256, 256, exponent) for seed in range(8)]
    measured = np.mean([spectral_exponent(field[:128, :128]) for field in fields])
    assert measured == pytest.approx(exponent, abs=0.2)


def test_tissue_inside_the_breast_falls_like_mammograms():
    exponents = []
    for seed in range(12):
        phantom = draw_phantom(seed, 512, 512, lesions=0)
        exponents.append(spectral_exponent(phantom.image[deepest_patch(phantom.breast, 128)].astype(float)))
    # Burgess 1999 and Heine & Velthuizen 2002: about 3, from film to film between roughly 2 and 4.
    assert 2.7 < np.mean(exponents) < 3.3
    assert min(exponents) > 2.0
    assert max(exponents) < 4.0


def test_no_threshold_finds_the_masses():
    phantoms = [draw_phantom(seed, 256, 256, lesions=1) for seed in range(20)]
    with_mass = [phantom for phantom in phantoms if phantom.mask.any()]
    assert len(with_mass) >= 18
    images = np.stack([phantom.image for phantom in with_mass])
    masks = np.stack([phantom.mask for phantom in with_mass]).astype(bool)
    best = 0.0
    for threshold in range(40, 255, 4):
        found = images > threshold
        overlap = 2.0 * (found & masks).sum(axis=(1, 2))
        best = max(best, (overlap / (found.sum(axis=(1, 2)) + masks.sum(axis=(1, 2)))).mean())
    assert best < 0.4


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(32, 200),
    height=st.integers(32, 200),
    side=st.sampled_from(["L", "R", None]),
    view=st.sampled_from(["CC", "MLO", None]),
)
def test_any_size_is_whole(seed, width, height, side, view):
    phantom = draw_phantom(seed, width, height, side=side, view=view)
    for plane in (phantom.image, phantom.mask, phantom.breast, phantom.burned):
        assert plane.shape == (height, width)
        assert plane.dtype == np.uint8
    assert set(np.unique(phantom.mask)) <= {0, 1}
    assert not (phantom.mask & ~phantom.breast & 1).any(), "a mass lies in the air"
    assert not (phantom.burned & phantom.breast).any(), "text lies on the breast"
    assert phantom.mask.any() == bool(phantom.lesions)
    assert 0 < phantom.breast.mean() < 1


def test_same_seed_same_film_other_seed_other_film():
    one, again, other = (draw_phantom(seed, 96, 128) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.mask, again.mask)
    assert (one.image != other.image).any()


def test_no_mass_when_none_is_wanted():
    phantom = draw_phantom(3, 128, 128, lesions=0)
    assert not phantom.mask.any()
    assert phantom.lesions == ()


@pytest.mark.parametrize("side", ["L", "R"])
def test_chest_wall_is_at_the_edge_of_its_side(side):
    breast = draw_phantom(11, 128, 160, side=side).breast
    chest, air = (breast[:, 0], breast[:, -1]) if side == "L" else (breast[:, -1], breast[:, 0])
    assert chest.mean() > 0.4
    assert not air.any()


def test_muscle_brightens_the_upper_corner_of_mlo_only_when_shown():
    with_muscle = draw_phantom(4, 256, 256, side="L", view="MLO", lesions=0, labels=False, density="A")
    without = draw_phantom(
        4, 256, 256, side="L", view="MLO", lesions=0, labels=False, density="A", pectoral=False
    )
    corner = slice(5, 40), slice(3, 20)
    assert with_muscle.image[corner].mean() > without.image[corner].mean() + 25


def test_dense_breasts_are_brighter():
    brightness = [
        np.mean([draw_phantom(seed, 128, 128, lesions=0, density=letter).image.mean() for seed in range(6)])
        for letter in "ABCD"
    ]
    assert brightness == sorted(brightness)


def test_labels_are_burned_in_and_can_be_left_out():
    labelled, bare = draw_phantom(2, 256, 256), draw_phantom(2, 256, 256, labels=False)
    assert labelled.burned.any()
    assert labelled.image[labelled.burned > 0].max() > 150
    assert not bare.burned.any()
    np.testing.assert_array_equal(labelled.mask, bare.mask)
    assert bare.image[bare.breast == 0].max() < 20


def test_area_of_a_round_mass_is_that_of_its_circle():
    mass = Mass(x=50.0, y=50.0, radius=20.0, margin="smooth", contrast=0.3, seed=1)
    _, brightness, area = render_mass(mass, 100, 100)
    # The waves of the outline average out: the area stays within a few percent of pi r^2.
    assert area.sum() == pytest.approx(np.pi * 400, rel=0.06)
    assert brightness[area > 0].mean() > 4 * brightness[area == 0].mean()


def test_films_of_one_person_share_density():
    views = [draw_phantom(seed, 64, 64, patient=9, view=view) for seed, view in ((1, "CC"), (2, "MLO"))]
    assert views[0].density == views[1].density
    assert (views[0].breast != views[1].breast).any()


def test_too_small_is_refused():
    with pytest.raises(ShapeError, match=r"at least 32 x 32 pixels, found 16 x 64"):
        draw_phantom(1, 16, 64)


def test_drawing_is_fast():
    draw_phantom(0)
    times = []
    for seed in range(4):
        start = time.process_time()
        draw_phantom(seed, 512, 512)
        times.append(time.process_time() - start)
    assert min(times) < 0.15
