"""`flexunet augment`: write a data set with copies of its training images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexunet.cli.console import console, print_json, print_notes, progress
from flexunet.cli.options import AsJson, Overrides, Strict


def augment(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATASET]",
            help="Folder with train, valid and test, or images and masks. Default: [dataset] dataset_dir.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="New folder. Default: [dataset] augmented_dir.")
    ] = None,
    config_path: Annotated[
        Path,
        typer.Option(
            "--config", metavar="FILE", help="Configuration of the operations and their parameters."
        ),
    ] = ...,  # type: ignore[assignment]
    splits: Annotated[
        str, typer.Option(help="Splits whose images are augmented, separated by commas.")
    ] = "train",
    accept_leakage: Annotated[
        bool, typer.Option("--i-accept-leakage", help="Also write copies of validation and test images.")
    ] = False,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Allow drafts that no person has checked.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel jobs.")] = 1,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Draw the copies of the first image, or what [random_transform] may draw of it, into this "
            "file, and write no data set.",
        ),
    ] = None,
    overrides: Overrides = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Write a data set with augmented copies of its training images."""
    from flexunet.cli.configuration import open_config
    from flexunet.data.augment.run import augment

    config = open_config(config_path, overrides, strict)
    dataset = dataset or config.resolve(config.dataset.dataset_dir)
    if preview:
        from flexunet.data.augment.preview import write_preview

        write_preview(dataset, preview, config)
        what = "random changes" if config.random_transform.enabled else "every copy"
        console.print(f"picture of {what}: {preview}", highlight=False, soft_wrap=True)
        return
    out = out or config.output(config.dataset.augmented_dir)
    chosen = [split.strip() for split in splits.split(",") if split.strip()]
    with progress() as shown:
        done = augment(
            dataset,
            out,
            config,
            splits=chosen,
            accept_leakage=accept_leakage,
            drafts=drafts,
            jobs=jobs,
            progress=shown,
        )
    print_notes(done.notes)
    if as_json:
        print_json(
            {
                "out": str(done.out),
                "originals": done.originals,
                "copies": done.copies,
                "files": len(done.rows),
                "finished_before": done.finished_before,
            }
        )
        return
    for split, count in done.originals.items():
        console.print(f"{split or 'images':<18}{count:>7} originals")
    for operation, count in done.copies.items():
        console.print(f"{operation:<18}{count:>7} copies")
    before = f" ({done.finished_before} originals were finished before)" if done.finished_before else ""
    console.print(
        f"{len(done.rows)} images with masks in {done.out}{before}", highlight=False, soft_wrap=True
    )
