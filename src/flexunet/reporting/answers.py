"""An item of a checklist and its answer: filled from data, left to a person, or not applicable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from flexunet.reporting.facts import RunFacts

State = Literal["filled", "person", "not applicable"]
STATES: dict[State, str] = {
    "filled": "filled from data",
    "person": "needs a person",
    "not applicable": "not applicable",
}


@dataclass(frozen=True)
class Answer:
    """What is known for an item.

    Attributes:
        state: `filled` only where the files answer the whole item.
        text: What they tell, in sentences to paste.
        where: The files that tell it.
        ask: What a person has to write; empty where nothing is left.
    """

    state: State
    text: str = ""
    where: str = ""
    ask: str = ""


Fill = Callable[[RunFacts], Answer]


@dataclass(frozen=True)
class Item:
    """An item of a checklist, in this project's words.

    Attributes:
        number: Its number in the checklist.
        section: Part of the paper.
        topic: What it asks for.
        fill: From the facts to the answer.
    """

    number: str
    section: str
    topic: str
    fill: Fill


@dataclass(frozen=True)
class Checklist:
    """A checklist.

    Attributes:
        name: Option and file name.
        title: Its title.
        source: Where it was published.
        items: Its items.
        supplement: What the run tells beyond the items, under a heading each.
    """

    name: str
    title: str
    source: str
    items: Sequence[Item]
    supplement: Sequence[tuple[str, Fill]] = ()


def person(ask: str) -> Fill:
    """An item that no file answers."""
    return lambda _: Answer("person", ask=ask)


def known_in_part(fill: Fill, ask: str) -> Fill:
    """What the files tell of an item whose rest a person has to write."""

    def filled(facts: RunFacts) -> Answer:
        answer = fill(facts)
        return Answer("person", answer.text, answer.where, ask)

    return filled


def not_applicable(why: str) -> Fill:
    """An item that does not concern this kind of study."""
    return lambda _: Answer("not applicable", why)


def filled(text: str, where: str) -> Answer:
    """An item that the files answer."""
    return Answer("filled", text, where)


def unknown(ask: str, text: str = "", where: str = "") -> Answer:
    """An item whose files are not at hand, with what a person can do about it."""
    return Answer("person", text, where, ask)
