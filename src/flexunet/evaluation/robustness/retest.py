"""Test and retest: the same breast on two films that a data set knows to belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flexunet.data.dataset.names import film_of
from flexunet.errors import counted
from flexunet.evaluation.robustness.agreement import agreement
from flexunet.evaluation.robustness.document import Retest
from flexunet.evaluation.scores.row import Values
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.rows import ImageOrigin, Tables

_FEWEST = 3  # pairs; of fewer nothing is said
_FACTS = ("side", "view", "modality")


@dataclass(frozen=True)
class Pairing:
    """One kind of pair of films.

    Attributes:
        name: In words.
        differs: In what the films differ: `view` or `modality`; patient, side and the other are the same.
        first: Its value on the first film.
        second: Its value on the second film.
    """

    name: str
    differs: str
    first: str
    second: str


PAIRINGS = (
    Pairing("two views of a breast", "view", "CC", "MLO"),
    Pairing("low-energy and subtracted image of a view", "modality", "low energy", "subtracted"),
)


def retests(tables: Tables, rules: ScoringRules) -> list[Retest]:
    """Agreement of predicted lesions on every kind of pair that the images hold."""
    return [_retest(pairing, tables, rules) for pairing in PAIRINGS]


def find_pairs_of_films(pairing: Pairing, origins: list[ImageOrigin]) -> list[tuple[int, int]]:
    """Indices of the images of each pair; of several copies of a film, an original comes first."""
    copies_last = sorted(
        range(len(origins)), key=lambda k: (origins[k].attributes.get("operation") != "original", k)
    )
    films: dict[tuple[str, ...], int] = {}
    for index in copies_last:
        facts = film_of(origins[index].source, origins[index].attributes)
        if facts["side"] and facts[pairing.differs]:
            films.setdefault((origins[index].patient, *(facts[fact] for fact in _FACTS)), index)
    place = 1 + _FACTS.index(pairing.differs)
    pairs = []
    for film, index in films.items():
        other = (*film[:place], pairing.second, *film[place + 1 :])
        if film[place].casefold() == pairing.first.casefold() and other in films:
            pairs.append((index, films[other]))
    return pairs


def _retest(pairing: Pairing, tables: Tables, rules: ScoringRules) -> Retest:
    pairs = find_pairs_of_films(pairing, tables.origins)
    patients = [tables.patients[first] for first, _ in pairs]
    known = len(pairs) >= _FEWEST
    answer = "" if known else f"not known: {_too_few(len(pairs))}"
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    predicted, unit = _areas(tables, tables.predicted)
    truth, _ = _areas(tables, tables.truth)
    return Retest(
        name=pairing.name,
        first=pairing.first,
        second=pairing.second,
        pairs=len(pairs),
        patients=len(set(patients)),
        area_unit=unit,
        answer=answer,
        prediction=agreement(predicted[first], predicted[second], patients, rules) if known else None,
        truth=agreement(truth[first], truth[second], patients, rules) if known else None,
        areas=list(zip(predicted[first].tolist(), predicted[second].tolist(), strict=True)),
    )


def _too_few(count: int) -> str:
    if count:
        return f"the images hold {counted(count, 'pair')}, and at least {_FEWEST} are needed"
    return "the images hold no pair of films that manifest or file names tell to belong together"


def _areas(tables: Tables, pixels: np.ndarray) -> tuple[Values, str]:
    """Foreground of each image in mm², or in % of the picture where a spacing is unknown."""
    foreground = pixels[:, 1:].sum(axis=1).astype(np.float64)
    square = tables.spacing.prod(axis=1)
    if not np.isnan(square).any():
        return foreground * square, "mm²"
    return 100 * foreground / tables.sizes.prod(axis=1), "% of the picture"
