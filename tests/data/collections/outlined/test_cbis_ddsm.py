"""CBIS-DDSM: mask or crop by content, several abnormalities a film, the official split."""

import shutil

import numpy as np
import pytest

from flexunet.data.annotations.shapes import ANNOTATED, UNKNOWN
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE
from flexunet.data.collections.download import read_rows
from flexunet.data.collections.drawing import draw_mask
from flexunet.errors import MaskError

HEIGHT, WIDTH = 240, 160


@pytest.fixture
def build(tmp_path, make, write_dicom):
    root = tmp_path / "CBIS-DDSM"

    def put(subject, number, pixels, study="1.1"):
        path = root / subject / study / "1.2" / f"1-{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(path, pixels, PatientID=subject)

    def film(subject, height=HEIGHT, width=WIDTH):
        put(subject, 1, make.breast(height, width, dtype=np.uint16) * 200)

    def crop():
        return make.breast(60, 50, dtype=np.uint16)[:50, :40] * 200

    return root, put, film, crop


def table(root, kind, split, *rows):
    density = "breast_density" if kind == "mass" else "breast density"
    header = (
        f"patient_id,{density},left or right breast,image view,abnormality id,abnormality type,"
        "assessment,pathology,subtlety,ROI mask file path\n"
    )
    path = root / f"{kind}_case_description_{split}_set.csv"
    path.write_text(header + "".join(f'{row},"a/000001.dcm\n"\n' for row in rows))


@pytest.mark.parametrize("mask_first", [True, False])
def test_the_mask_is_told_by_content(build, make, tmp_path, mask_first):
    root, put, film, crop = build
    film("Mass-Training_P_00001_LEFT_CC")
    put("Mass-Training_P_00001_LEFT_CC_1", 1 if mask_first else 2, make.mask(HEIGHT, WIDTH, 100, 30))
    put("Mass-Training_P_00001_LEFT_CC_1", 2 if mask_first else 1, crop())
    # A second abnormality, its mask in a study of its own beside one that holds a grey picture of film size.
    grey = make.breast(HEIGHT, WIDTH, dtype=np.uint16) * 200
    put("Mass-Training_P_00001_LEFT_CC_2", 1, make.mask(HEIGHT, WIDTH, 150, 30, 10), study="9.9")
    put("Mass-Training_P_00001_LEFT_CC_2", 1, crop(), study="1.1")
    put("Mass-Training_P_00001_LEFT_CC_2", 2, grey, study="1.1")
    facts = "P_00001,3,LEFT,CC,{},mass,{},{},{}"
    rows = (facts.format(1, 4, "MALIGNANT", 4), facts.format(2, 2, "BENIGN_WITHOUT_CALLBACK", 4))
    table(root, "mass", "train", *rows)
    table(root, "calc", "train")
    _, contents = make.read(root)
    assert contents.gaps == {}
    assert contents.notes == []
    rows, report = make.derived(root, tmp_path / "out")
    row = report.manifest.rows[0]
    assert rows["P_00001_LEFT_CC"]["raw_lesion_pixels"] == str(20 * 20 + 10 * 10)
    told = {name: row[name] for name in ("patient", "side", "view", "density", "birads", "subtlety")}
    assert told == {
        "patient": "P_00001",
        "side": "L",
        "view": "CC",
        "density": "3",
        "birads": "2+4",
        "subtlety": "4",
    }
    assert row["pathology"] == "benign without callback+malignant"
    assert (row["official_split"], row["mask_origin"], row["finding"]) == ("train", "mask", "mass")


def test_a_crop_is_never_a_mask(build, make, tmp_path):
    root, put, film, crop = build
    film("Mass-Test_P_00002_RIGHT_MLO")
    put("Mass-Test_P_00002_RIGHT_MLO_1", 1, crop())
    put("Mass-Test_P_00002_RIGHT_MLO_1", 2, make.mask(50, 40, 10, 10))
    film("Mass-Test_P_00003_RIGHT_MLO")
    put("Mass-Test_P_00003_RIGHT_MLO_1", 1, make.breast(HEIGHT, WIDTH))
    rows, _ = make.derived(root, tmp_path / "out")
    assert [row["state"] for row in rows.values()] == ["excluded", "excluded"]
    assert "40 x 50 pixels, the film 160 x 240: a crop, not a mask" in rows["P_00002_RIGHT_MLO"]["reason"]
    assert "no file of the lesion 'mass'" in rows["P_00003_RIGHT_MLO"]["reason"]


# Height and width of masks and films, from github.com/fjeg/ddsm_tools/issues/5.
@pytest.mark.parametrize(
    ("mask", "film", "fits"),
    [
        ((4386, 1789), (5041, 2056), True),
        ((4373, 2155), (5026, 2476), True),
        ((4686, 2820), (5386, 3241), True),
        ((4621, 2781), (5311, 3196), True),
        ((4686, 3186), (5386, 3661), True),
        ((4688, 3088), (4624, 3056), False),
        ((4624, 3080), (4640, 3072), False),
    ],
)
def test_a_mask_of_another_size_is_scaled_and_one_of_other_proportions_is_not(build, make, mask, film, fits):
    root, put, write_film, _ = build
    subject = "Mass-Test_P_00145_LEFT_CC"
    write_film(subject, 64, 48)  # its size is told below: drawing needs no picture
    put(f"{subject}_1", 1, make.mask(*mask, mask[0] // 2, mask[1] // 4, mask[1] // 4))
    collection, contents = make.read(root)
    height, width = film
    if fits:
        drawn = draw_mask(contents.films[0], collection, width, height)
        rows, columns = np.nonzero(drawn)
        scale = width / mask[1]
        assert abs(len(rows) - (mask[1] // 4 * scale) ** 2) < 0.02 * len(rows) + 4 * scale * mask[1] // 4
        assert abs(rows.min() - mask[0] // 2 * scale) <= 2
        assert abs(columns.min() - mask[1] // 4 * scale) <= 2
    else:
        with pytest.raises(MaskError, match="other proportions"):
            draw_mask(contents.films[0], collection, width, height)


def test_two_masks_that_differ_are_not_guessed(build, make, tmp_path):
    root, put, film, _ = build
    film("Calc-Training_P_00005_LEFT_CC")
    put("Calc-Training_P_00005_LEFT_CC_1", 1, make.mask(HEIGHT, WIDTH, 100, 30))
    put("Calc-Training_P_00005_LEFT_CC_1", 2, make.mask(HEIGHT, WIDTH, 120, 30))
    rows, _ = make.derived(root, tmp_path / "out")
    assert "2 files" in rows["P_00005_LEFT_CC"]["reason"]
    assert rows["P_00005_LEFT_CC"]["state"] == "excluded"


def test_both_kinds_of_one_film_are_one_film_and_the_leak_is_named(build, make, tmp_path):
    root, put, film, _ = build
    for subject, number, top in (("Mass-Training", 1, 100), ("Calc-Test", 2, 140)):
        film(f"{subject}_P_00041_LEFT_CC")
        put(f"{subject}_P_00041_LEFT_CC_{number}", 1, make.mask(HEIGHT, WIDTH, top, 30))
    table(root, "mass", "train", "P_00041,3,LEFT,CC,1,mass,4,BENIGN,4")
    table(root, "calc", "test", "P_00041,3,LEFT,CC,2,calcification,4,BENIGN,4")
    _, contents = make.read(root)
    assert contents.count()["films"] == 1
    assert contents.films[0].annotation.columns["official_split"] == "test+train"
    assert any("the official split leaks: 1 patients" in note for note in contents.notes)
    rows, _ = make.derived(root, tmp_path / "out")
    assert rows["P_00041_LEFT_CC"]["raw_lesion_pixels"] == "800"
    assert rows["P_00041_LEFT_CC"]["raw_file"].startswith("Mass-Training")
    shutil.rmtree(root / "Calc-Test_P_00041_LEFT_CC_2")
    _, contents = make.read(root)
    assert contents.films[0].annotation.state == UNKNOWN
    assert contents.gaps == {NO_OUTLINE: ["P_00041_LEFT_CC_Calc_2"]}


def test_what_is_missing_is_named(build, make):
    root, put, film, _ = build
    film("Mass-Training_P_00001_LEFT_CC")
    put("Mass-Training_P_00004_LEFT_CC_1", 1, make.mask(HEIGHT, WIDTH, 100, 30))
    table(root, "mass", "train", "P_00059,3,LEFT,CC,1,mass,4,BENIGN,4")
    _, contents = make.read(root)
    assert contents.gaps == {
        NO_OUTLINE: ["P_00001_LEFT_CC"],
        NO_FILM: ["P_00004_LEFT_CC_Mass_1"],
        NEITHER: ["P_00059_LEFT_CC_Mass_1"],
    }
    assert "no table of calc_case_description" in contents.notes[0]


def test_the_folders_of_the_download_program(build, make):
    root, _, film, _ = build
    film("Calc-Test_P_00038_LEFT_CC")
    mask = root / "Calc-Test_P_00038_LEFT_CC_1/08-29-2017-DDSM-NA-94942/1.000000-ROI mask images-18515"
    make.picture(mask / "1-2.png", make.mask(HEIGHT, WIDTH, 100, 30))
    _, contents = make.read(root)
    assert contents.films[0].annotation.state == ANNOTATED
    assert contents.count() == {"films": 1, "patients": 1, "lesions": 1}


def test_the_samples(formats, tmp_path, make):
    """Rows and listing of shared/data/formats/cbis_ddsm, and the values of its README."""
    folder = formats / "cbis_ddsm"
    for path in folder.glob("*.csv"):
        shutil.copyfile(path, tmp_path / path.name)
    for line in (folder / "folder_listing.txt").read_text().split():
        path = tmp_path / line
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    _, contents = make.read(tmp_path)
    films = make.by_name(contents)
    counts = {}
    for kind in ("mass", "calc"):
        for split in ("train", "test"):
            rows = read_rows(tmp_path / f"{kind}_case_description_{split}_set.csv")
            seen = {(row["patient_id"], row["left or right breast"], row["image view"]) for row in rows}
            counts[kind, split] = (len(rows), len(seen), len({patient for patient, *_ in seen}))
            assert not [cell for row in rows for cell in row.values() if "\n" in cell]
    assert counts["mass", "train"] == (14, 10, 5)
    assert counts["mass", "test"] == (5, 4, 3)
    assert counts["calc", "train"] == (8, 6, 5)
    assert counts["calc", "test"] == (5, 4, 2)
    assert set(films) == {"P_00038_LEFT_CC", "P_00038_RIGHT_CC", "P_00041_LEFT_CC"}
    # Mass 1 of P_00041 is in the table and not in the listing: half of its lesions is not all.
    assert films["P_00041_LEFT_CC"].annotation.state == UNKNOWN
    assert films["P_00041_LEFT_CC"].annotation.columns["official_split"] == "test+train"
    assert len(films["P_00038_RIGHT_CC"].masks) == 2
    assert "P_00041_LEFT_CC_Mass_1" in contents.gaps[NO_OUTLINE]
    assert "P_00059_LEFT_CC_Mass_1" in contents.gaps[NO_FILM]
    four = [name for name in contents.gaps[NEITHER] if name.startswith("P_00044_RIGHT_CC_Mass")]
    assert len(four) == 3  # of four masks, the listing has the first
    assert any("P_00041" in note for note in contents.notes)
