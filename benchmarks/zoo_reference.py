"""Every architecture against the published classes, on every engine: one table.

    python benchmarks/zoo_reference.py                       all engines, and the time of an image
    python benchmarks/zoo_reference.py --engines jax torch --no-time

The tests of the reference run on each engine in a process of their own (they compare parameters, order of
weights and outputs, and record how far outputs are off), and `flexunet models --time` says how long an image
of 256 x 256 takes with default keys. It needs the reference data beside the project, as the tests do. A cell
of the engines says "no" and which where a test of that row failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT.parent / "shared" / "reference"
ENGINES = ("tensorflow", "jax", "torch")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1")
FILES = ("test_zoo_reference.py", "test_zoo.py", "test_weights.py")
# Tests whose name is that of the row, and of which the table speaks.
TESTS = "published_ones or recipe or before_its_softmax or wide_grey_image or on_every_engine"


@dataclass
class Row:
    """What the tests of one reference, or of one architecture, came to."""

    parameters: int | None = None
    difference: float | None = None
    passed: dict[str, bool] = field(default_factory=dict)


def run_tests(engine: str, rows: dict[str, Row]) -> None:
    """Run the tests on one engine and add what they recorded."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        files = [str(ROOT / "tests/models" / name) for name in FILES]
        command = [sys.executable, *PYTEST, f"--junitxml={report}", "-k", TESTS, *files]
        subprocess.run(command, env={**os.environ, "KERAS_BACKEND": engine}, cwd=ROOT, check=False)
        for case in ElementTree.parse(report).iter("testcase"):
            found = re.search(r"\[(.*)\]", case.get("name", ""))
            row = rows[found[1] if found else "UNet3Plus"]
            failed = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
            row.passed[engine] = row.passed.get(engine, True) and not failed
            for recorded in case.iter("property"):
                value = recorded.get("value", "")
                if recorded.get("name") == "parameters":
                    row.parameters = int(value)
                elif recorded.get("name") == "difference":
                    row.difference = max(row.difference or 0.0, float(value))


def reference_parameters(name: str) -> int | None:
    """Parameters of the published model; none where an architecture has no reference."""
    if (path := REFERENCE / "zoo" / f"{name}.json").is_file():
        return int(json.loads(path.read_text(encoding="utf-8"))["params"])
    if (path := REFERENCE / "model" / f"{name}.layers.json").is_file():
        return sum(row["params"] for row in json.loads(path.read_text(encoding="utf-8")))
    return None


def seconds_per_image() -> dict[str, float | None]:
    """Seconds of an image of 256 x 256 by the short name of each architecture."""
    command = [sys.executable, "-m", "flexunet", "models", "--time", "--size", "256", "--json"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {model["name"]: model["seconds"] for model in json.loads(said)["models"]}


def short_name(row: str) -> str:
    """The architecture that a row is about."""
    from flexunet.config.architectures import find_architecture
    from flexunet.errors import ConfigError

    stem = row.split("_")[0]
    for name in (row, f"TensorFlowFlex{stem}"):
        try:
            return find_architecture(name).name
        except ConfigError:
            continue
    return "flexunet"


def main() -> None:
    """Run the tests, time the models, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--no-time", action="store_true", help="leave out the seconds of an image")
    options = parser.parse_args()
    rows: dict[str, Row] = defaultdict(Row)
    for engine in options.engines:
        run_tests(engine, rows)
    seconds = {} if options.no_time else seconds_per_image()
    by_architecture: dict[str, list[str]] = defaultdict(list)
    for name in rows:
        by_architecture[short_name(name)].append(name)
    print("\n| model | reference | parameters ours | published | largest difference | engines passed | s |")
    print("|---|---|---:|---:|---:|---|---:|")
    for architecture, names in by_architecture.items():
        for name in sorted(names, key=lambda name: name == architecture):
            row = rows[name]
            if name == architecture and len(names) > 1 and all(row.passed.values()):
                continue  # its forward pass; the rows above say more
            published = reference_parameters(name)
            failed = [engine for engine, passed in row.passed.items() if not passed]
            cells = [
                architecture,
                "-" if name == architecture else name,
                "-" if row.parameters is None else f"{row.parameters:,}",
                "-" if published is None else f"{published:,}",
                "-" if row.difference is None else f"{row.difference:.1e}",
                ", ".join(engine for engine, passed in row.passed.items() if passed)
                + (f"; no: {', '.join(failed)}" if failed else ""),
                f"{seconds[architecture]:.2f}" if seconds.get(architecture) else "-",
            ]
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
