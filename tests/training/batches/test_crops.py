import numpy as np
import pytest

from flexunet.data.cache.open import open_own_size_cache
from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.training.batches.crops import FixedCrops, RandomCrops, Tiles
from flexunet.training.batches.sampling import Draw

BINARY = ColorMap.binary()
SIDE = 16
SIZES = [(40, 50), (16, 16), (90, 31)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Grey levels tell the column; image 0 has one large lesion, and one small one in a corner."""
    folder = tmp_path_factory.mktemp("crops")
    for index, (height, width) in enumerate(SIZES):
        image = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (height, width, 1))
        write_image(folder / f"images/{index}.png", np.ascontiguousarray(image))
        mask = np.zeros((height, width), np.uint8)
        if index == 0:
            mask[5:35, 5:30] = 1
            mask[36:40, 46:50] = 1
        write_mask(folder / f"masks/{index}.png", mask, BINARY)
    return open_own_size_cache(
        find_pairs(folder / "images", folder / "masks"),
        width=SIDE,
        height=SIDE,
        crop_size=SIDE,
        channels=1,
        masks=MaskReader(BINARY),
        cache_dir=folder / "cache",
    )


def test_crops_that_must_hold_a_lesion_do_and_both_lesions_come_alike(cache):
    crops = RandomCrops(cache, SIDE, SIDE)
    draw = Draw(np.zeros(400, int), np.ones(400, bool))
    images, masks = crops.read_drawn(draw, np.random.default_rng(0))
    assert images.shape == (400, SIDE, SIDE, 1)
    assert masks.any(axis=(1, 2)).all()
    # The small lesion lies in the corner: only a crop around it reaches the last column.
    around_small = (images[:, 0, -1, 0] == 49).mean()
    assert 0.4 < around_small < 0.6


def test_image_and_mask_are_cut_alike_and_crops_reach_everywhere(cache):
    crops = RandomCrops(cache, SIDE, SIDE)
    draw = Draw(np.zeros(600, int), np.zeros(600, bool))
    images, masks = crops.read_drawn(draw, np.random.default_rng(1))
    lefts = images[:, 0, 0, 0]
    assert set(lefts.tolist()) == set(range(50 - SIDE + 1))
    columns = images[..., 0]
    assert not masks[(columns < 5) | ((columns >= 30) & (columns < 46))].any()
    assert masks.any()


def test_the_generator_alone_decides(cache):
    crops = RandomCrops(cache, SIDE, SIDE)
    draw = Draw(np.array([0, 1, 2]), np.array([True, False, False]))
    first, second = (crops.read_drawn(draw, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_fixed_crops_are_two_an_image_and_always_the_same(cache):
    crops = FixedCrops(cache, SIDE, SIDE, seed=3)
    assert len(crops) == 6
    images, masks = crops.read(np.arange(6))
    assert masks[0].any()
    assert np.array_equal(crops.read(np.array([4, 0]))[0], images[[4, 0]])
    assert not np.array_equal(FixedCrops(cache, SIDE, SIDE, seed=4).read(np.arange(6))[0], images)


def test_tiles_cover_every_pixel(cache):
    tiles = Tiles(cache, SIDE, SIDE)
    # 40 x 50: 3 x 4; 16 x 16: 1; 90 x 31: 6 x 2.
    assert len(tiles) == 12 + 1 + 12
    images, masks = tiles.read(np.arange(len(tiles)))
    assert [row[0, 0, 0] for row in images[:4]] == [0, 16, 32, 34]
    assert images[12, 0, :, 0].tolist() == list(range(16))
    assert set(images[13:, 0, 0, 0].tolist()) == {0, 15}
    assert (masks[:12].sum(), masks[12:].sum()) == (tiles_by_hand(), 0)


def tiles_by_hand():
    mask = np.zeros((40, 50), int)
    mask[5:35, 5:30] = 1
    mask[36:40, 46:50] = 1
    return sum(
        mask[top : top + 16, left : left + 16].sum() for top in (0, 16, 24) for left in (0, 16, 32, 34)
    )
