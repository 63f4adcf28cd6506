"""The page of the chosen images: how their masks change epoch by epoch, beside the curves.

<folder>/index.html: one self-contained file, written anew after every epoch; nothing in it depends on the
clock, so a run that was stopped and goes on writes the same page.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup
from PIL import Image

from flexunet.curves import SMALL, curve_chart, curve_names
from flexunet.data.images.masks.indices import foreground_classes
from flexunet.data.images.overlay import OUTLINE_COLORS
from flexunet.data.images.reader import ImageReader
from flexunet.data.images.regions import find_regions
from flexunet.files import templates_of, write_text
from flexunet.inference.folder import epoch_mask_path
from flexunet.inference.inputs import mask_names
from flexunet.training.follow.epoch_pictures import page_image, page_mask, read_epoch_mask

PAGE = "index.html"
_STRIP = 16  # epochs shown side by side
_FILL, _LINE = 70, 255  # opacity of a region and of its outline, of 255
_ZOOM = 4.0


@dataclass(frozen=True)
class EpochMask:
    """The mask of one image after one epoch.

    Attributes:
        picture: Its regions and outlines on nothing, as a `data:` address.
        pixels: Pixels above background.
        share: The same as a share of the image.
        regions: Connected regions.
        agreement: Dice with the mask of the epoch before; none where there is none, or both are empty.
    """

    picture: str
    pixels: int
    share: float
    regions: int
    agreement: float | None


@dataclass(frozen=True)
class _Card:
    name: str
    picture: str
    width: int
    height: int
    masks: list[EpochMask | None]
    zoom: float
    middle: tuple[float, float]


class Gallery:
    """Writes the page.

    Args:
        folder: Folder of the epochs' masks, and of the page.
        images: The chosen images.
        title: What the page is of.
        reader: Reads the images.
        class_names: Names of the classes above background; `class 1` and so on where they are not told.
    """

    def __init__(
        self,
        folder: Path,
        images: Sequence[Path],
        title: str,
        reader: ImageReader = ImageReader(),
        class_names: Sequence[str] = (),
    ):
        self.folder = folder
        self.images = list(images)
        self.title = title
        self._names = mask_names(self.images)
        self._pictures = [_jpeg(page_image(path, reader)) for path in images]
        self._masks: list[list[EpochMask | None]] = [[] for _ in images]
        self._small: list[np.ndarray | None] = [None for _ in images]
        self._classes: set[int] = set()
        self._class_names = class_names

    def _name_of(self, value: int) -> str:
        return self._class_names[value - 1] if value <= len(self._class_names) else f"class {value}"

    def write(self, figures: dict[str, list[float]], best_epoch: int | None, planned: int) -> Path:
        """Write the page of the epochs so far; their masks lie in the folder.

        Args:
            figures: Figures of the epochs, by their names.
            best_epoch: The best epoch, counted from 1.
            planned: Epochs that the run may take.
        """
        epochs = len(figures["loss"])
        for epoch in range(len(self._masks[0]) + 1, epochs + 1):
            for place, image in enumerate(self.images):
                self._add(place, epoch_mask_path(self.folder, epoch, self._names[image]))
        cards = [self._card(place) for place in range(len(self.images))]
        environment = templates_of("flexunet.training.follow")
        shown = best_epoch or epochs
        # Classes that no mask has yet are named too: else a single one would be drawn without a name.
        classes = sorted(self._classes | set(range(1, len(self._class_names) + 1)))
        page = environment.get_template("gallery.html.jinja").render(
            title=self.title,
            epochs=epochs,
            planned=planned,
            best=best_epoch,
            shown=shown,
            strip=strip_epochs(epochs, best_epoch),
            cards=cards,
            classes=[(self._name_of(value), _color_of(value)) for value in classes],
            charts=[(name, _drawn_curve(name, figures, best_epoch)) for name in curve_names(figures)],
            told={
                "masks": [[mask and asdict(mask) for mask in card.masks] for card in cards],
                "figures": [figures_of(figures, epoch) for epoch in range(1, epochs + 1)],
                "rows": [
                    (name, name, f"val_{name}" if f"val_{name}" in figures else None)
                    for name in curve_names(figures)
                ],
                "best": best_epoch,
                "shown": shown,
            },
        )
        write_text(self.folder / PAGE, page)
        return self.folder / PAGE

    def _add(self, place: int, path: Path) -> None:
        """Take in the mask of the next epoch of an image; none where its file is missing."""
        mask = read_epoch_mask(path)
        if mask is None:
            self._masks[place].append(None)
            self._small[place] = None
            return
        small = page_mask(mask)
        before, self._small[place] = self._small[place], small
        pixels = int(np.count_nonzero(mask))
        self._classes.update(foreground_classes(mask))
        self._masks[place].append(
            EpochMask(
                outlined(small),
                pixels,
                pixels / mask.size,
                len(find_regions(mask > 0)),
                None if before is None else _dice(before, small),
            )
        )

    def _card(self, place: int) -> _Card:
        encoded, width, height = self._pictures[place]
        zoom, middle = _close_up(self._small[place])
        return _Card(self.images[place].name, encoded, width, height, self._masks[place], zoom, middle)


def strip_epochs(epochs: int, best_epoch: int | None, most: int = _STRIP) -> list[int]:
    """The epochs that stand side by side: all of them, or some evenly spread with first, best and last."""
    if epochs <= most:
        return list(range(1, epochs + 1))
    chosen = {int(epoch) for epoch in np.linspace(1, epochs, most).round()}
    return sorted(chosen | ({best_epoch} if best_epoch else set()))


def outlined(mask: np.ndarray) -> str:
    """Regions and outlines of a mask on a clear ground, as a `data:` address of a palette PNG.

    Args:
        mask: Class indices, uint8 `(H, W)`.
    """
    drawn = np.zeros(mask.shape, np.uint8)
    palette, opacity = [(0, 0, 0)], [0]
    for value in foreground_classes(mask):
        area = (mask == value).view(np.uint8)
        inner = cv2.erode(area, np.ones((3, 3), np.uint8), iterations=2, borderValue=0)
        drawn[area > 0] = len(palette)
        drawn[area > inner] = len(palette) + 1
        color = _color_of(value)
        palette += [color, color]
        opacity += [_FILL, _LINE]
    picture = Image.fromarray(drawn)
    picture.putpalette(np.array(palette, np.uint8).ravel().tolist())
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True, transparency=bytes(opacity))
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _color_of(value: int) -> tuple[int, int, int]:
    """Colour of a class above background; more classes than colours start over."""
    red, green, blue = OUTLINE_COLORS[1 + (value - 1) % (len(OUTLINE_COLORS) - 1)].tolist()
    return red, green, blue


def _drawn_curve(name: str, figures: dict[str, list[float]], best_epoch: int | None) -> Markup:
    """A curve, the best epoch marked, and a line that the page moves to the epoch that it shows."""
    chart = curve_chart(name, figures, SMALL, labelled=False)
    if chart is None:
        return Markup("")
    if best_epoch:
        chart.mark(best_epoch, dash="2 3")
    chart.cursor(1)
    epochs = len(figures[name])
    return chart.svg(left=SMALL.left, step=(chart.x(epochs) - SMALL.left) / max(1, epochs - 1))


def _jpeg(picture: np.ndarray) -> tuple[str, int, int]:
    """A picture as a `data:` address, its width and its height."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    address = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return address, picture.shape[1], picture.shape[0]


def _dice(first: np.ndarray, second: np.ndarray) -> float | None:
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * float(np.count_nonzero((first > 0) & (second > 0))) / both if both else None


def _close_up(mask: np.ndarray | None) -> tuple[float, tuple[float, float]]:
    """How far to zoom in, and on what point (shares of width and height): the largest region."""
    if mask is None or not mask.any():
        return 1.0, (0.5, 0.5)
    regions = find_regions(mask > 0)
    side = regions.boxes[regions.largest, 2:].max()
    zoom = min(_ZOOM, max(1.0, 0.4 * max(mask.shape) / side))
    y, x = regions.centres[regions.largest]
    return round(zoom, 2), (round(x / mask.shape[1], 3), round(y / mask.shape[0], 3))


def figures_of(figures: dict[str, list[float]], epoch: int) -> dict[str, float | None]:
    """The figures of one epoch (counted from 1), ready for JSON: none where one is not a finite number."""
    values = {name: curve[epoch - 1] for name, curve in figures.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
