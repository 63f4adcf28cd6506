"""CDD-CESM: regions by file name, states by the workbook."""

import json
import shutil

import numpy as np
import pytest

from flexunet.data.annotations.shapes import ANNOTATED, NORMAL, UNKNOWN, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE
from flexunet.data.collections.drawing import draw_mask

VIA = "Radiology_hand_drawn_segmentations_v2.csv"
BOOK = "Radiology-manual-annotations.xlsx"
COLUMNS = ["Image_name", "Type", "Age", "Breast density (ACR)", "BIRADS", "Findings"]
HEADER = (
    "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
)


@pytest.fixture
def download(tmp_path, make, write_workbook):
    root = tmp_path / "CDD-CESM"
    for name in ("P1_L_DM_MLO", "P1_L_CM_MLO", "P2_R_DM_CC", "P3_R_DM_CC"):
        folder = "Low energy images of CDD-CESM" if "DM" in name else "Subtracted images of CDD-CESM"
        make.picture(root / folder / f"{name}.jpg", make.breast(side=name[3]))
    polygon = {"name": "polygon", "all_points_x": [20, 40, 40, 20], "all_points_y": [90, 90, 110, 110]}
    circle = {"name": "circle", "cx": 40, "cy": 100, "r": 9}
    lines = [HEADER]
    for name, shape in [("P1_L_DM_MLO.jpg", polygon), ("P1_L_CM_MLO .jpg", circle)]:
        quoted = json.dumps(shape).replace('"', '""')
        lines.append(f'{name},1,{{}},1,0,"{quoted}",{{}}')
    (root / VIA).write_text("\n".join(lines) + "\n")
    rows = [
        ["P1_L_DM_MLO ", "DM", 54, 3, "5", "Mass$calcifications", "Malignant"],
        ["P1_L_CM_MLO", "CESM", 54, "_", "3$2", "Mass enhancement", "Malignant"],
        ["P2_R_DM_CC", "DM", 40, 1, "1", "", "Normal"],
        ["P3_R_DM_CC", "DM", 41, 2, "2", "Mass", "Benign"],
    ]
    write_workbook(
        root / BOOK,
        {"all": [[*COLUMNS, "Pathology Classification/ Follow up"], *rows], "calcifications": [["x"]]},
    )
    return root


def test_films_regions_and_facts(download, make, tmp_path):
    _, contents = make.read(download)
    films = make.by_name(contents)
    states = {name: film.annotation.state for name, film in films.items()}
    assert states == {
        "P1_L_DM_MLO": ANNOTATED,
        "P1_L_CM_MLO": ANNOTATED,
        "P2_R_DM_CC": NORMAL,
        "P3_R_DM_CC": UNKNOWN,
    }
    assert contents.gaps == {}
    assert "1 films are benign or malignant by the workbook" in contents.notes[0]
    assert films["P1_L_CM_MLO"].annotation.columns == {
        "dataset": "cdd-cesm",
        "patient": "P1",
        "side": "L",
        "view": "MLO",
        "modality": "subtracted",
        "density": "3",
        "finding": "mass enhancement",
        "pathology": "malignant",
        "birads": "2+3",
        "age": "54",
    }
    assert films["P1_L_DM_MLO"].annotation.columns["finding"] == "calcifications+mass"
    rows, report = make.derived(download, tmp_path / "out")
    assert rows["P1_L_DM_MLO"]["mask_origin"] == "outline"
    assert rows["P1_L_DM_MLO"]["raw_lesion_pixels"] == "400"
    assert rows["P1_L_CM_MLO"]["mask_origin"] == "circle"
    assert rows["P3_R_DM_CC"]["state"] == "excluded"
    assert rows["P2_R_DM_CC"]["raw_lesion_pixels"] == "0"
    assert {row["patient"] for row in report.manifest.rows} == {"P1", "P2"}


def test_without_the_workbook_no_film_is_normal(download, make, tmp_path):
    (download / BOOK).unlink()
    _, contents = make.read(download)
    assert make.by_name(contents)["P2_R_DM_CC"].annotation.state == UNMARKED
    rows, _ = make.derived(download, tmp_path / "out")
    assert rows["P2_R_DM_CC"]["state"] == rows["P3_R_DM_CC"]["state"] == "to_review"


def test_what_is_missing_is_named(download, make):
    (download / "Low energy images of CDD-CESM" / "P1_L_DM_MLO.jpg").unlink()
    (download / "Low energy images of CDD-CESM" / "P2_R_DM_CC.jpg").unlink()
    _, contents = make.read(download)
    assert contents.gaps == {NO_FILM: ["P1_L_DM_MLO"], NEITHER: ["P2_R_DM_CC"]}
    (download / VIA).unlink()
    _, contents = make.read(download)
    assert contents.gaps[NO_OUTLINE] == ["P1_L_CM_MLO", "P3_R_DM_CC"]


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    shutil.copyfile(formats / "cdd_cesm" / VIA, tmp_path / VIA)
    table = (tmp_path / VIA).read_text().splitlines()[1:]
    for name in {line.partition(".jpg")[0] for line in table}:
        (tmp_path / f"{name}.jpg").write_bytes(b"a film: only its name counts here")
    collection, contents = make.read(tmp_path)
    films = make.by_name(contents)
    assert contents.count() == {"films": 10, "patients": 4, "lesions": 23}
    shapes = {name: film.annotation.shapes for name, film in films.items()}
    assert {name: len(each) for name, each in shapes.items() if len(each) > 1} == {
        "P2_L_DM_CC": 4,
        "P2_R_CM_CC": 9,
        "P6_R_DM_CC": 3,
    }
    assert len(shapes["P1_L_CM_MLO"][0].points) == len(shapes["P1_L_DM_MLO"][0].points) == 38

    def extent(shape):
        across, down = zip(*shape.points, strict=True)
        return min(across), max(across), min(down), max(down)

    assert extent(shapes["P1_L_CM_MLO"][0]) == (49, 1241, 399, 1560)
    assert extent(shapes["P1_L_DM_MLO"][0]) == (38, 1269, 161, 1368)
    assert [extent(shape) for shape in shapes["P2_L_DM_CC"]] == [
        (4, 779, 1419, 3007),
        (533, 783, 1938, 2613),
        (27, 765, 4, 1620),
        (4, 703, 698, 2309),
    ]
    kinds = [type(shape).__name__ for shape in shapes["P2_R_CM_CC"]]
    assert (kinds.count("Ellipse"), kinds.count("Circle")) == (7, 2)

    def pixels(name):
        return np.count_nonzero(draw_mask(films[name], collection, 1400, 3100))

    # The page leaves out pixels whose middles lie on an edge (87 of one at 45 degrees); they belong to it.
    assert pixels("P6_L_CM_MLO") == pixels("P6_L_DM_MLO") == 29667 + 87
    assert pixels("P2_L_CM_CC") == 729688 + 7
    assert pixels("P2_L_CM_MLO") == 1259421 + 1
    drawn = draw_mask(films["P6_R_DM_CC"], collection, 1400, 3100)
    assert drawn[687, 456] == 1
    assert [films[name].annotation.columns["patient"] for name in ("P6_L_CM_MLO", "P326_R_DM_CC")] == [
        "P6",
        "P326",
    ]
