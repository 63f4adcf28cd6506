"""Conversion in a process of its own, as of large models and on engines other than TensorFlow."""

import shutil

import pytest

from flexunet.config.files import load_config
from flexunet.deployment import convert
from flexunet.deployment.convert import _convert_in_child
from flexunet.deployment.export import export_bundle
from flexunet.errors import EngineError


def test_what_lies_in_a_run_is_not_imported_to_convert_it(run, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "keras.py").write_text("raise SystemExit('a module of a stranger was run')")
    monkeypatch.chdir(tmp_path / "run")
    _convert_in_child(load_config(tmp_path / "run"), "saved_model", tmp_path / "saved_model")
    assert (tmp_path / "saved_model" / "saved_model.pb").is_file()


def test_a_conversion_that_is_killed_is_an_error_of_ours(config, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "_LARGE_MODEL", 0)
    monkeypatch.setattr(convert, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EngineError, match=r"to onnx was killed by signal 9, .* short of memory"):
        export_bundle(config, "onnx", out=tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_large_model_is_converted_in_a_process_of_its_own(config, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "_LARGE_MODEL", 0)
    monkeypatch.setattr(convert, "_convert_here", None)
    export = export_bundle(config, "onnx", out=tmp_path / "onnx")
    assert export.report["largest_difference"] < 1e-4
