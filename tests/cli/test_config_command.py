import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flexunet.cli import app


@pytest.fixture
def files(tmp_path):
    good, told, bad = tmp_path / "good.toml", tmp_path / "told.config", tmp_path / "bad.toml"
    good.write_text("[model]\nnum_layers = 4\n")
    told.write_text("[model]\nnum_layers = [4\n")
    bad.write_text("[model]\nnum_layer = 4\n")
    return good, told, bad


def invoke(*arguments):
    return CliRunner().invoke(app, ["config", *map(str, arguments)])


def process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flexunet", "config", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )


def test_check_names_the_unusable_file_and_exits_2(files):
    good, told, bad = files
    assert invoke("check", good, told).exit_code == 0
    answer = process("check", good, told, bad)
    assert answer.returncode == 2
    assert "2 usable, 1 not" in answer.stderr
    assert "Traceback" not in answer.stderr
    [row] = [line for line in answer.stdout.splitlines() if "bad.toml" in line]
    assert [cell.strip() for cell in row.split("│")[2:4]] == [
        "no",
        "[model] num_layer = 4: there is no key num_layer in [model]; did you mean [model] num_layers?",
    ]


def test_check_strict(files):
    _, told, _ = files
    answer = invoke("check", "--strict", told)
    assert answer.exit_code == 2


def test_check_as_json(files):
    good, told, bad = files
    answer = process("check", "--json", good, told, bad, good.parent / "none.toml")
    assert answer.returncode == 2
    verdicts = json.loads(answer.stdout)
    assert [verdict["usable"] for verdict in verdicts] == [True, True, False, False]
    assert verdicts[1]["notes"] == [
        "line 2: [model] num_layers = [4: not a Python literal; 6 is used instead"
    ]
    assert "did you mean [model] num_layers?" in verdicts[2]["error"]
    assert "no such file or folder" in verdicts[3]["error"]


def test_check_names_folders_that_are_not_on_this_machine_and_refuses_nothing(tmp_path):
    (tmp_path / "data" / "fold_1" / "images").mkdir(parents=True)
    file = tmp_path / "a.toml"
    file.write_text(
        '[train]\nimages_dir = "data/fold_1/images"\nmasks_dir = "data/fold_1/masks"\n'
        '[valid]\nimages_dir = "data/*/images"\nmasks_dir = "data/*/masks"\n'
        '[infer]\nensemble = ["data/fold_1", "elsewhere"]\n'
    )
    answer = process("check", file)
    assert answer.returncode == 0
    assert "1 usable, 0 not; 1 of them without all files and folders on this machine" in answer.stderr
    assert answer.stdout.count("not here: ") == 3
    told = json.loads(process("check", "--json", file).stdout)[0]
    assert told["usable"]
    assert told["missing"] == [
        f"[train] masks_dir = 'data/fold_1/masks': there is nothing at {tmp_path / 'data/fold_1/masks'}",
        f"[valid] masks_dir = 'data/*/masks': there is nothing at {tmp_path / 'data/*/masks'}",
        f"[infer] ensemble = 'elsewhere': there is nothing at {tmp_path / 'elsewhere'}",
    ]
    (tmp_path / "data" / "fold_1" / "masks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    answer = process("check", file)
    assert "not here" not in answer.stdout
    assert answer.stderr.strip() == "1 usable, 0 not"


def test_check_looks_at_the_image_size(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[model]\nimage_width = 500\n")
    answer = invoke("check", "--json", file)
    assert answer.exit_code == 2
    assert "480 or 512" in answer.stdout
    assert invoke("check", "--set", "model.image_width=512", file).exit_code == 0


def test_check_of_every_published_file(reference):
    answer = invoke("check", "--json", *sorted((reference / "configs").glob("*.config")))
    assert answer.exit_code == 2
    verdicts = json.loads(answer.stdout)
    assert len(verdicts) == 58
    refused = [verdict["error"] for verdict in verdicts if not verdict["usable"]]
    assert len(refused) == 3
    assert all("is given twice, in lines" in error for error in refused)


def test_convert(files, tmp_path):
    _, told, _ = files
    answer = invoke("convert", told)
    assert answer.exit_code == 0
    assert answer.stdout.strip() == str(tmp_path / "told.toml")
    assert "# Not carried over: num_layers = [4" in (tmp_path / "told.toml").read_text()
    answer = invoke("convert", "--json", told, tmp_path / "sub" / "x.toml")
    assert json.loads(answer.stdout) == {"source": str(told), "written": str(tmp_path / "sub" / "x.toml")}


def test_convert_of_an_unusable_file_is_one_message(files):
    _, _, bad = files
    answer = process("convert", bad)
    assert answer.returncode == 2
    assert "there is no key num_layer" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_schema():
    answer = invoke("schema")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["properties"]["model"]["$ref"] == "#/$defs/ModelSection"
