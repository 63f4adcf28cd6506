"""What `init` says where nothing can be trained on: the way to masks, by what lies in the folders."""

import numpy as np
import pytest

from flexunet.data.images.files.write import write_image
from flexunet.errors import DatasetError
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
    with pytest.raises(DatasetError, match=r"1 file is a volume, scan\.nii\.gz for .*`flexunet infer3d`"):
        plan_training(tmp_path, machine=LAPTOP)


def test_a_raw_folder_of_nnunet_is_planned_for_as_it_is(tmp_path):
    root = tmp_path / "nnUNet_raw" / "Dataset001_Mass"
    random = np.random.default_rng(0)
    for case in range(6):
        labels = np.zeros((64, 64), np.uint8)
        labels[10 + case : 30, 20:40] = 1
        write_image(root / "imagesTr" / f"{case}_0000.png", random.integers(0, 255, (64, 64), np.uint8))
        write_image(root / "labelsTr" / f"{case}.png", labels)
    plan = plan_training(root, machine=LAPTOP, accept_audit_errors=True)
    assert plan.facts.folders == {"train": ("imagesTr", "labelsTr")}
    assert (plan.facts.num_classes, plan.facts.without_lesion) == (2, 0)
    assert 'masks_dir = "nnUNet_raw/Dataset001_Mass/labelsTr"' in plan.text(tmp_path)
