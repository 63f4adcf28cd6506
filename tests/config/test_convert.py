import shutil
import tomllib

import pytest

from flexunet.config.convert import convert_config, converted_text
from flexunet.config.files import load_config
from flexunet.errors import ConfigError, PathError


def _usable(reference):
    for file in sorted(reference.rglob("*.config")):
        try:
            yield file, load_config(file)
        except ConfigError:
            continue


def test_published_files_mean_the_same_as_toml_and_converting_twice_changes_nothing(reference, tmp_path):
    count = 0
    for file, _ in _usable(reference):
        here = tmp_path / f"{count}.config"
        shutil.copy(file, here)
        config = load_config(here)
        toml = convert_config(here)
        assert toml == tmp_path / f"{count}.toml"
        converted = load_config(toml)
        assert converted == config, file
        assert converted.train.run_dir == "."
        assert not [note for note in converted.notes if note not in _without_lines(config.notes)], file
        first = toml.read_bytes()
        assert convert_config(toml, tmp_path / "again.toml", overwrite=True).read_bytes() == first
        assert convert_config(here).read_bytes() == first
        count += 1
    assert count >= 99


def _without_lines(notes):
    shortened = [note.partition(": ")[2] if note.startswith("line ") else note for note in notes]
    return [note.replace("datasetclass", "class_name").replace('"', "'") for note in shortened]


def test_in_another_folder_paths_mean_what_they_meant(reference, tmp_path):
    for file, config in _usable(reference):
        toml = convert_config(file, tmp_path / "new" / "place" / "unet.toml", overwrite=True)
        converted = load_config(toml)
        for section in ("train", "valid", "test", "infer"):
            text = getattr(config, section).images_dir
            if text:
                new = converted.resolve(getattr(converted, section).images_dir)
                assert new.resolve() == config.resolve(text).resolve()
        assert converted.output("models").resolve() == config.output("models").resolve()
        assert convert_config(toml).read_bytes() == toml.read_bytes()


def test_what_is_not_carried_over_stands_in_comments(tmp_path):
    file = tmp_path / "a.config"
    file.write_text(
        "[model]\nshow_summary = False\nnum_layer = 3\nnum_layers = [4\n[typo]\nx = 1\n"
        "[augmentor]\nangles = [90. 180,\n 270]\n"
    )
    text = converted_text(file, tmp_path)
    # A published run validates by running averages; in TOML that has to be said.
    assert tomllib.loads(text) == {"model": {}, "augmentor": {}, "train": {"statistics_batches": 0}}
    for line in (
        "# Not carried over: show_summary = False  (accepted, has no effect, because `flexunet inspect`",
        "# Not carried over: num_layer = 3  (there is no key num_layer in [model]; did you mean",
        "# Not carried over: num_layers = [4  (not a Python literal; 6 is used instead)",
        "# Not carried over: [typo] x = 1  (there is no section [typo]; ",
        "# Not carried over: angles = [90. 180, 270]  (not a Python literal; [90.0, 180.0, 270.0] is used",
    ):
        assert line in text


def test_toml_keeps_its_comments_and_loses_its_aliases(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text(
        "# mine\n[deformation] # about\nalpah = 900 # strong\n\n"
        "[eval]\nimage_datapath = 'v'\n\n[model]\n# depth\nnum_layers = 4\nshow_summary = true\n"
    )
    config = load_config(file)
    text = converted_text(file, tmp_path)
    assert "# mine" in text
    assert "# depth" in text
    assert "alpah" not in text.split("Not carried over")[0]
    out = convert_config(file, tmp_path / "b.toml")
    assert load_config(out) == config
    assert load_config(out).notes == []
    assert converted_text(out, tmp_path) == out.read_text()


def test_a_clean_toml_comes_out_byte_for_byte(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("# mine\n\n[model]\nnum_layers   =  4 # four\n")
    assert converted_text(file, tmp_path) == file.read_text()


def test_a_file_in_the_way_is_not_overwritten(tmp_path):
    file, out = tmp_path / "a.config", tmp_path / "a.toml"
    file.write_text("[model]\nnum_layers = 4\n")
    out.write_text("# mine\n")
    with pytest.raises(PathError, match="exists and says something else"):
        convert_config(file)
    assert out.read_text() == "# mine\n"
    convert_config(file, overwrite=True)
    assert load_config(out).model.num_layers == 4


def test_an_unusable_file_is_not_converted(tmp_path):
    file = tmp_path / "a.config"
    file.write_text("[model]\nnum_classes = 2\n[mask]\nrgb_map = {(0,0,0): 0, (1,1,1): 1, (2,2,2): 2}\n")
    with pytest.raises(ConfigError):
        convert_config(file)
    assert not (tmp_path / "a.toml").exists()


def test_a_folder_as_target_takes_the_name_of_the_source(tmp_path):
    (tmp_path / "a.config").write_text("[model]\nnum_layers = 4\n")
    (tmp_path / "out").mkdir()
    assert convert_config(tmp_path / "a.config", tmp_path / "out") == tmp_path / "out" / "a.toml"
