"""Annotations of Label Studio, with its packed run lengths."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flexunet.data.annotations.label_studio import unpack_runs
from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNMARKED
from flexunet.errors import MaskError


def packed(values, lengths=(3, 4, 8, 16), repeat=True):
    """Values of 8 bits as run lengths, each run by the shortest length that holds it."""
    bits = f"{len(values):032b}" + f"{7:05b}" + "".join(f"{length - 1:04b}" for length in lengths)
    position = 0
    while position < len(values):
        end = position + 1
        while (
            end < len(values) and (not repeat or values[end] == values[position]) and end - position < 1 << 16
        ):
            end += 1
        count = end - position
        which = next(i for i, length in enumerate(lengths) if count - 1 < 1 << length)
        run = values[position : position + 1] if repeat else values[position:end]
        bits += f"{int(repeat)}{which:02b}{count - 1:0{lengths[which]}b}"
        bits += "".join(f"{value:08b}" for value in run)
        position = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


@settings(deadline=None)
@given(arrays(np.uint8, st.integers(1, 200), elements=st.sampled_from([0, 1, 255])), st.booleans())
def test_run_lengths_unpack_to_what_was_packed(values, repeat):
    content = np.array(packed(values.tolist(), repeat=repeat), np.uint8)
    assert np.array_equal(unpack_runs(content, len(values), "a"), values)


def region(kind, value, label="mass", **more):
    value = {**value, kind: [label]}
    return {
        "type": kind,
        "original_width": 40,
        "original_height": 20,
        "image_rotation": 0,
        "value": value,
        **more,
    }


def task(name, *results, **more):
    annotations = [{"result": list(result), **more} for result in results]
    return {"id": 1, "data": {"image": f"/data/upload/1/0a1b2c3d-{name}"}, "annotations": annotations}


def written(tmp_path, *tasks):
    (tmp_path / "export.json").write_text(json.dumps(list(tasks)))
    return read_annotations(tmp_path / "export.json")


def test_every_region_is_drawn_in_percent_of_the_film(tmp_path):
    painted = np.zeros((20, 40, 4), np.uint8)
    painted[5:8, 10:30] = [9, 9, 9, 255]
    brush = {"format": "rle", "rle": packed(painted.ravel().tolist())}
    turned = {"x": 50, "y": 50, "width": 10, "height": 10, "rotation": 90}
    films = written(
        tmp_path,
        task("brush.png", [region("brushlabels", brush)]),
        task("polygon.png", [region("polygonlabels", {"points": [[10, 10], [20, 10], [20, 30], [10, 30]]})]),
        task("box.png", [region("rectanglelabels", {"x": 25, "y": 50, "width": 25, "height": 50})]),
        task("turned.png", [region("rectanglelabels", turned)]),
        task("ellipse.png", [region("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 40})]),
        task(
            "point.png",
            [region("keypointlabels", {"x": 25, "y": 50, "width": 1}), {"type": "choices", "value": {}}],
        ),
    )
    expected = {name: np.zeros((20, 40), np.uint8) for name in films}
    expected["brush"][5:8, 10:30] = 1
    expected["polygon"][2:6, 4:8] = 1
    expected["box"][10:, 10:20] = 1
    expected["turned"][10:14, 18:20] = 1  # about its upper left corner (20, 10)
    rows, columns = np.mgrid[:20, :40] + 0.5
    expected["ellipse"][((columns - 20) / 4) ** 2 + ((rows - 10) / 8) ** 2 <= 1] = 1
    expected["point"][10, 10] = 1
    for name, film in films.items():
        assert film.state == ANNOTATED, film.reason
        np.testing.assert_array_equal(film.rasterise(40, 20), expected[name], err_msg=name)
    assert films["brush"].rasterise(40, 20, {"mass": 2}).max() == 2


def test_whose_word_counts(tmp_path):
    square = region("rectanglelabels", {"x": 0, "y": 0, "width": 10, "height": 10})
    chosen = task("chosen.png", [square], [square, square])
    chosen["annotations"][1]["ground_truth"] = True
    films = written(
        tmp_path,
        task("nobody.png"),
        task("skipped.png", [square], was_cancelled=True),
        task("normal.png", []),
        task("two.png", [square], []),
        chosen,
    )
    states = {name: film.state for name, film in films.items()}
    unmarked = {"nobody": UNMARKED, "skipped": UNMARKED}
    assert states == {**unmarked, "normal": NORMAL, "two": BROKEN, "chosen": ANNOTATED}
    assert len(films["chosen"].shapes) == 2
    assert "2 annotations" in films["two"].reason


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (region("brushlabels", {"format": "rle", "rle": [0, 0, 0, 1]}), "break off"),
        (region("brushlabels", {"format": "rle", "rle": [0, 0, 0, 1, 255, 255, 255, 255]}), "make 1 values"),
        (region("brushlabels", {"format": "rle", "rle": [700]}), "bytes from 0 to 255"),
        (region("videorectangle", {}), "no region that is read"),
        (region("polygonlabels", {"points": [[1, 2]]}), "at least three points"),
        (region("rectanglelabels", {"x": "a"}), "expected a number as 'x'"),
        (region("rectanglelabels", {}, original_width=None), "original_width"),
        (region("rectanglelabels", {}, image_rotation=90), "turned"),
        ("text", "expected a region"),
    ],
)
def test_a_damaged_region_breaks_its_film_alone(tmp_path, wrong, message):
    films = written(tmp_path, task("bad.png", [wrong]), task("fine.png", []))
    assert (films["bad"].state, films["fine"].state) == (BROKEN, NORMAL)
    assert message in films["bad"].reason


def test_two_tasks_of_one_film_are_an_error(tmp_path):
    with pytest.raises(MaskError, match="second of the film 'a'"):
        written(tmp_path, task("a.png", []), task("a.png", []))
