import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flexunet.data.images.masks.indices import foreground_classes, resize_mask


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 5)),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_resizing_invents_no_class(mask, width, height):
    resized = resize_mask(mask, width, height)
    assert resized.shape == (height, width)
    assert set(np.unique(resized)) <= set(np.unique(mask))


def test_resizing_takes_the_pixel_under_each_centre():
    mask = np.array([[1, 2], [3, 4]], np.uint8)
    assert resize_mask(mask, 4, 2).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert resize_mask(np.arange(9, dtype=np.uint8).reshape(3, 3), 1, 1).tolist() == [[4]]
    assert resize_mask(mask, 2, 2) is mask


def test_foreground_classes():
    assert foreground_classes(np.array([[0, 3], [255, 3]], np.uint8)) == [3, 255]
    assert foreground_classes(np.zeros((2, 2), np.uint8)) == []
