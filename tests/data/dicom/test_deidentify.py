import numpy as np
import pydicom
import pytest

from flexunet.data.dicom.deidentify import (
    Pseudonyms,
    deidentify,
    has_text_in_pixels,
    identifying,
    told_by_name,
)
from flexunet.data.dicom.read import read_dicom
from flexunet.errors import PathError

pytest.importorskip("dicomanonymizer")
PSEUDONYMS = Pseudonyms(bytes(range(32)))
STORED = np.arange(16 * 12, dtype=np.uint16).reshape(16, 12)
PERSONAL = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "4711-0815",
    "PatientBirthDate": "19640812",
    "PatientAge": "061Y",
    "PatientAddress": "Heidestrasse 17",
    "AccessionNumber": "ACC123456",
    "InstitutionName": "Klinik Muster",
    "OperatorsName": "Helfer^Hans",
    "StudyDescription": "Erika M., Vorsorge",
    "AcquisitionDate": "20260102",
    "DeviceSerialNumber": "S123",
}


@pytest.fixture
def film(write_dicom, tmp_path):
    path = write_dicom(
        tmp_path / "film.dcm", STORED, BitsStored=12, ImagerPixelSpacing=[0.1, 0.1], ImageLaterality="L",
        ViewPosition="MLO", **PERSONAL,
    )  # fmt: skip
    dataset = pydicom.dcmread(path)
    view, person = pydicom.Dataset(), pydicom.Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399368009", "SCT", "MLO"
    view.PatientName = "Mustermann^Erika"  # where nobody looks
    dataset.ViewCodeSequence = [view]
    person.RequestedProcedureID = "R1"
    dataset.RequestAttributesSequence = [person]
    dataset.private_block(0x0011, "VENDOR", create=True).add_new(1, "LO", "Mustermann")
    dataset.add_new(0x60003000, "OW", b"\0\0")
    dataset.save_as(path)
    return path


def test_what_identifies_is_named(film):
    named = identifying(pydicom.dcmread(film))
    assert set(PERSONAL) <= set(named)
    assert {"StudyInstanceUID", "SOPInstanceUID", "RequestAttributesSequence", "(6000,3000)"} <= set(named)
    assert "(0011,1001)" in named
    kept = {"Rows", "Modality", "ImagerPixelSpacing", "ImageLaterality", "ViewPosition", "PixelData"}
    assert not kept & set(named)


def test_nothing_of_a_person_is_left_and_the_image_is_the_same(film, tmp_path):
    dataset = pydicom.dcmread(film)
    uids = dataset.StudyInstanceUID, dataset.SOPInstanceUID
    dropped = deidentify(dataset, PSEUDONYMS)
    assert set(PERSONAL) <= set(dropped)
    dataset.save_as(tmp_path / "clean.dcm", enforce_file_format=True)
    content = (tmp_path / "clean.dcm").read_bytes()
    # No short numbers: a new UID may hold them by chance.
    secrets = ("Mustermann", "Erika", "4711-0815", "Heidestrasse", "ACC123", "Klinik", "Helfer", "S123")
    for secret in (*secrets, "19640812", *uids):
        assert secret.encode() not in content, secret
    clean = pydicom.dcmread(tmp_path / "clean.dcm")
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert clean.PatientID == PSEUDONYMS.patient("4711-0815")
    assert clean.file_meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID
    assert set(identifying(clean)) <= {"PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}
    before, after = read_dicom(film), read_dicom(tmp_path / "clean.dcm")
    assert np.array_equal(before.pixels, after.pixels)
    assert (after.spacing_mm, after.laterality, after.view) == ((0.1, 0.1), "L", "MLO")


def test_pseudonyms_are_those_of_the_key(tmp_path):
    ours = Pseudonyms.of_file(tmp_path / "set.key")
    assert Pseudonyms.of_file(tmp_path / "set.key") == ours
    other = Pseudonyms.of_file(tmp_path / "other.key")
    assert ours.patient("P1") == ours.patient("P1")
    assert len({ours.patient("P1"), ours.patient("P2"), other.patient("P1"), "P1"}) == 4
    assert ours.patient("") == ""
    assert pydicom.uid.UID(ours.uid("1.2.3")).is_valid
    assert (tmp_path / "set.key").stat().st_mode & 0o077 == 0
    (tmp_path / "bad.key").write_text("secret")
    with pytest.raises(PathError, match="cannot read a key"):
        Pseudonyms.of_file(tmp_path / "bad.key")
    (tmp_path / "short.key").write_text("ab" * 8)
    with pytest.raises(PathError, match="8 bytes; expected a key of 32"):
        Pseudonyms.of_file(tmp_path / "short.key")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MUSTERMANN_L_CC", ["PatientName"]),
        ("film_4711-0815_R", ["PatientID"]),
        ("acc123456", ["AccessionNumber"]),
        ("film_01_L_CC", []),
    ],
)
def test_names_of_files_may_tell(film, name, told):
    assert told_by_name(pydicom.dcmread(film), name) == told


def test_burned_in_text_is_seen():
    dataset = pydicom.Dataset()
    assert not has_text_in_pixels(dataset)
    for value, seen in (("YES", True), ("NO", False), (None, False)):
        dataset.BurnedInAnnotation = value
        assert has_text_in_pixels(dataset) == seen


def test_real_files(mammograms):
    for path in sorted((mammograms / "dicom").glob("*/*.dcm")):
        dataset = pydicom.dcmread(path)
        name = str(dataset.get("PatientName") or "")
        deidentify(dataset, PSEUDONYMS)
        assert not name or name not in str(dataset)
