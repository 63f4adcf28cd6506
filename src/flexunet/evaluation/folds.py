"""Pool the evaluations of a cross-validation: every image once, scored by the fold that had not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexunet.data.images.color_map import ColorMap
from flexunet.errors import DatasetError, PathError, counted
from flexunet.evaluation.report.outputs import Evaluation, read_previous, read_scores, write_evaluation
from flexunet.evaluation.scores.lesions import joined
from flexunet.evaluation.scores.registry import shown_in
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.probability import pooled_probability
from flexunet.evaluation.tables.document import (
    Fold,
    ProbabilityScores,
    PublishedMetric,
    PublishedMetrics,
    Scores,
    estimate_of,
)
from flexunet.evaluation.tables.files import read_tables
from flexunet.evaluation.tables.rows import Tables, refuse_twins
from flexunet.run_folder import runs_in


def find_folds(paths: Sequence[Path]) -> list[Path]:
    """Run folders of a cross-validation: those given, or the runs inside the one folder given.

    Raises:
        PathError: if fewer than two are found.
    """
    runs = list(paths)
    if len(runs) == 1:
        inside = runs_in(runs[0])
        runs = inside or sorted(path.parents[1] for path in runs[0].glob("*/evaluation/per_image.csv"))
    if len(runs) < 2:
        raise PathError(
            f"--folds needs two run folders or more, or a folder that holds them; found {len(runs)} in "
            f"{', '.join(str(path) for path in paths)}."
        )
    return runs


def pool_tables(parts: Sequence[Tables]) -> Tables:
    """One set of tables from those of the folds.

    Args:
        parts: Tables of each fold.

    Returns:
        All images, sorted by name.

    Raises:
        DatasetError: if an image is in two folds, or the folds differ in their classes.
    """
    if len({part.num_classes for part in parts}) > 1:
        raise DatasetError(f"the folds differ in their classes: {[part.num_classes for part in parts]}.")
    origins = [origin for part in parts for origin in part.origins]
    refuse_twins(sorted(origin.name for origin in origins))
    order = np.argsort([origin.name for origin in origins], kind="stable")
    place = np.argsort(order, kind="stable")
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])[:-1]])

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])[order]

    def images(name: str) -> np.ndarray:
        return np.concatenate(
            [place[start + getattr(part, name)] for start, part in zip(starts, parts, strict=True)]
        )

    return Tables(
        origins=[origins[index] for index in order],
        sizes=stacked("sizes"),
        spacing=stacked("spacing"),
        correct=stacked("correct"),
        truth=stacked("truth"),
        predicted=stacked("predicted"),
        confusion=np.sum([part.confusion for part in parts], axis=0),
        surface=stacked("surface"),
        lesion_image=images("lesion_image"),
        lesions=joined([part.lesions for part in parts]),
        candidate_image=images("candidate_image"),
        candidates=joined([part.candidates for part in parts]),
    )


def evaluate_folds(
    folders: Sequence[Path],
    color_map: ColorMap,
    rules: ScoringRules,
    *,
    names: Sequence[str],
    out: Path,
    split: str | None = None,
    subgroups: Sequence[str] = (),
) -> Evaluation:
    """Pool the evaluations of several runs and write report, scores and tables.

    Args:
        folders: Folders of evaluations.
        color_map: Colours of the classes.
        rules: The rules; intervals and means are computed anew, matching is that of the folds.
        names: What to call the folds.
        out: Folder for the files.
        split: Split that was scored.
        subgroups: Manifest columns to report.

    Returns:
        The evaluation of all folds together.

    Raises:
        PathError: if a run has no evaluation.
        DatasetError: if an image is in two folds.
    """
    documents = [read_scores(folder) for folder in folders]
    parts = [read_tables(folder) for folder in folders]
    for part, document in zip(parts, documents, strict=True):
        part.confusion = np.array(document.confusion, np.int64)
    tables = pool_tables(parts)
    notes: list[str] = []
    about = Circumstances(
        truth=", ".join(dict.fromkeys(document.truth for document in documents)),
        prediction=", ".join(str(folder) for folder in folders),
        color_map=color_map,
        split=split,
        patients_known=all(document.patients_known for document in documents),
        published=_published(documents),
        drafts=sum(document.drafts for document in documents),
        subgroups=subgroups,
        folds=[
            _fold(name, part, document) for name, part, document in zip(names, parts, documents, strict=True)
        ],
        audit=_audit(documents, parts),
        previous=read_previous(out, rules, notes),
    )
    scores = make_scores(tables, rules, about)
    scores.probability = _probability(documents)
    write_evaluation(out, scores, tables, title=f"Cross-validation of {counted(len(folders), 'fold')}")
    return Evaluation(scores, tables, out, notes)


def _fold(name: str, tables: Tables, document: Scores) -> Fold:
    return Fold(
        run=name,
        images=len(tables),
        patients=len(set(tables.patients)),
        **{score.key: estimate_of(document, score).value for score in shown_in("headline")},
    )


def _published(documents: Sequence[Scores]) -> PublishedMetrics:
    """Published metrics of the folds, averaged by their numbers of images."""
    weights = np.array([document.images for document in documents], np.float64)
    metrics = []
    for name in [one.name for one in documents[0].published.figures]:
        found = [one for document in documents for one in document.published.figures if one.name == name]
        if len(found) < len(documents):
            continue
        empty = [one.empty_prediction for one in found if one.empty_prediction is not None]
        metrics.append(
            PublishedMetric(
                name=name,
                value=float(np.average([one.value for one in found], weights=weights)),
                empty_prediction=float(np.average(empty, weights=weights))
                if len(empty) == len(found)
                else None,
            )
        )
    on = documents[0].published.computed_on
    return PublishedMetrics(computed_on=f"{on}; mean of the folds by their images", figures=metrics)


def _probability(documents: Sequence[Scores]) -> ProbabilityScores | None:
    known = [document.probability for document in documents]
    return pooled_probability([one for one in known if one is not None]) if None not in known else None


def _audit(documents: Sequence[Scores], parts: Sequence[Tables]) -> dict[str, object] | None:
    """What the folds know of leakage; a patient scored in two folds was in training too."""
    patients = [set(part.patients) for part in parts]
    twice = {
        name for index, one in enumerate(patients) for two in patients[index + 1 :] for name in one & two
    }
    audits = [document.audit for document in documents]
    if None in audits and not twice:
        return None
    known = [audit for audit in audits if audit]
    return {
        "shared_sources": sum(int(audit.get("shared_sources") or 0) for audit in known),
        "shared_patients": sum(int(audit.get("shared_patients") or 0) for audit in known) or len(twice),
        "shared_pictures": sum(int(audit.get("shared_pictures") or 0) for audit in known),
        "pictures_compared": all(audit and audit.get("pictures_compared") for audit in audits),
        "patients_in_two_folds": len(twice),
        "untrue": [text for audit in known for text in audit.get("untrue") or ()],
        "checked": "the audits of the folds, and patients in two folds",
    }
