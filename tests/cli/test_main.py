import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flexunet.cli import COMMANDS, app
from flexunet.extras import install_command
from flexunet.version import __version__


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "flexunet", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_version():
    assert run("--version").stdout == f"flexunet {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def test_help_names_every_command():
    answer = CliRunner().invoke(app, ["--help"])
    assert [command for command in COMMANDS if command not in answer.output] == []


def test_a_missing_file_is_one_message_without_traceback_and_exit_code_2(tmp_path):
    answer = run("train", str(tmp_path / "nowhere.toml"))
    assert answer.returncode == 2
    assert "nowhere.toml" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_a_name_cannot_steer_the_terminal(tmp_path):
    answer = run("infer", str(tmp_path / "a\x1b]0;owned\x07.toml"))
    assert answer.returncode == 2
    assert "\x1b" not in answer.stderr
    assert r"a\x1b]0;owned\x07.toml" in answer.stderr


def test_no_engine_installed_says_which_command_installs_one(tmp_path):
    config = tmp_path / "a.toml"
    config.write_text("[model]\nnum_classes = 2\n")
    code = (
        "import importlib.util as u, sys; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name in ('tensorflow', 'jax', 'torch') else find(name, *a);"
        f"sys.argv = ['flexunet', 'inspect', {str(config)!r}]; from flexunet.cli import main; main()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert install_command("tensorflow") in answer.stderr
    assert "Traceback" not in answer.stderr


def test_brackets_in_what_is_printed_stay(tmp_path):
    folder = tmp_path / "films [bold]"
    answer = run("phantom", str(folder), "--patients", "3", "--width", "64", "--height", "64")
    assert answer.returncode == 0, answer.stderr
    assert str(folder) in answer.stdout


def test_a_shell_completes_commands_and_options():
    # The shell is found among the processes above; tests may run below none.
    named = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = run("--show-completion", "bash", env=named).stdout
    assert "_FLEXUNET_COMPLETE=complete_bash" in script
    assert script.rstrip().endswith(" flexunet")
    words = os.environ | {
        "_FLEXUNET_COMPLETE": "complete_bash",
        "COMP_WORDS": "flexunet inf",
        "COMP_CWORD": "1",
    }
    assert run(env=words).stdout.split() == ["infer", "infer3d"]
    words |= {"COMP_WORDS": "flexunet audit --no", "COMP_CWORD": "2"}
    assert run(env=words).stdout.split() == ["--no-compare", "--no-names"]


@pytest.mark.parametrize("library", ["alembic", "fastapi"])
def test_the_desk_names_the_extra_that_it_lacks(tmp_path, library):
    code = f"import sys; sys.modules[{library!r}] = None\nfrom flexunet.cli import main\nmain()"
    answer = subprocess.run(
        [sys.executable, "-c", code, "review", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert install_command("review") in answer.stderr
    assert "Traceback" not in answer.stderr
