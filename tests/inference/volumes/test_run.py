"""Volumes through prediction: labels where the lesions are, in every orientation, and what goes wrong."""

import csv
import json
import struct

import cv2
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.volumes.read import read_volume
from flexunet.errors import PathError
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.volumes.run import infer_volumes
from flexunet.models.registry import build_model

pytest.importorskip("SimpleITK")

MODEL = {"image_width": 32, "image_height": 32, "num_layers": 2, "base_filters": 2}
TINY = build_model(Config(model=MODEL))


class Bright(Predictor):
    """Foreground is what is brighter than half of the slice's range; counts the model calls."""

    def __init__(self, config):
        super().__init__(TINY, config)
        self.batch_size = 4
        self.calls = []

    def prepare(self, image):
        """The slice at its own size."""
        return image

    def forward(self, prepared):
        """A step at 127.5."""
        self.calls.append(len(prepared))
        bright = [(image > 127.5).astype(np.float32)[..., np.newaxis] * 0.8 for image in prepared]
        return [np.concatenate([1 - each, each], axis=2) for each in bright]


@pytest.fixture
def voxels():
    """30 x 24 x 11 voxels; a box of 4 x 10 x 3 and one voxel of their own, and one bright spot a slice."""
    voxels = np.full((30, 24, 11), 100, np.int16)
    voxels[0, 0, :] = 600
    voxels[3:7, 5:15, 2:5] = 500
    voxels[20, 20, 8] = 500
    return voxels


def configured(folder, **keys):
    paths = {name: str(folder / name) for name in ("output_dir", "video_dir")}
    return Config(model=MODEL, infer3d={"slice_resize": None, **paths, **keys})


def table(folder):
    with (folder / "output_dir_lesions" / "lesions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("rotation", [None, "cv2.ROTATE_90_CLOCKWISE", "cv2.ROTATE_90_COUNTERCLOCKWISE"])
@pytest.mark.parametrize("order", ["hwd", "dwh"])
def test_labels_lie_on_the_lesions_however_slices_are_cut(write_volume, voxels, tmp_path, rotation, order):
    if order == "dwh":
        voxels[:, 0, 0] = 600  # each slice needs its brightest voxel
    path = write_volume(tmp_path / "in" / "a.nii.gz", voxels)
    config = configured(tmp_path, slice_rotation=rotation, slice_shape_order=order)
    predictor = Bright(config)
    result = infer_volumes(config, inputs=[path], predictor=predictor)
    assert result.failures == {}
    labels = read_volume(tmp_path / "output_dir" / "a.nii.gz").voxels
    assert np.array_equal(labels, (voxels > 400).astype(np.uint8))
    count = 11 if order == "hwd" else 30
    assert predictor.calls == [4] * (count // 4) + [count % 4]
    video = cv2.VideoCapture(str(tmp_path / "video_dir" / "a.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == count


def test_lesions_in_mm3(write_volume, voxels, tmp_path):
    path = write_volume(tmp_path / "a.mha", voxels, spacing=(0.5, 0.8, 3.0))
    config = configured(tmp_path, slice_shape_order="dwh")
    result = infer_volumes(config, inputs=[path], predictor=Bright(config))
    rows = table(tmp_path)
    assert [(row["file"], row["voxels"], float(row["volume_mm3"]), row["slices"]) for row in rows] == [
        ("a.mha", "11", 13.2, "11"),
        ("a.mha", "120", 144.0, "3"),
        ("a.mha", "1", 1.2, "1"),
    ]
    assert [float(row["mean_probability"]) for row in rows] == pytest.approx([0.8] * 3, abs=1e-3)
    assert (rows[1]["x"], rows[1]["y"], rows[1]["z"]) == ("4.5", "9.5", "3.0")
    assert result.volumes_mm3 == {path: pytest.approx(158.4)}
    config = configured(tmp_path, min_lesion_mm3=13.5, video_type="none", slice_shape_order="dwh")
    infer_volumes(config, inputs=[path], predictor=Bright(config))
    assert [row["voxels"] for row in table(tmp_path)] == ["120"]
    assert read_volume(tmp_path / "output_dir" / "a.mha").voxels.sum() == 120


def test_slices_are_resized_for_the_model_and_labels_are_not(write_volume, voxels, tmp_path):
    path = write_volume(tmp_path / "a.nii", voxels)
    config = configured(tmp_path, slice_resize=(48, 60), slice_rotation=None)
    seen = []

    class Looks(Bright):
        def prepare(self, image):
            seen.append((image.shape, image.dtype, float(image.max())))
            return image

    infer_volumes(config, inputs=[path], predictor=Looks(config))
    assert {shape for shape, _, _ in seen} == {(60, 48)}
    assert {(dtype, top) for _, dtype, top in seen} == {(np.dtype(np.float32), 255.0)}
    labels = read_volume(tmp_path / "output_dir" / "a.nii").voxels
    assert labels.shape == voxels.shape
    assert (labels == (voxels > 400)).mean() > 0.99


def test_slices_are_padded_where_images_are(write_volume, voxels, tmp_path):
    path = write_volume(tmp_path / "a.nii", voxels)
    config = configured(tmp_path, slice_resize=None, slice_rotation=None)
    config.infer.fit = "pad"

    class Step(Predictor):
        def predict_batch(self, pixels):
            assert pixels.shape[1:] == (32, 32, 3)
            bright = (pixels[..., :1] > 127.5).astype(np.float32)
            return np.concatenate([1 - bright, bright], axis=3)

    assert infer_volumes(config, inputs=[path], predictor=Step(TINY, config)).failures == {}
    labels = read_volume(tmp_path / "output_dir" / "a.nii").voxels
    # 30 x 24 slices stay as they are on 32 x 32: nothing is interpolated.
    assert np.array_equal(labels, (voxels > 400).astype(np.uint8))


def test_a_model_that_was_trained_on_crops_sees_slices_tile_by_tile(write_volume, voxels, tmp_path):
    path = write_volume(tmp_path / "a.nii", voxels)
    config = configured(tmp_path, slice_resize=(60, 48))
    config.train.crop = "random"
    config.train.crop_size = 16
    config.tiledinfer.overlapping = 4
    sizes = []

    class Tiles(Predictor):
        def predict_batch(self, pixels):
            sizes.append(pixels.shape[1:3])
            bright = (pixels[..., :1] > 127.5).astype(np.float32)
            return np.concatenate([1 - bright, bright], axis=3)

    result = infer_volumes(config, inputs=[path], predictor=Tiles(TINY, config))
    assert result.failures == {}
    assert set(sizes) == {(32, 32)}
    labels = read_volume(tmp_path / "output_dir" / "a.nii").voxels
    assert (labels == (voxels > 400)).mean() > 0.99


def test_a_run_that_was_cut_off_goes_on(write_volume, voxels, tmp_path):
    for number in range(3):
        write_volume(tmp_path / "in" / f"{number}.mhd", voxels + number)
    config = configured(tmp_path, images_dir=str(tmp_path / "in"), slice_shape_order="dwh")

    class Stops(Bright):
        def forward(self, prepared):
            if len(self.calls) == 4:
                raise KeyboardInterrupt
            return super().forward(prepared)

    with pytest.raises(KeyboardInterrupt):
        infer_volumes(config, predictor=Stops(config))
    assert [path.name for path in (tmp_path / "output_dir").iterdir()] == ["0.mha"]
    told = []
    result = infer_volumes(config, predictor=Bright(config), progress=lambda _, *counts: told.append(counts))
    assert (result.reused, len(result.label_paths)) == (1, 3)
    assert told[-1] == (33, 33)
    assert told == sorted(told)
    assert len(table(tmp_path)) == 9
    assert infer_volumes(config, predictor=Bright(config)).reused == 3
    # The voxels of an .mhd lie in a second file, and count too.
    write_volume(tmp_path / "other" / "1.mhd", voxels // 2)
    (tmp_path / "other" / "1.raw").replace(tmp_path / "in" / "1.raw")
    assert infer_volumes(config, predictor=Bright(config)).reused == 2
    (tmp_path / "video_dir" / "2.mp4").unlink()
    assert infer_volumes(config, predictor=Bright(config)).reused == 2
    config.infer3d.slice_normalize = False
    assert infer_volumes(config, predictor=Bright(config)).reused == 0


def test_bad_volumes_are_told_and_the_rest_goes_on(write_volume, voxels, tmp_path):
    folder = tmp_path / "in"
    good = write_volume(folder / "good.nii", voxels).read_bytes()
    (folder / "truncated.nii").write_bytes(good[:-100])
    (folder / "text.nii.gz").write_text("no volume " * 50)
    spacing, bomb = bytearray(good), bytearray(good)
    struct.pack_into("<f", spacing, 80, float("nan"))
    struct.pack_into("<3h", bomb, 42, 30000, 30000, 30000)
    (folder / "spacing.nii").write_bytes(spacing)
    (folder / "bomb.nii").write_bytes(bomb)
    write_volume(folder / "single.mha", voxels[..., :1])
    config = configured(tmp_path, images_dir=str(folder))
    result = infer_volumes(config, predictor=Bright(config))
    assert sorted(path.name for path in result.failures) == [
        "bomb.nii", "spacing.nii", "text.nii.gz", "truncated.nii",
    ]  # fmt: skip
    for path, message in result.failures.items():
        assert str(path) in message
    assert sorted(path.name for path in result.label_paths) == ["good.nii", "single.mha"]
    assert json.loads(json.dumps(result.summary()))["failures"]


def test_results_never_replace_their_volumes(write_volume, voxels, tmp_path):
    path = write_volume(tmp_path / "a.nii", voxels)
    before = path.read_bytes()
    config = configured(tmp_path, images_dir=str(tmp_path), output_dir=str(tmp_path / "x" / ".."))
    with pytest.raises(PathError, match="is to be read, and to be written over"):
        infer_volumes(config, predictor=Bright(config))
    assert path.read_bytes() == before


def test_volumes_of_one_name_keep_apart(write_volume, voxels, tmp_path):
    inputs = [
        write_volume(tmp_path / name, voxels) for name in ("P1/t1.nii", "P2/t1.nii", "t2.mha", "t2.mhd")
    ]
    config = configured(tmp_path)
    result = infer_volumes(config, inputs=[*inputs, f"{tmp_path}/P?/*"], predictor=Bright(config))
    assert sorted(path.name for path in result.label_paths) == [
        "P1_t1.nii", "P2_t1.nii", "t2.mha", "t2.mhd.mha",
    ]  # fmt: skip
    assert len(list((tmp_path / "video_dir").iterdir())) == 4
    assert {row["file"] for row in table(tmp_path)} == {"P1/t1.nii", "P2/t1.nii", "t2.mha", "t2.mhd"}


def test_a_published_configuration_through_the_command_line(write_volume, voxels, tmp_path):
    """The section as the published family writes it: no note, a GIF, a message for a bad file."""
    path = tmp_path / "train_eval_infer.config"
    path.write_text(
        "[model]\nimage_width = 32\nimage_height = 32\nnum_layers = 2\nbase_filters = 2\n"
        '[infer3d]\nimages_dir = "./mini_test_3d/images/"\noutput_dir = "./mini_test_3d_output/"\n'
        "mask_overlay = True\nslice_normalize = True\nslice_resize = None\nslice_rotation = None\n"
        'slice_shape_order = "hwd"\nvideo_fileformat = ".gif"\nvideo_fps = 10\n'
    )
    (tmp_path / "models").mkdir()
    build_model(load_config(path)).save(tmp_path / "models" / "best_model.keras")
    folder = tmp_path / "mini_test_3d" / "images"
    source = write_volume(folder / "case.nii.gz", voxels)
    first = CliRunner().invoke(app, ["infer3d", str(path)])
    assert first.exit_code == 0, first.output
    assert "infer3d" not in first.stderr
    assert f"1 label volumes in {tmp_path / 'mini_test_3d_output'}" in first.stdout
    labels = read_volume(tmp_path / "mini_test_3d_output" / "case.nii.gz")
    assert labels.voxels.shape == voxels.shape
    assert labels.spacing == read_volume(source).spacing
    assert (tmp_path / "video_3d" / "case.gif").is_file()
    (folder / "bad.nii").write_text("no volume")
    again = CliRunner().invoke(app, ["infer3d", str(path), "--json"])
    assert again.exit_code == 2
    document = json.loads(again.stdout)
    assert document["reused"] == 1
    assert str(folder / "bad.nii") in again.stderr
    elsewhere = CliRunner().invoke(
        app, ["infer3d", str(path), str(source), "--out", str(tmp_path / "o"), "--video", str(tmp_path / "v")]
    )
    assert elsewhere.exit_code == 0, elsewhere.output
    assert [file.name for file in (tmp_path / "v").iterdir()] == ["case.gif"]


@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_arrays_are_volumes_without_a_size_of_voxels(tmp_path, voxels, suffix):
    path = tmp_path / "in" / f"case{suffix}"
    path.parent.mkdir()
    if suffix == ".npy":
        np.save(path, voxels)
    else:
        with h5py.File(path, "w") as file:
            file["image"], file["label"] = voxels, voxels * 0
    config = configured(tmp_path, video_type="none")
    result = infer_volumes(config, inputs=[path.parent], predictor=Bright(config))
    assert result.failures == {}
    assert [label.name for label in result.label_paths] == ["case.npy"]
    assert np.array_equal(np.load(result.label_paths[0]), voxels > 350)
    assert result.volumes_mm3 == {}
    with (result.lesions_dir / "lesions.csv").open(encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    assert (row["voxels"] != "", row["volume_mm3"], row["long_axis_mm"]) == (True, "", "")
    config = configured(tmp_path, video_type="none", min_lesion_mm3=5.0)
    result = infer_volumes(config, inputs=[path], predictor=Bright(config))
    assert "min_lesion_mm3 is set" in result.failures[path]


def test_arrays_that_are_no_volumes_are_named(tmp_path, voxels):
    np.save(tmp_path / "flat.npy", voxels[0])
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = voxels
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["image"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/data")
    config = configured(tmp_path / "out", video_type="none")
    result = infer_volumes(config, inputs=[tmp_path], predictor=Bright(config))
    told = {path.name: reason for path, reason in result.failures.items()}
    assert "2 axes" in told["flat.npy"]
    assert "has no array 'image'; it has data" in told["other.h5"]
    assert "another file" in told["link.h5"]
    for name in ("objects.npy", "cut.npy", "cut.h5"):
        assert "truncated or damaged" in told[name] or "no numbers" in told[name]
    assert len(told) == 6
