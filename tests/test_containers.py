"""Container files: the parts of the package that they install exist, and nobody is root at run time."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "containers").iterdir())


def instructions(path):
    """Instruction and rest of each line, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [line.split(maxsplit=1) for line in lines]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_extras_exist_and_versions_are_pinned(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installs = [rest for word, rest in instructions(path) if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    extras = re.search(r"/source\[([\w,-]+)\]", installs[0]).group(1).split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert "--constraint /source/constraints.txt" in installs[0]
    assert (ROOT / "constraints.txt").is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_last_user_is_not_root_and_the_command_is_flexunet(path):
    given = instructions(path)
    assert [rest for word, rest in given if word == "USER"][-1] == "1000"
    assert ["ENTRYPOINT", '["flexunet"]'] in given
    after = [word for word, _ in given][[word for word, _ in given].index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & set(after)


def test_what_is_left_out_of_the_image_is_not_needed_to_build_the_package():
    left_out = (ROOT / ".dockerignore").read_text().split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["readme"] not in left_out
    assert not {"src", "pyproject.toml", "constraints.txt", "LICENSE", "*.md"} & set(left_out)
