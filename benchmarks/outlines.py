"""Time of making an outline on a film a mask: by `skimage.draw.polygon`, and as FlexUNet does.

    python benchmarks/outlines.py            prints a table; masks must be equal
    python benchmarks/outlines.py derive     seconds of `derive --annotations`, and of `--masks none`

Outlines are rough circles, as readers draw them, on films of 4096 x 3328 pixels.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage.draw

from flexunet.data.annotations.read import read_annotations
from flexunet.data.annotations.shapes import ANNOTATED, FilmAnnotation, Polygon
from flexunet.data.derive.film_masks import AnnotatedMasks
from flexunet.data.derive.run import derive

HEIGHT, WIDTH = 4096, 3328
REPEATS = 5
FILMS, OUTLINES = 10, 14


def outline(radius: float, corners: int) -> np.ndarray:
    """Corners `(n, 2)`, x and y, of a rough circle in the middle of the film."""
    random = np.random.default_rng(corners)
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    waves = sum(np.sin(count * turns + random.uniform(0, 6)) / count for count in range(2, 9))
    reach = radius * (1 + 0.1 * waves + random.normal(0, 0.2 / corners, corners))
    return np.stack([WIDTH / 2 + reach * np.cos(turns), HEIGHT / 2 + reach * np.sin(turns)], axis=1)


def by_skimage(points: np.ndarray) -> np.ndarray:
    """The mask, every pixel of the outline's box compared with every edge."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[skimage.draw.polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, mask.shape)] = 1
    return mask


def by_flexunet(points: np.ndarray) -> np.ndarray:
    """The mask as annotations are rasterised."""
    shape = Polygon(tuple((float(x), float(y)) for x, y in points))
    return FilmAnnotation(ANNOTATED, (shape,)).rasterise(WIDTH, HEIGHT)


def seconds(draw: Callable[[np.ndarray], np.ndarray], points: np.ndarray, repeats: int) -> float:
    """Shortest processor time of several."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        draw(points)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    print(f"film of {HEIGHT} x {WIDTH} pixels, processor seconds an outline\n")
    print("| radius | corners | skimage.draw.polygon | FlexUNet | masks |\n|---|---|---|---|---|")
    for radius, corners in ((100, 60), (400, 200), (800, 200), (800, 1000)):
        points = outline(radius, corners)
        equal = np.array_equal(by_skimage(points), by_flexunet(points))
        before, after = seconds(by_skimage, points, 1), seconds(by_flexunet, points, REPEATS)
        print(f"| {radius} | {corners} | {before:.3f} | {after:.4f} | {'equal' if equal else 'DIFFER'} |")


def time_derive() -> None:
    """Print the processor seconds of `derive` for ten films with and without outlines, in one process."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    away = np.hypot(columns / 2400, (rows - HEIGHT / 2) / 1800)
    breast = np.where(away < 1, 3000 + 30000 * (1 - away), 200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "films").mkdir()
        lines = []
        for film in range(FILMS):
            grey = (breast + random.normal(0, 50, breast.shape)).clip(0, 65535).astype(np.uint16)
            cv2.imwrite(str(folder / "films" / f"film{film}.png"), grey)
            for _ in range(OUTLINES):
                corners = outline(random.uniform(100, 800), int(random.integers(60, 1000))) - [600, 0]
                lines.append([f"film{film}", " ".join(f"{value:.2f}" for value in corners.ravel())])
        with (folder / "outlines.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["image", "points"], *lines])
        spent = {}
        for kind in ("none", "annotations"):
            start = time.process_time()
            known = AnnotatedMasks(read_annotations(folder / "outlines.csv"))
            masks = known if kind == "annotations" else None
            derive(folder / "films", folder / kind, masks=masks, jobs=1)
            spent[kind] = time.process_time() - start
    count = FILMS * OUTLINES
    share = (spent["annotations"] - spent["none"]) / count
    print(
        f"{FILMS} films, {count} outlines: {spent['annotations']:.1f} s with, {spent['none']:.1f} s without"
    )
    print(f"{share:.4f} s an outline, its share of the mask's file and measures included")


if __name__ == "__main__":
    time_derive() if sys.argv[1:] == ["derive"] else main()
