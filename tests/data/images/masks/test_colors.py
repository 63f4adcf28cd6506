import numpy as np
import pytest
from PIL import Image

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import MaskError


class TestHue:
    """The map of the published MIAS project says (0, 255, 0); its masks hold (0, 128, 0)."""

    COLORS = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2})

    def write(self, path, *colors):
        picture = np.zeros((64, 64, 3), np.uint8)
        for number, color in enumerate(colors):
            picture[10:30, 20 * number : 20 * number + 12] = color
        options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
        Image.fromarray(picture).save(path, **options)
        return path

    def test_darker_colours_of_an_entrys_hue_stand_for_it(self, tmp_path):
        path = self.write(tmp_path / "a.png", (0, 128, 0), (128, 10, 0))
        assert np.bincount(read_mask(path, self.COLORS).ravel()).tolist() == [3616, 240, 240]
        note = MaskReader(self.COLORS).note_on([path])
        assert "(0, 128, 0) for (0, 255, 0), class 1; (128, 10, 0) for (255, 0, 0), class 2" in note

    def test_jpeg_keeps_the_area(self, tmp_path):
        path = self.write(tmp_path / "a.jpg", (0, 128, 0))
        assert np.count_nonzero(read_mask(path, self.COLORS) == 1) == pytest.approx(240, rel=0.25)

    def test_exact_colours_need_no_note(self, tmp_path):
        assert MaskReader(self.COLORS).note_on([self.write(tmp_path / "a.png", (0, 255, 0))]) == ""

    @pytest.mark.parametrize(
        "colors",
        [
            [(128, 128, 0)],  # between green and red
            [(0, 0, 200)],  # another hue
            [(120, 120, 120)],  # none
            [(0, 255, 0), (0, 128, 0)],  # two shades in one mask are two classes
            [(0, 128, 0), (0, 190, 0)],
        ],
    )
    def test_everything_else_stays_refused(self, tmp_path, colors):
        with pytest.raises(MaskError, match="far from every colour"):
            read_mask(self.write(tmp_path / "a.png", *colors), self.COLORS)

    def test_two_classes_of_one_hue_are_not_told_apart_by_it(self, tmp_path):
        colors = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (120, 255, 120): 2})
        with pytest.raises(MaskError, match="far from every colour"):
            read_mask(self.write(tmp_path / "a.png", (0, 150, 0)), colors)
