import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flexunet.data.cache.pair_reader import PairReader
from flexunet.data.dicom.header import view_of
from flexunet.data.dicom.read import is_dicom_file, read_dicom, refusing_damage
from flexunet.data.images.files.header import image_size
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.names import image_stem
from flexunet.data.images.files.read import read_image
from flexunet.data.images.pixels import to_model_range
from flexunet.errors import ConfigError, ImageError
from flexunet.extras import install_command

pydicom = pytest.importorskip("pydicom")

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
SMALL = np.arange(8 * 9, dtype=np.uint8).reshape(8, 9)


@pytest.fixture(scope="module")
def real(mammograms):
    return mammograms / "dicom" / "real"


@pytest.fixture(scope="module")
def constructed(mammograms):
    return mammograms / "dicom" / "constructed_from_real_pixels"


@pytest.mark.parametrize("kind", ["mono1", "mono2"])
def test_stored_values_are_exactly_those_expected_of_a_real_mammogram(constructed, kind):
    expected = read_image(constructed / "nyu_0_R-CC_half_expected.png", 1)
    path = constructed / f"nyu_0_R-CC_half_{kind}_12bit.dcm"
    assert np.array_equal(read_dicom(path, "stored").pixels, expected)
    # 12 bits onto 16: 4095 becomes 65535. MONO2 has a window over all of them, MONO1 has none.
    stretched = np.rint(expected / 4095 * 65535)
    assert np.array_equal(read_dicom(path).pixels, stretched)
    image = read_image(path)
    assert image.dtype == np.uint16
    assert image.shape == (1072, 400, 3)
    # All grey levels reach the model.
    assert len(np.unique(to_model_range(image))) == len(np.unique(expected))
    assert (read_dicom(path).laterality, read_dicom(path).view) == ("R", "CC")


def test_eight_bit_mammogram_is_the_png_it_was_made_from(mammograms, constructed):
    expected = read_image(mammograms / "mini_mias_512/images/mdb001.png", 1)
    image = read_image(constructed / "mini_mias_mdb001_8bit.dcm", 1)
    assert np.array_equal(to_model_range(image), expected)


def test_real_files_of_other_body_parts(real):
    lossless, lossy = (read_dicom(real / f"RG3_J2K{kind}.dcm") for kind in "RI")
    assert lossless.pixels.shape == lossy.pixels.shape == (1760, 1760, 1)
    difference = np.abs(lossless.pixels.astype(int) - lossy.pixels)
    assert 0 < difference.mean() < 0.01 * 65535
    assert (lossless.laterality, lossless.view, lossless.spacing_mm) == ("R", "AP", None)
    pattern = read_dicom(real / "MG_Explicit_Little.dcm")
    # Calibrated by a fiducial, so the magnification of 1.5 is not applied to 0.25 mm.
    assert pattern.spacing_mm == (0.25, 0.25)
    assert pattern.view == "CC"  # from ViewCodeSequence, R-10242
    thorax = read_dicom(real / "highdicom_dx_image.dcm", "full")
    # MONOCHROME1, 8 bits stored, from 5 to 255: the brightest is 250 of 255.
    assert (thorax.pixels.min(), thorax.pixels.max()) == (0, 250 * 257)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "JPEGLSLossless"])
def test_compressed_without_loss_is_the_same_image(write_dicom, tmp_path, syntax):
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12)
    dataset = pydicom.dcmread(path)
    dataset.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
    dataset.save_as(tmp_path / "b.dcm")
    assert np.array_equal(read_dicom(tmp_path / "b.dcm", "stored").pixels[..., 0], RAMP)


def grey(path, window="auto"):
    return read_dicom(path, window).pixels[..., 0]


def test_full_scales_by_bits_stored_and_range_by_what_is_present(write_dicom, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.clip(RAMP, 1000, 3000), BitsStored=12)
    assert np.array_equal(grey(path), np.rint(np.clip(RAMP, 1000, 3000) / 4095 * 65535))
    assert np.array_equal(grey(path, "range"), np.rint((np.clip(RAMP, 1000, 3000) - 1000) / 2000 * 65535))


def test_signed_values_count_from_the_least(write_dicom, tmp_path):
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    path = write_dicom(tmp_path / "a.dcm", signed, BitsStored=12)
    assert np.array_equal(grey(path, "stored"), RAMP)
    assert np.array_equal(grey(path), np.rint(RAMP / 4095 * 65535))


def test_bits_beyond_those_stored_are_not_pixels(write_dicom, tmp_path):
    with_overlay = RAMP | ((RAMP & 1) << 15)
    assert np.array_equal(grey(write_dicom(tmp_path / "a.dcm", with_overlay, BitsStored=12), "stored"), RAMP)
    signed = ((RAMP.astype(np.int32) - 2048) & 0xFFF).astype(np.uint16).view(np.int16)  # no sign extension
    assert np.array_equal(grey(write_dicom(tmp_path / "b.dcm", signed, BitsStored=12), "stored"), RAMP)
    shifted = write_dicom(tmp_path / "c.dcm", RAMP << 4, BitsStored=12, HighBit=15)
    assert np.array_equal(grey(shifted, "stored"), RAMP)


def test_window_worked_by_hand(write_dicom, tmp_path):
    # Rescaled to 2x - 100. LINEAR, centre 100.5, width 101: 50 is black, 150 is white, 100 is half.
    path = write_dicom(
        tmp_path / "a.dcm",
        SMALL * 2,
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=100.5,
        WindowWidth=101,
    )
    stored = SMALL.astype(int) * 2
    expected = np.clip((2 * stored - 100 - 50) / 100, 0, 1)
    np.testing.assert_allclose(grey(path), expected * 65535, atol=0.51)
    assert np.array_equal(grey(path, "100.5,101"), grey(path))
    assert grey(path, "full").min() == 0
    exact = write_dicom(
        tmp_path / "b.dcm", SMALL, WindowCenter=[40, 1], WindowWidth=[20, 2], VOILUTFunction="LINEAR_EXACT"
    )
    assert np.array_equal(grey(exact), np.rint(np.clip((SMALL - 40.0) / 20 + 0.5, 0, 1) * 65535))
    sigmoid = write_dicom(
        tmp_path / "c.dcm", SMALL, WindowCenter=40, WindowWidth=20, VOILUTFunction="SIGMOID"
    )
    assert np.array_equal(grey(sigmoid), np.rint(65535 / (1 + np.exp(-4 * (SMALL - 40.0) / 20))))
    step = write_dicom(tmp_path / "d.dcm", SMALL, WindowCenter=40, WindowWidth=1)
    assert np.array_equal(grey(step), (SMALL > 39.5) * 65535)


def test_polarity_is_resolved_after_the_window(write_dicom, tmp_path):
    windowed = {"WindowCenter": 40, "WindowWidth": 20}
    bright, dark = (
        grey(write_dicom(tmp_path / f"{kind}.dcm", SMALL, PhotometricInterpretation=kind, **windowed))
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.array_equal(dark.astype(int), 65535 - bright.astype(int))


def test_voi_lut_counts_before_the_window(write_dicom, tmp_path):
    import pydicom

    lut = pydicom.Dataset()
    lut.LUTDescriptor = [3, 10, 12]  # three entries, the first for value 10, 12 bits
    lut.LUTData = [0, 4095, 2048]
    lut["LUTDescriptor"].VR = "US"
    lut["LUTData"].VR = "US"
    path = write_dicom(tmp_path / "a.dcm", SMALL, VOILUTSequence=[lut], WindowCenter=1, WindowWidth=2)
    expected = np.where(SMALL <= 10, 0, np.where(SMALL == 11, 65535, round(2048 / 4095 * 65535)))
    assert np.array_equal(grey(path), expected)


def test_padding_is_black_and_does_not_stretch_the_range(write_dicom, tmp_path):
    stored = SMALL + 100
    stored[0], stored[1] = 255, 250
    path = write_dicom(
        tmp_path / "a.dcm", stored, PixelPaddingValue=255, PixelPaddingRangeLimit=250,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    for window in ("auto", "full", "range", "stored"):
        assert (grey(path, window)[:2] == 0).all()
    # Least and greatest value that is no padding: 118 is white, 171 is black.
    assert (grey(path, "range")[2, 0], grey(path, "range")[7, 8]) == (65535, 0)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.07, 0.08]}, (0.07, 0.08)),
        ({"ImagerPixelSpacing": [0.07, 0.08], "EstimatedRadiographicMagnificationFactor": 2}, (0.035, 0.04)),
        ({"PixelSpacing": [0.1, 0.2]}, (0.1, 0.2)),
        # The same value twice is no calibration, so the magnification counts.
        (
            {
                "ImagerPixelSpacing": [0.1, 0.1],
                "PixelSpacing": [0.1, 0.1],
                "EstimatedRadiographicMagnificationFactor": 1.25,
            },
            (0.08, 0.08),
        ),
    ],
)
def test_spacing(write_dicom, tmp_path, attributes, expected):
    spacing = read_dicom(write_dicom(tmp_path / "a.dcm", SMALL, **attributes)).spacing_mm
    assert spacing == (expected if expected is None else pytest.approx(expected))


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(
    ("representation", "value", "expected"),
    [
        ("LO", ["0,143", "0,07"], (0.143, 0.07)),  # machines set to a European language
        ("UT", "0.0700\\0.0800", (0.07, 0.08)),  # two numbers as one text
        ("UT", "0,143\\0,143", (0.143, 0.143)),
        ("LO", ["0.07mm", "0.07mm"], None),
        ("LO", ["1,000.5", "1,000.5"], None),
        ("LO", ["0.07"], None),
        ("LO", ["0.07", "0.07", "0.07"], None),
        ("LO", ["1e30", "1e30"], None),
    ],
)
@pytest.mark.parametrize("tag", [0x00181164, 0x00280030])
def test_spacing_written_in_other_ways(write_dicom, tmp_path, tag, representation, value, expected):
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", SMALL, syntax=pydicom.uid.ImplicitVRLittleEndian)
    dataset = pydicom.dcmread(path)
    dataset.add_new(tag, representation, value)
    if representation == "UT":
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.add_new(tag, representation, value)
        dataset.save_as(path, implicit_vr=False, little_endian=True)
    else:
        dataset.save_as(path)
    if expected:
        assert read_dicom(path).spacing_mm == pytest.approx(expected)
    else:
        with pytest.raises(ImageError, match=r"PixelSpacing .*expected two positive numbers in mm"):
            read_dicom(path)


def test_laterality_and_view(write_dicom, tmp_path):
    image = read_dicom(write_dicom(tmp_path / "a.dcm", SMALL, Laterality="L", ViewPosition="MLO"))
    assert (image.laterality, image.view) == ("L", "MLO")
    image = read_dicom(write_dicom(tmp_path / "a.dcm", SMALL, ImageLaterality="B"))
    assert (image.laterality, image.view) == ("", "")


def test_views_have_one_name_in_either_edition_of_snomed():
    import pydicom
    from pydicom.sr._snomed_dict import mapping

    def view(code):
        dataset, item = pydicom.Dataset(), pydicom.Dataset()
        item.CodeValue = code
        dataset.ViewCodeSequence = [item]
        return view_of(dataset)

    older = {new: old for old, new in mapping["SRT"].items()}
    # Context group 4014, View for Mammography.
    named = {
        "399162004": "CC", "399368009": "MLO", "399260004": "ML", "399352003": "LM", "399099002": "LMO",
        "399192008": "XCCL", "399101009": "XCCM", "399196006": "FB", "399188001": "SIO", "441555000": "ISO",
    }  # fmt: skip
    assert {code: (view(code), view(older[code])) for code in named} == {
        code: (name, name) for code, name in named.items()
    }
    assert view("0") == ""


def test_folders_take_dicom_by_suffix_and_by_content(write_dicom, tmp_path):
    for name in ("a.dcm", "1.2.840.7", "1.2.840.8", "IM0001", "DICOMDIR", ".hidden.dcm"):
        write_dicom(tmp_path / name, SMALL)
    (tmp_path / "notes.txt").write_text("no image")
    Image.fromarray(SMALL).save(tmp_path / "b.png")
    found = [path.name for path in list_images(tmp_path)]
    assert found == ["1.2.840.7", "1.2.840.8", "IM0001", "a.dcm", "b.png"]
    assert [image_stem(tmp_path / name) for name in found] == ["1.2.840.7", "1.2.840.8", "IM0001", "a", "b"]
    assert read_image(tmp_path / "IM0001").shape == (8, 9, 3)
    assert image_size(tmp_path / "1.2.840.7") == (9, 8)
    assert not is_dicom_file(tmp_path / "notes.txt")


def test_training_reads_the_configured_window(write_dicom, tmp_path):
    from flexunet.data.dataset.identity import Identity
    from flexunet.data.dataset.pairs import Pair
    from flexunet.data.images.masks.reader import MaskReader

    image = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12)
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "mask.png")
    pair = Pair(image, tmp_path / "mask.png", Identity("a", "a"))
    reader = PairReader(64, 64, 1, MaskReader(), dicom_window="stored")
    assert np.array_equal(reader.read(pair)[0][..., 0], RAMP)
    assert reader.settings()["dicom_window"] == "stored"


@pytest.mark.parametrize("window", ["", "bright", "1,2,3", "100,0", "nan,10", "100"])
def test_window_rules_that_do_not_exist(tmp_path, window):
    with pytest.raises(ConfigError, match="dicom_window: expected auto"):
        read_dicom(tmp_path / "a.dcm", window)


# --- bad input: every case one ImageError that names file and remedy


BAD = {
    "colour": ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "is in colour.*take it out"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "is in colour"),
    "photometric": ({"PhotometricInterpretation": "MONOCHROME3"}, "expected MONOCHROME1.*Correct"),
    "no photometric": ({"PhotometricInterpretation": None}, "PhotometricInterpretation nothing"),
    "multi-frame": ({"NumberOfFrames": 3}, "multi-frame: it holds 3 frames.*Save"),
    "no pixel data": ({"PixelData": None}, "no pixel data.*Export it again"),
    "bomb": ({"Rows": 30000, "Columns": 30000}, "30000 x 30000 is more than.*Scale it down"),
    "no rows": ({"Rows": None}, "whole number in Rows.*Export"),
    "12 allocated": ({"BitsAllocated": 32}, "BitsAllocated 32.*Correct"),
    "too many stored": ({"BitsStored": 12}, "BitsStored 12.*Correct"),
    "no representation": ({"PixelRepresentation": None}, "PixelRepresentation None.*Correct"),
    "window": ({"WindowCenter": 3, "WindowWidth": 0}, 'WindowWidth 0.*dicom_window = "full"'),
    "function": ({"WindowCenter": 3, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "VOILUTFunction 'CUBIC'"),
    "slope": ({"RescaleSlope": 0, "RescaleIntercept": 0}, "RescaleSlope 0.*Correct"),
    "zero spacing": ({"PixelSpacing": [0, 0.1]}, "PixelSpacing.*positive.*remove"),
    "magnification": (
        {"ImagerPixelSpacing": [1, 1], "EstimatedRadiographicMagnificationFactor": -1},
        "MagnificationFactor.*positive",
    ),
    "short": ({"PixelData": bytes(20)}, "truncated or damaged.*again"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_headers(write_dicom, tmp_path, case):
    attributes, message = BAD[case]
    path = write_dicom(tmp_path / "bad.dcm", SMALL, **attributes)
    with pytest.raises(ImageError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize("value", ["NaN", "inf"])
def test_spacing_that_is_no_number(write_dicom, tmp_path, value):
    path = write_dicom(tmp_path / "a.dcm", SMALL, PixelSpacing=["1.5", "1.5"])
    # pydicom itself refuses to write such a value
    path.write_bytes(path.read_bytes().replace(b"1.5\\1.5 ", f"{value:<3}\\{value:<3} ".encode()))
    with pytest.raises(ImageError, match=r"PixelSpacing.*positive numbers in mm.*remove it"):
        read_image(path)


def test_one_pixel(write_dicom, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((1, 1), np.uint8))
    with pytest.raises(ImageError, match=r"a\.dcm has 1 x 1 pixels; expected at least 8 x 8"):
        read_image(path)


@pytest.mark.filterwarnings("ignore")  # pydicom warns as well
def test_truncated_anywhere(write_dicom, tmp_path):
    whole = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12).read_bytes()
    path = tmp_path / "b.dcm"
    for length in (0, 50, 131, 132, 150, 400, len(whole) - 8192, len(whole) - 8000, len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=r"b\.dcm"):
            read_image(path)


@pytest.mark.filterwarnings("ignore")  # pydicom warns as well
@pytest.mark.parametrize(
    ("attribute", "good", "bad"),
    [
        ("NumberOfFrames", "1 ", "a "),
        ("WindowWidth", "100.0 ", "1.0.0 "),
        ("RescaleSlope", "1.5 ", "1,5 "),
        ("EstimatedRadiographicMagnificationFactor", "1.25", "1:25"),
        ("PixelPaddingValue", "US\x02\0", "ZZ\x02\0"),  # a kind of value that there is not
    ],
)
def test_a_header_value_that_cannot_be_parsed_is_that_files_fault(
    write_dicom, tmp_path, attribute, good, bad
):
    from pydicom.datadict import tag_for_keyword

    value = 0 if attribute == "PixelPaddingValue" else good.strip()
    others = {"WindowCenter": 50} if attribute == "WindowWidth" else {"RescaleIntercept": 0}
    path = write_dicom(
        tmp_path / "a.dcm", SMALL, ImagerPixelSpacing=[0.1, 0.1], **others, **{attribute: value}
    )
    whole = path.read_bytes()
    tag = struct.pack("<HH", *divmod(tag_for_keyword(attribute), 1 << 16))
    at = whole.index(good.encode(), whole.index(tag))
    path.write_bytes(whole[:at] + bad.encode() + whole[at + len(bad) :])
    with pytest.raises(ImageError, match=r"a\.dcm is truncated or damaged .*export the file again"):
        read_image(path)


def test_text_named_dcm(tmp_path):
    (tmp_path / "a.dcm").write_text("patient,density\n1,2\n" * 20)
    with pytest.raises(ImageError, match=r"a\.dcm is no DICOM file.*DICM.*Export it again"):
        read_image(tmp_path / "a.dcm")


def test_deflated_files_are_refused_before_they_unpack(write_dicom, tmp_path):
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", SMALL, syntax=pydicom.uid.DeflatedExplicitVRLittleEndian)
    with pytest.raises(ImageError, match=r"deflated.*dcmconv \+te"):
        read_image(path)


def test_without_pydicom_the_message_says_what_to_install(write_dicom, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", SMALL)
    code = (
        "import sys; sys.modules['pydicom'] = None\n"
        "from flexunet.data.images.files.read import read_image\n"
        f"read_image({str(path)!r})"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    command = install_command("dicom")
    assert f"needs pydicom, which is missing. Install it with: {command}" in answer.stderr


def test_other_images_do_not_import_pydicom(tmp_path):
    Image.fromarray(SMALL).save(tmp_path / "a.png")
    code = (
        "import sys\n"
        "from flexunet.data.images.files.listing import list_images\n"
        "from flexunet.data.images.files.read import read_image\n"
        f"read_image(list_images({str(tmp_path)!r})[0]); assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_derive_takes_dicom_folders(constructed, write_dicom, tmp_path):
    from flexunet.data.derive.run import derive

    raw = tmp_path / "raw" / "Non-Cancer"
    raw.mkdir(parents=True)
    shutil.copyfile(constructed / "mini_mias_mdb001_8bit.dcm", raw / "1.2.3.4")
    shutil.copyfile(constructed / "nyu_0_R-CC_half_mono1_12bit.dcm", raw / "1.2.3.5")
    film = np.zeros((64, 40), np.uint16)
    film[8:56, :30] = 3000
    known = {
        "ImagerPixelSpacing": [0.1, 0.1],
        "PatientID": "P7",
        "ImageLaterality": "L",
        "ViewPosition": "CC",
    }
    write_dicom(raw / "known.dcm", film, BitsStored=12, **known)
    (raw / "text.dcm").write_text("no image " * 40)
    report = derive(tmp_path / "raw", tmp_path / "out", jobs=1)
    assert report.counts["labelled"] == 3
    assert report.counts["failed"] == 1
    assert "text.dcm is no DICOM file" in report.of_state("failed")[0]["reason"]
    assert [path.name for path in list_images(tmp_path / "out" / "images")] == [
        "1.2.3.4.png",
        "1.2.3.5.png",
        "known.png",
    ]
    image = read_image(tmp_path / "out" / "images" / "1.2.3.5.png", None)
    assert image.dtype == np.uint16
    assert image.max() > 60000
    row = report.manifest.by_file["images/known.png"]
    assert (row["patient"], row["laterality"], row["view"]) == ("P7", "L", "CC")
    # A pixel of the image made is crop_width / 512 pixels of the film.
    height, width = (float(value) for value in row["pixel_spacing_mm"].split(","))
    assert width == pytest.approx(0.1 * int(row["crop_width"]) / 512, rel=1e-4)
    assert height == pytest.approx(0.1 * int(row["crop_height"]) / 512, rel=1e-4)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_big_endian_files_hold_the_same_values(write_dicom, tmp_path, bits, kind):
    from pydicom.uid import ExplicitVRBigEndian

    low = -(1 << (bits - 1)) if kind == "i2" else 0
    stored = (np.arange(32 * 24).reshape(32, 24) * 37) % (1 << bits) + low
    attributes = {"BitsStored": bits, "HighBit": bits - 1}
    little = write_dicom(tmp_path / "little.dcm", stored.astype(f"<{kind}"), **attributes)
    big = write_dicom(
        tmp_path / "big.dcm", stored.astype(f">{kind}"), syntax=ExplicitVRBigEndian, **attributes
    )
    expected = read_dicom(little, "stored").pixels
    np.testing.assert_array_equal(read_dicom(big, "stored").pixels, expected)
    assert expected[0, 1, 0] - expected[0, 0, 0] == 37


def test_a_decoder_that_panics_is_an_error_of_its_file(tmp_path):
    class PanicException(BaseException):
        """As pyo3 raises it where a decoder written in Rust panics."""

    said = r"film\.dcm is truncated or damaged \(index out of bounds\)"
    with pytest.raises(ImageError, match=said), refusing_damage(tmp_path / "film.dcm"):
        raise PanicException("index out of bounds")
    with pytest.raises(KeyboardInterrupt), refusing_damage(tmp_path / "film.dcm"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("window", ["auto", "full", "range", "stored"])
def test_signed_films_use_the_whole_range_of_16_bits(write_dicom, tmp_path, window):
    stored = np.array([[-32768, -2000], [0, 32767]], np.int16)
    path = write_dicom(tmp_path / "a.dcm", np.tile(stored, (4, 4)))
    assert read_dicom(path, window).pixels[:2, :2, 0].tolist() == [[0, 30768], [32768, 65535]]


@pytest.mark.parametrize(
    ("stored", "kind", "value"),
    [
        (np.array([[-2000, 0, 1500, 3000]], np.int16), "SS", -2000),
        (np.array([[-2000, 0, 1500, 3000]], np.int16), "US", 63536),
        (np.array([[63536, 0, 1500, 3000]], np.uint16), "US", 63536),
        (np.array([[63536, 0, 1500, 3000]], np.uint16), "SS", -2000),
    ],
)
def test_padding_is_seen_whatever_sign_its_value_was_written_with(write_dicom, tmp_path, stored, kind, value):
    path = write_dicom(tmp_path / "a.dcm", np.tile(stored, (8, 2)))
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", kind, value)
    dataset.save_as(path)
    assert read_dicom(path, "range").pixels[0, :4, 0].tolist() == [0, 0, 32768, 65535]
    assert read_dicom(path, "stored").pixels[0, 0, 0] == 0
