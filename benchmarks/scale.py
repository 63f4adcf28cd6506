"""What a film costs as their number grows: processor time and memory of the commands that see all films.

    python benchmarks/scale.py --films 300 3000

Draws raw phantoms of 320 x 200 pixels with masks and runs the commands one after another, each
in a process of its own with an empty cache of its own: `derive`, `split`, `audit` (whose pictures `split` has
looked at), `audit` again with the cache emptied, `stats`, `score`. Prints for each command the processor
milliseconds a film, and the peak of its memory. Times by the clock depend on what else runs; processor time
hardly does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKER = """
import atexit, resource, sys
from flexunet.cli import main
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print("\\nPEAK", peak(), file=sys.stderr))
main()
"""


def main() -> None:
    """Run all commands for each number of films."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--work", type=Path, help="Folder for the films; a temporary one by default.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        results = {films: measure(Path(work) / str(films), films) for films in arguments.films}
    for films, rows in results.items():
        print(f"\n{films} films")
        print(f"{'command':<16}{'processor ms a film':>21}{'clock s':>9}{'peak MiB':>10}")
        for name, row in rows.items():
            print(f"{name:<16}{row['cpu_ms']:>21.1f}{row['clock_s']:>9.1f}{row['peak_mib']:>10.0f}")
    print(json.dumps(results))


def measure(work: Path, films: int) -> dict[str, dict[str, float]]:
    """Cost of each command on so many films."""
    work.mkdir(parents=True)
    run(work, "phantom", "raw", "--raw", "--patients", str(films // 4), "--width", "320", "--height", "200")
    rows = {
        "derive": run(
            work,
            "derive",
            "raw",
            "derived",
            "--masks",
            "raw_masks",
            "--table",
            "raw_masks/manifest.csv",
            "--width",
            "128",
            "--height",
            "128",
        ),
        "split": run(work, "split", "derived", "split", "--by", "patient"),
        "audit": run(work, "audit", "split"),
    }
    shutil.rmtree(work / "cache")
    rows["audit, no cache"] = run(work, "audit", "split")
    rows["stats"] = run(work, "stats", "split", "--out", "stats")
    rows["score"] = run(
        work, "score", "--truth", "derived/masks", "--prediction", "derived/masks", "--out", "scores"
    )
    return {name: {**row, "cpu_ms": 1000 * row["cpu_s"] / films} for name, row in rows.items()}


def run(work: Path, *arguments: str) -> dict[str, float]:
    """Processor and clock seconds of a command, and the peak of its memory."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-c", WORKER, *arguments],
        cwd=work,
        env=os.environ | {"XDG_CACHE_HOME": str(work / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode not in (0, 1):
        raise SystemExit(f"flexunet {' '.join(arguments)}\n{answer.stdout}\n{answer.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = int(answer.stderr.rsplit("PEAK", 1)[1])
    return {
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "clock_s": time.perf_counter() - began,
        "peak_mib": peak / 1024,
    }


if __name__ == "__main__":
    main()
