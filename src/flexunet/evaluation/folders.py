"""Score a folder of predicted masks against a folder of true ones; no model, no engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.data.dataset.identity import Identities
from flexunet.data.dataset.pairs import Pair
from flexunet.data.dataset.status import is_unchecked
from flexunet.data.images.color_map import RGB_MAP_OPTION
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import DatasetError, counted
from flexunet.evaluation.leakage import look_for_leaks
from flexunet.evaluation.mask_folders import MaskPair, pair_masks, score_pairs
from flexunet.evaluation.readers import score_readers
from flexunet.evaluation.report.outputs import Evaluation, keep_other_images, read_previous, write_evaluation
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.comparison import other_rules, why_not_comparable
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.files import find_evaluation, read_tables, read_told
from flexunet.evaluation.tables.rows import Tables
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def score_folders(
    truth: Path | str,
    prediction: Path | str,
    *,
    masks: MaskReader | None = None,
    rules: ScoringRules | None = None,
    images: Path | str | None = None,
    manifest: Path | str | None = None,
    readers: Sequence[Path | str] = (),
    spacing: tuple[float, float] | None = None,
    subgroups: Sequence[str] = (),
    against: Path | str | None = None,
    audit: dict[str, Any] | None = None,
    run: Config | None = None,
    look: bool = True,
    out: Path | str | None = None,
    jobs: int | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Score a folder of predicted masks: scores, and with `out` all the files.

    Args:
        truth: Folder of true masks.
        prediction: Folder of predicted masks of the same names.
        masks: How masks are read; if left out, colours are guessed (black and white unless they clearly are
            not).
        rules: The rules.
        images: Folder of the images, for pictures; `images` beside `truth` by default.
        manifest: manifest.csv or its folder; that of the data set `truth` belongs to by default.
        readers: Folders of masks of the same images by further readers than that of `truth`; how far all of
            them agree is shown beside the scores.
        spacing: Height and width of a pixel in mm, for images without one in the manifest.
        subgroups: Manifest columns to report.
        against: Folder of an evaluation or run to compare with; what `out` holds so far by default.
        audit: Summary of the data-set audit, from `leakage.read_audit`.
        run: Configuration of the run that predicted; its training and validation images must not be among
            those scored.
        look: Whether the pictures are compared with those of the run.
        out: Folder for the files.
        jobs: Threads.
        ray: Address of a Ray cluster that reads and scores in place of threads; see `work_on_cluster`.
        progress: Told how many images are scored.

    Returns:
        The evaluation.

    Raises:
        InputError: if folders, masks or manifest cannot be used.

    Examples:
        >>> evaluation = flexunet.score_folders("dataset/test/masks", "dataset/test/masks")
        >>> evaluation.scores.images
        4
    """
    rules, notes = rules or ScoringRules(), list[str]()
    pairs = pair_masks(truth, prediction, images)
    truths, predictions = [pair.truth for pair in pairs], [pair.prediction for pair in pairs]
    masks = masks or _guessed(truths, predictions, notes)
    if images is not None and (without := sum(pair.image is None for pair in pairs)):
        notes.append(f"{images} has no picture of {without} of the {counted(len(pairs), 'mask')}")
    notes += dict.fromkeys(note for paths in (truths, predictions) if (note := masks.note_on(paths)))
    identities = Identities.of_manifest(manifest) if manifest else Identities.of_folder(truth)
    previous = None
    if against is not None:
        refuse_other_rules(against, rules)
        previous = (Path(against).name, read_tables(find_evaluation(against)))
    elif out is not None:
        previous = read_previous(Path(out), rules, notes)
    gallery = Extremes() if out is not None else None
    tables = score_pairs(
        pairs,
        masks,
        rules,
        identities.of,
        spacing=spacing,
        jobs=jobs,
        ray=ray,
        gallery=gallery,
        progress=progress,
    )
    about = Circumstances(
        truth=str(truth),
        prediction=str(prediction),
        color_map=masks.color_map,
        patients_known=all(identities.of(pair.truth).patient_known for pair in pairs),
        subgroups=subgroups,
        previous=comparable(previous, tables, notes, demanded=against is not None),
        drafts=sum(is_unchecked(identities.of(pair.truth).row) for pair in pairs),
        audit=_leaks(run, pairs, identities, audit, look, jobs, progress) if run else audit,
        readers=score_readers(
            [truth, *readers], prediction, tables, masks, rules, identities.of, spacing, jobs, progress
        )
        if readers
        else None,
    )
    scores = make_scores(tables, rules, about)
    folder = Path(out) if out is not None else None
    if folder is not None:
        keep_other_images(folder, tables, rules, notes)
        write_evaluation(
            folder, scores, tables, gallery, title=f"Scores of {Path(prediction).resolve().name}"
        )
    return Evaluation(scores, tables, folder, notes)


def _guessed(truths: list[Path], predictions: list[Path], notes: list[str]) -> MaskReader:
    masks, guessed = guess_reader(truths, predictions)
    if guessed:
        notes.append(f"{guessed} If they are wrong, give them with {RGB_MAP_OPTION} or --config.")
    return masks


def _leaks(
    run: Config,
    pairs: Sequence[MaskPair],
    identities: Identities,
    audit: dict[str, Any] | None,
    look: bool,
    jobs: int | None,
    progress: Progress,
) -> dict[str, Any] | None:
    """What is known of leaks from a run into the scored images; without images, names alone can tell."""
    known = [Pair(pair.image or pair.truth, pair.truth, identities.of(pair.truth)) for pair in pairs]
    at_hand = all(pair.image for pair in pairs)
    return look_for_leaks(run, "test", known, audit, look=look and at_hand, jobs=jobs, progress=progress)


def refuse_other_rules(against: Path | str, rules: ScoringRules) -> None:
    """Refuse to compare with an evaluation that was scored by other rules.

    Raises:
        PathError: if there is no evaluation, or one without scores.json.
        DatasetError: naming the rules, or a damaged scores.json.
    """
    told = read_told(find_evaluation(against))
    if reason := other_rules(told.rules, rules.document()):
        raise DatasetError(f"--against {against}: {reason}. Evaluate both with the same rules.")


def comparable(
    previous: tuple[str, Tables] | None, tables: Tables, notes: list[str], demanded: bool
) -> tuple[str, Tables] | None:
    """The previous evaluation if it can be compared; if not, a note, unless the user asked for it.

    Raises:
        DatasetError: if the user asked for it and it cannot be compared.
    """
    if previous is None or demanded:
        return previous
    reason = why_not_comparable(previous[1], tables)
    if reason:
        notes.append(f"not compared with the last evaluation: {reason}")
        return None
    return previous
