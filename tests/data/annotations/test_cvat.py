"""Annotations of CVAT."""

import numpy as np
import pytest

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED
from flexunet.errors import MaskError


def written(path, *images):
    path.write_text(
        f'<?xml version="1.0"?>\n<annotations><version>1.1</version>{"".join(images)}</annotations>'
    )
    return path


def image(name, *shapes, size='width="40" height="30"'):
    return f'<image id="0" name="{name}" {size}>{"".join(shapes)}</image>'


SQUARE = '<polygon label="mass" source="manual" points="1.0,2.0;5,2;5,6;1,6" z_order="0"/>'


def test_every_shape_is_drawn_where_it_lies(tmp_path):
    films = read_annotations(
        written(
            tmp_path / "annotations.xml",
            image("folder/polygon.png", SQUARE),
            image("box.png", '<box label="mass" xtl="3" ytl="4" xbr="8" ybr="6"/>'),
            image("turned.png", '<box label="mass" xtl="10" ytl="10" xbr="14" ybr="20" rotation="90"/>'),
            image("ellipse.png", '<ellipse label="m" cx="20" cy="15" rx="8" ry="3" rotation="90"/>'),
            image("points.png", '<points label="calcification" points="3.5,4.5;10,20"/>'),
            # Rows of 4: 1 free, 2 drawn, 1 free, then 4 drawn.
            image("mask.png", '<mask label="m" rle="1, 2, 1, 4" left="5" top="7" width="4" height="2"/>'),
        )
    )
    assert {film.state for film in films.values()} == {ANNOTATED}
    masks = {name: film.rasterise(40, 30) for name, film in films.items()}
    expected = {name: np.zeros((30, 40), np.uint8) for name in masks}
    expected["polygon"][2:6, 1:5] = 1
    expected["box"][4:6, 3:8] = 1
    expected["turned"][13:17, 7:17] = 1  # about its middle (12, 15)
    rows, columns = np.mgrid[:30, :40] + 0.5
    expected["ellipse"][((columns - 20) / 3) ** 2 + ((rows - 15) / 8) ** 2 <= 1] = 1
    expected["points"][[4, 20], [3, 10]] = 1
    expected["mask"][7, 6:8] = expected["mask"][8, 5:9] = 1
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, expected[name], err_msg=name)
    assert [shape.label for shape in films["points"].shapes] == ["calcification"] * 2


def test_what_nobody_said_is_not_normal(tmp_path):
    line = '<polyline label="spicule" points="1,1;9,9;9,1"/>'
    films = read_annotations(
        written(
            tmp_path / "annotations.xml",
            image("untouched.png"),
            image("normal.png", '<tag label="Normal" source="manual"/>'),
            image("both.png", SQUARE, '<tag label="normal"/>'),
            image("line.png", SQUARE, line),
            image("cuboid.png", '<cuboid label="m" xtl1="1"/>'),
            image("short.png", '<polygon label="m" points="1,2;3,4"/>'),
            image("words.png", '<box label="m" xtl="a" ytl="4" xbr="8" ybr="6"/>'),
            image(
                "huge.png",
                '<mask label="m" rle="0, 8" left="5" top="7" width="4" height="2"/>',
                size='width="900000" height="900000"',
            ),
            image("runs.png", '<mask label="m" rle="1, 20" left="5" top="7" width="4" height="2"/>'),
        )
    )
    states = {name: film.state for name, film in films.items()}
    broken = dict.fromkeys(("both", "cuboid", "short", "words", "runs", "huge"), BROKEN)
    assert states == {"untouched": UNMARKED, "normal": NORMAL, "line": UNKNOWN, **broken}
    assert "image 'short.png', polygon (m): a polygon needs at least three points" in films["short"].reason
    assert "sum to 21, expected 4 x 2 = 8" in films["runs"].reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<annotations><image name='a.png'", "not valid XML"),
        ("<annotations></annotations>", "lists no image"),
        ("<annotations><image name='a.png'/><image name='a.jpg'/></annotations>", "two images named 'a'"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><annotations>&a;</annotations>", "document type"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    (tmp_path / "bad.xml").write_text(content)
    with pytest.raises(MaskError, match=rf"bad\.xml.*{message}"):
        read_annotations(tmp_path / "bad.xml")
