"""Component-wise Dice: by hand, and against the distance transform of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from flexunet.data.images.regions import find_regions
from flexunet.evaluation.scores.cells import component_dice

masks = arrays(np.uint8, (9, 11), elements=st.integers(0, 1))


def by_distance_transform(lesions, predicted):
    """Dice of each lesion among the pixels that no other lesion is nearer to."""
    found = []
    distances = [ndimage.distance_transform_edt(lesions.labels != k + 1) for k in range(len(lesions))]
    for place, own in enumerate(distances):
        cell = np.all([own <= other + 1e-9 for other in distances], axis=0)
        truth = lesions.labels == place + 1
        marked = predicted & cell
        found.append(2 * np.count_nonzero(truth & marked) / (truth.sum() + marked.sum()))
    return np.array(found)


def test_a_missed_lesion_costs_its_own_cell_alone():
    # Two lesions of 4 x 2 pixels, 6 columns apart. The left one is found in full; 4 false pixels lie right.
    truth = np.zeros((4, 12), np.uint8)
    truth[:, 0:2] = truth[:, 10:12] = 1
    predicted = np.zeros_like(truth, bool)
    predicted[:, 0:2] = True
    predicted[:, 9] = True
    assert component_dice(find_regions(truth), predicted) == pytest.approx([1.0, 0.0])
    # The false column belongs to the left cell when it lies beside it: 2 * 8 / (8 + 8 + 4).
    predicted[:, 9] = False
    predicted[:, 2] = True
    assert component_dice(find_regions(truth), predicted) == pytest.approx([0.8, 0.0])


def test_a_pixel_between_two_lesions_lies_in_both_cells():
    truth = np.array([[1, 0, 1]], np.uint8)
    assert component_dice(find_regions(truth), np.ones((1, 3), bool)) == pytest.approx([2 / 3, 2 / 3])


def test_one_lesion_has_the_whole_image():
    truth, predicted = np.zeros((5, 5), np.uint8), np.zeros((5, 5), bool)
    truth[0, 0] = 1
    predicted[0, 0] = predicted[4, 4] = True
    assert component_dice(find_regions(truth), predicted) == pytest.approx([2 / 3])
    assert len(component_dice(find_regions(np.zeros_like(truth)), predicted)) == 0


@settings(max_examples=150, deadline=None)
@given(truth=masks, prediction=masks)
def test_cells_are_those_of_the_distance_transform(truth, prediction):
    lesions, predicted = find_regions(truth), prediction > 0
    dice = component_dice(lesions, predicted)
    np.testing.assert_allclose(dice, by_distance_transform(lesions, predicted))
    mirrored = component_dice(find_regions(truth[:, ::-1].copy()), predicted[:, ::-1])
    np.testing.assert_allclose(np.sort(mirrored), np.sort(dice))
