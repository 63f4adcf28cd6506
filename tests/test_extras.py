"""Optional libraries that are missing are named with the command that installs them."""

import json
import shlex
import sys

import pytest
from packaging.requirements import Requirement

from flexunet.errors import ConfigError, EngineError
from flexunet.extras import import_extra, install_command, is_installed


@pytest.fixture
def installed_from(tmp_path, monkeypatch):
    """Lay a FlexUNet before the one that runs, installed from an index, or from what pip notes of it."""

    def lay(origin=None):
        folder = tmp_path / "site" / "flexunet-0.1.0.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: flexunet\nVersion: 0.1.0\n")
        if origin:
            (folder / "direct_url.json").write_text(json.dumps(origin))
        monkeypatch.syspath_prepend(str(folder.parent))

    return lay


def told_to_install(extra):
    """The words that a shell makes of the command, after `pip install`."""
    pip, install, *words = shlex.split(install_command(extra))
    assert (pip, install) == ("pip", "install")
    return words


def test_from_an_index_an_extra_is_installed_by_name(installed_from):
    installed_from()
    assert told_to_install("review") == ["flexunet[review]"]


def test_from_a_clone_an_extra_is_installed_from_that_folder(installed_from, tmp_path):
    clone = tmp_path / "my clone"
    clone.mkdir()
    installed_from({"url": clone.as_uri(), "dir_info": {"editable": True}})
    assert told_to_install("review") == ["--editable", f"{clone}[review]"]
    installed_from({"url": clone.as_uri(), "dir_info": {}})
    assert told_to_install("review") == [f"{clone}[review]"]


def test_from_a_folder_that_is_gone_the_name_is_left(installed_from, tmp_path):
    installed_from({"url": (tmp_path / "gone").as_uri(), "dir_info": {"editable": True}})
    assert told_to_install("review") == ["flexunet[review]"]


def test_from_a_wheel_or_a_repository_that_one_is_named(installed_from, tmp_path):
    wheel = tmp_path / "flexunet-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed_from({"url": wheel.as_uri(), "archive_info": {}})
    assert told_to_install("dicom") == [f"{wheel}[dicom]"]
    installed_from(
        {"url": "https://example.org/flexunet.git", "vcs_info": {"vcs": "git", "commit_id": "1234abc"}}
    )
    [word] = told_to_install("dicom")
    wanted = Requirement(word)
    assert (wanted.name, wanted.extras) == ("flexunet", {"dicom"})
    assert wanted.url == "git+https://example.org/flexunet.git@1234abc"


def test_what_is_there_is_imported():
    import json

    assert import_extra("json", "math", extra="none") is json


def test_what_is_missing_is_named_with_its_command(installed_from):
    installed_from()
    with pytest.raises(EngineError) as caught:
        import_extra("no_such_library", extra="onnx")
    assert str(caught.value) == 'no_such_library is missing. Install it with: pip install "flexunet[onnx]".'


def test_whoever_needs_it_is_the_subject(installed_from):
    installed_from()
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
        'pip install "flexunet[mlflow]", or set it to false.'
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
