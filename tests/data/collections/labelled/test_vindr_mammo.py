"""VinDr-Mammo: boxes stay boxes, and become masks only if asked for."""

import shutil

import numpy as np
import pytest

from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE

STUDY = "a" * 32
HEADER = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,breast_density,"
    "finding_categories,finding_birads,xmin,ymin,xmax,ymax,split\n"
)


def image(letter):
    return letter * 32


@pytest.fixture
def download(tmp_path, make, write_dicom):
    root = tmp_path / "vindr"
    (root / "images" / STUDY).mkdir(parents=True)
    for letter in "bcde":
        write_dicom(root / "images" / STUDY / f"{image(letter)}.dicom", make.breast(dtype=np.uint16) * 20)
    start = f"{STUDY},s,{{}},L,CC,200,160,BI-RADS {{}},DENSITY C,"
    mass = """['Mass'],BI-RADS 4,-6.25,90,20,110,training"""
    both = """"['Mass', 'Suspicious Calcification']",BI-RADS 5,40,90.5,60,110,training"""
    lines = [
        start.format(image("b"), 4) + mass,
        start.format(image("b"), 4) + both,
        start.format(image("c"), 1) + "['No Finding'],,,,,,test",
        start.format(image("d"), 4) + "['No Finding'],,,,,,training",
        start.format(image("e"), 4) + "mass,,1,1,2,2,training",
    ]
    (root / "finding_annotations.csv").write_text(HEADER + "\n".join(lines) + "\n")
    return root


def test_boxes_stay_boxes(download, make, tmp_path):
    _, contents = make.read(download)
    films = {film.name[0]: film for film in contents.films}
    states = {name: film.annotation.state for name, film in films.items()}
    assert states == {"b": UNMARKED, "c": NORMAL, "d": UNMARKED, "e": BROKEN}
    assert films["b"].annotation.columns == {
        "dataset": "vindr-mammo",
        "patient": STUDY,
        "side": "L",
        "view": "CC",
        "density": "3",
        "finding": "mass+suspicious calcification",
        "birads": "4+5",
        "official_split": "train",
        "boxes": "0 90 20 110; 40 90.5 60 110",
    }
    assert films["c"].annotation.columns["official_split"] == "test"
    rows, _ = make.derived(download, tmp_path / "out")
    assert [rows[image(name)]["state"] for name in "bcde"] == ["to_review", "labelled", "to_review", "failed"]
    rows, _ = make.derived(download, tmp_path / "weak", weak=True)
    row = rows[image("b")]
    assert (row["state"], row["mask_origin"]) == ("labelled", "box")
    # Columns 0..19 and 40..59; of rows 90..109, the middle of row 90 lies on the edge of the second box.
    assert row["raw_lesion_pixels"] == str(20 * 20 + 20 * 20)
    assert rows[image("d")]["state"] == "to_review"


def test_what_is_missing_is_named(download, make):
    for letter in "bc":
        (download / "images" / STUDY / f"{image(letter)}.dicom").unlink()
    _, contents = make.read(download)
    assert contents.gaps == {NO_FILM: [image("b")], NEITHER: [image("c")]}
    (download / "finding_annotations.csv").unlink()
    _, contents = make.read(download)
    assert contents.gaps == {NO_OUTLINE: [image("d"), image("e")]}
    assert {film.annotation.state for film in contents.films} == {UNMARKED}


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    table = tmp_path / "finding_annotations.csv"
    shutil.copyfile(formats / "vindr_mammo" / table.name, table)
    lines = table.read_text().splitlines()[1:]
    for study, _, name, *_ in (line.split(",") for line in lines):
        path = tmp_path / "images" / study / f"{name}.dicom"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"only its name counts here")
    _, contents = make.read(tmp_path)
    films = {film.name[:8]: film for film in contents.films}
    assert (len(lines), len(films), contents.gaps) == (14, 10, {})
    boxes = {name: len(film.boxes) for name, film in films.items()}
    assert (boxes["dc4694b5"], boxes["5fe8350c"], boxes["de271f53"]) == (2, 3, 2)
    across = [point[0] for box in films["dc4694b5"].boxes for point in box.points]
    assert min(across) == 0
    assert "0 1805.46 180.51 1996.95" in films["dc4694b5"].annotation.columns["boxes"]
    normal = {name for name, film in films.items() if film.annotation.state == NORMAL}
    assert normal == {"e7354a1c", "d443b972", "45c1239c"}
    tests = {name for name, film in films.items() if film.annotation.columns["official_split"] == "test"}
    assert tests == {"2f944efb", "5fe8350c"}
