"""Export as the commands do it: with progress, and what came of it on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.cli.console import error_console, progress

if TYPE_CHECKING:
    from flexunet.config.schema import Config


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


def export_if_missing(config: Config) -> None:
    """Write the exports that `[infer] engine` predicts with, where they can be had at once and are not there.

    INT8 takes minutes and LiteRT is for other machines: where these are missing, the error says the command.
    """
    engine = config.infer.engine
    if engine not in ("openvino", "onnx"):
        return
    from flexunet.inference.predict.calibration import member_configs
    from flexunet.inference.runtimes.bundle import bundle_folder, has_bundle

    for run in member_configs(config):
        if has_bundle(run, engine):
            continue
        error_console.print(
            f"the run has no export for {engine} yet: writing {bundle_folder(run, engine)} (once)",
            highlight=False,
            soft_wrap=True,
        )
        export_with_progress(run, engine)
