"""TOML files and overrides: strict, with messages that help."""

import re

import pytest

from flexunet.config.files import load_config
from flexunet.errors import ConfigError, PathError


@pytest.fixture
def load(tmp_path):
    def load(text, overrides=(), name="unet.toml"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(file, overrides)

    return load


def refusal(load, text, overrides=()):
    with pytest.raises(ConfigError) as error:
        load(text, overrides)
    return re.sub(r"\S*unet\.toml: ?", "", str(error.value))


def test_values(load, tmp_path):
    config = load(
        """
        [model]
        base_kernels = [9, 9]
        learning_rate = 1
        [mask]
        rgb_map = {"0,0,0" = 0, "#ffffff" = 1}
        [augmentor]
        centers = [[0.3, 0.3], [0.5, 0.5]]
        """
    )
    assert config.model.base_kernels == (9, 9)
    assert config.model.learning_rate == 1.0
    assert config.mask.rgb_map == {(0, 0, 0): 0, (255, 255, 255): 1}
    assert config.augmentor.centers == [(0.3, 0.3), (0.5, 0.5)]
    assert config.source == tmp_path / "unet.toml"
    assert config.notes == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[model]\nnum_layer = 4",
            "[model] num_layer = 4: there is no key num_layer in [model]; did you mean [model] num_layers?",
        ),
        ("[modl]\nx = 1", "[modl] x = 1: there is no section [modl]; did you mean [model]?"),
        (
            "[valid]\nbatch_sise = 4",
            "[valid] batch_sise = 4: there is no key batch_sise in [valid]; did you mean [train] batch_size?",
        ),
        (
            '[model]\nnum_layers = "8"',
            "[model] num_layers = '8': input should be a valid integer. "
            "The key means: Levels of the U-Net, the bottleneck included.",
        ),
        (
            "[model]\ngenerator = 1",
            "[model] generator = 1: input should be a valid boolean. "
            "The key means: Whether training images are augmented as they are drawn.",
        ),
        ("num_layers = 8", "num_layers = 8 is in no [section]; put it below one"),
    ],
)
def test_refusals(load, text, message):
    assert refusal(load, text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nnum_layers = \nx = 1", "not TOML: Invalid value (at line 2"),
        ("[model]\na = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 3"),
        ("[model]\n[model]\n", "not TOML: Cannot declare ('model',) twice (at line 2"),
    ],
)
def test_what_is_no_toml_names_the_line(load, text, message):
    assert refusal(load, text).startswith(message)


def test_all_mistakes_are_told_at_once(load):
    message = refusal(load, "[model]\nnum_layers = 0\nimage_width = -1\n[train]\nepochs = 1.5\n")
    assert message.count("\n") == 3
    assert "greater than 0" in message


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1.0", '"0.1"', "true"])
def test_a_learning_rate_is_a_positive_number(load, value):
    assert "[model] learning_rate" in refusal(load, f"[model]\nlearning_rate = {value}\n")


@pytest.mark.parametrize(
    "rgb_map",
    ['{"0,0" = 0}', '{"0,0,256" = 0}', '{"black" = 0}', '{"0,0,0" = -1}', '{"0,0,0" = 256}', "[0, 1]"],
)
def test_colours_that_are_none(load, rgb_map):
    assert "[mask] rgb_map" in refusal(load, f"[mask]\nrgb_map = {rgb_map}\n")


def test_a_colour_given_twice(load):
    text = '[mask]\nrgb_map = {"0,0,0" = 0, "255,255,255" = 1, "#ffffff" = 1}\n'
    assert "the colour (255, 255, 255) is given twice" in refusal(load, text)


def test_published_spellings_are_understood_in_toml_too(load):
    config = load(
        "[deformation]\nalpah = 900\n[eval]\nimage_datapath = 'valid'\n[model]\nshow_summary = true\n"
    )
    assert config.deformation.alpha == 900
    assert config.valid.images_dir == "valid"
    assert config.notes == [
        "[model] show_summary = True: accepted, has no effect, because `flexunet inspect` prints the summary"
    ]


def test_a_byte_order_mark_is_no_harm_and_other_encodings_are_refused(load):
    assert load(b"\xef\xbb\xbf[model]\nnum_layers = 4\n").model.num_layers == 4
    assert "TOML must be UTF-8, and byte 10 is not" in refusal(load, b"[infer]\n# \xe4\n")


def test_overrides(load):
    config = load(
        "[model]\nnum_layers = 8\n[deformation]\nalpah = 900\n",
        [
            "model.num_layers=4",
            "model.base_kernels=(5, 5)",
            "model.dilation=[2, 2]",
            "model.loss=dice_loss",
            "train.images_dir=./a=b",
            "deformation.alpha=100",
            "deformation.sigmoid=4",
            "model.generator=true",
            "model.input_normalize=False",
            "train.cache_dir=None",
            'mask.rgb_map={"0,0,0" = 0, "255,0,0" = 1}',
            " train.epochs = 3 ",
        ],
    )
    assert config.model.num_layers == 4
    assert config.model.base_kernels == (5, 5)
    assert config.model.dilation == (2, 2)
    assert config.model.loss == "dice_loss"
    assert config.train.images_dir == "./a=b"
    assert config.deformation.alpha == 100
    assert config.deformation.sigmoids == [4.0]
    assert config.model.generator
    assert not config.model.input_normalize
    assert config.train.cache_dir is None
    assert config.mask.rgb_map == {(0, 0, 0): 0, (255, 0, 0): 1}
    assert config.train.epochs == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "train.epoch=3",
            "--set train.epoch=3: there is no key epoch in [train]; did you mean [train] epochs?",
        ),
        ("epochs=3", "--set epochs=3: expected section.key=value, such as train.epochs=20"),
        ("train.epochs", "--set train.epochs: expected section.key=value, such as train.epochs=20"),
        (
            "train.epochs=many",
            "[train] epochs = many: input should be a valid integer. "
            "The key means: Maximum number of epochs.",
        ),
        (
            "infra.images_dir=x",
            "--set infra.images_dir=x: there is no section [infra]; did you mean [infer]?",
        ),
    ],
)
def test_overrides_that_are_refused(load, override, message):
    assert refusal(load, "[model]\n", [override]) == message


def test_an_override_puts_right_what_the_file_has_wrong(load):
    assert load("[model]\nnum_layers = -8\n", ["model.num_layers=4"]).model.num_layers == 4


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(PathError, match=r"there is no such file or folder.*flexunet init DATASET"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(PathError, match=r"if it holds config\.toml, and this one does not.*`flexunet init`"):
        load_config(tmp_path)


def test_a_run_folder_is_read_by_its_config(load, tmp_path):
    load("[train]\nepochs = 7\n", name="config.toml")
    config = load_config(tmp_path)
    assert config.train.epochs == 7
    assert config.run_dir == tmp_path
