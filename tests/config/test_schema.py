import json
from pathlib import Path

import pytest

from flexunet.config.files import load_config
from flexunet.config.schema import Config, default_rgb_map, section_class
from flexunet.errors import ConfigError


def _loaded(tmp_path, text):
    file = tmp_path / "here" / "unet.toml"
    file.parent.mkdir()
    file.write_text(text)
    return load_config(file)


def test_every_key_has_one_line_of_description():
    for section in Config.model_fields:
        for key, field in section_class(section).model_fields.items():
            assert field.description, (section, key)
            assert field.description.endswith("."), (section, key)
            assert "\n" not in field.description, (section, key)


def test_the_published_defaults():
    config = Config()
    model = config.model
    assert (model.base_filters, model.base_kernels, model.num_layers, model.dilation) == (
        16,
        (3, 3),
        6,
        (1, 1),
    )
    assert (model.optimizer, model.learning_rate, model.clipvalue) == ("Adam", 0.0001, 0.2)
    assert (model.dropout_rate, model.activation, model.final_activation) == (0.1, "relu", "sigmoid")
    assert (config.train.epochs, config.train.batch_size, config.train.patience) == (100, 4, 10)
    assert (config.train.reducer_factor, config.train.reducer_patience) == (0.4, 4)
    assert (config.tiledinfer.split_size, config.tiledinfer.overlapping) == (512, 64)
    assert config.augmentor.angles == [90, 180, 270]
    assert (config.deformation.alpha, config.deformation.sigmoids) == (1300, [8])
    assert (config.barrdistortion.amount, config.pincdistortion.amount) == (0.5, -0.5)
    assert config.train.seed == 137


def test_defaults_that_follow_other_keys():
    config = Config.model_validate({"model": {"num_classes": 3, "metrics": ["dice_coef_foreground"]}})
    assert config.train.metrics == ["dice_coef_foreground", "val_dice_coef_foreground"]
    assert config.mask.rgb_map == {(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2}


@pytest.mark.parametrize("num_classes", [1, 2, 3, 4, 20, 256])
def test_default_colours_are_distinct_and_cover_all_classes(num_classes):
    rgb_map = default_rgb_map(num_classes)
    assert list(rgb_map.values()) == list(range(max(num_classes, 2)))
    assert (0, 0, 0) in rgb_map


def test_no_two_configurations_share_a_value():
    Config().model.metrics.append("binary_accuracy")
    assert Config().model.metrics == ["dice_coef_multiclass"]


def test_inputs_are_relative_to_the_file_and_outputs_to_the_run(tmp_path):
    config = _loaded(
        tmp_path, "[train]\nimages_dir = '../images'\nmasks_dir = 'C:\\masks'\nrun_dir = '../runs/1'\n"
    )
    here = tmp_path / "here"
    assert config.resolve(config.train.images_dir) == here / "../images"
    assert config.input_folder("train", "images_dir") == here / "../images"
    assert config.resolve("/absolute") == Path("/absolute")
    assert config.resolve("~/x") == Path.home() / "x"
    assert config.run_dir == here / "../runs/1"
    assert config.output(config.train.model_dir) == here / "../runs/1/models"
    assert config.overlay_dir == here / "../runs/1/mini_test_output_overlay"


def test_without_a_file_paths_are_relative_to_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Config().resolve("images") == tmp_path / "images"
    assert Config().output("models") == tmp_path / "models"


def test_a_path_that_is_not_set_is_an_error_that_names_the_key():
    with pytest.raises(ConfigError, match=r"\[valid\] images_dir is not set; set it, or give --set valid"):
        Config().input_folder("valid", "images_dir")
    with pytest.raises(ConfigError, match="an input path is wanted"):
        Config().resolve(None)
    with pytest.raises(ConfigError, match="an output path is wanted"):
        Config().output(None)


def test_a_star_stands_for_folders(tmp_path):
    config = _loaded(tmp_path, "[train]\nimages_dir = '../train/*/images'\nmasks_dir = '../train/*/masks'\n")
    for name in ("b", "a"):
        (tmp_path / "train" / name / "images").mkdir(parents=True)
    found = config.input_folders("train", "images_dir")
    assert [folder.resolve() for folder in found] == [tmp_path / "train" / name / "images" for name in "ab"]
    with pytest.raises(ConfigError, match="no folder is named like"):
        config.input_folders("train", "masks_dir")


def test_assignment_is_checked():
    config = Config()
    config.model.num_layers = 4
    with pytest.raises(ValueError, match="num_layers"):
        config.model.num_layers = 0
    with pytest.raises(ValueError, match="no_such_key"):
        config.model.no_such_key = 1


def test_equality_is_that_of_the_keys(tmp_path):
    first, second = _loaded(tmp_path, "[model]\nnum_layers = 6\n"), Config()
    assert first == second
    second.train.epochs = 1
    assert first != second


def test_json_schema_refuses_unknown_keys_and_describes_known_ones():
    schema = Config.model_json_schema()
    model = schema["$defs"]["ModelSection"]
    assert model["additionalProperties"] is False
    assert model["properties"]["base_filters"] == {
        "default": 16,
        "description": "Filters of the first level; they double with each level.",
        "exclusiveMinimum": 0,
        "title": "Base Filters",
        "type": "integer",
    }
    assert json.loads(json.dumps(schema)) == schema
