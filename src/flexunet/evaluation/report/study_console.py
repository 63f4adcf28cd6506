"""What `flexunet plan-study` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flexunet.errors import counted
from flexunet.evaluation.tables.study_plan import PairedPlan, StudyPlan


def plan_tables(plans: Sequence[StudyPlan], assumed: Sequence[str]) -> RenderableType:
    """Patients for a width, the widths of other numbers of patients, and what is assumed."""
    table = Table(title=f"Patients for an interval of {100 * plans[0].confidence:g} %", title_justify="left")
    for name in ("score", "in this run", "spread", "width", "patients needed", "from the spread's interval"):
        table.add_column(name, justify="left" if name == "score" else "right")
    for plan in plans:
        table.add_row(
            plan.score,
            _number(plan.value),
            _number(plan.spread),
            f"{plan.width:g}",
            _needed(plan.needed, plan.reason),
            _range(plan),
        )
    parts: list[RenderableType] = [table]
    known = [plan for plan in plans if plan.widths]
    if known:
        patients = list(known[0].widths)
        widths = Table(title="Width of the interval with so many patients", title_justify="left")
        widths.add_column("score")
        for number in patients:
            widths.add_column(number, justify="right")
        for plan in known:
            widths.add_row(plan.score, *(f"{plan.widths[number]:.3f}" for number in patients))
        parts.append(widths)
    parts += [Text(f"{plan.score}: not known, because {plan.reason}.") for plan in plans if plan.reason]
    return Group(*parts, *_assumed(assumed))


def paired_table(
    plans: Sequence[PairedPlan], names: tuple[str, str], assumed: Sequence[str]
) -> RenderableType:
    """What the patients of two runs can show, how many a difference needs, and what is assumed."""
    first = plans[0]
    table = Table(
        title=f"{names[1]} less {names[0]}, {counted(first.patients, 'patient')}, power {first.power:g}, "
        f"two-sided level {1 - first.confidence:.2g}",
        title_justify="left",
    )
    planned = any(plan.difference is not None for plan in plans)
    further = ("planned for", "patients needed", "range") if planned else ()
    for name in ("score", "observed", "spread", "detectable", *further):
        table.add_column(name, justify="left" if name == "score" else "right")
    for plan in plans:
        table.add_row(
            plan.score,
            "n/a" if plan.observed is None else f"{plan.observed:+.3f}",
            _number(plan.spread),
            _number(plan.detectable),
            *((_number(plan.difference), _needed(plan.needed, plan.reason), _range(plan)) if planned else ()),
        )
    unknown = [Text(f"{plan.score}: not known, because {plan.reason}.") for plan in plans if plan.reason]
    return Group(table, *unknown, *_assumed(assumed))


def _assumed(sentences: Sequence[str]) -> list[RenderableType]:
    return [Text("This assumes:"), *(Text(f"- {sentence}") for sentence in sentences)]


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _needed(needed: int | None, reason: str) -> str:
    if reason:
        return "not known"
    return "above a million" if needed is None else str(needed)


def _range(plan: StudyPlan | PairedPlan) -> str:
    if plan.reason or plan.needed_low is None or plan.needed_high is None:
        return ""
    return f"{plan.needed_low} to {plan.needed_high}"
