import struct
import zipfile

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.masks.read import read_mask
from flexunet.errors import MaskError

BINARY = ColorMap.binary()
FOUR = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3})
SQUARES = np.zeros((40, 50), np.uint8)
SQUARES[5:15, 5:20], SQUARES[20:35, 10:25], SQUARES[8:30, 30:45] = 1, 2, 3
DISC = np.hypot(*np.mgrid[-20:20, -20:20]) < 12


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.float64, bool])
def test_one_hot_arrays(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", mask=np.eye(4)[SQUARES].astype(dtype))
    assert np.array_equal(read_mask(tmp_path / "a.npz", FOUR), SQUARES)


def test_arrays_of_one_channel(tmp_path):
    np.savez(tmp_path / "a.npz", mask=DISC[..., None].astype(np.float32) * 0.9)
    assert np.array_equal(read_mask(tmp_path / "a.npz", BINARY), DISC)
    np.savez(tmp_path / "b.npz", mask=SQUARES[..., None].astype(np.int64))
    assert np.array_equal(read_mask(tmp_path / "b.npz", FOUR), SQUARES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": SQUARES}, "expected the key 'mask', found image"),
        ({"mask": SQUARES * 2}, "indices 0 to 3, found values from 0 to 6"),
        ({"mask": SQUARES.astype(int) - 1}, "found values from -1 to 2"),
        ({"mask": SQUARES / 2}, "expected class indices"),
        ({"mask": np.full((2, 2), np.nan)}, "expected class indices"),
        ({"mask": np.eye(3)[SQUARES % 3]}, "3 classes in the array, 4 in"),
        ({"mask": np.zeros(5)}, "found float64"),
        ({"mask": np.array([["a"]])}, "found <U1"),
        ({"mask": np.zeros((0, 3))}, "found float64"),
    ],
)
def test_arrays_that_are_no_mask(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MaskError, match=message):
        read_mask(tmp_path / "a.npz", FOUR)


def declare(path, shape, dtype="|u1"):
    """An `.npz` file whose header declares an array of any size, over a few bytes."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "mask.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(64)
        )


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((60000, 60000), "|u1"), ((10**23, 1), "|u1"), ((8, 8, 10**9), "<f4"), ((8, 8), "<U100000")],
)
def test_an_array_too_large_is_refused_by_its_header(tmp_path, shape, dtype):
    declare(tmp_path / "a.npz", shape, dtype)
    with pytest.raises(MaskError, match=r"a\.npz (declares an array|cannot be read)"):
        read_mask(tmp_path / "a.npz", BINARY)


def test_an_encrypted_array_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, mask=SQUARES)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1  # the flag of encryption
    path.write_bytes(content)
    with pytest.raises(MaskError, match=r"a\.npz cannot be read"):
        read_mask(path, FOUR)


def test_nothing_in_an_array_file_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    np.savez(tmp_path / "a.npz", mask=np.array([[Trap()]], object))
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(tmp_path / "a.npz", BINARY)
