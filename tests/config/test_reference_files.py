"""Every published configuration loads, or is refused for the reason for which its own reader refuses it."""

import ast
import configparser

import pytest

from flexunet.config.files import load_config
from flexunet.config.published_keys import ALIASES, NO_EFFECT
from flexunet.config.schema import Config
from flexunet.errors import ConfigError

# File -> the key that is given twice, and where.
GIVEN_TWICE = {
    "MultiResUNet__Brain-Tumor": "[model] metrics is given twice, in lines 16 and 27",
    "SwinUNet__Brain-Tumor": "[model] loss is given twice, in lines 15 and 46",
    "TransUNet__Nerve": "in lines 22 and 44; [model] show_summary is given twice, in lines 23 and 45",
}


def _published(reference):
    return sorted((reference / "configs").glob("*.config"))


def _raw(file):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(file, encoding="utf-8")
    return {(section, key): text for section in parser.sections() for key, text in parser.items(section)}


def _plain(value):
    """Lists and tuples alike, whole numbers and floats alike, one number like a list of it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value] if len(value) != 1 else _plain(value[0])
    return value


def test_all_but_the_files_with_a_key_given_twice_load(reference):
    files = _published(reference)
    assert len(files) == 58
    refused = {}
    for file in files:
        try:
            load_config(file)
        except ConfigError as error:
            refused[file.name] = str(error)
    assert len(refused) == len(GIVEN_TWICE)
    for part, reason in GIVEN_TWICE.items():
        [message] = [message for name, message in refused.items() if part in name]
        assert reason in message
        assert "published reader refuses" in message


def test_every_readable_value_arrives_as_written(reference):
    compared = 0
    for file in _published(reference):
        if any(part in file.name for part in GIVEN_TWICE):
            continue
        config = load_config(file)
        raw = _raw(file)
        for written, text in raw.items():
            section, key = ALIASES.get(written, written)
            if written[0] == "eval" and section == "valid" and ("test", "image_datapath") not in raw:
                section = "test"  # what the older system scores
            if section not in Config.model_fields or key not in type(getattr(config, section)).model_fields:
                assert (section, key) in NO_EFFECT, (file.name, written)
                continue
            try:
                value = ast.literal_eval(text)
            except SyntaxError:
                continue
            if key == "color_order":
                value = value.upper()
            found = getattr(getattr(config, section), key)
            assert _plain(found) == _plain(value), (file.name, written)
            compared += 1
    assert compared > 1500


def test_unreadable_values_of_published_files_are_told_with_what_is_used_instead(reference):
    told = {
        "MIAS": "[augmentor] angles = [90. 180, 270,]: not a Python literal; [90.0, 180.0, 270.0] is used",
        "Oil-Spill": "black, cyan, red, brown green: not a Python literal; '.png' is used instead",
        # The system falls back to four colours of its own, so that is what its weights were trained with.
        "NEU-Steel": "{(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3} is used instead",
    }
    for part, message in told.items():
        [file] = [file for file in _published(reference) if part in file.name]
        assert any(message in note for note in load_config(file).notes)
        with pytest.raises(ConfigError, match="not a Python literal"):
            load_config(file, strict=True)


def test_strict_refuses_no_file_but_those_with_unreadable_values_or_no_home_for_a_key(reference):
    refused = []
    for file in _published(reference):
        try:
            load_config(file, strict=True)
        except ConfigError as error:
            refused.append((file.name, str(error)))
    assert sum("twice" in message for _, message in refused) == 3
    assert sum("not a Python literal" in message for _, message in refused) == 5
    assert len(refused) == 8


def test_mammogram_mastery_as_its_author_wrote_it(reference):
    [file] = [file for file in _published(reference) if "Mammogram-Mastery" in file.name]
    config = load_config(file)
    model, train = config.model, config.train
    assert (model.model, model.image_width, model.image_height) == ("TensorFlowFlexUNet", 512, 512)
    assert (model.base_filters, model.base_kernels, model.num_layers) == (16, (9, 9), 8)
    assert (model.learning_rate, model.clipvalue, model.dropout_rate) == (0.00007, 0.4, 0.04)
    assert not model.input_normalize
    assert (train.epochs, train.batch_size, train.patience, train.reducer_patience) == (100, 2, 10, 4)
    assert train.metrics == ["dice_coef_multiclass", "val_dice_coef_multiclass"]
    assert config.mask.rgb_map == {(0, 0, 0): 0, (255, 255, 255): 1}
    expected = file.parent / "../../../dataset/Mammogram-Mastery/train/images/"
    assert config.resolve(train.images_dir) == expected
    assert config.output(train.model_dir) == file.parent / "models"


def test_older_dialect(reference):
    [file] = [file for file in _published(reference) if "Retinal-Vessel" in file.name]
    config = load_config(file)
    assert config.model.num_classes == 1
    assert config.mask.rgb_map == {(0, 0, 0): 0, (255, 255, 255): 1}
    assert config.dataset.class_name == "BaseImageMaskDataset"
    assert config.train.images_dir == "../../../dataset/Retinal-Vessel/train/images/"
    assert config.valid.images_dir == "../../../dataset/Retinal-Vessel/valid/images/"
    assert config.infer.overlay_dir == "./test_output_merged"
    assert config.deformation.alpha == 1300
    assert config.deformation.sigmoids == [8]
    # Defaults of the older source, where they differ from the later one's.
    assert config.train.reducer_factor == 0.1
    assert (config.tiledinfer.overlapping, config.tiledinfer.split_size) == (0, 512)


def test_older_files_without_test_are_scored_on_eval_and_validated_on_a_part_of_training(reference):
    lone = []
    for file in _published(reference):
        raw = _raw(file) if not any(part in file.name for part in GIVEN_TWICE) else {}
        if ("eval", "image_datapath") not in raw:
            continue
        config = load_config(file)
        scored = ast.literal_eval(raw.get(("test", "image_datapath"), raw["eval", "image_datapath"]))
        assert config.test.images_dir == scored, file.name
        if ("test", "image_datapath") in raw:
            assert config.valid.images_dir == ast.literal_eval(raw["eval", "image_datapath"])
        else:
            lone.append(file.name)
            assert config.valid.images_dir is None
            assert config.train.dataset_splitter
            assert any(
                "read as [test] images_dir, because the file has no [test]" in note for note in config.notes
            )
    assert len(lone) == 7


def test_a_validation_folder_that_is_the_test_folder_is_named(reference):
    named = {}
    for file in _published(reference):
        if not any(part in file.name for part in GIVEN_TWICE):
            notes = load_config(file).notes
            named[file.name] = [note for note in notes if "images_dir are one folder" in note]
    [(name, [note])] = [(name, notes) for name, notes in named.items() if notes]
    assert "DeepLabV3Plus__MultipleMyeloma" in name
    assert note.startswith(
        "[valid] and [test] images_dir are one folder: the best epoch is chosen on the test"
    )


def test_files_of_the_tools_load_without_a_model_section(reference):
    [barrel] = [file for file in _published(reference) if file.name.endswith("Tool__augmentor.config")]
    assert load_config(barrel).augmentor.centers == [
        (0.3, 0.3),
        (0.7, 0.3),
        (0.5, 0.5),
        (0.3, 0.7),
        (0.7, 0.7),
    ]
    [generator] = [file for file in _published(reference) if "image_mask_generator" in file.name]
    config = load_config(generator)
    assert config.maskcolor.benign == (0, 255, 0)
    assert len(config.generator.images_dirs) == 2


def test_all_other_configurations_of_the_reference(reference):
    refused = [
        file.name
        for file in sorted(reference.rglob("*.config"))
        if file.parent.name != "configs" and _is_refused(file)
    ]
    # Four colours, two classes: refused on purpose.
    assert refused == ["too_many_colours.config"]


def _is_refused(file):
    try:
        load_config(file)
    except ConfigError:
        return True
    return False


def test_colours_out_of_order_keep_their_class_indices(reference):
    config = load_config(reference / "masks" / "order_quirk.config")
    assert config.mask.rgb_map == {(255, 0, 0): 2, (0, 0, 0): 0, (0, 255, 0): 1}
    assert any("the values are the class indices" in note for note in config.notes)
