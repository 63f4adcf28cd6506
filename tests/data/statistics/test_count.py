"""Statistics: counted by hand, on data sets with and without a manifest."""

import json
import re

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.data.statistics.charts import _counts, _lesions
from flexunet.data.statistics.count import grey_levels, measure_dataset, quantiles
from flexunet.data.statistics.write import write_statistics
from flexunet.errors import PathError

TISSUE = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1, (255, 255, 255): 2})


def write_pair(root, split, name, mask, level, color_map=None):
    folder = root / split if split else root
    write_image(folder / "images" / f"{name}.png", np.full(mask.shape, level, np.uint8))
    write_mask(folder / "masks" / f"{name}.png", mask, color_map or ColorMap.binary())


@pytest.fixture
def dataset(tmp_path):
    mask = np.zeros((10, 20), np.uint8)
    write_pair(tmp_path, "train", "1", mask, 10)
    mask[1:3, 1:3] = mask[3, 3] = 1  # one lesion of 5 pixels: corners touch
    mask[7:9, 10:15] = 1  # one of 10
    write_pair(tmp_path, "train", "2", mask, 100)
    write_pair(tmp_path, "train", "hflipped_2", mask[:, ::-1], 100)
    write_pair(tmp_path, "test", "3", mask, 200)
    return tmp_path


def test_counts_by_hand(dataset):
    statistics = measure_dataset(dataset)
    assert statistics.splits == ["train", "test"]
    train = statistics.summary()["splits"]["train"]
    assert train["images"] == 3
    assert train["originals"] == 2
    assert (train["sources"], train["patients"], train["images_of_unknown_patients"]) == (2, 0, 3)
    assert train["operations"] == {"hflip": 1}
    assert train["images_with_lesion"] == 2
    assert train["images_with_empty_mask"] == 1
    assert train["lesions"] == 4
    assert train["lesion_area_pixels"]["min"] == 5
    assert train["lesion_area_pixels"]["max"] == 10
    assert train["lesion_share_of_image"]["median"] == 15 / 200
    assert train["class_share_of_pixels"] == [round(1 - 30 / 600, 6), 30 / 600]
    assert train["grey"]["mean"] == pytest.approx((10 + 100 + 100) / 3, abs=1e-3)
    assert train["lesion_grey_mean"] == 100
    assert train["sizes"] == {"20x10": 3}
    assert statistics.notes == []


def test_manifest_tells_patient_and_class(tmp_path):
    write_phantom_dataset(tmp_path, 3, width=48, height=48, views=["CC"])
    figures = measure_dataset(tmp_path).summary()["splits"]
    assert sum(split["patients"] for split in figures.values()) == 3
    assert sum(split["images"] for split in figures.values()) == 6
    folders = [split["class_folders"] for split in figures.values()]
    assert sum(sum(counts.values()) for counts in folders) == 6


def test_other_colours_and_a_flat_folder(tmp_path):
    mask = np.zeros((4, 4), np.uint8)
    mask[:2], mask[3] = 1, 2
    write_pair(tmp_path, "", "a", mask, 50, TISSUE)
    figures = measure_dataset(tmp_path, MaskReader(TISSUE)).summary()["splits"]["all"]
    assert figures["class_share_of_pixels"] == [0.25, 0.5, 0.25]
    assert figures["lesions"] == 2


def test_oddities_are_noted_and_the_rest_is_counted(dataset):
    write_image(dataset / "train" / "images" / "lonely.png", np.zeros((10, 20), np.uint8))
    write_pair(dataset, "train", "broken", np.zeros((10, 20), np.uint8), 5)
    (dataset / "train" / "images" / "broken.png").write_bytes(b"")
    write_pair(dataset, "train", "crooked", np.zeros((5, 5), np.uint8), 5)
    write_image(dataset / "train" / "images" / "crooked.png", np.zeros((10, 20), np.uint8))
    statistics = measure_dataset(dataset)
    train = statistics.summary()["splits"]["train"]
    assert (train["images"], train["without_mask"], train["unreadable"]) == (6, 1, 2)
    assert train["lesions"] == 4
    notes = "\n".join(statistics.notes)
    assert "lonely.png" in notes
    assert "broken.png is empty" in notes
    assert re.search(r"5 x 5 pixels, its image \S*crooked\.png has 20 x 10", notes)


def test_no_data_set(tmp_path):
    with pytest.raises(PathError, match="is no data set"):
        measure_dataset(tmp_path)


def test_charts_and_sheets(dataset, tmp_path):
    statistics = measure_dataset(dataset)
    written = write_statistics(statistics, tmp_path / "out")
    assert [path.name for path in written] == [
        "statistics.json",
        "counts.png",
        "lesions.png",
        "intensity.png",
        "train_images.png",
        "train_masks.png",
        "train_overlays.png",
        "test_images.png",
        "test_masks.png",
        "test_overlays.png",
    ]
    assert json.loads(written[0].read_text())["splits"]["train"]["images"] == 3
    for path in written[1:]:
        assert read_image(path).std() > 1


def test_charts_of_a_data_set_without_lesions(tmp_path):
    write_pair(tmp_path, "", "a", np.zeros((8, 8), np.uint8), 0)
    write_image(tmp_path / "images" / "b.png", np.zeros((8, 8), np.uint8))
    assert len(write_statistics(measure_dataset(tmp_path), tmp_path / "out")) == 7


def test_figures_of_nothing():
    assert quantiles([]) is None
    assert grey_levels(np.zeros(256)) is None


def test_grey_levels_by_hand():
    histogram = np.zeros(256)
    histogram[[0, 100, 200]] = 50, 25, 25
    figures = grey_levels(histogram)
    assert figures == {
        "mean": 75.0,
        "std": round(float(np.std([0, 0, 100, 200])), 3),
        "q50": 0.0,
        "q90": 200.0,
        "q99": 200.0,
        "black": 0.5,
    }


def test_an_image_without_a_mask_is_not_drawn_as_one_without_a_lesion(tmp_path):
    mask = np.zeros((10, 20), np.uint8)
    write_pair(tmp_path, "", "healthy", mask, 10)
    mask[2:6, 2:6] = 1
    write_pair(tmp_path, "", "sick", mask, 10)
    for name in ("1", "2"):
        write_image(tmp_path / "images" / f"unknown{name}.png", np.full((10, 20), 10, np.uint8))
    (axes,) = _counts(measure_dataset(tmp_path)).axes
    heights = {bars.get_label(): bars[0].get_height() for bars in axes.containers}
    assert heights == {"with a lesion": 1, "without": 1, "no readable mask": 2}


def test_lesions_of_one_size_are_no_spread(tmp_path):
    mask = np.zeros((100, 100), np.uint8)
    mask[:10, :10] = 1  # 1 %
    write_pair(tmp_path, "", "only", mask, 10)
    figure = _lesions(measure_dataset(tmp_path))
    low, high = figure.axes[0].get_xlim()
    assert low < 1 / 1.4
    assert high > 1.4
    assert not figure.legends  # one group needs no key
