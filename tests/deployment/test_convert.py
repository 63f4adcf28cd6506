"""Conversion in a process of its own, as on engines other than TensorFlow."""

import shutil

import pytest

from flexunet.config.files import load_config
from flexunet.deployment.convert import _convert_in_child


def test_what_lies_in_a_run_is_not_imported_to_convert_it(run, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "keras.py").write_text("raise SystemExit('a module of a stranger was run')")
    monkeypatch.chdir(tmp_path / "run")
    _convert_in_child(load_config(tmp_path / "run"), "saved_model", tmp_path / "saved_model")
    assert (tmp_path / "saved_model" / "saved_model.pb").is_file()
