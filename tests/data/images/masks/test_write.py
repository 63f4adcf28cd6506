import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import MaskError

BINARY = ColorMap.binary()
FOUR = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3})
SQUARES = np.zeros((40, 50), np.uint8)
SQUARES[5:15, 5:20], SQUARES[20:35, 10:25], SQUARES[8:30, 30:45] = 1, 2, 3
colors = st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=30)
@given(st.lists(colors, min_size=1, max_size=12, unique=True), st.data())
def test_colours_and_files_round_trip(tmp_path_factory, palette, data):
    color_map = ColorMap({color: index for index, color in enumerate(palette)})
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    mask = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, len(palette) - 1)))
    assert np.array_equal(color_map.encode(color_map.colors(mask)), mask)
    folder = tmp_path_factory.mktemp("round")
    write_mask(folder / "palette.png", mask, color_map)
    assert np.array_equal(read_mask(folder / "palette.png", color_map), mask)
    write_image(folder / "colour.tif", color_map.colors(mask))
    assert np.array_equal(read_mask(folder / "colour.tif", color_map), mask)
    np.savez_compressed(folder / "array.npz", mask=mask)
    assert np.array_equal(read_mask(folder / "array.npz", color_map), mask)


def test_a_palette_png_stores_class_indices(tmp_path):
    write_mask(tmp_path / "a.png", SQUARES, FOUR)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), SQUARES)
        assert np.array_equal(np.array(picture.convert("RGB")), FOUR.colors(SQUARES))


def test_writing_refuses_classes_without_colour_and_other_formats(tmp_path):
    with pytest.raises(MaskError, match="holds class 3"):
        write_mask(tmp_path / "a.png", SQUARES, BINARY)
    with pytest.raises(MaskError, match=r"must end in \.png"):
        write_mask(tmp_path / "a.jpg", SQUARES, FOUR)
    with pytest.raises(MaskError, match="found shape"):
        write_mask(tmp_path / "a.png", FOUR.colors(SQUARES), FOUR)
