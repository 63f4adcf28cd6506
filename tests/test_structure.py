"""The house rules: which way imports run, how big folders are, what importing costs."""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import flexunet

SOURCE = Path(flexunet.__file__).parent

# Data flows one way: a room imports only from rooms before it.
ROOMS = [
    "config",
    "data",
    "models",
    "inference",
    "training",
    "planning",
    "evaluation",
    "deployment",
    "serve",
    "review",
    "clinic",
    "reporting",
    "programs",
    "cli",
]
# Within a room the wings do the same. A module that stands beside the wings is held by the test of circles.
WINGS = {
    "data": [
        "dicom",
        "volumes",
        "images",
        "dataset",
        "annotations",
        "collections",
        "copies",
        "cache",
        "augment",
        "phantom",
        "derive",
        "split",
        "statistics",
        "audit",
    ],
    "models": ["layers", "zoo", "weights"],
    "inference": ["runtimes", "predict", "outputs", "volumes"],
    "training": ["batches", "objectives", "optimizer", "checkpoint", "processes", "follow"],
    "evaluation": ["scores", "tables", "summary", "charts", "report", "robustness", "drift"],
    "review": ["sources", "store", "pictures", "readings", "tools", "exports", "results", "loop", "web"],
    "programs": ["jobs"],
    "cli": ["data", "model", "study", "network"],
}
# Modules at the top that any room may import; they import each other and nothing else of the package.
FOUNDATION = {
    "cluster",
    "curves",
    "errors",
    "extras",
    "files",
    "journal",
    "locks",
    "machine",
    "membership",
    "progress",
    "run_folder",
    "svg",
    "version",
    "workers",
}
ENGINES = {"keras", "tensorflow", "jax", "torch"}
MOST_MODULES = 15


def module_name(path):
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCE.rglob("*.py")}


def imported_names(path):
    """Each (module, name) that a file imports, wherever in the file; the name is None for a whole module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, None) if whole in MODULES else (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None


IMPORTS = {
    name: {found for found, _ in imported_names(path) if found in MODULES and found != name}
    for name, path in MODULES.items()
}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def wing_of(module):
    """`flexunet.data.images.files` is in `data.images`; a module beside the wings stands for itself."""
    return ".".join(module.split(".")[1:3])


def circles(graph):
    """Groups of nodes that import each other, by Tarjan's algorithm."""
    index, lowest, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], index[other])
        if lowest[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_every_folder_is_a_known_room_and_wing():
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert rooms == set(ROOMS)
    for room in ROOMS:
        wings = {path.parent.name for path in (SOURCE / room).glob("*/__init__.py")}
        assert wings == set(WINGS.get(room, [])), room
    top = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert top <= FOUNDATION


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(room):
    allowed = {"", *FOUNDATION, *ROOMS[: ROOMS.index(room) + 1]}
    wrong = [
        (module, found)
        for module, imports in IMPORTS.items()
        if room_of(module) == room
        for found in imports
        if room_of(found) not in allowed
    ]
    assert not wrong


def test_the_foundation_imports_nothing_of_the_rooms_at_run_time():
    wrong = []
    for name in FOUNDATION & {path.stem for path in SOURCE.glob("*.py")}:
        code = f"import sys, flexunet.{name}; print([m for m in sys.modules if m.startswith('flexunet.')])"
        loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        wrong += [module for module in ast.literal_eval(loaded.stdout) if room_of(module) not in FOUNDATION]
    assert not wrong


@pytest.mark.parametrize("room", WINGS)
def test_a_wing_imports_only_from_wings_before_it(room):
    order = [f"{room}.{wing}" for wing in WINGS[room]]
    wrong = [
        (module, found)
        for module, imports in IMPORTS.items()
        if wing_of(module) in order
        for found in imports
        if wing_of(found) in order and order.index(wing_of(found)) > order.index(wing_of(module))
    ]
    assert not wrong


def test_no_circle_of_files():
    assert not circles(IMPORTS)


def test_no_circle_of_wings():
    graph = defaultdict(set)
    for module, imports in IMPORTS.items():
        for found in imports:
            # The first line of a package is not part of its wings.
            if wing_of(module) != wing_of(found) and found != f"flexunet.{room_of(found)}":
                graph[wing_of(module)].add(wing_of(found))
    assert not circles(graph)


def test_no_module_imports_a_private_name_of_another():
    wrong = [
        (module, found, name)
        for module, path in MODULES.items()
        for found, name in imported_names(path)
        if found in MODULES and name and name.startswith("_") and not name.startswith("__")
    ]
    assert not wrong


def passed_on(path):
    """Names that a module has from others of the package and does not define; a package is a door and may."""
    if path.name == "__init__.py":
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for found, name in imported_names(path) if found in MODULES and name} - defined


def test_a_name_is_imported_from_the_module_that_defines_it():
    elsewhere = {module: passed_on(path) for module, path in MODULES.items()}
    wrong = [
        (module, found, name)
        for module, path in MODULES.items()
        for found, name in imported_names(path)
        if name in elsewhere.get(found, ())
    ]
    assert not wrong


def test_no_engine_under_data():
    wrong = [
        (module, found)
        for module, path in MODULES.items()
        if room_of(module) in {"config", "data"}
        for found, _ in imported_names(path)
        if found.split(".")[0] in ENGINES
    ]
    assert not wrong


def test_folders_stay_small():
    sizes = defaultdict(int)
    for path in MODULES.values():
        sizes[path.parent.relative_to(SOURCE).as_posix()] += path.name != "__init__.py"
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_tests_mirror_the_house():
    """A folder of tests bears the name of a room or a wing; two cross them, one for a real scheduler."""
    tests = Path(__file__).parent
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    outside = {Path(), Path("end_to_end"), Path("cluster")}
    assert not [folder for folder in folders - outside if not (SOURCE / folder / "__init__.py").is_file()]


def test_the_command_line_starts_without_engine_or_arrays():
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'cv2', 'pydantic', 'matplotlib'}"
    code = f"import sys, flexunet.cli; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_there():
    for name in flexunet.__all__:
        assert getattr(flexunet, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flexunet.no_such_name
