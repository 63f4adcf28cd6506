"""Masks of the size of an image go back to where the image lies on its film."""

import numpy as np
import pytest

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.derive.back_to_film import read_film_mask
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import MaskError

READER = MaskReader(ColorMap.binary())
SIZES = {"raw_width": 80, "raw_height": 120, "image_width": 20, "image_height": 30}


def read(folder, row, mask):
    manifest = Manifest()
    manifest.append({"file": "images/a.png", "mask": "masks/a.png", **row})
    manifest.write(folder)
    (folder / "masks").mkdir(exist_ok=True)
    write_mask(folder / "masks" / "a.png", mask, ColorMap.binary())
    return read_film_mask(READER, folder / "masks" / "a.png", (120, 80), folder / "a.dcm")


def test_a_crop_and_a_scale_are_undone(tmp_path):
    drawn = np.zeros((30, 20), np.uint8)
    drawn[3:6, 2:4] = 1
    film = read(tmp_path, SIZES, drawn)
    expected = np.zeros((120, 80), np.uint8)
    expected[12:24, 8:16] = 1
    np.testing.assert_array_equal(film, expected)
    box = {"crop_x": 40, "crop_y": 20, "crop_width": 40, "crop_height": 60, "mirrored": 1}
    film = read(tmp_path, SIZES | box, drawn)  # the manifest has changed since, and is read again
    expected = np.zeros((120, 80), np.uint8)
    expected[26:32, 40 + 32 : 40 + 36] = 1
    np.testing.assert_array_equal(film, expected)


@pytest.mark.parametrize("row", [{}, SIZES | {"raw_width": 81}, SIZES | {"image_width": 21}])
def test_a_size_that_no_row_explains_is_refused(tmp_path, row):
    with pytest.raises(MaskError, match="20 x 30 pixels"):
        read(tmp_path, row, np.zeros((30, 20), np.uint8))
