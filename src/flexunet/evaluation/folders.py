"""Score a folder of predicted masks against a folder of true ones; no model, no engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flexunet.data.images import list_images
from flexunet.data.masks import ColorMap, read_mask
from flexunet.data.pairs import list_masks
from flexunet.errors import MaskError, PairingError, PathError, ShapeError
from flexunet.evaluation.cases import CaseGallery
from flexunet.evaluation.origins import Origins
from flexunet.evaluation.rules import ScoringRules
from flexunet.evaluation.streaming import Prediction, score_stream
from flexunet.evaluation.tables import Tables

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
    truths, predictions = _by_stem(truth), _by_stem(prediction)
    lonely = [f"{path.name} has no prediction" for stem, path in truths.items() if stem not in predictions]
    lonely += [f"{path.name} has no true mask" for stem, path in predictions.items() if stem not in truths]
    if lonely:
        more = f" and {len(lonely) - _LISTED} more" if len(lonely) > _LISTED else ""
        raise PairingError(
            f"{truth} and {prediction} must hold masks of the same names; {len(lonely)} have no partner: "
            f"{'; '.join(lonely[:_LISTED])}{more}. A missing prediction is not an empty one: write it, or "
            "take its mask away."
        )
    pictures = _pictures(Path(truth), images)
    return [MaskPair(path, predictions[stem], pictures.get(stem)) for stem, path in sorted(truths.items())]


def _by_stem(folder: Path | str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in list_masks(folder):
        if path.stem in found:
            raise PairingError(
                f"{folder}: {found[path.stem].name} and {path.name} share a name. Names pair the masks: "
                "rename or remove one."
            )
        found[path.stem] = path
    return found


def _pictures(truth: Path, images: Path | str | None) -> dict[str, Path]:
    if images is not None:
        return {path.stem: path for path in list_images(images)}
    try:
        return {path.stem: path for path in list_images(truth.resolve().parent / "images")}
    except PathError:
        return {}


def score_folders(
    pairs: list[MaskPair],
    color_map: ColorMap,
    rules: ScoringRules,
    origins: Origins,
    *,
    jobs: int | None = None,
    gallery: CaseGallery | None = None,
    advance: Callable[[], None] | None = None,
) -> Tables:
    """Score pairs of mask files.

    Args:
        pairs: The files.
        color_map: Colours of the classes.
        rules: The rules.
        origins: Patients and spacing.
        jobs: Threads, all processors by default.
        gallery: Keeps best and worst cases.
        advance: Called after each image.

    Returns:
        The tables.

    Raises:
        MaskError: if a mask cannot be read or has colours off the map.
        ShapeError: if the masks of a pair differ in size.
    """

    def read(pair: MaskPair) -> Prediction:
        truth, mask = read_mask(pair.truth, color_map, tolerance=1), read_mask(pair.prediction, color_map)
        if truth.shape != mask.shape:
            raise ShapeError(
                f"{pair.prediction} has {mask.shape[1]} x {mask.shape[0]} pixels, its true mask {pair.truth} "
                f"has {truth.shape[1]} x {truth.shape[0]}. Predict at the size of the image, or resize."
            )
        if color_map.num_classes < 2:
            raise MaskError("[mask] rgb_map has one class only; scoring needs background and one other.")
        origin, spacing = origins.of(pair.truth)
        return Prediction(
            origin, truth, mask, spacing=spacing, image_path=str(pair.image) if pair.image else None
        )

    return score_stream(
        pairs, read, color_map.num_classes, rules, jobs=jobs, gallery=gallery, advance=advance
    )
