import gc
import os
from pathlib import Path

import numpy as np
import pytest

from flexunet.data.cache.open import open_own_size_cache
from flexunet.data.cache.own_size import lesion_points
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.indices import resize_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.pixels import resize_image
from flexunet.errors import ImageError, PathError

BINARY = ColorMap.binary()
SIZES = [(40, 30), (33, 64), (20, 25), (64, 64)]  # height, width


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(4)
    for index, (height, width) in enumerate(SIZES):
        write_image(
            tmp_path / f"images/{index}.png", generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        )
        mask = np.zeros((height, width), np.uint8)
        if index != 1:
            mask[5:10, 6:12] = 1
        write_mask(tmp_path / f"masks/{index}.png", mask, BINARY)
    return tmp_path


def opened(dataset, **options):
    settings = {
        "width": 32,
        "height": 32,
        "crop_size": 32,
        "channels": 3,
        "masks": MaskReader(BINARY),
        "workers": 2,
    }
    pairs = find_pairs(dataset / "images", dataset / "masks")
    return open_own_size_cache(pairs, cache_dir=dataset / "cache", **settings | options)


def test_images_keep_their_size_and_small_ones_are_padded_by_their_edge(dataset):
    cache = opened(dataset)
    assert cache.shapes.tolist() == [[40, 32], [33, 64], [32, 32], [64, 64]]
    for index, (height, width) in enumerate(SIZES):
        image, mask = cache.arrays(index)
        read = read_image(dataset / f"images/{index}.png")
        assert np.array_equal(image[:height, :width], read)
        assert (image[height:, :width] == read[-1]).all()
        assert (image[:height, width:] == read[:, -1:]).all()
        assert mask.sum() == (0 if index == 1 else 30)
    assert cache.holds_lesion.tolist() == [True, False, True, True]


def test_all_images_are_scaled_by_one_factor(dataset):
    cache = opened(dataset, crop_size=64)
    assert cache.shapes.tolist() == [[32, 32], [32, 32], [32, 32], [32, 32]]
    image, mask = cache.arrays(3)
    assert np.array_equal(image, resize_image(read_image(dataset / "images/3.png"), 32, 32))
    whole = np.zeros((64, 64), np.uint8)
    whole[5:10, 6:12] = 1
    assert np.array_equal(mask, resize_mask(whole, 32, 32))
    enlarged = opened(dataset, crop_size=16)
    assert enlarged.shapes.tolist() == [[80, 60], [66, 128], [40, 50], [128, 128]]


def test_sixteen_bits_are_kept_and_others_scaled_to_them(dataset):
    write_image(dataset / "images/1.png", np.full((33, 64, 3), 1000, np.uint16))
    cache = opened(dataset)
    assert cache.dtype == np.uint16
    assert (cache.arrays(1)[0] == 1000).all()
    assert np.array_equal(cache.arrays(3)[0], read_image(dataset / "images/3.png").astype(np.uint16) * 257)


def test_a_cache_is_used_again_and_a_damaged_one_made_again(dataset):
    folder = opened(dataset).folder
    expected = opened(dataset).arrays(3)[0].copy()
    for damage in (
        lambda: os.truncate(folder / "images.bin", 100),
        lambda: (folder / "lesions.npy").unlink(),
        lambda: (folder / "masks.bin").write_bytes(bytes((folder / "masks.bin").stat().st_size)),
    ):
        gc.collect()
        damage()
        cache = opened(dataset)
        assert cache.folder == folder
        assert np.array_equal(cache.arrays(3)[0], expected)
        assert cache.arrays(0)[1].sum() == 30
    before = (folder / "images.bin").stat().st_mtime_ns
    opened(dataset)
    assert (folder / "images.bin").stat().st_mtime_ns == before


def test_files_cut_short_in_use_are_reported(dataset):
    cache = opened(dataset)
    os.truncate(cache.folder / "images.bin", 500)
    with pytest.raises(PathError, match="cut short"):
        cache.arrays(3)


def test_unusable_files_are_named_together(dataset):
    for name in ("0.png", "3.png"):
        path = dataset / "images" / name
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ImageError, match=r"2 files cannot be used:(.|\n)*0\.png(.|\n)*3\.png"):
        opened(dataset)


def test_no_lesion_anywhere(dataset):
    for index, size in enumerate(SIZES):
        write_mask(dataset / f"masks/{index}.png", np.zeros(size, np.uint8), BINARY)
    assert not opened(dataset).holds_lesion.any()
    assert not opened(dataset).holds_lesion.any()


def test_memory_is_given_back(dataset):
    """No page of the files stays mapped: what is mapped of them after reading is nothing."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("needs /proc, of Linux")
    cache = opened(dataset)
    for index in range(len(cache)):
        _ = cache.arrays(index)[0][:5].copy()
    mapped = maps.read_text()
    assert "images.bin" not in mapped
    assert "masks.bin" not in mapped


def test_points_of_a_lesion_are_spread_over_it():
    mask = np.zeros((100, 120), np.uint8)
    mask[10:50, 20:60] = 1  # 1600 pixels: every 25th
    mask[80:83, 100:104] = 1  # 12 pixels: all
    mask[83:87, 104:108] = 2  # touches it, but is another class
    mask[70, 5] = 1  # a speck among larger ones does not count
    points = lesion_points(mask)
    assert np.bincount(points[:, 0]).tolist() == [64, 12, 16]
    large = points[points[:, 0] == 0]
    assert len(np.unique(large, axis=0)) == 64
    assert (mask[large[:, 1], large[:, 2]] == 1).all()
    assert np.abs(large[:, 1:].mean(axis=0) - [29.5, 39.5]).max() <= 2.5
    assert (mask[points[points[:, 0] == 2][:, 1], points[points[:, 0] == 2][:, 2]] == 2).all()


def test_specks_count_where_there_is_nothing_larger():
    mask = np.zeros((9, 9), np.uint8)
    mask[0, 0] = mask[5, 5] = 1
    assert lesion_points(mask).tolist() == [[0, 0, 0], [1, 5, 5]]
    assert lesion_points(np.zeros((9, 9), np.uint8)).shape == (0, 3)
