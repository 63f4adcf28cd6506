"""Every way to say what to predict, and that no mask of two takes the other's name."""

import csv
import json

import numpy as np
import pytest

from flexunet.data.derive.run import list_films
from flexunet.data.images.files.write import write_image
from flexunet.errors import ImageError, PathError
from flexunet.inference.inputs import find_images, find_volumes, image_labels, mask_names

GREY = np.arange(20 * 24, dtype=np.uint16).reshape(20, 24).astype(np.uint8)


@pytest.fixture
def tree(tmp_path):
    for name in ("a.png", "b.JPG", "P1/a.png", "P1/deep/c.tif", "P2/a.png", ".hidden.png"):
        write_image(tmp_path / name, GREY)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_a_folder_gives_its_own_images_in_order(tree):
    assert names(find_images([tree]), tree) == ["a.png", "b.JPG"]


def test_inputs_of_every_kind_go_together_and_each_image_once(tree):
    found = find_images([tree / "P2" / "a.png", f"{tree}/**/*.tif", tree, tree / "P1" / ".." / "a.png"])
    assert names(found, tree) == ["P2/a.png", "P1/deep/c.tif", "a.png", "b.JPG"]


def test_globs(tree):
    assert names(find_images([f"{tree}/P?/a.png"]), tree) == ["P1/a.png", "P2/a.png"]
    assert names(find_images([f"{tree}/P*"]), tree) == ["P1/a.png", "P2/a.png"]  # folders that match
    assert names(find_images([f"{tree}/*"]), tree)[-2:] == ["a.png", "b.JPG"]  # notes.txt is passed over
    write_image(tree / "[1].png", GREY)
    assert names(find_images([tree / "[1].png"]), tree) == ["[1].png"]  # a name, not a pattern


@pytest.mark.parametrize("header", ["path", "image", "File,age"])
def test_a_list_is_relative_to_itself(tree, header):
    lines = [header, "P1/a.png", r"P2\a.png", str(tree / "b.JPG"), "gone.png", ""]
    (tree / "P1" / "list.csv").write_text(
        "\n".join(lines).replace("P1/a", "../P1/a").replace(r"P2\a", r"..\P2\a")
    )
    found = find_images([tree / "P1" / "list.csv"])
    assert [path.resolve().relative_to(tree.resolve()).as_posix() for path in found] == [
        "P1/a.png", "P2/a.png", "b.JPG", "P1/gone.png",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_list_as_spreadsheets_save_it(tree, encoding):
    (tree / "list.csv").write_bytes("age;path;who\r\n50;a.png;José\r\n60;b.JPG;é\r\n".encode(encoding))
    assert names(find_images([tree / "list.csv"]), tree) == ["a.png", "b.JPG"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.png\nb.JPG\n", "expected a column named path or image or file, found 'a.png'"),
        (b"", "found nothing"),
        (b"path\n\xff\xfe\n", "not a readable CSV list"),
        (b'path\n"a.png\n', "not a readable CSV list"),
        (b"path\n", "nothing to predict in"),
        (b"age,path\n50,a.png\n60\n", "line 3: no path"),
        (b"path,age\na,b.png,50\n", "line 2: more values than columns"),
    ],
)
def test_lists_that_cannot_be_used(tree, content, message):
    (tree / "list.csv").write_bytes(content)
    with pytest.raises(PathError, match=message) as caught:
        find_images([tree / "list.csv"])
    assert str(tree / "list.csv") in str(caught.value)


def test_what_is_not_there(tree):
    with pytest.raises(PathError, match="nowhere does not exist: expected a file, a folder"):
        find_images([tree, tree / "nowhere"])
    with pytest.raises(PathError, match="nothing to predict in"):
        find_images([f"{tree}/*.bmp"])
    (tree / "empty").mkdir()
    with pytest.raises(PathError, match="nothing to predict in"):
        find_images([tree / "empty"])
    (tree / "empty" / "images").mkdir()
    with pytest.raises(PathError, match=r"Perhaps .*empty.images is meant"):
        find_images([tree / "empty"])


@pytest.fixture
def disc(write_dicom, tmp_path):
    """An export as archives write it: files without ending in folders of patients."""
    pytest.importorskip("pydicom")
    root = tmp_path / "disc"
    for name in ("P1/S1/IM0001", "P1/S1/IM0002", "P2/S1/IM0001", "masks_dicom/seg.dcm", ".trash/IM0009"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_dicom(root / name, GREY, PatientID=name[:2])
    (root / "P1" / "README").write_text("how to open this disc")
    write_image(root / "P1" / "preview.png", GREY)
    return root


def test_dicom_files_are_found_at_any_depth(disc):
    found = names(find_images([disc], skip=[disc / "masks_dicom"]), disc)
    assert found == ["P1/S1/IM0001", "P1/S1/IM0002", "P2/S1/IM0001"]
    assert "masks_dicom/seg.dcm" in names(find_images([disc]), disc)


def write_index(root, *paths):
    """Copy DICOM files below `root`, with an index of them."""
    from pydicom.fileset import FileSet

    index = FileSet()
    for path in paths:
        index.add(path)
    index.write(root)
    index._stage["t"].cleanup()  # else it warns when it is collected


@pytest.mark.parametrize("mounted", ["as written", "in small letters"])
def test_an_index_says_which_images_there_are(disc, mounted, tmp_path):
    root = tmp_path / "copy"
    write_index(root, disc / "P1/S1/IM0001", disc / "P2/S1/IM0001")
    if mounted == "in small letters":
        for path in sorted(root.rglob("*"), reverse=True):
            path.rename(path.with_name(path.name.lower()))
    indexes = [path for path in root.iterdir() if path.is_file()]
    (root / "left_out").mkdir()
    (disc / "P1/S1/IM0002").rename(root / "left_out" / "IM0002")
    for given in (root, indexes[0]):
        found = find_images([given])
        assert len(found) == 2
        assert {path.read_bytes() for path in found} == {
            (disc / name).read_bytes() for name in ("P1/S1/IM0001", "P2/S1/IM0001")
        }
    found[0].unlink()  # still named, so that reading says that it is missing
    assert len(find_images([root])) == 2


def test_an_index_that_leads_outside_or_is_damaged_is_refused(disc, monkeypatch):
    import pydicom

    for mode in ("reading_validation_mode", "writing_validation_mode"):  # the name is no DICOM name either
        monkeypatch.setattr(pydicom.config.settings, mode, pydicom.config.IGNORE)
    write_index(disc.parent / "copy", disc / "P1/S1/IM0001")
    path = disc.parent / "copy" / "DICOMDIR"
    dataset = pydicom.dcmread(path)
    for names in (["..", "disc", "P1"], ["P1", "I\0M"]):
        for record in dataset.DirectoryRecordSequence:
            if record.DirectoryRecordType == "IMAGE":
                record.ReferencedFileID = names
        dataset.save_as(path)
        with pytest.raises(ImageError, match="below its own"):
            find_images([disc.parent / "copy"])
    path.write_text("text")
    with pytest.raises(ImageError, match="DICOMDIR is no DICOM file"):
        find_images([path])


def test_masks_of_images_with_one_name_carry_their_folders(tmp_path):
    paths = [
        tmp_path / name
        for name in ("P1/S1/a.png", "P2/S1/a.png", "P2/S2/b.png", "c.dcm", "d/c.jpg", "x/E.png", "x/e.png")
    ]
    assert {path.relative_to(tmp_path).as_posix(): name for path, name in mask_names(paths).items()} == {
        "P1/S1/a.png": "P1_S1_a.png",
        "P2/S1/a.png": "P2_S1_a.png",
        "P2/S2/b.png": "b.png",
        "c.dcm": "c.png",
        "d/c.jpg": "c.jpg.png",
        "x/E.png": "E.png",
        "x/e.png": "e.png.png",  # one file where capitals do not count
    }
    labels = image_labels(paths)
    assert labels[paths[0]] == "P1/S1/a.png"
    assert labels[paths[3]] == "c.dcm"
    tricky = [
        tmp_path / name for name in ("a_b/c.png", "a/b_c.png", "a/c.png", "a_c.png", "b_c.png", "a/b/c.png")
    ]
    assert len({name.casefold() for name in mask_names(tricky).values()}) == len(tricky)
    # A Mac takes both for one name; a single image keeps the form of its own.
    apart, whole = tmp_path / "e\u0301.png", tmp_path / "é.png"
    assert mask_names([apart]) == {apart: "e\u0301.png"}
    assert mask_names([apart, whole]) == {apart: "e\u0301.png", whole: "é.png.png"}


def test_a_folder_per_patient_through_the_command_line(disc, tmp_path):
    """Same names in two folders: two masks, two rows, and a second run that has nothing to do."""
    from typer.testing import CliRunner

    from flexunet.cli import app
    from flexunet.config.files import load_config
    from flexunet.models.registry import build_model

    config_path = tmp_path / "tiny.toml"
    config_path.write_text("[model]\nimage_width = 16\nimage_height = 16\nnum_layers = 2\nbase_filters = 2\n")
    (tmp_path / "models").mkdir()
    build_model(load_config(config_path)).save(tmp_path / "models" / "best_model.keras")
    (tmp_path / "list.csv").write_text("path\ndisc/P1/preview.png\ndisc/P1/gone.png\n")
    command = ["infer", str(config_path), str(disc / "P1"), "--images", f"{disc}/P2/**", "--json"]
    command += ["--out", str(tmp_path / "masks"), str(tmp_path / "list.csv")]
    for reused in (0, 4):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2, result.output
        document = json.loads(result.stdout)
        assert document["reused"] == reused
        assert [path.rpartition("/")[2] for path in document["masks"]] == [
            "preview.png", "P1_S1_IM0001.png", "IM0002.png", "P2_S1_IM0001.png",
        ]  # fmt: skip
        assert list(document["failures"]) == [str(tmp_path / "disc/P1/gone.png")]
    assert sorted(path.name for path in (tmp_path / "masks_dicom").iterdir()) == [
        "IM0002.dcm", "P1_S1_IM0001.dcm", "P2_S1_IM0001.dcm",
    ]  # fmt: skip
    contours = json.loads((tmp_path / "masks_lesions" / "contours.json").read_text())
    assert [image["file_name"] for image in contours["images"]] == [
        "preview.png", "P1/S1/IM0001", "IM0002", "P2/S1/IM0001",
    ]  # fmt: skip
    with (tmp_path / "masks_lesions" / "lesions.csv").open(newline="") as stream:
        assert {row["file"] for row in csv.DictReader(stream)} <= {
            image["file_name"] for image in contours["images"]
        }


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN"])
def test_folders_that_programs_keep_for_themselves_are_passed_over(tmp_path, folder):
    for name in ("a/one.png", f"a/{folder}/one.png", f"{folder}/a/two.png", "a/._one.png"):
        write_image(tmp_path / name, GREY)
    own = [tmp_path / "a" / "one.png"]
    assert find_images([tmp_path / "**" / "*.png"]) == own
    assert find_images([tmp_path / "*"]) == own
    assert find_images([tmp_path / folder / "a" / "*.png"]) == [tmp_path / folder / "a" / "two.png"]
    assert [film.path for film in list_films(tmp_path)] == own


def test_what_else_lies_in_a_folder_is_named(tmp_path):
    (tmp_path / "volume.mat").touch()
    with pytest.raises(PathError, match=r"expected files ending in .*; \.mat is there, and is not read\."):
        find_volumes([tmp_path])


def test_volumes_among_images_are_sent_to_their_command(tmp_path):
    (tmp_path / "scan.nii.gz").touch()
    told = r"; \.nii\.gz is there, and is not read\. Volumes are predicted with `flexunet infer3d`\."
    with pytest.raises(PathError, match=told):
        find_images([tmp_path])
