"""Compressed frames: bombs, damage, and decoders that are missing."""

import base64
import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flexunet.data.dicom.read import read_dicom, read_facts
from flexunet.data.images.files.read import read_image
from flexunet.errors import ImageError
from flexunet.extras import install_command

pytest.importorskip("pydicom")

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
SMALL = np.arange(8 * 9, dtype=np.uint8).reshape(8, 9)


@pytest.fixture(scope="module")
def real(mammograms):
    return mammograms / "dicom" / "real"


@pytest.mark.filterwarnings("ignore")  # pydicom warns as well
def test_truncated_compressed(real, tmp_path):
    whole = (real / "RG3_J2KI.dcm").read_bytes()
    path = tmp_path / "half.dcm"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"half\.dcm.*again"):
        read_image(path)


def test_a_compressed_frame_larger_than_its_header_is_not_unpacked(write_dicom, tmp_path):
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12)
    for syntax in ("JPEG2000Lossless", "JPEGLSLossless"):
        dataset = pydicom.dcmread(path)
        dataset.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
        dataset.Rows = 32
        dataset.save_as(tmp_path / "b.dcm")
        with pytest.raises(ImageError, match="says 64 x 32 pixels, the compressed frame 64 x 64"):
            read_image(tmp_path / "b.dcm")


# SOC and SIZ of a JPEG 2000 codestream of 64 x 64 pixels, one component (ISO 15444-1 A.5.1).
WHOLE = bytes.fromhex(
    "ff4fff51002900000000004000000040" + 8 * "00" + 2 * "00000040" + 8 * "00" + "00010b0101"
)
HIDING_PLACES = {
    "as it is": lambda frame: encapsulated(frame),
    "behind a long offset table": lambda frame: encapsulated(
        frame, table=struct.pack("<2048I", 0, *[4096] * 2047)
    ),
    "in two parts": lambda frame: encapsulated(frame[:6], frame[6:]),
    "in a JP2 file": lambda frame: encapsulated(
        b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"uuid", WHOLE[:100]) + box(b"jp2c", frame)
    ),
}


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def encapsulated(*parts, table=b""):
    """Encapsulated pixel data (PS3.5 A.4): the offset table, and the parts of one frame."""
    items = (b"\xfe\xff\0\xe0" + struct.pack("<I", len(part)) + part for part in (table, *parts))
    return b"".join(items) + b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize("place", HIDING_PLACES)
@pytest.mark.parametrize(
    ("at", "value", "found"),
    [(8, struct.pack(">I", 2048), "2048 x 64 of 1"), (40, struct.pack(">H", 500), "64 x 64 of 500")],
)
def test_a_bomb_in_a_jpeg_2000_frame_is_found_wherever_it_hides(
    write_dicom, tmp_path, place, at, value, found
):
    bomb = WHOLE[:at] + value + WHOLE[at + len(value) :]
    path = write_dicom(
        tmp_path / "a.dcm",
        RAMP,
        syntax="1.2.840.10008.1.2.4.90",
        BitsStored=12,
        PixelData=HIDING_PLACES[place](bomb),
    )
    with pytest.raises(ImageError, match=f"says 64 x 64 pixels, the compressed frame {found} components"):
        read_image(path)


def test_a_jpeg_2000_file_inside_dicom_is_read(real, tmp_path):
    import pydicom

    dataset = pydicom.dcmread(real / "RG3_J2KR.dcm")
    frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    expected = read_image(real / "RG3_J2KR.dcm")
    dataset.PixelData = encapsulated(b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"jp2c", frame))
    dataset.save_as(tmp_path / "a.dcm")
    assert np.array_equal(read_image(tmp_path / "a.dcm"), expected)


@pytest.mark.parametrize(
    "syntax", ["JPEG2000Lossless", "JPEGLSLossless", "JPEGBaseline8Bit", "JPEGLosslessSV1"]
)
def test_a_frame_that_tells_no_size_is_not_unpacked(write_dicom, tmp_path, syntax):
    import pydicom

    uid = getattr(pydicom.uid, syntax)
    data = encapsulated(b"\xff\xd8" + bytes(98))
    path = write_dicom(tmp_path / "a.dcm", RAMP, syntax=uid, BitsStored=12, PixelData=data)
    with pytest.raises(ImageError, match=r"the compressed frame of no known size\. Export"):
        read_image(path)


def test_missing_codec_is_named_with_the_remedy(write_dicom, tmp_path):
    import pydicom
    from pydicom.encaps import encapsulate

    path = write_dicom(
        tmp_path / "a.dcm", SMALL, syntax=pydicom.uid.HEVCMP51, PixelData=encapsulate([bytes(100)])
    )
    with pytest.raises(
        ImageError, match=r"compressed as HEVC.*cannot be decoded.*pip install.*gdcmconv --raw"
    ):
        read_image(path)


# SMALL * 57 as 16-bit lossless JPEG (process 14, first-order prediction), made by GDCM 3.2.6.
LOSSLESS_JPEG = (
    "/9j/wwALEAAIAAkBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABgoQ/9oACAEBAAEAAM5cuXLly5c0AuXLly5cuXNALly5cuXLlzQC5cuXLly5"
    "c0AuXLly5cuXNALly5cuXLlzQC5cuXLly5c0AuXLly5cuXP/2Q=="
)


# Python as it is where pylibjpeg-libjpeg is not installed.
WITHOUT_LIBJPEG = """
import sys
from importlib import metadata

sys.modules["libjpeg"] = None
every = metadata.entry_points
metadata.entry_points = lambda **asked: [each for each in every(**asked) if "libjpeg" not in each.value]
import numpy as np
from flexunet.data.dicom.read import read_dicom, read_facts

np.save(sys.argv[2], read_dicom(sys.argv[1], "stored").pixels)
"""


def read_without_libjpeg(path):
    """Exit code, pixels where there are any, and what was said."""
    target = path.with_suffix(".npy")
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBJPEG, path, target], capture_output=True, text=True, check=False
    )
    return np.load(target)[..., 0] if answer.returncode == 0 else None, answer.stderr


@pytest.mark.parametrize("syntax", ["JPEGLossless", "JPEGLosslessSV1"])
def test_lossless_jpeg_needs_the_extra_that_is_under_the_gpl(write_dicom, tmp_path, syntax):
    import pydicom
    from pydicom.encaps import encapsulate

    stored = SMALL.astype(np.uint16) * 57
    path = write_dicom(
        tmp_path / "a.dcm",
        stored,
        syntax=getattr(pydicom.uid, syntax),
        BitsStored=12,
        PixelData=encapsulate([base64.b64decode(LOSSLESS_JPEG)]),
    )
    pixels, said = read_without_libjpeg(path)
    assert pixels is None
    assert "compressed as JPEG Lossless" in said
    assert "under the GPL" in said
    assert install_command("dicom-gpl") in said
    pytest.importorskip("libjpeg")
    damaged = bytearray(path.read_bytes())
    at = damaged.index(b"\xff\xc3") + 4
    damaged[at] = 99  # bits a sample
    path.with_name("damaged.dcm").write_bytes(damaged)
    with pytest.raises(ImageError, match="truncated or damaged"):
        read_dicom(path.with_name("damaged.dcm"))
    assert np.array_equal(read_dicom(path, "stored").pixels[..., 0], stored)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "JPEGLSLossless"])
def test_what_is_free_is_decoded_without_that_extra(write_dicom, tmp_path, syntax):
    import pydicom

    dataset = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12))
    dataset.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
    dataset.save_as(tmp_path / "b.dcm")
    found, said = read_without_libjpeg(tmp_path / "b.dcm")
    assert found is not None, said
    assert np.array_equal(found, RAMP)


def test_eight_bit_jpeg_is_decoded_without_that_extra(write_dicom, tmp_path):
    import pydicom
    from pydicom.encaps import encapsulate

    stored = np.add.outer(np.arange(40) * 3, np.arange(50) * 2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(stored).save(stream, "JPEG", quality=95)
    path = write_dicom(
        tmp_path / "a.dcm",
        stored,
        syntax=pydicom.uid.JPEGBaseline8Bit,
        PixelData=encapsulate([stream.getvalue()]),
    )
    found, said = read_without_libjpeg(path)
    assert found is not None, said
    assert np.abs(found.astype(int) - stored).max() <= 4


@pytest.mark.parametrize(
    ("stored", "after", "shift"),
    [
        (12, {}, 0),
        (12, {"BitsStored": 16, "HighBit": 15}, 0),
        (16, {"BitsStored": 12, "HighBit": 11}, 0),
        (12, {"HighBit": 15}, 0),  # a place in words that the stream does not have
        (13, {"PixelRepresentation": 1}, 4096),
    ],
)
def test_a_stream_whose_header_was_edited_is_never_shifted(write_dicom, tmp_path, stored, after, shift):
    import pydicom

    dataset = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=stored))
    dataset.compress(pydicom.uid.JPEG2000Lossless, generate_instance_uid=False)
    for name, value in after.items():
        setattr(dataset, name, value)
    dataset.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_dicom(tmp_path / "a.dcm", "stored").pixels[..., 0], RAMP + shift)
    doubts = read_facts(tmp_path / "a.dcm").doubts(tmp_path / "a.dcm")
    assert [text for text in doubts if "unsigned" in text] == (doubts if shift else [])
    assert bool(shift) == bool(doubts)


@pytest.mark.parametrize("compress", [False, True])
def test_bits_of_words_are_taken_from_where_they_are(write_dicom, tmp_path, compress):
    """RLE packs the words of BitsAllocated as they are."""
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", RAMP << 4, BitsStored=12, HighBit=15)
    if compress:
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(read_dicom(path, "stored").pixels[..., 0], RAMP)
