import numpy as np
import pytest

from flexunet.errors import ImageError, ShapeError
from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation, write_segmentation
from flexunet.version import __version__

pytest.importorskip("highdicom")
import pydicom

STORED = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)


@pytest.fixture
def mask():
    mask = np.zeros((40, 30), np.uint8)
    mask[5:20, 4:17] = 1
    mask[8:10, 8:10] = 0
    mask[30, 1:4] = 2
    return mask


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PatientName": None, "StudyID": None, "SeriesNumber": None, "PatientOrientation": None},
        {"FrameOfReferenceUID": "1.2.3", "PositionReferenceIndicator": ""},  # as mammography units write
        {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1]},
    ],
)
def test_round_trip_by_the_reader_of_highdicom(write_dicom, tmp_path, mask, attributes):
    source = write_dicom(tmp_path / "a.dcm", STORED, BitsStored=12, **attributes)
    write_segmentation(tmp_path / "seg.dcm", source, mask, ["mass", "calcification"], model="abc")
    assert np.array_equal(read_segmentation(tmp_path / "seg.dcm"), mask)


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Zhang^XiaoDong=张^小东"),
        ("ISO_IR 192", "Ünal^Şule"),
        ("ISO_IR 100", "Müller^Jörg"),
        (None, "Muller^A"),
    ],
)
def test_names_of_patients_stay_in_any_script(write_dicom, tmp_path, mask, characters, name):
    source = write_dicom(tmp_path / "a.dcm", np.zeros(mask.shape, np.uint16), SpecificCharacterSet=characters)
    dataset = pydicom.dcmread(source)
    dataset.PatientName, dataset.ReferringPhysicianName = name, [name, "X^Y"]
    dataset.save_as(source)
    for planes in (mask, np.zeros_like(mask)):
        write_segmentation(tmp_path / "seg.dcm", source, planes, ["mass", "calcification", "node"])
        written, read = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(source)
        for part in ("alphabetic", "ideographic", "phonetic"):
            assert getattr(written.PatientName, part) == getattr(read.PatientName, part)
        assert str(written.PatientName) == name
        assert np.array_equal(read_segmentation(tmp_path / "seg.dcm"), planes)


def test_an_empty_mask_is_an_object_too(write_dicom, tmp_path):
    source = write_dicom(tmp_path / "a.dcm", STORED)
    write_segmentation(tmp_path / "seg.dcm", source, np.zeros((40, 30), np.uint8), ["lesion"])
    assert not read_segmentation(tmp_path / "seg.dcm").any()


def test_what_the_object_says(write_dicom, tmp_path, mask):
    source = pydicom.dcmread(
        write_dicom(tmp_path / "a.dcm", STORED, PatientID="P7", BodyPartExamined="BREAST")
    )
    write_segmentation(tmp_path / "seg.dcm", tmp_path / "a.dcm", mask, ["mass", "calcification"], model="abc")
    found = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (found.Modality, found.SegmentationType) == ("SEG", "BINARY")
    assert (found.PatientID, found.StudyInstanceUID) == ("P7", source.StudyInstanceUID)
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    (reference,) = found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == source.SOPClassUID
    mass, calcification = found.SegmentSequence
    assert (mass.SegmentLabel, calcification.SegmentLabel) == ("mass", "calcification")
    assert mass.SegmentAlgorithmType == "AUTOMATIC"
    (algorithm,) = mass.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("FlexUNet", __version__)
    assert algorithm.AlgorithmParameters == "weights=abc"
    codes = {
        name: (mass[name][0].CodeValue, mass[name][0].CodingSchemeDesignator)
        for name in ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
    }
    assert codes["SegmentedPropertyCategoryCodeSequence"] == ("49755003", "SCT")
    assert codes["SegmentedPropertyTypeCodeSequence"] == ("52988006", "SCT")
    assert mass.AnatomicRegionSequence[0].CodeMeaning == "Breast"


def test_real_files(mammograms, tmp_path):
    for path in sorted((mammograms / "dicom").glob("*/*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        mask = np.zeros((header.Rows, header.Columns), np.uint8)
        mask[20:90, 30:70] = 1
        write_segmentation(tmp_path / "seg.dcm", path, mask, ["lesion"])
        assert np.array_equal(read_segmentation(tmp_path / "seg.dcm"), mask), path


def test_what_cannot_be_written_is_said(write_dicom, tmp_path, mask):
    source = write_dicom(tmp_path / "a.dcm", STORED)
    with pytest.raises(ShapeError, match="expected a mask of 30 x 40 pixels"):
        write_segmentation(tmp_path / "seg.dcm", source, mask.T, ["a", "b"])
    with pytest.raises(ShapeError, match="class 2, but there are names for 1"):
        write_segmentation(tmp_path / "seg.dcm", source, mask, ["a"])
    nameless = write_dicom(tmp_path / "b.dcm", STORED, StudyInstanceUID=None)
    with pytest.raises(ImageError, match=r"lacks StudyInstanceUID.*dicom_seg = false"):
        write_segmentation(tmp_path / "seg.dcm", nameless, mask, ["a", "b"])
    assert not (tmp_path / "seg.dcm").exists()
    with pytest.raises(ImageError, match="cannot be read as a DICOM Segmentation object"):
        read_segmentation(source)
