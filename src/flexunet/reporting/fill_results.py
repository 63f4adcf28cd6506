"""Answers about results: metrics, intervals, robustness, subgroups, failures, calibration."""

from __future__ import annotations

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.summary.verdict import in_words, lesions_in_words
from flexunet.evaluation.tables.document import Scores, Subgroup, estimate_of
from flexunet.reporting.answers import Answer, filled, unknown
from flexunet.reporting.facts import RunFacts

_FEW = 30
_WORST = 5


def metrics(facts: RunFacts) -> Answer:
    """Which scores are reported, and by which rules."""
    rules = facts.scores.rules
    named = ", ".join(
        score.key for score in shown_in("card") if estimate_of(facts.scores, score).value is not None
    )
    text = (
        f"Scores: {named}. Lesions are matched by {rules['lesion_match']}"
        + (f" of at least {rules['lesion_iou']:g}" if rules["lesion_match"] == "iou" else "")
        + f", {rules['connectivity']} neighbours; images with nothing in truth and prediction: "
        f"{rules['empty_masks']}."
    )
    if (tolerance := rules.get("surface_tolerance_mm")) is not None:
        text += (
            f" Surface Dice within {tolerance:g} mm ({rules['boundary_tolerance']:g} pixels without spacing)."
        )
    return filled(text, "scores.json, rules; docs/evaluation.md has the definitions")


def uncertainty(facts: RunFacts) -> Answer:
    """How intervals and p values are made."""
    rules = facts.scores.rules
    if not rules["bootstrap_samples"]:
        return unknown("intervals: the evaluation was made without a bootstrap")
    who = "patients" if facts.scores.patients_known else "originals, as not all patients are known"
    text = (
        f"Intervals of {100 * rules['confidence']:g} %: percentile bootstrap of "
        f"{rules['bootstrap_samples']} replicates "
        f"over {who}; shares at least Wilson's interval by patients. Two runs are compared by a "
        "permutation test that "
        "swaps whole patients."
    )
    return filled(text, "scores.json, rules")


def performance(facts: RunFacts) -> Answer:
    """The main scores with their intervals."""
    scores = facts.scores
    told = "; ".join(
        f"{score.key} {in_words(one, score.row.digits)}"
        for score in shown_in("card")
        if (one := estimate_of(scores, score)).value is not None
    )
    who = counted(scores.patients, "patient" if scores.patients_known else "source")
    text = f"On {counted(scores.images, 'image')} of {who}: {told}. {lesions_in_words(scores.lesions)}"
    return filled(text, "scores.json")


def diagnostic(facts: RunFacts) -> Answer:
    """Sensitivity and specificity of whole images, where there are images of both kinds."""
    lesions = facts.scores.lesions
    if lesions.image_sensitivity.value is None:
        return unknown(
            "diagnostic performance: no image has a lesion, or the evaluation is older than this score "
            "(evaluate "
            "again)"
        )
    if lesions.image_specificity.value is None:
        return unknown(
            "specificity: every test image has a lesion, so nothing is known about false alarms",
            f"Sensitivity by image {in_words(lesions.image_sensitivity)}; by lesion "
            f"{in_words(lesions.sensitivity)}.",
            "scores.json, lesions",
        )
    text = (
        f"By image: sensitivity {in_words(lesions.image_sensitivity)}, specificity "
        f"{in_words(lesions.image_specificity)}, AUROC {in_words(lesions.image_auroc)}. By lesion: "
        "sensitivity "
        f"{in_words(lesions.sensitivity)} at {in_words(lesions.false_positives_per_image, 2)} false "
        "positives per image."
    )
    return filled(text, "scores.json, lesions")


def robustness(facts: RunFacts) -> Answer:
    """What images that are noisier, blurred, moved or cropped do."""
    found = facts.robustness
    if found is None:
        return unknown("robustness: measure it with `flexunet evaluate RUN --robustness`")
    losses = [
        f"{curve.label} ({key} from {fall.strength:g} {curve.unit})"
        for curve in found.curves
        for key, fall in curve.falls_off.items()
        if fall.answer == "loss"
    ]
    text = f"{counted(len(found.curves), 'corruption')} at three strengths. "
    text += f"A loss is shown for {'; '.join(losses)}." if losses else "No loss is shown for any of them."
    return filled(text, "robustness.json")


def subgroups(facts: RunFacts) -> Answer:
    """Scores by the values of manifest columns."""
    columns = facts.scores.subgroups
    if not columns:
        return unknown("performance by subgroup: the manifest has no column that describes patients or films")
    main = shown_in("headline")[0]
    told = [
        f"{column.column}: "
        + ", ".join(f"{group.value} {in_words(group[main.key])} of {group.images}" for group in column.groups)
        for column in columns
    ]
    return filled(f"{main.key} by subgroup (images). {'; '.join(told)}.", "scores.json, subgroups")


def failures(facts: RunFacts) -> Answer:
    """The worst images, and the subgroup with the lowest score in each column."""
    rows = worst_images(facts)
    if not rows:
        return unknown("failure analysis: no image has a lesion in truth or prediction")
    worst = "; ".join(f"{row['image']} (Dice {row['dice']:.3f}, {row['what']})" for row in rows)
    weakest = [
        f"{column.column} {group.value}"
        for column in facts.scores.subgroups
        if (group := _weakest(column.groups)) is not None
    ]
    text = f"Worst images: {worst}."
    if weakest:
        text += f" Subgroups with the lowest dice_per_image_mean: {', '.join(weakest)}."
    lesions = facts.scores.lesions
    missed, false = lesions.lesions - lesions.found, lesions.false_positives
    text += f" {counted(missed, 'lesion')} missed, {counted(false, 'region')} false."
    return Answer("person", text, "per_image.csv; report.html, worst images", "why these images fail")


def _weakest(groups: list[Subgroup]) -> Subgroup | None:
    known = [group for group in groups if group["dice_per_image_mean"].value is not None]
    return min(known, key=lambda group: group["dice_per_image_mean"].value, default=None)


def worst_images(facts: RunFacts, most: int = _WORST) -> list[dict[str, object]]:
    """The images with the lowest Dice: name, Dice, what went wrong, and what the manifest says of them."""
    tables = facts.tables
    dice, counts = tables.by_image()["dice"], tables.lesion_counts()
    known = [place for place in range(len(tables)) if dice[place] == dice[place]]
    chosen = sorted(known, key=lambda place: (dice[place], tables.origins[place].name))[:most]
    described = [column.column for column in facts.scores.subgroups]
    rows = []
    for place in chosen:
        lesions, found, false = (
            int(column[place]) for column in (counts.lesions, counts.found, counts.false)
        )
        attributes = tables.origins[place].attributes
        rows.append(
            {
                "image": tables.origins[place].name,
                "dice": float(dice[place]),
                "what": f"{found} of {counted(lesions, 'lesion')} found, {false} false",
                "described": ", ".join(
                    f"{name} {attributes[name]}" for name in described if attributes.get(name)
                ),
            }
        )
    return rows


def calibration(facts: RunFacts) -> Answer:
    """Whether probabilities mean what they say."""
    found = facts.scores.probability
    if found is None:
        return unknown("calibration: the evaluation has masks only, no probabilities")
    text = (
        "Expected calibration error of the pixels in play "
        f"{in_words(found.pixels_in_play.expected_calibration_error)}, "
        f"Brier score of all pixels {in_words(found.all_pixels.brier_score, 4)}."
    )
    if found.fitted is not None:
        text += f" Temperature {found.fitted.temperature:.3f}, fitted on the {found.fitted.split} split."
    return filled(text, "scores.json, probability; calibration.json")


def performance_and_calibration(facts: RunFacts) -> Answer:
    """Scores with subgroups and calibration in one answer."""
    parts = [performance(facts), calibration(facts), subgroups(facts)]
    text = " ".join(part.text for part in parts if part.text)
    missing = "; ".join(part.ask for part in parts if part.state == "person" and part.ask)
    where = "; ".join(part.where for part in parts if part.where)
    return Answer("person", text, where, missing) if missing else filled(text, where)


def internal_test(facts: RunFacts) -> Answer:
    """On which images the scores were computed."""
    scores = facts.scores
    text = (
        f"Scored on the {scores.split or 'given'} masks {scores.truth}: {counted(scores.images, 'image')} of "
        f"{counted(scores.patients, 'patient' if scores.patients_known else 'source')}."
    )
    if scores.folds:
        text += (
            f" Pooled over {counted(len(scores.folds), 'fold')}, each scored by the run that had not seen it."
        )
    return filled(text, "scores.json")


def other_tests(facts: RunFacts) -> Answer:
    """Evaluations of other images in the run folder; whether they are from elsewhere, a person knows."""
    if not facts.others:
        return unknown(
            "a test on data of another place (`flexunet score` into a folder of the run), or that there "
            "was none"
        )
    told = "; ".join(
        f"{name} ({scores.truth}): {counted(scores.images, 'image')} of "
        f"{counted(scores.patients, 'patient' if scores.patients_known else 'source')}, dice_per_image_mean "
        f"{in_words(scores.foreground.dice_per_image_mean)}, sensitivity "
        f"{in_words(scores.lesions.sensitivity)} at "
        f"{in_words(scores.lesions.false_positives_per_image, 2)} false positives per image"
        for name, scores in facts.others.items()
    )
    return Answer(
        "person",
        f"Also evaluated with this run: {told}.",
        ", ".join(f"{name}/scores.json" for name in facts.others),
        "whether these data are external: another place, scanner or time than the training data",
    )


def sample_size(facts: RunFacts) -> Answer:
    """Patients and the width that they gave; the number that was intended is for a person."""
    scores = facts.scores
    dice = scores.foreground.dice_per_image_mean
    text = (
        f"{counted(scores.patients, 'patient' if scores.patients_known else 'source')} were tested"
        f"{_width(dice)}. {'Fewer than 30 make intervals approximate.' if scores.patients < _FEW else ''}"
    ).strip()
    return Answer(
        "person",
        text,
        "scores.json",
        "how the number was chosen before the study; `flexunet plan-study RUN` computes it from the spread "
        "of a run",
    )


def _width(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f", which gave dice_per_image_mean an interval {estimate.high - estimate.low:.3f} wide"


def limits(facts: RunFacts) -> Answer:
    """What the evaluation itself names as doubtful."""
    doubts = doubtful(facts.scores)
    return Answer(
        "person",
        " ".join(doubts),
        "scores.json, verdict",
        "limits of the data, the reference masks and the way the study was done",
    )


def doubtful(scores: Scores) -> list[str]:
    """Sentences of the verdict that do not speak for the model, or are not known."""
    return [f"{one.question} {one.sentence}" for one in scores.verdict if one.good is not True]
