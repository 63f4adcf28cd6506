"""Predict a folder of images: masks and overlays under the published names, at each image's own size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import color_map
from flexunet.data.images import list_images, read_image, write_image
from flexunet.data.masks import write_mask
from flexunet.data.overlay import draw_overlay
from flexunet.errors import FlexUNetError
from flexunet.inference.predictor import Predictor, mask_of

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Progress = Callable[[int, int], None]


@dataclass
class FolderResult:
    """What a folder of images came to."""

    output_dir: Path
    overlay_dir: Path
    mask_paths: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    foreground_pixels: dict[Path, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {
            "output_dir": str(self.output_dir),
            "overlay_dir": str(self.overlay_dir),
            "masks": [str(path) for path in self.mask_paths],
            "foreground_pixels": {str(path): count for path, count in self.foreground_pixels.items()},
            "failures": {str(path): message for path, message in self.failures.items()},
        }


def mask_names(images: Iterable[Path]) -> dict[Path, str]:
    """The file name of each image's mask: the image's, as PNG.

    Where two images share a stem (`a.jpg`, `a.bmp`) the published system wrote one mask over the other; here
    all but the one that sorts first carry their ending too (`a.jpg.png`).
    """
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in sorted(images):
        name = f"{path.stem}.png" if path.stem not in taken else f"{path.name}.png"
        taken.add(path.stem)
        names[path] = name
    return names


def infer_folder(
    config: Config,
    *,
    tiled: bool = False,
    predictor: Predictor | None = None,
    progress: Progress | None = None,
) -> FolderResult:
    """Predict every image of `[infer] images_dir`, or of `[tiledinfer] images_dir` tile by tile.

    Reading, predicting and writing overlap. An image that cannot be read is recorded and the rest goes on.

    Args:
        config: The configuration of a trained run.
        tiled: Whether to predict in tiles at the image's own resolution.
        predictor: The model, where it is already at hand.
        progress: Called with (images done, images in all).

    Raises:
        ConfigError: if no folder is configured.
        PathError: if the folder is missing or empty, or the run has no model.
    """
    section_name = "tiledinfer" if tiled else "infer"
    section = config.tiledinfer if tiled else config.infer
    images = list_images(config.input_folder(section_name, "images_dir"))
    output_dir = config.output(section.output_dir)
    overlay_dir = output_dir.with_name(output_dir.name + "_overlay") if tiled else config.overlay_dir
    names = mask_names(images)
    colors = color_map(config)
    predictor = predictor or Predictor.load(config)
    predict = predictor.predict_tiled if tiled else predictor.__call__
    result = FolderResult(output_dir, overlay_dir)

    def write(path: Path, image: np.ndarray, mask: np.ndarray) -> None:
        write_mask(output_dir / names[path], mask, colors)
        write_image(overlay_dir / names[path], draw_overlay(image, mask))

    with ThreadPoolExecutor(2) as pool:
        writing: list[tuple[Path, Future[None]]] = []
        for done, (path, reading) in enumerate(_read_ahead(pool, images), start=1):
            try:
                image = reading.result()
                mask = mask_of(predict(image))
            except FlexUNetError as error:
                result.failures[path] = str(error)
            else:
                result.foreground_pixels[path] = int(np.count_nonzero(mask))
                writing.append((path, pool.submit(write, path, image, mask)))
            if progress:
                progress(done, len(images))
        for path, written in writing:
            written.result()
            result.mask_paths.append(output_dir / names[path])
    return result


def _read_ahead(
    pool: ThreadPoolExecutor, paths: list[Path], depth: int = 4
) -> Iterator[tuple[Path, Future[np.ndarray]]]:
    """Images on their way in, a few ahead of the model, so that memory does not grow with the folder."""
    waiting: list[tuple[Path, Future[np.ndarray]]] = []
    for path in paths:
        waiting.append((path, pool.submit(read_image, path, 3)))
        if len(waiting) > depth:
            yield waiting.pop(0)
    yield from waiting


def write_epoch_predictions(
    predictor: Predictor, images: list[Path], output_dir: Path, epoch: int, *, tiled: bool = False
) -> None:
    """Write the masks of chosen images after an epoch, as `Epoch_3_NAME.png` (epochs count from 1)."""
    colors = color_map(predictor.config)
    predict = predictor.predict_tiled if tiled else predictor.__call__
    for path, name in mask_names(images).items():
        write_mask(output_dir / f"Epoch_{epoch}_{name}", mask_of(predict(read_image(path, 3))), colors)
