"""Finding the breast: side, outline, labels apart."""

import csv

import cv2
import numpy as np
import pytest

from flexunet.data.derive.breast import find_breast
from flexunet.data.images.files.read import read_image
from flexunet.data.phantom.draw import draw_phantom
from flexunet.errors import ImageError


def half_disc(height: int = 200, width: int = 150, radius: int = 60, value: int = 120) -> np.ndarray:
    film = np.zeros((height, width), np.uint8)
    cv2.circle(film, (0, height // 2), radius, value, -1)
    return film


def test_box_of_a_half_disc():
    breast = find_breast(half_disc())
    left, top, width, height = breast.box
    assert breast.side == "L"
    assert left == 0
    assert (top, width, height) == pytest.approx((40, 61, 121), abs=3)
    assert breast.background == 0


def test_mirrored_film_has_the_other_side():
    assert find_breast(half_disc()[:, ::-1]).side == "R"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_of_the_film_does_not_matter(dtype):
    film = half_disc().astype(dtype) * (1 if dtype == np.uint8 else 30)
    assert find_breast(film).box == find_breast(half_disc()).box


def test_label_and_bar_are_objects_and_not_kept():
    film = half_disc()
    cv2.putText(film, "LCC", (90, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    film[:, 130:134] = 200
    breast = find_breast(film)
    assert breast.box == find_breast(half_disc()).box
    assert breast.objects[20:40, 90:130].any()
    zone = cv2.resize(breast.zone(0.5), (150, 200), interpolation=cv2.INTER_NEAREST)
    assert not zone[film > 200].any(), "kept neither text nor bar, however wide the margin"
    assert zone[half_disc() > 0].all()


def test_thin_line_along_the_border_is_no_bridge_to_the_label():
    film = half_disc()
    film[0] = 255
    film[:8, 100:140] = 255
    film[:101, :20] = 120
    breast = find_breast(film)
    assert breast.box[0] + breast.box[2] < 70


@pytest.mark.parametrize("seed", range(8))
def test_phantoms_are_found_whole(seed):
    phantom = draw_phantom(seed, 300, 400)
    breast = find_breast(phantom.image)
    assert breast.side == phantom.side
    zone = cv2.resize(breast.zone(0.04), (300, 400), interpolation=cv2.INTER_NEAREST)
    assert (zone[phantom.breast > 0] > 0).mean() > 0.999
    # A scanner strip that touches the skin stays as far as the margin reaches; text lies farther away.
    assert (zone & phantom.burned).mean() < 0.01


def test_empty_film_is_refused():
    with pytest.raises(ImageError, match="one even grey"):
        find_breast(np.full((50, 50), 7, np.uint8))
    speck = np.zeros((300, 300), np.uint8)
    speck[10:14, 10:14] = 255
    with pytest.raises(ImageError, match="no breast found"):
        find_breast(speck)


def test_sides_of_real_films(mammograms):
    folder = mammograms / "mini_mias_512"
    with (folder / "annotations.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    rows = [row for row in rows if (folder / "images" / f"{row['image']}.png").exists()][::5]
    wrong = [
        row["image"]
        for row in rows
        if find_breast(read_image(folder / "images" / f"{row['image']}.png")).side != row["side"][0].upper()
    ]
    assert len(rows) > 40
    assert wrong in ([], ["mdb151"])  # a breast larger than its film: all four borders are tissue
