"""Time of making an outline on a film a mask: by `skimage.draw.polygon`, and as FlexUNet does.

    python benchmarks/outlines.py            prints a table; masks must be equal

Outlines are rough circles, as readers draw them, on a film of 4096 x 3328 pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import skimage.draw

from flexunet.data.annotations.shapes import ANNOTATED, FilmAnnotation, Polygon

HEIGHT, WIDTH = 4096, 3328
REPEATS = 5


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


if __name__ == "__main__":
    main()
