"""INbreast: synthetic downloads, and the values of shared/data/formats/README.md."""

import plistlib
import shutil

import numpy as np
import pytest

from flexunet.data.annotations.property_list import read_open_line
from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE
from flexunet.data.collections.drawing import draw_mask
from flexunet.data.collections.outlined.inbreast import MUSCLE, ROW
from flexunet.errors import DatasetError

HEADER = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads\n"
ONE, OTHER = "6c613a14b80a8591", "b6a4f750c6df4f90"


def annotate(path, *regions):
    rois = [
        {"Name": name, "NumberOfPoints": len(points), "Point_px": [f"({x}, {y})" for x, y in points]}
        for name, points in regions
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plistlib.dumps({"Images": [{"ROIs": rois}]}))


@pytest.fixture
def download(tmp_path, make, write_dicom):
    root = tmp_path / "INbreast Release 1.0"
    (root / "AllDICOMs").mkdir(parents=True)

    def film(number, patient, side, view):
        path = root / "AllDICOMs" / f"{number}_{patient}_MG_{side}_{view}_ANON.dcm"
        write_dicom(
            path,
            make.breast(side=side, dtype=np.uint16) * 4,
            PatientID="removed",
            BitsStored=12,
            ViewPosition=view,
        )
        return path

    film("20000001", ONE, "L", "CC")
    film("20000002", ONE, "L", "ML")
    film("20000003", OTHER, "R", "CC")
    square = [(20, 90), (40, 90), (40, 110), (20, 110)]
    annotate(root / "AllXML" / "20000001.xml", ("Mass", square), ("Espiculated Region", square))
    annotate(root / "AllXML" / "20000003.xml", ("Calcification", [(150.6, 100.2)]))
    rows = ["L;CC;201001;20000001;2;5", "L;MLO;201001;20000002;2;1", "R;CC;201001;20000003;   ;4a"]
    (root / "INbreast.csv").write_text(HEADER + "".join(f"removed;removed;{row}\n" for row in rows))
    return root


def test_films_outlines_and_facts(download, make, tmp_path):
    _, contents = make.read(download)
    films = {film.name[:8]: film.annotation for film in contents.films}
    assert [films[name].state for name in sorted(films)] == [ANNOTATED, NORMAL, ANNOTATED]
    first = {"dataset": "inbreast", "patient": ONE, "side": "L", "view": "CC", "density": "2", "birads": "5"}
    assert films["20000001"].columns == {**first, "finding": "mass+spiculated region"}
    assert films["20000002"].columns == {**first, "view": "MLO", "birads": "1", "finding": "normal"}
    assert films["20000003"].columns["patient"] == OTHER
    assert "density" not in films["20000003"].columns
    assert contents.gaps == {}
    journal, report = make.derived(download, tmp_path / "out")
    assert {row["view"] for row in journal.values()} == {"CC", "ML"}  # as the headers say
    assert {row["source"][:8]: row["mask_origin"] for row in report.manifest.rows} == {
        "20000001": "outline",
        "20000002": "label",
        "20000003": "point",
    }
    pixels = {row["source"][:8]: int(row["raw_lesion_pixels"]) for row in report.manifest.rows}
    assert pixels == {"20000001": 400, "20000002": 0, "20000003": 1}
    assert {row["patient"] for row in report.manifest.rows} == {ONE, OTHER}
    assert {row["view"] for row in report.manifest.rows} == {"CC", "MLO"}  # as the data set says
    assert all(row["pixel_spacing_mm"] for row in report.manifest.rows)


def test_a_film_with_findings_is_never_normal(download, make, tmp_path):
    table = download / "INbreast.csv"
    table.write_text(table.read_text().replace("20000002;2;1", "20000002;2;2"))
    (download / "AllXML" / "20000001.xml").write_text("<plist><dict>")
    _, contents = make.read(download)
    states = {film.name[:8]: film.annotation.state for film in contents.films}
    assert states == {"20000001": BROKEN, "20000002": UNKNOWN, "20000003": ANNOTATED}
    assert contents.gaps == {NO_OUTLINE: [f"AllDICOMs/20000002_{ONE}_MG_L_ML_ANON.dcm"]}
    _, report = make.derived(download, tmp_path / "out")
    assert report.counts["labelled"] == report.counts["excluded"] == report.counts["failed"] == 1
    table.unlink()
    _, contents = make.read(download)
    assert {film.name[:8]: film.annotation.state for film in contents.films}["20000002"] == UNMARKED
    assert "INbreast.csv is not there" in contents.notes[0]


def test_what_is_missing_is_named(download, make):
    (download / "AllDICOMs" / f"20000003_{OTHER}_MG_R_CC_ANON.dcm").unlink()
    with (download / "INbreast.csv").open("a") as table:
        table.write("removed;removed;L;CC;201001;29999999;2;2\n")
    _, contents = make.read(download)
    assert contents.gaps == {NO_FILM: ["AllXML/20000003.xml"], NEITHER: ["29999999"]}


def test_a_film_that_lies_there_twice_is_refused(download, make):
    path = next((download / "AllDICOMs").iterdir())
    (download / "copy").mkdir()
    shutil.copy(path, download / "copy" / path.name)
    with pytest.raises(DatasetError, match="twice"):
        make.read(download)


def test_the_muscle_is_drawn_only_if_a_class_is_named(download, make):
    folder = download / "PectoralMuscle"
    folder.mkdir()
    line = {"ROIPoints": ["{40, 0}", "{20, 30}", "{0, 60}"], "DataValues": [1.0]}
    (folder / "20000002_muscle.xml").write_bytes(plistlib.dumps(line))
    _, contents = make.read(download)
    film = next(film for film in contents.films if film.name.startswith("20000002"))
    assert film.annotation.state == NORMAL
    assert not draw_mask(film, ROW, 160, 200).any()
    drawn = draw_mask(film, ROW, 160, 200, {MUSCLE: 2})
    assert set(np.unique(drawn)) == {0, 2}
    assert abs(np.count_nonzero(drawn) - 40 * 60 / 2) < 60
    assert contents.count(ROW.tissues)["lesions"] == 3


def test_the_samples(formats, tmp_path, make, write_dicom):
    """Values of shared/data/formats/README.md."""
    root = tmp_path / "INbreast"
    shutil.copytree(formats / "inbreast", root, copy_function=shutil.copyfile)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (root / "AllDICOMs").mkdir()
    blank = np.zeros((3328, 2560), np.uint16)
    for number, side, view in [("22580192", "R", "CC"), ("22614074", "R", "CC"), ("20587346", "R", "ML")]:
        write_dicom(root / "AllDICOMs" / f"{number}_{ONE}_MG_{side}_{view}_ANON.dcm", blank)
    write_dicom(root / "AllDICOMs" / f"53582540_{OTHER}_MG_R_ML_ANON.dcm", blank)
    write_dicom(root / "AllDICOMs" / f"50994300_{OTHER}_MG_R_FB_ANON.dcm", blank)
    collection, contents = make.read(root)
    films = {film.name[:8]: film for film in contents.films}

    def drawn(number, classes=None):
        return draw_mask(films[number], collection, 2560, 3328, classes)

    assert np.count_nonzero(drawn("22580192")) == 31170
    assert films["22580192"].annotation.columns["finding"] == "mass"
    both = drawn("22614074", {"mass": 1, "calcification": 2})
    assert [np.count_nonzero(both == value) for value in (1, 2)] == [106294, 164]
    points = drawn("20587346")
    assert sorted(map(tuple, np.argwhere(points)[:, ::-1])) == [(1042, 1525), (1647, 2866), (1654, 2872)]
    facts = films["53582540"].annotation.columns
    assert "density" not in facts
    assert (facts["birads"], films["53582540"].annotation.state) == ("1", NORMAL)
    assert films["50994300"].annotation.columns["view"] == "FB"
    assert films["50994300"].annotation.state == UNKNOWN
    muscle = next((root / "PectoralMuscle").glob("*_muscle.xml"))
    assert len(read_open_line(muscle)) == 40
    only = {"calcification": 0, MUSCLE: 1}
    # The area is 275,086 pixels; so many have their middle within, as skimage.draw.polygon counts too.
    assert np.count_nonzero(drawn("20587346", only)) == 275016
    assert len(contents.gaps[NEITHER]) == 12
