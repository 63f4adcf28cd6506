"""How often pictures are rightly and wrongly named as unlike the training images.

    python benchmarks/unlike_training.py --data ../shared/data      # folders with images/ below

Of each data set, every second of up to 40 images trains; the other half, the other sets, the same half
turned and inverted, photographs that scikit-image ships, blanks and noise are then looked at. A row counts
how many of each are named. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import skimage.data

from flexunet.data.images.appearance import Appearance, unlike_training
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.pixels import resize_image

SIDE = 512
MOST = 40
SHIPPED = (
    *("astronaut", "camera", "chelsea", "coffee", "rocket", "text", "page"),
    *("coins", "brick", "grass", "gravel", "moon", "clock", "horse"),
)


def load(folder: Path) -> list[np.ndarray]:
    """Up to MOST images of a folder, evenly chosen."""
    files = list_images(folder)
    chosen = np.linspace(0, len(files) - 1, min(MOST, len(files))).astype(int)
    return [read_image(files[place], 3) for place in chosen]


def photographs() -> list[np.ndarray]:
    """Pictures that come with scikit-image itself, uint8 `(H, W, 3)`."""
    pictures = []
    for name in SHIPPED:
        try:
            picture = getattr(skimage.data, name)()
        except Exception as error:  # not in the package: it would be downloaded
            print(f"without {name}: {type(error).__name__}")
            continue
        picture = picture.astype(np.uint8) * 255 if picture.dtype == bool else picture
        pictures.append(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2))
    return pictures


def main() -> None:
    """Measure and print a row for each training set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    folders = sorted(parser.parse_args().data.glob("*/images"))
    sets = {folder.parent.name: load(folder) for folder in folders}
    grey = [np.repeat(photo.mean(axis=2).astype(np.uint8)[..., None], 3, axis=2) for photo in photographs()]
    others = {
        "photographs": photographs(),
        "the same in grey": grey,
        "blank": [np.full((SIDE, SIDE, 3), level, np.uint8) for level in (0, 60, 128, 255)],
        "noise": list(np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)),
    }
    for name, images in sets.items():
        training, held = images[::2], images[1::2]
        looks = [(resize_image(image, SIDE, SIDE), image.shape[1] / image.shape[0]) for image in training]
        appearance = Appearance.of_training(looks, (SIDE, SIDE))
        if appearance is None:
            print(f"{name}: {len(training)} images are too few")
            continue
        top = [np.iinfo(image.dtype).max for image in held]
        looked = {
            "its other half": held,
            "turned by 90 degrees": [np.ascontiguousarray(np.rot90(image)) for image in held],
            "turned by 180 degrees": [np.ascontiguousarray(image[::-1, ::-1]) for image in held],
            "inverted": [most - image for most, image in zip(top, held, strict=True)],
            **others,
            **{f"set {other}": sets[other] for other in sets if other != name},
        }
        told = [
            f"{what} {sum(bool(unlike_training(image, appearance)) for image in pictures)}/{len(pictures)}"
            for what, pictures in looked.items()
        ]
        print(f"{name} ({len(training)} images train): " + "; ".join(told))


if __name__ == "__main__":
    main()
