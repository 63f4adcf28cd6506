"""Slices: as OpenCV would turn them, and back where they came from."""

from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.inference.volumes.slices import SliceAxes, grey_levels

VOXELS = np.random.default_rng(0).integers(0, 9999, (4, 5, 6)).astype(np.int16)
ROTATIONS = [None, "cv2.ROTATE_90_CLOCKWISE", "cv2.ROTATE_180", "cv2.ROTATE_90_COUNTERCLOCKWISE"]


@pytest.mark.parametrize("order", ["".join(letters) for letters in permutations("hwd")])
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_slices_are_cut_and_turned_as_opencv_does(order, rotation):
    section = Config(infer3d={"slice_shape_order": order, "slice_rotation": rotation}).infer3d
    axes = SliceAxes.configured(section, Path("a.nii.gz"))
    slices = axes.slices_of(VOXELS)
    assert len(slices) == VOXELS.shape[order.index("d")]
    for index, found in enumerate(slices):
        plane = np.take(VOXELS, index, axis=order.index("d"))
        rows_first = plane if order.replace("d", "") == "hw" else plane.T
        expected = cv2.rotate(rows_first, getattr(cv2, rotation[4:])) if rotation else rows_first
        assert np.array_equal(found, expected)
    labels = np.zeros_like(VOXELS, order="F")
    axes.slices_of(labels)[:] = slices
    assert np.array_equal(labels, VOXELS)


@pytest.mark.parametrize("order", ["".join(letters) for letters in permutations("hwd")])
@pytest.mark.parametrize("name", ["a.mha", "a.MHD"])
def test_axes_of_metaimage_are_counted_as_the_published_system_counts_them(order, name):
    """SimpleITK gives its array the slowest axis first; the published slices are those of that array."""
    section = Config(infer3d={"slice_shape_order": order, "slice_rotation": None}).infer3d
    array = VOXELS.transpose(2, 1, 0)
    published = array.transpose([order.index(letter) for letter in "dhw"])
    assert np.array_equal(SliceAxes.configured(section, Path(name)).slices_of(VOXELS), published)


def test_published_values_of_the_rotation_and_what_is_no_rotation(tmp_path):
    path = tmp_path / "a.config"
    for text, expected in [
        ('"cv2.ROTATE_90_CLOCKWISE"', ROTATIONS[1]),
        ('"cv2.ROTATE_180"', ROTATIONS[2]),
        ('"ROTATE_90_COUNTERCLOCKWISE"', ROTATIONS[3]),
        ("None", None),
    ]:
        path.write_text(f"[infer3d]\nslice_rotation = {text}\n")
        config = load_config(path, strict=True)
        assert config.infer3d.slice_rotation == expected
        assert config.notes == []
    path.write_text(
        "[infer3d]\nslice_rotation = cv2.ROTATE_180\n"
    )  # without its quotes: understood, and said
    assert load_config(path).infer3d.slice_rotation == ROTATIONS[2]
    for text in ("cv2.ROTATE_45", '"cv2.ROTATE_45"', "__import__('os').getcwd()", "0"):
        path.write_text(f"[infer3d]\nslice_rotation = {text}\n")
        with pytest.raises(ConfigError, match="slice_rotation"):
            load_config(path, strict=True)


def test_grey_levels_worked_by_hand():
    values = np.array([[-100, 0], [100, 300]], np.int16)
    assert grey_levels(values, True).tolist() == [[0, 63.75], [127.5, 255]]
    assert grey_levels(values, False).tolist() == [[0, 0], [100, 255]]
    assert grey_levels(np.full((2, 2), 7), True).tolist() == [[0, 0], [0, 0]]
    odd = np.array([[np.nan, 1.0], [3.0, -np.inf]])
    assert grey_levels(odd, True).tolist() == [[0, 0], [255, 0]]
    assert grey_levels(np.full((2, 2), np.nan), True).tolist() == [[0, 0], [0, 0]]
    assert grey_levels(values, True).dtype == np.float32
    # The whole range of 16 bits arrives: no two values fall together.
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert len(np.unique(grey_levels(deep, True))) == 65536
