"""What leaves a desk: data sets that can be split and trained on, COCO, DICOM SEG, the table of decisions."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.write import write_mask
from flexunet.data.split.plan import plan_split
from flexunet.data.split.write import write_split
from flexunet.errors import DatasetError

from .conftest import HEIGHT, WIDTH, picture, square, write_folder


def decide(reader, number, verdict, **further):
    version = reader.get(f"/api/items/{number}")["mask"]["version"]
    form = {"verdict": verdict, "seconds": 2.5, "base_version": version, **further}
    return reader.post(f"/api/items/{number}/verdict", form)


def test_reviewed_drafts_become_a_data_set(open_desk, serve_desk, sign_in, tmp_path):
    root = write_folder(tmp_path / "to_review", names="abcde", masks="abcde")
    manifest = Manifest()
    for name in "abcde":
        manifest.append(
            {
                "file": f"images/{name}.png",
                "mask": f"masks/{name}.png",
                "patient": f"P{name}",
                "status": "draft",
                "crop_x": 3,
                "density": "B",
                "reason": "confidence 0.2 is below 0.8",
            }
        )
    manifest.write(root)
    reader = sign_in(serve_desk(open_desk(root)))
    assert reader.post("/api/export", {"target": "dataset"}, 422)["error"].startswith("no image has been")
    numbers = reader.numbers()
    a, b, c, d = (numbers[f"images/{name}.png"] for name in "abcd")
    decide(reader, a, "accept")
    reader.draw(b, 0, 0, 0, 5, 4)
    decide(reader, b, "correct")
    decide(reader, c, "no_lesion")
    decide(reader, d, "reject")
    written = reader.post("/api/export", {"target": "dataset"})
    folder = tmp_path / "to_review_review" / "exports" / "dataset-1"
    assert written["folder"] == str(folder)
    assert written["files"] == [
        *(f"images/{name}.png" for name in "abc"),
        "manifest.csv",
        *(f"masks/{name}.png" for name in "abc"),
    ]
    rows = {row["file"]: row for row in Manifest.read(folder).rows}
    assert [row["status"] for row in rows.values()] == ["accepted", "corrected", "no_lesion"]
    assert {row["annotator"] for row in rows.values()} == {"ann"}
    first = rows["images/a.png"]
    assert (first["patient"], first["crop_x"], first["density"]) == ("Pa", "3", "B")
    assert "reason" not in first
    assert first["reviewed_at"].startswith("20")
    expected = square()
    expected[:4, :5] = 1
    np.testing.assert_array_equal(read_mask(folder / "masks" / "b.png", ColorMap.binary()), expected)
    assert not read_mask(folder / "masks" / "c.png", ColorMap.binary()).any()
    assert (folder / "images" / "a.png").read_bytes() == (root / "images" / "a.png").read_bytes()
    assert len(find_pairs(folder / "images", folder / "masks")) == 3
    # A second export does not touch the first; the new data set can be split, the drafts cannot.
    assert reader.post("/api/export", {"target": "dataset"})["folder"].endswith("dataset-2")
    plan = plan_split(folder, ratios=(0.5, 0.5), stratify="none", look=False)
    assert {row["status"] for row in write_split(plan, tmp_path / "split").rows} == {
        "accepted", "corrected", "no_lesion"
    }  # fmt: skip
    with pytest.raises(DatasetError, match="5 drafts that no person has checked"):
        plan_split(root, ratios=(0.5, 0.5), stratify="none", look=False)


def test_a_data_set_keeps_its_splits_and_names(open_desk, serve_desk, sign_in, tmp_path):
    root = tmp_path / "set"
    for split in ("train", "test"):
        for group in ("Cancer", "Normal"):
            write_image(root / split / group / "images" / "x.png", picture(3))
            write_mask(root / split / group / "masks" / "x.png", square(), ColorMap.binary())
    reader = sign_in(serve_desk(open_desk(root)))
    for number in reader.numbers().values():
        decide(reader, number, "accept")
    files = reader.post("/api/export", {"target": "dataset"})["files"]
    assert [file for file in files if "/images/" in file] == [
        "test/images/Normal_x.png",
        "test/images/x.png",
        "train/images/Normal_x.png",
        "train/images/x.png",
    ]


def test_coco_has_the_lesions_of_reviewed_images(reader):
    number = reader.numbers()["images/a.png"]
    decide(reader, number, "accept")
    written = reader.post("/api/export", {"target": "coco"})
    with open(f"{written['folder']}/annotations.json") as stream:  # noqa: PTH123
        told = json.load(stream)
    assert told["images"] == [{"id": 1, "file_name": "images/a.png", "width": WIDTH, "height": HEIGHT}]
    (annotation,) = told["annotations"]
    assert annotation["bbox"] == [10, 20, 8, 8]
    assert annotation["area"] == 64
    assert told["info"]["description"] == "Reviewed with FlexUNet"


def test_dicom_images_get_segmentation_objects(open_desk, serve_desk, sign_in, tmp_path, write_dicom):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    from flexunet.inference.outputs.dicom_objects.segmentation import read_segmentation

    folder = tmp_path / "films"
    folder.mkdir()
    write_dicom(folder / "a.dcm", picture(1) >> 4, BitsStored=12, PatientID="P1")
    reader = sign_in(serve_desk(open_desk(folder)))
    (number,) = reader.numbers().values()
    reader.draw(number, 0, 5, 6, 7, 8)
    decide(reader, number, "correct")
    written = reader.post("/api/export", {"target": "seg"})
    assert written["files"] == ["a.dcm"]
    path = f"{written['folder']}/a.dcm"
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[6:14, 5:12] = 1
    np.testing.assert_array_equal(read_segmentation(path), expected)
    segmentation = pydicom.dcmread(path)
    assert segmentation.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert str(segmentation.ContentCreatorName).rstrip("^") == "ann"
    assert segmentation.PatientID == "P1"


def test_no_segmentation_object_without_dicom(reader):
    decide(reader, reader.numbers()["images/a.png"], "accept")
    assert "DICOM" in reader.post("/api/export", {"target": "seg"}, 422)["error"]
    assert "target" in reader.post("/api/export", {"target": "../x"}, 422)["error"]


def test_the_table_of_decisions_is_safe_to_open(reader):
    number = reader.numbers()["images/a.png"]
    lesion = {"component": 1, "verdict": "reject", "comment": "artefact"}
    decide(reader, number, "reject", comment='=HYPERLINK("x")', likert=1, lesions=[lesion])
    decide(reader, number, "accept")
    answer = reader.client.get("/api/decisions.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["decision"], row["verdict"], row["likert"]) for row in rows] == [
        ("1", "reject", "1"),
        ("2", "accept", ""),
    ]
    assert rows[0]["comment"] == '\'=HYPERLINK("x")'
    assert rows[0]["lesions"] == "1: reject artefact"
    assert rows[0]["image"] == "images/a.png"
    assert rows[0]["foreground_pixels"] == "64"
    assert len(rows[0]["image_sha256"]) == 64
    written = reader.post("/api/export", {"target": "csv"})
    with open(f"{written['folder']}/decisions.csv", newline="") as stream:  # noqa: PTH123
        assert stream.read() == answer.text


def test_images_may_be_of_any_kind(open_desk, serve_desk, sign_in, tmp_path):
    write_image(tmp_path / "films" / "a.tif", picture(2))
    reader = sign_in(serve_desk(open_desk(tmp_path / "films")))
    (number,) = reader.numbers().values()
    decide(reader, number, "no_lesion")
    written = reader.post("/api/export", {"target": "dataset"})
    assert written["files"] == ["images/a.tif", "manifest.csv", "masks/a.png"]
    np.testing.assert_array_equal(read_image(f"{written['folder']}/images/a.tif", 1)[..., 0], picture(2))


def test_a_data_set_of_dicom_images_names_nobody(open_desk, serve_desk, sign_in, tmp_path, write_dicom):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("dicomanonymizer")
    folder = tmp_path / "films"
    folder.mkdir()
    personal = {"PatientID": "4711-0815", "PatientName": "Mustermann^Erika", "BurnedInAnnotation": "YES"}
    write_dicom(folder / "mustermann.dcm", picture(1) >> 4, BitsStored=12, **personal)
    reader = sign_in(serve_desk(open_desk(folder)))
    (number,) = reader.numbers().values()
    decide(reader, number, "no_lesion")
    exported = []
    for _ in range(2):
        written = reader.post("/api/export", {"target": "dataset"})
        assert written["files"] == [
            "deidentified.csv", "images/mustermann.dcm", "manifest.csv", "masks/mustermann.png",
        ]  # fmt: skip
        out = Path(written["folder"])
        copy = pydicom.dcmread(out / "images" / "mustermann.dcm")
        assert b"Erika" not in (out / "images" / "mustermann.dcm").read_bytes()
        with (out / "deidentified.csv").open(newline="") as stream:
            (row,) = csv.DictReader(stream)
        assert {"PatientName", "PatientID", "StudyInstanceUID"} <= set(row["dropped"].split("; "))
        assert (row["burned_in_text"], row["told_by_file_name"]) == ("look at the image", "PatientName")
        (entry,) = Manifest.read(out).rows
        assert entry["patient"] == copy.PatientID
        assert "4711-0815" not in (out / "manifest.csv").read_text()
        exported.append((copy.PatientID, copy.SOPInstanceUID))
    assert exported[0] == exported[1]
    source = read_image(folder / "mustermann.dcm", 1)
    np.testing.assert_array_equal(read_image(out / "images" / "mustermann.dcm", 1), source)
