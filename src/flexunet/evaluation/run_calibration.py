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
from flexunet.evaluation.run_ensemble import joint_fit, members_without_fit, trained_on
from flexunet.evaluation.run_predictions import predictions
from flexunet.inference.predict.calibration import (
    Calibration,
    fit_name,
    identity_of,
    refuse_test,
    stored_fit,
)
from flexunet.inference.predict.decision import answers, fitted_threshold
from flexunet.inference.predict.postprocess import Postprocess
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config


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
        return None
    try:
        return fit_calibration(config, predictor, weights=weights, jobs=jobs, progress=progress)
    except InputError as error:
        notes.append(f"no temperature or threshold was fitted: {error}")
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
        What was fitted; for an ensemble of which a run was trained on these images, what its runs have fitted
        each for itself, together.

    Raises:
        DatasetError: if the split is `test`, or holds images of the test split, or such an ensemble's runs
            have fitted nothing.
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
    if seen := trained_on(config, pairs):
        calibration = _fit_of_runs(config, seen)
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


def _fit_of_runs(config: Config, seen: Sequence[str]) -> Calibration:
    """What the runs of an ensemble have fitted, each for itself: these have seen the validation images.

    Raises:
        DatasetError: if a run has fitted nothing.
    """
    if (joint := joint_fit(config)) is not None:
        return joint
    missing = members_without_fit(config)
    raise DatasetError(
        f"{', '.join(seen)} of the ensemble saw the validation images in training, so nothing can be fitted "
        "on them for all. The mean of what each run has fitted for itself would do, and "
        f"{', '.join(missing)} has not: run `flexunet evaluate {missing[0]}`"
        + (" --set infer.postprocess=run" if config.infer.postprocess == "run" else "")
        + " first."
    )


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
