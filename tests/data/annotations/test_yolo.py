"""Annotations of YOLO: shares of a film whose size the file does not know."""

import re

import numpy as np
import pytest

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN
from flexunet.data.derive.film_masks import EXCLUDED, LABELLED, AnnotatedMasks, RawFilm

POLYGON = "1 0.25 0.5 0.75 0.5 0.75 1.0 0.25 1.0\n"
BOX = "0 0.5 0.25 0.5 0.5\n"


@pytest.fixture
def labels(tmp_path):
    for name, text in {"polygon": POLYGON, "box": BOX, "both": POLYGON + BOX, "normal": "\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "classes.txt").write_text("mass\ncalcification\n")
    return tmp_path


def test_polygons_are_shares_of_the_film(labels):
    films = read_annotations(labels)
    assert {name: film.state for name, film in films.items()} == {
        "polygon": ANNOTATED,
        "box": UNKNOWN,
        "both": UNKNOWN,
        "normal": NORMAL,
    }
    expected = np.zeros((20, 8), np.uint8)
    expected[10:, 2:6] = 1
    np.testing.assert_array_equal(films["polygon"].rasterise(8, 20), expected)
    assert films["polygon"].rasterise(80, 40).sum() == 40 * 20
    assert [shape.label for shape in films["polygon"].shapes] == ["calcification"]
    assert not films["normal"].rasterise(8, 20).any()


def test_boxes_are_filled_only_if_asked_for_and_told_from_outlines(labels):
    film = RawFilm(labels / "both.png", "both.png", "both")
    answer = AnnotatedMasks(read_annotations(labels)).mask_of(film, 8, 20)
    assert (answer.state, "--weak-masks" in answer.reason) == (EXCLUDED, True)
    answer = AnnotatedMasks(read_annotations(labels, fill_boxes=True)).mask_of(film, 8, 20)
    assert (answer.state, answer.origin) == (LABELLED, "box+outline")
    assert answer.mask[:10, 2:6].all()
    assert answer.mask.sum() == 80


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.5 0.5 0.5 0.5 0.9\n", "line 1: expected a class with a box"),
        ("7 0.1 0.1 0.2 0.1 0.2 0.2\n", "line 1: there is no class 7"),
        ("0 10 20 200 20 200 100\n", "line 1: expected shares .* found 10"),
        ("0.5 0.5 0.5 0.5 0.5\n", "number of a class"),
    ],
)
def test_a_damaged_line_is_one_film_s_fault(labels, text, message):
    (labels / "bad.txt").write_text(text)
    films = read_annotations(labels)
    assert films["bad"].state == BROKEN
    assert re.search(message, films["bad"].reason)
    assert films["polygon"].state == ANNOTATED


def test_classes_without_names_are_their_numbers(tmp_path):
    (tmp_path / "a.txt").write_text(POLYGON)
    film = read_annotations(tmp_path / "a.txt")["a"]
    assert film.rasterise(8, 20, {"1": 3}).max() == 3
