"""Raw folders of nnU-Net, of all the kinds that people have."""

import json

import numpy as np
import pytest

from flexunet.data.annotations.shapes import ANNOTATED, BROKEN, NORMAL, UNKNOWN, UNMARKED
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE
from flexunet.data.images.files.read import read_image
from flexunet.errors import DatasetError, ImageError

LABELS = {"background": 0, "mass": 1, "calcification": 2}


def described(root, labels=None, ending=".png", **more):
    about = {
        "channel_names": {"0": "mammogram"},
        "labels": labels or LABELS,
        "numTraining": 2,
        "file_ending": ending,
        **more,
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(about))
    return root


def labelled(value_by_box, shape=(40, 60)):
    values = np.zeros(shape, np.uint8)
    for (top, left), value in value_by_box.items():
        values[top : top + 5, left : left + 5] = value
    return values


def test_classes_of_a_label_file_become_lesions(make, tmp_path):
    root = described(tmp_path / "Dataset001_X", name="screening")
    for case in ("a", "b", "c"):
        make.picture(root / "imagesTr" / f"{case}_0000.png", make.breast(40, 60))
    make.picture(root / "imagesTs" / "d_0000.png", make.breast(40, 60))
    make.picture(root / "labelsTr" / "a.png", labelled({(3, 3): 1, (20, 20): 2}))
    make.picture(root / "labelsTr" / "b.png", labelled({}))
    make.picture(root / "labelsTr" / "e.png", labelled({(3, 3): 1}))
    _, contents = make.read(root)
    films = make.by_name(contents)
    states = {name: film.annotation.state for name, film in films.items()}
    assert states == {"a": ANNOTATED, "b": NORMAL, "c": UNMARKED, "d": UNMARKED}
    assert contents.gaps == {NO_OUTLINE: ["c"], NO_FILM: ["e"]}
    assert {film.annotation.columns["official_split"] for film in contents.films} == {"train", "test"}
    rows, _ = make.derived(root, tmp_path / "out", classes={"mass": 1, "calcification": 1})
    assert rows["a"]["raw_lesion_pixels"] == "50"
    assert (rows["b"]["mask_origin"], rows["b"]["raw_lesion_pixels"]) == ("label", "0")
    assert {rows[name]["state"] for name in "cd"} == {"to_review"}
    rows, report = make.derived(root, tmp_path / "masses", classes={"mass": 1, "calcification": 0})
    assert rows["a"]["raw_lesion_pixels"] == "25"
    assert report.manifest.rows[0]["dataset"] == "screening"


def test_labels_that_say_nothing_clear_are_not_believed(make, tmp_path):
    root = described(tmp_path / "Dataset001_X", LABELS | {"ignore": 3})
    for case, value in (("ignored", 3), ("unnamed", 9), ("fine", 1)):
        make.picture(root / "imagesTr" / f"{case}_0000.png", make.breast(40, 60))
        make.picture(root / "labelsTr" / f"{case}.png", labelled({(3, 3): value}))
    _, contents = make.read(root)
    states = {film.name: film.annotation for film in contents.films}
    assert states["ignored"].state == UNKNOWN
    assert states["unnamed"].state == BROKEN
    assert "the value 9" in states["unnamed"].reason
    assert states["fine"].state == ANNOTATED


def test_regions_and_version_1_name_their_values(make, tmp_path):
    regions = {"background": 0, "whole": [1, 2], "core": [2]}
    root = described(tmp_path / "Dataset001_X", regions)
    make.picture(root / "imagesTr" / "a_0000.png", make.breast(40, 60))
    make.picture(root / "labelsTr" / "a.png", labelled({(3, 3): 1, (20, 20): 2}))
    _, contents = make.read(root)
    assert [marked.label for marked in contents.films[0].masks] == ["whole", "core"]
    about = {"modality": {"0": "MG"}, "labels": {"0": "background", "1": "mass"}, "file_ending": ".png"}
    (root / "dataset.json").write_text(json.dumps(about))
    make.picture(root / "labelsTr" / "a.png", labelled({(3, 3): 1}))
    _, contents = make.read(root)
    assert [marked.label for marked in contents.films[0].masks] == ["mass"]


@pytest.mark.parametrize(("axes", "ending"), [(2, ".nii.gz"), (3, ".nii.gz"), (3, ".mha")])
def test_nifti_of_one_slice_is_read_row_by_row(make, tmp_path, axes, ending):
    sitk = pytest.importorskip("SimpleITK")
    root = described(tmp_path / "Dataset001_X", ending=ending)

    def write(folder, name, plane):
        (root / folder).mkdir(exist_ok=True)
        voxels = plane[None] if axes == 3 else plane
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(root / folder / f"{name}{ending}"))

    film = make.breast(40, 60).astype(np.int16) * 10
    write("imagesTr", "a_0000", film)
    write("labelsTr", "a", labelled({(3, 8): 1}).astype(np.float32))
    read = read_image(root / "imagesTr" / f"a_0000{ending}", None)
    assert read.dtype == np.uint16
    assert np.array_equal(read[..., 0], film)
    rows, _ = make.derived(root, tmp_path / "out")
    assert rows["a"]["raw_lesion_pixels"] == "25"
    assert (rows["a"]["raw_width"], rows["a"]["raw_height"]) == ("60", "40")
    write("imagesTr", "b_0000", np.stack([film, film]) if axes == 3 else film)
    if axes == 2:
        return
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([film, film])), str(tmp_path / f"two{ending}"))
    with pytest.raises(ImageError, match=r"60 x 40 x 2 voxels; expected one slice"):
        read_image(tmp_path / f"two{ending}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel_names": {"1": "a"}}, "channel_names"),
        ({"labels": {"background": 0, "mass": "1"}}, "'mass'"),
        ({"labels": ["mass"]}, "expected 'labels'"),
        ({"file_ending": "/../x"}, "file_ending"),
        ({"dataset": {"a": {"images": ["/etc/passwd"]}}}, "names the file of each case itself"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(make, tmp_path, change, message):
    root = described(tmp_path / "Dataset001_X", **change)
    make.picture(root / "imagesTr" / "a_0000.png", make.breast(40, 60))
    with pytest.raises(DatasetError, match=message):
        make.read(root)
    (root / "dataset.json").unlink()
    with pytest.raises(DatasetError, match=r"no dataset\.json"):
        make.read(root)
