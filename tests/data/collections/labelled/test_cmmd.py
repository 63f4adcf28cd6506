"""CMMD: side and view from the header, the diagnosis of that breast alone."""

import numpy as np

from flexunet.data.annotations.shapes import BROKEN, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_OUTLINE


def test_a_diagnosis_is_of_one_breast(make, tmp_path, write_dicom, write_workbook):
    root = tmp_path / "manifest"
    for number, side, view in ((1, "L", "CC"), (2, "L", "MLO"), (3, "R", "CC"), (4, "R", "CC")):
        path = root / "CMMD" / "D1-0001" / "07-18-2010" / "1.0" / f"1-{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        film = make.breast(side=side, dtype=np.uint16) * 20
        write_dicom(path, film, PatientID="D1-0001", ImageLaterality=side, ViewPosition=view)
    broken = root / "CMMD" / "D2-0002" / "1-1.dcm"
    broken.parent.mkdir()
    broken.write_bytes(b"no film")
    header = ["ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype"]
    rows = [
        ["D1-0001", "L", 44, 2, "both", "Malignant", None],
        ["D1-0003", "R", 50, 2, "mass", "Benign", None],
    ]
    write_workbook(root / "CMMD_clinicaldata_revision.xlsx", {"Sheet1": [header, *rows]})
    _, contents = make.read(root)
    films = make.by_name(contents)
    assert {name: film.annotation.state for name, film in films.items()} == {
        "D1-0001_L_CC": UNMARKED,
        "D1-0001_L_MLO": UNMARKED,
        "D1-0001_R_CC": UNMARKED,
        "D1-0001_R_CC_2": UNMARKED,
        "D2-0002": BROKEN,
    }
    assert films["D1-0001_L_MLO"].annotation.columns == {
        "dataset": "cmmd",
        "patient": "D1-0001",
        "side": "L",
        "view": "MLO",
        "pathology": "malignant",
        "finding": "calcification+mass",
        "age": "44",
    }
    assert "pathology" not in films["D1-0001_R_CC"].annotation.columns
    assert "does not make it normal" in films["D1-0001_R_CC"].annotation.reason
    assert contents.gaps == {NEITHER: ["D1-0003_R"]}
    made, _ = make.derived(root, tmp_path / "out")
    assert sorted(row["state"] for row in made.values()) == ["failed", *["to_review"] * 4]
    (root / "CMMD_clinicaldata_revision.xlsx").unlink()
    assert len(make.read(root)[1].gaps[NO_OUTLINE]) == 5
