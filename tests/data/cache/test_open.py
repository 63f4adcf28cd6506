import gc
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.cache.open import open_cache
from flexunet.data.cache.pair_reader import CropReader
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.indices import resize_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.pixels import resize_image
from flexunet.errors import ImageError, MaskError, PathError

BINARY = ColorMap.binary()


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "dataset", 7)


def make_dataset(root, count, dtype=np.uint8):
    generator = np.random.default_rng(3)
    for index in range(count):
        image = generator.integers(0, np.iinfo(dtype).max, (20, 30, 3), dtype=dtype)
        write_image(root / "images" / f"{index}.png", image)
        write_mask(root / "masks" / f"{index}.png", image[..., 0] > np.iinfo(dtype).max // 2, BINARY)
    return root


def pairs_of(dataset):
    return find_pairs(dataset / "images", dataset / "masks")


def opened(dataset, cache_dir, **options):
    settings = {"width": 15, "height": 10, "channels": 3, "masks": MaskReader(BINARY), "workers": 2} | options
    return open_cache(pairs_of(dataset), cache_dir=cache_dir, **settings)


def entries(cache_dir):
    return sorted(path for path in cache_dir.iterdir() if path.is_dir())


def expect_images(cache, dataset):
    for pair, image in zip(cache.pairs, cache.images, strict=True):
        assert np.array_equal(image, resize_image(read_image(pair.image_path), 15, 10))


def test_a_cache_holds_the_resized_images_and_masks(dataset, tmp_path):
    cache = opened(dataset, tmp_path / "cache")
    assert len(cache) == 7
    assert cache.images.shape == (7, 10, 15, 3)
    assert cache.images.dtype == np.uint8
    assert cache.masks.shape == (7, 10, 15)
    assert cache.pairs == pairs_of(dataset)
    expect_images(cache, dataset)
    for pair, mask in zip(cache.pairs, cache.masks, strict=True):
        red = read_image(pair.image_path)[..., 0]
        assert np.array_equal(mask, resize_mask((red > 127).astype(np.uint8), 15, 10))


def test_reading_rows(dataset, tmp_path):
    cache = opened(dataset, tmp_path / "cache")
    images, masks = cache.read([5, 0, 5])
    assert np.array_equal(images, cache.images[[5, 0, 5]])
    assert np.array_equal(masks, cache.masks[[5, 0, 5]])
    assert images.flags.writeable
    assert cache.read(np.array([], int))[0].shape == (0, 10, 15, 3)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_nothing(dataset, tmp_path, workers):
    cache = opened(dataset, tmp_path / "cache", workers=workers)
    expect_images(cache, dataset)


def test_progress_goes_from_one_to_all(dataset, tmp_path):
    seen = []
    opened(dataset, tmp_path / "cache", progress=lambda _, done, total: seen.append((done, total)))
    assert seen == [(done, 7) for done in range(1, 8)]
    seen.clear()
    opened(dataset, tmp_path / "cache", progress=lambda _, done, total: seen.append((done, total)))
    assert not seen  # nothing was decoded


def test_changed_content_is_decoded_again(dataset, tmp_path):
    opened(dataset, tmp_path / "cache")
    write_image(dataset / "images" / "3.png", np.full((20, 30, 3), 9, np.uint8))
    cache = opened(dataset, tmp_path / "cache")
    assert (cache.images[3] == 9).all()
    expect_images(cache, dataset)
    write_mask(dataset / "masks" / "3.png", np.ones((20, 30), np.uint8), BINARY)
    assert opened(dataset, tmp_path / "cache").masks[3].all()


def test_a_data_set_that_moved_needs_no_new_cache(dataset, tmp_path):
    first = opened(dataset, tmp_path / "cache")
    dataset.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved", tmp_path / "cache").folder == first.folder


@pytest.mark.parametrize(
    "change",
    [
        {"width": 16},
        {"height": 11},
        {"channels": 1},
        {"masks": MaskReader(BINARY, threshold=50)},
        {"masks": MaskReader(BINARY, tolerance=1)},
        {"masks": MaskReader(ColorMap({(0, 0, 0): 1, (255, 255, 255): 0}))},
    ],
)
def test_other_settings_make_another_cache(dataset, tmp_path, change):
    first = opened(dataset, tmp_path / "cache")
    second = opened(dataset, tmp_path / "cache", **change)
    assert first.folder != second.folder
    assert len(entries(tmp_path / "cache")) == 2


DAMAGES = {
    "cut": lambda folder: os.truncate(folder / "images.npy", 500),
    "cut header": lambda folder: os.truncate(folder / "masks.npy", 20),
    "gone": lambda folder: (folder / "masks.npy").unlink(),
    "no entry": lambda folder: (folder / "entry.json").unlink(),
    "entry": lambda folder: (folder / "entry.json").write_text("{"),
    "zeros": lambda folder: (folder / "images.npy").write_bytes(
        (folder / "images.npy").read_bytes()[:128].ljust((folder / "images.npy").stat().st_size, b"\0")
    ),
    "empty": lambda folder: (folder / "images.npy").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_again(dataset, tmp_path, damage):
    folder = opened(dataset, tmp_path / "cache").folder
    gc.collect()  # lets go of the maps
    damage(folder)
    cache = opened(dataset, tmp_path / "cache")
    assert cache.folder == folder
    expect_images(cache, dataset)


def test_a_cache_of_an_older_version_is_made_again_under_the_same_name(dataset, tmp_path):
    folder = opened(dataset, tmp_path / "cache").folder
    np.load(folder / "masks.npy", mmap_mode="r+")[:] = 0  # what the version before took the masks for
    described = json.loads((folder / "entry.json").read_text())
    assert described.pop("version") == 2
    described["sums"] = [[image, zlib.crc32(bytes(150))] for image, _ in described["sums"]]
    for version, is_new in [({"version": 2}, False), ({}, True)]:
        (folder / "entry.json").write_text(json.dumps(described | version))
        assert opened(dataset, tmp_path / "cache").masks.any() == is_new
    again = opened(dataset, tmp_path / "cache")
    assert again.folder == folder  # checkpoints know their data by it
    assert again.masks.any()


def test_files_cut_short_in_use_are_reported(dataset, tmp_path):
    cache = opened(dataset, tmp_path / "cache")
    os.truncate(cache.folder / "images.npy", 500)
    with pytest.raises(PathError, match="cut short"):
        cache.read([6])


def test_what_a_killed_run_left_is_removed(dataset, tmp_path):
    for name, age in [(".d1.0123abcd.partial", 10_000), (".d2.0123abcd.partial", 0)]:
        left = tmp_path / "cache" / name
        left.mkdir(parents=True)
        (left / "images.npy").write_bytes(b"half")
        for path in (left / "images.npy", left):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    opened(dataset, tmp_path / "cache")
    assert not (tmp_path / "cache" / ".d1.0123abcd.partial").exists()
    assert (tmp_path / "cache" / ".d2.0123abcd.partial").exists()  # another run may be writing it


def test_few_caches_of_one_folder_are_kept_latest_used_first(dataset, tmp_path):
    other = make_dataset(tmp_path / "other", 2)
    kept_for_others = opened(other, tmp_path / "cache").folder
    folders = []
    for width in (11, 12, 13, 14):
        folders.append(opened(dataset, tmp_path / "cache", width=width).folder)
        os.utime(folders[-1], (width, width))
        if width == 13:
            opened(dataset, tmp_path / "cache", width=11)  # used again
    assert kept_for_others.exists()
    assert [folder.exists() for folder in folders] == [True, False, True, True]


def test_caches_of_folders_that_are_gone_are_removed(dataset, tmp_path):
    other = make_dataset(tmp_path / "other", 2)
    folder = opened(other, tmp_path / "cache").folder
    gc.collect()
    shutil.rmtree(other)
    opened(dataset, tmp_path / "cache")
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove files in use")
def test_a_cache_that_another_run_removes_can_still_be_read(dataset, tmp_path):
    cache = opened(dataset, tmp_path / "cache")
    expected = np.array(cache.images[[2, 4]])
    shutil.rmtree(cache.folder)
    assert np.array_equal(cache.read([2, 4])[0], expected)


def test_a_temporary_cache_goes_with_the_cache(dataset):
    cache = opened(dataset, None)
    root = cache.folder.parent
    assert len(cache.read([1])[0]) == 1
    del cache
    gc.collect()
    assert not root.exists()


def test_sixteen_bits_are_kept(tmp_path):
    dataset = make_dataset(tmp_path / "deep", 3, np.uint16)
    cache = opened(dataset, tmp_path / "cache")
    assert cache.images.dtype == np.uint16
    expect_images(cache, dataset)


def test_eight_among_sixteen_bits_are_scaled_up(tmp_path):
    dataset = make_dataset(tmp_path / "mixed", 3, np.uint16)
    write_image(dataset / "images" / "0.png", np.full((20, 30, 3), 100, np.uint8))
    cache = opened(dataset, tmp_path / "cache")
    assert cache.images.dtype == np.uint16
    assert (cache.images[0] == 100 * 257).all()


def test_one_channel(dataset, tmp_path):
    cache = opened(dataset, tmp_path / "cache", channels=1)
    assert cache.images.shape == (7, 10, 15, 1)


def test_image_and_mask_of_different_sizes(dataset, tmp_path):
    write_mask(dataset / "masks" / "2.png", np.zeros((20, 31), np.uint8), BINARY)
    with pytest.raises(MaskError, match=r"2\.png has 31 x 20 .*2\.png has 30 x 20"):
        opened(dataset, tmp_path / "cache")
    assert not entries(tmp_path / "cache")


def test_unusable_files_are_named_together(dataset, tmp_path):
    for name in ("1.png", "4.png"):
        content = (dataset / "images" / name).read_bytes()
        (dataset / "images" / name).write_bytes(content[:300])
    (dataset / "masks" / "5.png").write_bytes(b"")
    with pytest.raises(ImageError, match="3 files cannot be used") as caught:
        opened(dataset, tmp_path / "cache")
    message = str(caught.value)
    assert [name in message for name in ("1.png", "2.png", "4.png", "5.png")] == [True, False, True, True]
    assert not entries(tmp_path / "cache")


def test_no_pairs(tmp_path):
    with pytest.raises(PathError, match="list of image and mask pairs is empty"):
        open_cache([], width=8, height=8, channels=3, masks=MaskReader(BINARY), cache_dir=tmp_path)


def test_a_file_that_vanished(dataset, tmp_path):
    pairs = pairs_of(dataset)
    pairs[2].mask_path.unlink()
    with pytest.raises(PathError, match=r"cannot read .*2\.png"):
        open_cache(
            pairs, width=8, height=8, channels=3, masks=MaskReader(BINARY), cache_dir=tmp_path / "cache"
        )


def test_too_little_disk_space_is_told_before_writing(dataset, tmp_path):
    with pytest.raises(PathError, match=r"needs 28000\.0 GB.*\[train\] cache_dir"):
        opened(dataset, tmp_path / "cache", width=10**6, height=10**6)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the full disk of Linux")
def test_a_disk_that_fills_up_meanwhile(dataset, tmp_path, monkeypatch):
    from flexunet.data.cache import stack as cache_stack

    monkeypatch.setattr(cache_stack, "MASKS", "/dev/full")
    with pytest.raises(PathError, match="disk is full"):
        opened(dataset, tmp_path / "cache")
    assert not entries(tmp_path / "cache")


def test_a_cache_folder_that_is_a_file(dataset, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(PathError, match=r"cannot write .*cache"):
        opened(dataset, tmp_path / "cache")


def test_the_settings_of_a_reader_are_those_that_earlier_caches_have_in_their_keys():
    reader = CropReader(32, 16, 1, MaskReader(BINARY, threshold=127.0), "stored", crop_size=64)
    assert json.dumps(reader.settings()) == (
        '{"width": 32, "height": 16, "channels": 1, "color_map": [[[0, 0, 0], 0], [[255, 255, 255], 1]], '
        '"threshold": 127.0, "tolerance": 0.05, "dicom_window": "stored", "crop_size": 64}'
    )
