"""Regions of the VGG Image Annotator."""

import csv
import json

import numpy as np
import pytest

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNKNOWN, UNMARKED
from flexunet.data.annotations.via import read_via_table
from flexunet.data.derive.film_masks import AnnotatedMasks, RawFilm
from flexunet.errors import MaskError

HEADER = (
    "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
)


def written(path, *rows):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER.split(","))
        for name, count, number, shape, label in rows:
            writer.writerow([name, 1, "{}", count, number, json.dumps(shape), json.dumps(label)])
    return path


def test_every_region_is_drawn(tmp_path):
    square = {"name": "polygon", "all_points_x": [1, 5, 5, 1, 1], "all_points_y": [2, 2, 6, 6, 2]}
    closed = {**square, "name": "polyline"}
    rows = [
        ("a.jpg", 1, 0, square, {}),
        ("b.jpg", 2, 0, {"name": "ellipse", "cx": 10, "cy": 8, "rx": 4, "ry": 2}, {}),
        ("b.jpg", 2, 1, {"name": "point", "cx": 0.5, "cy": 19.2}, {"type": "calc"}),
        ("c .jpg", 1, 0, {"name": "circle", "cx": 10, "cy": 10, "r": 5}, {}),
        ("d.jpg", 1, 0, {"name": "rect", "x": 3, "y": 4, "width": 5, "height": 2}, {}),
        ("e.jpg", 1, 0, closed, {}),
    ]
    films = read_via_table(written(tmp_path / "via.csv", *rows))
    assert {film.state for film in films.values()} == {ANNOTATED}
    counts = {stem: int(film.rasterise(20, 20).sum()) for stem, film in films.items()}
    rows, columns = np.mgrid[:20, :20] + 0.5
    ellipse = (((columns - 10) / 4) ** 2 + ((rows - 8) / 2) ** 2 <= 1).sum()
    circle = ((columns - 10) ** 2 + (rows - 10) ** 2 <= 25).sum()
    assert counts == {"a": 16, "b": ellipse + 1, "c": circle, "d": 10, "e": 16}
    assert [shape.label for shape in films["b"].shapes] == ["lesion", "calc"]


def test_what_is_incomplete_is_never_half_a_mask(tmp_path):
    square = {"name": "polygon", "all_points_x": [1, 5, 5, 1], "all_points_y": [2, 2, 6, 6]}
    line = {"name": "polyline", "all_points_x": [1, 5, 9], "all_points_y": [2, 2, 6]}
    rows = [
        ("missing.jpg", 2, 0, square, {}),
        ("line.jpg", 2, 0, square, {}),
        ("line.jpg", 2, 1, line, {}),
        ("none.jpg", 0, 0, {}, {}),
        ("strange.jpg", 1, 0, {"name": "spline"}, {}),
        ("short.jpg", 1, 0, {"name": "circle", "cx": 1, "cy": 1}, {}),
        ("flat.jpg", 1, 0, {"name": "circle", "cx": 1, "cy": 1, "r": 0}, {}),
        ("uneven.jpg", 1, 0, {**square, "all_points_y": [2, 2, 6]}, {}),
    ]
    films = read_via_table(written(tmp_path / "via.csv", *rows))
    assert {stem: film.state for stem, film in films.items()} == {
        "missing": BROKEN,
        "line": UNKNOWN,
        "none": UNMARKED,
        "strange": BROKEN,
        "short": BROKEN,
        "flat": BROKEN,
        "uneven": BROKEN,
    }
    assert "region_count is 2, but there are 1" in films["missing"].reason
    with pytest.raises(MaskError):
        films["none"].rasterise(20, 20)


@pytest.mark.parametrize("header", [HEADER, HEADER[1:]])
def test_annotations_of_any_folder_may_be_such_a_table(tmp_path, header):
    square = {"name": "polygon", "all_points_x": [1, 5, 5, 1], "all_points_y": [2, 2, 6, 6]}
    path = written(tmp_path / "via.csv", ("a.jpg", 1, 0, square, {}), ("b.jpg", 0, 0, {}, {}))
    path.write_text(path.read_text().replace(HEADER, header))
    films = read_annotations(path)
    assert (films["a"].state, films["b"].state) == (ANNOTATED, UNMARKED)
    masks = AnnotatedMasks(films)
    answers = [masks.mask_of(RawFilm(tmp_path / f"{name}.jpg", f"{name}.jpg", name), 20, 20) for name in "ab"]
    assert [answer.state for answer in answers] == ["labelled", "excluded"]


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("image,x,y,radius\na,1,1,1\n")
    with pytest.raises(MaskError, match="#filename"):
        read_via_table(path)


def test_documents_say_the_same_as_tables(tmp_path):
    square = {"name": "polygon", "all_points_x": [1, 5, 5, 1], "all_points_y": [2, 2, 6, 6]}
    rect = {"name": "rect", "x": 3, "y": 4, "width": 5, "height": 2}
    line = {"name": "polyline", "all_points_x": [1, 5, 9], "all_points_y": [2, 2, 6]}

    def image(name, *shapes, label=None):
        regions = [{"shape_attributes": shape, "region_attributes": label or {}} for shape in shapes]
        return {"filename": name, "size": 1, "regions": regions, "file_attributes": {}}

    images = {
        "a.jpg1": image("a.jpg", square, rect, label={"kind": "mass"}),
        "b.jpg1": image("b.jpg"),
        "c.jpg1": image("c.jpg", line),
        "d.jpg1": image("d.jpg", {"name": "spline"}),
    }
    first = images["a.jpg1"]
    first = {**first, "regions": {str(number): region for number, region in enumerate(first["regions"])}}
    for document in (images, {"_via_img_metadata": images, "_via_settings": {}}, {**images, "a.jpg1": first}):
        (tmp_path / "via.json").write_text(json.dumps(document))
        films = read_annotations(tmp_path / "via.json")
        states = {stem: film.state for stem, film in films.items()}
        assert states == {"a": ANNOTATED, "b": UNMARKED, "c": UNKNOWN, "d": BROKEN}
        assert films["a"].rasterise(20, 20, {"mass": 1}).sum() == 16 + 10 - 4
    images["e"] = image("a.png")
    (tmp_path / "via.json").write_text(json.dumps(images))
    with pytest.raises(MaskError, match="second entry of the film 'a'"):
        read_annotations(tmp_path / "via.json")
