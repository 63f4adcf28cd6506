"""Outlines to masks: exact areas, every format, and never a normal film by mistake."""

import base64
import io
import json
import plistlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import (
    ANNOTATED,
    NORMAL,
    UNKNOWN,
    Circle,
    FilmAnnotation,
    Polygon,
    marked_by,
)
from flexunet.data.images.files.read import read_image
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


def test_two_lesions_of_a_film_tell_both_their_facts(tmp_path):
    path = tmp_path / "Info.txt"
    path.write_text("mdb144 F MISC B 233 994 29\nmdb144 F SPIC M 313 540 27\n")
    columns = read_annotations(path)["mdb144"].columns
    assert (columns["severity"], columns["finding"], columns["tissue"]) == ("B+M", "MISC+SPIC", "F")


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
    films = read_annotations(tmp_path)
    assert (films["a"].state, films["b"].state) == (ANNOTATED, UNKNOWN)
    assert "b.json, shape 0 (): a line of 2 points encloses no area" in films["b"].reason


TRIANGLE = {"label": "mass", "shape_type": "polygon", "points": [[10, 60], [30, 60], [30, 80]]}


def labelme(path, *shapes, **fields):
    return write_json(path, {"imageWidth": 120, "imageHeight": 160, "shapes": list(shapes), **fields})


@pytest.mark.parametrize("kind", ["line", "linestrip"])
def test_labelme_lines_are_left_out_and_named(tmp_path, kind):
    line = {"label": "spicule", "shape_type": kind, "points": [[1, 1], [9, 9]]}
    films = read_annotations(labelme(tmp_path / "b.json", TRIANGLE, line))
    assert [shape.points for shape in films["b"].shapes] == [((10.0, 60.0), (30.0, 60.0), (30.0, 80.0))]
    assert "shape 1 (spicule)" in films["b"].notes[0]


def test_labelme_points_and_closed_lines_are_lesions(tmp_path):
    points = {"label": "calcification", "shape_type": "points", "points": [[1.5, 1.5], [9.5, 9.5]]}
    point = {"label": "calcification", "shape_type": "point", "points": [[20.5, 1.5]]}
    closed = {"label": "mass", "shape_type": "linestrip", "points": [[40, 4], [44, 4], [44, 8], [40, 4]]}
    film = read_annotations(labelme(tmp_path / "b.json", points, point, closed))["b"]
    mask = film.rasterise(120, 160, {"calcification": 1, "mass": 2})
    assert np.argwhere(mask == 1).tolist() == [[1, 1], [1, 20], [9, 9]]
    assert np.count_nonzero(mask == 2) == 10
    assert film.notes == ()


def encoded(mask, mode="L"):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(mask, np.uint8) * 255).convert(mode).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
@pytest.mark.parametrize("points", [[[10.0, 60.0], [30.0, 80.0]], [[30.0, 80.0], [10.0, 60.0]]])
def test_labelme_masks(tmp_path, mode, points):
    drawn = np.zeros((21, 21), np.uint8)
    drawn[5:15, 5:15] = 1
    shape = {"label": "mass", "shape_type": "mask", "points": points, "mask": encoded(drawn, mode)}
    film = read_annotations(labelme(tmp_path / "a.json", shape))["a"]
    expected = np.zeros((160, 120), np.uint8)
    expected[65:75, 15:25] = 1
    np.testing.assert_array_equal(film.rasterise(120, 160), expected)
    np.testing.assert_array_equal(film.rasterise(240, 320), np.kron(expected, np.ones((2, 2), np.uint8)))


@pytest.mark.parametrize(("left", "top"), [(-4, -3), (115, 155), (-500, 0), (0, 500), (0, 0)])
def test_labelme_masks_are_clipped_at_the_edge(tmp_path, left, top):
    points = [[left, top], [left + 9, top + 7]]
    shape = {"label": "mass", "shape_type": "mask", "points": points, "mask": encoded(np.ones((8, 10)))}
    film = read_annotations(labelme(tmp_path / "a.json", shape))["a"]
    expected = np.zeros((160, 120), np.uint8)
    expected[max(0, top) : max(0, top + 8), max(0, left) : max(0, left + 10)] = 1
    np.testing.assert_array_equal(film.rasterise(120, 160), expected)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"mask": None}, "shape 0: a mask needs two corners and a PNG"),
        ({"mask": "@@@@"}, "shape 0: its mask is not a PNG in base 64"),
        ({"mask": encoded(np.ones((5, 5)))}, "its mask has 5 x 5 pixels, but its corners span 21 x 21"),
        ({"shape_type": "cuboid"}, "'cuboid' is no shape that is read"),
        ({"shape_type": "polygon", "points": [[1, 1e300], [2, 2], [3, 1]]}, "a coordinate is 1e[+]300"),
        ({"shape_type": "circle", "points": [[1, float("nan")], [2, 2]]}, "a coordinate is nan"),
    ],
)
def test_a_damaged_labelme_file_is_one_film_s_fault(tmp_path, shape, message):
    base = {"label": "mass", "shape_type": "mask", "points": [[10, 60], [30, 80]]}
    labelme(tmp_path / "a.json", base | shape)
    labelme(tmp_path / "d.json", TRIANGLE)
    films = read_annotations(tmp_path)
    assert films["d"].state == ANNOTATED
    with pytest.raises(MaskError, match=rf"a\.json, .*{message}"):
        films["a"].rasterise(120, 160)


def test_two_files_of_one_film_are_named(tmp_path):
    labelme(tmp_path / "a.json", TRIANGLE, imagePath="x.png")
    labelme(tmp_path / "b.json", imagePath="x.jpg")
    with pytest.raises(MaskError, match=r"'x' twice, in a\.json and in b\.json"):
        read_annotations(tmp_path)
    (tmp_path / "a.json").write_text('{"shapes": [], "imagePath": "x.png", "shapes": [1]}')
    with pytest.raises(MaskError, match="'shapes' is given twice"):
        read_annotations(tmp_path / "a.json")


def region(*points, name="Mass", **fields):
    texts = [f"({x:.6f}, {y:.6f})" for x, y in points]
    return {"Name": name, "NumberOfPoints": len(points), "Point_px": texts, "Type": 15, **fields}


def property_list(path, *regions):
    with path.open("wb") as stream:
        images = [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": list(regions)}]
        plistlib.dump({"Images": images}, stream)


def test_outlines_of_inbreast(tmp_path):
    property_list(
        tmp_path / "20586908.xml",
        region((60, 120), (110, 120), (110, 180), (60, 180)),
        region((150.9, 200.2), name="Calcification"),
        region((300, 380), (336, 380), (336, 407), (300, 407)),  # beyond 330 x 400
    )
    mask = read_annotations(tmp_path)["20586908"].rasterise(330, 400)
    expected = np.zeros((400, 330), np.uint8)
    expected[120:180, 60:110] = expected[200, 150] = expected[380:, 300:] = 1
    # A pixel belongs to an outline if its middle does, and not by its edge.
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<annotation><object/></annotation>", "not an Apple property list"),
        (b"<plist><dict><key>Images</key>", "not an Apple property list"),
        (
            b'<!DOCTYPE x [<!ENTITY a "aaaa">]><plist><string>&a;</string></plist>',
            "not an Apple property list",
        ),
        (b"<plist><array/></plist>", "not an Apple .*'Images' is missing"),
        (region(), "ROI 0 .*has no points"),
        (region((1, 1), NumberOfPoints=2), "ROI 0: NumberOfPoints is 2, but there are 1 points"),
        (region(Point_px=["(1,2,3)"]), r"ROI 0: expected a point '\(x, y\)', found '\(1,2,3\)'"),
        (region(Point_px=["(1, nan)"]), "ROI 0: a coordinate is nan"),
        (region(Point_px="(1, 2)"), "ROI 0: expected a property list .*'Point_px' is missing"),
    ],
)
def test_damaged_property_lists_are_named(tmp_path, content, message):
    path = tmp_path / "1.xml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        property_list(path, content)
    with pytest.raises(MaskError, match=rf"1\.xml.*{message}"):
        read_annotations(path)


def test_a_property_list_without_outlines_is_unknown_and_not_normal(tmp_path):
    property_list(tmp_path / "1.xml")
    assert read_annotations(tmp_path / "1.xml")["1"].state == UNKNOWN


def test_a_stray_point_among_polygons_is_left_out_and_named(tmp_path):
    good = [10, 60, 30, 60, 30, 80, 10, 80]
    films = read_annotations(write_json(tmp_path / "c.json", coco([good, [128.0, 128.0]])))
    assert len(films["a"].shapes) == 1
    assert "annotations[0], id 1 (image x/a.jpg): a polygon needs at least three" in films["a"].notes[0]


@pytest.mark.parametrize("segmentation", [[[40.0, 60.0, 60.0, 80.0]], [], [[]], [[5, 5]]])
def test_an_image_whose_only_outline_is_none_is_unknown(tmp_path, segmentation):
    films = read_annotations(write_json(tmp_path / "c.json", coco(segmentation)))
    assert (films["a"].state, films["b"].state) == (UNKNOWN, NORMAL)
    assert "annotations[0], id 1 (image x/a.jpg)" in films["a"].reason


def changed(**fields):
    """A COCO file with other fields: `images__0__width=3`."""
    document = coco([[1, 1, 4, 1, 4, 3, 1, 3]])
    for names, value in fields.items():
        *path, last = [int(name) if name.isdigit() else name for name in names.split("__")]
        place = document
        for name in path:
            place = place[name]
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(images__0__width="abc"), r"image 1 \(x/a.jpg\): .*number of pixels as width, found 'abc'"),
        (changed(images__1__height=float("nan")), "image 2 .*as height, found 'nan'"),
        (changed(images__0__width=-5), "image 1 .*found '-5'"),
        (changed(images__0__width=10**23), "image 1 .*found '1000"),
        (changed(images__0__width=4.5), "image 1 .*found '4.5'"),
        (changed(images__0__file_name=7), r"images\[0\]: expected a text as 'file_name', found 7"),
        (changed(images__1__id=1), r"images\[1\]: the id 1 is given twice"),
        (changed(images__1__id=[1]), r"images\[1\]: expected a number or a text as 'id'"),
        (changed(images__1=None), r"images\[1\]: not a whole COCO file"),
        (changed(categories=[{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]), r"categories\[1\]: the id 7"),
        (changed(annotations__0__image_id=9), r"id 1: image_id 9 \(int\) is not among the images, .* as 1"),
        (changed(annotations__0__category_id=9), "id 1 .*category_id 9 is not among the categories"),
        (changed(annotations__0={"id": 1}), r"annotations\[0\]: not a whole COCO file: 'image_id'"),
        (changed(annotations__0__segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "id 1 .*this one has 7 numbers"),
        (changed(annotations__0__segmentation=[[1, 2, 3, None, 5, 6]]), "id 1 .*expected points"),
        (changed(annotations__0__segmentation=[[1, 2, 3, 10**400, 5, 6]]), "id 1 .*expected points"),
        (changed(annotations__0__segmentation=[1, 2, 3, 4, 5, 6]), "id 1 .*expected a list of polygons"),
        (changed(annotations__0__segmentation={"size": [4], "counts": []}), "id 1 .*expected run lengths"),
        (changed(annotations__0__segmentation={"size": [4, 6], "counts": "é"}), "id 1 .*no digit"),
        (changed(annotations=7), "'annotations' is no list"),
    ],
)  # fmt: skip
def test_coco_errors_name_the_entry(tmp_path, document, message):
    with pytest.raises(MaskError, match=rf"c\.json.*{message}"):
        read_annotations(write_json(tmp_path / "c.json", document))


def test_equal_entries_may_repeat(tmp_path):
    document = coco([[1, 1, 4, 1, 4, 3, 1, 3]])
    document["images"] += document["images"]
    document["annotations"] += document["annotations"]
    films = read_annotations(write_json(tmp_path / "c.json", document))
    assert list(films) == ["a", "b"]
    assert len(films["a"].shapes) == 1


def test_an_annotation_s_id_that_says_two_things_is_an_error(tmp_path):
    document = coco([[1, 1, 4, 1, 4, 3, 1, 3]])
    document["annotations"].append({**document["annotations"][0], "image_id": 2})
    with pytest.raises(
        MaskError, match=r"annotations\[1\]: the id 1 is given twice, and .*annotations\[0\] tells"
    ):
        read_annotations(write_json(tmp_path / "c.json", document))


def test_outlines_in_a_table_with_decimal_commas(tmp_path):
    path = tmp_path / "o.csv"
    path.write_text("image;x;y;radius\na;10,5;12,25;3\n")
    assert read_annotations(path)["a"].shapes == (Circle(10.5, 12.25, 3.0),)
    path.write_text('image,x,y,radius\na,"10,5",12,3\n')
    with pytest.raises(MaskError, match="line 2: expected a number, found '10,5'"):
        read_annotations(path)
    path.write_text("image;points\na;1,5 2,5 3,5 9,5 4,5 1,5\n")
    with pytest.raises(MaskError, match="line 2: is '1,5' in points one number or two"):
        read_annotations(path)


def test_rows_of_a_truth_table_that_contradict_each_other_are_named(tmp_path):
    path = tmp_path / "Info.txt"
    path.write_text("words\nmdb001 G CIRC B 535 425 197\nmdb001 G NORM\n")
    with pytest.raises(MaskError, match=r"Info\.txt, line 3, calls 'mdb001' both normal and annotated"):
        read_annotations(path)


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


def test_boxes_of_coco_count_only_if_they_are_asked_for(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "mass"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 10, 20, 4]}],
    }
    path = write_json(tmp_path / "coco.json", document)
    film = read_annotations(path)["a"]
    assert (film.state, "--weak-masks" in film.reason) == (UNKNOWN, True)
    film = read_annotations(path, fill_boxes=True)["a"]
    expected = np.zeros((30, 40), np.uint8)
    expected[10:14, 5:25] = 1
    np.testing.assert_array_equal(film.rasterise(40, 30), expected)
    assert [marked_by(shape) for shape in film.shapes] == ["box"]
