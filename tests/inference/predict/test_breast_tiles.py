"""Tiles of air are left out of mammograms, and of nothing else."""

import numpy as np
import pytest

from flexunet.data.derive.breast import find_breast
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.inference.predict.breast_tiles import tiles_of_breast
from flexunet.inference.predict.tiling import Grid


def film(height=400, width=300, side="L"):
    """A half disc of tissue at the left edge, in dark air."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - height / 2) / (height * 0.35)) ** 2 + (columns / (width * 0.4)) ** 2 < 1
    image = np.where(inside, 160, 6).astype(np.uint8)
    return image[:, ::-1] if side == "R" else image


@pytest.mark.parametrize("side", ["L", "R"])
def test_air_is_left_out_and_every_pixel_of_tissue_kept(side):
    image = film(side=side)[..., np.newaxis]
    grid = Grid.over(*image.shape[:2], 64, 16)
    chosen = tiles_of_breast(image, grid)
    assert not chosen.all()
    covered = np.zeros(image.shape[:2], bool)
    for row, column in np.argwhere(chosen).tolist():
        covered[grid.box(row, column)] = True
    assert covered[image[..., 0] > 100].all()
    far = slice(None, 2) if side == "R" else slice(-2, None)
    assert not chosen[:, far].any()


def test_a_bright_structure_beside_the_largest_keeps_its_tiles():
    image = film()
    image[150:250, 220:290] = 200
    grid = Grid.over(*image.shape, 64, 16)
    assert tiles_of_breast(image, grid)[:, -1].any()
    label = film()
    label[20:30, 270:295] = 255
    assert not tiles_of_breast(label, grid)[:, -1].any()


@pytest.mark.parametrize("grey", [0, 128])
def test_all_tiles_are_kept_where_there_is_no_breast(grey):
    image = np.full((200, 200, 3), grey, np.uint8)
    assert tiles_of_breast(image, Grid.over(200, 200, 64, 16)).all()


def test_real_films_lose_air_alone(mammograms):
    for path in list_images(mammograms / "csaw_s_fullsize" / "images")[:2]:
        image = read_image(path, 1)
        grid = Grid.over(*image.shape[:2], 512, 64)
        chosen = tiles_of_breast(image, grid)
        assert 0.2 < chosen.mean() < 0.9
        breast = find_breast(image)
        covered = np.zeros(image.shape[:2], bool)
        for row, column in np.argwhere(chosen).tolist():
            covered[grid.box(row, column)] = True
        across, down = breast.scale
        rows, columns = np.nonzero(breast.outline)
        assert covered[(rows * down).astype(int), (columns * across).astype(int)].all()
