"""Splits that a file gives."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.split.split_file import read_split_file
from flexunet.errors import ConfigError, DatasetError, PathError

# Two views of four women, and a film of nobody knows whom.
NAMES = [f"P{number}_R_DM_{view}" for number in range(4) for view in ("CC", "MLO")] + ["film"]


@pytest.fixture
def films(tmp_path):
    rng = np.random.default_rng(0)
    for name in NAMES:
        mask = np.zeros((8, 8), np.uint8)
        mask[2:4] = 1
        write_image(tmp_path / "in/images" / f"{name}.png", rng.integers(0, 255, (8, 8), np.uint8))
        write_mask(tmp_path / "in/masks" / f"{name}.png", mask, ColorMap.binary())
    return tmp_path / "in"


@pytest.fixture
def split(films, tmp_path):
    """Run the command with a split file of this text; its answer, and its words on one line."""

    def run(text, *options, name="splits.csv"):
        file = tmp_path / name
        file.write_text(text)
        answer = CliRunner().invoke(
            app, ["split", str(films), str(tmp_path / "out"), "--splits", str(file), *options]
        )
        return answer, " ".join(answer.stderr.split())

    return run


def dealt(folder):
    return {
        row["file"].rpartition("/")[2].removesuffix(".png"): row["split"]
        for row in Manifest.read(folder).rows
    }


def rows_of(splits):
    return "image,split\n" + "".join(f"{name},{split}\n" for name, split in splits.items())


WHOLE = dict(zip(NAMES, ["train"] * 4 + ["valid"] * 2 + ["test"] * 2 + ["train"], strict=True))


def test_images_go_where_the_file_says(split, tmp_path):
    answer, told = split(rows_of(WHOLE))
    assert answer.exit_code == 0, answer.output
    assert dealt(tmp_path / "out") == WHOLE
    assert "the patient of 1 of 9 images is unknown: whether" in told
    assert "divides one is not known" in told


def test_names_may_be_paths_and_splits_have_other_words(split, tmp_path):
    words = {"train": "Training", "valid": "val", "test": "TEST"}
    folders = ["", "images/", "C:\\data\\images\\"]
    rows = [
        f"{folders[number % 3]}{name}.png;{words[kind]}" for number, (name, kind) in enumerate(WHOLE.items())
    ]
    answer, _ = split("\n".join(["Filename;Split", *rows]))
    assert answer.exit_code == 0, answer.output
    assert dealt(tmp_path / "out") == WHOLE


def test_images_that_are_not_named_are_left_out(split, tmp_path):
    part = {name: kind for name, kind in WHOLE.items() if kind != "test" and name != "film"}
    answer, told = split(rows_of(part))
    assert answer.exit_code == 0, answer.output
    assert dealt(tmp_path / "out") == part
    assert "does not name 3 of 9 images: left out" in told
    assert "has no images for test" in told
    assert "unknown" not in told


def test_folds_are_made_again_from_their_table(films, tmp_path):
    run = ["split", str(films), str(tmp_path / "out"), "--folds", "3", "--by", "source", "--seed", "5"]
    assert CliRunner().invoke(app, run).exit_code == 0
    table = tmp_path / "out/folds.csv"
    answer = CliRunner().invoke(
        app,
        [
            "split",
            str(films),
            str(tmp_path / "again"),
            "--splits",
            str(table),
            "--i-accept-leakage",
            "--json",
        ],
    )
    assert answer.exit_code == 0, answer.output
    assert [fold["fold"] for fold in json.loads(answer.stdout)["folds"]] == [1, 2, 3]
    for fold in ("fold_1", "fold_2", "fold_3"):
        assert dealt(tmp_path / "again" / fold) == dealt(tmp_path / "out" / fold)
    assert (tmp_path / "again/folds.csv").read_text() == table.read_text()


def test_splits_of_nnunet_are_folds_whose_test_cases_lie_elsewhere(split, tmp_path):
    pairs = [NAMES[:2], NAMES[2:4], NAMES[4:6]]
    document = [
        {"train": [name for other in pairs if other is not pair for name in other], "val": pair}
        for pair in pairs
    ]
    answer, _ = split(json.dumps(document), name="splits_final.json")
    assert answer.exit_code == 0, answer.output
    for number, pair in enumerate(pairs, 1):
        splits = dealt(tmp_path / "out" / f"fold_{number}")
        assert {name for name, kind in splits.items() if kind == "valid"} == set(pair)
        assert {name for name, kind in splits.items() if kind == "test"} == set(NAMES[6:])


def test_rows_of_folds_need_not_be_in_order(split, tmp_path):
    rows = [f"{number},{name},{'test' if NAMES.index(name) // 2 == number else 'train'}" for number in (3, 0)
            for name in NAMES]  # fmt: skip
    answer, _ = split("\n".join(["fold,image,split", *rows]))
    assert answer.exit_code == 0, answer.output
    tested = [
        {name for name, kind in dealt(tmp_path / "out" / fold).items() if kind == "test"}
        for fold in ("fold_1", "fold_2")
    ]
    assert tested == [set(NAMES[:2]), set(NAMES[6:8])]


def test_a_file_that_divides_a_patient_is_refused_unless_accepted(split, tmp_path):
    divided = WHOLE | {"P0_R_DM_MLO": "test"}
    answer, _ = split(rows_of(divided))
    assert isinstance(answer.exception, DatasetError)
    assert "divides 1 patient: P0" in str(answer.exception)
    assert not (tmp_path / "out").exists()
    answer, told = split(rows_of(divided), "--i-accept-leakage")
    assert answer.exit_code == 0, answer.output
    assert "divides P0: test scores may be too high" in told
    assert dealt(tmp_path / "out") == divided


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows_of(WHOLE | {"P9_R_DM_CC": "test"}), "names 1 image that the data set does not have"),
        (rows_of(WHOLE | {"film": "holdout"}), "line 10: expected train, valid or test, found 'holdout'"),
        (rows_of(WHOLE) + "film.png,test\n", "line 11: 'film.png' is named a second time"),
        ("image,fold,split\nfilm,one,test\n", "line 2: expected the number of a fold, found 'one'"),
        ("image,fold,split\nfilm,1,test\nP0_R_DM_CC,2,test\n", "folds 1 and 2 do not name the same images"),
        ("image,split\n", "names no image"),
        ("image,subset\nfilm,test\n", "expected a column named split"),
        ("patient,split\nP0,test\n", "expected a column named image or file"),
        ("image,split\n ,test\n", "line 2: expected the name of an image, found nothing"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(split, tmp_path, text, said):
    answer, _ = split(text)
    assert isinstance(answer.exception, DatasetError)
    assert said in str(answer.exception)
    assert "splits.csv" in str(answer.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [("--folds", "3"), ("--by", "patient")])
def test_a_file_leaves_nothing_to_decide(split, options):
    answer, _ = split(rows_of(WHOLE), *options)
    assert isinstance(answer.exception, ConfigError)
    assert "leave out --by and --folds" in str(answer.exception)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PathError, match=r"no split file .*none\.csv"):
        read_split_file(tmp_path / "none.csv")
