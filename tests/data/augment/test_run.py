import csv
import importlib
import json

import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.augment import run as augment_module
from flexunet.data.augment.operations import OPERATIONS, register_operation
from flexunet.data.augment.run import augment
from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import DatasetError, MaskError, OutOfMemoryError, RunLockedError

SIZE = 40


def draw_pair(seed, channels=3, classes=2):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (SIZE, SIZE, channels), np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    x, y = rng.integers(5, SIZE - 15, 2)
    mask[y : y + 10, x : x + 10] = classes - 1
    return image, mask


def write_split(folder, stems, channels=3, suffix=".png", colors=None):
    colors = colors or ColorMap.binary()
    for number, stem in enumerate(stems):
        image, mask = draw_pair(number, channels, colors.num_classes)
        write_image(folder / "images" / f"{stem}{suffix}", image)
        write_mask(folder / "masks" / f"{stem}.png", mask, colors)


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "ds"
    for split, stems in (("train", ["1", "2"]), ("valid", ["3"]), ("test", ["4"])):
        write_split(root / split, stems)
    return root


def config(**sections):
    chosen = {"rotation": True, "angles": [10, 90], "shears": [0.2]} | sections.pop("augmentor", {})
    switched = dict.fromkeys(
        ("deformation", "distortion", "barrdistortion", "sharpening", "brightening"), True
    )
    return Config.model_validate({"augmentor": chosen | switched, **sections})


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.png")}


def test_train_gets_copies_and_the_others_go_over_as_they_are(dataset, tmp_path):
    done = augment(dataset, tmp_path / "out", config())
    # hflip, vflip, 2 angles, 1 shrink, shear with 3 flips, deformation, distortion, barrel, sharpen, brighten
    copies = 14
    folder = DatasetFolder(tmp_path / "out")
    assert [len(folder.pairs(split)) for split in ("train", "valid", "test")] == [2 * (1 + copies), 1, 1]
    assert sum(done.copies.values()) == 2 * copies
    assert done.originals == {"train": 2, "valid": 1, "test": 1}
    for split, name in (("train", "1"), ("valid", "3"), ("test", "4")):
        copied = tmp_path / "out" / split / "images" / f"{name}.png"
        assert copied.read_bytes() == (dataset / split / "images" / f"{name}.png").read_bytes()


def test_manifest_says_what_each_file_is(dataset, tmp_path):
    manifest = Manifest()
    manifest.append(
        {"file": "train/images/1.png", "source": "film 7", "patient": "Ann", "split": "train", "density": "B"}
    )
    manifest.write(dataset)
    out = tmp_path / "out"
    augment(dataset, out, config())
    rows = Manifest.read(out).by_file
    files = {path.relative_to(out).as_posix() for path in out.rglob("images/*.png")}
    assert rows.keys() == files
    for file, row in rows.items():
        assert row["sha256"] == sha256_of(out / file)
        assert (out / row["mask"]).is_file()
        assert row["split"] == file.split("/")[0]
        name = row["file"].removesuffix(".png").rsplit("_", 1)[-1].rsplit("/", 1)[-1]
        known = ("film 7", "Ann", "B") if name == "1" else (name, "", "")  # nobody knows whose image 2 is
        assert (row["source"], row["patient"], row["density"]) == known
    sheared = rows["train/images/hvflipped_sheared_0_2_1.png"]
    assert sheared["operation"] == "shear+hvflip"
    assert json.loads(sheared["parameters"]) == {"ratio": 0.2, "flip": "hv"}
    assert rows["train/images/1.png"]["operation"] == ""
    pairs = DatasetFolder(out).pairs("train")
    assert {pair.patient for pair in pairs} == {"Ann", "2"}


def test_copies_of_copies_keep_their_history(tmp_path):
    write_split(tmp_path / "ds" / "train", ["hfliped_1"])
    done = augment(tmp_path / "ds", tmp_path / "out", config())
    assert done.notes
    row = Manifest.read(tmp_path / "out").by_file["train/images/rotated_90_hfliped_1.png"]
    assert (row["source"], row["operation"]) == ("1", "hflip+rotation")


def test_every_mask_holds_classes_of_the_map(tmp_path):
    colors = ColorMap({(10, 20, 30): 0, (0, 255, 0): 1, (255, 0, 0): 2})
    write_split(tmp_path / "ds" / "train", ["a"], colors=colors)
    chosen = config(model={"num_classes": 3}, mask={"rgb_map": colors.colors_to_class})
    augment(tmp_path / "ds", tmp_path / "out", chosen)
    for path in (tmp_path / "out" / "train" / "masks").iterdir():
        assert colors.distance(read_image(path)).max() == 0
        assert set(np.unique(read_mask(path, colors))) <= {0, 2}


@pytest.mark.parametrize(("channels", "suffix"), [(1, ".png"), (3, ".png"), (3, ".jpg")])
def test_copies_are_png_with_the_channels_of_the_original(tmp_path, channels, suffix):
    write_split(tmp_path / "ds" / "train", ["a"], channels, suffix)
    augment(tmp_path / "ds", tmp_path / "out", config())
    images = sorted((tmp_path / "out" / "train" / "images").iterdir())
    assert [path.name for path in images if path.suffix != ".png"] == (["a.jpg"] if suffix == ".jpg" else [])
    assert {read_image(path, channels=None).shape for path in images} == {(SIZE, SIZE, channels)}


def test_results_depend_neither_on_jobs_nor_on_order(dataset, tmp_path):
    augment(dataset, tmp_path / "one", config())
    augment(dataset, tmp_path / "two", config(), jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert Manifest.read(tmp_path / "one").rows == Manifest.read(tmp_path / "two").rows
    write_split(tmp_path / "other" / "train", ["0", "1"])
    image, mask = draw_pair(0)
    write_image(tmp_path / "other" / "train" / "images" / "1.png", image)
    write_mask(tmp_path / "other" / "train" / "masks" / "1.png", mask, ColorMap.binary())
    augment(tmp_path / "other", tmp_path / "three", config())
    name = "train/images/distorted_0.02_rsigma0.5_sigma40_1.png"
    assert contents(tmp_path / "one")[name] == contents(tmp_path / "three")[name]


OWN = """
from flexunet.data.augment.steps import Operation
from flexunet.data.augment.warps import Brighten

def variants(config):
    yield {"beta": -20}

def darker(parameters, height, width):
    return Brighten(1, parameters["beta"])

DARKEN = Operation("darken", variants, darker)
"""


def test_other_processes_know_operations_of_ones_own(dataset, tmp_path, monkeypatch):
    (tmp_path / "own_operation.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    darken = register_operation(importlib.import_module("own_operation").DARKEN)
    try:
        done = augment(dataset, tmp_path / "out", config(), jobs=2)
    finally:
        del OPERATIONS[darken.name]
    assert done.copies["darken"] == 2
    row = Manifest.read(tmp_path / "out").by_file["train/images/aug-darken--20_1.png"]
    assert (row["operation"], row["parameters"], row["source"]) == ("darken", '{"beta": -20}', "1")
    image, original = (
        read_image(tmp_path / "out/train/images" / name) for name in ("aug-darken--20_1.png", "1.png")
    )
    assert np.array_equal(image, np.clip(original.astype(int) - 20, 0, 255))


def test_an_interrupted_run_goes_on(dataset, tmp_path):
    augment(dataset, tmp_path / "whole", config())

    class StoppedError(Exception):
        pass

    def stop(stage, done, total, note=None):
        if done == 2:
            raise StoppedError

    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        augment(dataset, out, config(), progress=stop)
    assert Manifest.read(out) is None
    with (out / ".augment.rows.jsonl").open("a") as journal:
        journal.write('[{"file": "cut o')
    (out / "train" / "images" / ".1.0123456789ab.partial.png").write_bytes(b"half")
    kept = (out / "train" / "images" / "hfliped_1.png").stat().st_mtime_ns
    done = augment(dataset, out, config())
    assert done.finished_before == 2
    assert (out / "train" / "images" / "hfliped_1.png").stat().st_mtime_ns == kept
    assert contents(out) == contents(tmp_path / "whole")
    assert Manifest.read(out).rows == Manifest.read(tmp_path / "whole").rows


def test_a_second_run_at_once_is_refused_and_neither_mixes(dataset, tmp_path):
    def second(stage, done, total, note=None):
        if done == 2:
            with pytest.raises(RunLockedError, match=r"out is in use: process \d+ .* writes there"):
                augment(dataset, tmp_path / "out", config())

    augment(dataset, tmp_path / "out", config(), progress=second)
    augment(dataset, tmp_path / "alone", config())
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_finished_run_is_not_redone_but_lost_files_are(dataset, tmp_path):
    out = tmp_path / "out"
    augment(dataset, out, config())
    before = contents(out)
    (out / "train" / "masks" / "vfliped_2.png").unlink()
    done = augment(dataset, out, config())
    assert done.finished_before == 3
    assert contents(out) == before


def test_other_settings_do_not_mix_with_an_earlier_run(dataset, tmp_path):
    augment(dataset, tmp_path / "out", config())
    with pytest.raises(DatasetError, match="seed changed"):
        augment(dataset, tmp_path / "out", config(train={"seed": 1}))
    write_split(dataset / "train", ["9"])
    with pytest.raises(DatasetError, match="files changed"):
        augment(dataset, tmp_path / "out", config())


def test_random_transforms_write_no_copies_and_a_note_says_so(dataset, tmp_path):
    config = Config.model_validate({"random_transform": {"enabled": True}})
    done, plain = augment(dataset, tmp_path / "a", config), augment(dataset, tmp_path / "b", Config())
    assert done.copies == plain.copies
    assert not plain.notes
    assert "while training alone" in done.notes[0]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_copies_of_scored_images_need_a_word(dataset, tmp_path, split):
    with pytest.raises(DatasetError, match="--i-accept-leakage"):
        augment(dataset, tmp_path / "out", config(), splits=["train", split])
    assert not (tmp_path / "out").exists()
    done = augment(dataset, tmp_path / "out", config(), splits=[split], accept_leakage=True)
    assert len([row for row in done.rows if row["operation"]]) == 14


def test_no_augmentation_is_honoured(dataset, tmp_path):
    with pytest.raises(DatasetError, match="no_augmentation"):
        augment(dataset, tmp_path / "out", config(dataset={"no_augmentation": "train"}))


def test_what_cannot_be_done_is_refused_before_anything_is_written(dataset, tmp_path):
    out = tmp_path / "out"
    nothing = Config.model_validate(
        {"augmentor": {"hflip": False, "vflip": False, "rotation": False, "shrinks": []}}
    )
    with pytest.raises(DatasetError, match="no operation"):
        augment(dataset, out, nothing)
    with pytest.raises(DatasetError, match="no split extra"):
        augment(dataset, out, config(), splits=["extra"])
    for inside in (dataset, dataset / "train" / "out", tmp_path):
        with pytest.raises(DatasetError, match="lie in each other"):
            augment(dataset, inside, config())
    assert not out.exists()
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        augment(dataset, out, config())
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


def test_a_copy_never_takes_the_name_of_an_original(tmp_path):
    write_split(tmp_path / "ds" / "train", ["1", "hfliped_1"])
    with pytest.raises(DatasetError, match="hfliped_1"):
        augment(tmp_path / "ds", tmp_path / "out", config())


def test_image_and_mask_of_different_sizes(dataset, tmp_path):
    write_mask(dataset / "train" / "masks" / "2.png", np.zeros((20, 30), np.uint8), ColorMap.binary())
    with pytest.raises(MaskError, match=r"30 x 20 .* 40 x 40"):
        augment(dataset, tmp_path / "out", config())


def test_parameters_that_are_not_json_are_named(dataset, tmp_path):
    manifest = Manifest()
    manifest.append({"file": "train/images/1.png", "parameters": "angle 3"})
    manifest.write(dataset)
    with pytest.raises(DatasetError, match="angle 3"):
        augment(dataset, tmp_path / "out", config())


def test_a_plain_pair_of_folders_keeps_its_sources(tmp_path):
    write_split(tmp_path / "ds", ["1", "2"])
    done = augment(tmp_path / "ds", tmp_path / "out", config())
    assert "before the split" in done.notes[0]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 30
    with (tmp_path / "out" / "manifest.csv").open(newline="") as stream:
        assert {row["source"] for row in csv.DictReader(stream)} == {"1", "2"}


def test_the_published_configuration_writes_what_the_published_tool_wrote(reference, tmp_path):
    for split in ("train", "test"):
        for kind in ("image", "mask"):
            picture = read_image(reference / "augment" / f"input_{kind}.png")
            write_image(tmp_path / "in" / split / f"{kind}s" / "1001.png", picture)
    chosen = load_config(reference / "augment" / "offline_generator.config")
    chosen.mask.rgb_map = {(0, 0, 0): 0, (255, 0, 0): 1, (255, 255, 255): 2}  # the colours of its input mask
    augment(tmp_path / "in", tmp_path / "out", chosen)
    names = json.loads((reference / "augment" / "meta.json").read_text())["offline"]["filenames"]
    for folder, expected in names.items():
        assert sorted(path.name for path in (tmp_path / "out" / folder).iterdir()) == sorted(expected)
    with np.load(reference / "augment" / "offline_train_images.npz", allow_pickle=False) as arrays:
        for name, expected in arrays.items():
            if name.startswith(("deformed", "distorted", "shrinked")):
                continue
            found = read_image(tmp_path / "out" / "train" / "images" / name)[..., ::-1]
            np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


def test_images_are_resized_where_the_configuration_gives_a_size(dataset, tmp_path):
    chosen = config(dataset={"image_width": 32, "image_height": 24})
    augment(dataset, tmp_path / "out", chosen)
    paths = list((tmp_path / "out").rglob("*.png"))
    assert {read_image(path, channels=None).shape[:2] for path in paths} == {(24, 32)}
    rows = Manifest.read(tmp_path / "out").by_file
    assert json.loads(rows["test/images/4.png"]["parameters"]) == {"resize": [32, 24]}


def test_a_worker_that_dies_is_told_as_want_of_memory(monkeypatch, dataset, tmp_path):
    monkeypatch.setattr(augment_module, "write_pair", _die)
    with pytest.raises(OutOfMemoryError, match="fewer"):
        augment(dataset, tmp_path / "out", config(), jobs=2)


def _die(task, job):
    import os

    os._exit(9)


def test_drafts_are_copied_only_when_asked_for(dataset, tmp_path):
    manifest = Manifest()
    manifest.append({"file": "train/images/1.png", "mask": "train/masks/1.png", "status": "draft"})
    manifest.write(dataset)
    with pytest.raises(DatasetError, match=r"1 draft that no person has checked.*--drafts"):
        augment(dataset, tmp_path / "out", config())
    assert not (tmp_path / "out").exists()
    augmented = augment(dataset, tmp_path / "out", config(), drafts=True)
    drafts = [row for row in augmented.rows if row.get("status") == "draft"]
    assert len(drafts) == 1 + sum(augmented.copies.values()) // augmented.originals["train"]
