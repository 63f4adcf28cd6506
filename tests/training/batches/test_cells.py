"""Cells of connected components: worked by hand, and by the distance to each component."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from flexunet.training.batches.cells import MOST_CELLS, cells_of


def test_the_middle_between_two_lesions_divides_them():
    mask = np.zeros((1, 3, 9), np.uint8)
    mask[0, 1, 1] = mask[0, 1, 7] = 1
    cells = cells_of(mask, 2)[0, ..., 0]
    left, right = cells[1, 1], cells[1, 7]
    assert {left, right} == {1, 2}
    assert (cells[:, :4] == left).all()
    assert (cells[:, 5:] == right).all()


def test_an_absent_class_is_one_cell_and_corners_touch():
    mask = np.zeros((1, 4, 4), np.uint8)
    mask[0, 0, 0] = mask[0, 1, 1] = 2
    cells = cells_of(mask, 3)
    assert cells.shape == (1, 4, 4, 2)
    assert (cells == 1).all()


def test_of_many_components_the_largest_have_cells():
    mask = np.zeros((1, 20, 40), np.uint8)
    mask[0, ::2, ::2] = 1  # 200 single pixels
    mask[0, 4:8, 4:8] = 1
    cells = cells_of(mask, 1)
    assert cells.max() <= MOST_CELLS
    assert cells.min() >= 1


@given(seed=st.integers(0, 2**32 - 1))
def test_a_pixel_lies_in_the_cell_of_a_nearest_component(seed):
    random = np.random.default_rng(seed)
    mask = np.zeros((1, 24, 30), np.uint8)
    for _ in range(random.integers(1, 5)):
        y, x = random.integers(0, 20), random.integers(0, 26)
        mask[0, y : y + 3, x : x + 3] = 1
    cells = cells_of(mask, 2)[0, ..., 0]
    numbered, count = ndimage.label(mask[0], np.ones((3, 3)))
    distances = np.stack([ndimage.distance_transform_edt(numbered != k) for k in range(1, count + 1)])
    # Each component has one cell of its own, which holds it whole.
    owners = [np.unique(cells[numbered == k]) for k in range(1, count + 1)]
    assert all(len(each) == 1 for each in owners)
    assert len({float(each[0]) for each in owners}) == count
    own = {float(each[0]): k for k, each in enumerate(owners)}
    mine = np.vectorize(own.get)(cells)
    taken = np.take_along_axis(distances, mine[None], axis=0)[0]
    # The transform measures along a 5 x 5 mask, at most 2 % and a step beside the true distance.
    assert (taken <= distances.min(axis=0) * 1.05 + 0.5).all()
