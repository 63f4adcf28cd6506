"""Fit what `[infer]` takes from the run, where the run does not have it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flexunet.cli.console import error_console, progress

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def fit_if_missing(config: Config, engine: str | None = None) -> None:
    """Fit temperature, threshold and post-processing on the validation split, if `[infer]` needs them.

    Nothing is done where they are there, or where there is no validation split: then the error of what needs
    them says what to do.

    Args:
        config: The configuration of a trained run.
        engine: What predicts; none: `[infer] engine`.
    """
    from flexunet.data.configured import pairs_or_none
    from flexunet.inference.predict.decision import lacks_fit

    if not lacks_fit(config) or not pairs_or_none(config, "valid"):
        return

    from flexunet.evaluation.run_calibration import fit_calibration
    from flexunet.inference.predict.calibration import identity_of
    from flexunet.inference.predict.predictor import Predictor

    error_console.print(
        "fitting on the validation split what [infer] takes from the run (once)",
        highlight=False,
        soft_wrap=True,
    )
    with progress() as shown:
        predictor = Predictor.load(config, engine=engine)
        fitted = fit_calibration(config, predictor, weights=identity_of(config), progress=shown)
    if fitted.postprocess is not None:
        error_console.print(
            f"post-processing: {fitted.postprocess.in_words}", highlight=False, soft_wrap=True
        )
