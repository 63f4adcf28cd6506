"""Several readers: blind, measured, compared, and brought to one mask."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from flexunet.data.images.color_map import IGNORED, ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.review.readings.comparing import compare_masks, majority
from flexunet.review.readings.kappa import cohen_kappa, fleiss_kappa

from .conftest import HEIGHT, WIDTH, picture, square


def test_kappas_are_those_of_the_literature():
    # Cohen: 50 proposals, 20 yes of both, 15 no of both, 5 and 10 apart: (0.7 - 0.5) / (1 - 0.5).
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    # Fleiss: 10 subjects, 14 readers, 5 answers; the worked example of the method gives 0.210.
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(np.array(table)) == pytest.approx(0.210, abs=5e-4)
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["a", "a"], ["a", "a"]) is None
    assert fleiss_kappa(np.array([[3, 0], [3, 0]])) is None
    assert fleiss_kappa(np.empty((0, 2))) is None
    assert fleiss_kappa(np.array([[2, 0], [0, 2]])) == 1


def test_masks_are_compared_by_class_and_by_lesion():
    first = square()  # one lesion of 64 pixels
    second = square(left=14)  # half of it
    second[50:53, 50:53] = 1
    likeness = compare_masks(first, second, 2)
    assert likeness.dice == pytest.approx(2 * 32 / (64 + 64 + 9))
    assert (likeness.lesions, likeness.found, likeness.further) == (1, 1, 1)
    other_class = first * 2
    assert compare_masks(first, other_class, 3).dice == 0
    nothing = first * 0
    assert compare_masks(nothing, nothing, 2).dice == 1
    assert compare_masks(nothing, first, 2) == compare_masks(nothing, first, 2)


def test_the_majority_decides_and_a_tie_is_background():
    masks = [np.array([labels], np.uint8) for labels in ([1, 1, 2, 0, 1], [1, 2, 2, 0, 2], [0, 0, 2, 1, 2])]
    np.testing.assert_array_equal(majority(masks), [[1, 0, 2, 0, 2]])
    np.testing.assert_array_equal(majority(masks[:2]), [[1, 0, 2, 0, 0]])


def test_readers_are_not_compared_where_one_of_them_cannot_judge():
    first, second = square(), square(left=14)
    first[:, 18:] = IGNORED  # beyond the lesion of the first
    second[:, :14] = IGNORED  # the half that the second has not marked
    likeness = compare_masks(first, second, 2)
    assert (likeness.dice, likeness.lesions, likeness.found, likeness.further) == (1, 1, 1, 0)
    np.testing.assert_array_equal(majority([first, second, square()])[20], np.where(first[20] == 1, 1, 0))


def decide(reader, number, verdict, likert=None):
    version = reader.get(f"/api/items/{number}")["mask"]["version"]
    form = {"verdict": verdict, "seconds": 5, "base_version": version, "likert": likert}
    return reader.post(f"/api/items/{number}/verdict", form)


@pytest.fixture
def blind(open_desk, serve_desk, sign_in, folder):
    """Two blind readers on one desk, ann and bob."""
    readers = []
    for name in ("ann", "bob"):
        readers.append(sign_in(serve_desk(open_desk(folder, blind=True), reader=name)))
    return readers


def test_a_blind_reader_begins_with_nothing_and_sees_the_draft_afterwards(blind):
    ann, bob = blind
    number = ann.numbers()["images/a.png"]
    facts = ann.get(f"/api/items/{number}")
    assert facts["draft"] == {"present": True, "hidden": True}
    assert ann.client.get(f"/api/items/{number}/draft").status_code == 403
    assert not ann.labels(f"/api/items/{number}/mask").any()
    ann.draw(number, 0, 12, 20, 8, 8)
    assert not bob.labels(f"/api/items/{number}/mask").any()
    assert bob.get("/api/queue", status="unreviewed")["total"] == 3
    decide(ann, number, "correct")
    assert ann.get(f"/api/items/{number}")["draft"] == {"present": True, "hidden": False}
    np.testing.assert_array_equal(ann.labels(f"/api/items/{number}/draft"), square())
    assert bob.client.get(f"/api/items/{number}/draft").status_code == 403
    assert bob.get(f"/api/items/{number}")["status"] == "unreviewed"
    assert bob.client.get(f"/api/items/{number}/mask", params={"of": "ann"}).status_code == 403
    assert bob.client.get("/api/results/files/data/masks/a.png").status_code == 404
    assert bob.get("/api/session")["counts"] == {"total": 3, "reviewed": 0}
    assert ann.get("/api/session")["counts"] == {"total": 3, "reviewed": 1}


def test_two_readers_are_compared_and_a_third_finds_one_mask(blind, open_desk, serve_desk, sign_in, folder):
    ann, bob = blind
    a, b, c = (ann.numbers()[f"images/{name}.png"] for name in "abc")
    ann.draw(a, 0, 10, 20, 8, 8)
    bob.draw(a, 0, 14, 20, 8, 8)
    bob.draw(a, 1, 50, 50, 3, 3)
    decide(ann, a, "correct", 4)
    decide(bob, a, "correct", 2)
    decide(ann, b, "no_lesion")
    decide(bob, b, "no_lesion")
    decide(ann, c, "reject")
    report = ann.get("/api/agreement")
    assert [(each["reader"], each["images"], each["mean_likert"]) for each in report["readers"]] == [
        ("ann", 3, 4),
        ("bob", 2, 2),
    ]
    (pair,) = report["pairs"]
    dice = 2 * 32 / (64 + 64 + 9)
    assert pair["images"] == 2
    assert pair["dice_mean"] == pytest.approx((dice + 1) / 2)
    # Of one lesion of ann bob found one; of two of bob ann found one.
    assert pair["sensitivity"] == {"bob": 1.0, "ann": 0.5}
    assert pair["kappa"] == {"verdict": 1.0, "lesion": 1.0}
    assert report["kappa"] == {"readers": 2, "images": 2, "verdict": 1.0, "lesion": 1.0}

    eve = sign_in(serve_desk(open_desk(folder, consensus=True), reader="eve"))
    assert eve.get("/api/session")["consensus"] is True
    assert list(eve.numbers()) == ["images/a.png", "images/b.png"]
    facts = eve.get(f"/api/items/{a}")
    assert [(each["reader"], each["verdict"]) for each in facts["readers"]] == [
        ("ann", "correct"),
        ("bob", "correct"),
    ]
    both = np.zeros((HEIGHT, WIDTH), np.uint8)
    both[20:28, 14:18] = 1
    np.testing.assert_array_equal(eve.labels(f"/api/items/{a}/mask"), both)
    drawn = eve.labels(f"/api/items/{a}/mask", of="bob")
    assert drawn.sum() == 64 + 9
    assert eve.client.get(f"/api/items/{a}/mask", params={"of": "zoe"}).status_code == 404
    eve.draw(a, 0, 0, 0, 2, 2)
    decide(eve, a, "correct")
    assert eve.get("/api/session")["counts"] == {"total": 2, "reviewed": 1}
    assert len(eve.get("/api/agreement")["readers"]) == 2  # the consensus is no reading of its own
    np.testing.assert_array_equal(ann.labels(f"/api/items/{a}/mask"), square())


def test_readers_are_measured_by_repeats_and_known_masks(open_desk, serve_desk, sign_in, folder, tmp_path):
    known = tmp_path / "known"
    write_image(known / "images" / "k.png", picture(20))
    write_mask(known / "masks" / "k.png", square(), ColorMap.binary())
    desk = open_desk(folder, blind=True, repeats=1.0, known=known)
    reader = sign_in(serve_desk(desk))
    items = reader.get("/api/queue", order="random")["items"]
    assert len(items) == 3 + 3 + 1
    # Nothing tells which is which.
    for item in items:
        assert item["name"].startswith("image ")
        facts = reader.get(f"/api/items/{item['id']}")
        assert facts["draft"] == {"present": True, "hidden": True}
    assert len({item["name"] for item in items}) == 7
    rows = {item["id"]: desk.images.item(item["id"]) for item in items}
    by_key = {row.key: number for number, row in rows.items()}
    first, again, k = by_key["images/a.png"], by_key["repeat/images/a.png"], by_key["known/images/k.png"]
    for number, left in ((first, 10), (again, 14), (k, 12)):
        reader.draw(number, 0, left, 20, 8, 8)
        decide(reader, number, "correct" if number == first else "unsure")
    report = reader.get("/api/agreement")
    (repeats,) = report["repeats"].values()
    assert (repeats["images"], repeats["same_verdict"]) == (1, 0)
    assert repeats["dice_mean"] == pytest.approx(0.5)
    (measured,) = report["known"].values()
    assert measured["dice_mean"] == pytest.approx(2 * 48 / 128)
    assert (measured["lesions"], measured["found"], measured["further"]) == (1, 1, 0)
    assert measured["sensitivity"] == 1
    # What is drawn on one is not on the other, and the original does not show beside its repeat.
    assert rows[again].image == rows[first].image
    assert [each["id"] for each in reader.get(f"/api/items/{again}/views")["views"]] == [again]
    assert all(a != b for a, b in itertools.pairwise(item["name"] for item in items))


def test_readers_at_once_lose_nothing(address, sign_in):
    """Six draw on one mask: whoever comes second fetches the newest version and draws again."""
    readers = [sign_in(address) for _ in range(6)]
    number = readers[0].numbers()["images/c.png"]

    def draw(row):
        reader = readers[row]
        for column in range(4):
            place = {"x": 10 * column, "y": 10 * row, "width": 9, "height": 9}
            while True:
                version = reader.get(f"/api/items/{number}")["mask"]["version"]
                form = {"base_version": version, "box": place, "runs": [1, 81]}
                headers = {"X-Desk-CSRF": reader.csrf}
                answer = reader.client.post(f"/api/items/{number}/strokes", json=form, headers=headers)
                assert answer.status_code in (200, 409), answer.text
                if answer.status_code == 200:
                    break

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(draw, range(6)))
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row, column in itertools.product(range(6), range(4)):
        expected[10 * row : 10 * row + 9, 10 * column : 10 * column + 9] = 1
    np.testing.assert_array_equal(readers[0].labels(f"/api/items/{number}/mask"), expected)
    assert readers[0].get(f"/api/items/{number}")["mask"]["version"] == 24
