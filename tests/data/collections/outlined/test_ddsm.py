"""DDSM: chain codes, case files, and films that only look normal."""

import shutil

import numpy as np
import pytest

from flexunet.data.annotations.chain_codes import read_overlay
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED, FilmAnnotation
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE
from flexunet.data.collections.drawing import draw_mask
from flexunet.errors import MaskError

CASE = "DENSITY 3\nPATIENT_AGE 61\nFILM \n"
VIEW = "{} LINES 200 PIXELS_PER_LINE 160 BITS_PER_PIXEL 12 RESOLUTION 50 {}\n"
# A square of 21 x 21 pixels with its border, from (20, 90).
SQUARE = f"20 90 {'2 ' * 20}{'4 ' * 20}{'6 ' * 20}{'0 ' * 19}#"


def overlay(codes=SQUARE, outlines=1):
    return (
        "TOTAL_ABNORMALITIES 1\nABNORMALITY 1\nLESION_TYPE MASS SHAPE OVAL MARGINS N/A\nASSESSMENT 4\n"
        f"SUBTLETY 3\nPATHOLOGY BENIGN_WITHOUT_CALLBACK\nTOTAL_OUTLINES {outlines}\nBOUNDARY\n{codes}\n"
    )


@pytest.fixture
def download(tmp_path, make):
    root = tmp_path / "DDSM"
    cancer, normal = root / "cancers/cancer_01/case0001", root / "normals/normal_01/case0002"
    for view in ("LEFT_CC", "LEFT_MLO", "RIGHT_CC"):
        make.picture(cancer / f"A_0001_1.{view}.LJPEG.png", make.breast(side=view[0]))
    make.picture(normal / "A_0002_1.LEFT_CC.png", make.breast())
    (cancer / "A-0001-1.ics").write_text(
        CASE + VIEW.format("LEFT_CC", "OVERLAY") + VIEW.format("LEFT_MLO", "NON_OVERLAY")
    )
    (cancer / "A_0001_1.LEFT_CC.OVERLAY").write_text(overlay())
    (normal / "A-0002-1.ics").write_text(CASE + VIEW.format("LEFT_CC", "NON_OVERLAY"))
    return root


def test_films_outlines_and_facts(download, make, tmp_path):
    _, contents = make.read(download)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "A_0001_1.LEFT_CC": ANNOTATED,
        "A_0001_1.LEFT_MLO": UNMARKED,
        "A_0001_1.RIGHT_CC": UNMARKED,
        "A_0002_1.LEFT_CC": NORMAL,
    }
    assert films["A_0001_1.LEFT_CC"].annotation.columns == {
        "dataset": "ddsm",
        "patient": "A_0001",
        "side": "L",
        "view": "CC",
        "density": "3",
        "age": "61",
        "finding": "mass",
        "pathology": "benign without callback",
        "birads": "4",
        "subtlety": "3",
    }
    assert contents.gaps == {}
    rows, report = make.derived(download, tmp_path / "out")
    assert rows["A_0001_1.LEFT_CC"]["raw_lesion_pixels"] == str(21 * 21)
    assert {row["patient"] for row in report.manifest.rows} == {"A_0001", "A_0002"}
    side = 0.05 * int(rows["A_0001_1.LEFT_CC"]["crop_height"]) / 64
    assert rows["A_0001_1.LEFT_CC"]["pixel_spacing_mm"] == f"{side:.6g},{side:.6g}"


def test_what_is_missing_is_named(download, make):
    folder = download / "cancers/cancer_01/case0001"
    (folder / "A_0001_1.LEFT_CC.OVERLAY").rename(folder / "A_0001_1.RIGHT_MLO.OVERLAY")
    (download / "normals/normal_01/case0002/A_0002_1.LEFT_CC.png").unlink()
    (folder / "A_0001_1.RIGHT_MLO.LJPEG").write_bytes(b"lossless")
    _, contents = make.read(download)
    assert make.by_name(contents)["A_0001_1.LEFT_CC"].annotation.state == UNKNOWN
    assert contents.gaps == {
        NO_OUTLINE: ["cancers/cancer_01/case0001/A_0001_1.LEFT_CC.LJPEG.png"],
        NO_FILM: ["A_0001_1.RIGHT_MLO"],
        NEITHER: ["A_0002"],
    }
    assert "1 films are LJPEG" in contents.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "does not begin"),
        (overlay().replace("TOTAL_ABNORMALITIES 1", "TOTAL_ABNORMALITIES 2"), "but there are 1"),
        (overlay(outlines=2), "found 1 and 1"),
        (overlay("20 90 2 2 9 #"), "from 0 to 7"),
        (overlay("20 90 2 2 4"), "expected 'x y c"),
    ],
)
def test_a_damaged_overlay_is_never_half_read(download, make, text, message):
    path = download / "cancers/cancer_01/case0001/A_0001_1.LEFT_CC.OVERLAY"
    path.write_text(text)
    with pytest.raises(MaskError, match=message):
        read_overlay(path)
    assert make.by_name(make.read(download)[1])["A_0001_1.LEFT_CC"].annotation.state == BROKEN


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    for path in (formats / "ddsm").iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    make.picture(tmp_path / "X_0001_1.LEFT_CC.png", np.zeros((60, 40), np.uint8))
    make.picture(tmp_path / "B_3024_1.LEFT_CC.png", np.zeros((4696, 3024), np.uint8))
    collection, contents = make.read(tmp_path)
    films = make.by_name(contents)
    one, two = read_overlay(tmp_path / "X_0001_1.LEFT_CC.OVERLAY")
    assert (one.outline.label, two.outline.label) == ("calcification+mass", "mass")
    assert (one.words["PATHOLOGY"], two.words["PATHOLOGY"]) == ("MALIGNANT", "BENIGN")
    film = films["X_0001_1.LEFT_CC"]
    drawn = draw_mask(film, collection, 40, 60, {"calcification+mass": 1, "mass": 2})
    for value, columns, rows, pixels in ((1, (10, 20), (10, 22), 143), (2, (26, 34), (30, 38), 41)):
        y, x = np.nonzero(drawn == value)
        assert ((x.min(), x.max()), (y.min(), y.max()), len(x)) == (columns, rows, pixels)
    y, x = np.nonzero(FilmAnnotation(ANNOTATED, one.cores).rasterise(40, 60))
    assert (x.min(), x.max(), y.min(), y.max(), len(x)) == (14, 18, 14, 17, 20)
    assert [len(each.outline.points) - 1 for each in (one, two)] == [44, 16]
    assert film.annotation.columns["pathology"] == "benign+malignant"
    real = films["B_3024_1.LEFT_CC"].annotation
    assert (real.width, real.height, real.columns["density"]) == (3024, 4696, "4")
    assert real.state == UNKNOWN
