"""Arguments and options that commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A .toml or published .config file, or a run folder.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Set a key of the configuration; repeatable."),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="Time that training may take, such as 30m or 2h: steps are timed on this machine.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a .config file with unknown keys or unreadable values.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="auto (default: an export of the run that predicts the same, else keras), keras, openvino, "
        "openvino-int8, onnx, onnx-int8 or litert; openvino and onnx write an export first if there is none.",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on a Ray cluster: auto, local, or host:port of its head node.",
    ),
]
Audit = Annotated[
    Path | None,
    typer.Option("--audit", help="File written by `flexunet audit --json` for this data set."),
]
Look = Annotated[
    bool,
    typer.Option(
        "--look/--no-look",
        help="Compare the pictures with those of training and validation, about 30 ms an image; without "
        "that nobody knows whether the test set leaks.",
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Option(
        "--runs",
        help="Run folder whose model predicts instead of that of CONFIG; repeat it, or name a folder of "
        "runs, to average several.",
    ),
]


def each_run(runs: Iterable[str | Path]) -> list[Path]:
    """The runs meant by paths; a folder that is none stands for those inside it."""
    from flexunet.run_folder import RUN_CONFIG, runs_in

    return [
        member
        for run in map(Path, runs)
        for member in ([run] if (run / RUN_CONFIG).is_file() else runs_in(run) or [run])
    ]


def ensemble_of(runs: Iterable[str | Path]) -> str:
    """The setting that makes runs predict together; a folder that is none stands for those inside it."""
    return f"infer.ensemble={[run.absolute().as_posix() for run in each_run(runs)]!r}"
