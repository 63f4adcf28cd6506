"""`flexunet split`: train, valid and test that share no source and no patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexunet.cli.colors import ColorsFrom, RgbMap, chosen_masks
from flexunet.cli.console import console, print_json, print_notes, progress
from flexunet.cli.options import AsJson
from flexunet.errors import counted

if TYPE_CHECKING:
    from flexunet.data.split.plan import SplitPlan


def split(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Folder of images and masks, or a data set to split again.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the data set.")],
    ratios: Annotated[str, typer.Option(help="Shares of train, valid and test.")] = "0.8,0.15,0.05",
    by: Annotated[
        str,
        typer.Option(
            metavar="patient|source|file|official",
            help="Unit of which all images go to one split; official: as the publisher split them.",
        ),
    ] = "source",
    stratify: Annotated[
        str,
        typer.Option(
            help="Property that is balanced over the splits: lesion-area, class, a manifest column, or none."
        ),
    ] = "lesion-area",
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 137,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Number of cross-validation folds, written to OUT/fold_1 ... OUT/fold_K."
        ),
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Split of others, made again: a CSV of image and split (and fold), our folds.csv, or "
            "nnU-Net's splits_final.json.",
        ),
    ] = None,
    accept_leakage: Annotated[
        bool,
        typer.Option(
            "--i-accept-leakage",
            help="Allow --by file, an official split, and --splits, to separate images of one patient.",
        ),
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Write hard links instead of copies of the files.")
    ] = False,
    patient_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Pattern whose group `patient`, or first group, is the patient in the name of the source.",
        ),
    ] = None,
    unknown_patients: Annotated[
        bool,
        typer.Option(
            "--i-know-patients-are-unknown",
            help="Allow --by patient with unknown patients; each source then counts as a patient.",
        ),
    ] = False,
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="Compare the pictures, to find copies with other names.")
    ] = True,
    merge_copies: Annotated[
        bool, typer.Option("--merge-copies", help="Keep copies that were found by comparison in one split.")
    ] = False,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Allow drafts that no person has checked.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the split, and write nothing.")] = False,
    config_path: ColorsFrom = None,
    rgb_map: RgbMap = None,
    as_json: AsJson = False,
) -> None:
    """Split a data set into train, valid and test, keeping copies and patients together."""
    from flexunet.data.dataset.identity import patient_pattern as compiled
    from flexunet.data.split.folds import FoldPlan, plan_folds, write_folds
    from flexunet.data.split.given import plan_given
    from flexunet.data.split.official import OFFICIAL
    from flexunet.data.split.plan import parse_ratios, plan_split
    from flexunet.data.split.split_file import read_split_file
    from flexunet.data.split.write import write_split
    from flexunet.errors import ConfigError

    if splits and (folds is not None or by != "source"):
        raise ConfigError("--splits says which image goes where: leave out --by and --folds.")
    if folds is not None and by == OFFICIAL:
        raise ConfigError("--folds makes splits of its own: choose --by patient, source or file.")
    given = read_split_file(splits) if splits else None
    shares = parse_ratios(ratios)
    with progress() as shown:
        plan = plan_split(
            source,
            ratios=(1, 0) if given else shares,
            by="patient" if given else by,
            stratify=stratify,
            seed=seed,
            accept_leakage=accept_leakage,
            patients=compiled(patient_pattern) if patient_pattern else None,
            accept_unknown_patients=unknown_patients or given is not None,
            masks=chosen_masks(config_path, rgb_map),
            look=look or merge_copies,
            merge_copies=merge_copies,
            drafts=drafts,
            progress=shown,
        )
        if given:
            fold_plan = plan_given(plan, given, accept_leakage=accept_leakage)
        else:
            fold_plan = plan_folds(plan, folds, shares, seed) if folds is not None else FoldPlan([plan])
        plans, notes = fold_plan.folds, fold_plan.notes
        in_folds = given.has_folds if given else folds is not None
        if in_folds and not dry_run:
            write_folds(fold_plan, out, link=link, progress=shown)
        elif not in_folds:
            notes = [*notes, *_few_tested(plans[0])]
            if not dry_run:
                write_split(plans[0], out, link=link, progress=shown)
    print_notes(notes)
    if as_json:
        tables = [{"fold": i, "splits": _rows(p)} for i, p in enumerate(plans, 1)]
        print_json({"out": str(out), "by": plans[0].by, "folds": tables, "notes": notes})
        return
    for number, each in enumerate(plans, 1):
        _print_table(each, f"fold {number}" if in_folds else "")
    written = "nothing written (--dry-run)" if dry_run else f"in {out}"
    images = counted(len(plans[0].items), "image with mask", "images with masks")
    console.print(f"{images}, {written}", highlight=False, soft_wrap=True)


def _few_tested(plan: SplitPlan) -> list[str]:
    """A note where the test split is so small that its score proves nothing."""
    from flexunet.data.split.split_images import UNITS
    from flexunet.errors import counted
    from flexunet.evaluation.summary.verdict import FEWEST_PATIENTS

    tested = next((row.groups for row in plan.table() if row.split == "test"), None)
    if plan.by not in UNITS or tested is None or tested >= FEWEST_PATIENTS:
        return []
    return [
        f"test has {counted(tested, plan.by)}, and a score of fewer than {FEWEST_PATIENTS} proves nothing: "
        "give it a larger share (the last number of --ratios), or have each one tested once (--folds 5)."
    ]


def _rows(plan: SplitPlan) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(row) for row in plan.table()]


def _print_table(plan: SplitPlan, title: str) -> None:
    from rich.table import Table

    from flexunet.data.split.split_images import UNITS

    table = Table(title=title or None, title_justify="left")
    units = f"{plan.by}s" if plan.by in UNITS else "patients"
    for heading in ("split", "images", units):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    for heading in ("wanted", "reached", "deviation"):
        table.add_column(heading, justify="right")
    strata = sorted({name for row in plan.table() for name in row.strata})
    if len(strata) > 1:
        table.add_column("by stratum", justify="right")
        table.caption = f"strata: {', '.join(strata)}"
    for row in plan.table():
        counts = [" / ".join(str(row.strata.get(name, 0)) for name in strata)] if len(strata) > 1 else []
        table.add_row(
            row.split,
            str(row.images),
            str(row.groups),
            f"{row.wanted:.1%}",
            f"{row.reached:.1%}",
            f"{row.deviation:+.1%}",
            *counts,
        )
    console.print(table)
