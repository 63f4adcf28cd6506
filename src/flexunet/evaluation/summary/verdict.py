"""The verdict in plain words: better than a trivial prediction and than last time, leaking, sure enough."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from flexunet.evaluation.scores.intervals import Resampling
from flexunet.evaluation.scores.pixels import Values, apply_empty_rule, mean_over_classes, ratio
from flexunet.evaluation.tables.document import (
    Answer,
    Comparison,
    Estimate,
    LesionScores,
    PixelScores,
    PublishedMetrics,
)
from flexunet.evaluation.tables.rows import Tables

_FEW_PATIENTS = 30
_FEWEST_PATIENTS = 10  # below this nothing is called better: intervals of so few are too narrow
_ASSUMED_BREAST = 0.2  # share of an image, where the image is not at hand
GAIN = 0.02
"""Dice up to which a gain over a trivial prediction is none: two outlines of one breast differ as much."""
_LEVEL = 0.05


def in_words(estimate: Estimate, digits: int = 3) -> str:
    """An estimate in words: `0.881 (0.835 to 0.918)`."""
    if estimate.value is None:
        return "not defined"
    value = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def trivial_scores(tables: Tables) -> dict[str, Values]:
    """Dice of each image, `(N,)`, of predictions that need no model, by what they do.

    An image is scored as the model is: the mean over the classes that occur in truth or prediction, 1 where
    neither has any. Where a prediction fills an area with one class, it is the class that scores best. A
    random place is the predicted regions put anywhere in the breast: their Dice is linear in the common
    pixels, whose expectation is the product of both areas over that of the breast, so nothing is drawn.
    The whole breast is given all lesions. Where the image was not at hand, the breast is taken as a fifth of
    it, less than most breasts cover, which makes the comparison harder.
    """
    truth, predicted = (counts[:, 1:].astype(np.float64) for counts in (tables.truth, tables.predicted))
    area = tables.sizes.prod(axis=1).astype(np.float64)
    share = np.full(len(tables), np.nan) if tables.breast is None else tables.breast
    breast = area * np.where(np.isnan(share), _ASSUMED_BREAST, share)
    expected = truth * np.minimum(predicted / np.maximum(breast, 1)[:, None], 1)
    dice = ratio(2 * expected, truth + predicted)
    return {
        "mark nothing": (truth.sum(axis=1) == 0).astype(np.float64),
        "mark everything": _filled(truth, area),
        "mark the whole breast": _filled(truth, np.maximum(breast, truth.sum(axis=1))),
        "mark a random place of the same size": apply_empty_rule(mean_over_classes(dice), "one"),
    }


def _filled(truth: Values, area: Values) -> Values:
    """Dice of each image if `area` pixels, all lesions among them, are given the best single class."""
    occurring = (truth > 0).sum(axis=1)
    by_class = [
        2 * one / (one + area) / np.maximum(occurring + (one == 0), 1) for one in np.moveaxis(truth, 1, 0)
    ]
    return max(by_class, key=lambda values: float(values.mean()))


def better_than_trivial(
    tables: Tables, draw: Resampling, published: PublishedMetrics, foreground: PixelScores
) -> Answer:
    """Whether the predictions beat those that need no model (`trivial_scores`).

    All are scored by image with the empty-mask rule `one`: where there is nothing to find, silence is right
    and scores 1, a false alarm scores 0. A gain of GAIN or less counts as none.
    """
    question = "Better than a trivial prediction?"
    if not (tables.truth[:, 1:].any() or tables.predicted[:, 1:].any()):
        return Answer(question=question, answer="unknown", good=None, sentence="There is no lesion to find.")
    model = apply_empty_rule(tables.by_image()["dice"], "one")
    trivial = trivial_scores(tables)
    healthy = int(np.count_nonzero(trivial["mark nothing"]))
    gains = {name: draw.mean(model - scores) for name, scores in trivial.items()}
    told = ", ".join(f"{name} {scores.mean():.3f}" for name, scores in trivial.items())
    sentence = (
        f"dice_per_image_mean {in_words(foreground.dice_per_image_mean)}. If an empty mask scores 1 where "
        f"there is no lesion ({healthy} of {len(tables)} images), the predictions score "
        f"{model.mean():.3f} per image; {told}."
    )
    ends = {name: _ends(gain) for name, gain in gains.items()}
    beaten_by = [name for name, (_, high) in ends.items() if high <= GAIN]
    doubtful = [name for name, (low, high) in ends.items() if low <= GAIN < high]
    few = draw.num_groups < _FEWEST_PATIENTS
    answer: Literal["yes", "no", "unsure"] = "yes"
    if beaten_by:
        answer = "no"
        sentence += f" They do not beat: {', '.join(beaten_by)} (a gain of {GAIN:g} or less counts as none)."
    elif doubtful or few:
        answer = "unsure"
        if doubtful:
            sentence += f" Chance is not excluded against: {', '.join(doubtful)}."
        if few:
            who = "One patient proves" if draw.num_groups == 1 else f"{draw.num_groups} patients prove"
            sentence += f" {who} nothing; at least {_FEWEST_PATIENTS} are needed."
    if healthy == 0:
        sentence += (
            " Every image has a lesion, so overlap alone proves nothing: how often healthy images would be "
            "marked is unknown."
        )
    if tables.breast is None or np.isnan(tables.breast).any():
        sentence += " Where the image is not at hand, the breast is taken as a fifth of it."
    metric = next((one for one in published.figures if one.name == "dice_coef_multiclass"), None)
    if metric is not None and metric.empty_prediction is not None:
        sentence += (
            f" The published dice_coef_multiclass counts background and hardly differs: {metric.value:.4f} "
            f"against {metric.empty_prediction:.4f} of an empty prediction."
        )
    good = {"yes": True, "no": False}.get(answer)
    return Answer(question=question, answer=answer, good=good, sentence=sentence)


def _ends(gain: Estimate) -> tuple[float, float]:
    """Ends of the interval of a gain; without an interval a gain may be anything, no gain stays none."""
    value = gain.value or 0.0
    if gain.low is None or gain.high is None:
        return -np.inf, value if value <= GAIN else np.inf
    return gain.low, gain.high


def better_than_last(comparison: Comparison | None) -> Answer:
    """Whether the last run is beaten in `dice_per_image_mean_paired`."""
    question = "Better than the last run?"
    if comparison is None:
        return Answer(
            question=question,
            answer="unknown",
            good=None,
            sentence="There is no earlier evaluation of these images to compare with.",
        )
    score = next(one for one in comparison.scores if one.name == "dice_per_image_mean_paired")
    difference, p_value = score.difference, score.p_value
    if difference.value is None or p_value is None:
        return Answer(
            question=question, answer="unknown", good=None, sentence="No image has a lesion in either run."
        )
    sentence = (
        f"dice_per_image_mean_paired differs from {comparison.first} by {difference.value:+.3f}"
        + (
            f" ({difference.low:+.3f} to {difference.high:+.3f})"
            if difference.low is not None and difference.high is not None
            else ""
        )
        + f" on {comparison.images} shared images, permutation p = {p_value:.3g}."
    )
    if p_value > _LEVEL:
        return Answer(
            question=question,
            answer="unsure",
            good=None,
            sentence=f"{sentence} A difference of this size may be chance.",
        )
    better = difference.value > 0
    return Answer(question=question, answer="yes" if better else "no", good=better, sentence=sentence)


def leaking(audit: dict[str, Any] | None) -> Answer:
    """Whether test images stand in training.

    Args:
        audit: Summary of what is known: `shared_sources` and `shared_patients` (numbers found by name),
            `shared_pictures` (images that show a training picture), `leak_pairs` (pairs the data-set audit
            found), `untrue` (findings that make a test score untrue), `pictures_compared` (whether the
            pictures were looked at), `checked` (what was looked at, in words), `examples`. Each may be
            missing.
    """
    question = "Does the test set leak?"
    if not audit:
        return Answer(
            question=question,
            answer="unknown",
            good=None,
            sentence="The training images are not known here, so whether these scores are true remains "
            "unknown. Name the run (`flexunet score --against-run`), or an audit of the data set (--audit).",
        )
    found = [
        f"{audit[key]} {words}"
        for key, words in (
            ("shared_sources", "originals have copies in training and here"),
            ("shared_patients", "patients are in training and here"),
            ("shared_pictures", "images here show a picture of the training or validation images"),
            ("leak_pairs", "pairs of nearly equal images across splits"),
        )
        if audit.get(key)
    ]
    untrue = [str(one) for one in audit.get("untrue") or ()]
    if found or untrue:
        examples = [str(one) for one in audit.get("examples") or ()][:3]
        named = f" (for example {', '.join(examples)})" if examples else ""
        return Answer(
            question=question,
            answer="yes",
            good=False,
            sentence=f"{'; '.join(found + untrue)}{named}. The scores below are too high for new patients.",
        )
    checked = audit.get("checked") or "the audit"
    if not audit.get("pictures_compared"):
        plain = audit.get("too_plain_to_compare")
        why = f"{plain} pictures have too little detail to compare" if plain else "pictures were not compared"
        return Answer(
            question=question,
            answer="unknown",
            good=None,
            sentence=f"Nothing found by {checked}, but {why}: a renamed copy would not be noticed.",
        )
    return Answer(question=question, answer="no", good=True, sentence=f"Nothing found by {checked}.")


def sure_enough(draw: Resampling, foreground: PixelScores, patients_known: bool) -> Answer:
    """Whether there are enough patients for the scores to mean much."""
    question = "Enough patients?"
    who = "patients" if patients_known else "sources (patients are unknown; the true intervals are wider)"
    low, high = foreground.dice_per_image_mean.low, foreground.dice_per_image_mean.high
    width = "" if low is None or high is None else f", interval {high - low:.3f} wide"
    few = draw.num_groups < _FEW_PATIENTS
    sentence = f"{draw.num_groups} {who}{width}."
    if few:
        sentence += f" With fewer than {_FEW_PATIENTS} the intervals are only approximate."
    return Answer(question=question, answer="no" if few else "yes", good=not few, sentence=sentence)


def lesions_in_words(lesions: LesionScores) -> str:
    """Lesion scores in one sentence."""
    if not lesions.lesions:
        return f"No lesions in the truth; {lesions.false_positives} regions were predicted."
    text = (
        f"{lesions.found} of {lesions.lesions} lesions found, sensitivity {in_words(lesions.sensitivity)}, "
        f"at {in_words(lesions.false_positives_per_image, 2)} false positives per image."
    )
    if lesions.specks:
        text += (
            f" {lesions.specks} of the lesions and false positives have fewer than 10 pixels and may be "
            "specks at the edge of a mask; min_lesion_pixels removes them."
        )
    return text
