"""Masks of two folders, paired by name and scored: predicted against true ones, or reader against reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flexunet.data.copies.fingerprints import grey_of
from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.instances import read_instances
from flexunet.data.dataset.matching import Matches, common_ending, listed, match_names, stem_of
from flexunet.data.dataset.pairs import list_masks
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.foreground import breast_share
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import ImageError, MaskError, PairingError, PathError
from flexunet.evaluation.origins import origin_of
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.tables.extremes import Extremes
from flexunet.evaluation.tables.rows import Tables
from flexunet.evaluation.tables.streaming import Prediction, score_stream
from flexunet.progress import Progress, silent

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
    pictures = _pictures(list(matches.partners), Path(truth), images)
    return [MaskPair(path, mask, pictures.get(path)) for path, mask in matches.partners.items()]


def _told_apart(matches: Matches) -> str:
    """A sentence, with a blank before, on the ending by which names of predictions differ; else ""."""
    ending = common_ending(map(stem_of, matches.alone), list(map(stem_of, matches.strangers)))
    return f" The predictions end in {ending}, the masks do not: rename them." if ending else ""


def _pictures(masks: list[Path], truth: Path, images: Path | str | None) -> dict[Path, Path]:
    """Picture of each mask that has one, by the names that a data set may have: `a_mask` of `a` too."""
    try:
        files = list_images(truth.resolve().parent / "images" if images is None else images)
    except PathError:
        if images is not None:
            raise
        return {}
    return {mask: image for image, mask in match_names(files, masks).partners.items()}


def score_pairs(
    pairs: list[MaskPair],
    masks: MaskReader,
    rules: ScoringRules,
    identify: Callable[[Path], Identity],
    *,
    spacing: tuple[float, float] | None = None,
    jobs: int | None = None,
    ray: str | None = None,
    gallery: Extremes | None = None,
    progress: Progress = silent,
    stage: str = "scoring",
) -> Tables:
    """Score pairs of mask files.

    Args:
        pairs: The files.
        masks: How masks are read.
        rules: The rules.
        identify: Whose image a true mask belongs to.
        spacing: Height and width of a pixel in mm, for images without one in the manifest.
        jobs: Threads, all processors by default.
        ray: Address of a Ray cluster that works in place of threads; see `work_on_cluster`.
        gallery: Keeps the best and the worst images.
        progress: Told how many images are scored.
        stage: What it is told is being done.

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
        identity = identify(pair.truth)
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
        stage=stage,
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
