import numpy as np
import pytest
from PIL import Image

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import MaskError

BINARY = ColorMap.binary()
DISC = np.hypot(*np.mgrid[-20:20, -20:20]) < 12


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


class TestReader:
    def test_one_reader_stands_for_map_threshold_and_tolerance(self, tmp_path):
        grey = np.array([[0, 50, 75, 255]], np.uint8)
        path = saved(tmp_path / "a.png", Image.fromarray(grey))
        assert MaskReader(BINARY, threshold=74).read(path).tolist() == [[0, 0, 1, 1]]
        with pytest.raises(MaskError, match="far from every colour"):
            MaskReader().read(path)
        assert MaskReader().lenient.read(path).tolist() == [[0, 0, 0, 1]]
        assert MaskReader(threshold=74).lenient == MaskReader(BINARY, threshold=74, tolerance=1)

    def test_a_mask_has_the_size_of_its_image(self, tmp_path):
        write_mask(tmp_path / "a.png", DISC, BINARY)
        assert MaskReader().read_like(tmp_path / "a.png", (40, 40, 3), "a.jpg").shape == (40, 40)
        text = r"mask .*a\.png has 40 x 40 pixels, its film a\.jpg has 50 x 40 \(width x height\)"
        with pytest.raises(MaskError, match=text):
            MaskReader().read_like(tmp_path / "a.png", (40, 50), "a.jpg", "film")
