"""The pages keep their word: links lead somewhere, and what they name is there."""

import re
from pathlib import Path

import pytest

import flexunet
from flexunet.cli import COMMANDS
from flexunet.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/RESULTS.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    made = {"commands.md", "errors.md"}  # by the site (docs/site/hooks.py)
    targets = [
        target for target in LINK.findall(page.read_text()) if "://" not in target and target not in made
    ]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_readme_names_every_command():
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in text and f"flexunet {name}" not in text] == []


def test_every_page_is_in_the_navigation_of_the_site():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]))
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages - listed == set()
    made = {"commands.md", "errors.md", "configs/ready.md"}
    assert sorted(name for name in listed - pages - made if not (ROOT / name).is_file()) == []


def test_the_page_of_all_public_names_has_them_all():
    named = re.findall(r"^::: flexunet\.(\w+)", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert sorted([*named, "__version__"]) == sorted(flexunet.__all__)


def test_the_readme_is_read_in_ten_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_make_has_the_two_commands_of_the_readme():
    text = (ROOT / "README.md").read_text()
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"^make ([a-z]+)", text, re.MULTILINE)
    assert shown == ["demo", "test"]
    assert set(shown) <= set(rules)


def test_continuous_integration_and_hooks_call_what_is_there():
    rules = set(re.findall(r"(?m)^([a-z-]+)(?: [a-z-]+)*:", (ROOT / "Makefile").read_text()))
    called = re.findall(r"(?m)^make(?: -\S+)* ([a-z]+)", (ROOT / ".ci/run").read_text())
    assert len(called) >= 5
    assert set(called) <= rules
    workflow = (ROOT / ".github/workflows/checks.yml").read_text()
    assert "run: .ci/run" in workflow
    assert set(re.findall(r"-m flexunet (\w+)|bin/flexunet (\w+)", workflow)) <= {
        pair for name in COMMANDS for pair in ((name, ""), ("", name))
    }
    tools = re.findall(r"entry: \.venv/bin/(\w+)", (ROOT / ".pre-commit-config.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert [tool for tool in tools if f'"{tool}>=' not in project] == []


def test_contributors_are_sent_to_files_that_exist():
    paths = re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_citation_and_the_changelog_know_the_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()
