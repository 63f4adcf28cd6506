import json
import os
import subprocess
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.extras import ENGINES, install_command, installed_engines
from flexunet.programs.installation import look_at_installation, missing_of


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages whose metadata are known: `film` asks for `lens` and more in its extra `dark`."""
    for name, version, lines in [
        (
            "film",
            "1.0",
            [
                "Requires-Dist: numpy",
                "Requires-Dist: lens>=2; extra == 'dark'",
                "Requires-Dist: lens[tube]; extra == 'long'",
                "Requires-Dist: no-such-package; extra == 'dark'",
                "Requires-Dist: other; sys_platform == 'nowhere' and extra == 'dark'",
                "Provides-Extra: dark",
                "Provides-Extra: long",
            ],
        ),
        ("lens", "1.5", ["Requires-Dist: no-such-tube; extra == 'tube'", "Provides-Extra: tube"]),
    ]:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        (folder / "METADATA").write_text("\n".join([*head, *lines]) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_what_an_extra_lacks_is_named_with_the_version_that_would_fit(packages):
    assert missing_of("film", "dark") == ["lens 1.5 (needs >=2)", "no-such-package"]
    assert missing_of("film", "long") == ["no-such-tube"]
    assert missing_of("film", "none") == []


def test_each_installed_engine_is_told_with_its_version():
    installation = look_at_installation(start=False)
    assert [engine.name for engine in installation.engines] == list(ENGINES)
    versions = {engine.name: engine.version for engine in installation.engines}
    assert {name for name, version in versions.items() if version} == set(installed_engines())
    if versions["jax"]:
        assert versions["jax"] == metadata.version("jax")
    assert not installation.problems
    assert sum(engine.chosen for engine in installation.engines) == 1


def test_the_engine_that_commands_use_is_started_and_tells_its_devices(monkeypatch):
    engine = os.environ.get("KERAS_BACKEND") or installed_engines()[0]
    monkeypatch.setattr("flexunet.programs.installation.ENGINES", (engine,))
    (state,) = look_at_installation().engines
    assert state.problem == ""
    assert any("cpu" in device.lower() for device in state.devices)
    assert "bfloat16" in state.precision or "float" in state.precision


def test_an_engine_that_is_not_there_is_a_problem_with_its_cure(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    answer = CliRunner().invoke(app, ["doctor", "--no-start"])
    assert answer.exit_code == 1
    assert "KERAS_BACKEND is 'theano'" in answer.stdout
    assert "unset it" in answer.stdout


def test_the_doctor_needs_no_engine(tmp_path):
    """Where no engine can be imported, the doctor says so instead of failing as other commands do."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        f"hidden = {ENGINES!r}\n"
        "importlib.util.find_spec = lambda name, *more: None if name in hidden else find(name, *more)\n"
        "sys.modules.update(dict.fromkeys([*hidden, 'keras']))\n"
    )
    paths = [str(tmp_path), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("KERAS_BACKEND", None)
    answer = subprocess.run(
        [sys.executable, "-m", "flexunet", "doctor", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1, answer.stderr
    document = json.loads(answer.stdout)
    assert document["problems"] == [
        f"no engine is installed, so nothing can be trained or predicted: {install_command('tensorflow')}"
    ]
