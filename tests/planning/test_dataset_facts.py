"""What `init` says where nothing can be trained on: the way to masks, by what lies in the folders."""

import json

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.images.files.write import write_image
from flexunet.errors import DatasetError, PathError
from flexunet.machine import Machine
from flexunet.planning.plan import plan_training

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)


def test_images_without_masks(tmp_path):
    write_image(tmp_path / "my films" / "images" / "a.png", np.eye(64, dtype=np.uint8) * 200)
    with pytest.raises(DatasetError, match=r"1 image, of which 0 .* --masks FOLDER.* `--annotations FILE`"):
        plan_training(tmp_path / "my films", machine=LAPTOP)


def test_volumes(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scan.nii.gz").write_bytes(b"not opened")
    told = r"holds no image\. 1 file is a volume, scan\.nii\.gz for .*`flexunet infer3d`"
    with pytest.raises(PathError, match=told):
        plan_training(tmp_path, machine=LAPTOP)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, []),
        ({"background": 0, "mass": 1}, ["mass"]),
        ({"background": 0, "mass": 1, "calcification": 2}, []),  # the masks have one class alone
        ({"background": 0, "m" * 65: 1}, []),  # too long for a label in DICOM
    ],
)
def test_a_raw_folder_of_nnunet_is_planned_for_as_it_is(tmp_path, labels, names):
    root = tmp_path / "nnUNet_raw" / "Dataset001_Mass"
    random = np.random.default_rng(0)
    for case in range(6):
        mask = np.zeros((64, 64), np.uint8)
        mask[10 + case : 30, 20:40] = 1
        write_image(root / "imagesTr" / f"{case}_0000.png", random.integers(0, 255, (64, 64), np.uint8))
        write_image(root / "labelsTr" / f"{case}.png", mask)
    if labels:
        about = {"channel_names": {"0": "film"}, "labels": labels, "numTraining": 6, "file_ending": ".png"}
        (root / "dataset.json").write_text(json.dumps(about))
    plan = plan_training(root, machine=LAPTOP, accept_audit_errors=True)
    assert plan.facts.folders == {"train": ("imagesTr", "labelsTr")}
    assert (plan.facts.num_classes, plan.facts.without_lesion) == (2, 0)
    assert 'masks_dir = "nnUNet_raw/Dataset001_Mass/labelsTr"' in plan.text(tmp_path)
    plan.write(tmp_path / "plan.toml")
    assert load_config(tmp_path / "plan.toml").mask.class_names == names
