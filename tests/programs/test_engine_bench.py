"""Engines timed on steps of a configuration; the answer is kept, and named where it helps."""

import json

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config
from flexunet.programs.engine_bench import faster_engine, time_engines

KEYS = """
[model]
image_width = 16
image_height = 16
image_channels = 1
num_layers = 2
base_filters = 4
base_kernels = [3, 3]

[train]
batch_size = 2
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small configuration, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "small.toml").write_text(KEYS)
    return tmp_path / "small.toml"


def test_an_engine_is_timed_in_a_process_of_its_own(source, tmp_path):
    times = time_engines(load_config(source), source, ["model.num_classes=3"], engines=["tensorflow"])
    assert {each.engine for each in times} == {"tensorflow"}
    assert all(each.seconds for each in times)
    assert all(each.problem == "" for each in times)
    assert times == sorted(times, key=lambda each: each.seconds)
    [kept] = (tmp_path / "cache/flexunet/engines").iterdir()
    assert json.loads(kept.read_text())[0]["seconds"] == times[0].seconds


def test_what_fails_says_why(source, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # one precision is enough to fail in
    times = time_engines(load_config(source), source, ["model.num_layers=9"], engines=["tensorflow"])
    assert times
    assert all(each.seconds is None and "num_layers" in each.problem for each in times)


def keep(source, tmp_path, **seconds):
    """An answer as `time_engines` keeps it."""
    time_engines(load_config(source), source, engines=[])
    [kept] = (tmp_path / "cache/flexunet/engines").iterdir()
    rows = [{"engine": engine, "precision": "float32", "seconds": value} for engine, value in seconds.items()]
    kept.write_text(json.dumps(sorted(rows, key=lambda row: row["seconds"])))
    return kept


def test_a_faster_engine_is_named(source, tmp_path):
    config = load_config(source)
    assert faster_engine(config, "tensorflow") is None  # nothing was timed
    kept = keep(source, tmp_path, tensorflow=3.0, torch=2.0, jax=2.9)
    note = faster_engine(config, "tensorflow")
    assert "torch made a step 1.5 times as fast as tensorflow" in note
    assert "KERAS_BACKEND=torch" in note
    assert faster_engine(config, "torch") is None
    config.model.base_filters = 8  # another model may have another answer
    assert faster_engine(config, "tensorflow") is None
    kept.write_text("damaged")
    assert faster_engine(load_config(source), "tensorflow") is None


def test_a_difference_that_is_noise_is_not_named(source, tmp_path):
    keep(source, tmp_path, tensorflow=1.1, torch=1.0)
    assert faster_engine(load_config(source), "tensorflow") is None


def test_the_command_names_the_file_that_is_missing(tmp_path):
    answer = CliRunner().invoke(app, ["doctor", "--bench", str(tmp_path / "none.toml")])
    assert answer.exit_code != 0
    assert "none.toml" in f"{answer.output}{answer.exception}"
