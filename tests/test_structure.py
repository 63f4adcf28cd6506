"""The house rules that a reader relies on: which way imports run, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flexunet

SOURCE = Path(flexunet.__file__).parent
ROOMS = [
    "config",
    "data",
    "models",
    "inference",
    "training",
    "evaluation",
    "deployment",
    "serve",
    "review",
]
OUTSIDE = {"errors", "version"}


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "flexunet" and len(parts) > 1 and parts[1] not in OUTSIDE:
                yield parts[1]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = [
        (path.relative_to(SOURCE).as_posix(), found)
        for path in (SOURCE / room).rglob("*.py")
        for found in imported_rooms(path)
        if found not in allowed
    ]
    assert not wrong


def test_the_command_line_starts_without_engine_or_arrays():
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'cv2', 'pydantic', 'matplotlib'}"
    code = f"import sys, flexunet.cli; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_there():
    for name in flexunet.__all__:
        assert getattr(flexunet, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flexunet.no_such_name
