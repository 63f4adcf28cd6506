"""Masks of public data sets: never an empty one for a film that nobody calls normal."""

import numpy as np
import pytest

from flexunet.data.annotations.shapes import (
    ANNOTATED,
    BROKEN,
    NORMAL,
    UNKNOWN,
    UNMARKED,
    Box,
    Circle,
    FilmAnnotation,
    Polygon,
)
from flexunet.data.collections.collection import Contents, Film
from flexunet.data.collections.download import Download
from flexunet.data.collections.outlined.inbreast import MUSCLE, ROW
from flexunet.data.derive.collection_masks import CollectionMasks, raw_films
from flexunet.data.derive.film_masks import ModelMasks, RawFilm
from flexunet.errors import DatasetError, MaskError

FILM = RawFilm(None, "a.png", "a")
SQUARE = Polygon(((2, 2), (6, 2), (6, 6), (2, 6)), "mass")


def answer(state, shapes=(), boxes=(), **options):
    film = Film(None, "a", FilmAnnotation(state, shapes, reason="so it is"), boxes=boxes)
    return CollectionMasks({"a.png": film}, ROW, **options).mask_of(FILM, 20, 20)


def test_what_becomes_of_each_state():
    normal = answer(NORMAL)
    assert (normal.state, normal.origin, normal.mask.any()) == ("labelled", "label", False)
    drawn = answer(ANNOTATED, (SQUARE,))
    assert (drawn.state, drawn.origin, np.count_nonzero(drawn.mask)) == ("labelled", "outline", 16)
    assert answer(ANNOTATED, (SQUARE, Circle(10, 10, 3, "cluster"))).origin == "circle+outline"
    unknown = answer(UNKNOWN)
    assert (unknown.state, unknown.mask) == ("excluded", None)
    assert "so it is" in unknown.reason
    assert answer(UNMARKED).state == "to_review"
    with pytest.raises(MaskError, match="so it is"):
        answer(BROKEN)


def test_a_model_drafts_what_nobody_marked_and_nothing_else():
    model = ModelMasks("a model", 0.5)
    assert (answer(UNMARKED, model=model).state, answer(UNMARKED, model=model).origin) == ("draft", "model")
    assert answer(UNKNOWN, model=model).state == "excluded"
    assert answer(NORMAL, model=model).state == "labelled"
    assert answer(ANNOTATED, (SQUARE,), model=model).origin == "outline"
    assert CollectionMasks({}, ROW, model=model).min_confidence == 0.5


def test_boxes_become_masks_only_if_asked_for():
    boxes = (Box.of(2, 3, 6, 8, "mass"),)
    assert answer(UNMARKED, boxes=boxes).state == "to_review"
    weak = answer(UNMARKED, boxes=boxes, weak=True)
    assert (weak.state, weak.origin, np.count_nonzero(weak.mask)) == ("labelled", "box", 20)


def test_a_lesion_that_is_not_drawn_does_not_make_a_film_normal():
    muscle = Polygon(((10, 10), (14, 10), (14, 14), (10, 14)), MUSCLE)
    beyond = Polygon(((200, 2), (206, 2), (206, 6)), "mass")
    assert answer(ANNOTATED, (beyond,)).state == "excluded"
    assert answer(ANNOTATED, (muscle, beyond), classes={"mass": 1, MUSCLE: 2}).state == "excluded"
    assert answer(ANNOTATED, (muscle, SQUARE), classes={"mass": 0, MUSCLE: 2}).state == "excluded"
    missing = answer(ANNOTATED, (muscle, SQUARE), classes={MUSCLE: 2})
    assert missing.state == "excluded"
    assert "mass=1" in missing.reason
    both = answer(ANNOTATED, (muscle, SQUARE), classes={"mass": 1, MUSCLE: 2})
    assert sorted(np.unique(both.mask)) == [0, 1, 2]


def test_the_fingerprint_changes_with_what_is_drawn():
    def fingerprint(shape, **options):
        film = Film(None, "a", FilmAnnotation(ANNOTATED, (shape,), columns={"density": "2"}))
        return CollectionMasks({"a.png": film}, ROW, **options).fingerprint(FILM)

    told = {
        fingerprint(SQUARE),
        fingerprint(Circle(3, 3, 2, "mass")),
        fingerprint(SQUARE, classes={"mass": 2}),
        fingerprint(SQUARE, weak=True),
    }
    assert len(told) == 4
    assert fingerprint(SQUARE) == fingerprint(SQUARE)


def test_two_films_of_one_name_are_refused(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"x")
    download = Download.open(tmp_path)
    films = [Film(tmp_path / folder / "1.png", "1", FilmAnnotation(NORMAL)) for folder in "ab"]
    with pytest.raises(DatasetError, match=r"would both become 1\.png"):
        raw_films(download, Contents(films))
    with pytest.raises(DatasetError, match="holds no film"):
        raw_films(download, Contents([]))
