"""Kinds of the Segmentation object, probabilities and pictures."""

import highdicom
import numpy as np
import pydicom
import pytest

from flexunet.inference.outputs.dicom_objects.capture import WARNING, with_warning
from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation


def test_kinds_of_segmentation(write, mask, dciodvfy):
    folder, _ = write(segmentation="labelmap")
    assert np.array_equal(read_segmentation(folder / "film.dcm"), mask)
    assert pydicom.dcmread(folder / "film.dcm").SegmentationType == "LABELMAP"
    folder, _ = write(segmentation="fractional")
    read = highdicom.seg.segread(folder / "film.dcm")
    assert (read.SegmentationType, read.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    (source,) = [uid for _, _, uid in read.get_source_image_uids()]
    shares = read.get_pixels_by_source_instance([source])[0]
    assert shares[6, 5].tolist() == pytest.approx([0.75, 0.1], abs=0.6 / 255)
    assert shares[30, 1].tolist() == pytest.approx([0.1, 0.5], abs=0.6 / 255)
    assert dciodvfy(folder / "film.dcm") == []  # of 2022, it knows no label map


def test_codes_are_those_of_the_configuration(write):
    codes = {"category": "123037004, SCT, Body structure", "region": "51185008, SCT, Chest, thorax"}
    folder, _ = write(types=["4147007, SCT, Mass"], **codes)
    for segment in pydicom.dcmread(folder / "film.dcm").SegmentSequence:
        assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Mass"
        assert segment.AnatomicRegionSequence[0].CodeMeaning == "Chest, thorax"


def test_parametric_map_holds_the_probabilities(write, dciodvfy):
    folder, written = write(parametric_map=True)
    assert [path.name for path in written.paths] == ["film.dcm", "film.map.dcm"]
    assert dciodvfy(folder / "film.map.dcm") == []
    read = highdicom.imread(folder / "film.map.dcm")
    planes = read.get_frames(apply_real_world_transform=True)
    assert planes.shape == (2, 40, 30)
    assert planes[:, 6, 5].tolist() == pytest.approx([0.75, 0.1], abs=1 / 65535)
    measures = read.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.PixelSpacing == [0.5, 0.25]
    (mapping, _) = [
        groups.RealWorldValueMappingSequence[0] for groups in read.PerFrameFunctionalGroupsSequence
    ]
    assert mapping.LUTExplanation == "Probability of mass"


def test_without_spacing_there_is_no_map_and_the_rest_is_there(write):
    _, written = write(attributes={}, parametric_map=True, secondary_capture=True)
    assert [path.name for path in written.paths] == ["film.dcm", "film.capture.dcm"]
    assert len(written.problems) == 1
    assert "no pixel spacing, which a Parametric Map must state" in written.problems[0]


def test_secondary_capture_warns_below_the_picture(write, dciodvfy):
    folder, _ = write(secondary_capture=True)
    assert dciodvfy(folder / "film.capture.dcm") == []
    read = pydicom.dcmread(folder / "film.capture.dcm")
    picture = read.pixel_array
    assert picture.shape[1:] == (30, 3)
    assert len(picture) > 40
    band = picture[40:]
    assert band.max() > 100
    assert (band[0] == 0).all()
    assert read.ImageComments == WARNING
    assert read.NominalScannedPixelSpacing == [0.5, 0.25]
    (reference,) = read.SourceImageSequence
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.1.2"


@pytest.mark.parametrize("size", [(40, 30), (1000, 200), (300, 4000)])
def test_the_warning_fits_every_picture(size):
    marked = with_warning(np.full((*size, 3), 7, np.uint8))
    assert (marked[: size[0]] == 7).all()
    written = np.flatnonzero(marked[size[0] :].max(axis=(0, 2)) > 50)
    assert written.min() > 0
    assert written.max() < size[1] - 1


ALL = {"report": "measurements", "parametric_map": True, "secondary_capture": True}


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 144", "Люкceмбypг^Анна"),
        ("GB18030", "Zhang^XiaoDong=张^小东"),
    ],
)
def test_all_objects_keep_names_of_patients(write, characters, name):
    def rename(path):
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet, dataset.PatientName = characters, name
        dataset.save_as(path)

    _, written = write(prepare=rename, **ALL)
    assert len(written.paths) == 4
    for path in written.paths:
        read = pydicom.dcmread(path)
        assert (str(read.PatientName), read.PatientID) == (name, "P1"), path
        assert read.StudyInstanceUID == pydicom.dcmread(path.parents[1] / "film.dcm").StudyInstanceUID


def test_an_image_that_is_gone_meanwhile_is_said(write):
    folder, written = write(between=lambda path: path.unlink(), **ALL)
    assert written.paths == []
    assert written.problems == [f"{folder.parent / 'film.dcm'} does not exist."]
