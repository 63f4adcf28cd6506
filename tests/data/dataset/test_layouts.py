"""Layouts of data sets that other tools write, and what a refusal says of an unknown one."""

import json

import numpy as np
import pytest

from flexunet.data.dataset.layouts import FolderPair, find_layout
from flexunet.data.dataset.listing import list_dataset
from flexunet.data.images.files.write import write_image
from flexunet.errors import DatasetError, PathError


@pytest.fixture
def raw(tmp_path):
    """A raw folder of nnU-Net with two training cases and one test case, whose labels are not known."""

    def write(channels=("mammogram",), ending=".png", **labels):
        root = tmp_path / "nnUNet_raw" / "Dataset001_Mass"
        blank = np.zeros((4, 4), np.uint8)
        for case in "ab":
            write_image(root / "imagesTr" / f"{case}_0000.png", blank)
            write_image(root / "labelsTr" / f"{case}.png", blank)
        write_image(root / "imagesTs" / "c_0000.png", blank)
        document = {
            "channel_names": {str(number): name for number, name in enumerate(channels)},
            "labels": {"background": 0, "mass": 1, **labels},
            "file_ending": ending,
        }
        (root / "dataset.json").write_text(json.dumps(document))
        return root

    return write


class TestRawFolderOfNnunet:
    def test_training_cases_are_paired_with_their_labels(self, raw):
        root = raw()
        (train,) = find_layout(root)
        assert train == FolderPair("train", "", root / "imagesTr", root / "labelsTr")
        entries, _ = list_dataset(root, train)
        assert [(entry.image.name, entry.mask.name) for entry in entries] == [
            ("a_0000.png", "a.png"),
            ("b_0000.png", "b.png"),
        ]

    def test_test_images_count_where_their_labels_are_known(self, raw):
        root = raw()
        write_image(root / "labelsTs" / "c.png", np.zeros((4, 4), np.uint8))
        assert [pair.split for pair in find_layout(root)] == ["train", "test"]

    @pytest.mark.parametrize(
        ("about", "what"),
        [
            ({"channels": ("T1", "T2")}, "2 channels"),
            ({"ignore": 2}, r"the label 'ignore' \(2\)"),
            ({"ending": ".nii.gz"}, "files ending in .nii.gz"),
        ],
    )
    def test_what_needs_derive_is_refused(self, raw, about, what):
        with pytest.raises(DatasetError, match=f"{what}.*derive .* --dataset nnunet"):
            find_layout(raw(**about))

    def test_the_folder_above_names_the_one_to_give(self, raw):
        root = raw()
        with pytest.raises(PathError, match=f"give {root}"):
            find_layout(root.parent)


class TestUnknownLayouts:
    def test_the_refusal_names_what_is_there(self, tmp_path):
        for name in ("img", "labels"):
            write_image(tmp_path / name / "1.png", np.zeros((4, 4), np.uint8))
        with pytest.raises(PathError, match=r"found img/, labels/\. Rename .* `flexunet derive`"):
            find_layout(tmp_path)

    def test_a_folder_without_folders(self, tmp_path):
        (tmp_path / "notes.txt").write_text("nothing")
        with pytest.raises(PathError, match=r"found no folder in it\. Check the path"):
            find_layout(tmp_path)
