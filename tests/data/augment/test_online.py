import numpy as np
import pytest

from flexunet.config.augment_sections import OperationSections
from flexunet.config.schema import Config
from flexunet.data.augment.online import online_augment
from flexunet.data.augment.operations import planned


def batch(count=40, size=32, dtype=np.uint8):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3)).astype(dtype)
    return images, (images[..., 0] > 128).astype(np.uint8)


def everything(**sections):
    names = OperationSections.model_fields
    return Config.model_validate({"augmentor": dict.fromkeys(names, True) | {"shears": [0.2]}, **sections})


def test_the_generator_alone_decides():
    images, masks = batch()
    augment = online_augment(everything())
    first = augment(images, masks, np.random.default_rng(5))
    again = online_augment(everything())(images, masks, np.random.default_rng(5))
    other = augment(images, masks, np.random.default_rng(6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shapes_types_and_inputs_stay(dtype):
    images, masks = batch(dtype=dtype)
    images.flags.writeable = masks.flags.writeable = False
    changed, changed_masks = online_augment(everything())(images, masks, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert (changed_masks.shape, changed_masks.dtype) == (masks.shape, masks.dtype)
    assert set(np.unique(changed_masks)) <= {0, 1}


def test_each_image_is_itself_or_one_of_its_copies():
    images, masks = batch(60)
    config = Config()
    copies = planned(config)
    changed, changed_masks = online_augment(config)(images, masks, np.random.default_rng(2))
    seen = set()
    for image, mask, new, new_mask in zip(images, masks, changed, changed_masks, strict=True):
        candidates = {"original": (image, mask)}
        for step in copies:
            change = step.change(*mask.shape)
            candidates[step.operation.name] = change.image(image), change.mask(mask)
            if step.operation.name == "rotation":
                candidates[step.prefix] = candidates.pop("rotation")
        same = [n for n, (i, m) in candidates.items() if (i == new).all() and (m == new_mask).all()]
        assert same
        seen.add(same[0])
    # Published defaults: two flips, three right angles, one shrink; and the image as it is.
    assert len(seen) == 7


def test_operations_are_equally_likely():
    images, masks = batch(600, size=8)
    config = Config.model_validate({"augmentor": {"shrinks": [], "rotation": False}})
    changed, _ = online_augment(config)(images, masks, np.random.default_rng(3))
    as_it_was = (changed == images).all(axis=(1, 2, 3)).mean()
    assert as_it_was == pytest.approx(1 / 3, abs=0.06)


def test_nothing_switched_on_changes_nothing():
    images, masks = batch(8)
    off = {"hflip": False, "vflip": False, "rotation": False, "shrinks": []}
    for config in (
        Config.model_validate({"augmentor": off}),
        Config.model_validate({"generator": {"augmentation": False}}),
    ):
        changed, changed_masks = online_augment(config)(images, masks, np.random.default_rng(0))
        np.testing.assert_array_equal(changed, images)
        np.testing.assert_array_equal(changed_masks, masks)


def test_deformation_is_drawn_anew_for_each_image():
    image, mask = batch(1, size=64)
    images, masks = np.repeat(image, 8, 0), np.repeat(mask, 8, 0)
    off = {"hflip": False, "vflip": False, "rotation": False, "shrinks": [], "deformation": True}
    changed, _ = online_augment(Config.model_validate({"augmentor": off}))(
        images, masks, np.random.default_rng(0)
    )
    different = {image.tobytes() for image in changed} - {images[0].tobytes()}
    moved = sum((image != images[0]).any() for image in changed)
    assert moved > 1
    assert len(different) == moved
