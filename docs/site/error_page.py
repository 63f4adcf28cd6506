"""The page of errors and remedies, made from the source: `python docs/site/error_page.py` prints it.

Nothing of it is kept in a file, so it cannot be older than the code.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

import flexunet
from flexunet import errors
from flexunet.data.audit.kinds import KINDS

SOURCE = Path(flexunet.__file__).parent
AREAS = {
    "config": "Configuration",
    "data": "Data",
    "models": "Models and weights",
    "inference": "Inference",
    "training": "Training",
    "planning": "A configuration by init",
    "evaluation": "Evaluation",
    "deployment": "Export",
    "serve": "Serving",
    "review": "Review desk",
    "clinic": "DICOM network and DICOMweb",
    "programs": "Demo, doctor and several processes",
    "cli": "Command line",
}
HEAD = """\
# Errors and remedies

Every error that FlexUNet raises on purpose says what was expected, what was found and what to do. Search this
page for a few words of the message. *Words in italics* stand for names and numbers of your own. The page is
made from the source of this version.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | something failed, or the audit found an error that makes a score untrue |
| 2 | the input cannot be used |
| 130, 143 | stopped by Ctrl-C, by SIGTERM |
"""


def exceptions() -> dict[str, type[Exception]]:
    """The exception classes of `flexunet.errors` by name."""
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.FlexUNetError)
    }


def text_of(node: ast.expr, constants: dict[str, object]) -> str | None:
    """A message as written in the source, with values in asterisks; none if it is put together elsewhere.

    Args:
        node: The argument of an exception.
        constants: Values of the names in capitals of its module.

    >>> text_of(ast.parse("f'{path} has {len(rows)} of {MOST} rows'", mode="eval").body, {"MOST": 7})
    '*path* has *…* of 7 rows'
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return escaped(node.value)
    if isinstance(node, ast.JoinedStr):
        values = (part.value if isinstance(part, ast.FormattedValue) else part for part in node.values)
        return "".join(
            escaped(value.value if isinstance(value, ast.Constant) else constants[value.id])
            if isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in constants)
            else f"*{name_of(value)}*"
            for value in values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left, constants), text_of(node.right, constants)
        return left + right if left is not None and right is not None else None
    return None


def name_of(node: ast.expr) -> str:
    """The name of a value in a message, or dots."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "…"
    return "reason" if name in {"error", "reason"} else name.strip("_").replace("_", " ")


def escaped(text: object) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_<>\[\]|{}#])", r"\\\1", str(text)).replace("\n", " ")


def constants_of(module: ast.Module) -> dict[str, object]:
    """Names in capitals that a module gives a number or a text."""
    return {
        node.targets[0].id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def messages() -> dict[str, dict[str, set[str]]]:
    """Messages by room and exception class."""
    known = exceptions()
    told: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0]
        module = ast.parse(path.read_text(encoding="utf-8"))
        constants = constants_of(module)
        for node in ast.walk(module):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            name = node.exc.func.id if isinstance(node.exc.func, ast.Name) else ""
            text = text_of(node.exc.args[0], constants) if name in known else None
            if text and re.search(r"[A-Za-z]{3}", re.sub(r"\*[^*]+\*", "", text)):
                told[room if room in AREAS else "programs"][name].add(text)
    return told


def error_page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD, "## Kinds of errors", "| class | exit code | meaning |\n|---|---|---|"]
    parts[-1] += "".join(
        f"\n| `{name}` | {kind.exit_code} | {(kind.__doc__ or '').splitlines()[0]} |"
        for name, kind in exceptions().items()
    )
    told = messages()
    for room, title in AREAS.items():
        if room not in told:
            continue
        parts.append(f"## {title}")
        for name in sorted(told[room]):
            parts.append(f"### {title}: {name}")
            parts.append("\n".join(f"- {text}" for text in sorted(told[room][name], key=str.lower)))
    parts.append("## Audit findings")
    parts.append("`flexunet audit` gives each finding with its files and a remedy ([audit](audit.md)).")
    rows = [f"| `{code}` | {title} | {why} |" for code, (title, why) in KINDS.items()]
    parts.append("\n".join(["| code | finding | why it matters |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(error_page())
