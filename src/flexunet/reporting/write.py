"""Fill a checklist from a run, and write it as a page and as Markdown, with figures beside it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from flexunet.files import templates_of, write_text
from flexunet.reporting.answers import STATES, Answer, Checklist, Item
from flexunet.reporting.facts import RunFacts
from flexunet.reporting.figures import Drawn, write_figures
from flexunet.reporting.fill_results import worst_images
from flexunet.svg import prose
from flexunet.version import __version__


@dataclass(frozen=True)
class FilledList:
    """A checklist filled from a run.

    Attributes:
        checklist: The checklist.
        rows: Each item with its answer.
        supplement: Further headings with their answers.
        paths: The files that were written.
    """

    checklist: Checklist
    rows: Sequence[tuple[Item, Answer]]
    supplement: Sequence[tuple[str, Answer]] = ()
    paths: Sequence[Path] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of items by state."""
        counts = Counter(answer.state for _, answer in self.rows)
        return {name: counts[state] for state, name in STATES.items()}

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "checklist": self.checklist.title,
            "source": self.checklist.source,
            "counts": self.counts,
            "items": [
                {
                    "number": item.number, "section": item.section, "topic": item.topic,
                    "state": STATES[answer.state], "text": answer.text, "where": answer.where,
                    "ask": answer.ask,
                }
                for item, answer in self.rows
            ],
        }  # fmt: skip


def fill(checklist: Checklist, facts: RunFacts) -> FilledList:
    """Answer every item of a checklist."""
    return FilledList(
        checklist,
        [(item, item.fill(facts)) for item in checklist.items],
        [(heading, answer(facts)) for heading, answer in checklist.supplement],
    )


def write_checklists(facts: RunFacts, checklists: Sequence[Checklist], out: Path) -> list[FilledList]:
    """Write each checklist as `NAME.html`, `NAME.md` and `NAME.json`, and the figures into `figures/`.

    Args:
        facts: What the run tells.
        checklists: Which.
        out: Folder; made if missing.

    Returns:
        The filled checklists with the paths of their files.
    """
    figures = write_figures(out / "figures", facts)
    written = []
    for checklist in checklists:
        filled_list = fill(checklist, facts)
        paths = [out / f"{checklist.name}.{ending}" for ending in ("html", "md", "json")]
        texts = (
            _rendered("checklist.html.jinja", filled_list, facts, figures),
            _rendered("checklist.md.jinja", filled_list, facts, figures),
            json.dumps(filled_list.document(), indent=2, ensure_ascii=False) + "\n",
        )
        for path, text in zip(paths, texts, strict=True):
            write_text(path, text)
        written.append(replace(filled_list, paths=paths))
    return written


def _rendered(name: str, filled_list: FilledList, facts: RunFacts, figures: Sequence[Drawn]) -> str:
    templates = templates_of("flexunet.reporting")
    templates.filters["prose"] = prose
    templates.filters["cell"] = _cell
    sections = [
        (section, list(rows))
        for section, rows in itertools.groupby(filled_list.rows, key=lambda row: row[0].section)
    ]
    return templates.get_template(name).render(
        checklist=filled_list.checklist,
        sections=sections,
        supplement=filled_list.supplement,
        counts=filled_list.counts,
        states=STATES,
        run=facts.folder.resolve().name,
        scores=facts.scores,
        figures=[(number, figure, Markup(figure.svg)) for number, figure in enumerate(figures, start=1)],  # noqa: S704
        worst=worst_images(facts, most=10),
        created=datetime.now(UTC).isoformat(timespec="minutes"),
        version=__version__,
    )


def _cell(text: str) -> Markup:
    """Text in a cell of a Markdown table, in which bars and line ends would break it."""
    return Markup(text.replace("|", "\\|").replace("\n", " "))  # noqa: S704 - Markdown, not a page
