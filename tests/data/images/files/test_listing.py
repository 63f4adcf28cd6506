import pytest

from flexunet.data.images.files.listing import list_images
from flexunet.errors import PathError


def test_listing(tmp_path):
    for name in ["b.png", "a.JPG", "c.txt", ".hidden.png", "d.tiff"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.JPG", "b.png", "d.tiff"]


def test_listing_an_empty_or_missing_folder(tmp_path):
    with pytest.raises(PathError, match="no images in"):
        list_images(tmp_path)
    with pytest.raises(PathError, match="does not exist"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(PathError, match="is a file"):
        list_images(tmp_path / "file")
