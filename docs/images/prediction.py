"""Draws prediction.jpg: film, truth and prediction of the tutorial's run, on the films themselves.

    python docs/images/prediction.py FOLDER

FOLDER is where the commands of docs/tutorial.md were run. Of the test images with a lesion it takes the
one of median Dice, and the worst, so that the picture says no more than the scores.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.contact_sheet import contact_sheet
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.overlay import draw_overlay

CELL = 300


def rows_of(path):
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def panels(folder, row, said, dice):
    """Film, truth and prediction around the breast, with a title each."""
    name = Path(row["file"]).stem
    colors = ColorMap.binary()
    film = read_image(folder / "raw" / row["raw_file"], channels=1)[..., 0]
    truth = read_mask(folder / "raw_masks" / f"{name}.png", colors)
    prediction = read_mask(folder / "masks_film" / f"{name}.png", colors)
    x, y, width, height = (int(row[f"crop_{each}"]) for each in ("x", "y", "width", "height"))
    box = np.s_[max(0, y) : y + height, max(0, x) : x + width]
    thick = max(1, width // 160)
    return [
        (f"film ({said})", film[box]),
        ("truth", draw_overlay(film[box], truth[box], thickness=thick)),
        (f"prediction, Dice {dice:.2f}", draw_overlay(film[box], prediction[box], thickness=thick)),
    ]


def picture(folder):
    """The whole picture, uint8 array `(H, W, 3)`."""
    crops = {Path(row["file"]).stem: row for row in rows_of(folder / "derived/manifest.csv")}
    scored = [
        (float(row["dice_per_image"]), row["image"])
        for row in rows_of(folder / "split_run/evaluation/per_image.csv")
        if int(crops[row["image"]]["lesions"])
    ]
    scored.sort()
    drawn = []
    for said, (dice, name) in (("median", scored[len(scored) // 2]), ("worst", scored[0])):
        drawn += panels(folder, crops[name], said, dice)
    return contact_sheet(drawn, columns=3, cell=CELL)


if __name__ == "__main__":
    write_image(Path(__file__).with_suffix(".jpg"), picture(Path(sys.argv[1])), quality=85)
