"""A project of the older published dialect (`[eval]`, no `[test]`, a splitter) from check to infer."""

import json

import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import split_pairs
from flexunet.data.phantom.dataset import write_phantom_dataset

OLDER = """; train_eval_infer.config
[model]
model          = "TensorflowUNet"
image_width    = 32
image_height   = 32
image_channels = 3
num_classes    = 1
base_filters   = 4
num_layers     = 3
dropout_rate   = 0.06
learning_rate  = 0.001
loss           = "bce_iou_loss"
metrics        = ["binary_accuracy"]
show_summary   = False

[dataset]
datasetclass  = "BaseImageMaskDataset"
resize_interpolation = "cv2.INTER_CUBIC"

[train]
save_model_file = "best_model.h5"
; Enable splitting dataset into train and valid if True.
dataset_splitter = True
epochs        = 2
batch_size    = 2
patience      = 10
metrics       = ["binary_accuracy", "val_binary_accuracy"]
model_dir     = "./models"
eval_dir      = "./eval"
image_datapath = "./dataset/train/images/"
mask_datapath  = "./dataset/train/masks/"

[eval]
image_datapath = "./dataset/test/images/"
mask_datapath  = "./dataset/test/masks/"

[infer]
images_dir    = "./dataset/test/images"
output_dir    = "./mini_test_output"
merged_dir    = "./mini_test_output_merged"

[mask]
blur      = True
binarize  = True
threshold = 60
"""


@pytest.fixture
def project(tmp_path):
    """An older project: ten patients to train on, two that its author evaluates on."""
    write_phantom_dataset(
        tmp_path / "dataset",
        patients=12,
        splits={"train": 0.84, "test": 0.16},
        width=48,
        height=48,
        sides="L",
    )
    file = tmp_path / "train_eval_infer.config"
    file.write_text(OLDER)
    return file


def test_an_older_project_runs_from_check_to_infer(project, flexunet):
    checked = flexunet("config", "check", project, "--json")
    [verdict] = json.loads(checked.stdout)
    assert verdict["usable"]
    assert any("[eval] image_datapath" in note and "read as [test]" in note for note in verdict["notes"])

    config = load_config(project)
    patients = {split: {pair.patient for pair in split_pairs(config, split)} for split in ("train", "valid")}
    assert [len(patients["train"]), len(patients["valid"])] == [8, 2]
    assert not patients["train"] & patients["valid"]

    trained = json.loads(flexunet("train", project, "--json").stdout)
    assert trained["monitor"] == "val_loss"
    environment = json.loads((project.parent / "environment.json").read_text())
    assert environment["images"] == {"train": 16, "valid": 4}

    flexunet("evaluate", project)
    scores = json.loads((project.parent / "evaluation/scores.json").read_text())
    assert scores["images"] == len(list((project.parent / "dataset/test/images").iterdir())) == 4
    card = (project.parent / "MODEL_CARD.md").read_text()
    assert "a fifth of the patients in ./dataset/train/images/, held back by dataset_splitter" in card

    flexunet("infer", project)
    assert len(list((project.parent / "mini_test_output").glob("*.png"))) == 4
    assert len(list((project.parent / "mini_test_output_merged").iterdir())) == 4
    # The run folder, by the configuration as resolved, holds back the same patients.
    assert split_pairs(load_config(project.parent), "valid") == split_pairs(config, "valid")


def test_a_validation_folder_that_is_the_test_folder_is_named_in_note_and_verdict(project, flexunet):
    test = '[test]\nimage_datapath = "./dataset/test/images/"\nmask_datapath = "./dataset/test/masks/"\n'
    project.write_text(project.read_text().replace("epochs        = 2", "epochs = 1") + test)
    same = "[valid] and [test] images_dir are one folder: the best epoch is chosen on the test images"
    assert same in flexunet("train", project).stderr
    flexunet("evaluate", project)
    verdict = json.loads((project.parent / "evaluation/scores.json").read_text())["verdict"]
    [leak] = [answer for answer in verdict if answer["question"] == "Does the test set leak?"]
    assert leak["answer"] == "yes"
    assert same in leak["sentence"]
