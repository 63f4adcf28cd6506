"""BCDR: outlines of a table, films under two forms of names."""

import shutil

import numpy as np

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, UNMARKED
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE
from flexunet.data.collections.drawing import draw_mask

HEADER = (
    "patient_id,study_id,series,lesion_id,segmentation_id,image_view,image_filename,lw_x_points,lw_y_points,"
    "mammography_nodule,mammography_calcification,age,density,classification\n"
)


def test_films_outlines_and_facts(make, tmp_path):
    root = tmp_path / "BCDR-D02"
    for name in ("img_2_3_1_LO", "img_2_3_1_LCC", "img_2_3_1_RCC"):
        make.picture(root / "patient_2" / "study_3" / f"{name}.tif", make.breast(side=name[10]))
    file = "patient_2/study_3/img_2_3_1_LO.tif"
    rows = [
        f"2, 3, 1, 5, 6, 4, {file}, 20 40 40 20, 90 90 110 110, 1, 0, 62, 2, Benign",
        f"2, 3, 1, 7, 8, 4, {file}, 50 60 60 50, 90 90 100 100, 1, 1, 62, 2, Malign",
        "2, 3, 1, 5, 7, 2, patient_2_study_3_img_2_3_1_LCC.tif, 20 40 40, 90 90, 1, 0, 62, 2, Benign",
        "2, 3, 1, 5, 9, 2, patient_2/study_3/img_2_9_1_LCC.tif, 1 2 2, 1 1 2, 1, 0, 62, 2, Benign",
    ]
    (root / "bcdr_d02_outlines.csv").write_text(HEADER + "\n".join(rows) + "\n")
    collection, contents = make.read(root)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "img_2_3_1_LO": ANNOTATED,
        "img_2_3_1_LCC": BROKEN,
        "img_2_3_1_RCC": UNMARKED,
    }
    assert films["img_2_3_1_LO"].annotation.columns == {
        "dataset": "bcdr",
        "patient": "bcdr-2",
        "side": "L",
        "view": "MLO",
        "density": "2",
        "finding": "calcification+mass",
        "pathology": "benign+malignant",
        "age": "62",
    }
    assert contents.gaps == {NO_FILM: ["img_2_9_1_LCC"]}
    assert "as many x as y; found 3 x and 2 y" in films["img_2_3_1_LCC"].annotation.reason
    rows, report = make.derived(root, tmp_path / "out")
    assert rows["img_2_3_1_LO"]["raw_lesion_pixels"] == "500"
    assert report.counts["to_review"] == report.counts["failed"] == 1
    (root / "bcdr_d02_outlines.csv").unlink()
    assert len(make.read(root)[1].gaps[NO_OUTLINE]) == 3
    assert collection.name == "bcdr"


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    shutil.copyfile(formats / "bcdr" / "bcdr_d02_outlines.csv", tmp_path / "bcdr_d02_outlines.csv")
    lines = (tmp_path / "bcdr_d02_outlines.csv").read_text().splitlines()[1:]
    for line in lines:
        path = tmp_path / line.split(", ")[6]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"only its name counts here")
    collection, contents = make.read(tmp_path)
    films = make.by_name(contents)
    assert contents.count() == {"films": 8, "patients": 2, "lesions": 9}
    assert contents.gaps == {}

    def extent(name, number=0):
        across, down = zip(*films[name].annotation.shapes[number].points, strict=True)
        return min(across), max(across), min(down), max(down)

    def pixels(name):
        return np.count_nonzero(draw_mask(films[name], collection, 2800, 3400))

    assert extent("img_4_7_1_LCC") == (1060, 1085, 1969, 1995)
    assert extent("img_4_8_1_LCC") == (1276, 1298, 2370, 2393)
    assert extent("img_2_3_1_LO") == (1087, 1119, 2607, 2638)
    assert sorted(extent("img_4_8_1_LO", number) for number in (0, 1)) == [
        (686, 784, 3087, 3168),
        (1492, 1522, 2578, 2611),
    ]
    # The page leaves out pixels whose middles lie on an edge; here they belong to the outline.
    assert 475 <= pixels("img_4_7_1_LCC") <= 475 + 64
    assert 402 <= pixels("img_4_8_1_LCC") <= 402 + 55
