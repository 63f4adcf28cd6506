"""Synthetic downloads: small films, and what a run of derive makes of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from flexunet.data.collections.download import Download
from flexunet.data.collections.registry import open_collection
from flexunet.data.derive.collection_masks import CollectionMasks, raw_films
from flexunet.data.derive.film import DeriveSettings
from flexunet.data.derive.run import derive
from flexunet.data.images.files.write import write_image


def breast(height=200, width=160, side="L", dtype=np.uint8, value=150):
    """A half disc at the chest wall, brighter to its middle, on black."""
    rows, columns = np.mgrid[:height, :width]
    across = columns if side == "L" else width - 1 - columns
    inside = (across / (0.8 * width)) ** 2 + ((rows - height / 2) / (0.45 * height)) ** 2 < 1
    texture = (rows * 7 + columns * 13) % 23
    return np.where(inside, value + texture, 0).astype(dtype)


def box_mask(height, width, top, left, size=20, white=255):
    """A square lesion."""
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + size, left : left + size] = white
    return mask


def picture(path, pixels):
    """Write a picture, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels if pixels.ndim == 3 else pixels[..., None])
    return path


def read(root, name="auto"):
    """The row of the data set, and what lies in the download."""
    download = Download.open(root)
    collection = open_collection(download, name)
    return collection, collection.read(download)


def by_name(contents):
    return {film.name: film for film in contents.films}


def derived(root, out, name="auto", **options):
    """Derive a download, and give the rows of the journal by name of the film."""
    collection, contents = read(root, name)
    films = raw_films(Download.open(root), contents)
    own = {film.file: each for film, each in zip(films, contents.films, strict=True)}
    report = derive(
        root,
        out,
        settings=DeriveSettings(64, 64, clear=False, whole=collection.whole),
        masks=CollectionMasks(own, collection, **options),
        films=films,
        columns={file: dict(each.annotation.columns) for file, each in own.items()},
        jobs=1,
    )
    return {row["source"]: row for row in report.rows}, report


@pytest.fixture(scope="session")
def make():
    """What builds downloads and reads them."""
    return SimpleNamespace(
        breast=breast, mask=box_mask, picture=picture, read=read, by_name=by_name, derived=derived
    )


@pytest.fixture(scope="session")
def formats(mammograms):
    """Samples of downloads, cut from real ones."""
    return mammograms / "formats"
