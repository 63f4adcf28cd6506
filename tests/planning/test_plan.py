"""A plan for a real folder: what it refuses, that it can be used, and that it is the same each time."""

import json
import shutil

import numpy as np
import pytest

from flexunet.cli.colors import masks_of
from flexunet.cli.model.init import seconds_of
from flexunet.config.checks import check_image_size
from flexunet.config.files import load_config
from flexunet.data.configured import mask_reader, split_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.dataset import write_phantom_dataset
from flexunet.errors import ConfigError, DatasetError, PathError
from flexunet.machine import Machine
from flexunet.planning.plan import plan_training

LAPTOP = Machine(cores=2, memory=8.0, has_gpu=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "phantoms"
    write_phantom_dataset(folder, 6, splits={"train": 0.5, "valid": 0.25, "test": 0.25}, width=96, height=128)
    return folder


@pytest.mark.filterwarnings("error")
def test_the_configuration_is_usable_and_finds_the_data_from_where_it_lies(dataset, tmp_path):
    file = tmp_path / "deep" / "phantoms.toml"
    plan = plan_training(dataset, machine=LAPTOP)
    document = plan.write(file, "./phantoms_run")
    config = load_config(file)
    check_image_size(config)
    assert config.notes == []
    for split in ("train", "valid", "test"):
        assert len(split_pairs(config, split)) == plan.facts.splits[split]
    assert (config.model.image_width, config.model.image_height, config.model.num_layers) == (96, 128, 5)
    assert config.model.image_channels == 1
    shown = config.resolve(config.train.epoch_change_images_dir)
    assert shown.resolve() == (dataset / "valid/images").resolve()  # test images are for `evaluate`
    assert config.run_dir == file.parent / "phantoms_run"
    told = json.loads(document.read_text())
    assert told["dataset"]["width"] == 96
    assert {"section", "key", "value", "reason"} == set(told["decisions"][0])
    # Every line that sets a key follows a line that says why.
    lines = file.read_text().splitlines()
    assert all(
        lines[n - 1].startswith("# ") for n, line in enumerate(lines) if " = " in line and line[0] != "#"
    )


def test_same_data_same_file(dataset, tmp_path):
    texts = [plan_training(dataset, machine=LAPTOP).text(tmp_path) for _ in range(2)]
    assert texts[0] == texts[1]


def test_nothing_is_overwritten(dataset, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("# mine\n")
    with pytest.raises(PathError, match=r"mine\.toml is there already"):
        plan_training(dataset, machine=LAPTOP).write(file)
    assert file.read_text() == "# mine\n"
    assert list(tmp_path.iterdir()) == [file]
    plan = file.rename(tmp_path / "mine.plan.json")
    with pytest.raises(PathError, match=r"mine\.plan\.json is there already"):
        plan_training(dataset, machine=LAPTOP).write(file)
    assert plan.read_text() == "# mine\n"
    assert list(tmp_path.iterdir()) == [plan]


def test_a_data_set_that_leaks_is_refused(dataset, tmp_path):
    leaking = tmp_path / "leaking"
    shutil.copytree(dataset, leaking)
    image = sorted((leaking / "train/images").iterdir())[0]
    shutil.copy(image, leaking / "test/images/renamed.png")
    shutil.copy(leaking / "train/masks" / image.name, leaking / "test/masks/renamed.png")
    with pytest.raises(DatasetError, match=r"(?s)audit found.*renamed.*--i-accept-audit-errors"):
        plan_training(leaking, machine=LAPTOP)
    config = tmp_path / "colours.toml"
    config.write_text('[mask]\nrgb_map = {"0,0,0" = 0, "255,255,255" = 1}\n')
    with pytest.raises(DatasetError, match=rf"`flexunet audit .*leaking --config {config}` says how"):
        plan_training(leaking, machine=LAPTOP, config=load_config(config))
    accepted = plan_training(leaking, machine=LAPTOP, accept_audit_errors=True)
    assert any("is not true" in note for note in accepted.notes)


def test_class_folders_and_guessed_colours(tmp_path):
    """Two folders of a class each, three grey classes, no splits: one path with `*`, a fifth held back."""
    random = np.random.default_rng(0)
    colors = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1, (192, 192, 192): 2})
    for folder in ("Cancer", "Normal"):
        for number in range(3):
            image = random.integers(0, 255, (64, 48)).astype(np.uint8)
            mask = np.zeros((64, 48), np.uint8)
            mask[10:50, 5:40], mask[20:30, 10 + number : 30] = 1, 2
            write_image(tmp_path / "set" / folder / "images" / f"{folder}{number}.png", image)
            write_mask(tmp_path / "set" / folder / "masks" / f"{folder}{number}.png", mask, colors)
    plan = plan_training(tmp_path / "set", machine=LAPTOP, accept_audit_errors=True)
    assert plan.facts.folders == {"all": ("*/images", "*/masks")}
    assert plan.facts.num_classes == 3
    plan.write(tmp_path / "set.toml")
    config = load_config(tmp_path / "set.toml")
    assert len(split_pairs(config, "train")) + len(split_pairs(config, "valid")) == 6
    assert not config.train.epoch_change_infer
    assert any("no test images" in note for note in plan.notes)


def test_images_without_masks_cannot_be_planned_for(tmp_path):
    write_image(tmp_path / "images" / "a.png", np.zeros((16, 16), np.uint8))
    with pytest.raises(DatasetError, match="expected images with masks"):
        plan_training(tmp_path, machine=LAPTOP, accept_audit_errors=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2h", 7200), ("90 s", 90), ("45", 2700), ("1.5h", 5400)]
)
def test_budgets(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "soon", "-5m", "1e9h", "30 parsecs", "²m"])
def test_what_is_no_budget(text):
    with pytest.raises(ConfigError, match="expected a time such as 30m"):
        seconds_of(text)


def write_set(folder, mask):
    """Six films of noise, all with one mask, uint8 `(64, 48)`."""
    random = np.random.default_rng(0)
    for number in range(6):
        write_image(
            folder / "images" / f"{number}.png",
            random.integers(0, 255, (64, 48), endpoint=True).astype(np.uint8),
        )
        write_image(folder / "masks" / f"{number}.png", mask)
    return folder


def written_from(dataset, given, tmp_path, **options):
    """The configuration that is planned from the `[mask]` and `[image]` keys of a file."""
    (tmp_path / "given.toml").write_text(given)
    plan = plan_training(
        dataset,
        config=load_config(tmp_path / "given.toml"),
        machine=LAPTOP,
        accept_audit_errors=True,
        **options,
    )
    document = plan.write(tmp_path / "written.toml")
    return load_config(tmp_path / "written.toml"), json.loads(document.read_text())


def test_a_threshold_is_taken_over(tmp_path):
    """Grey 90 is above the threshold of 60, and by the nearest colour it would be black."""
    mask = np.zeros((64, 48), np.uint8)
    mask[10:30, 10:30], mask[40:50, 10:30] = 90, 40
    dataset = write_set(tmp_path / "soft", mask)
    config, document = written_from(dataset, "[mask]\nbinarize = true\nthreshold = 60\n", tmp_path)
    read = mask_reader(config).read(dataset / "masks/0.png")
    assert np.array_equal(read, mask > 60)
    assert document["dataset"]["foreground"] == pytest.approx(400 / (64 * 48), abs=1e-4)
    reasons = {d["key"]: d["reason"] for d in document["decisions"] if d["section"] == "mask"}
    assert reasons["threshold"] == reasons["binarize"] == "as given.toml says"


def test_ignored_pixels_layers_and_how_images_are_read_are_taken_over(tmp_path):
    mask = np.zeros((64, 48), np.uint8)
    mask[10:30, 10:30], mask[:5] = 1, 255
    dataset = write_set(tmp_path / "set", mask)
    layer = np.zeros((64, 48), np.uint8)
    layer[40:50, 10:30] = 255
    for number in range(6):
        write_image(dataset / "masks_b" / f"{number}.png", layer)
    given = """
[model]
num_classes = 3
[image]
normalize = "zscore"
range = "0,255"
[mask]
rgb_map = {"0,0,0" = 0, "1,1,1" = 1, "2,2,2" = 2}
ignore = [255, 255, 255]
layers = {masks_b = {"255,255,255" = 2}}
"""
    config, document = written_from(dataset, given, tmp_path)
    read = mask_reader(config).read(dataset / "masks/0.png")
    expected = np.where(layer == 255, np.uint8(2), mask)
    assert np.array_equal(read, expected)
    assert (config.image.normalize, config.image.range) == ("zscore", "0,255")
    assert config.model.num_classes == 3
    assert next(d["reason"] for d in document["decisions"] if d["key"] == "rgb_map") == "as given.toml says"


def test_the_option_replaces_the_colours_of_a_file_but_not_what_is_ignored(tmp_path):
    mask = np.zeros((64, 48), np.uint8)
    mask[10:30, 10:30], mask[:5] = 200, 100
    dataset = write_set(tmp_path / "set", mask)
    (tmp_path / "given.toml").write_text("[mask]\nignore = 100\n")
    file = load_config(tmp_path / "given.toml")
    masks = masks_of(file, "{(0, 0, 0): 0, (200, 200, 200): 1}")
    plan_training(dataset, config=file, masks=masks, machine=LAPTOP, accept_audit_errors=True).write(
        tmp_path / "written.toml"
    )
    read = mask_reader(load_config(tmp_path / "written.toml")).read(dataset / "masks/0.png")
    assert set(np.unique(read[:5])) == {255}
    assert read[10:30, 10:30].min() == read[10:30, 10:30].max() == 1


def test_films_that_lie_and_films_that_stand_are_not_all_stretched_one_way(tmp_path):
    """Half 50 x 100, half 100 x 50: the shape between them, and a note; medians apart would be 75 x 75."""
    random = np.random.default_rng(0)
    for number in range(6):
        shape = (100, 50) if number % 2 else (50, 100)
        mask = np.zeros(shape, np.uint8)
        mask[10:30, 10:30] = 255
        write_image(
            tmp_path / "set/images" / f"{number}.png", random.integers(0, 255, shape).astype(np.uint8)
        )
        write_image(tmp_path / "set/masks" / f"{number}.png", mask)
    plan = plan_training(tmp_path / "set", machine=LAPTOP, accept_audit_errors=True)
    assert (plan.facts.width, plan.facts.height, plan.facts.shape_spread) == (71, 71, 4.0)
    assert any("differ by a factor of 4" in note for note in plan.notes)


def film(side="L", shape=(120, 90)):
    """A bright half ellipse that is cut off at one side, on dark air; uint8."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = (columns / (0.7 * shape[1])) ** 2 + ((rows - shape[0] / 2) / (0.45 * shape[0])) ** 2 < 1
    image = np.where(inside, 120 + 40 * np.sin(columns / 9) * np.cos(rows / 7), 5).astype(np.uint8)
    return image if side == "L" else image[:, ::-1]


def facts_of_images(folder, images):
    """The figures of a data set of these images, each with a disc in its mask."""
    for number, image in enumerate(images):
        mask = np.zeros(image.shape[:2], np.uint8)
        mask[40:60, 20 + number : 40 + number] = 255
        write_image(folder / "images" / f"{number}.png", image)
        write_image(folder / "masks" / f"{number}.png", mask)
    return plan_training(folder, machine=LAPTOP, accept_audit_errors=True).facts


def test_a_few_coloured_pixels_are_no_colour(tmp_path):
    """One red pixel in one film, and a marked corner in two more of six."""
    films = [np.stack([film()] * 3, axis=2) for _ in range(6)]
    films[0][0, 0] = [255, 0, 0]
    films[1][:20, :20] = films[2][:20, :20] = [255, 0, 0]
    assert facts_of_images(tmp_path / "marked", films).is_grey
    for each in films[3:5]:
        each[..., 2] //= 2
    assert not facts_of_images(tmp_path / "coloured", films).is_grey


def test_sides_are_told_of_breasts_alone(tmp_path):
    assert facts_of_images(tmp_path / "films", [film(side) for side in "LLRLR"]).sides == 0.6
    random = np.random.default_rng(0)
    noise = [np.clip(random.normal(60, 40, (120, 90)), 0, 255).astype(np.uint8) for _ in range(5)]
    assert facts_of_images(tmp_path / "noise", noise).sides is None


def test_a_class_that_was_not_guessed_is_refused_with_a_line_to_paste(tmp_path):
    """Blue in one mask of six is not guessed; the refusal gives an option with which it is a class."""
    dataset = tmp_path / "set"
    colors = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 0, 255): 2})
    for number in range(6):
        mask = np.zeros((120, 90), np.uint8)
        mask[40:60, 20:40] = 1
        mask[70:90, 20:40] = 2 if number == 3 else 0
        write_image(dataset / "images" / f"{number}.png", film())
        write_mask(dataset / "masks" / f"{number}.png", mask, colors)
    with pytest.raises(DatasetError) as refused:
        plan_training(dataset, machine=LAPTOP)
    line = "#000000=0,#ff0000=1,#0000ff=2"
    assert f"--rgb-map '{line}'" in str(refused.value)
    plan = plan_training(dataset, masks=masks_of(None, line), machine=LAPTOP, accept_audit_errors=True)
    assert plan.facts.num_classes == 3
