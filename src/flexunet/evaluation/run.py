"""Evaluate a trained run: published metrics, scores, probability calibration, report, model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.config.files import as_config, load_config
from flexunet.data.configured import color_map, described_validation, open_split, split_pairs
from flexunet.data.dataset.status import is_unchecked
from flexunet.evaluation.folders import comparable, refuse_other_rules
from flexunet.evaluation.folds import evaluate_folds
from flexunet.evaluation.leakage import look_for_leaks
from flexunet.evaluation.report.outputs import (
    Evaluation,
    keep_other_images,
    read_previous,
    write_card,
    write_evaluation,
    write_published,
)
from flexunet.evaluation.run_calibration import calibration_of
from flexunet.evaluation.run_ensemble import described, leaks_of_runs
from flexunet.evaluation.run_predictions import as_written, predictions
from flexunet.evaluation.scores.published import (
    PUBLISHED_METRICS,
    ClassSums,
    empty_crossentropy,
    mean_over_batches,
    published_metric,
)
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.tables.document import PublishedMetric, PublishedMetrics
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.files import find_evaluation, read_tables
from flexunet.evaluation.tables.streaming import score_stream
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.predictor import Predictor
from flexunet.progress import Progress, silent
from flexunet.run_folder import CARD, PUBLISHED_SCORES, SCORES

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config
    from flexunet.training.batches.dataset import Source


def evaluate(
    config: Config | str | Path,
    *,
    split: str = "test",
    model: keras.Model | None = None,
    against: Path | str | None = None,
    audit: dict[str, Any] | None = None,
    look: bool = True,
    calibrate: bool = True,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Evaluate the model of a run and write everything there is to say.

    Writes `evaluation.csv` and `MODEL_CARD.md` into the run folder, `calibration.json` too where it is
    fitted, and report, scores and tables into `[evaluate] output_dir` (for a split other than test, into a
    folder of its name in there). With `[infer] ensemble` its runs are scored together, all files are written
    into the latter, and what is fitted into `calibration_of_ensemble.json` of the run folder.

    Args:
        config: The configuration of the run, its file, or the run folder.
        split: `train`, `valid` or `test`.
        model: The model, where it is already at hand.
        against: Run or evaluation to compare with; the last evaluation of this run by default.
        audit: Summary of the data-set audit, see `verdict.leaking`; by default that of an `audit.json` in the
            data set, if there is one. Names are compared in any case.
        look: Whether the pictures are compared with those of training and validation, about 30 ms an image.
        calibrate: Whether temperature, threshold and, where `[infer]` asks for it, post-processing are fitted
            where the run has none that fit its weights.
        jobs: Threads for reading and scoring.
        progress: Told how far each stage is.

    Returns:
        The evaluation.

    Raises:
        ConfigError: if the configuration names no folder for the split.
        PathError: if the run has no model or a folder is missing.
        DatasetError: if the runs to compare do not fit.

    Examples:
        >>> evaluation = flexunet.evaluate("run")
        >>> evaluation.scores.images, evaluation.scores.patients
        (4, 1)
    """
    config = as_config(config)
    notes: list[str] = []
    pairs = split_pairs(config, split)
    rules = ScoringRules.from_section(config.evaluate, seed=config.train.seed)
    colors = color_map(config)
    predictor = Predictor(model, config) if model is not None else Predictor.load(config, engine="keras")
    together = bool(config.infer.ensemble)
    # Models of several sizes have no batches in common: their published figures are those of the masks.
    published = None if together else published_metrics(config, predictor.model, split)
    calibration = calibration_of(config, predictor, split, calibrate, notes, jobs, progress)
    folder = evaluation_folder(config, split)
    previous = read_previous(folder, rules, notes) if against is None else None
    if against is not None:
        refuse_other_rules(against, rules)
        previous = (Path(against).name, read_tables(find_evaluation(against)))
    gallery = Extremes()
    decision = Decision.of(config.infer, calibration)
    if calibration is not None:
        calibration = replace(calibration, postprocess=decision.postprocess)
    tables = score_stream(
        predictions(config, predictor, pairs, jobs),
        partial(as_written, config, decision),
        colors.num_classes,
        rules,
        jobs=jobs,
        calibration=calibration,
        gallery=gallery,
        progress=progress,
        stage=f"scoring {split} images",
        total=len(pairs),
    )
    unlike = [origin for origin in tables.origins if origin.unlike_training]
    if unlike:
        named = ", ".join(f"{origin.name} ({origin.unlike_training})" for origin in unlike[:5])
        more = f" and {len(unlike) - 5} more" if len(unlike) > 5 else ""
        notes.append(f"{len(unlike)} of {len(pairs)} images are unlike the training images: {named}{more}.")
    title = f"{config.run_dir.resolve().name}, {split} split"
    drafts = sum(is_unchecked(pair.identity.row) for pair in pairs)
    if drafts:
        notes.append(f"{drafts} of {len(pairs)} true masks are drafts that no person has accepted.")
    about = Circumstances(
        truth=str(pairs[0].mask_path.parent.resolve()),
        prediction=described(config)
        + ("" if decision.threshold is None else f", threshold {decision.threshold:g}"),
        color_map=colors,
        split=split,
        patients_known=all(pair.identity.patient_known for pair in pairs),
        published=published,
        calibration=calibration,
        subgroups=config.evaluate.subgroups,
        previous=comparable(previous, tables, notes, demanded=against is not None),
        drafts=drafts,
        audit=leaks_of_runs(
            config,
            lambda run: look_for_leaks(run, split, pairs, audit, look=look, jobs=jobs, progress=progress),
        ),
        environment=_environment(config, predictor),
    )
    scores = make_scores(tables, rules, about)
    home = folder if together else config.run_dir
    beside = (home / PUBLISHED_SCORES, home / CARD) if split == "test" else ()
    keep_other_images(folder, tables, rules, notes, beside)
    write_evaluation(
        folder, scores, tables, gallery, title=title, curves_dir=config.output(config.train.eval_dir)
    )
    if split == "test":
        metrics = {one.name: one.value for one in scores.published.figures}
        write_published(home / PUBLISHED_SCORES, metrics)
        write_card(home / CARD, scores, home.resolve().name, _described(config, predictor))
    return Evaluation(scores, tables, folder, notes)


def published_metrics(config: Config, model: keras.Model, split: str) -> PublishedMetrics:
    """The loss and the first metric as published, and those of an empty prediction."""
    from flexunet.training.batches.feeding import all_pixels
    from flexunet.training.compiling import evaluate_published

    batch_size = config.evaluate.batch_size or config.train.batch_size
    found = evaluate_published(config, model, split)
    source = all_pixels(config, open_split(config, split))
    classes = max(2, config.model.num_classes)
    truth = np.array([_class_counts(source, place, classes) for place in range(len(source))], np.float64)
    sums = ClassSums(truth, truth, truth) if config.model.num_classes > 1 else ClassSums(*[truth[:, 1:]] * 3)
    empty: dict[str, float] = {
        name: mean_over_batches(published_metric(name, sums.empty_prediction()), batch_size)
        for name in PUBLISHED_METRICS
    }
    if config.model.num_classes > 1:
        empty["categorical_crossentropy"] = empty_crossentropy(float(truth[:, 1:].sum() / truth.sum()))
    width, height = config.model.image_width, config.model.image_height
    what = "probabilities" if config.train.crop == "none" else "probabilities of tiles"
    return PublishedMetrics(
        computed_on=f"{what} at {width} x {height} in batches of {batch_size}, as published",
        figures=[
            PublishedMetric(name=name, value=value, empty_prediction=empty.get(name))
            for name, value in found.items()
        ],
    )


def _class_counts(source: Source, place: int, classes: int) -> np.ndarray:
    """Pixels of each class in one image of a source."""
    _, masks = source.read(np.array([place]))
    return np.bincount(masks.ravel(), minlength=classes)[:classes]  # ignored pixels are none of them


def _environment(config: Config, predictor: Predictor) -> dict[str, Any]:
    from flexunet.training.environment import describe_environment

    return describe_environment(config, parameters=_parameters(predictor))


def _parameters(predictor: Predictor) -> int:
    """Weights of all models that predict."""
    return sum(model.count_params() for model in predictor.models)


def _described(config: Config, predictor: Predictor) -> dict[str, str]:
    """The model in words, for its card."""
    model, train = config.model, config.train
    return {
        "architecture": model.model if not config.infer.ensemble else described(config),
        "input": f"{model.image_width} x {model.image_height} pixels, {model.image_channels} channels",
        "classes": str(model.num_classes),
        "parameters": f"{_parameters(predictor):,}",
        "loss": model.loss,
        "training images": str(train.images_dir),
        "validation images": described_validation(config),
        "test images": str(config.test.images_dir),
        "seed": str(train.seed),
    }


def evaluate_fold_runs(
    runs: Sequence[Path],
    overrides: Sequence[str] = (),
    *,
    split: str = "test",
    out: Path,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Pool the runs of a cross-validation; a run not yet evaluated on the split is evaluated first.

    Args:
        runs: Run folders.
        overrides: Settings `section.key=value` for all of them.
        split: Split that each fold holds out.
        out: Folder for the pooled files.
        jobs: Threads.
        progress: Told how far each stage is.

    Returns:
        The evaluation of all folds together.
    """
    folders = []
    configs = [load_config(run, overrides) for run in runs]
    for config in configs:
        folder = evaluation_folder(config, split)
        if not (folder / SCORES).is_file():
            evaluate(config, split=split, jobs=jobs, progress=progress)
        folders.append(folder)
    rules = ScoringRules.from_section(configs[0].evaluate, seed=configs[0].train.seed)
    return evaluate_folds(
        folders,
        color_map(configs[0]),
        rules,
        names=[run.resolve().name for run in runs],
        out=out,
        split=split,
        subgroups=configs[0].evaluate.subgroups,
    )


def evaluation_folder(config: Config, split: str) -> Path:
    """Where the evaluation of a split lies."""
    folder = config.output(config.evaluate.output_dir)
    return folder if split == "test" else folder / split
