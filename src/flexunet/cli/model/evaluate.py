"""`flexunet evaluate`: how good the model of a run is, on whom, and how sure we are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexunet.cli.console import console, print_notes, progress, say
from flexunet.cli.options import AsJson, Audit, Look, Overrides, Runs, Strict, ensemble_of
from flexunet.cli.scores import print_evaluation

if TYPE_CHECKING:
    from flexunet.evaluation.report.outputs import Evaluation
    from flexunet.evaluation.robustness.run import RobustnessResult
    from flexunet.progress import Progress


def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG", help="A .toml or published .config file, or a run folder."),
    ],
    overrides: Overrides = None,
    split: Annotated[str, typer.Option("--split", help="Split to evaluate: test, valid or train.")] = "test",
    folds: Annotated[
        bool,
        typer.Option(
            "--folds", help="Pool the runs of a cross-validation: several run folders, or one folder of them."
        ),
    ] = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="Run folder or evaluation to compare with.")
    ] = None,
    audit: Audit = None,
    look: Look = True,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="Column of the manifest by which scores are also reported; repeatable."),
    ] = None,
    runs: Runs = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the evaluation, with --folds or --runs.")
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(help="Fit temperature and threshold on the validation split, unless they are fitted."),
    ] = True,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also score the images with noise, blur, other windows, turned, cut; write curves.",
        ),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Number of parallel jobs. Default: one per processor.")
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a trained model: published metrics, and scores with confidence intervals."""
    from flexunet.cli.configuration import open_config
    from flexunet.errors import ConfigError

    if runs and folds:
        raise ConfigError(
            "--folds scores each run on images of its own, --runs all runs together on the images of CONFIG: "
            "give one of them."
        )
    if out and not (runs or folds):
        raise ConfigError("--out goes with --folds or --runs; [evaluate] output_dir is the folder of a run.")
    if runs:
        overrides = [*(overrides or []), ensemble_of(runs), f"evaluate.output_dir={_folder(out)!r}"]
    if by:
        overrides = [*(overrides or []), f"evaluate.subgroups={list(by)!r}"]
    with progress() as shown:
        if folds:
            found = _evaluate_folds(paths, overrides, split, out, jobs, shown)
        elif len(paths) > 1:
            raise ConfigError(
                f"expected one configuration or run, found {len(paths)}. Pool runs with --folds."
            )
        else:
            config = open_config(paths[0], overrides, strict)

            from flexunet.evaluation.leakage import read_audit
            from flexunet.evaluation.run import evaluate as evaluate_run

            found = evaluate_run(
                config,
                split=split,
                against=against,
                audit=read_audit(audit) if audit else None,
                look=look,
                calibrate=calibrate,
                jobs=jobs,
                progress=shown,
            )
        measured = (
            _measure(paths, overrides, split, folds, found, calibrate, jobs, shown) if robustness else None
        )
    print_evaluation(found, subgroups=bool(by), as_json=as_json)
    if measured:
        _print_robustness(measured, as_json)


def _folder(out: Path | None) -> str:
    """Where an ensemble's evaluation is written: beside that of the run whose configuration is used."""
    return out.absolute().as_posix() if out else "evaluation_of_ensemble"


def _evaluate_folds(
    paths: list[Path],
    overrides: list[str] | None,
    split: str,
    out: Path | None,
    jobs: int | None,
    shown: Progress,
) -> Evaluation:
    from flexunet.evaluation.folds import find_folds
    from flexunet.evaluation.run import evaluate_fold_runs

    runs = find_folds(paths)
    folder = out or runs[0].resolve().parent / "evaluation_of_folds"
    return evaluate_fold_runs(runs, overrides or [], split=split, out=folder, jobs=jobs, progress=shown)


def _measure(
    paths: list[Path],
    overrides: list[str] | None,
    split: str,
    folds: bool,
    evaluated: Evaluation,
    calibrate: bool,
    jobs: int | None,
    shown: Progress,
) -> RobustnessResult:
    """Robustness of the runs that were evaluated, written beside their evaluation."""
    from flexunet.config.files import load_config
    from flexunet.evaluation.folds import find_folds
    from flexunet.evaluation.robustness.run import measure_robustness

    runs = find_folds(paths) if folds else paths
    return measure_robustness(
        [load_config(run, overrides or []) for run in runs],
        out=evaluated.folder or Path(),
        split=split,
        calibrate=calibrate,
        jobs=jobs,
        progress=shown,
    )


def _print_robustness(measured: RobustnessResult, as_json: bool) -> None:
    from flexunet.evaluation.robustness.run import PAGE

    print_notes(measured.notes)
    if not as_json:
        from rich.table import Table

        from flexunet.evaluation.robustness.page import summary_rows

        table = Table(title="robustness", title_justify="left")
        rows = summary_rows(measured.document)
        for heading in rows[0]:
            table.add_column(heading)
        for row in rows:
            table.add_row(*row.values())
        console.print(table)
    say(f"robustness: {measured.folder / PAGE}")
