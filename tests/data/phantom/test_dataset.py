"""Data sets of phantoms: published layout, split by patient, repeatable."""

import numpy as np
import pytest

from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.dataset.manifest import Manifest, sha256_of
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.read import read_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.phantom.dataset import plan_films, write_phantom_dataset, write_raw_phantoms
from flexunet.errors import DatasetError, PathError

HALVES = {"train": 0.5, "valid": 0.25, "test": 0.25}


def test_data_set_has_the_published_layout_and_no_patient_twice(tmp_path):
    manifest = write_phantom_dataset(tmp_path, 4, splits=HALVES, width=64, height=64)
    folder = DatasetFolder(tmp_path)
    assert folder.splits == ["train", "valid", "test"]
    pairs = {split: folder.pairs(split) for split in folder.splits}
    assert {split: len(found) for split, found in pairs.items()} == {"train": 8, "valid": 4, "test": 4}
    patients = [{pair.patient for pair in found} for found in pairs.values()]
    assert set.intersection(*patients) == set()
    assert set.union(*patients) == {"P001", "P002", "P003", "P004"}

    read = Manifest.read(tmp_path)
    assert read is not None
    assert read.rows == manifest.rows
    for row in read.rows:
        assert row["sha256"] == sha256_of(tmp_path / row["file"])
        mask = read_mask(tmp_path / row["mask"], ColorMap.binary())
        assert row["class"] == ("Cancer" if mask.any() else "Non-Cancer")
        assert row["file"].endswith(f"{row['patient']}_{row['side']}_{row['view']}.png")


def test_same_seed_writes_the_same_files(tmp_path):
    one = write_phantom_dataset(tmp_path / "a", 3, width=48, height=48)
    two = write_phantom_dataset(tmp_path / "b", 3, width=48, height=48)
    other = write_phantom_dataset(tmp_path / "c", 3, width=48, height=48, seed=1)
    assert [row["sha256"] for row in one.rows] == [row["sha256"] for row in two.rows]
    assert [row["sha256"] for row in one.rows] != [row["sha256"] for row in other.rows]


@pytest.mark.parametrize("write", [write_phantom_dataset, write_raw_phantoms])
def test_two_processes_write_the_same_files(tmp_path, write):
    for jobs in (1, 2):
        write(tmp_path / f"{jobs}" / "films", 3, width=64, height=48, views=["CC"], jobs=jobs)
    one, two = (
        {
            path.relative_to(tmp_path / jobs): path.read_bytes()
            for path in (tmp_path / jobs).rglob("*")
            if path.is_file()
        }
        for jobs in ("1", "2")
    )
    assert one == two
    assert len(one) == 2 * 6 + 1


def test_views_of_a_breast_hold_the_same_masses():
    films = plan_films(6, seed=3)
    by_breast: dict[tuple[str, str], set[tuple]] = {}
    for film in films:
        by_breast.setdefault((film.patient, film.side), set()).add(film.masses)
    assert len(by_breast) == 12
    assert all(len(masses) == 1 for masses in by_breast.values())
    assert len({film.seed for film in films}) == len(films)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_share_of_breasts_with_a_mass(share):
    films = plan_films(50, seed=9, mass_share=share, views=["CC"])
    assert np.mean([bool(film.masses) for film in films]) == pytest.approx(share, abs=0.03)


def test_existing_data_set_is_left_alone(tmp_path):
    write_phantom_dataset(tmp_path, 3, width=48, height=48, views=["CC"])
    with pytest.raises(PathError, match=r"already holds manifest\.csv, train, valid, test"):
        write_phantom_dataset(tmp_path, 3, width=48, height=48)


def test_too_few_patients_for_the_splits(tmp_path):
    with pytest.raises(DatasetError, match="2 patients cannot fill 3 splits"):
        write_phantom_dataset(tmp_path, 2)


def test_raw_films_are_full_hd_jpegs_with_true_masks_aside(tmp_path):
    rows = write_raw_phantoms(tmp_path / "raw", 2, views=["MLO"]).rows
    assert {row["class"] for row in rows} <= {"Cancer", "Non-Cancer"}
    for row in rows:
        image = read_image(tmp_path / "raw" / row["file"], channels=None)
        mask = read_mask(tmp_path / "raw_masks" / row["mask"], ColorMap.binary())
        assert image.shape == (1080, 1920, 3)
        assert mask.shape == (1080, 1920)
        assert row["file"].startswith("Cancer/" if mask.any() else "Non-Cancer/")
        assert image[:, :100].max() < 12, "the side borders are black"
