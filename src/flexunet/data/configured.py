"""The data that a configuration names: its colours, its pairs, its decoded images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path

from flexunet.data.dataset.mask_layers import LayeredMaskReader, MaskLayer
from flexunet.data.dataset.pairs import Pair, find_pairs
from flexunet.data.dataset.status import refuse_unchecked
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.header import is_deep_file
from flexunet.data.images.grey_range import RANGE_RULES, check_range, recorded_rule
from flexunet.data.images.masks.reader import MaskReader
from flexunet.data.images.reader import ImageReader
from flexunet.errors import ConfigError, DatasetError, InputError, PairingError, PathError
from flexunet.progress import Progress, silent
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.data.cache.open import Cache
    from flexunet.data.cache.own_size import OwnSizeCache
    from flexunet.data.copies.known import Pictures

SPLITS = ("train", "valid", "test")
# The published splitter holds back a fifth of the training folder.
VALID_SHARE = 0.2


def color_map(config: Config) -> ColorMap:
    """The colours of the classes; a model of one class has background and foreground."""
    return ColorMap(config.mask.rgb_map, config.mask.ignore, config.mask.class_names)


def mask_reader(config: Config) -> MaskReader:
    """How masks are read: by the colours of the classes, or by a grey value where `[mask] binarize` is on.

    Raises:
        ConfigError: if the file gives colours that cannot be read: by others, classes would change places.
    """
    if (given := config.unread.get(("mask", "rgb_map"))) and not config.mask.binarize:
        raise ConfigError(
            f"{given}: not readable, and it tells the classes of the masks. Correct it, in the form "
            "{(0, 0, 0): 0, (255, 0, 0): 1}."
        )
    threshold = float(config.mask.threshold) if config.mask.binarize else None
    # A range by name is of integer files, whose masks have one already.
    given = "full" if config.image.range in RANGE_RULES else config.image.range
    colors, ignore = color_map(config), config.mask.ignore
    if not config.mask.layers:
        return MaskReader(colors, threshold, grey_range=given)
    layers = [MaskLayer.configured(*layer, ignore) for layer in config.mask.layers.items()]
    return LayeredMaskReader(colors, threshold, grey_range=given, layers=tuple(layers))


def grey_range(config: Config) -> str:
    """Which values of 16-bit files are black and white: by `[image] range`, or as the run was trained."""
    if config.image.range != "auto":
        check_range(config.image.range)
        return config.image.range
    return recorded_rule(RunFolder.at(config.run_dir).environment)


def image_reader(config: Config) -> ImageReader:
    """How images are read."""
    return ImageReader(config.image.dicom_window, grey_range(config))


def channels_read(config: Config) -> int:
    """Channels of images that go to `Predictor`: 3 for models of grey and colour, else the model's own."""
    return 3 if config.model.image_channels in (1, 3) else config.model.image_channels


def split_pairs(config: Config, split: str) -> list[Pair]:
    """The image and mask pairs of a split.

    Where `[valid]` names no folder and `[train] dataset_splitter` is on, training and validation pairs are
    both taken from the training folder, whole sources on either side.

    Raises:
        ConfigError: if the configuration names no folder for the split.
        PathError, PairingError: if the folders cannot be used.
    """
    if split not in SPLITS:
        raise ConfigError(f"there is no split '{split}': choose one of {', '.join(SPLITS)}")
    splitting = config.train.dataset_splitter and not config.valid.images_dir
    if splitting and split != "test":
        training, validation = _hold_back(_folder_pairs(config, "train"), config.train.seed)
        return training if split == "train" else validation
    return _folder_pairs(config, split)


def refuse_drafts(config: Config, pairs: Iterable[Pair]) -> None:
    """Refuse to train on masks that no person has checked, unless `[train] drafts` asks for them.

    Raises:
        DatasetError: if there are such masks.
    """
    rows = (pair.identity.row for pair in pairs)
    refuse_unchecked(rows, config.train.drafts, f"[train] of {config.source}", "set [train] drafts = true")


def pairs_or_none(config: Config, split: str) -> list[Pair]:
    """Pairs of a split; none where it is not configured or cannot be read."""
    try:
        return split_pairs(config, split)
    except InputError:
        return []


def is_validated(config: Config) -> bool:
    """Whether there are validation images: a folder of their own, or a part of the training folder."""
    return bool(config.valid.images_dir) or config.train.dataset_splitter


def described_validation(config: Config) -> str:
    """Where the validation images come from, in words."""
    if not config.valid.images_dir and config.train.dataset_splitter:
        known = [pair.identity.patient_known for pair in pairs_or_none(config, "train")]
        fifth = held_back_words(sum(known) / len(known) if known else None)
        return f"{fifth} in {config.train.images_dir}, held back by dataset_splitter"
    return str(config.valid.images_dir)


def held_back_words(patients_known: float | None) -> str:
    """What `dataset_splitter` holds back, in words.

    Args:
        patients_known: Share of the images whose patient is known; None where no image can be read.
    """
    if patients_known == 1:
        return "a fifth of the patients"
    if patients_known == 0:
        return "a fifth of the source images, whose patients are unknown,"
    return "a fifth of the patients, or of the source images where the patient is unknown,"


def _folder_pairs(config: Config, split: str) -> list[Pair]:
    images_dirs = config.input_folders(split, "images_dir")
    masks_dirs = config.input_folders(split, "masks_dir")
    if len(images_dirs) != len(masks_dirs):
        raise PairingError(
            f"[{split}] images_dir finds {len(images_dirs)} folders and masks_dir {len(masks_dirs)}: "
            "each folder of images needs its folder of masks"
        )
    # A film without a mask is of use if what its layer does not paint can be ignored.
    layers = list(config.mask.layers) if config.mask.ignore else []
    try:
        return [
            pair
            for images_dir, masks_dir in zip(images_dirs, masks_dirs, strict=True)
            for pair in find_pairs(
                images_dir, masks_dir, others=[masks_dir.parent / layer for layer in layers]
            )
        ]
    except PathError as error:
        raise PathError(f"{config.source or 'the configuration'}, [{split}]: {error}") from error


def held_back(patients: Iterable[str], seed: int) -> set[str]:
    """The fifth of the patients whose images `[train] dataset_splitter` keeps for validation.

    Args:
        patients: Patients, or sources where they are unknown; none is held back of fewer than two.
        seed: `[train] seed`.
    """
    groups = sorted(set(patients))
    held_count = min(max(1, round(VALID_SHARE * len(groups))), len(groups) - 1)
    return set(np.random.default_rng(seed).permutation(groups)[: max(0, held_count)].tolist())


def _hold_back(pairs: list[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into training and validation so that no patient, and no source, is on both sides."""
    groups = {pair.patient for pair in pairs}
    if len(groups) < 2:
        raise DatasetError(
            f"[train] dataset_splitter needs at least two sources to split, found {len(groups)}: "
            "name a validation folder in [valid] images_dir and masks_dir"
        )
    held = held_back(groups, seed)
    training = [pair for pair in pairs if pair.patient not in held]
    validation = [pair for pair in pairs if pair.patient in held]
    return training, validation


def keep_pictures(config: Config, *, jobs: int | None = None, progress: Progress = silent) -> Pictures:
    """Keep in the run folder what the training and validation images look like.

    Images that the run folder knows already are not looked at again.

    Args:
        config: The configuration of the run.
        jobs: Threads; one a processor by default.
        progress: Told how many images are looked at.

    Returns:
        The pictures.

    Raises:
        ConfigError, PathError, PairingError: if the images cannot be listed.
    """
    from flexunet.data.copies.known import read_pictures, take_pictures, write_pictures

    path = RunFolder.of(config).pictures
    try:
        earlier = read_pictures(path)
    except DatasetError:
        earlier = None  # damaged; it is written anew
    splits = ("train", "valid") if is_validated(config) else ("train",)
    images = {split: [pair.image_path for pair in split_pairs(config, split)] for split in splits}
    pictures = take_pictures(images, earlier, jobs=jobs, progress=progress)
    if earlier != pictures:
        write_pictures(path, pictures)
    return pictures


def cache_dir(config: Config) -> Path:
    """Where decoded images are kept: `[train] cache_dir`, else the user's cache folder for all runs."""
    if config.train.cache_dir:
        return config.output(config.train.cache_dir)
    return user_cache_path("flexunet") / "images"


def crop_size(config: Config) -> int | None:
    """Side of a crop in pixels of the image; none where the model sees whole images."""
    if config.train.crop == "none":
        return None
    return config.train.crop_size or config.model.image_width


def open_split(
    config: Config, split: str, *, range_rule: str | None = None, progress: Progress = silent
) -> Cache | OwnSizeCache:
    """The decoded images and masks of a split, memory-mapped: at the model's size, for crops at their own.

    The progress is that of decoding; where all are in the cache already, there is none.

    Args:
        config: The configuration.
        split: As in `split_pairs`.
        range_rule: Range of 16-bit files, as in `read_image`; by default `grey_range` of the configuration.
        progress: Told how many images are decoded.
    """
    from flexunet.data.cache.open import open_cache, open_own_size_cache

    pairs = split_pairs(config, split)
    rule = range_rule or grey_range(config)
    if rule != "full" and not any(is_deep_file(pair.image_path) for pair in pairs):
        rule = "full"  # says the same of 8-bit files, whose entries of earlier versions stay good
    settings: dict[str, Any] = {
        "width": config.model.image_width,
        "height": config.model.image_height,
        "channels": config.model.image_channels,
        "masks": mask_reader(config),
        "cache_dir": cache_dir(config),
        "dicom_window": config.image.dicom_window,
        "grey_range": rule,
        "normalize": config.image.normalize,
        "progress": lambda _, done, total: progress(f"{split} images", done, total),
    }
    size = crop_size(config)
    if size is None:
        return open_cache(pairs, **settings)
    return open_own_size_cache(pairs, crop_size=size, **settings)
