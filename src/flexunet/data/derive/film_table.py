"""Facts about films from a CSV file: patient, side, view, density and whatever else is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from flexunet.data.dataset.identity import doubtful_patients, find_patient, patient_pattern
from flexunet.data.dataset.matching import listed, names_of_films
from flexunet.data.images.files.names import composed, name_stem
from flexunet.data.tables import read_table
from flexunet.errors import DatasetError, PathError

_FILE_COLUMNS = ("image", "file", "filename", "file name", "source")
_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}

Facts = dict[str, dict[str, str]]


def read_film_table(path: Path | str) -> tuple[Facts, list[str]]:
    """Read facts by the stem of the film's file name, and what a user should know of how they were read.

    Args:
        path: CSV with a column `image` (or `file`, `filename`, `source`); all others are facts.

    Raises:
        PathError: if the file is missing.
        DatasetError: if it has no such column, or two rows of one film that contradict each other.
    """
    path = Path(path)
    if not path.is_file():
        raise PathError(f"table {path} does not exist. Check the path.")
    table = read_table(path)
    key = table.find(*_FILE_COLUMNS)
    facts: Facts = {}
    lines: dict[str, int] = {}
    for line, row in table.rows:
        stem = name_stem(row[key])
        if not stem:
            if any(map(str.strip, row.values())):
                raise DatasetError(f"{table.where(line)}: the film's name is missing. Add it.")
            continue
        told = {name: composed(row[column].strip()) for name, column in table.named.items() if column != key}
        before = facts.setdefault(stem, told)
        first = lines.setdefault(stem, line)
        if differing := [
            f"{name} {before[name]!r} and {told[name]!r}" for name in told if before[name] != told[name]
        ]:
            raise DatasetError(
                f"{path}, lines {first} and {line}, tell different things of {stem!r}: {listed(differing)}. "
                "Keep one row per film."
            )
    return facts, table.notes


def find_patients(stems: Iterable[str], pattern: str) -> Facts:
    """Read the patient out of file names.

    Args:
        stems: Names of films without suffix.
        pattern: Regular expression; its group `patient`, its first group, or all it matches is the patient.

    Raises:
        ConfigError: if the expression is none.
        DatasetError: if it fits no name.
    """
    expression = patient_pattern(pattern)
    names = list(stems)
    facts = {stem: {"patient": patient} for stem in names if (patient := find_patient(expression, stem))}
    if not facts:
        raise DatasetError(f"--patient-pattern {pattern!r} fits no film, for example not {names[0]!r}.")
    return facts


def doubts_about_table(facts: Mapping[str, Mapping[str, str]], stems: Collection[str]) -> list[str]:
    """What a table says that cannot be relied on, a sentence each: rows of no film, patients that are none.

    Args:
        facts: The table, as `read_film_table` reads it.
        stems: Names of the films without suffix.
    """
    doubts = doubtful_patients(
        [{"file": stem, "patient": row.get("patient", "")} for stem, row in facts.items()]
    )
    meant = names_of_films(facts, stems)
    strangers = [name for name in facts if name not in meant]
    without_zeros = {stem.lstrip("0"): stem for stem in stems if stem.startswith("0")}
    lost = [stem for stem in strangers if stem in without_zeros]
    if lost:
        doubts.append(
            f"{len(lost)} rows of the table lost leading zeros: {lost[0]!r} is the name of no film, "
            f"{without_zeros[lost[0]]!r} is. Their facts were not used; save the column as text."
        )
    elif len(strangers) == len(facts) and facts:
        doubts.append(f"no row of the table names a film, for example not {strangers[0]!r}.")
    return doubts


def join_facts(*sources: Mapping[str, Mapping[str, str]]) -> Facts:
    """Put facts from several sources together; earlier sources count more."""
    joined: Facts = {}
    for source in reversed(sources):
        for stem, facts in source.items():
            known = {name: value for name, value in facts.items() if value}
            joined[stem] = joined.get(stem, {}) | known
    return joined


def known_sides(facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """`L` or `R` by stem, from the column `side` (`left`, `R`, ...), where it says so."""
    sides = {stem: _SIDES.get(row.get("side", "").lower(), "") for stem, row in facts.items()}
    return {stem: side for stem, side in sides.items() if side}
