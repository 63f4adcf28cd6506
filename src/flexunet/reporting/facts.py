"""What the files of a run tell: read once, never guessed; what is missing stays None or empty."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from flexunet.data.configured import pairs_or_none
from flexunet.data.dataset.manifest import FILE_NAME as MANIFEST
from flexunet.data.dataset.manifest import find_root, is_descriptive
from flexunet.data.dataset.pairs import Pair
from flexunet.data.derive.record import EXCLUDED_FILE
from flexunet.data.images.files.names import image_stem
from flexunet.data.tables import read_own_rows
from flexunet.errors import InputError, PathError
from flexunet.evaluation.report.outputs import read_scores
from flexunet.evaluation.robustness.document import Robustness
from flexunet.evaluation.robustness.run import DOCUMENT
from flexunet.evaluation.tables.document import Scores
from flexunet.evaluation.tables.files import find_evaluation, read_tables
from flexunet.evaluation.tables.rows import Tables
from flexunet.inference.predict.calibration import Calibration
from flexunet.run_folder import SCORES, RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

SPLITS = ("train", "valid", "test")
_MOST_VALUES = 12
_JOURNAL = "derive_journal.jsonl"


@dataclass(frozen=True)
class SplitFacts:
    """One split as its folders and the manifest tell.

    Attributes:
        images: Number of images, None where the folder is not at hand and the run did not record it.
        patients: People or sources, None where images are not at hand.
        patients_known: Whether the person of every image is known.
        characteristics: Values of each describing column of the manifest with their numbers of images.
        people: The patients; originals where the person is unknown.
        sources: The originals.
    """

    images: int | None = None
    patients: int | None = None
    patients_known: bool = False
    characteristics: dict[str, dict[str, int]] = field(default_factory=dict)
    people: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RunFacts:
    """Everything that the report is filled from.

    Attributes:
        config: The configuration of the run as resolved.
        folder: The run folder.
        scores: The evaluation.
        tables: Its tables.
        evaluation: Its folder.
        environment: environment.json.
        history: Curves of the training by name.
        best_epoch: The epoch whose weights were kept, from 1; None where history.json does not tell.
        calibration: What was fitted on validation images.
        plan: What `flexunet init` decided.
        robustness: What `evaluate --robustness` measured.
        excluded: Films that `derive` left out, or that wait for a person: file, state, reason; None where
            its files are not at hand.
        agreement: How far the readers of a review desk agree.
        others: Evaluations of other images in the run folder, by the names of their folders.
        splits: The splits by name.
        roots: Folders of the data set.
    """

    config: Config
    folder: Path
    scores: Scores
    tables: Tables
    evaluation: Path
    environment: dict[str, Any] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None
    calibration: Calibration | None = None
    plan: dict[str, Any] | None = None
    robustness: Robustness | None = None
    excluded: list[tuple[str, str, str]] | None = None
    agreement: dict[str, Any] | None = None
    others: dict[str, Scores] = field(default_factory=dict)
    splits: dict[str, SplitFacts] = field(default_factory=dict)
    roots: tuple[Path, ...] = ()

    @cached_property
    def shared_people(self) -> dict[str, int]:
        """Patients in two splits, by the pair of splits; empty where there are none."""
        counts = {}
        for place, one in enumerate(SPLITS):
            for two in SPLITS[place + 1 :]:
                if shared := self.splits[one].people & self.splits[two].people:
                    counts[f"{one} and {two}"] = len(shared)
        return counts

    @property
    def all_at_hand(self) -> bool:
        """Whether the images of all splits that the run uses are at hand."""
        used = [one for name, one in self.splits.items() if one.images or name != "valid"]
        return all(one.patients is not None for one in used)

    @property
    def patients_known(self) -> bool:
        """Whether the person of every image of every split is known."""
        return self.all_at_hand and all(one.patients_known for one in self.splits.values() if one.images)

    def values_of(self, column: str) -> list[str]:
        """Values of a column of the manifest over all splits."""
        return sorted(
            {value for one in self.splits.values() for value in one.characteristics.get(column, ())}
        )


def read_facts(
    config: Config,
    *,
    evaluation: Path | None = None,
    derived: Path | None = None,
    agreement: dict[str, Any] | None = None,
) -> RunFacts:
    """Read what the files of a run tell.

    Args:
        config: The configuration of the run.
        evaluation: Folder of its evaluation; `[evaluate] output_dir` by default.
        derived: Folder that `flexunet derive` wrote, for what it left out; the data set by default.
        agreement: How far readers agree, as the review desk tells it.

    Raises:
        PathError: if the run has no evaluation.
        DatasetError: if the evaluation cannot be read.
    """
    place = RunFolder.of(config)
    folder = find_evaluation(evaluation or place.evaluation)
    environment = _json(place.environment) or {}
    pairs = {split: pairs_or_none(config, split) for split in SPLITS}
    joined = [pair for found in pairs.values() for pair in found]
    roots = tuple(
        dict.fromkeys(
            root for found in pairs.values() if found and (root := find_root(found[0].image_path.parent))
        )
    )
    history = _json(place.history) or {}
    return RunFacts(
        config=config,
        folder=place.path,
        scores=read_scores(folder),
        tables=read_tables(folder),
        evaluation=folder,
        environment=environment,
        history={name: values for name, values in history.items() if isinstance(values, list)},
        best_epoch=best if isinstance(best := history.get("best_epoch"), int) else None,
        calibration=_calibration(place.path),
        plan=_plan(config, environment),
        robustness=_robustness(folder / DOCUMENT),
        excluded=_excluded([derived] if derived else roots, frozenset(pair.source for pair in joined)),
        agreement=agreement,
        others=_others(place.path, (folder, place.evaluation)),
        splits={split: _split(found, environment, split) for split, found in pairs.items()},
        roots=roots,
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _calibration(folder: Path) -> Calibration | None:
    try:
        return Calibration.read(folder)
    except InputError:
        return None


def _others(run: Path, own: Sequence[Path]) -> dict[str, Scores]:
    """Evaluations beside the run's own; those that cannot be read are none."""
    found, known = {}, {folder.resolve() for folder in own}
    for path in sorted(run.glob(f"*/{SCORES}")):
        if path.parent.resolve() not in known:
            with suppress(InputError):
                found[path.parent.name] = read_scores(path.parent)
    return found


def _plan(config: Config, environment: dict[str, Any]) -> dict[str, Any] | None:
    sources = [environment.get("configuration"), config.source]
    for source in filter(None, sources):
        if isinstance(found := _json(Path(source).with_suffix(".plan.json")), dict):
            return found
    return None


def _robustness(path: Path) -> Robustness | None:
    try:
        return Robustness.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _excluded(folders: Sequence[Path], used: frozenset[str]) -> list[tuple[str, str, str]] | None:
    """Films that `derive` left out, and those that wait for a person and are not used; None where unknown."""
    written = [
        folder for folder in folders if (folder / _JOURNAL).is_file() or (folder / EXCLUDED_FILE).is_file()
    ]
    if not written:
        return None
    rows = []
    for folder in written:
        waiting = folder / "to_review" / MANIFEST
        for path in (folder / EXCLUDED_FILE, waiting):  # written only where there are such films
            if path.is_file():
                names, lines = read_own_rows(path)
                for line in lines:
                    row = dict(zip(names, line, strict=False))
                    state = row.get("state") or "waits for a person"
                    if path != waiting or image_stem(Path(row["raw_file"])) not in used:
                        rows.append((row.get("raw_file", ""), state, row.get("reason", "")))
    return rows


def _split(pairs: Sequence[Pair], environment: dict[str, Any], split: str) -> SplitFacts:
    recorded = (environment.get("images") or {}).get(split)
    if not pairs:
        return SplitFacts(images=recorded)
    columns: dict[str, Counter[str]] = {}
    for pair in pairs:
        for name, value in pair.identity.row.items():
            if value and is_descriptive(name):
                columns.setdefault(name, Counter())[value] += 1
    return SplitFacts(
        images=len(pairs),
        patients=len({pair.patient for pair in pairs}),
        patients_known=all(pair.identity.patient_known for pair in pairs),
        characteristics={
            name: dict(sorted(counts.items()))
            for name, counts in columns.items()
            if len(counts) <= _MOST_VALUES
        },
        people=frozenset(pair.patient for pair in pairs),
        sources=frozenset(pair.source for pair in pairs),
    )


def require_derived(folder: Path) -> None:
    """Refuse a folder that `derive` did not write.

    Raises:
        PathError: naming what was expected.
    """
    if not any((folder / name).is_file() for name in (EXCLUDED_FILE, _JOURNAL)):
        raise PathError(
            f"--derived {folder}: expected a folder that `flexunet derive` wrote, with {_JOURNAL}."
        )
