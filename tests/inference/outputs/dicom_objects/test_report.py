import numpy as np
import pydicom
import pytest
from highdicom import sr

from flexunet.errors import ImageError
from flexunet.inference.outputs.dicom_objects.report import check_count
from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation
from flexunet.inference.outputs.dicom_objects.source import read_source
from flexunet.inference.outputs.lesions import measure_lesions
from flexunet.version import __version__

MODEL = "0123456789abcdef" * 2


def read(folder):
    """The report, its content, and its groups of lesions by highdicom's reader."""
    document = sr.srread(folder / "film.report.dcm")
    return document, document.content, document.content.get_planar_roi_measurement_groups()


def values(group):
    return {each.name.meaning: (each.value, each.unit.value) for each in group.get_measurements()}


def texts(group, meaning):
    return [item.TextValue for item in group[0].ContentSequence if item.name.meaning == meaning]


def test_one_group_a_lesion_with_measures_by_hand(write):
    folder, written = write(report="measurements")
    assert (written.problems, written.notes) == ([], [])
    document, content, groups = read(folder)
    assert document.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert (document.PreliminaryFlag, document.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert len(groups) == 3
    # 3 rows of 0.5 mm and 4 columns of 0.25 mm: 1.5 mm x 1 mm; diagonal sqrt(3.25), across it 2 x 1.5 / d.
    assert values(groups[0]) == {
        "Area": (1.5, "mm2"),
        "Long axis": (1.803, "mm"),
        "Short axis": (1.664, "mm"),
        "Probability": (0.75, "1"),
    }
    assert values(groups[2])["Probability"] == (0.5, "1")
    assert values(groups[2])["Area"] == (0.5, "mm2")
    (procedure,) = [each.value.meaning for each in content[0].ContentSequence if each.name.value == "121058"]
    assert procedure == "Mammography"


def test_a_group_names_segment_image_place_and_algorithm(write):
    folder, _ = write(report="measurements", types=["4147007, SCT, Mass", "129770007, SCT, Calcification"])
    _, _, groups = read(folder)
    segmentation = pydicom.dcmread(folder / "film.dcm")
    film = pydicom.dcmread(folder.parent / "film.dcm")
    assert segmentation.Modality == "SEG"
    for number, group in enumerate(groups, start=1):
        segment, image = group.referenced_segmentation_frame
        assert segment.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        assert segment.referenced_segment_numbers == [number]
        assert image.referenced_sop_instance_uid == film.SOPInstanceUID
        own = segmentation.SegmentSequence[number - 1]
        assert group.tracking_uid == own.TrackingUID
        assert group.tracking_identifier == own.TrackingID
        (site,) = group.finding_sites
        assert (site.value.value, site.laterality.value) == ("76752008", "7771000")
        assert texts(group, "Algorithm Version") == [__version__]
        assert texts(group, "Algorithm Parameters") == [f"weights={MODEL}"]
        told = {each.name.meaning: each.value.value for each in group.get_qualitative_evaluations()}
        assert (told["Image Laterality"], told["Image View"]) == ("7771000", "399368009")
    assert [group.finding_type.meaning for group in groups] == ["Mass", "Mass", "Calcification"]


def test_an_image_without_lesion_is_reported_as_such(write, mask):
    for predicted, value in ((mask, "111242"), (mask * 0, "111241")):
        folder, _ = write(predicted, report="measurements")
        _, content, groups = read(folder)
        (image,) = content.get_image_measurement_groups()
        (summary, *_) = image.get_qualitative_evaluations()
        assert (summary.name.value, summary.value.value) == ("111017", value)
        assert bool(groups) == (value == "111242")


def test_sizes_are_in_pixels_where_nothing_tells_the_spacing(write):
    folder, written = write(attributes={}, report="measurements")
    assert written.problems == []
    assert written.notes == [
        f"{folder.parent / 'film.dcm'} has no pixel spacing: its report gives sizes in pixels."
    ]
    _, _, groups = read(folder)
    assert values(groups[0])["Area"] == (12, "{pixels}2")
    assert values(groups[0])["Long axis"] == (5, "{pixels}")
    assert groups[0].finding_sites[0].laterality is None


def test_segments_of_a_report_are_lesions(write, mask):
    folder, _ = write(report="measurements")
    numbers = read_segmentation(folder / "film.dcm")
    assert [np.count_nonzero(numbers == number) for number in (1, 2, 3)] == [12, 2, 4]
    assert np.array_equal(numbers > 0, mask > 0)


def test_the_same_prediction_is_the_same_object(write, mask):
    def uids():
        _, written = write(report="measurements", attributes={"SOPInstanceUID": "1.2.3"})
        assert len(written.paths) == 2
        return [pydicom.dcmread(path).SOPInstanceUID for path in written.paths]

    assert uids() == uids()
    assert len({*uids()}) == 2


@pytest.mark.parametrize("kind", ["binary", "fractional"])
def test_tools_accept_the_report(write, dciodvfy, dump, kind):
    folder, written = write(report="measurements", segmentation=kind)
    assert [dciodvfy(path) for path in written.paths] == [[], []]
    said = dump("dsrdump", "-Ec", folder / "film.report.dcm")
    assert said.count('"Measurement Group"') == 4
    assert '"Area")="1.5" (mm2,UCUM,"square millimeter")' in said


def test_what_a_report_lacks_is_said_and_the_rest_is_written(write, tmp_path, mask):
    _, written = write(attributes={"StudyInstanceUID": None}, report="measurements")
    assert written.paths == []
    assert len(written.problems) == 1
    assert "lacks StudyInstanceUID, so no DICOM object can refer to it" in written.problems[0]
    specks = np.zeros_like(mask)
    specks[::2, ::2] = 1
    folder, written = write(specks, report="measurements")
    assert [path.name for path in written.paths] == ["film.dcm"]
    assert "300 predicted lesions, and a report holds at most 100" in written.problems[0]
    assert np.array_equal(read_segmentation(folder / "film.dcm"), specks)
    with pytest.raises(ImageError, match="min_lesion_pixels"):
        check_count(read_source(tmp_path / "film.dcm"), measure_lesions(specks))
