import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.config.files import load_config, save_config
from flexunet.config.schema import Config
from flexunet.errors import PathError

colors = st.tuples(*[st.integers(0, 255)] * 3)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def configs(draw):
    chosen = draw(st.lists(colors, min_size=2, max_size=9, unique=True))
    return Config.model_validate(
        {
            "model": {
                "num_classes": len(chosen),
                "loss": draw(texts),
                "metrics": draw(st.lists(texts, min_size=1, max_size=3)),
                "learning_rate": draw(st.floats(1e-30, 1e30)),
                "num_heads": draw(st.none() | st.integers(1, 9) | st.lists(st.integers(1, 9))),
                "patch_size": draw(st.integers(1, 9) | st.tuples(st.integers(1, 9), st.integers(1, 9))),
                "input_normalize": draw(st.booleans()),
            },
            "mask": {"rgb_map": {color: index for index, color in enumerate(chosen)}},
            "train": {"jit_compile": draw(st.booleans() | st.just("auto")), "seed": draw(st.integers(0))},
            "augmentor": {"angles": draw(st.lists(st.floats(-360, 360))), "vflip": draw(st.booleans())},
            "barrdistortion": {"centers": draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1))))},
        }
    )


@settings(max_examples=40)
@given(configs())
def test_what_is_saved_is_loaded(tmp_path_factory, config):
    file = tmp_path_factory.mktemp("saved") / "config.toml"
    save_config(config, file)
    loaded = load_config(file)
    loaded.train.run_dir = config.train.run_dir
    assert loaded == config


def test_saving_twice_changes_nothing(tmp_path):
    save_config(Config(), tmp_path / "first" / "config.toml")
    save_config(load_config(tmp_path / "first"), tmp_path / "first" / "again.toml")
    assert (tmp_path / "first/again.toml").read_text() == (tmp_path / "first/config.toml").read_text()


def test_each_key_stands_under_its_meaning(tmp_path):
    save_config(Config(), tmp_path / "config.toml")
    lines = (tmp_path / "config.toml").read_text().splitlines()
    assert lines[lines.index("num_layers = 6") - 1] == "# Levels of the U-Net, the bottleneck included."
    assert 'rgb_map = {"0,0,0" = 0, "255,255,255" = 1}' in lines
    assert "# initial_weights = (not set)" in lines


def test_many_colours_get_a_table(tmp_path):
    save_config(Config.model_validate({"model": {"num_classes": 6}}), tmp_path / "config.toml")
    text = (tmp_path / "config.toml").read_text()
    assert '[mask.rgb_map]\n"0,0,0" = 0\n"0,255,0" = 1\n' in text


def test_a_key_that_leaves_the_choice_to_the_model_stays_open(tmp_path):
    save_config(Config(), tmp_path / "open.toml")
    assert "input_normalize" not in load_config(tmp_path / "open.toml").model.model_fields_set
    save_config(Config.model_validate({"model": {"input_normalize": True}}), tmp_path / "set.toml")
    assert "input_normalize" in load_config(tmp_path / "set.toml").model.model_fields_set


def test_paths_mean_the_same_in_the_run_folder(tmp_path):
    file = tmp_path / "project" / "unet.toml"
    file.parent.mkdir()
    file.write_text(
        "[train]\nrun_dir = '../runs/7'\nimages_dir = '../data/train'\nmasks_dir = '/masks'\n"
        "[generator]\nimages_dirs = ['a', '../b']\n"
    )
    config = load_config(file)
    save_config(config, config.run_dir / "config.toml")
    saved = load_config(tmp_path / "runs" / "7")
    assert saved.train.images_dir == "../../data/train"
    assert saved.train.masks_dir == "/masks"
    assert saved.generator.images_dirs == ["../../project/a", "../../b"]
    assert saved.train.run_dir == "."
    for get in (
        lambda c: c.resolve(c.train.images_dir),
        lambda c: c.output(c.train.model_dir),
        lambda c: c.overlay_dir,
    ):
        assert get(saved).resolve() == get(config).resolve()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_paths_hold_through_links(tmp_path):
    (tmp_path / "far" / "deep" / "project").mkdir(parents=True)
    (tmp_path / "far" / "deep" / "images").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far" / "deep" / "project")
    (tmp_path / "near" / "unet.toml").write_text("[train]\nimages_dir = '../images'\n")
    config = load_config(tmp_path / "near" / "unet.toml")
    save_config(config, tmp_path / "run" / "config.toml")
    saved = load_config(tmp_path / "run")
    assert saved.resolve(saved.train.images_dir).resolve() == tmp_path / "far" / "deep" / "images"


def test_a_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(PathError, match=r"cannot write .*part of its path is a file"):
        save_config(Config(), tmp_path / "run" / "config.toml")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    save_config(Config(), file)
    before = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PathError, match="the disk is full"):
        save_config(Config.model_validate({"train": {"epochs": 1}}), file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
