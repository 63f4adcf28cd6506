"""The verdict in plain words: better than a trivial prediction and than last time, leaking, sure enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate, Resampling
from flexunet.evaluation.scores.pixels import apply_empty_rule, mean_over_classes, ratio
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.summary.regions import are_regions
from flexunet.evaluation.tables.document import (
    Answer,
    ComparedScore,
    Comparison,
    LesionScores,
    PixelScores,
)
from flexunet.evaluation.tables.rows import Tables

_FEW_PATIENTS = 30
FEWEST_PATIENTS = 10
"""Below this nothing is called better: intervals of so few are too narrow."""
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


def better_than_trivial(tables: Tables, draw: Resampling, patients_known: bool, drafts: int = 0) -> Answer:
    """Whether the predictions beat those that need no model (`trivial_scores`).

    All are scored by image with the empty-mask rule `one`: where there is nothing to find, silence is right
    and scores 1, a false alarm scores 0. A gain of GAIN or less counts as none. Against drafts nothing is
    called better: they are what another model, or this one, has drawn.
    """
    question = "Better than a trivial prediction?"
    if not (tables.truth[:, 1:].any() or tables.predicted[:, 1:].any()):
        return Answer(question=question, answer="unknown", good=None, sentence="There is no lesion to find.")
    model = apply_empty_rule(tables.by_image()["dice"], "one")
    trivial = trivial_scores(tables)
    healthy = int(np.count_nonzero(trivial["mark nothing"]))
    ends = {name: _ends(draw.mean(model - scores)) for name, scores in trivial.items()}
    beaten_by = [name for name, (_, high) in ends.items() if high <= GAIN]
    doubtful = [name for name, (low, high) in ends.items() if low <= GAIN < high]
    few = draw.num_groups < FEWEST_PATIENTS

    def rivals(names: Sequence[str]) -> str:
        return ", ".join(f"{name} ({trivial[name].mean():.3f})" for name in names)

    sentence = f"Mean dice_per_image {model.mean():.3f}"
    if healthy:
        sentence += f" (an empty mask counts as 1 in the {healthy} of {len(tables)} images without lesion)"
    answer: Literal["yes", "no", "unsure"] = "unsure" if doubtful or few or drafts else "yes"
    if beaten_by:
        answer = "no"
        sentence += f"; no better than to {rivals(beaten_by)}: a gain of {GAIN:g} or less counts as none."
    elif doubtful:
        sentence += f"; chance is not excluded against: {rivals(doubtful)}."
    else:
        best = max(trivial, key=lambda name: float(trivial[name].mean()))
        sentence += f"; the best that needs no model is to {rivals([best])}."
    if few and not beaten_by:
        who = counted(draw.num_groups, "patient" if patients_known else "source")
        proves = "proves" if draw.num_groups == 1 else "prove"
        sentence += f" {who} {proves} nothing; at least {FEWEST_PATIENTS} are needed."
    if drafts:
        sentence += (
            f" {drafts} of the {len(tables)} true masks are drafts that no person has accepted: this says "
            "how far the predictions agree with what drew them (flexunet review)."
        )
    if healthy == 0 and not are_regions(tables.truth):
        sentence += " Every image has a lesion: how often healthy images would be marked is unknown."
    good = {"yes": True, "no": False}.get(answer)
    sentence += _assumed_breast(tables)
    return Answer(question=question, answer=answer, good=good, sentence=sentence)


def _ends(gain: Estimate) -> tuple[float, float]:
    """Ends of the interval of a gain; without an interval a gain may be anything, no gain stays none."""
    value = gain.value or 0.0
    if gain.low is None or gain.high is None:
        return -np.inf, value if value <= GAIN else np.inf
    return gain.low, gain.high


def better_than_last(comparison: Comparison | None, patients_known: bool) -> Answer:
    """Whether the last run is beaten, see `compared_in_words`."""
    question = "Better than the last run?"
    if comparison is None:
        return Answer(
            question=question,
            answer="unknown",
            good=None,
            sentence="There is no earlier evaluation of these images to compare with.",
        )
    if {score.difference.value for score in comparison.scores} <= {0.0, None}:
        return Answer(
            question=question,
            answer="unknown",
            good=None,
            sentence="The last evaluation has the same scores in everything: it is of the same predictions.",
        )
    better, sentence = compared_in_words(comparison, patients_known)
    if better is None:
        known = _deciding(comparison).p_value is not None
        return Answer(
            question=question, answer="unsure" if known else "unknown", good=None, sentence=sentence
        )
    return Answer(question=question, answer="yes" if better else "no", good=better, sentence=sentence)


def compared_in_words(comparison: Comparison, patients_known: bool) -> tuple[bool | None, str]:
    """Whether the second run is better than the first, and a sentence that says no more than is known.

    `dice_per_image_mean_paired` decides, one score and not the best of many. A run is called better where
    the permutation p is at most 0.05, the interval of the difference excludes 0 and there are at least 10
    patients; that no difference is shown does not mean that there is none.

    Args:
        comparison: The comparison.
        patients_known: Whether the patients of all images are known in both.

    Returns:
        True if the second is better, False if the first is, None if neither is shown to be; the sentence.
    """
    score, first, second = _deciding(comparison), comparison.first, comparison.second
    difference, p_value = score.difference, score.p_value
    if difference.value is None or p_value is None:
        return None, f"{first} and {second} cannot be told apart: no image has a lesion in either."
    interval, decided = "", False
    if difference.low is not None and difference.high is not None:
        interval = f" ({difference.low:+.3f} to {difference.high:+.3f})"
        decided = p_value <= _LEVEL and not difference.low <= 0 <= difference.high
    who = "patient" if patients_known else "source"
    told = (
        f"{score.name} is {score.first:.3f} in {first} and {score.second:.3f} in {second}, a difference of "
        f"{difference.value:+.3f}{interval} on {counted(comparison.images, 'shared image')} of "
        f"{counted(comparison.patients, who)}, permutation p = {p_value:.3g}"
    )
    doubts = []
    if not decided:
        doubts.append("such a difference may be chance" if difference.value else "no difference was seen")
    if comparison.patients < FEWEST_PATIENTS:
        doubts.append(f"fewer than {FEWEST_PATIENTS} {who}s prove nothing")
    caveat = "" if patients_known else "; not all patients are known, so the true interval is wider"
    if doubts:
        return None, f"Neither is shown to be better: {told}; {' and '.join(doubts)}{caveat}."
    better = difference.value > 0
    return better, f"{second if better else first} scores higher: {told}{caveat}."


def left_out_in_words(comparison: Comparison) -> list[str]:
    """A sentence for each run that has images which the other lacks."""
    return [
        f"{counted(count, 'image')} scored in {name} alone {'was' if count == 1 else 'were'} left out."
        for name, count in (
            (comparison.first, comparison.only_in_first),
            (comparison.second, comparison.only_in_second),
        )
        if count
    ]


def _deciding(comparison: Comparison) -> ComparedScore:
    return next(one for one in comparison.scores if one.name == "dice_per_image_mean_paired")


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
            ("shared_patients", "known patients are in training and here"),
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
    who = counted(draw.num_groups, "patient" if patients_known else "source")
    low, high = foreground.dice_per_image_mean.low, foreground.dice_per_image_mean.high
    width = "" if low is None or high is None else f", interval {high - low:.3f} wide"
    few = draw.num_groups < _FEW_PATIENTS
    sentence = f"{who}{width}."
    if not patients_known:
        sentence += (
            " Not all patients are known; several images of one patient make the true intervals wider "
            "(`score --manifest` tells the patients)."
        )
        if not few:
            return Answer(question=question, answer="unknown", good=None, sentence=sentence)
    if few:
        sentence += f" With fewer than {_FEW_PATIENTS} the intervals are only approximate."
    return Answer(question=question, answer="no" if few else "yes", good=not few, sentence=sentence)


def trivial_in_words(tables: Tables) -> str:
    """What predictions that need no model score, in a sentence."""
    told = "; ".join(f"{name} {scores.mean():.3f}" for name, scores in trivial_scores(tables).items())
    return (
        f"Mean dice_per_image of predictions that need no model, an empty mask counting as 1 where there is "
        f"nothing to mark: {told}." + _assumed_breast(tables)
    )


def _assumed_breast(tables: Tables) -> str:
    """A sentence where the breast of some image is not known."""
    if tables.breast is not None and not np.isnan(tables.breast).any():
        return ""
    return " Where the image is not at hand, the breast is taken as a fifth of it."


def froc_in_words(lesions: LesionScores) -> str:
    """Why the FROC curve is flat, where it is: the sensitivity is one at all rates that are told."""
    told = lesions.froc_sensitivity
    values = [one.sensitivity.value for one in told if one.sensitivity.value is not None]
    if not lesions.froc or lesions.scored_by != "probability" or len(values) < len(told):
        return ""
    if max(values) > min(values):
        return ""
    # The last point has all candidates, whatever their confidence.
    last = lesions.froc[-1]
    missed = lesions.lesions - round(last.sensitivity * lesions.lesions)
    found = f"{counted(missed, 'lesion')} {'is' if missed == 1 else 'are'} found by no candidate at all"
    end = f"; {found}." if missed else "."
    if last.false_positives_per_image == 0:
        return f"The curve is flat, because no candidate is a false positive{end}"
    rates = told[0].false_positives_per_image, told[-1].false_positives_per_image
    return (
        f"The curve is flat: from {rates[0]:g} to {rates[1]:g} false positives per image the sensitivity "
        f"stays {values[0]:.3f}, because the candidates in between find no further lesion{end}"
    )


def lesions_in_words(lesions: LesionScores) -> str:
    """Lesion scores in one sentence."""
    if not lesions.lesions:
        return f"No lesions in the truth; predicted: {counted(lesions.false_positives, 'region')}."
    text = (
        f"{lesions.found} of {counted(lesions.lesions, 'lesion')} found, sensitivity "
        f"{in_words(lesions.sensitivity)}, at {in_words(lesions.false_positives_per_image, 2)} false "
        "positives per image."
    )
    if lesions.specks:
        specks = counted(lesions.specks, "lesion or false positive", "lesions and false positives")
        text += (
            f" {specks} of fewer than 10 pixels may be specks at the edge of a mask; "
            "min_lesion_pixels removes them."
        )
    return text
