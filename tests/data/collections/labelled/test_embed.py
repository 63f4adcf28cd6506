"""EMBED: two tables joined by examination and side, boxes of DICOM pixels."""

import numpy as np
import pytest

from flexunet.data.annotations.shapes import BROKEN, NORMAL, UNMARKED
from flexunet.data.collections.collection import NEITHER, NO_FILM, NO_OUTLINE

METADATA = "EMBED_OpenData_metadata_reduced.csv"
CLINICAL = "EMBED_OpenData_clinical.csv"


@pytest.fixture
def download(tmp_path, make, write_dicom):
    root = tmp_path / "EMBED"
    for name in ("1.2.1", "1.2.2", "1.2.3"):
        path = root / "images" / "cohort_1" / "27942877" / "55" / f"{name}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(path, make.breast(dtype=np.uint16) * 20)
    start = "27942877,55,/mnt/NAS3/anon_dicom/cohort_1/27942877/55/"
    lines = [
        "empi_anon,acc_anon,anon_dicom_path,ImageLateralityFinal,ViewPosition,FinalImageType,num_roi,"
        "PNG_ROI_coords,DCM_ROI_coords",
        f'{start}1.2.1.dcm,L,CC,2D,2,"[[[1, 1, 2, 2]]]","[[[90, 20, 110, 40]], [[50, 10, 60, 30]]]"',
        f"{start}1.2.2.dcm,R,CC,cview,0,[],[]",
        f'{start}1.2.9.dcm,R,MLO,2D,1,[],"[[[1, 2, 3, 4]]]"',
        f"{start}1.2.8.dcm,R,MLO,2D,0,[],[]",
    ]
    (root / "tables").mkdir()
    (root / "tables" / METADATA).write_text("\n".join(lines) + "\n")
    rows = ["acc_anon,side,asses,tissueden,path_severity", "55,L,S,2.0,0.0", "55,R,N,2.0,"]
    (root / "tables" / CLINICAL).write_text("\n".join(rows) + "\n")
    return root


def test_findings_count_for_their_breast(download, make, tmp_path):
    _, contents = make.read(download)
    films = make.by_name(contents)
    states = {name: film.annotation.state for name, film in films.items()}
    assert states == {"1.2.1": UNMARKED, "1.2.2": NORMAL, "1.2.3": UNMARKED}
    assert films["1.2.1"].annotation.columns == {
        "dataset": "embed",
        "patient": "embed-27942877",
        "side": "L",
        "view": "CC",
        "density": "2",
        "pathology": "malignant",
        "birads": "4",
        "boxes": "20 90 40 110; 10 50 30 60",
    }
    assert films["1.2.2"].annotation.columns["modality"] == "synthetic"
    assert contents.gaps == {NO_OUTLINE: ["1.2.3"], NO_FILM: ["1.2.9"], NEITHER: ["1.2.8"]}
    rows, _ = make.derived(download, tmp_path / "out", weak=True)
    assert (rows["1.2.1"]["raw_lesion_pixels"], rows["1.2.1"]["mask_origin"]) == (str(400 + 200), "box")
    assert rows["1.2.2"]["state"] == "labelled"


def test_boxes_of_other_pixels_are_not_taken(download, make):
    table = download / "tables" / METADATA
    table.write_text(table.read_text().replace("PNG_ROI", "PNG_R").replace("DCM_ROI_coords", "ROI_coords"))
    _, contents = make.read(download)
    assert not any(film.boxes for film in contents.films)
    assert "boxes were left out" in contents.notes[0]


def test_a_finding_or_a_box_is_never_normal(download, make):
    for name, text in ((CLINICAL, "55,R,B,2.0,"), (METADATA, "cview,1,[],[]")):
        table = download / "tables" / name
        before = table.read_text()
        table.write_text(before.replace("55,R,N,2.0,", text).replace("cview,0,[],[]", text))
        assert make.by_name(make.read(download)[1])["1.2.2"].annotation.state == UNMARKED
        table.write_text(before)
    table.write_text(before.replace("[[50, 10, 60, 30]]", "[[50, 10, 60]]"))
    assert make.by_name(make.read(download)[1])["1.2.1"].annotation.state == BROKEN
