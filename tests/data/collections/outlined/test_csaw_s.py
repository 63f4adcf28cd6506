"""CSAW-S: a mask file a class, and patients whose numbers begin again."""

import numpy as np
import pytest

from flexunet.data.annotations.shapes import ANNOTATED, UNMARKED
from flexunet.data.collections.collection import NO_FILM, NO_OUTLINE
from flexunet.data.collections.download import Download
from flexunet.data.collections.drawing import draw_mask
from flexunet.errors import ConfigError


@pytest.fixture
def download(tmp_path, make):
    root = tmp_path / "CsawS"

    def put(place, name, pixels):
        make.picture(root / place / name[:3] / f"{name}.png", pixels)

    put("anonymized_dataset", "004_0", make.breast())
    put("anonymized_dataset", "004_0_cancer", make.mask(200, 160, 90, 20, white=1))
    put("anonymized_dataset", "004_0_skin", make.mask(200, 160, 100, 20))
    put("anonymized_dataset", "004_1", make.breast())
    put("anonymized_dataset", "004_1_nipple", make.mask(200, 160, 100, 20))
    put("test_data/anonymized_dataset", "004_0", make.breast())
    for annotator, size in ((1, 10), (2, 30)):
        mask = make.mask(200, 160, 90, 20, size)
        put(f"test_data/annotator_{annotator}", "004_0_cancer", mask)
    return root


def test_films_of_both_parts_stay_apart(download, make, tmp_path):
    _, contents = make.read(download)
    films = make.by_name(contents)
    told = {name: (each.annotation.state, each.annotation.columns["patient"]) for name, each in films.items()}
    assert told == {
        "train-004_0": (ANNOTATED, "train-004"),
        "train-004_1": (UNMARKED, "train-004"),
        "test-004_0": (ANNOTATED, "test-004"),
    }
    assert films["test-004_0"].annotation.columns["official_split"] == "test"
    assert contents.gaps == {}
    rows, report = make.derived(download, tmp_path / "out")
    assert rows["train-004_0"]["raw_lesion_pixels"] == "400"
    assert rows["test-004_0"]["raw_lesion_pixels"] == "100"
    assert rows["train-004_1"]["state"] == "to_review"
    assert {row["patient"] for row in report.manifest.rows} == {"train-004", "test-004"}


def test_tissues_are_drawn_below_the_cancer_if_they_are_named(download, make):
    collection, contents = make.read(download)
    film = make.by_name(contents)["train-004_0"]
    drawn = draw_mask(film, collection, 160, 200, {"cancer": 1, "skin": 2})
    assert [np.count_nonzero(drawn == value) for value in (1, 2)] == [400, 200]
    assert contents.count(collection.tissues)["lesions"] == 2


@pytest.mark.parametrize(
    ("annotator", "pixels", "told"),
    [
        ("annotator_2", 900, "annotator_2"),
        ("union", 900, "annotator_1+annotator_2"),
        ("annotator_3", None, ""),
    ],
)
def test_another_annotator_or_all_together(download, make, annotator, pixels, told):
    collection, _ = make.read(download)
    films = make.by_name(collection.contents(Download.open(download), annotator))
    film = films["test-004_0"]
    assert film.annotation.columns.get("annotator", "") == told
    assert films["train-004_0"].annotation.columns["annotator"] == "annotator_1"
    if pixels is None:
        assert film.annotation.state == UNMARKED
    else:
        assert np.count_nonzero(draw_mask(film, collection, 160, 200)) == pixels
    with pytest.raises(ConfigError, match="annotator_2, annotator_3, union"):
        collection.contents(Download.open(download), "Dr. Smith")


def test_one_part_alone(download, make):
    _, contents = make.read(download / "test_data")
    assert [film.name for film in contents.films] == ["test-004_0"]


def test_what_is_missing_is_named(download, make):
    (download / "anonymized_dataset/004/004_0.png").unlink()
    (download / "test_data/annotator_1/004/004_0_cancer.png").unlink()
    _, contents = make.read(download)
    assert contents.gaps == {NO_OUTLINE: ["test-004_0"], NO_FILM: ["train-004_0"]}


def test_the_sample(formats, make, tmp_path):
    """Values of shared/data/formats/README.md."""
    for line in (formats / "csaw_s" / "folder_listing.txt").read_text().split():
        path = tmp_path / line
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"only its name counts here")
    _, contents = make.read(tmp_path)
    films = make.by_name(contents)
    of_four = {name: len(film.masks) for name, film in films.items() if name.startswith("train-004")}
    assert of_four == {"train-004_0": 8, "train-004_1": 7, "train-004_2": 7}
    cancers = [name for name, film in films.items() if "cancer" in {mask.label for mask in film.masks}]
    assert cancers == list(of_four)
    # The listing has the second reader alone; the first is the one that counts.
    assert contents.gaps[NO_OUTLINE] == ["test-011_1", "test-014_0", "test-026_0"]
