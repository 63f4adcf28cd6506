"""Outlines to masks: exact areas, every format, and never a normal film by mistake."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, NORMAL, UNKNOWN, Circle, FilmAnnotation, Polygon
from flexunet.data.images.files import read_image
from flexunet.errors import InputError, MaskError, PathError


def write_json(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_mini_mias_gives_the_masks_of_its_truth_table(mammograms):
    annotations = read_annotations(mammograms / "mini_mias_512" / "Info.txt")
    assert len(annotations) == 322
    assert sorted(name for name, film in annotations.items() if film.state == UNKNOWN) == [
        "mdb059",
        "mdb216",
        "mdb233",
        "mdb245",
    ]
    assert sum(film.state == NORMAL for film in annotations.values()) == 207
    assert len(annotations["mdb005"].shapes) == 2
    assert annotations["mdb005"].columns["patient"] == "mias003"
    assert annotations["mdb005"].columns["side"] == "R"
    for path in sorted((mammograms / "mini_mias_512" / "masks").iterdir())[::4]:
        truth = read_image(path, channels=1)[..., 0] > 0
        np.testing.assert_array_equal(
            annotations[path.stem].rasterise(512, 512) > 0, truth, err_msg=path.stem
        )


def test_mini_mias_y_counts_from_the_bottom(tmp_path):
    path = tmp_path / "Info.txt"
    path.write_text("words before\n\nmdb001 G CIRC B 100 24 10\nmdb002 F NORM\nmdb003 F CIRC B\n")
    films = read_annotations(path)
    mask = films["mdb001"].rasterise(1024, 1024)
    rows, columns = np.nonzero(mask)
    assert (rows.mean(), columns.mean()) == (1000, 100)
    assert films["mdb002"].state == NORMAL
    assert films["mdb003"].state == UNKNOWN
    with pytest.raises(MaskError, match="never outlined"):
        films["mdb003"].rasterise(1024, 1024)


@settings(max_examples=30)
@given(x=st.floats(20, 80), y=st.floats(20, 80), radius=st.floats(3, 15))
def test_circle_covers_its_area(x, y, radius):
    mask = FilmAnnotation(ANNOTATED, (Circle(x, y, radius),)).rasterise(100, 100)
    assert mask.sum() == pytest.approx(np.pi * radius**2, rel=0.15)
    rows, columns = np.nonzero(mask)
    assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).max() <= radius + 1e-6


def test_polygon_takes_pixels_whose_middle_is_inside():
    square = Polygon(((2.0, 1.0), (5.0, 1.0), (5.0, 3.0), (2.0, 3.0)))
    mask = FilmAnnotation(ANNOTATED, (square,)).rasterise(8, 6)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:3, 2:5] = 1
    np.testing.assert_array_equal(mask, expected)
    # The same outline on a film of twice the size.
    annotation = FilmAnnotation(ANNOTATED, (square,), width=8, height=6)
    np.testing.assert_array_equal(annotation.rasterise(16, 12), np.kron(expected, np.ones((2, 2), np.uint8)))


def test_proportions_must_agree():
    with pytest.raises(MaskError, match="1024 x 1024 pixels, but the film has 1920 x 1080"):
        FilmAnnotation(ANNOTATED, (Circle(5, 5, 2),), 1024, 1024).rasterise(1920, 1080)


def test_labels_become_classes():
    film = FilmAnnotation(ANNOTATED, (Circle(5, 5, 2, "mass"), Circle(12, 5, 2, "calc")))
    mask = film.rasterise(20, 10, {"mass": 1, "calc": 2})
    assert (mask[5, 5], mask[5, 12]) == (1, 2)
    with pytest.raises(MaskError, match="'calc' has no class: expected one of mass"):
        film.rasterise(20, 10, {"mass": 1})


def test_csv_circles_polygons_and_states(tmp_path):
    path = tmp_path / "outlines.csv"
    path.write_text(
        "image,x,y,radius,points,label,origin,width,height\n"
        "a.jpg,10,5,2,,mass,,20,20\n"
        "a.jpg,,,,0 0 4 0 4 4 0 4,mass,,20,20\n"
        "folder/b.jpg,10,5,2,,mass,bottom,20,20\n"
        "c.jpg,,,,,NORM,,,\n"
        "d.jpg,,,,,CALC,,,\n"
        "e.jpg,10,5,2,,mass,,20,20\n"
        "e.jpg,,,,,mass,,20,20\n"
    )
    films = read_annotations(path)
    assert {name: film.state for name, film in films.items()} == {
        "a": ANNOTATED,
        "b": ANNOTATED,
        "c": NORMAL,
        "d": UNKNOWN,
        "e": UNKNOWN,
    }
    mask = films["a"].rasterise(20, 20)
    assert mask[:4, :4].all()
    assert mask[5, 10]
    assert films["b"].rasterise(20, 20)[14, 10]
    assert not films["b"].rasterise(20, 20)[5, 10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,patient\na.jpg,1\n", "has no outlines: expected the columns image, x, y, radius"),
        ("image,x,y,radius\na.jpg,1,2,\n", "line 2: a circle needs x, y and radius"),
        ("image,x,y,radius\na.jpg,1,two,3\n", "line 2: expected a number, found 'two'"),
        ("image,x,y,radius\na.jpg,1,2,nan\n", "line 2: expected a number, found 'nan'"),
        ("image,x,y,radius\na.jpg,1,2,-3\n", "radius above 0"),
        ("image,x,y,radius\n,1,2,3\n", "line 2: the image's name is missing"),
        ("image,points\na.jpg,1 2 3 4\n", "at least three points"),
        ("image,x,y,radius,label\na.jpg,1,2,3,mass\na.jpg,,,,normal\n", "both normal and annotated"),
    ],
)
def test_csv_errors_name_the_line(tmp_path, text, message):
    path = tmp_path / "outlines.csv"
    path.write_text(text)
    with pytest.raises(MaskError, match=message):
        read_annotations(path)


def coco(segmentation):
    return {
        "images": [
            {"id": 1, "file_name": "x/a.jpg", "width": 6, "height": 4},
            {"id": 2, "file_name": "b.jpg", "width": 6, "height": 4},
        ],
        "categories": [{"id": 7, "name": "mass"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": segmentation}],
    }


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 1, 4, 1, 4, 3, 1, 3]],
        {"size": [4, 6], "counts": [5, 2, 2, 2, 2, 2, 9]},
        {"size": [4, 6], "counts": "5220007"},  # digits of 5, 2, 2, then 2 - 2, 2 - 2, 2 - 2, 9 - 2
    ],
)
def test_coco_polygons_and_runs(tmp_path, segmentation):
    films = read_annotations(write_json(tmp_path / "coco.json", coco(segmentation)))
    expected = np.zeros((4, 6), np.uint8)
    expected[1:3, 1:4] = 1
    assert films["a"].shapes[0].label == "mass"
    np.testing.assert_array_equal(films["a"].rasterise(6, 4), expected)
    assert films["b"].state == NORMAL


def test_coco_without_a_segmentation_is_unknown(tmp_path):
    films = read_annotations(write_json(tmp_path / "coco.json", coco([])))
    assert films["a"].state == UNKNOWN
    with pytest.raises(MaskError, match="not a whole COCO file"):
        read_annotations(write_json(tmp_path / "bad.json", {"images": [{}], "annotations": []}))
    with pytest.raises(MaskError, match="run lengths sum to 3"):
        read_annotations(write_json(tmp_path / "bad.json", coco({"size": [4, 6], "counts": [1, 2]})))


def test_labelme_folder(tmp_path):
    shapes = [
        {"label": "mass", "shape_type": "circle", "points": [[10, 8], [10, 12]]},
        {"label": "mass", "shape_type": "rectangle", "points": [[0, 0], [2, 2]]},
        {"label": "mass", "shape_type": "polygon", "points": [[14, 0], [16, 0], [16, 2], [14, 2]]},
    ]
    write_json(
        tmp_path / "a.json",
        {"imagePath": "..\\raw\\a.jpg", "imageWidth": 20, "imageHeight": 16, "shapes": shapes},
    )
    write_json(tmp_path / "b.json", {"imagePath": "b.jpg", "shapes": []})
    films = read_annotations(tmp_path)
    mask = films["a"].rasterise(20, 16)
    assert mask[8, 10]
    assert mask[:2, :2].all()
    assert mask[:2, 14:16].all()
    assert mask.sum() == pytest.approx(np.pi * 16 + 8, rel=0.1)
    assert films["b"].state == NORMAL
    write_json(tmp_path / "b.json", {"shapes": [{"shape_type": "line", "points": [[0, 0], [1, 1]]}]})
    with pytest.raises(MaskError, match="a line of 2 points encloses no area"):
        read_annotations(tmp_path)


def test_strange_files_are_refused(tmp_path):
    with pytest.raises(PathError, match="do not exist"):
        read_annotations(tmp_path / "missing.csv")
    with pytest.raises(PathError, match="expected LabelMe"):
        read_annotations(tmp_path)
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(MaskError, match="expected a JSON object"):
        read_annotations(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{broken")
    with pytest.raises(MaskError, match="not valid JSON"):
        read_annotations(tmp_path / "a.json")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(MaskError, match="no mini-MIAS table"):
        read_annotations(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lm.json", '{"shapes": null, "imagePath": "a.png"}'),
        (
            "lm.json",
            '{"shapes": [{"label": "x", "shape_type": "polygon", "points": [["a", 1], [2, 3], [4, 5]]}]}',
        ),
        (
            "coco.json",
            '{"images": [{"id": 1, "file_name": "a.png", "width": "abc", "height": 4}], "annotations": []}',
        ),
        ("coco.json", '{"images": 7, "annotations": [], "categories": []}'),
        ("coco.json", '{"images": [null], "annotations": [null], "categories": [null]}'),
        ("Info.txt", "mdb001 G CIRC B 535 42²5 197\n"),
        ("Info.txt", f"mdb001 G CIRC B {'9' * 5000} 425 197\n"),
    ],
)
def test_a_field_of_another_type_is_an_error_that_names_the_file(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    try:
        read = read_annotations(tmp_path / name)
    except InputError as error:
        assert name in str(error)  # noqa: PT017
    else:  # a line without coordinates is known to be unknown, never normal
        assert [film.state for film in read.values()] == ["unknown"]
