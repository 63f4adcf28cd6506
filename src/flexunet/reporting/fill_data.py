"""Answers about data: sources, exclusions, preparation, masks and readers, splits, numbers."""

from __future__ import annotations

from collections import Counter

from flexunet.errors import counted
from flexunet.reporting.answers import Answer, filled, unknown
from flexunet.reporting.facts import SPLITS, RunFacts

_NAMES = {"train": "training", "valid": "validation", "test": "testing"}


def sources(facts: RunFacts) -> Answer:
    """Names of the data sets, as the manifest has them."""
    if names := facts.values_of("dataset"):
        text = f"The images are from {', '.join(names)}."
        return Answer(
            "person", text, "manifest.csv, column dataset", "dates, places and permission of the data"
        )
    return unknown("where and when the images were made, by whom, and under which permission")


def excluded(facts: RunFacts) -> Answer:
    """Films that `derive` left out, with the reasons it wrote."""
    if facts.excluded is None:
        return unknown(
            "the criteria of inclusion and exclusion; `--derived FOLDER` adds what `flexunet derive` left out"
        )
    reasons = Counter(reason or state for _, state, reason in facts.excluded)
    listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    text = f"`derive` left out {counted(len(facts.excluded), 'film')}"
    return Answer(
        "person", f"{text}: {listed}." if listed else f"{text}.", "excluded.csv", "the criteria for patients"
    )


def included_and_excluded(facts: RunFacts) -> Answer:
    """Images and patients of each split, and what was left out."""
    parts = [
        f"{_NAMES[split]}: {counted(one.images, 'image')}"
        + (
            f" of {counted(one.patients, 'patient' if one.patients_known else 'source')}"
            if one.patients
            else ""
        )
        for split in SPLITS
        if (one := facts.splits[split]).images
    ]
    text = f"{'; '.join(parts)}.".capitalize() if parts else ""
    if facts.excluded is None:
        return unknown(
            "how many films or patients were excluded; `--derived FOLDER` adds what `flexunet derive` left "
            "out",
            text,
            "environment.json, image folders",
        )
    text += f" Left out by `derive`: {counted(len(facts.excluded), 'film')} (figure of the flow)."
    if not facts.patients_known:
        return Answer(
            "person", text, "manifest.csv, excluded.csv", "numbers of patients: not all of them are known"
        )
    return filled(text, "manifest.csv, excluded.csv")


def preparation(facts: RunFacts) -> Answer:
    """How images were prepared for the model."""
    config = facts.config
    model, train = config.model, config.train
    size = f"{model.image_width} x {model.image_height} pixels"
    how = {"resize": "stretched to", "pad": "padded in proportion to"}.get(config.infer.fit, "fitted to")
    parts = [
        f"Images were {how} {size}"
        if train.crop == "none"
        else f"Crops of {size} were taken from the images",
        f"with {counted(model.image_channels, 'channel')}",
        "grey values "
        + (
            "scaled as published"
            if config.image.normalize == "none"
            else f"normalised within the breast ({config.image.normalize})"
        ),
        f"16-bit files with the range {facts.environment.get('grey_range', config.image.range)}",
    ]
    text = ", ".join(parts) + "."
    operations = sorted({value for value in facts.values_of("operation") if value not in ("", "original")})
    if operations:
        text += f" The data set holds copies made by {', '.join(operations)}."
    return filled(text, "config.toml: [model], [train] crop, [infer] fit, [image]; environment.json")


def assigned(facts: RunFacts) -> Answer:
    """Numbers and shares of the splits; how they were drawn is known to whoever split."""
    sizes = {split: facts.splits[split].images or 0 for split in SPLITS}
    total = sum(sizes.values())
    if not total:
        return unknown("how images were assigned to splits, and in which proportions")
    shares = ", ".join(
        f"{_NAMES[split]} {number} ({100 * number / total:.0f} %)"
        for split, number in sizes.items()
        if number
    )
    return Answer(
        "person",
        f"Images by split: {shares}.",
        "environment.json, image folders",
        "how they were drawn (`flexunet split --by ... --seed ...`, or the split of a publisher)",
    )


def disjoint(facts: RunFacts) -> Answer:
    """On which level splits share nothing, by the names of patients that are known."""
    if not facts.all_at_hand:
        return unknown("on which level the splits are disjoint: the images of a split are not at hand")
    leak = next((one for one in facts.scores.verdict if one.question == "Does the test set leak?"), None)
    told = f" Leaks: {leak.sentence}" if leak else ""
    if facts.shared_people:
        shared = ", ".join(f"{number} in {pair}" for pair, number in facts.shared_people.items())
        return filled(f"Splits are not disjoint by patient or source: {shared}.{told}", "manifest.csv")
    if facts.patients_known:
        return filled(f"No patient is in two splits.{told}", "manifest.csv; scores.json, verdict")
    return unknown(
        "whether images of one patient are in two splits: not all patients are known",
        f"No source image is in two splits.{told}",
        "manifest.csv; scores.json, verdict",
    )


def characteristics(facts: RunFacts) -> Answer:
    """Describing columns of the manifest by split."""
    lines = []
    for split in SPLITS:
        columns = facts.splits[split].characteristics
        told = [
            f"{name} " + ", ".join(f"{value} {number}" for value, number in counts.items())
            for name, counts in columns.items()
        ]
        if told:
            lines.append(f"{_NAMES[split]}: {'; '.join(told)}")
    if not lines:
        return unknown("age, sex and clinical characteristics by split: the manifest has none")
    return Answer(
        "person",
        f"Images by column of the manifest. {'. '.join(lines)}.",
        "manifest.csv",
        "characteristics of patients that the manifest does not hold, such as age",
    )


def annotators(facts: RunFacts) -> Answer:
    """Who drew the masks, as the manifest tells."""
    if names := facts.values_of("annotator"):
        return Answer(
            "person",
            f"Masks were drawn by: {', '.join(names)}.",
            "manifest.csv, column annotator",
            "qualification and instruction of the annotators, and the tool",
        )
    return unknown("who drew the masks, with which qualification, instruction and tool")


def reader_variability(facts: RunFacts) -> Answer:
    """Agreement of readers: from several readers of the test masks, or from the review desk."""
    parts, where = [], []
    if facts.scores.readers is not None:
        parts.append(facts.scores.readers.sentence)
        where.append("scores.json, readers")
    if facts.agreement is not None and facts.agreement["pairs"]:
        parts += [_pair(pair) for pair in facts.agreement["pairs"]]
        for name, repeats in facts.agreement["repeats"].items():
            if repeats["images"]:
                parts.append(
                    f"{name} read {counted(repeats['images'], 'image')} twice: mean Dice "
                    f"{repeats['dice_mean']:.3f}."
                )
        where.append("review desk")
    if not parts:
        return unknown(
            "how far annotators agree with each other and with themselves: no second reading is at hand "
            "(`flexunet score --readers`, `flexunet review --blind`, then `--review`)"
        )
    return filled(" ".join(parts), ", ".join(where))


def _pair(pair: dict) -> str:
    one, two = pair["readers"]
    if not pair["images"]:
        return f"{one} and {two} have no image in common."
    kappa = pair["kappa"]["lesion"]
    told = "not defined" if kappa is None else f"{kappa:.2f}"
    return (
        f"{one} and {two} both read {counted(pair['images'], 'image')}: mean Dice {pair['dice_mean']:.3f}, "
        f"Cohen's kappa of the presence of a lesion {told}."
    )


def class_balance(facts: RunFacts) -> Answer:
    """How rare lesions are, and what training did about it."""
    tables, train = facts.tables, facts.config.train
    share = tables.truth[:, 1:].sum() / tables.truth.sum()
    text = (
        f"Foreground covers {100 * share:.2f} % of the pixels of the test images; "
        f"{facts.scores.lesions.images_without_lesion} of {counted(facts.scores.images, 'image')} have no "
        "lesion. "
        f"Loss: {facts.config.model.loss}."
    )
    text += (
        f" At least {100 * train.lesion_share:.0f} % of each batch had a lesion."
        if train.lesion_share
        else " Training images were drawn as they come."
    )
    return filled(text, "per_image.csv; config.toml: [model] loss, [train] lesion_share")
