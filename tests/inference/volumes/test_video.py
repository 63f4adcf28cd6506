"""Videos read back: as many frames, as large, in the colours that were meant."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flexunet.config.schema import Config
from flexunet.errors import PathError
from flexunet.inference.volumes.slices import SliceAxes
from flexunet.inference.volumes.video import slice_frames, write_video

PALETTE = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)


def section(**keys):
    return Config(infer3d={"slice_rotation": None, "slice_resize": None, **keys}).infer3d


def cut_frames(voxels, labels, keys):
    return slice_frames(voxels, labels, PALETTE, SliceAxes.configured(keys, Path("a.nii")), keys)


def frames_of(path):
    if path.suffix == ".gif":
        with Image.open(path) as picture:
            for number in range(picture.n_frames):
                picture.seek(number)
                yield np.asarray(picture.convert("RGB"))
        return
    video = cv2.VideoCapture(str(path))
    while True:
        more, frame = video.read()
        if not more:
            break
        yield frame[..., ::-1]
    video.release()


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
def test_frames_survive(tmp_path, suffix, size):
    height, width = size
    shown = []
    for number in range(7):
        frame = np.full((height, width, 3), 40, np.uint8)
        frame[8:24, 4 * number : 4 * number + 16] = (230, 20, 20)
        shown.append(frame)
    write_video(tmp_path / f"a{suffix}", iter(shown), fps=10)
    found = list(frames_of(tmp_path / f"a{suffix}"))
    assert len(found) == 7
    for number, (frame, expected) in enumerate(zip(found, shown, strict=True)):
        assert frame.shape[0] - height in (0, 1)
        assert np.abs(frame[26:height].astype(int) - 40).mean() < 4
        assert np.abs(frame[12:20, 4 * number + 4 : 4 * number + 12].astype(int) - (230, 20, 20)).max() < 40
        if suffix == ".gif":
            assert np.array_equal(frame, expected)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_speed(tmp_path):
    frames = [np.full((32, 32, 3), value, np.uint8) for value in (0, 100, 200)]
    write_video(tmp_path / "a.gif", frames, fps=4)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.info["duration"] == 250
    write_video(tmp_path / "a.mp4", frames, fps=4)
    assert cv2.VideoCapture(str(tmp_path / "a.mp4")).get(cv2.CAP_PROP_FPS) == 4


def test_a_gif_keeps_greys(tmp_path):
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 64, axis=1)
    write_video(tmp_path / "a.gif", [np.repeat(grey[..., np.newaxis], 3, axis=2)] * 2, fps=10)
    found = next(frames_of(tmp_path / "a.gif"))
    assert np.abs(found.astype(int) - grey[..., np.newaxis]).max() <= 2


def test_overlay_worked_by_hand():
    voxels = np.array([[[0], [100]], [[50], [200]]], np.int16)
    labels = np.array([[[0], [1]], [[0], [2]]], np.uint8)
    keys = {"overlay_alpha": 0.6, "overlay_beta": 0.3, "overlay_gamma": 10.0, "slice_normalize": False}
    (frame,) = cut_frames(voxels, labels, section(**keys))
    assert frame.tolist() == [
        [[0, 0, 0], [round(60 + 76.5 + 10), 70, 70]],  # where no lesion is, the slice as it is
        [[50, 50, 50], [130, 130, round(120 + 76.5 + 10)]],
    ]
    for keys in ({"video_type": "masks"}, {"mask_overlay": False}):
        (frame,) = cut_frames(voxels, labels, section(**keys))
        assert frame.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 0, 0], [0, 0, 255]]]


def test_frames_have_the_configured_size_and_masks_keep_their_edges():
    voxels = np.zeros((10, 20, 3), np.int16)
    labels = np.zeros((10, 20, 3), np.uint8)
    labels[:5, :10, 1] = 1
    frames = list(cut_frames(voxels, labels, section(video_type="masks", slice_resize=(80, 40))))
    assert [frame.shape for frame in frames] == [(40, 80, 3)] * 3
    assert np.array_equal(frames[1][..., 0], np.kron(labels[..., 1] * 255, np.ones((4, 4))))
    turned = section(video_type="masks", slice_rotation="cv2.ROTATE_90_CLOCKWISE")
    assert [frame.shape for frame in cut_frames(voxels, labels, turned)] == [(20, 10, 3)] * 3


def test_nothing_is_left_where_a_video_cannot_be_written(tmp_path):
    def frames():
        yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    for suffix in (".mp4", ".gif"):
        with pytest.raises(KeyboardInterrupt):
            write_video(tmp_path / f"a{suffix}", frames(), fps=10)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(PathError, match="part of its path is a file"):
        write_video(tmp_path / "file" / "a.gif", frames(), fps=10)
