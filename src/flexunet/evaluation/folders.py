"""Score a folder of predicted masks against a folder of true ones; no model, no engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.dataset.identity import Identities
from flexunet.data.dataset.instances import read_instances
from flexunet.data.dataset.matching import Matches, common_ending, listed, match_names, stem_of
from flexunet.data.dataset.pairs import Pair, list_masks
from flexunet.data.images.files import list_images, read_image
from flexunet.data.images.foreground import breast_share
from flexunet.data.images.guess import guess_reader
from flexunet.data.images.masks import MaskReader
from flexunet.errors import DatasetError, ImageError, MaskError, PairingError, PathError
from flexunet.evaluation.leakage import look_for_leaks
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.report.outputs import Evaluation, keep_other_images, read_previous, write_evaluation
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.comparison import other_rules, why_not_comparable
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.files import find_evaluation, read_tables, read_told
from flexunet.evaluation.tables.rows import Tables
from flexunet.evaluation.tables.streaming import Prediction, score_stream
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_LISTED = 10


class MaskPair(NamedTuple):
    """A true and a predicted mask of one stem, and the image they belong to, if known."""

    truth: Path
    prediction: Path
    image: Path | None


def pair_masks(truth: Path | str, prediction: Path | str, images: Path | str | None = None) -> list[MaskPair]:
    """Pair the masks of two folders by stem.

    Args:
        truth: Folder of true masks.
        prediction: Folder of predicted masks.
        images: Folder of the images, for pictures; by default `images` beside `truth`, if there is one.

    Returns:
        The pairs, sorted by name.

    Raises:
        PathError: if a folder is missing or empty.
        PairingError: if a mask has no partner or two files of a folder share a stem.
    """
    matches = match_names(list_masks(truth), list_masks(prediction), ending="")
    for folder, repeated in ((truth, matches.repeated), (prediction, matches.repeated_partners)):
        if repeated:
            raise PairingError(
                f"{folder}: {' and '.join(path.name for path in repeated[0])} share a name. Names pair the "
                "masks: rename or remove one."
            )
    lonely = [f"{path.name} has no prediction" for path in matches.alone]
    lonely += [f"{path.name} has no true mask" for path in matches.strangers]
    if lonely:
        raise PairingError(
            f"{truth} and {prediction} must hold masks of the same names; {len(lonely)} have no partner: "
            f"{listed(lonely, _LISTED, '; ')}. A missing prediction is not an empty one: write it, or "
            f"remove its mask.{_told_apart(matches)}"
        )
    pictures = _pictures(Path(truth), images)
    return [MaskPair(path, mask, pictures.get(stem_of(path))) for path, mask in matches.partners.items()]


def _told_apart(matches: Matches) -> str:
    """A sentence, with a blank before, on the ending by which names of predictions differ; else ""."""
    ending = common_ending(map(stem_of, matches.alone), list(map(stem_of, matches.strangers)))
    return f" The predictions end in {ending}, the masks do not: rename them." if ending else ""


def _pictures(truth: Path, images: Path | str | None) -> dict[str, Path]:
    if images is not None:
        return {stem_of(path): path for path in list_images(images)}
    try:
        return {stem_of(path): path for path in list_images(truth.resolve().parent / "images")}
    except PathError:
        return {}


def score_pairs(
    pairs: list[MaskPair],
    masks: MaskReader,
    rules: ScoringRules,
    identities: Identities,
    *,
    spacing: tuple[float, float] | None = None,
    jobs: int | None = None,
    ray: str | None = None,
    gallery: Extremes | None = None,
    progress: Progress = silent,
) -> Tables:
    """Score pairs of mask files.

    Args:
        pairs: The files.
        masks: How masks are read.
        rules: The rules.
        identities: Whose images they are.
        spacing: Height and width of a pixel in mm, for images without one in the manifest.
        jobs: Threads, all processors by default.
        ray: Address of a Ray cluster that works in place of threads; see `work_on_cluster`.
        gallery: Keeps the best and the worst images.
        progress: Told how many images are scored.

    Returns:
        The tables.

    Raises:
        MaskError: if a mask cannot be read, has colours off the map or another size than its true mask.
    """

    def read(pair: MaskPair) -> Prediction:
        truth = masks.read(pair.truth)
        mask = masks.flat.read_like(pair.prediction, truth.shape, pair.truth, "true mask")
        if masks.color_map.num_classes < 2:
            raise MaskError("--rgb-map has one class only; scoring needs background and one other.")
        identity = identities.of(pair.truth)
        return Prediction(
            origin_of(pair.truth, identity),
            truth,
            mask,
            spacing=identity.spacing or spacing,
            image_path=str(pair.image) if pair.image else None,
            breast=_breast(pair.image),
            numbers=read_instances(pair.truth, truth),
        )

    return score_stream(
        pairs,
        read,
        masks.color_map.num_classes,
        rules,
        jobs=jobs,
        ray=ray,
        gallery=gallery,
        progress=progress,
        total=len(pairs),
    )


def _breast(image: Path | None) -> float:
    """Share of an image that the breast covers; NaN where there is none that can be read."""
    if image is None:
        return float("nan")
    try:
        return breast_share(grey_of(read_image(image, None)))
    except ImageError:
        return float("nan")


def score_folders(
    truth: Path | str,
    prediction: Path | str,
    *,
    masks: MaskReader | None = None,
    rules: ScoringRules | None = None,
    images: Path | str | None = None,
    manifest: Path | str | None = None,
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

    Example:
        >>> evaluation = flexunet.score_folders("dataset/test/masks", "dataset/test/masks")
        >>> evaluation.scores.images
        4
    """
    rules, notes = rules or ScoringRules(), list[str]()
    pairs = pair_masks(truth, prediction, images)
    truths, predictions = [pair.truth for pair in pairs], [pair.prediction for pair in pairs]
    masks = masks or _guessed(truths, predictions, notes)
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
        identities,
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
        audit=_leaks(run, pairs, identities, audit, look, jobs, progress) if run else audit,
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
        notes.append(f"{guessed} If they are wrong, give them with {masks.setting} or --config.")
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
