"""Smaller masks: no new class, no lesion lost."""

import numpy as np

from flexunet.data.images.shrink import shrink_mask


def test_shrunk_mask_takes_the_class_with_most_area():
    mask = np.zeros((4, 4), np.uint8)
    mask[:2, :2] = [[1, 1], [1, 0]]
    mask[2:, 2:] = [[2, 2], [0, 0]]
    # Lower right: half and half, so the lower class wins; but 2 must not vanish.
    np.testing.assert_array_equal(shrink_mask(mask, 2, 2), [[1, 0], [0, 2]])


def test_tiny_lesions_survive():
    mask = np.zeros((400, 400), np.uint8)
    mask[50, 50] = mask[300:302, 120] = 1
    small = shrink_mask(mask, 40, 40)
    assert small.sum() == 2
    assert small[5, 5] == small[30, 12] == 1
