"""The pages keep their word: links lead somewhere, shown commands exist and have the options they show."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flexunet.cli import COMMANDS, app
from flexunet.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/RESULTS.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"```(?:sh|bash|console|text)?\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_readme_names_every_command():
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in text and f"flexunet {name}" not in text] == []


def shown_commands():
    for page in PAGES:
        for block in FENCE.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                found = re.match(r"(?:\$ )?flexunet (.*?)(?:\s#.*)?$", line.strip())
                if found and not found.group(1).startswith("-"):
                    yield pytest.param(found.group(1), id=f"{page.name}: {found.group(1)[:40]}")


@pytest.mark.parametrize("shown", list(shown_commands()))
def test_shown_commands_have_the_options_they_are_shown_with(shown):
    words = shlex.split(shown)
    name = words[0]
    assert name in COMMANDS
    sub = words[1:2] if name == "config" else []
    help_text = CliRunner().invoke(app, [name, *sub, "--help"], env={"COLUMNS": "200"}).output
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    assert [option for option in options if option not in help_text] == []


def test_make_has_the_two_commands_of_the_readme():
    text = (ROOT / "README.md").read_text()
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"^make ([a-z]+)", text, re.MULTILINE)
    assert shown == ["demo", "test"]
    assert set(shown) <= set(rules)


def test_contributors_are_sent_to_files_that_exist():
    paths = re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_citation_and_the_changelog_know_the_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()
