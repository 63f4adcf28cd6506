"""Runs that predict together: what they have seen, and what they decide if no image is new to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import pairs_or_none
from flexunet.data.dataset.pairs import Pair
from flexunet.evaluation.leakage import join_facts, shared_origins
from flexunet.inference.predict.calibration import Calibration, identity_of, member_configs
from flexunet.inference.predict.decision import answers, fitted_threshold
from flexunet.inference.predict.postprocess import joint_postprocess

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def may_have_seen(config: Config, pairs: Sequence[Pair]) -> bool:
    """Whether a run of an ensemble was trained on some of these images, or on others of their patients.

    As far as file names and manifests tell; also where the training images of a run are not at hand. No
    where there is no ensemble.
    """
    for run in member_configs(config) if config.infer.ensemble else ():
        training = pairs_or_none(run, "train")
        shared = shared_origins(training, pairs)
        if not training or shared["shared_sources"] or shared["shared_patients"]:
            return True
    return False


def joint_fit(config: Config) -> Calibration | None:
    """The fits of the runs of an ensemble together, each from validation images that its run had not seen.

    The threshold is the mean of theirs, the temperature their geometric mean; for post-processing see
    `joint_postprocess`.

    Returns:
        The fit; None where a run has none, or has another kind of fit than `[infer]` asks for.
    """
    infer = config.infer
    fits = []
    for run in member_configs(config):
        if (fit := _own_fit(config, run)) is None:
            return None
        fits.append(fit)

    def mean(name: str) -> float:
        return float(np.mean([getattr(fit, name) for fit in fits]))

    joint = Calibration(
        split=fits[0].split,
        images=sum(fit.images for fit in fits),
        temperature=float(np.exp(np.mean([np.log(fit.temperature) for fit in fits]))),
        threshold=mean("threshold"),
        log_loss_before=mean("log_loss_before"),
        log_loss_after=mean("log_loss_after"),
        dice_at_half=mean("dice_at_half"),
        dice_at_threshold=mean("dice_at_threshold"),
        weights=identity_of(config),
    )
    if infer.postprocess == "none":
        return joint
    parts = [fit.postprocess for fit in fits if fit.postprocess is not None]
    return replace(joint, postprocess=joint_postprocess(parts, fitted_threshold(infer, joint)))


def runs_without_fit(config: Config) -> list[Config]:
    """The runs of an ensemble that lack a fit of their own, each asking for what the ensemble asks for."""
    asked = {"threshold": config.infer.threshold, "postprocess": config.infer.postprocess}
    missing = [run for run in member_configs(config) if _own_fit(config, run) is None]
    for run in missing:
        run.infer = run.infer.model_copy(update=asked)
    return missing


def _own_fit(config: Config, run: Config) -> Calibration | None:
    """What a run of an ensemble has fitted for itself, if it is fresh and of the kind that is asked for."""
    fit = Calibration.read(run.run_dir)
    fresh = fit is not None and fit.weights == identity_of(run) and answers(config.infer, fit)
    return fit if fresh else None


def leaks_of_runs(config: Config, look: Callable[[Config], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What is known of leaks from the training of a run, or of every run of an ensemble.

    Args:
        config: The configuration that predicts.
        look: What is known of one run, as `look_for_leaks` says it; None for nothing.

    Returns:
        The facts of all runs joined; None if of one of them nothing is known.
    """
    first, *others = [look(run) for run in member_configs(config)]
    for other in others:
        first = None if first is None or other is None else join_facts(first, other)
    return first


def described(config: Config) -> str:
    """What predicts, in words."""
    if not config.infer.ensemble:
        return f"{config.model.model} of {config.run_dir.resolve()}"
    names = [str(run.run_dir.resolve()) for run in member_configs(config)]
    return f"{len(names)} runs together: {', '.join(names)}"
