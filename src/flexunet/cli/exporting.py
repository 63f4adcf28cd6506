"""Export as the commands do it: with progress, and what came of it on standard error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.cli.console import error_console, progress, say
from flexunet.errors import FlexUNetError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# Below so many images no model in use makes an export pay, and nothing is timed.
_FEWEST_IMAGES = 30


def export_with_progress(
    config: Config, form: str, *, out: Path | None = None, int8: bool = False, force: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Export a run, print the parity report; the folder and the summary."""
    from flexunet.inference.runtimes.bundle import new_export_folder

    new_export_folder(config, form, int8=int8, out=out)  # refusals before an engine is started

    from flexunet.deployment.export import export_bundle
    from flexunet.deployment.parity_table import parity_table

    with progress() as shown:
        export = export_bundle(config, form, int8=int8, out=out, force=force, progress=shown)
    if export.report is not None:
        error_console.print(parity_table(export.report), highlight=False, soft_wrap=True)
    return export.bundle.folder, export.summary()


def export_if_missing(config: Config, count_images: Callable[[], int] | None = None) -> None:
    """Write the exports that `[infer] engine` predicts with, where they can be had at once and are not there.

    For "auto" one is written where that takes less time than it saves. INT8 takes minutes and LiteRT is for
    other machines: where these are missing, the error says the command.

    Args:
        config: The configuration of a trained run.
        count_images: Says how many images are to be predicted; none: "auto" writes no export.
    """
    engine = config.infer.engine
    if engine == "auto":
        if count_images is not None:
            _export_if_it_pays(config, count_images)
    elif engine in ("openvino", "onnx"):
        _export_missing(config, engine, "the run has no export for {engine} yet: writing {folder} (once)")


def _export_missing(config: Config, engine: str, reason: str) -> None:
    from flexunet.inference.predict.calibration import member_configs
    from flexunet.inference.runtimes.bundle import bundle_folder, has_bundle

    for run in member_configs(config):
        if not has_bundle(run, engine):
            say(reason.format(engine=engine, folder=bundle_folder(run, engine)))
            export_with_progress(run, engine)


def _export_if_it_pays(config: Config, count_images: Callable[[], int]) -> None:
    from flexunet.inference.predict.engine_choice import choose_engine

    if not choose_engine(config).may_export or config.infer.ensemble:
        return
    images = count_images()
    if images < _FEWEST_IMAGES:
        return

    from flexunet.deployment.worth import time_export

    worth = time_export(config, images)
    if not worth.pays:
        return
    reason = (
        f"{images} images would take about {worth.keras_s:.0f} s in Keras; an export to {{engine}} is "
        f"written in about {worth.export_s:.0f} s and saves about {worth.saved_s:.0f} s: writing {{folder}} "
        "(once; --engine keras does without)"
    )
    try:
        _export_missing(config, "openvino", reason)
    except FlexUNetError as error:
        say(f"the run has no export, and is predicted by Keras: {error}")
