"""Contact sheets and the overlays on them."""

import numpy as np

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.contact_sheet import contact_sheet, overlays, shrink_picture, spread
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask


def test_sheet_has_room_for_all():
    pictures = ((str(number), np.full((30, 20), 40 * number, np.uint8)) for number in range(1, 6))
    sheet = contact_sheet(pictures, columns=3, cell=32)
    assert sheet.shape == (2 * (32 + 16 + 4), 3 * (32 + 4), 3)
    # The first picture, 21 pixels wide, stands in the middle of its cell.
    assert (sheet[0:32, 6:26] == 40).all()
    assert (sheet[10, 2] == 24).all()


def test_no_more_pictures_are_read_than_shown():
    taken = []

    def pictures():
        for number in range(100):
            taken.append(number)
            yield str(number), np.zeros((4, 4), np.uint8)

    contact_sheet(pictures(), columns=2, cell=16, rows=2)
    assert len(taken) <= 5


def test_empty_sheet_is_a_picture():
    assert contact_sheet([], cell=32).shape[2] == 3


def test_spread_takes_both_ends():
    assert spread(3, 10) == [0, 1, 2]
    assert spread(100, 3) == [0, 50, 99]
    assert spread(0, 5) == []


def test_shrinking_keeps_proportions():
    assert shrink_picture(np.zeros((100, 50, 3), np.uint16), 40).shape == (40, 20, 3)
    assert shrink_picture(np.full((10, 10), 65535, np.uint16), 5).max() == 255


def test_small_lesion_has_an_outline_on_the_sheet(tmp_path):
    image, mask = np.full((400, 400), 90, np.uint8), np.zeros((400, 400), np.uint8)
    mask[200:216, 200:216] = 1
    write_image(tmp_path / "i.png", image)
    write_mask(tmp_path / "m.png", mask, ColorMap.binary())
    files = [("a", tmp_path / "i.png", tmp_path / "m.png"), ("b", tmp_path / "i.png", None)]
    (_, with_mask), (_, bare) = overlays(files, MaskReader(), cell=100)
    assert with_mask.shape == (100, 100, 3)
    assert (with_mask[50, 48:56] == (230, 159, 0)).all(axis=-1).any()
    assert (bare == 90).all()


def test_titles_keep_their_letters_without_accents():
    def title(text):
        return contact_sheet([(text, np.zeros((32, 32), np.uint8))], cell=64)[64:]

    assert (title("Müller") == title("Muller")).all()
    assert (title("Müller") != title("M.ller")).any()
    assert (title("a very long name_L_MLO") == title("..._L_MLO")).all()
