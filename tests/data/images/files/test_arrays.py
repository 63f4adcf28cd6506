import numpy as np
import pytest

from flexunet.data.images.files.header import image_size
from flexunet.data.images.files.listing import is_image_file
from flexunet.data.images.files.names import image_stem
from flexunet.data.images.files.read import read_image, read_picture
from flexunet.data.images.files.write import write_image
from flexunet.errors import ImageError


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_keep_any_number_of_channels(tmp_path, channels, dtype):
    image = np.random.default_rng(channels).integers(0, 256, (6, 9, channels)).astype(dtype)
    image[0, 0] = np.iinfo(dtype).max
    write_image(tmp_path / "a.npy", image)
    assert is_image_file(tmp_path / "a.npy")
    assert image_stem(tmp_path / "a.npy") == "a"
    assert image_size(tmp_path / "a.npy") == (9, 6)
    assert np.array_equal(read_image(tmp_path / "a.npy", None), image)
    assert read_image(tmp_path / "a.npy", channels).shape[2] == channels
    shown = read_picture(tmp_path / "a.npy")
    assert shown.shape == (6, 9, 3)
    if channels not in (1, 3):
        assert np.array_equal(shown[..., 0], image[..., 1])
        with pytest.raises(ImageError, match=rf"has {channels} channels; expected 3"):
            read_image(tmp_path / "a.npy", 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((4, 4, 65), np.uint8), "at most 64"),
        (np.zeros((4,), np.uint8), "height x width x channels"),
        (np.array([[{}]], object), "truncated or damaged|no array of numbers"),
        (np.full((4, 4), 0.5), "LOW,HIGH"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, content, message):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(ImageError, match=message):
        read_image(tmp_path / "a.npy", None)
    (tmp_path / "b.npy").write_bytes(b"\x93NUMPY and so on")
    with pytest.raises(ImageError, match=r"b\.npy is truncated or damaged"):
        read_image(tmp_path / "b.npy", None)


def test_an_array_without_a_name_is_known_by_its_first_bytes(tmp_path):
    image = np.arange(6 * 9 * 4, dtype=np.uint8).reshape(6, 9, 4)
    write_image(tmp_path / "a.npy", image)
    (tmp_path / "a.npy").rename(tmp_path / "upload")
    assert image_size(tmp_path / "upload") == (9, 6)
    assert np.array_equal(read_image(tmp_path / "upload", None), image)
    (tmp_path / "upload").rename(tmp_path / "a.png")
    with pytest.raises(ImageError, match="not a readable image"):
        read_image(tmp_path / "a.png", None)
