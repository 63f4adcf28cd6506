"""Accuracy on real mammograms: train and test the folds of a committed split, and keep every figure.

    python benchmarks/accuracy/run.py tissue                      # the recipe of the table, all folds
    python benchmarks/accuracy/run.py tissue --arm batch --folds 1 --set model.normalization_layer="'batch'"
    python benchmarks/accuracy/run.py tissue --arm init --init --budget 13m    # what `flexunet init` writes
    python benchmarks/accuracy/run.py finding --arm init --init --budget 30m --i-accept-audit-errors
    python benchmarks/accuracy/run.py tissue --arm batch --validation-only     # test images are not looked at
    python benchmarks/accuracy/run.py tissue --ablation      # each arm of arms.toml, in small
    python benchmarks/accuracy/run.py lesions --share 20     # a fifth of the training images
    python benchmarks/accuracy/run.py lesions --folds 1 --test-on mini_mias_512 csaw_s_1024   # other sources
    python benchmarks/accuracy/run.py lesions --with-source csaw_s_1024      # other sources in training
    python benchmarks/accuracy/run.py tissue --arm all --with-validation     # validation images train too
    python benchmarks/accuracy/run.py tissue --arm all --with-validation --ensemble 137 138   # together
    python benchmarks/accuracy/run.py tissue --arm all --with-validation --ensemble 137 138 --joined-by batch
    python benchmarks/accuracy/run.py tissue --arm drafts --with-drafts mini_mias_512         # self-training

A table is a data set of ../shared/data, its split file (folds/NAME.csv: fold, split, image) and a recipe
of configs/. Each fold appends a row to ledger.csv: what ran, on what, for how long, and the figures. `look`
counts how often the ledger has seen the test images of that fold. Without --validation-only, the pooled
scores of all folds are printed at the end with their intervals (patients resampled). Runs lie in --work, one
folder an arm. `minutes` are by the clock, `processor_minutes` of the processor: where other programs run
beside a training, the second is the fairer figure.

An ablation trains each arm of arms.toml on folds 1 to 3, fold k with seed 136 + k, and looks at validation
images alone; all arms see the same images, first weights aside.

Self-training: the run of --teacher of the same fold and seed drafts masks for the films of another set
(`flexunet derive --masks-from`), whose own masks are not used; drafts and images of the split train together,
about half of each. The teacher has not seen the test images of the fold either.

The split files were dealt by `flexunet split --folds 5 --seed 0`. `flexunet split DATASET OUT --splits
benchmarks/accuracy/folds/NAME.csv` makes the same folds as data sets.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import flexunet
from flexunet.config.schema import Config
from flexunet.data.configured import color_map
from flexunet.data.images.files.header import image_size
from flexunet.data.split.split_file import read_split_file
from flexunet.evaluation.folds import evaluate_folds
from flexunet.evaluation.run import evaluate_fold_runs
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.document import Scores

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEDGER = HERE / "ledger.csv"
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Table:
    """A data set, how it is split, and the recipe that is compared.

    Attributes:
        dataset: Folder below the data.
        recipe: File in configs/.
        by: What the folds keep together.
    """

    dataset: str
    recipe: str
    by: str


TABLES = {
    "tissue": Table("ddsm_tissue", "tissue.toml", "image, as Tiryaki and Kaplanoglu (2022)"),
    "lesions": Table("cdd_cesm", "lesions.toml", "patient"),
    "finding": Table("mini_mias_512", "lesions.toml", "patient; circles, normal films included"),
}
ABLATION_FOLDS = (1, 2, 3)
COLUMNS = [
    *(
        "date",
        "commit",
        "table",
        "arm",
        "fold",
        "seed",
        "settings",
        "engine",
        "precision",
        "processor",
        "cores",
    ),
    *("minutes", "epochs", "best_epoch", "valid_dice", "test_dice", "test_dice_low", "test_dice_high"),
    *("class_dice", "sensitivity_at_1_fp", "images", "look", "processor_minutes"),
]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", nargs="?", choices=TABLES)
    parser.add_argument("--arm", default="recipe", help="Name of what is tried.")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--seed", type=int, default=137)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings")
    parser.add_argument("--recipe", type=Path, help="Another configuration than that of the table.")
    parser.add_argument("--init", action="store_true", help="Let `flexunet init` write the configuration.")
    parser.add_argument("--budget", help="With --init: the time that training may take.")
    parser.add_argument(
        "--i-accept-audit-errors",
        action="store_true",
        help="With --init: plan though the audit found errors (finding: a circle lies outside the breast).",
    )
    parser.add_argument("--validation-only", action="store_true", help="Do not look at test images.")
    parser.add_argument("--ablation", nargs="*", metavar="ARM", help="Arms of arms.toml; all without a name.")
    parser.add_argument("--share", type=int, metavar="PERCENT", help="Use a part of the training images.")
    parser.add_argument("--with-source", nargs="+", default=[], metavar="DATASET", help="Train on them too.")
    parser.add_argument("--with-drafts", metavar="DATASET", help="Train on drafts of its films too.")
    parser.add_argument("--teacher", default="recipe", metavar="ARM", help="Arm whose runs draft.")
    parser.add_argument(
        "--with-validation",
        action="store_true",
        help="Train on validation images too. They still choose the epoch, which then says little.",
    )
    parser.add_argument("--ensemble", type=int, nargs="+", metavar="SEED", help="Test trained runs together.")
    parser.add_argument(
        "--joined-by", nargs="+", default=[], metavar="ARM", help="Arms whose runs join an --ensemble."
    )
    parser.add_argument("--test-on", nargs="+", default=[], metavar="DATASET", help="Test on other sources.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=Path("/tmp/flexunet-accuracy"))
    arguments = parser.parse_args()
    if arguments.ablation is not None and arguments.table:
        run_ablation(arguments)
    elif arguments.table and arguments.test_on:
        test_on_sources(arguments)
    elif arguments.table and arguments.ensemble:
        test_ensemble(arguments)
    elif arguments.table:
        run_table(arguments)
    else:
        parser.error("name a table")


def run_table(arguments: argparse.Namespace) -> None:
    """Train, and unless told otherwise test, each fold of an arm."""
    runs = []
    for fold in arguments.folds:
        config, row = train_fold(arguments, fold)
        if not arguments.validation_only:
            scores = flexunet.evaluate(config).scores
            row |= figures(scores) | {"look": looks(arguments.table, fold) + 1}
            runs.append(run_folder(arguments, fold))
        append(row)
        print({name: row[name] for name in COLUMNS if row.get(name) not in (None, "")}, flush=True)
    if len(runs) > 1:
        pooled = evaluate_fold_runs(runs, out=runs[0].parent / "pooled").scores
        row = described(arguments, "pooled", config) | figures(pooled)
        append(row)
        print(pooled.foreground.dice_per_image_mean, f"in {runs[0].parent / 'pooled'}")


def test_ensemble(arguments: argparse.Namespace) -> None:
    """Test the runs of several seeds of one or more arms together, fold by fold and pooled."""
    seeds, runs = arguments.ensemble, []
    arms = [arguments.arm, *arguments.joined_by]
    for fold in arguments.folds:
        members = []
        for arm in arms:
            for seed in seeds:
                member = copy.copy(arguments)
                member.arm, member.seed = arm, seed
                members.append(run_folder(member, fold).resolve().as_posix())
        arguments.seed = seeds[0]
        name = "-and-".join([variant(arguments), *(re.sub(r"[^\w-]+", "_", arm) for arm in arms[1:])])
        together = run_folder(arguments, fold).resolve().parents[1] / f"{name}-ensemble"
        row_of = copy.copy(arguments)
        joined = "".join(f", those of {arm} too" for arm in arms[1:])
        row_of.settings = [f"seeds {' '.join(map(str, seeds))} together{joined}", *arguments.settings]
        config = flexunet.load_config(
            run_folder(arguments, fold),
            [
                *arguments.settings,
                f"infer.ensemble={members!r}",
                f"evaluate.output_dir={(together / f'fold_{fold}').as_posix()!r}",
            ],
        )
        scores = flexunet.evaluate(config).scores
        row = described(row_of, fold, config) | figures(scores)
        row |= {"look": looks(arguments.table, fold) + 1}
        append(row)
        print({name: row[name] for name in COLUMNS if row.get(name) not in (None, "")}, flush=True)
        runs.append(together / f"fold_{fold}")
    if len(runs) > 1:
        pooled = evaluate_folds(
            runs,
            color_map(config),
            ScoringRules.from_section(config.evaluate, seed=seeds[0]),
            names=[run.name for run in runs],
            out=together / "pooled",
            split="test",
        ).scores
        append(described(row_of, "pooled", config) | figures(pooled))
        print(pooled.foreground.dice_per_image_mean, f"in {together / 'pooled'}")


def train_fold(arguments: argparse.Namespace, fold: int) -> tuple[Config, dict[str, Any]]:
    """Train one fold of an arm; its configuration and the row of the ledger so far."""
    config = configured(arguments, fold)
    began = time.perf_counter(), time.process_time()
    result = flexunet.train(config, resume="auto")
    row = described(arguments, fold, config) | {
        "minutes": round((time.perf_counter() - began[0]) / 60, 1),
        "processor_minutes": round((time.process_time() - began[1]) / 60, 1),
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "valid_dice": round(max(result.history["val_dice_per_image_mean"]), 4),
    }
    return config, row


def run_ablation(arguments: argparse.Namespace) -> None:
    """Train the arms of arms.toml, one change at a time, and print how each differs from the first."""
    with (HERE / "arms.toml").open("rb") as stream:
        table = tomllib.load(stream)[arguments.table]
    chosen = arguments.ablation or list(table["arms"])
    arguments.validation_only = True
    differences: dict[str, list[float]] = {}
    kept: dict[int, float] = {}
    for arm in ["base", *(each for each in chosen if each != "base")]:
        arguments.arm = f"small: {arm}"
        arguments.settings = [*table["small"], *table["arms"].get(arm, [])]
        for fold in ABLATION_FOLDS:
            arguments.seed = 136 + fold
            row = next((each for each in ledger() if is_row(each, arguments, fold)), None)
            if row is None:
                row = train_fold(arguments, fold)[1]
                append(row)
            dice = float(row["valid_dice"])
            kept.setdefault(fold, dice)
            differences.setdefault(arm, []).append(dice - kept[fold])
        values = differences[arm]
        print(
            f"| {arm} | {statistics.mean(values):+.3f} | {min(values):+.3f} to {max(values):+.3f} |",
            flush=True,
        )


def is_row(row: dict[str, str], arguments: argparse.Namespace, fold: int) -> bool:
    """Whether a row of the ledger is that of an arm, a fold and a seed."""
    return (row["table"], row["arm"], row["fold"], row["seed"]) == (
        arguments.table,
        arguments.arm,
        str(fold),
        str(arguments.seed),
    )


def test_on_sources(arguments: argparse.Namespace) -> None:
    """Test runs of a table, trained before, on all images of other data sets."""
    for fold in arguments.folds:
        for dataset in arguments.test_on:
            folder = link_whole(arguments.work / dataset / "whole", arguments.data / dataset)
            out = run_folder(arguments, fold) / f"on_{dataset}"
            own = [f"test.{kind}_dir={(folder / kind).as_posix()!r}" for kind in ("images", "masks")]
            config = flexunet.load_config(
                arguments.recipe or ROOT / "configs" / TABLES[arguments.table].recipe,
                [*settings_of(arguments, fold), *own, f"evaluate.output_dir={out.as_posix()!r}"],
            )
            scores = flexunet.evaluate(config).scores
            name = f"{arguments.table} on {dataset}"
            row = described(arguments, fold, config) | figures(scores)
            row |= {"table": name, "look": looks(name, fold) + 1}
            append(row)
            print({name: row[name] for name in COLUMNS if row.get(name) not in (None, "")}, flush=True)


def run_folder(arguments: argparse.Namespace, fold: int) -> Path:
    """The run folder of one fold of an arm."""
    name = f"{variant(arguments)}-seed{arguments.seed}"
    return arguments.work / "runs" / arguments.table / name / f"fold_{fold}"


def variant(arguments: argparse.Namespace) -> str:
    """Name of an arm and of the images it trains on, as part of a path."""
    return re.sub(r"[^\w-]+", "_", arguments.arm) + training_images(arguments)


def training_images(arguments: argparse.Namespace) -> str:
    """Name of other training images than the split's, as part of a path; empty for those of the split."""
    share = f"-share{arguments.share}" if arguments.share else ""
    validation = "-with-validation" if arguments.with_validation else ""
    sources = "".join(f"-with-{source}" for source in arguments.with_source)
    drafts = f"-drafts-of-{arguments.with_drafts}-{arguments.seed}" if arguments.with_drafts else ""
    return share + validation + sources + drafts


def fold_folder(arguments: argparse.Namespace, fold: int) -> Path:
    """The folder of one fold, made where it is missing, with links to the images that its split file names.

    With a share, the training images are the first of a fixed shuffle: a smaller share is part of a larger
    one. Images of one patient may be in and out of the share, all of them in the training split.
    """
    table, share = TABLES[arguments.table], arguments.share
    work, data = arguments.work / table.dataset, arguments.data / table.dataset
    folder = work / f"fold_{fold}{training_images(arguments)}"
    if folder.exists():
        return folder
    split_of = read_split_file(HERE / "folds" / f"{table.dataset}.csv").folds[fold - 1]
    pairs = {image.stem: (image, mask) for image, mask in masked(data / "images", data / "masks").values()}
    if share:
        train = sorted(
            (stem for stem, split in split_of.items() if split == "train"),
            key=lambda stem: hashlib.sha256(pairs[stem][0].name.encode()).hexdigest(),
        )
        for stem in train[round(len(train) * share / 100) :]:
            del split_of[stem]
    partial = work / f".{folder.name}"
    shutil.rmtree(partial, ignore_errors=True)
    for stem, split in split_of.items():
        link_pair(*pairs[stem], partial / split)
        if arguments.with_validation and split == "valid":
            link_pair(*pairs[stem], partial / "train")
    for source in arguments.with_source:
        for image, mask in masked_pairs(arguments.data / source):
            link_pair(image, mask, partial / "train")
    if arguments.with_drafts:
        link_drafts(drafts_of(arguments, fold), partial / "train")
    partial.rename(folder)
    return folder


def drafts_of(arguments: argparse.Namespace, fold: int) -> Path:
    """Films of another set with masks drafted by the teacher of the fold, made where they are missing."""
    teacher = copy.copy(arguments)
    teacher.arm, teacher.with_drafts = arguments.teacher, None
    name = f"drafts-{variant(teacher)}-{arguments.seed}-fold_{fold}"
    folder = arguments.work / arguments.with_drafts / name
    films = arguments.data / arguments.with_drafts / "images"
    own = next((arguments.data / TABLES[arguments.table].dataset / "images").iterdir())
    width, height = image_size(own)
    subprocess.run(
        [
            *(sys.executable, "-m", "flexunet", "derive", films, folder),
            *("--masks-from", run_folder(teacher, fold), "--orient", "left", "--margin", "0"),
            *("--width", str(width), "--height", str(height), "--jobs", "1"),
        ],
        check=True,
    )
    return folder


def link_drafts(drafts: Path, folder: Path) -> None:
    """Link drafts beside the images of a split, and those as often as makes about half of all."""
    own = list(masked(folder / "images", folder / "masks").values())
    pairs = list(masked(drafts / "images", drafts / "masks").values())
    for again in range(1, round(len(pairs) / len(own))):
        for image, mask in own:
            for kind, file in (("images", image), ("masks", mask)):
                (folder / kind / f"{file.stem}_again_{again}{file.suffix}").symlink_to(file.resolve())
    for image, mask in pairs:
        link_pair(image, mask, folder)


def link_whole(folder: Path, data: Path) -> Path:
    """A folder with links to all images of a data set that have masks; subfolders are taken together."""
    if folder.exists():
        return folder
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    for image, mask in masked_pairs(data):
        link_pair(image, mask, partial)
    partial.rename(folder)
    return folder


def masked_pairs(data: Path) -> Iterator[tuple[Path, Path]]:
    """Image and mask of all images of a data set that have masks; subfolders are taken together."""
    images = [data / "images", *(each for each in (data / "images").iterdir() if each.is_dir())]
    for source in images:
        if any(each.is_file() for each in source.iterdir()):
            masks = data / "masks" / source.relative_to(data / "images")
            yield from masked(source, masks).values()


def masked(images: Path, masks: Path) -> dict[str, tuple[Path, Path]]:
    """Image and mask, by the name of the image, of all images that have one of the same stem.

    Masks of DDSM tissue are named `STEM_LI`. Two images of Mini-MIAS have a finding that is nowhere circled,
    and no mask.
    """
    by_stem = {file.stem.removesuffix("_LI"): file for file in masks.iterdir()}
    files = (file for file in sorted(images.iterdir()) if file.stem in by_stem)
    return {file.name: (file, by_stem[file.stem]) for file in files}


def link_pair(image: Path, mask: Path, folder: Path) -> None:
    """Link an image and its mask below one name."""
    for kind, file in (("images", image), ("masks", mask)):
        link = folder / kind / f"{image.stem}{file.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())


def configured(arguments: argparse.Namespace, fold: int) -> Config:
    """The recipe with the folders of a fold."""
    table, run = TABLES[arguments.table], run_folder(arguments, fold)
    recipe = arguments.recipe or ROOT / "configs" / table.recipe
    if arguments.init:
        from flexunet.cli.model.init import seconds_of

        folder = fold_folder(arguments, fold)
        recipe = run.with_suffix(".toml")
        if not recipe.exists():
            seconds = seconds_of(arguments.budget) if arguments.budget else None
            plan = flexunet.plan_training(
                folder, budget=seconds, accept_audit_errors=arguments.i_accept_audit_errors
            )
            plan.write(recipe)
    return flexunet.load_config(recipe, settings_of(arguments, fold))


def settings_of(arguments: argparse.Namespace, fold: int) -> list[str]:
    """What of the recipe is set for a fold and an arm."""
    folder = fold_folder(arguments, fold)
    return [
        *(
            f"{split}.{kind}_dir={(folder / split / kind).as_posix()!r}"
            for split in SPLITS
            for kind in ("images", "masks")
        ),
        f"train.run_dir={run_folder(arguments, fold).resolve().as_posix()!r}",
        f"train.seed={arguments.seed}",
        "train.monitor='val_dice_per_image_mean'",
        "train.epoch_change_infer=false",
        "train.epoch_change_tiled_infer=false",
        *arguments.settings,
    ]


def described(arguments: argparse.Namespace, fold: int | str, config: Config) -> dict[str, Any]:
    """What of a row does not depend on the scores."""
    import keras

    from flexunet.models.precision import choose_precision

    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    settings = [f"init {arguments.budget or ''}".strip()] if arguments.init else []
    if arguments.recipe:
        settings.append(arguments.recipe.name)
    if arguments.share:
        settings.append(f"{arguments.share} % of the training images")
    if arguments.with_validation:
        settings.append("validation images train too")
    if arguments.with_drafts:
        settings.append(f"with drafts of {arguments.with_drafts} by {arguments.teacher}")
    if arguments.with_source:
        settings.append(f"with {' and '.join(arguments.with_source)}")
    return dict.fromkeys(COLUMNS, "") | {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "table": arguments.table,
        "arm": arguments.arm,
        "fold": fold,
        "seed": arguments.seed,
        "settings": "; ".join([*settings, *arguments.settings]),
        "engine": keras.config.backend(),
        "precision": choose_precision(config.train.precision)[0],
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def figures(scores: Scores) -> dict[str, Any]:
    """What of the scores goes into the ledger."""
    dice: Estimate = scores.foreground.dice_per_image_mean
    at_one = [
        point.sensitivity for point in scores.lesions.froc_sensitivity if point.false_positives_per_image == 1
    ]
    return {
        "test_dice": rounded(dice.value),
        "test_dice_low": rounded(dice.low),
        "test_dice_high": rounded(dice.high),
        "class_dice": " ".join(
            f"{each.name}:{rounded(each.pixels.dice_per_image_mean.value)}" for each in scores.classes
        ),
        "sensitivity_at_1_fp": rounded(at_one[0].value) if at_one else "",
        "images": scores.images,
    }


def rounded(value: float | None) -> float | str:
    """Four digits; nothing for no value."""
    return "" if value is None else round(value, 4)


def looks(table: str, fold: int) -> int:
    """How often the ledger has looked at the test images of a fold."""
    return sum(
        row["table"] == table and row["fold"] == str(fold) and row["test_dice"] != "" for row in ledger()
    )


def ledger() -> list[dict[str, str]]:
    """The rows so far."""
    if not LEDGER.exists():
        return []
    with LEDGER.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def append(row: dict[str, Any]) -> None:
    """Add a row to the ledger."""
    new = not LEDGER.exists()
    with LEDGER.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
