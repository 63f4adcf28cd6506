"""Whose image it is: the order of evidence, unknown patients, and finding the row of a file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.dataset.identity import (
    Identities,
    Identity,
    doubtful_patients,
    find_patient,
    identify,
    patient_pattern,
)
from flexunet.data.dataset.manifest import Manifest
from flexunet.errors import ConfigError, DatasetError

CDD = "P34_R_DM_MLO"


@pytest.mark.parametrize(
    ("name", "row", "source", "patient", "known"),
    [
        # Nothing at all: the source stands for the person.
        ("img001.png", {}, "img001", "img001", False),
        ("hflipped_42.png", {}, "42", "42", False),
        # File names of a known scheme.
        (f"mirrored_{CDD}.png", {}, CDD, "P34", True),
        ("A_0092_1.RIGHT_MLO.png", {}, "A_0092_1.RIGHT_MLO", "A_0092", True),
        # A foreign manifest: its source tells the person where it names none.
        ("img001.png", {"source": CDD, "patient": ""}, CDD, "P34", True),
        ("img001.png", {"source": "s1", "patient": "ann"}, "s1", "ann", True),
        ("img001.png", {"source": "s1", "patient": ""}, "s1", "s1", False),
        ("img001.png", {"patient": " ann "}, "img001", "ann", True),
        # The manifest counts more than a name, and a name in the source more than that of the file.
        (f"{CDD}.png", {"patient": "ann"}, CDD, "ann", True),
        (f"{CDD}.png", {"source": "P7_L_CM_CC"}, "P7_L_CM_CC", "P7", True),
        (f"{CDD}.png", {"source": "film 3"}, "film 3", "P34", True),
        # Our own earlier manifests: the name of the image, of its source or of its film in place of a person.
        ("hflipped_42.png", {"source": "42", "patient": "42"}, "42", "42", False),
        ("Cancer_7.png", {"source": "Cancer_7", "patient": "7", "raw_file": "Cancer/7.jpg"}, "Cancer_7",
         "Cancer_7", False),
        ("x.png", {"source": CDD, "patient": CDD}, CDD, "P34", True),
        # Placeholders.
        *(("x.png", {"source": "s", "patient": word}, "s", "s", False)
          for word in ("Anonymous", "REMOVED", "unknown", "n/a", "N.A.", "-", "?", "de-identified", "XXXX")),
        ("x.png", {"source": "s", "patient": "Anna"}, "s", "Anna", True),
    ],
)  # fmt: skip
def test_the_order_of_evidence(name, row, source, patient, known):
    found = identify(Path(name), row)
    assert (found.source, found.patient, found.patient_known) == (source, patient, known)
    assert found.known_patient == (patient if known else "")


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.text(max_size=9), st.text(max_size=9))
def test_an_unknown_patient_is_the_source_and_a_known_one_never_repeats_a_name(stem, source, patient):
    found = identify(Path(f"{stem}.png"), {"source": source, "patient": patient})
    if found.patient_known:
        assert found.patient.casefold() not in {stem.casefold(), found.source.casefold()}
    else:
        assert found.patient == found.source


@pytest.mark.parametrize(
    ("name", "row", "operation"),
    [
        ("42.png", {}, ""),
        ("hflipped_sheared_0_2_42.png", {}, "shear+hflip"),
        ("42.png", {"operation": "rotation"}, "rotation"),
        ("hflipped_42.png", {"operation": "warp"}, "warp"),
        ("42.png", {"operation": "original"}, ""),
    ],
)
def test_operations(name, row, operation):
    assert identify(Path(name), row).operation == operation


def test_spacing_is_read_when_asked_for():
    assert identify(Path("a.png"), {"file": "a.png", "pixel_spacing": "0.07,0.08"}).spacing == (0.07, 0.08)
    assert identify(Path("a.png")).spacing is None
    with pytest.raises(DatasetError, match=r"manifest row of 'a\.png': pixel spacing"):
        _ = identify(Path("a.png"), {"file": "a.png", "pixel_spacing_mm": "wide"}).spacing


def rows(*names, **columns):
    return [{"file": f"images/{name}.png", "source": name, **columns} for name in names]


def manifest_of(*rows):
    manifest = Manifest()
    manifest.append(*rows)
    return manifest


def test_one_patient_for_more_images_than_a_person_has_films_is_a_placeholder(tmp_path):
    names = [f"s{number}" for number in range(13)]
    many = Identities(manifest_of(*rows(*names, patient="hospital 4")), tmp_path)
    assert not many.of(tmp_path / "images" / "s3.png").patient_known
    (doubt,) = doubtful_patients(rows(*names, patient="hospital 4"))
    assert "13 images have the patient 'hospital 4': a placeholder" in doubt
    few = Identities(manifest_of(*rows(*names[:4], patient="ann")), tmp_path)
    assert few.of(tmp_path / "images" / "s3.png") == Identity("s3", "ann", True)
    # Copies do not make a person many: 13 files of one film.
    copies = [{"file": f"images/rotated_{n}_s1.png", "source": "s1", "patient": "ann"} for n in range(13)]
    assert Identities(manifest_of(*copies)).of(Path("rotated_3_s1.png")).patient == "ann"
    assert doubtful_patients(copies) == []
    # One row with a patient says nothing against it.
    mixed = manifest_of(*rows(*names), *rows("last", patient="ann"))
    assert Identities(mixed, tmp_path).of(tmp_path / "images" / "last.png").patient_known


def test_what_cannot_be_relied_on_is_named():
    assert doubtful_patients([]) == []
    assert doubtful_patients(rows("a", "b") + rows("c", patient="ann")) == []
    (doubt,) = doubtful_patients(rows("a", "b", patient="removed") + rows("c", patient="ann"))
    assert "2 images have the patient 'removed'" in doubt
    (doubt,) = doubtful_patients(rows("a", patient="007") + rows("b", patient="7") + rows("c", patient="70"))
    assert "the patients 007 and 7 differ in leading zeros alone" in doubt


PLACEHOLDERS = (
    "N/A",
    "ANON",
    "Anonymous^Patient",
    "patient_id",
    "-1",
    "-999.0",
    "#REF!",
    "####",
    "1.23E+11",
    "匿名",
)


@pytest.mark.parametrize("text", [*PLACEHOLDERS, "not available", "REMOVED REMOVED", "xxxx", "-", " "])
def test_a_placeholder_is_no_person(text):
    assert not identify(Path("a.png"), {"file": "a.png", "patient": text}).patient_known


@pytest.mark.parametrize(
    "text", ["A", "N", "12", "0", "Patient 1", "id-7", "1E5", "Nancy", "unknown-4", "P-1"]
)
def test_what_may_be_a_person_is_one(text):
    assert identify(Path("film.png"), {"file": "film.png", "patient": text}).patient == text


@pytest.mark.parametrize(
    "same",
    [("PA", "pA"), ("1", "1.0"), ("P007", "P7"), ("b c", "b_c"), ("a 1.0", "a 01.0"), ("e\u0301", "é")],
)
def test_patients_that_differ_in_spelling_alone_are_named(same):
    (doubt,) = doubtful_patients(rows("a", patient=same[0]) + rows("b", patient=same[1]))
    assert "differ in spelling alone" in doubt
    assert all(patient in doubt for patient in same)


@pytest.mark.parametrize("other", [("10", "1"), ("100", "1"), ("P1-2", "P12"), ("1.5", "15"), ("a0", "a")])
def test_patients_that_differ_are_not(other):
    assert doubtful_patients(rows("a", patient=other[0]) + rows("b", patient=other[1])) == []


def test_the_form_of_accents_makes_no_other_patient_or_source():
    apart = {"file": "e\u0301.png", "source": "e\u0301", "patient": "u\u0308"}
    assert identify(Path("e\u0301.png"), apart) == Identity("é", "ü", True)


class TestRows:
    @pytest.fixture
    def root(self, tmp_path):
        for folder in ("train/images", "train/masks", "test/images", "test/masks"):
            (tmp_path / folder).mkdir(parents=True)
        return tmp_path

    def known(self, root, path):
        return Identities.of_folder((root / path).parent).of(root / path).known_patient

    def test_by_path(self, root):
        manifest_of(
            {"file": "train/images/1.png", "mask": "train/masks/1_mask.png", "patient": "ann"},
            {"file": "test/images/1.png", "patient": "bea"},
        ).write(root)
        assert self.known(root, "train/images/1.png") == "ann"
        assert self.known(root, "train/masks/1_mask.png") == "ann"
        assert self.known(root, "test/images/1.png") == "bea"
        assert self.known(root, "test/masks/1.npz") == "bea"  # of the same part of the data set
        assert self.known(root, "test/images/1.jpg") == "bea"
        assert self.known(root, "test/images/2.png") == ""

    def test_a_row_of_another_part_is_not_taken(self, root):
        manifest_of({"file": "train/images/1.png", "patient": "ann"}).write(root)
        assert self.known(root, "test/images/1.png") == ""

    def test_bare_names_of_a_foreign_manifest(self, root):
        manifest_of({"file": "1.png", "patient": "ann"}).write(root)
        assert self.known(root, "train/images/1.png") == "ann"

    def test_a_mask_has_the_identity_of_its_image(self, root):
        manifest_of({"file": f"train/images/{CDD}.png", "mask": "train/masks/m.png"}).write(root)
        found = Identities.of_folder(root / "train" / "masks").of(root / "train" / "masks" / "m.png")
        assert (found.source, found.patient) == (CDD, "P34")

    def test_a_manifest_from_elsewhere(self, root):
        manifest_of(
            {"file": "train/images/1.png", "patient": "ann"},
            {"file": "test/images/1.png", "patient": "bea"},
            {"file": "test/images/2.png", "patient": "cia"},
        ).write(root / "train")
        identities = Identities.of_manifest(root / "train" / "manifest.csv")
        assert identities.of(Path("elsewhere/2.png")).patient == "cia"
        assert identities.of(Path("elsewhere/test/images/1.png")).patient == "bea"
        assert not identities.of(Path("elsewhere/1.png")).patient_known  # which of the two is open
        with pytest.raises(DatasetError, match="no manifest at"):
            Identities.of_manifest(root / "test")


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "name", "patient"),
        [
            (r"^\d{3}", "0123_L", "012"),
            (r"^([a-z]+)_(\d+)", "ann_7", "ann"),
            (r"^([a-z]+)_(?P<patient>\d+)", "ann_7", "7"),
            (r"^(x)?\d", "7", ""),
            (r"^\d", "ann", ""),
        ],
    )
    def test_named_group_first_group_or_all(self, pattern, name, patient):
        assert find_patient(patient_pattern(pattern), name) == patient

    def test_the_word_of_the_user_counts_most(self):
        pattern = patient_pattern(r"_(\d+)")
        assert identify(Path("x_7.png"), {"patient": "ann"}).told_by(pattern) == Identity("x_7", "7", True)
        assert identify(Path("x.png"), {"patient": "ann"}).told_by(pattern).patient == "ann"

    def test_what_is_no_pattern(self):
        with pytest.raises(ConfigError, match=r"--patient-pattern '\(' is no regular expression"):
            patient_pattern("(")
        with pytest.raises(ConfigError, match="has 201 characters; at most 200"):
            patient_pattern("a" * 201)
