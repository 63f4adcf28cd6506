"""Plan a study from the evaluation of a run, or from those of two runs on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flexunet.errors import ConfigError, DatasetError
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import read_pair, shared_images, why_not_comparable
from flexunet.evaluation.summary.sample_size import assumptions, plan_paired, plan_score
from flexunet.evaluation.tables.files import Told, find_evaluation, read_tables, read_told
from flexunet.evaluation.tables.study_plan import PairedPlan, StudyPlan


@dataclass(frozen=True)
class Study:
    """Plans for some scores.

    Attributes:
        plans: One a score.
        assumptions: What they take for granted, in sentences.
    """

    plans: Sequence[StudyPlan]
    assumptions: Sequence[str]

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "plans": [plan.model_dump(mode="json") for plan in self.plans],
            "assumptions": list(self.assumptions),
        }


@dataclass(frozen=True)
class PairedStudy:
    """Plans for a comparison of two methods on the same patients.

    Attributes:
        names: The two runs.
        plans: One a score.
        assumptions: What they take for granted, in sentences.
    """

    names: tuple[str, str]
    plans: Sequence[PairedPlan]
    assumptions: Sequence[str]

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "plans": [plan.model_dump(mode="json") for plan in self.plans],
            "assumptions": list(self.assumptions),
        }


def plan_study(run: Path | str, keys: Sequence[str], width: float, confidence: float = 0.95) -> Study:
    """How many patients some scores need for an interval of a width.

    Args:
        run: Run folder, or folder of an evaluation.
        keys: Scores, keys of scores.json.
        width: Upper end less lower end.
        confidence: Level of the intervals.

    Raises:
        PathError: if there is no evaluation.
        ConfigError: if a score cannot be planned for, or the width is not above 0.
    """
    folder = find_evaluation(run)
    tables, told = read_tables(folder), read_told(folder)
    plans = [plan_score(tables, _rules(told), key, width, confidence) for key in keys]
    return Study(plans, assumptions(told.patients_known, paired=False))


def plan_paired_study(
    first: Path | str,
    second: Path | str,
    difference: float | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    keys: Sequence[str] = (),
) -> PairedStudy:
    """What two methods on the same patients can show.

    Args:
        first: Run folder, or folder of an evaluation.
        second: The other one.
        difference: The smallest difference that matters; None tells only what these patients can show.
        power: Chance that such a difference is shown.
        confidence: 1 less the level of the two-sided test.
        keys: Scores of `flexunet compare`, `_paired` may be left out; all by default.

    Raises:
        PathError: if one has no evaluation.
        DatasetError: if they cannot be compared.
        ConfigError: if a score is none of those compared, or power or difference are out of range.
    """
    pair = read_pair(first, second)
    if reason := why_not_comparable(*pair.tables):
        raise DatasetError(f"{pair.names[0]} and {pair.names[1]} cannot be compared: {reason}.")
    plans = plan_paired(*shared_images(*pair.tables), ScoringRules(), difference, power, confidence)
    known = {plan.score.removesuffix("_paired"): plan for plan in plans}
    if wrong := [key for key in keys if key.removesuffix("_paired") not in known]:
        raise ConfigError(f"--score {wrong[0]}: runs are compared by {', '.join(known)}.")
    chosen = [known[key.removesuffix("_paired")] for key in keys] or plans
    return PairedStudy(pair.names, chosen, assumptions(pair.patients_known, paired=True))


def _rules(told: Told) -> ScoringRules:
    """The rules of an evaluation; what this version does not know is left out."""
    return ScoringRules.from_section(SimpleNamespace(**told.rules))
