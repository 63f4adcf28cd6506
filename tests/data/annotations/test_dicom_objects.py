"""Lesions in DICOM objects, told by the UID of their film and not by name."""

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNKNOWN, UNMARKED
from flexunet.data.dataset.manifest import Manifest
from flexunet.errors import MaskError
from flexunet.inference.outputs.dicom_objects.segmentation import write_segmentation

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

HEIGHT, WIDTH = 60, 48


@pytest.fixture
def film(write_dicom, tmp_path):
    """Write a film into `films/` and give its UID."""

    def write(name="film", **attributes):
        uid = generate_uid()
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        stored = np.where(columns < 36, 1000 + 7 * rows, 10).astype(np.uint16)
        (tmp_path / "films").mkdir(exist_ok=True)
        write_dicom(tmp_path / "films" / f"{name}.dcm", stored, SOPInstanceUID=uid, **attributes)
        return uid

    return write


def item(**values):
    dataset = Dataset()
    for name, value in values.items():
        setattr(
            dataset,
            name,
            Sequence(value) if isinstance(value, list) and isinstance(value[0], Dataset) else value,
        )
    return dataset


def saved(path, modality, **values):
    dataset = item(Modality=modality, SOPInstanceUID=generate_uid(), SOPClassUID="1.2.3", **values)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.3"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def read(tmp_path, path):
    return read_annotations(path, sorted((tmp_path / "films").glob("*")))


def test_a_segmentation_of_our_own_comes_back(film, tmp_path):
    pytest.importorskip("highdicom")
    film()
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, 5:25], mask[30:35, 8:10] = 1, 2
    source = tmp_path / "films" / "film.dcm"
    write_segmentation(tmp_path / "seg.dcm", source, mask, ["mass", "calcification"])
    annotation = read(tmp_path, tmp_path / "seg.dcm")["film"]
    drawn = annotation.rasterise(WIDTH, HEIGHT, {"mass": 1, "calcification": 2})
    np.testing.assert_array_equal(drawn, mask)

    arguments = [
        "derive",
        str(tmp_path / "films"),
        str(tmp_path / "out"),
        "--annotations",
        str(tmp_path / "seg.dcm"),
    ]
    answer = CliRunner().invoke(app, [*arguments, "--jobs", "1", "--width", "64", "--height", "64"])
    assert answer.exit_code == 0, answer.output
    (row,) = Manifest.read(tmp_path / "out").rows
    assert (row["mask_origin"], row["raw_lesion_pixels"]) == ("mask", "210")

    write_segmentation(tmp_path / "empty.dcm", source, mask * 0, ["mass"])
    assert read(tmp_path, tmp_path / "empty.dcm")["film"].state == UNMARKED


def contour(uid, points, kind="CLOSED_PLANAR"):
    reference = item(ReferencedSOPInstanceUID=uid)
    data = [f"{value:.6f}" for point in points for value in point]
    return item(ContourGeometricType=kind, ContourData=data, ContourImageSequence=[reference])


def structures(path, *contours):
    return saved(
        path,
        "RTSTRUCT",
        StructureSetROISequence=[item(ROINumber=4, ROIName="mass")],
        ROIContourSequence=[item(ReferencedROINumber=4, ContourSequence=list(contours))],
    )


def test_contours_in_millimetres_are_placed_by_the_film(film, tmp_path):
    """Rows of the film run along -y of the patient, columns along z; pixels are 0.5 x 0.25 mm."""
    position = {"ImagePositionPatient": [10, 20, 30], "ImageOrientationPatient": [0, 0, 1, 0, -1, 0]}
    uid = film(PixelSpacing=[0.5, 0.25], **position)
    plain = film("plain", PixelSpacing=[0.5, 0.25])

    def placed(column, row):  # middles of pixels
        return 10, 20 - 0.5 * row, 30 + 0.25 * column

    corners = [(4.5, 9.5), (14.5, 9.5), (14.5, 19.5), (4.5, 19.5)]
    path = structures(
        tmp_path / "rt.dcm",
        contour(uid, [placed(*corner) for corner in corners]),
        contour(uid, [placed(30, 40)], "POINT"),
        contour(plain, [(0.25 * x, 0.5 * y, 0) for x, y in corners]),
    )
    films = read(tmp_path, path)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:20, 5:15] = 1
    np.testing.assert_array_equal(films["plain"].rasterise(WIDTH, HEIGHT), expected)
    assert "no place in space" in films["plain"].notes[0]
    expected[40, 30] = 1
    np.testing.assert_array_equal(films["film"].rasterise(WIDTH, HEIGHT, {"mass": 1}), expected)


def test_contours_that_cannot_be_placed_are_not_guessed(film, tmp_path):
    position = {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    far = film("far", PixelSpacing=[0.5, 0.5], **position)
    unspaced, opened = film("unspaced"), film("opened", PixelSpacing=[1, 1])
    triangle = [(1, 1, 5), (9, 1, 5), (9, 9, 5)]
    path = structures(
        tmp_path / "rt.dcm",
        contour(far, triangle),
        contour(unspaced, triangle),
        contour(opened, triangle, "OPEN_PLANAR"),
        contour("1.2.3.4", triangle),
    )
    films = read(tmp_path, path)
    states = {name: film.state for name, film in films.items()}
    assert states == {"far": BROKEN, "unspaced": BROKEN, "opened": UNKNOWN, "1.2.3.4": BROKEN}
    assert "5.0 mm off its film" in films["far"].reason
    assert "size of a pixel" in films["unspaced"].reason


def code(value, meaning="x"):
    return item(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)


def coordinates(uid, kind, data, concept="111030"):
    image = item(ValueType="IMAGE", ReferencedSOPSequence=[item(ReferencedSOPInstanceUID=uid)])
    return item(
        ValueType="SCOORD",
        ConceptNameCodeSequence=[code(concept)],
        GraphicType=kind,
        GraphicData=data,
        ContentSequence=[image],
    )


def measured(finding, *children):
    told = item(
        ValueType="CODE",
        ConceptNameCodeSequence=[code("121071")],
        ConceptCodeSequence=[code("1", finding)],
    )
    return item(ValueType="CONTAINER", ContentSequence=[told, *children])


def test_outlines_of_measurements(film, tmp_path):
    uid, other = film(), film("other")
    square = [5.0, 10.0, 15.0, 10.0, 15.0, 20.0, 5.0, 20.0, 5.0, 10.0]
    path = saved(
        tmp_path / "sr.dcm",
        "SR",
        ValueType="CONTAINER",
        ContentSequence=[
            measured(
                "mass",
                coordinates(uid, "POLYLINE", square, "111041"),
                coordinates(uid, "POINT", [30, 30], "111010"),
            ),
            measured("calcification", coordinates(uid, "MULTIPOINT", [40.5, 50.5, 41.5, 50.5])),
            measured("cyst", coordinates(other, "ELLIPSE", [20, 22, 20, 38, 16, 30, 24, 30])),
            measured("length", coordinates(other, "POLYLINE", [1, 1, 9, 9])),
        ],
    )
    films = read(tmp_path, path)
    drawn = films["film"].rasterise(WIDTH, HEIGHT, {"mass": 1, "calcification": 2})
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:20, 5:15], expected[50, 40:42] = 1, 2
    np.testing.assert_array_equal(drawn, expected)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    ellipse = ((columns - 20) / 4) ** 2 + ((rows - 30) / 8) ** 2 <= 1
    np.testing.assert_array_equal(films["other"].rasterise(WIDTH, HEIGHT), ellipse)
    assert "POLYLINE (length) has no area" in films["other"].notes[0]


def test_coordinates_may_name_their_film_by_reference(film, tmp_path):
    """Reports of detection programs list the films once and refer to them by position."""
    uid = film()
    library = item(
        ValueType="CONTAINER",
        ContentSequence=[item(ValueType="IMAGE", ReferencedSOPSequence=[item(ReferencedSOPInstanceUID=uid)])],
    )
    circle = coordinates(uid, "CIRCLE", [20, 30, 20, 34])
    circle.ContentSequence = Sequence(
        [item(RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=[1, 1, 1])]
    )
    path = saved(
        tmp_path / "sr.dcm", "SR", ValueType="CONTAINER", ContentSequence=[library, measured("mass", circle)]
    )
    annotation = read(tmp_path, path)["film"]
    assert annotation.state == ANNOTATED
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    np.testing.assert_array_equal(annotation.rasterise(WIDTH, HEIGHT), np.hypot(columns - 20, rows - 30) <= 4)
    circle.ContentSequence[0].ReferencedContentItemIdentifier = [1, 9, 1]
    path = saved(
        tmp_path / "bad.dcm", "SR", ValueType="CONTAINER", ContentSequence=[library, measured("mass", circle)]
    )
    with pytest.raises(MaskError, match="an item that the report does not have"):
        read(tmp_path, path)


def test_other_objects_are_refused_by_name(film, tmp_path):
    film()
    with pytest.raises(MaskError, match="DICOM SEG, DICOM RTSTRUCT, DICOM SR; it has the modality MG"):
        read(tmp_path, tmp_path / "films" / "film.dcm")
    path = saved(tmp_path / "seg.dcm", "SEG")
    with pytest.raises(Exception, match=r"seg\.dcm"):
        read(tmp_path, path)
