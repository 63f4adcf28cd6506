"""The `flexunet` command: a table of names, one module a command, no logic.

A command's module imports typer and the standard library alone; what it needs it imports when it runs.
So `flexunet --help` answers at once and starts no engine.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from flexunet.cli.cluster import cluster
from flexunet.cli.config import config
from flexunet.cli.console import error_console
from flexunet.cli.data.audit import audit
from flexunet.cli.data.augment import augment
from flexunet.cli.data.convert import convert
from flexunet.cli.data.datasets import datasets
from flexunet.cli.data.derive import derive
from flexunet.cli.data.loop import loop
from flexunet.cli.data.phantom import phantom
from flexunet.cli.data.review import review
from flexunet.cli.data.split import split
from flexunet.cli.data.stats import stats
from flexunet.cli.doctor import doctor
from flexunet.cli.model.compare import compare
from flexunet.cli.model.demo import demo
from flexunet.cli.model.drift import drift
from flexunet.cli.model.evaluate import evaluate
from flexunet.cli.model.export import export
from flexunet.cli.model.import_weights import import_weights
from flexunet.cli.model.infer import infer, tiledinfer
from flexunet.cli.model.infer3d import infer3d
from flexunet.cli.model.init import init
from flexunet.cli.model.inspect import inspect
from flexunet.cli.model.models import models
from flexunet.cli.model.score import score
from flexunet.cli.model.train import train
from flexunet.cli.network.dicom import dicom
from flexunet.cli.network.serve import serve
from flexunet.cli.study.plan_study import plan_study
from flexunet.cli.study.report import report
from flexunet.errors import FlexUNetError, printable, shield_output
from flexunet.version import __version__

# In the order of the work; `--help` lists them so. A sub-command group is a typer.Typer.
COMMANDS: dict[str, Any] = {
    "config": config,
    "phantom": phantom,
    "datasets": datasets,
    "derive": derive,
    "review": review,
    "loop": loop,
    "stats": stats,
    "split": split,
    "augment": augment,
    "convert": convert,
    "audit": audit,
    "init": init,
    "train": train,
    "cluster": cluster,
    "evaluate": evaluate,
    "infer": infer,
    "tiledinfer": tiledinfer,
    "infer3d": infer3d,
    "inspect": inspect,
    "demo": demo,
    "doctor": doctor,
    "models": models,
    "import-weights": import_weights,
    "export": export,
    "serve": serve,
    "dicom": dicom,
    "score": score,
    "compare": compare,
    "plan-study": plan_study,
    "report": report,
    "drift": drift,
}

app = typer.Typer(
    help="Segment mammograms and other medical images from one configuration file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, command in COMMANDS.items():
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flexunet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


class _Stopped(SystemExit):
    """A signal ended the command; the code is the exit code."""


def _end(number: int, _frame: FrameType | None) -> None:
    """End the command as Ctrl-C does: workers are told, locks released, half-written files removed.

    Nothing is printed here: the signal may have come in the middle of a line, and a stream that is being
    written refuses another.
    """
    signal.signal(number, signal.SIG_IGN)
    raise _Stopped(128 + number)


def main() -> None:
    """Run the command line; an error of ours is one message and an exit code, never a traceback."""
    shield_output()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)
    try:
        app(prog_name="flexunet")
    except FlexUNetError as error:
        error_console.print("error:", style="bold red", end=" ")
        error_console.print(printable(str(error)), highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except _Stopped:
        error_console.print("stopped.")
        raise
    except KeyboardInterrupt:
        error_console.print("stopped.")
        sys.exit(130)
