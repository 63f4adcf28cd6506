import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.config.checks import advice, check_config
from flexunet.config.schema import Config
from flexunet.data.augment.grey_changes import GREY_CHANGES, Grey
from flexunet.data.augment.random_transform import draw_change, random_transform
from flexunet.data.augment.warps import Displace
from flexunet.errors import ConfigError

SHAPES = ("rotation", "scale", "shear", "shift", "elastic")
NAMES = (*SHAPES, *GREY_CHANGES, "lesion_paste", "cutmix")
NEVER = {f"{name}_probability": 0.0 for name in NAMES} | {"flip": "never"}


def only(**keys):
    """Nothing but what is named, and that always."""
    always = {f"{key}_probability": 1.0 for key in keys if key in NAMES}
    return RandomTransformSection(**NEVER | always | keys)


def change_of(section, height, width, seed=0):
    return draw_change(section, height, width, np.random.default_rng(seed))


def blob(size=101):
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, (60, 40), (25, 12), 20, 0, 360, 1, -1)
    cv2.circle(mask, (35, 70), 9, 2, -1)
    return mask


def test_every_change_has_a_range_and_a_probability():
    keys = set(RandomTransformSection.model_fields)
    assert keys == {"enabled", "flip", "fill", "elastic_spans"} | {
        key for name in NAMES for key in (name, f"{name}_probability")
    }


def test_nothing_drawn_changes_nothing():
    image = np.arange(48, dtype=np.float32).reshape(1, 6, 8, 1)
    mask = np.arange(48, dtype=np.uint8).reshape(1, 6, 8)
    changed, changed_mask = random_transform(only())(image, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(changed, image)
    np.testing.assert_array_equal(changed_mask, mask)
    changed[:] = 0
    assert image.any()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(["black", "nearest", "mirror"]))
def test_image_and_mask_move_together(seed, fill):
    shapes = {f"{name}_probability": 0.7 for name in SHAPES}
    change = change_of(
        RandomTransformSection(**NEVER | shapes | {"flip": "both", "fill": fill}), 101, 101, seed
    )
    mask = blob()
    lesion = (mask == 1).astype(np.float32)[..., np.newaxis] * 255
    moved = change.mask(mask) == 1
    seen = change.image(lesion)[..., 0] >= 128
    assert set(np.unique(change.mask(mask))) <= {0, 1, 2}
    if moved.sum() > 50:
        assert 2 * (moved & seen).sum() / (moved.sum() + seen.sum()) > 0.93


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_changes_of_shape_are_one_interpolation(seed):
    shapes = {f"{name}_probability": 1.0 for name in SHAPES}
    change = change_of(RandomTransformSection(**NEVER | shapes | {"flip": "both"}), 40, 60, seed)
    assert [type(each) for each in change.changes] == [Displace]


@pytest.mark.parametrize(("height", "width"), [(7, 7), (6, 9), (8, 8)])
def test_a_mirrored_image_is_the_image_mirrored(height, width):
    image = np.random.default_rng(0).integers(0, 256, (64, height, width, 1)).astype(np.uint8)
    mask = image[..., 0] % 3
    for flip, allowed in (
        ("never", {()}),
        ("horizontal", {(), (1,)}),
        ("both", {(), (0,), (1,), (0, 1)}),
    ):
        changed, masks = random_transform(only(flip=flip))(image, mask, np.random.default_rng(1))
        seen = set()
        for before, after, mask_before, mask_after in zip(image, changed, mask, masks, strict=True):
            axes = [axes for axes in allowed if (np.flip(before, axes) == after).all()]
            assert axes
            np.testing.assert_array_equal(np.flip(mask_before, axes[0]), mask_after)
            seen.add(axes[0])
        assert seen == allowed


def test_a_quarter_turn_is_counter_clockwise_about_the_middle():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 1)).astype(np.float32)
    change = change_of(only(rotation=(90, 90)), 9, 9)
    np.testing.assert_allclose(change.image(image), np.rot90(image), atol=0.5)


def test_scale_and_shift_worked_by_hand():
    image = np.zeros((9, 9, 1), np.float32)
    image[4, 6] = 255  # two to the right of the middle
    doubled = change_of(only(scale=(2, 2)), 9, 9).image(image)
    assert np.unravel_index(doubled.argmax(), (9, 9)) == (4, 8)
    moved = change_of(only(shift=(-1 / 3, -1 / 3)), 9, 9).image(image)
    assert np.unravel_index(moved.argmax(), (9, 9)) == (1, 3)


def test_a_shear_moves_columns_down_by_their_distance_from_the_middle():
    image = np.zeros((9, 9, 1), np.float32)
    image[4, 8] = 255  # four to the right
    sheared = change_of(only(shear=(0.5, 0.5)), 9, 9).image(image)
    assert np.unravel_index(sheared.argmax(), (9, 9)) == (6, 8)


def test_an_elastic_field_does_not_fold_and_has_the_strength_that_is_asked_for():
    section = only(elastic=(0.01, 0.01))
    shifts = []
    for seed in range(30):
        (displaced,) = change_of(section, 100, 200, seed).changes
        map_x, map_y = displaced.field
        assert (np.diff(map_x, axis=1) > 0).all()
        assert (np.diff(map_y, axis=0) > 0).all()
        shifts.append(map_x - np.arange(200))
    assert 0.5 < np.std(shifts) / 2 < 1.1  # 0.01 of 200 at the control points, less between them


def test_fill_beyond_the_border():
    image, mask = np.full((8, 8, 1), 90, np.float32), np.full((8, 8), 3, np.uint8)
    for fill, grey, index in (("black", 0, 0), ("nearest", 90, 3), ("mirror", 90, 3)):
        change = change_of(only(shift=(0.5, 0.5), fill=fill), 8, 8)
        assert change.image(image)[0, 0, 0] == grey
        assert change.mask(mask)[0, 0] == index


@pytest.mark.parametrize("name", GREY_CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_changes_keep_shape_range_mask_and_input(name, channels):
    image = np.random.default_rng(0).uniform(0, 255, (30, 20, channels)).astype(np.float32)
    before, mask = image.copy(), np.ones((30, 20), np.uint8)
    (grey,) = change_of(only(**{name: (0.6, 0.6)}), 30, 20).changes
    assert [drawn for drawn, _ in grey.drawn] == [name]
    changed = grey.image(image)
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert (changed != image).any()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(grey.mask(mask), mask)


def test_grey_changes_worked_by_hand():
    image = np.array([[[0], [64], [128], [255]]], np.float32)
    value = lambda name, strength: Grey([(name, strength)], 0).image(image)[0, :, 0]  # noqa: E731
    np.testing.assert_allclose(value("brightness", 1.5), [0, 96, 192, 255])
    np.testing.assert_allclose(value("gamma", 2), [0, 64**2 / 255, 128**2 / 255, 255], rtol=1e-5)
    np.testing.assert_allclose(
        value("inverted_gamma", 2), [0, 255 - 191**2 / 255, 255 - 127**2 / 255, 255], rtol=1e-5, atol=1e-4
    )
    mean = (64 + 128 + 255) / 4
    np.testing.assert_allclose(value("contrast", 0.5), image[0, :, 0] / 2 + mean / 2)
    np.testing.assert_allclose(value("contrast", 2)[[0, 3]], [0, 255])


def test_noise_has_the_strength_that_is_asked_for_and_is_the_same_in_all_channels():
    image = np.repeat(np.random.default_rng(0).normal(128, 20, (200, 200, 1)), 3, axis=2).astype(np.float32)
    noise = Grey([("noise", 0.25)], 3).image(image) - image
    assert noise.std() == pytest.approx(5, rel=0.03)
    np.testing.assert_allclose(noise[..., 0], noise[..., 2])


def test_each_change_has_its_probability():
    section = RandomTransformSection(**NEVER | {"gamma_probability": 0.3, "noise_probability": 0.1})
    drawn = [
        {name for change in change_of(section, 8, 8, seed).changes for name, _ in change.drawn}
        for seed in range(2000)
    ]
    assert sum("gamma" in names for names in drawn) == pytest.approx(600, abs=80)
    assert sum("noise" in names for names in drawn) == pytest.approx(200, abs=60)
    assert sum({"gamma", "noise"} <= names for names in drawn) == pytest.approx(60, abs=30)


def test_the_generator_alone_decides_and_images_do_not_depend_on_each_other():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 65536, (6, 32, 24, 3)).astype(np.uint16)
    masks = rng.integers(0, 4, (6, 32, 24)).astype(np.uint8)
    images.flags.writeable = masks.flags.writeable = False
    augment = random_transform(RandomTransformSection(rotation_probability=1))
    first, again = (augment(images, masks, np.random.default_rng(5)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != augment(images, masks, np.random.default_rng(6))[0]).any()
    others = images.copy()
    others[3:] = 0
    np.testing.assert_array_equal(augment(others, masks, np.random.default_rng(5))[0][:3], first[0][:3])
    assert first[0].dtype == np.float32
    assert first[0].max() <= 255


def test_a_range_that_runs_backwards_or_beyond_is_refused():
    for keys in (
        {"rotation": (15, -15)},
        {"scale": (0.0, 1.0)},
        {"low_resolution": (0.5, 1.5)},
        {"blur": (-1.0, 1.0)},
        {"gamma_probability": 1.5},
    ):
        with pytest.raises(ValidationError):
            RandomTransformSection(**keys)


def test_both_kinds_of_augmentation_at_once_are_refused():
    config = Config.model_validate({"model": {"generator": True}, "random_transform": {"enabled": True}})
    with pytest.raises(ConfigError, match="generator = false"):
        check_config(config)


def test_a_section_that_is_set_and_not_switched_on_is_noted():
    config = Config.model_validate({"random_transform": {"gamma": [0.5, 2.0]}})
    assert any("enabled = false" in note for note in advice(config))
    assert not any("random_transform" in note for note in advice(Config()))
