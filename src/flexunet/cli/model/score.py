"""`flexunet score`: predicted masks against true ones; no model, no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.colors import RgbMap, chosen_masks
from flexunet.cli.console import progress
from flexunet.cli.options import AsJson, Audit, Look, Ray
from flexunet.cli.scores import print_evaluation


def score(
    truth: Annotated[Path, typer.Option("--truth", help="Folder of true masks.")],
    prediction: Annotated[
        Path, typer.Option("--prediction", help="Folder of predicted masks, named like the true ones.")
    ],
    rgb_map: RgbMap = None,
    config_path: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration whose mask colours and scoring rules are used."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html, scores.json and the CSV files.")
    ] = None,
    readers: Annotated[
        list[Path] | None,
        typer.Option(
            "--readers",
            help="Folder of masks of the same images by one more reader, beside that of --truth; repeatable. "
            "Shows how far readers agree beside the scores of the prediction.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of the images, for the overlays of the report.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            help="Manifest with patients and pixel spacing: manifest.csv, or the folder of the data set.",
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option("--spacing", help="Pixel spacing in mm, height and width: 0.07 or 0.07,0.08."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="Column of the manifest by which scores are also reported; repeatable."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Run folder or evaluation to compare with.")
    ] = None,
    against_run: Annotated[
        Path | None,
        typer.Option(
            "--against-run",
            metavar="RUN",
            help="Run whose training images must not be among those scored: looks for leaks.",
        ),
    ] = None,
    audit: Audit = None,
    look: Look = True,
    empty_masks: Annotated[
        str | None,
        typer.Option(
            "--empty-masks",
            help="Dice of an image without lesion in truth and prediction: exclude, one or zero.",
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match", help="Rule that makes a predicted lesion a detection: iou, overlap or centre."
        ),
    ] = None,
    lesion_iou: Annotated[
        float | None, typer.Option("--lesion-iou", help="Minimum IoU for a detection.")
    ] = None,
    min_lesion_pixels: Annotated[
        int | None,
        typer.Option(
            "--min-lesion-pixels",
            help="Minimum size of a lesion, in pixels; smaller ones are ignored in truth and prediction.",
        ),
    ] = None,
    bootstrap: Annotated[
        int | None,
        typer.Option("--bootstrap", help="Number of bootstrap samples per interval; 0 for no intervals."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Number of parallel jobs. Default: one per processor.")
    ] = None,
    ray: Ray = None,
    as_json: AsJson = False,
) -> None:
    """Score a folder of predicted masks against a folder of true masks."""
    from flexunet.cli.configuration import open_config
    from flexunet.data.images.spacing import parse_spacing
    from flexunet.evaluation.folders import score_folders
    from flexunet.evaluation.leakage import read_audit
    from flexunet.evaluation.scores.rules import ScoringRules

    section = open_config(config_path).evaluate if config_path else None
    rules = ScoringRules.from_section(
        section,
        empty_masks=empty_masks,
        lesion_match=match,
        lesion_iou=lesion_iou,
        min_lesion_pixels=min_lesion_pixels,
        bootstrap_samples=bootstrap,
    )
    with progress() as shown:
        found = score_folders(
            truth,
            prediction,
            masks=chosen_masks(config_path, rgb_map),
            rules=rules,
            images=images,
            manifest=manifest,
            readers=readers or (),
            spacing=parse_spacing(spacing, "--spacing") if spacing else None,
            subgroups=by or (section.subgroups if section else ()),
            against=against,
            audit=read_audit(audit) if audit else None,
            run=open_config(against_run) if against_run else None,
            look=look,
            out=out,
            jobs=jobs,
            ray=ray,
            progress=shown,
        )
    print_evaluation(found, subgroups=bool(by), as_json=as_json)
