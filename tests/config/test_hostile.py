"""Configurations that were damaged, made to harm, or saved in another code page: one message, and soon."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.errors import ConfigError, InputError

PUBLISHED = "[model]\nmodel = 'TensorFlowFlexUNet'\n[train]\n; {0}\nimages_dir = './{1}/train/images'\n"


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("int.toml", "[model]\nnum_classes = " + "9" * 5000, "hundreds of digits"),
        ("hex.toml", "[model]\nnum_classes = 0x" + "f" * 5000, "hundreds of digits"),
        ("list.toml", "[train]\nimages_dir = [[0x" + "f" * 5000 + "]]", "hundreds of digits"),
        ("nest.toml", "[model]\nx = " + "[" * 20000, "nested too deeply"),
        ("dots.toml", ".".join("a" * 30_000) + " = 1", "nested too deeply"),
        ("dots.toml", "[" + ".".join("a" * 30_000) + "]", "nested too deeply"),
        ("lines.config", "[model]\n" + "\\\n" * 100_000, "more than 30,000 lines"),
        ("lines.config", "[model]\n" + "  x\n" * 100_000, "more than 30,000 lines"),
        ("nul.toml", '[train]\nrun_dir = "./a\\u0000b"', "NUL"),
        ("nul.toml", '[train]\nmetrics = ["a", "b\\u0000"]', "NUL"),
        ("long.toml", "[model]\n" + "# remark\n" * 200_000, "more than 1,048,576 bytes"),
        ("long.config", "[model]\n" + "; remark\n" * 200_000, "more than 1,048,576 bytes"),
    ],
)
def test_one_message_names_the_file(tmp_path, name, content, word):
    with pytest.raises(ConfigError, match=word) as caught:
        load_config(written(tmp_path, name, content))
    assert name in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000, "-" * 5000 + "1"])
def test_a_value_that_cannot_be_read_becomes_the_default_with_a_note(tmp_path, value):
    config = load_config(written(tmp_path, "a.config", f"[model]\nnum_layers = {value}\n"))
    assert config.model.num_layers == 6
    assert any("num_layers" in note for note in config.notes)


def test_many_unknown_keys_are_all_named(tmp_path):
    keys = "".join(f"key{number} = {number}\n" for number in range(20000))
    config = load_config(written(tmp_path, "a.config", "[model]\nimage_widht = 64\n" + keys))
    assert "did you mean [model] image_width" in " ".join(config.notes)
    assert sum("there is no key key" in note for note in config.notes) == 20000


def test_blanks_without_end_are_read_once(tmp_path):
    text = "[model]\nfoo = 'x'\n  a" + " " * 100_000 + "b\nnum_layers = 4\n"
    assert load_config(written(tmp_path, "a.config", text)).model.num_layers == 4


@pytest.mark.parametrize("encoding", ["cp932", "gbk", "euc_kr"])
def test_a_comment_in_another_code_page_does_no_harm(tmp_path, encoding):
    text = PUBLISHED.format({"cp932": "学習表示", "gbk": "训练", "euc_kr": "훈련"}[encoding], "ds")
    config = load_config(written(tmp_path, "a.config", text.encode(encoding)))
    assert config.train.images_dir == "./ds/train/images"


@pytest.mark.parametrize(
    ("encoding", "folder"), [("cp932", "乳房表示"), ("gbk", "数据集"), ("euc_kr", "유방")]
)
def test_a_path_in_another_code_page_is_refused_with_the_remedy(tmp_path, encoding, folder):
    with pytest.raises(ConfigError, match=r"line 5 is neither UTF-8 nor Latin-1.*Save the file as UTF-8"):
        load_config(written(tmp_path, "a.config", PUBLISHED.format("x", folder).encode(encoding)))
    config = load_config(written(tmp_path, "b.config", PUBLISHED.format("x", folder).encode("utf-8-sig")))
    assert config.train.images_dir == f"./{folder}/train/images"


def test_a_path_of_latin_1_letters_is_read(tmp_path):
    text = PUBLISHED.format("übung", "Aufnahmen_für_Ärzte")
    config = load_config(written(tmp_path, "a.config", text.encode("latin-1")))
    assert config.train.images_dir == "./Aufnahmen_für_Ärzte/train/images"


def test_escape_sequences_do_not_reach_the_terminal(tmp_path):
    path = written(tmp_path, "a.config", "[model]\n\x1b[31mfoo\x9b = 1\n")
    said = CliRunner().invoke(app, ["config", "check", str(path)], env={"COLUMNS": "300"}).output
    assert "\\x1b[31mfoo\\x9b" in said
    assert "\x1b" not in said
    assert "\x9b" not in said


@given(st.binary(max_size=400), st.sampled_from([".toml", ".config"]))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        load_config(path)
    except InputError as error:
        assert path.name in str(error)  # noqa: PT017
