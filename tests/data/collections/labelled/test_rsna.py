"""RSNA: labels a breast, and few films that are surely normal."""

import numpy as np

from flexunet.data.annotations.shapes import NORMAL, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_OUTLINE

HEADER = "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,density\n"
ROWS = [
    "2,10006,11,L,CC,61.0,0,0,0,1.0,0,B",
    "2,10006,12,L,MLO,61.0,0,0,0,2.0,0,B",
    "2,10006,13,R,CC,61.0,1,1,1,0.0,0,",
    "2,10007,11,R,CC,50.0,0,1,0,,0,",
    "2,10008,99,R,CC,50.0,0,0,0,1,0,",
]


def test_films_and_labels(make, tmp_path, write_dicom):
    root = tmp_path / "rsna"
    places = ["train_images/10006/11", "train_images/10006/12", "train_images/10006/13"]
    for place in (*places, "train_images/10007/11", "test_images/10009/21"):
        path = root / f"{place}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(path, make.breast(dtype=np.uint16) * 20)
    (root / "train.csv").write_text(HEADER + "\n".join(ROWS) + "\n")
    _, contents = make.read(root)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "10006_11": NORMAL,
        "10006_12": UNMARKED,
        "10006_13": UNMARKED,
        "10007_11": UNMARKED,
        "10009_21": UNMARKED,
    }
    assert films["10006_13"].annotation.columns == {
        "dataset": "rsna",
        "patient": "rsna-10006",
        "side": "R",
        "view": "CC",
        "finding": "cancer",
        "pathology": "malignant",
        "birads": "0",
        "age": "61",
        "official_split": "train",
    }
    assert films["10006_11"].annotation.columns["density"] == "2"
    assert films["10007_11"].annotation.columns["pathology"] == "benign"
    assert contents.gaps == {NO_OUTLINE: ["test_images/10009/21.dcm"], NEITHER: ["10008/99"]}
    rows, _ = make.derived(root, tmp_path / "out")
    assert [name for name, row in rows.items() if row["state"] == "labelled"] == ["10006_11"]
    assert rows["10006_13"]["reason"] == "cancer 1, biopsy 1, BI-RADS 0: the data set has no masks"
