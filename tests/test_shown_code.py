"""What pages show to be typed is understood: commands by the real parser, Python, TOML, paths, make rules."""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

import flexunet
from flexunet.cli import app
from flexunet.config.schema import Config, section_class

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/RESULTS.md", *sorted((ROOT / "docs").glob("*.md"))]
# Fenced blocks with their language, and blocks that are indented, which have none.
FENCED = re.compile(r"(?ms)^ *```(\w*)[^\n]*\n(.*?)^ *```")
INDENTED = re.compile(r"(?m)(?:\A|(?<=\n\n))((?:    [^\n]*\n|\n(?=    ))+)")
INLINE = re.compile(r"`(flexunet [a-z][^`]*)`")
# Words that stand for what a reader puts there.
PLACEHOLDER = re.compile(r"\.\.\.|…")
PARSER = typer.main.get_command(app)


def blocks(page, *languages):
    """Code of a page in one of these languages; indented blocks have the language ''."""
    text = page.read_text(encoding="utf-8")
    found = [(language, code) for language, code in FENCED.findall(text)]
    found += [("", re.sub(r"(?m)^    ", "", code)) for code in INDENTED.findall(FENCED.sub("", text))]
    return [code for language, code in found if language in languages]


def lines_of(code):
    """Lines of a shell block; those that end in a backslash are joined."""
    return [line.strip() for line in re.sub(r"\\\n\s*", " ", code).splitlines()]


def words_of(line):
    """The words of each simple command of a line, without what goes into and out of it."""
    reader = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|;&<>")
    reader.whitespace_split = True
    words, commands = [], []
    for word in reader:
        if set(word) <= set("|;&"):
            commands.append(words)
            words = []
        else:
            words.append(word)
    return [_without_redirection(each) for each in [*commands, words] if each]


def _without_redirection(words):
    places = [place for place, word in enumerate(words) if set(word) <= set("<>")]
    return words[: places[0]] if places else words


def flexunet_words(words):
    """What follows `flexunet` where a command runs it, also through `python -m`, `nice` or with variables."""
    if "flexunet" in words[:8]:
        place = words.index("flexunet")
        before = [word for word in words[:place] if "=" not in word and not word.startswith("-")]
        if not before or before[0] in {"python", "python3", "nice", "srun", "time", "exec", "docker", "do"}:
            return words[place + 1 :]
    return None


def shown():
    """Each command that a page shows, once: its words, and whether it is whole or named in a sentence."""
    for page in PAGES:
        seen = set()
        lines = [
            (line, True)
            for code in blocks(page, "", "sh", "bash", "console", "text")
            for line in lines_of(code)
        ]
        lines += [(line, False) for line in INLINE.findall(page.read_text(encoding="utf-8"))]
        for line, whole in lines:
            if "flexunet " not in line or PLACEHOLDER.search(line):
                continue
            try:
                commands = words_of(re.sub(r"\[(--[^\]]*)\]", r"\1", line))
            except ValueError:  # a drawing or a message, no command line
                continue
            for words in filter(None, map(flexunet_words, commands)):
                if tuple(words) not in seen:
                    seen.add(tuple(words))
                    yield pytest.param(words, whole, id=f"{page.stem}: {' '.join(words)[:50]}")


def test_enough_is_shown_to_be_worth_a_look():
    assert len(list(shown())) > 100


@pytest.mark.parametrize(("words", "whole"), list(shown()))
def test_the_parser_takes_what_is_shown(words, whole):
    """The real parser: options that exist, with values they take. Nothing is run."""
    command, rest = PARSER, words
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    if command is PARSER:
        assert rest[0].startswith("-"), f"no command {rest[0]!r}"
        return
    try:
        command.make_context("flexunet", list(rest))
    except Exception as error:
        if whole or type(error).__name__ not in {"MissingParameter", "BadOptionUsage"}:
            raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_else_is_typed_is_there(page):
    """Rules of the Makefile, extras, scripts and modules of the repository."""
    text = page.read_text(encoding="utf-8")
    rules = set(re.findall(r"(?m)^([a-z-]+)(?: [a-z-]+)*:", (ROOT / "Makefile").read_text()))
    assert [
        rule for rule in re.findall(r"(?m)^make ([a-z-]+)|`make ([a-z-]+)`", text) if not rules & set(rule)
    ] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {each for group in re.findall(r"flexunet\[([a-z,-]+)\]", text) for each in group.split(",")}
    assert named <= set(project["optional-dependencies"])
    scripts = re.findall(r"python3? ((?:benchmarks|docs)/[\w./-]+\.py)", text)
    modules = re.findall(r"python3? -m (flexunet[\w.]*)", text)
    files = [*scripts, *(f"src/{name.replace('.', '/')}" for name in modules)]
    missing = [name for name in files if not ((ROOT / name).exists() or (ROOT / f"{name}.py").exists())]
    assert missing == []


def python_blocks():
    for page in PAGES:
        for number, code in enumerate(blocks(page, "python", "py")):
            yield pytest.param(code, id=f"{page.stem}: {number}")
        for number, code in enumerate(blocks(page, "")):
            if re.match(r"(import|from) \w", code):
                yield pytest.param(code, id=f"{page.stem}: indented {number}")


@pytest.mark.parametrize("code", list(python_blocks()))
def test_python_that_is_shown_compiles_and_names_what_is_there(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "flexunet":
            module = importlib.import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        public = (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "flexunet"
        )
        assert not public or node.attr in flexunet.__all__, node.attr


def toml_blocks():
    for page in PAGES:
        for number, code in enumerate(blocks(page, "toml")):
            yield pytest.param(code, id=f"{page.stem}: {number}")


@pytest.mark.parametrize("code", list(toml_blocks()))
def test_a_configuration_that_is_shown_has_keys_that_exist(code):
    for section, keys in tomllib.loads(code).items():
        if section in {"project", "build-system"}:  # of a pyproject.toml
            continue
        if not isinstance(keys, dict):  # a key alone, whose section the sentence names
            assert any(section in section_class(each).model_fields for each in Config.model_fields), section
            continue
        assert section in Config.model_fields
        allowed = section_class(section).model_config.get("extra") == "allow"
        assert allowed or set(keys) <= set(section_class(section).model_fields)
