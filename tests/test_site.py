"""The pages of the site that are made from the code (docs/site)."""

import ast
import doctest
import importlib.util
from pathlib import Path

import pytest

from flexunet.cli import COMMANDS
from flexunet.config.architectures import ARCHITECTURES

SITE = Path(__file__).parents[1] / "docs" / "site"


def load(name):
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_messages_are_read_from_the_source_with_names_in_italics():
    errors = load("error_page")
    assert doctest.testmod(errors).failed == 0
    page = errors.error_page()
    assert "- cannot write mask *path*: the name must end in .png." in page
    assert "| `MaskError` | 2 |" in page
    assert "| `patient-in-two-splits` |" in page


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'a' 'b'", "ab"),
        ("f'{path.name}: {MOST} rows'", "*name*: 9 rows"),
        ("f'{error}'", "*reason*"),
        ("'put [x] in ' + name", None),
        ("'put [x] in ' + 'y'", r"put \[x\] in y"),
    ],
)
def test_a_message_is_what_the_source_says(source, text):
    assert load("error_page").text_of(ast.parse(source, mode="eval").body, {"MOST": 9}) == text


def test_every_command_and_its_options_are_on_the_page():
    page = load("command_page").command_page()
    assert [name for name in COMMANDS if f"## flexunet {name}\n" not in page] == []
    assert "### flexunet config check\n" in page
    assert "| `--patients` | Number of patients; each has four films. | `24` |" in page


def test_published_names_have_their_own_beside_them():
    tables = load("published_tables")
    assert (
        "| `TensorFlowFlexAttentionUNet`, `TensorflowAttentionUNet` | `attention-unet` |"
        in tables.architectures()
    )
    assert tables.architectures().count("\n") == 1 + sum(bool(row.published) for row in ARCHITECTURES)
    assert "| `[tiledinfer] split_size` | width of the model |" in tables.older_defaults()
