"""Leaks: by name, by picture, and as an audit tells them."""

import json
import shutil

import cv2
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import keep_pictures
from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.folders import score_folders
from flexunet.evaluation.leakage import find_audit, read_audit, shared_origins
from flexunet.evaluation.summary.verdict import leaking
from flexunet.run_folder import RunFolder


def test_originals_and_patients_in_both_splits_are_found(tmp_path):
    def pair(name, source, patient):
        return Pair(tmp_path / f"{name}.png", tmp_path / f"{name}_mask.png", Identity(source, patient, True))

    training = [pair("a", "1", "p1"), pair("hflipped_2", "2", "p2")]
    tested = [pair("2", "2", "p2"), pair("c", "3", "p1"), pair("d", "4", "p4")]
    found = shared_origins(training, tested)
    assert (found["shared_sources"], found["shared_patients"]) == (1, 2)
    assert found["examples"] == ["2", "p1", "p2"]
    assert shared_origins(training, tested[2:])["shared_sources"] == 0


def test_splits_that_each_count_from_one_are_not_taken_for_leaks(tmp_path):
    def pair(split, name, content):
        path = tmp_path / split / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return Pair(path, path, Identity(name, name))

    training = [pair("train", "1", b"a"), pair("train", "2", b"b"), pair("train", "3", b"c")]
    tested = [pair("test", "1", b"x"), pair("test", "2", b"y"), pair("test", "3", b"c")]
    found = shared_origins(training, tested)
    assert (found["shared_sources"], found["examples"]) == (1, ["3"])
    assert "names repeat with different pictures" in found["checked"]
    assert shared_origins(training, tested[:2])["shared_sources"] == 0


def test_an_audit_is_read_in_short(tmp_path):
    images = tmp_path / "test" / "images"
    images.mkdir(parents=True)
    assert find_audit(images) is None
    path = tmp_path / "audit.json"
    finding = {"severity": "error", "code": "leak", "files": ["a", "b"], "explanation": "x"}
    document = {"scores_hold": False, "leak_pairs": 2, "untrue": [], "checked": "flexunet audit"}
    path.write_text(json.dumps({**document, "findings": [finding, finding], "figures": {"much": 1}}))
    assert find_audit(images) == path
    found = read_audit(path)
    assert found["findings"] == [{"severity": "error", "code": "leak", "count": 2}]
    assert "figures" not in found
    assert leaking(found).answer == "yes"
    path.write_text("[1]")
    with pytest.raises(DatasetError, match="not the output of"):
        read_audit(path)
    with pytest.raises(PathError, match="cannot read the audit"):
        read_audit(tmp_path / "nothing.json")


@pytest.fixture(scope="module")
def project(tmp_path_factory, mammograms):
    """A run on nine mammograms: five of training, two of validation, four other ones to test with."""
    folder = tmp_path_factory.mktemp("project")
    images = sorted((mammograms / "flexunet_inbreast" / "images").iterdir())[:11]
    parts = {"train": images[:5], "valid": images[5:7], "clean": images[7:]}
    for split, files in parts.items():
        for number, path in enumerate(files):
            add(folder / split, f"{split}{number}", cv2.imread(str(path)))
    flipped = cv2.imread(str(images[1]))[:, ::-1]
    shutil.copytree(folder / "clean", folder / "leaking")
    add(folder / "leaking", "somebody", flipped)
    darker = (cv2.imread(str(images[6])) * 0.7).astype(np.uint8)
    add(folder / "leaking", "someone", darker)
    (folder / "config.toml").write_text(
        "".join(
            f'[{split}]\nimages_dir = "{split}/images"\nmasks_dir = "{split}/masks"\n'
            for split in ("train", "valid")
        )
        + '[test]\nimages_dir = "leaking/images"\nmasks_dir = "leaking/masks"\n'
    )
    return folder


def add(folder, name, image):
    """An image with an empty mask but for a square, so that it can be scored."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[100:140, 100:140] = 255
    cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
    cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)


def verdict_of(project, test, **options):
    """The answer about leaks for a folder of test images of the project."""
    config = load_config(project / "config.toml")
    masks = project / test / "masks"
    return score_folders(masks, masks, run=config, **options).scores.verdict[2]


def test_renamed_and_flipped_copies_of_training_images_are_seen(project):
    answer = verdict_of(project, "leaking")
    assert (answer.answer, answer.good) == ("yes", False)
    assert answer.sentence.startswith("2 images here show a picture of the training or validation images")
    assert "somebody.png shows train1.png" in answer.sentence
    assert "someone.png shows valid1.png" in answer.sentence


def test_clean_test_images_are_called_clean(project):
    answer = verdict_of(project, "clean")
    assert (answer.answer, answer.good) == ("no", True)
    assert "the look of 4 pictures beside 7 of training and validation" in answer.sentence


def test_without_a_look_nothing_is_known(project):
    for test in ("clean", "leaking"):
        assert verdict_of(project, test, look=False).answer == "unknown"


def test_images_that_are_not_at_hand_are_not_known(project, tmp_path):
    shutil.copytree(project / "clean" / "masks", tmp_path / "masks")
    masks = tmp_path / "masks"
    config = load_config(project / "config.toml")
    assert score_folders(masks, masks, run=config).scores.verdict[2].answer == "unknown"


def test_the_run_remembers_its_images_after_they_are_gone(project, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(project, moved)
    config = load_config(moved / "config.toml")
    keep_pictures(config)
    for split in ("train", "valid"):
        shutil.rmtree(moved / split)
    assert verdict_of(moved, "leaking").answer == "yes"
    assert verdict_of(moved, "clean").answer == "no"
    # A run without the file whose training images are gone knows nothing.
    RunFolder.of(config).pictures.unlink()
    assert verdict_of(moved, "leaking").answer == "unknown"


def test_a_damaged_file_of_pictures_is_named(project, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(project, moved)
    config = load_config(moved / "config.toml")
    keep_pictures(config)
    path = RunFolder.of(config).pictures
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=r"pictures\.npz is damaged"):
        verdict_of(moved, "clean")
