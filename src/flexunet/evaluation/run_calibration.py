"""Fit temperature, threshold and post-processing of a run on its validation split, or take what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flexunet.data.configured import pairs_or_none, split_pairs
from flexunet.data.dataset.pairs import Pair
from flexunet.errors import DatasetError, InputError
from flexunet.evaluation.calibration_fit import CalibrationFit
from flexunet.evaluation.postprocess_fit import PostprocessFit
from flexunet.evaluation.run_ensemble import joint_fit, may_have_seen, runs_without_fit
from flexunet.evaluation.run_predictions import predictions
from flexunet.inference.predict.calibration import (
    Calibration,
    fit_name,
    identity_of,
    refuse_test,
    stored_fit,
)
from flexunet.inference.predict.decision import answers, fitted_threshold, uses_fit
from flexunet.inference.predict.postprocess import Postprocess
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config


_WITHOUT = "the scored masks go without what [infer] takes from the run"


def calibration_of(
    config: Config,
    predictor: Predictor,
    split: str,
    wanted: bool,
    notes: list[str],
    jobs: int | None,
    progress: Progress,
) -> Calibration | None:
    """What is stored in the run if it fits the weights, else a new fit on the validation split."""
    if split == "valid":
        notes.append(
            "temperature, threshold and post-processing are fitted on this split, so they are not applied to "
            "it"
        )
        return None
    weights = _identity(config)
    stored = stored_fit(config)
    if stored is not None and stored.weights == weights and answers(config.infer, stored):
        return stored
    if not wanted:
        if uses_fit(config.infer):
            notes.append(f"nothing is fitted for the run: {_WITHOUT}")
        return None
    try:
        return fit_calibration(config, predictor, weights=weights, jobs=jobs, progress=progress)
    except InputError as error:
        notes.append(f"no temperature or threshold was fitted: {error}")
        if uses_fit(config.infer):
            notes.append(_WITHOUT)
        return None


def fit_calibration(
    config: Config,
    predictor: Predictor,
    *,
    split: str = "valid",
    weights: str = "",
    jobs: int | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Fit temperature, threshold and what else `[infer]` asks for on validation; store it in the run.

    Args:
        config: The configuration of the run.
        predictor: Its model.
        split: Split to fit on; `test` is refused.
        weights: What the fit belongs to, as `identity_of` gives it.
        jobs: Threads for reading.
        progress: Told how far each stage is.

    Returns:
        What was fitted; for an ensemble of which a run was trained on these images, or perhaps was, what its
        runs fit each for itself, together.

    Raises:
        DatasetError: if the split is `test`, or holds images of the test split.
        InputError: if the split cannot be read.
    """
    refuse_test(split, "calibration")
    pairs = split_pairs(config, split)
    held_out = {pair.image_path.resolve() for pair in pairs_or_none(config, "test")}
    if any(pair.image_path.resolve() in held_out for pair in pairs):
        raise DatasetError(
            "the validation split holds images of the test split, and what is fitted on test makes its "
            "scores untrue. Give [valid] a folder of its own."
        )
    if may_have_seen(config, pairs):
        calibration = _fit_of_runs(config, jobs, progress)
        calibration.write(config.run_dir, fit_name(config))
        return calibration
    fit = CalibrationFit(split, seed=config.train.seed)
    for done, prediction in enumerate(predictions(config, predictor, pairs, jobs), start=1):
        if prediction.probabilities is not None:
            fit.add(prediction.truth, prediction.probabilities)
        progress(f"fitting on {split} images", done, len(pairs))
    calibration = fit.fit(weights)
    if config.infer.postprocess == "run":
        calibration = replace(
            calibration,
            postprocess=_fit_postprocess(config, predictor, split, pairs, calibration, jobs, progress),
        )
    calibration.write(config.run_dir, fit_name(config))
    return calibration


def _fit_of_runs(config: Config, jobs: int | None, progress: Progress) -> Calibration:
    """What the runs of an ensemble fit, each for itself on its own validation images, together.

    Raises:
        InputError: if a run has no validation split of its own.
    """
    for run in runs_without_fit(config):
        fit_calibration(run, Predictor.load(run), weights=identity_of(run), jobs=jobs, progress=progress)
    if (joint := joint_fit(config)) is None:
        raise DatasetError(f"{config.source}: the runs of the ensemble have no fit of their own in common.")
    return joint


def _fit_postprocess(
    config: Config,
    predictor: Predictor,
    split: str,
    pairs: Sequence[Pair],
    calibration: Calibration,
    jobs: int | None,
    progress: Progress,
) -> Postprocess:
    """What helps masks of the threshold that was just fitted, or is configured: a second look at the images.

    The images are predicted again: their probabilities would not fit into memory.
    """
    threshold = fitted_threshold(config.infer, calibration)
    fit = PostprocessFit(split, config.model.num_classes, threshold)
    for done, prediction in enumerate(predictions(config, predictor, pairs, jobs), start=1):
        if prediction.probabilities is not None:
            fit.add(prediction.truth, mask_of(prediction.probabilities, threshold))
        progress(f"fitting post-processing on {split} images", done, len(pairs))
    return fit.fit()


def _identity(config: Config) -> str:
    try:
        return identity_of(config)
    except InputError:
        return ""  # a model given in memory
