import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flexunet.data.annotations.read import read_annotations
from flexunet.data.images.regions import find_class_regions
from flexunet.inference.outputs.contours import (
    coco_annotations,
    fill_outline,
    outline_of,
    run_lengths,
    write_coco,
)
from flexunet.inference.outputs.lesions import measure_lesions

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 2)
)


def shoelace(outline):
    x, y = outline.astype(int).T
    return abs(int(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2


def test_a_rectangle_has_four_corners():
    outline = outline_of(np.ones((2, 3), bool))
    assert sorted(map(tuple, outline.tolist())) == [(0, 0), (0, 2), (3, 0), (3, 2)]
    assert shoelace(outline) == 6


def test_a_ring_is_one_polygon_with_a_cut():
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    outline = outline_of(ring)
    assert len(outline) == 4 + 1 + 5  # outer corners, one of them twice, and the hole, closed
    assert shoelace(outline) == 8
    assert np.array_equal(fill_outline(outline, 3, 3), ring)


@settings(max_examples=300)
@given(MASKS)
def test_filling_gives_back_the_mask_exactly(mask):
    for region in find_class_regions(mask):
        outline = outline_of(region.inside)
        assert np.array_equal(fill_outline(outline, *region.inside.shape), region.inside)
        assert shoelace(outline) == region.area


def test_coco_file_round_trip(tmp_path):
    random = np.random.default_rng(0)
    masks = [(random.random((20, 31)) < share).astype(np.uint8) for share in (0, 0.2, 0.6, 0.9)]
    masks[1] *= 2
    images = []
    for number, mask in enumerate(masks):
        annotations = coco_annotations(mask, measure_lesions(mask))
        images.append((f"{number}.png", 31, 20, annotations))
    write_coco(tmp_path / "contours.json", images, ["mass", "calcification"])
    document = json.loads((tmp_path / "contours.json").read_text())
    assert [image["id"] for image in document["images"]] == [1, 2, 3, 4]
    assert [category["name"] for category in document["categories"]] == ["mass", "calcification"]
    identities = [annotation["id"] for annotation in document["annotations"]]
    assert identities == list(range(1, len(identities) + 1))
    for number, mask in enumerate(masks, start=1):
        back = np.zeros_like(mask)
        for annotation in document["annotations"]:
            if annotation["image_id"] != number:
                continue
            (polygon,) = annotation["segmentation"]
            inside = fill_outline(np.array(polygon).reshape(-1, 2), 20, 31)
            assert annotation["area"] == inside.sum()
            rows, columns = np.nonzero(inside)
            x, y, width, height = annotation["bbox"]
            assert (x, y) == (columns.min(), rows.min())
            assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
            back[inside] = annotation["category_id"]
        assert np.array_equal(back, mask)


def test_our_own_reader_of_annotations_gives_back_the_masks(tmp_path):
    random = np.random.default_rng(1)
    mask = (random.random((24, 30)) < 0.5).astype(np.uint8)
    mask[5:15, 5:15] = 1
    mask[8:12, 8:12] = 0
    write_coco(
        tmp_path / "contours.json",
        [("a.png", 30, 24, coco_annotations(mask, measure_lesions(mask)))],
        ["lesion"],
    )
    read = read_annotations(tmp_path / "contours.json")
    assert np.array_equal(read["a"].rasterise(30, 24), mask)


def test_lesions_of_another_mask_are_refused():
    with pytest.raises(ValueError, match="zip"):
        coco_annotations(np.ones((2, 2), np.uint8), [])


def test_run_lengths_by_hand():
    mask = np.array([[1, 0, 1], [1, 1, 1]], np.uint8)
    (region,) = find_class_regions(mask)
    assert run_lengths(region, 2, 3) == [0, 2, 1, 3]
    (corner,) = find_class_regions(np.array([[0, 0], [0, 1]], np.uint8))
    assert run_lengths(corner, 2, 2) == [3, 1]


def test_a_lesion_riddled_with_holes_is_given_by_run_lengths(tmp_path):
    mask = np.ones((60, 50), np.uint8)
    mask[1:-1:2, 1:-1:2] = 0  # 29 times 24 holes
    mask[:, 40:] = 0
    mask[10:20, 44:48] = 1
    annotations = coco_annotations(mask, measure_lesions(mask))
    assert isinstance(annotations[0]["segmentation"], dict)
    assert isinstance(annotations[1]["segmentation"], list)
    write_coco(tmp_path / "contours.json", [("a.png", 50, 60, annotations)], ["lesion"])
    read = read_annotations(tmp_path / "contours.json")
    assert np.array_equal(read["a"].rasterise(50, 60), mask)
