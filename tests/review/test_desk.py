"""A desk over a folder of images and masks, through its API."""

import hashlib
import json
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.review.readings.runs import Box, decode_runs, encode_runs

from .conftest import HEIGHT, WIDTH, picture, square

THREE = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 0, 255): 2})


def test_a_folder_is_listed_with_images_that_lack_a_mask(reader):
    session = reader.get("/api/session")
    assert session["reader"] == "ann"
    assert session["project"] == {"name": "films", "kind": "images"}
    assert session["counts"] == {"total": 3, "reviewed": 0}
    assert [each["name"] for each in session["classes"]] == ["background", "lesion"]
    queue = reader.get("/api/queue", order="name")
    assert [item["name"] for item in queue["items"]] == ["images/a.png", "images/b.png", "images/c.png"]
    assert {item["status"] for item in queue["items"]} == {"unreviewed"}
    assert reader.get("/api/queue", search="B.PNG")["total"] == 1
    assert reader.get("/api/queue", search="%")["total"] == 0


def test_tiles_are_the_image(open_desk, serve_desk, sign_in, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (700, 1100), dtype=np.uint16)
    write_image(tmp_path / "films" / "big.png", pixels)
    reader = sign_in(serve_desk(open_desk(tmp_path / "films")))
    number = reader.numbers()["big.png"]
    facts = reader.get(f"/api/items/{number}")
    assert (facts["width"], facts["height"], facts["bits"]) == (1100, 700, 16)
    assert (facts["minimum"], facts["maximum"]) == (int(pixels.min()), int(pixels.max()))
    sizes = [(level["width"], level["height"]) for level in facts["levels"]]
    assert sizes == [(1100, 700), (550, 350), (275, 175)]
    answer = reader.client.get(f"/api/items/{number}/tiles/0/2/1")
    tile = np.frombuffer(answer.content, "<u2").reshape(700 - 512, 1100 - 1024)
    np.testing.assert_array_equal(tile, pixels[512:, 1024:])
    again = reader.client.get(
        f"/api/items/{number}/tiles/0/2/1", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    half = np.frombuffer(reader.client.get(f"/api/items/{number}/tiles/1/0/0").content, "<u2")
    mean = pixels[:2, :2].mean()
    assert abs(int(half[0]) - mean) <= 1
    for wrong in ("0/3/0", "0/0/2", "3/0/0", "-1/0/0", "0/-1/0"):
        assert reader.client.get(f"/api/items/{number}/tiles/{wrong}").status_code == 404


def test_a_stroke_changes_its_box_alone_and_the_file_follows(reader, desk):
    number = reader.numbers()["images/a.png"]
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask"), square())
    answer = reader.draw(number, 0, 40, 5, 10, 4)
    expected = square()
    expected[5:9, 40:50] = 1
    labels = reader.labels(f"/api/items/{number}/mask")
    np.testing.assert_array_equal(labels, expected)
    assert answer == {"version": 1, "sha256": hashlib.sha256(expected.tobytes()).hexdigest()}
    desk.files.close()
    written = read_mask(desk.files.path("images/a.png"), ColorMap.binary())
    np.testing.assert_array_equal(written, expected)
    # What came with the image is as it was.
    given = read_mask(desk.settings.given.path / "masks" / "a.png", ColorMap.binary())
    np.testing.assert_array_equal(given, square())
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/draft"), square())


def test_every_version_can_be_brought_back(reader):
    number = reader.numbers()["images/c.png"]
    drawn = [np.zeros((HEIGHT, WIDTH), np.uint8)]
    rng = np.random.default_rng(1)
    for base in range(70):  # beyond two snapshots
        left, top = int(rng.integers(0, WIDTH - 9)), int(rng.integers(0, HEIGHT - 9))
        label = int(rng.integers(0, 2))
        reader.draw(number, base, left, top, 9, 9, label)
        drawn.append(drawn[-1].copy())
        drawn[-1][top : top + 9, left : left + 9] = label
    for version in (0, 1, 31, 32, 33, 63, 64, 70):
        labels = reader.labels(f"/api/items/{number}/mask", version=version)
        np.testing.assert_array_equal(labels, drawn[version])
    versions = reader.get(f"/api/items/{number}/versions")
    assert [each["version"] for each in versions] == list(range(70, -1, -1))
    assert [each["current"] for each in versions] == [True] + [False] * 70
    assert {each["reader"] for each in versions[:-1]} == {"ann"}
    restored = reader.post(f"/api/items/{number}/restore", {"version": 17, "base_version": 70})
    assert restored["version"] == 71
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask"), drawn[17])
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask", version=70), drawn[70])


def test_two_tabs_do_not_overwrite_each_other(address, sign_in, reader):
    other = sign_in(address)
    number = reader.numbers()["images/b.png"]
    reader.draw(number, 0, 0, 0, 4, 4)
    refused = other.draw(number, 0, 50, 50, 4, 4, status=409)
    assert (refused["version"], refused["reader"]) == (1, "ann")
    assert other.draw(number, 1, 50, 50, 4, 4)["version"] == 2
    for path, form in (
        ("restore", {"version": 0, "base_version": 1}),
        ("verdict", {"verdict": "accept", "seconds": 1, "base_version": 1}),
    ):
        assert reader.post(f"/api/items/{number}/{path}", form, 409)["version"] == 2


def test_a_stroke_that_cannot_be_is_refused(reader):
    number = reader.numbers()["images/a.png"]
    wrong = [
        ((0, 0, 81, 1), [1, 81]),
        ((79, 59, 2, 1), [1, 2]),
        ((0, 0, 4, 4), [1, 15]),
        ((0, 0, 4, 4), [1, 17]),
        ((0, 0, 4, 4), [2, 16]),
        ((0, 0, 4, 4), [-1, 16]),
        ((0, 0, 4, 4), [1, 17, 0, -1]),
        ((0, 0, 4, 4), [1, 8, 0]),
        ((0, 0, 4, 4), [1, 2**70]),
        ((0, 0, 4, 4), []),
        ((0, 0, 0, 4), []),
        ((-1, 0, 4, 4), [1, 16]),
    ]
    for box, runs in wrong:
        place = dict(zip(("x", "y", "width", "height"), box, strict=True))
        form = {"base_version": 0, "box": place, "runs": runs}
        assert reader.post(f"/api/items/{number}/strokes", form, 422)["error"]
    assert reader.get(f"/api/items/{number}")["mask"]["version"] == 0


def test_runs_come_back_as_they_were():
    labels = np.random.default_rng(2).integers(0, 3, (7, 11), dtype=np.uint8)
    np.testing.assert_array_equal(decode_runs(encode_runs(labels), Box(0, 0, 11, 7), THREE), labels)
    assert encode_runs(np.array([[0, 0, 1], [1, 1, 0]])) == [0, 2, 1, 3, 0, 1]


def test_a_decision_is_a_row_with_hashes(reader, desk):
    number = reader.numbers()["images/a.png"]
    reader.draw(number, 0, 0, 0, 2, 2)
    lesion = {"component": 1, "verdict": "correct", "comment": "too large"}
    form = {"verdict": "correct", "likert": 4, "comment": "<b>é</b>", "lesions": [lesion], "seconds": 12.5}
    answer = reader.post(f"/api/items/{number}/verdict", {**form, "base_version": 1})
    assert (answer["decision"], answer["status"]) == (1, "corrected")
    assert answer["next"] in set(reader.numbers().values()) - {number}
    told = reader.get(f"/api/items/{number}")
    assert told["verdict"]["comment"] == "<b>é</b>"
    assert told["verdict"]["lesions"] == [lesion]
    assert told["status"] == "corrected"
    row = desk.decisions.last(number)
    assert row.mask_before == hashlib.sha256(square().tobytes()).hexdigest()
    assert row.mask_after == told["mask"]["sha256"] != row.mask_before
    image = (desk.settings.given.path / "images" / "a.png").read_bytes()
    assert row.image_sha256 == hashlib.sha256(image).hexdigest()
    assert row.seconds == 12.5
    assert reader.get("/api/queue", status="corrected")["total"] == 1
    assert reader.get("/api/session")["counts"] == {"total": 3, "reviewed": 1}
    reader.post(f"/api/items/{number}/verdict", {"verdict": "unsure", "seconds": 1, "base_version": 1})
    assert reader.get(f"/api/items/{number}")["status"] == "unsure"
    assert desk.decisions.last(number).id == 2


def test_no_lesion_empties_the_mask_as_a_version_of_its_own(reader):
    number = reader.numbers()["images/a.png"]
    form = {"verdict": "no_lesion", "seconds": 3, "base_version": 0}
    assert reader.post(f"/api/items/{number}/verdict", form)["version"] == 1
    assert not reader.labels(f"/api/items/{number}/mask").any()
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask", version=0), square())


def test_the_next_image_is_one_without_a_decision(reader):
    numbers = reader.numbers(order="name")
    a, b, c = (numbers[f"images/{name}.png"] for name in "abc")
    assert reader.get("/api/next", order="name", after=a)["id"] == b
    assert reader.get("/api/next", order="name", after=c)["id"] == a
    for number in (b, c):
        reader.post(f"/api/items/{number}/verdict", {"verdict": "reject", "seconds": 1, "base_version": 0})
    assert reader.get("/api/next", order="name", after=c)["id"] == a
    assert reader.get("/api/next", order="name", after=a)["id"] is None


def test_an_image_that_changed_is_not_reviewed_on(reader, folder):
    number = reader.numbers()["images/a.png"]
    reader.draw(number, 0, 0, 0, 2, 2)
    write_image(folder / "images" / "a.png", picture(99))
    refused = reader.draw(number, 1, 0, 0, 3, 3, status=409)
    assert "has changed since its review began" in refused["error"]
    assert reader.client.get(f"/api/items/{number}").status_code == 409
    write_image(folder / "images" / "a.png", picture(0))
    assert reader.draw(number, 1, 0, 0, 3, 3)["version"] == 2


def test_a_desk_that_is_opened_again_goes_on(open_desk, serve_desk, sign_in, folder):
    first = open_desk(folder)
    reader = sign_in(serve_desk(first))
    number = reader.numbers()["images/a.png"]
    reader.draw(number, 0, 0, 0, 5, 5)
    order = list(reader.numbers(order="random"))
    cookies = reader.client.cookies
    (folder / "images" / "c.png").unlink()
    write_image(folder / "images" / "d.png", picture(7))
    again = open_desk(folder)
    reader = sign_in(serve_desk(again), token=None, cookies=cookies)  # the session outlives the process
    assert set(reader.numbers()) == {"images/a.png", "images/b.png", "images/d.png"}
    assert reader.numbers()["images/a.png"] == number
    labels = square()
    labels[:5, :5] = 1
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask"), labels)
    kept = [name for name in reader.numbers(order="random") if name in order]
    assert kept == [name for name in order if name in kept]


def test_masks_in_colour_have_their_classes(open_desk, serve_desk, sign_in, tmp_path):
    for name in "ab":
        write_image(tmp_path / "set/train/images" / f"{name}.png", picture(1))
        mask = square()
        mask[0:9, 0:9] = 2
        write_mask(tmp_path / "set/train/masks" / f"{name}.png", mask, THREE)
    reader = sign_in(serve_desk(open_desk(tmp_path / "set")))
    session = reader.get("/api/session")
    assert session["project"]["kind"] == "data set"
    assert session["classes"][1:] == [
        {"index": 1, "name": "class 1", "colour": "#0000ff"},
        {"index": 2, "name": "class 2", "colour": "#ff0000"},
    ]


def test_ignored_pixels_are_drawn_kept_and_counted_for_nothing(open_desk, serve_desk, sign_in, tmp_path):
    colors = ColorMap({(0, 0, 0): 0, (255, 255, 255): 1}, ignore=(0, 0, 255))
    mask = square()
    mask[40:50, 40:60] = IGNORED
    write_image(tmp_path / "films/images/a.png", picture(1))
    write_mask(tmp_path / "films/masks/a.png", mask, colors)
    desk = open_desk(tmp_path / "films", reader=MaskReader(colors))
    reader = sign_in(serve_desk(desk))
    assert reader.get("/api/session")["classes"] == [
        {"index": 0, "name": "background", "colour": "#000000"},
        {"index": 1, "name": "lesion", "colour": "#ff3b6b"},
        {"index": IGNORED, "name": "ignored", "colour": "#0000ff"},
    ]
    (number,) = reader.numbers().values()
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask"), mask)
    (lesion,) = reader.get(f"/api/items/{number}/components")
    assert (lesion["label"], lesion["area_px"]) == (1, 64)
    # A stroke may hold both, no other value; half of the lesion becomes ignored.
    assert "0 to 1 or 255" in reader.draw(number, 0, 10, 20, 4, 8, label=2, status=422)["error"]
    reader.draw(number, 0, 10, 20, 4, 8, label=IGNORED)
    mask[20:28, 10:14] = IGNORED
    decide = {"verdict": "correct", "seconds": 5, "base_version": 1}
    reader.post(f"/api/items/{number}/verdict", decide)
    decision = desk.decisions.last(number)
    assert (decision.foreground, decision.dice) == (32, 1.0)  # where both judge, they agree
    written = Path(reader.post("/api/export", {"target": "dataset"})["folder"])
    np.testing.assert_array_equal(read_mask(written / "masks" / "a.png", colors), mask)
    coco = Path(reader.post("/api/export", {"target": "coco"})["folder"])
    told = json.loads((coco / "annotations.json").read_text())
    assert [(each["category_id"], each["area"]) for each in told["annotations"]] == [(1, 32)]
    # "No lesion" says nothing of pixels that nobody can judge.
    reader.post(f"/api/items/{number}/verdict", decide | {"verdict": "no_lesion"})
    mask[mask == 1] = 0
    np.testing.assert_array_equal(reader.labels(f"/api/items/{number}/mask"), mask)
    assert desk.decisions.last(number).foreground == 0


def test_preferences_belong_to_a_reader(reader):
    assert reader.get("/api/preferences") == {}
    values = {"opacity": 0.4, "window": {"kind": "sigmoid", "center": 1000.5}}
    reader.put("/api/preferences", values)
    assert reader.get("/api/preferences") == values
    reader.put("/api/preferences", {"big": "x" * 100_000}, 422)
    assert reader.get("/api/preferences") == values
