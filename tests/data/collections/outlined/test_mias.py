"""MIAS at 50 micron: circles of the small pictures on the large films."""

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, NORMAL
from flexunet.data.collections.drawing import draw_mask


def test_circles_lie_where_they_do_on_the_small_pictures(make, tmp_path):
    """A film of 400 x 440 pixels became 100 x 110, whose middle is that of 1024 x 1024."""
    film = make.breast(440, 400, side="R")
    make.picture(tmp_path / "mdb001ll.png", film)
    make.picture(tmp_path / "mdb002rl.png", film)
    (tmp_path / "Info.txt").write_text("mdb001 G CIRC B 530 522 5\nmdb002 F NORM\n")
    collection, contents = make.read(tmp_path)
    films = make.by_name(contents)
    assert (films["mdb001"].annotation.state, films["mdb002"].annotation.state) == (ANNOTATED, NORMAL)
    assert films["mdb001"].annotation.columns["dataset"] == "mias"
    assert "side" not in films["mdb001"].annotation.columns
    assert films["mdb001"].spacing_mm == 0.05
    # Row 1024 - 522 = 502 of the small picture: 18.5 to the right of its middle, 9.5 above.
    rows, columns = np.mgrid[:440, :400] + 0.5
    expected = np.hypot(columns - (200 + 4 * 18.5), rows - (220 - 4 * 9.5)) <= 20
    assert np.array_equal(draw_mask(films["mdb001"], collection, 400, 440) > 0, expected)
