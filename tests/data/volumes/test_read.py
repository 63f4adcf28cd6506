"""Volumes: every axis where it belongs, labels at the place of their volume, and files that lie."""

import gzip
import re
import struct
import sys

import numpy as np
import pytest

from flexunet.data.volumes.read import (
    is_volume_file,
    label_suffix,
    parts_of_volume,
    read_volume,
    volume_size,
    volume_stem,
    write_labels,
)
from flexunet.errors import ImageError, PathError
from flexunet.extras import install_command

sitk = pytest.importorskip("SimpleITK")

VOXELS = np.random.default_rng(0).integers(-1000, 3000, (30, 20, 9)).astype(np.int16)
SUFFIXES = [".nii", ".nii.gz", ".mha", ".mhd"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_voxels_are_counted_as_the_file_counts_them(write_volume, tmp_path, suffix):
    path = write_volume(tmp_path / f"a{suffix}", VOXELS)
    volume = read_volume(path)
    assert np.array_equal(volume.voxels, VOXELS)
    assert volume_size(path) == (30, 20, 9)
    assert volume.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert [part.name for part in parts_of_volume(path)] == [f"a{suffix}"] + ["a.raw"] * (suffix == ".mhd")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_lie_where_their_volume_lies(write_volume, tmp_path, suffix):
    turned = (0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, 1)
    volume = read_volume(write_volume(tmp_path / f"a{suffix}", VOXELS, direction=turned))
    labels = (VOXELS > 2000).astype(np.uint8)
    path = tmp_path / "out" / f"a{label_suffix(volume.path)}"
    write_labels(path, labels, volume)
    written, source = sitk.ReadImage(str(path)), sitk.ReadImage(str(volume.path))
    assert written.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(read_volume(path).voxels, labels)
    # NIfTI keeps the place as 32-bit numbers.
    for ask in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(written, ask)(), getattr(source, ask)(), atol=2e-6)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def nifti(voxels, *, order="<", slope=0.0, intercept=0.0):
    """A NIfTI-1 file by hand, int16 voxels, 1 x 2 x 3 mm, neither qform nor sform."""
    head = bytearray(352)
    struct.pack_into(order + "i", head, 0, 348)
    struct.pack_into(order + "8h", head, 40, voxels.ndim, *voxels.shape, *(1,) * (7 - voxels.ndim))
    struct.pack_into(order + "2h", head, 70, 4, 16)  # int16
    struct.pack_into(order + "8f", head, 76, 1, 1, 2, 3, 0, 0, 0, 0)
    struct.pack_into(order + "3f", head, 108, 352, slope, intercept)
    head[344:348] = b"n+1\0"
    return bytes(head) + voxels.astype(f"{order}i2").tobytes(order="F")


@pytest.mark.parametrize("order", "<>")
def test_nifti_of_both_byte_orders_made_by_hand(tmp_path, order):
    (tmp_path / "a.nii").write_bytes(nifti(VOXELS, order=order))
    rescaled = nifti(VOXELS, order=order, slope=2.0, intercept=-5)
    (tmp_path / "b.NII.GZ").write_bytes(gzip.compress(rescaled))
    volume = read_volume(tmp_path / "a.nii")
    assert np.array_equal(volume.voxels, VOXELS)
    assert volume.spacing == (1, 2, 3)
    assert np.array_equal(read_volume(tmp_path / "b.NII.GZ").voxels, VOXELS * 2.0 - 5)


def test_names():
    from pathlib import Path

    assert [volume_stem(Path(name)) for name in ("a.b.nii", "a.nii.gz", "A.MHA", "a.mhd")] == [
        "a.b",
        "a",
        "A",
        "a",
    ]
    assert [label_suffix(Path(name)) for name in ("a.nii", "a.NII.GZ", "a.mha", "a.mhd")] == [
        ".nii", ".nii.gz", ".mha", ".mha",
    ]  # fmt: skip


def test_what_counts_as_a_volume(write_volume, tmp_path):
    write_volume(tmp_path / "a.nii.gz", VOXELS)
    write_volume(tmp_path / ".b.mha", VOXELS)
    (tmp_path / "c.gz").write_bytes(b"")
    (tmp_path / "d.nii").mkdir()
    assert [path.name for path in sorted(tmp_path.iterdir()) if is_volume_file(path)] == ["a.nii.gz"]


def edited(content, *edits):
    """Bytes with numbers put in: (offset, format, value)."""
    content = bytearray(content)
    for offset, form, value in edits:
        struct.pack_into(form, content, offset, value)
    return bytes(content)


NIFTI = nifti(VOXELS)
META = (
    b"ObjectType = Image\nNDims = 3\nBinaryData = True\nElementSpacing = 1 2 3\nDimSize = 30 20 9\n"
    b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n" + VOXELS.tobytes(order="F")
)
PACKED = gzip.compress(NIFTI)
BAD = {
    "empty.nii": (b"", "is empty"),
    "text.nii": (b"no volume " * 60, "no NIfTI file"),
    "text.nii.gz": (b"no volume " * 60, "damaged"),
    "text.mha": (b"no volume " * 60, "no MetaImage file"),
    "short.nii": (NIFTI[:300], "no NIfTI file"),
    "half.nii": (NIFTI[: len(NIFTI) // 2], "truncated"),
    "less.nii": (NIFTI[:-1], "truncated"),
    "half.nii.gz": (PACKED[: len(PACKED) // 2], "truncated"),
    "sum.nii.gz": (PACKED[:-8] + b"12345678", "damaged"),
    "half.mha": (META[: len(META) // 2], "truncated|damaged"),
    "nan.nii": (edited(NIFTI, (80, "<f", float("nan"))), "a spacing of nan x 2 x 3"),
    "inf.nii": (edited(NIFTI, (84, "<f", float("inf"))), "a spacing of 1 x inf x 3"),
    "zero.nii": (edited(NIFTI, (88, "<f", 0)), "a spacing of 1 x 2 x 0"),
    "negative.nii": (edited(NIFTI, (80, "<f", -1)), "expected positive numbers"),
    "nan.mha": (META.replace(b"1 2 3", b"1 nan 3"), "a spacing of 1 x nan x 3"),
    "word.mha": (META.replace(b"1 2 3", b"1 two 3"), "a spacing of nan"),
    "negative.mha": (META.replace(b"1 2 3", b"1 -2 3"), "expected positive numbers"),
    "bomb.nii": (
        edited(NIFTI, *((offset, "<h", 30000) for offset in (42, 44, 46))),
        "too large: 30000 x 30000 x 30000",
    ),
    "bomb.nii.gz": (
        gzip.compress(edited(NIFTI, *((offset, "<h", 2000) for offset in (42, 44)))),
        "too large: 2000 x 2000 x 9 voxels in a file",
    ),
    "bomb.mha": (META.replace(b"30 20 9", b"30000 30000 30000"), "too large"),
    "minus.mha": (META.replace(b"30 20 9", b"-30 20 9"), "too large"),
    "minus.nii": (edited(NIFTI, (42, "<h", -3)), "damaged NIfTI header"),
    "second.nii": (edited(NIFTI, (0, "<i", 540)), "NIfTI-2, which is not read"),
    "many.nii": (edited(NIFTI, (40, "<h", 9)), "damaged NIfTI header"),
    "kind.mha": (META.replace(b"MET_SHORT", b"MET_WORD"), "no readable volume"),
    "flat.nii": (nifti(VOXELS[..., 0]), "has 2 axes .* flexunet infer"),
    "four.nii": (nifti(np.stack([VOXELS, VOXELS], axis=3)), r"has 4 axes \(30 x 20 x 9 x 2\)"),
    "thin.nii": (nifti(VOXELS[:, :2, :2]), "slices of at least 8 x 8"),
    "elsewhere.mhd": (META.replace(b"LOCAL", b"../other/a.raw"), "expected one file beside it"),
    "absolute.mhd": (META.replace(b"LOCAL", b"/etc/services"), "expected one file beside it"),
    "listed.mhd": (META.replace(b"LOCAL", b"LIST"), "expected one file beside it"),
    "pattern.mhd": (META.replace(b"LOCAL", b"a%03d.raw 1 9 1"), "expected one file beside it"),
    "colon.mhd": (
        META.replace(b"ElementDataFile", b"ElementDataFile : /etc/services =\nElementDataFile"),
        "is no MetaImage file",
    ),
    "alone.mhd": (META.replace(b"LOCAL", b"gone.raw"), "'gone.raw', which is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        read_volume(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (0.0, 0.0, (1, 0)),  # no scaling, by the standard
        (0.0, 7.0, (1, 0)),  # and then no intercept either
        (float("nan"), float("nan"), (1, 0)),
        (float("nan"), 7.0, (1, 0)),
        (0.0, float("inf"), (1, 0)),
        (2.0, 0.0, (2, 0)),
        (2.0, 5.0, (2, 5)),
        (2.0, float("nan"), (2, 0)),
        (-1.0, 0.0, (-1, 0)),
        (float("inf"), 0.0, None),
        (float("-inf"), 0.0, None),
        (1.0, float("inf"), None),
        (1e38, 0.0, None),
    ],
)
def test_slopes_of_nifti(write_volume, tmp_path, slope, intercept, expected, packed):
    voxels = (np.arange(3 * 12 * 10).reshape(10, 12, 3) % 900).astype(np.int16)
    content = bytearray(write_volume(tmp_path / "a.nii", voxels).read_bytes())
    struct.pack_into("<2f", content, 112, slope, intercept)
    path = tmp_path / ("b.nii.gz" if packed else "b.nii")
    path.write_bytes(gzip.compress(bytes(content)) if packed else bytes(content))
    if expected is None:
        with pytest.raises(ImageError, match=r"b\.nii.* has scl_slope .*: expected finite numbers"):
            read_volume(path)
        return
    times, plus = expected
    np.testing.assert_array_equal(read_volume(path).voxels, voxels.astype(np.float32) * times + plus)


def test_more_than_one_number_a_voxel(tmp_path):
    image = sitk.GetImageFromArray(VOXELS.T.astype(np.float32))
    sitk.WriteImage(sitk.Compose(image, image, image), tmp_path / "colour.nii")
    sitk.WriteImage(sitk.RealAndImaginaryToComplex(image, image), tmp_path / "complex.mha")
    for name in ("colour.nii", "complex.mha"):
        with pytest.raises(ImageError, match="more than one number a voxel"):
            volume_size(tmp_path / name)


def test_axes_that_are_not_at_right_angles(write_volume, tmp_path):
    content = bytearray(write_volume(tmp_path / "a.nii", VOXELS).read_bytes())
    for row, values in enumerate([(1, 0.3, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]):
        struct.pack_into("<4f", content, 280 + 16 * row, *values)
    struct.pack_into("<2h", content, 252, 0, 1)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match="not at right angles"):
        volume_size(tmp_path / "a.nii")


def test_missing_files_folders_and_simpleitk(write_volume, tmp_path, monkeypatch):
    with pytest.raises(ImageError, match="does not exist"):
        read_volume(tmp_path / "a.nii")
    with pytest.raises(ImageError, match="is a folder"):
        read_volume(tmp_path)
    path = write_volume(tmp_path / "a.nii", VOXELS)
    volume = read_volume(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PathError, match="part of its path is a file"):
        write_labels(tmp_path / "file" / "a.nii", np.zeros(VOXELS.shape, np.uint8), volume)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImageError, match=re.escape(install_command("volumes"))):
        read_volume(path)
