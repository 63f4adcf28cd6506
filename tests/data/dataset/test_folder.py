import pytest

from flexunet.data.dataset.folder import DatasetFolder
from flexunet.errors import PairingError, PathError


def make(root, split, names):
    for kind in ("images", "masks"):
        (root / split / kind).mkdir(parents=True)
        for name in names:
            (root / split / kind / name).touch()


def test_splits_that_are_there(tmp_path):
    make(tmp_path, "test", ["c.png"])
    make(tmp_path, "train", ["b.png", "a.png"])
    folder = DatasetFolder(tmp_path)
    assert folder.splits == ["train", "test"]
    assert folder.images_dir("train") == tmp_path / "train" / "images"
    assert folder.masks_dir("test") == tmp_path / "test" / "masks"
    assert [pair.source for pair in folder.pairs("train")] == ["a", "b"]


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(PathError, match=r"is no data set: expected train/images"):
        DatasetFolder(tmp_path)
    with pytest.raises(PathError, match="does not exist"):
        DatasetFolder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(PathError, match="is a file"):
        DatasetFolder(tmp_path / "file")


def test_a_split_that_is_missing_or_unpaired(tmp_path):
    make(tmp_path, "train", ["a.png", "b.png"])
    folder = DatasetFolder(tmp_path)
    with pytest.raises(PathError, match="valid"):
        folder.pairs("valid")
    (tmp_path / "train" / "masks" / "b.png").unlink()
    with pytest.raises(PairingError, match=r"b\.png"):
        folder.pairs("train")
