"""Optional libraries that are missing are named with the command that installs them."""

import sys

import pytest

from flexunet.errors import ConfigError, EngineError
from flexunet.extras import import_extra, is_installed


def test_what_is_there_is_imported():
    import json

    assert import_extra("json", "math", extra="none") is json


def test_what_is_missing_is_named_with_its_command():
    with pytest.raises(EngineError) as caught:
        import_extra("no_such_library", extra="onnx")
    assert str(caught.value) == "no_such_library is missing. Install it with: pip install 'flexunet[onnx]'."


def test_whoever_needs_it_is_the_subject():
    with pytest.raises(ConfigError) as caught:
        import_extra(
            "json",
            "no_such_library.part",
            extra="mlflow",
            needed_by="[train] mlflow = true",
            error=ConfigError,
            otherwise=", or set it to false",
        )
    assert str(caught.value) == (
        "[train] mlflow = true needs no_such_library, which is missing. Install it with: "
        "pip install 'flexunet[mlflow]', or set it to false."
    )


def test_a_library_that_does_not_load_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise ImportError('libx.so.3: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match=r"is missing \(libx\.so\.3: cannot open\)"):
        import_extra("broken_library", extra="onnx")
    sys.modules.pop("broken_library", None)


def test_looking_for_a_library_does_not_import_it(tmp_path, monkeypatch):
    (tmp_path / "quiet_library.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert is_installed("quiet_library")
    assert not is_installed("no_such_library")
