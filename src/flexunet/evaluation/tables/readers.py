"""The part of scores.json on several readers of the same images."""

from __future__ import annotations

from pydantic import Field

from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.tables.part import Part


class ReaderScore(Part):
    """A score of the model against readers, beside that of readers against each other."""

    name: str
    model: Estimate = Field(description="Against each reader as truth, each reading once.")
    readers: Estimate = Field(description="Each reader against each other as truth.")
    difference: Estimate = Field(description="Model less readers, the same patients drawn for both.")
    higher_is_better: bool


class OneReader(Part):
    """The first of those scores with one reader as truth."""

    reader: str
    model: Estimate
    other_readers: Estimate


class ReaderAgreement(Part):
    """Several readers of the same images, and the model against each."""

    images: int
    patients: int
    scores: list[ReaderScore]
    by_reader: list[OneReader]
    sentence: str
