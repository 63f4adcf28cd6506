"""Lesions in three dimensions: measures worked by hand, and bodies of known size."""

import numpy as np
import pytest

from flexunet.data.images.regions import drop_small_bodies, find_bodies
from flexunet.inference.volumes.lesions import measure_bodies

SPACING = (0.5, 0.8, 3.0)


def test_a_box_measured_by_hand():
    labels = np.zeros((20, 24, 10), np.uint8)
    labels[3:7, 5:15, 2:5] = 1  # 4 x 10 x 3 voxels: 2 x 8 x 9 mm
    certainty = np.full(labels.shape, 0.5, np.float16)
    certainty[3, 5, 2] = 1
    (row,) = measure_bodies(labels, certainty, SPACING, depth=2)
    assert row == {
        "lesion": 1,
        "label": 1,
        "voxels": 120,
        "volume_mm3": 144.0,
        "slices": 3,
        "first_slice": 2,
        "last_slice": 4,
        "long_axis_mm": round(float(np.sqrt(2**2 + 8**2 + 9**2)), 3),
        "slice_axis_mm": round(float(np.hypot(2, 8)), 3),
        "mean_probability": round((119 * 0.5 + 1) / 120, 6),
        "max_probability": 1.0,
        "x": 4.5,
        "y": 9.5,
        "z": 3.0,
    }
    (row,) = measure_bodies(labels, certainty, SPACING, depth=1)
    assert (row["slices"], row["first_slice"], row["last_slice"]) == (10, 5, 14)
    assert row["slice_axis_mm"] == round(float(np.hypot(2, 9)), 3)
    assert row["long_axis_mm"] == round(float(np.sqrt(2**2 + 8**2 + 9**2)), 3)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_ball_has_its_volume_and_diameter(depth):
    spacing = np.array([0.4, 0.5, 0.6])
    places = np.indices((40, 36, 32)) * spacing.reshape(3, 1, 1, 1)
    middle = np.array([8.0, 9.0, 9.6]).reshape(3, 1, 1, 1)
    labels = (((places - middle) ** 2).sum(axis=0) <= 6**2).astype(np.uint8)
    (row,) = measure_bodies(labels, labels.astype(np.float16), tuple(spacing), depth)
    assert row["volume_mm3"] == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    for axis in ("long_axis_mm", "slice_axis_mm"):
        assert 12 - 0.6 < row[axis] < 12 + np.linalg.norm(spacing)
    assert np.array([row["x"], row["y"], row["z"]]) * spacing == pytest.approx([8.0, 9.0, 9.6], abs=0.05)


def test_what_touches_at_a_corner_is_one_body_and_classes_are_apart():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[0, 0, 0] = labels[1, 1, 1] = 2
    labels[2, 2, 2] = labels[5, 5, 5] = 1
    found = [
        (label, tuple(axis.start for axis in box), int(inside.sum()))
        for label, box, inside in find_bodies(labels)
    ]
    assert found == [(1, (2, 2, 2), 1), (1, (5, 5, 5), 1), (2, (0, 0, 0), 2)]
    assert list(find_bodies(np.zeros((3, 3, 3), np.uint8))) == []


def test_small_bodies_are_dropped_by_their_volume():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[0:2, 0, 0] = 1  # 2 voxels of 1.2 mm3
    labels[5:8, 5, 5] = 1  # 3
    drop_small_bodies(labels, 2.4, SPACING)
    assert labels.sum() == 5
    drop_small_bodies(labels, 2.5, SPACING)
    assert (labels.sum(), labels[5:8, 5, 5].sum()) == (3, 3)
