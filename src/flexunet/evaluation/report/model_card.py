"""The model card: what the model is, how good it is and on whom, and what it must not be used for.

Source: Mitchell et al. (2019), Model Cards for Model Reporting, FAT*.
"""

from __future__ import annotations

from flexunet.errors import counted
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.summary.verdict import in_words, lesions_in_words
from flexunet.evaluation.tables.document import Scores, estimate_of


def model_card(scores: Scores, title: str, model: dict[str, str]) -> str:
    """The card as Markdown.

    Args:
        scores: The scores of its evaluation.
        title: Name of the model.
        model: What is known of it: architecture, parameters, training data and so on, in words.

    Returns:
        The text.
    """
    who = counted(scores.patients, "patient" if scores.patients_known else "source")
    who += "" if scores.patients_known else "; not all patients are known"
    parts = [
        f"# Model card: {title}",
        f"Written by FlexUNet {scores.flexunet} on {scores.created[:10]} from an evaluation of "
        f"{counted(scores.images, 'image')} ({who}).",
        "## The model",
        _table(("", ""), [[name, value] for name, value in model.items()]) if model else "Not described.",
        "## Verdict",
        "\n".join(f"- **{one.question} {one.words.capitalize()}.** {one.sentence}" for one in scores.verdict),
        "## How good it is",
        _main_scores(scores),
        lesions_in_words(scores.lesions),
        "### Published metrics",
        f"Computed on: {scores.published.computed_on}. They count background."
        " Compare them with the empty prediction.",
        _table(
            ("metric", "this model", "empty prediction"),
            [
                [one.name, _plain(one.value, 4), _plain(one.empty_prediction, 4)]
                for one in scores.published.figures
            ],
        ),
    ]
    if scores.subgroups:
        parts.append("## On whom")
        for column in scores.subgroups:
            shown = shown_in("headline")[:2]
            rows = [
                [group.value, str(group.images), *(in_words(group[score.key]) for score in shown)]
                for group in column.groups
            ]
            parts.append(_table((column.column, "images", *(score.key for score in shown)), rows))
    if scores.probability is not None:
        parts += ["## Its probabilities", _probabilities(scores)]
    parts += [
        "## Use",
        "- Meant for research on segmentation. It is no medical device and must not decide about a patient.",
        "- Images from another scanner, population or view than those above may give other scores: evaluate "
        "there first.",
        "- The scores are as true as the masks they were computed against. Where a model drew those, they "
        "measure agreement with that model.",
    ]
    return "\n\n".join(parts) + "\n"


def _main_scores(scores: Scores) -> str:
    level = f"{100 * scores.rules['confidence']:g} % interval"
    estimates = [(score, estimate_of(scores, score)) for score in shown_in("card")]
    rows = [
        [score.key, _plain(one.value, score.row.digits), _interval(one, score.row.digits)]
        for score, one in estimates
        if one.value is not None
    ]
    return _table(("score", "value", level), rows)


def _probabilities(scores: Scores) -> str:
    found = scores.probability
    if found is None:
        return ""
    error = in_words(found.pixels_in_play.expected_calibration_error)
    text = (
        f"Expected calibration error over the pixels in play {error}, "
        f"Brier score over all pixels {in_words(found.all_pixels.brier_score, 4)}."
    )
    if found.fitted is not None:
        text += (
            f" Fitted on the {found.fitted.split} split: temperature {found.fitted.temperature:.3f}, "
            f"threshold {found.fitted.threshold:.3f} (calibration.json)."
        )
        if found.fitted.postprocess is not None:
            text += f" Post-processing of the scored masks: {found.fitted.postprocess}."
    return text


def _plain(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _interval(one: Estimate, digits: int) -> str:
    return "" if one.low is None else f"{_plain(one.low, digits)} to {_plain(one.high, digits)}"


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )
