"""What no single key can say: keys that contradict each other."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from flexunet.config.architectures import BY_NAME, folded
from flexunet.config.schema import Config
from flexunet.errors import ConfigError, counted

MOST_WITH_IGNORED = 255  # classes, where some pixels are ignored
MOST_LETTERS = 64  # of the name of a class: those of a label in DICOM
# Losses in which pixels depend on their neighbours, so that ignored ones cannot be left out; a test compares
# them with the rows of the losses, which the engine is needed for.
OF_NEIGHBOURS = ("basnet_hybrid_loss", "boundary", "ssim_loss")


def check_config(config: Config) -> None:
    """Refuse keys that contradict each other, whatever the model.

    Raises:
        ConfigError: naming both keys, their values and a remedy.
    """
    _check_classes(config)
    _check_class_names(config)
    _check_learning_rate(config)
    if config.train.crop != "none" and config.model.image_width != config.model.image_height:
        raise _error(
            config,
            f'[train] crop = "{config.train.crop}" takes square crops, but [model] image_width = '
            f"{config.model.image_width} and image_height = {config.model.image_height} differ; make "
            "them equal",
        )
    if config.random_transform.enabled and config.model.generator:
        raise _error(
            config,
            "[random_transform] enabled = true and [model] generator = true would both change every training "
            "image; set generator = false, or enabled = false to keep to the operations of [augmentor]",
        )
    tiles = config.tiledinfer
    if tiles.overlapping >= tiles.split_size:
        raise _error(
            config,
            f"[tiledinfer] overlapping = {tiles.overlapping} must be less than split_size = "
            f"{tiles.split_size}; tiles that overlap whole never move on",
        )
    if tiles.blending == "paste" and config.train.crop != "none":
        raise _error(
            config,
            f'[tiledinfer] blending = "paste" scales tiles, and a model trained with [train] crop = '
            f'"{config.train.crop}" knows only the resolution of the images; set blending = "gaussian"',
        )


def advice(config: Config) -> list[str]:
    """What is allowed, but probably not what was meant, or not what the published system does."""
    notes = []
    indices = list(config.mask.rgb_map.values())
    if is_published_file(config) and indices != list(range(len(indices))):
        notes.append(
            "[mask] rgb_map: the values are the class indices; the published system counts the colours in "
            "their order instead, so weights that it trained with this map have their classes in that order"
        )
    computed = {"loss", *config.computed_metrics}
    uncomputed = [name for name in config.train.metrics if name.removeprefix("val_") not in computed]
    if uncomputed:
        notes.append(
            f"[train] metrics: {', '.join(uncomputed)} will have no curve, because [model] metrics computes "
            f"{', '.join(config.computed_metrics)} only"
        )
    if config.infer.test_time_augmentation:
        notes += _unseen_turns(config)
    notes += _without_effect(config)
    notes += [f"{sentence} {remedy}" for sentence, remedy in _folders_of_two_splits(config).values()]
    for section, content in config.sections():
        for key in content.path_keys("input"):
            text = getattr(content, key)
            if isinstance(text, str) and "..." in text.replace("\\", "/").split("/"):
                notes.append(f"[{section}] {key} = {text!r}: a folder named '...' is rare; is '..' meant?")
    return notes


def missing_inputs(config: Config) -> list[str]:
    """Paths of the configuration that this machine has nothing at, a sentence each, without a full stop.

    That is no error of the file: on a cluster, only the machines that compute may see the data.
    """
    missing = []
    for section, content in config.sections():
        for key in content.path_keys("input"):
            given = getattr(content, key) or []
            for text in [given] if isinstance(given, str) else given:
                place = None
                with contextlib.suppress(RuntimeError):  # the home of a user who is not there
                    place = config.resolve(text)
                if place is None or not _is_there(str(place)):
                    missing.append(f"[{section}] {key} = {text!r}: there is nothing at {place or text}")
    return missing


def _is_there(place: str) -> bool:
    """Whether a path leads somewhere; `*` in it stands for any folder name."""
    if "*" not in place:
        return os.path.exists(place)  # noqa: PTH110 - of a path that cannot be asked for, it says no
    root = Path(place).anchor
    return any(Path(root).glob(place.removeprefix(root)))


def _unseen_turns(config: Config) -> list[str]:
    """What turns at prediction that training did not show are worth saying of."""
    seen, asked = config.random_transform.orientations, config.infer.test_time_passes
    trained = f"[random_transform] flip = {config.random_transform.flip!r} trained on"
    if seen is not None and asked is not None and asked > seen:
        return [
            f"[infer] test_time_passes = {asked}, but {trained} {seen} of these orientations: compare with "
            f"test_time_passes = {seen} on the validation images"
        ]
    if seen == 1 and asked is None:
        return [
            f"[infer] test_time_augmentation = true averages nothing, because {trained} images as they are; "
            "set test_time_passes to predict flipped ones all the same"
        ]
    return []


def _without_effect(config: Config) -> list[str]:
    """Keys that are set and count for nothing, because another one is not."""
    train = config.train
    schedule = train.learning_rate_schedule
    idle = [
        (train.crop == "none", "crop_size", 'crop = "none"; set crop = "random" to train on crops'),
        (
            schedule == "constant",
            "learning_rate_end",
            'learning_rate_schedule = "constant"; set it to "cosine" or "polynomial"',
        ),
        (
            schedule != "polynomial",
            "schedule_power",
            f'learning_rate_schedule = "{schedule}"; set it to "polynomial"',
        ),
        (
            bool(config.valid.images_dir),
            "dataset_splitter",
            f"[valid] images_dir = {config.valid.images_dir!r} names the validation images",
        ),
        (not train.mlflow, "mlflow_uri", "mlflow = false; set it to true to log there"),
        (not train.mlflow, "mlflow_experiment", "mlflow = false; set it to true to log there"),
    ]
    notes = [
        f"[train] {key} has no effect: {reason}"
        for is_idle, key, reason in idle
        if is_idle and getattr(train, key) != type(train).model_fields[key].default
    ]
    drawn = config.random_transform
    if not drawn.enabled and drawn != type(drawn)():
        notes.append("[random_transform] has no effect: enabled = false; set it to true to use the section")
    return notes


def untrue_scores(config: Config, split: str) -> list[str]:
    """Why scores of a split are too good, as far as its folder of images tells: it has a second purpose.

    Args:
        config: The configuration.
        split: The split that is scored.

    Returns:
        One sentence per reason, without a full stop.
    """
    return [
        sentence.rstrip(".")
        for splits, (sentence, _) in _folders_of_two_splits(config).items()
        if splits[1] == split
    ]


def _folders_of_two_splits(config: Config) -> dict[tuple[str, str], tuple[str, str]]:
    """Pairs of splits with one folder of images: what follows for scores of the second, and the remedy."""
    folders = {}
    for split in ("train", "valid", "test"):
        if text := getattr(config, split).images_dir:
            with contextlib.suppress(ValueError, RuntimeError):  # no path at all: a zero byte, nobody's home
                folders[split] = os.path.realpath(config.resolve(text))
    return {
        (first, second): (f"[{first}] and [{second}] images_dir are one folder: {sentence}.", remedy)
        for (first, second), (sentence, remedy) in _TWO_PURPOSES.items()
        if first in folders and folders[first] == folders.get(second)
    }


_HOLD_BACK = "or [train] dataset_splitter = true and no [valid] at all"
_TWO_PURPOSES = {
    ("train", "valid"): (
        "the best epoch is chosen on images that the model was trained on",
        f"Name another folder in [valid], {_HOLD_BACK}.",
    ),
    ("train", "test"): ("the model is trained on the test images", "Name another folder in [test]."),
    ("valid", "test"): (
        "the best epoch is chosen on the test images",
        f"Name another folder in [valid], {_HOLD_BACK}.",
    ),
}


def is_published_file(config: Config) -> bool:
    """Whether the configuration came from a file of the published dialect."""
    return config.source is not None and config.source.suffix.lower() != ".toml"


def check_image_size(config: Config) -> None:
    """Refuse settings that the FlexUNet U-Net cannot be built with; other models have rules of their own.

    Raises:
        ConfigError: naming the key, its value and the nearest values that fit.
    """
    model = config.model
    row = BY_NAME.get(folded(model.model))
    if row is None or row.name != "flexunet":
        return
    step = 2 ** (model.num_layers - 1)
    for key in ("image_width", "image_height"):
        size = getattr(model, key)
        if size % step:
            below, above = size // step * step, (size // step + 1) * step
            fitting = f"{below} or {above}" if below else str(above)
            raise _error(
                config,
                f"[model] {key} = {size} cannot be halved {model.num_layers - 1} times, as num_layers = "
                f"{model.num_layers} asks: it must be a multiple of {step}. The nearest that fit: {fitting}; "
                "or take fewer layers",
            )
    if model.dilation[0] != model.dilation[1]:
        raise _error(
            config,
            f"[model] dilation = {model.dilation} is not square; give one number twice, "
            f"such as ({model.dilation[0]}, {model.dilation[0]})",
        )
    strongest = model.dropout_rate * (model.num_layers - 1)
    if strongest >= 1:
        raise _error(
            config,
            f"[model] dropout_rate = {model.dropout_rate} times level {model.num_layers - 1} is "
            f"{strongest:g}, and must stay below 1; take a rate below {1 / (model.num_layers - 1):.3g}",
        )


def _check_classes(config: Config) -> None:
    rgb_map, num_classes = config.mask.rgb_map, config.model.num_classes
    found = sorted(set(rgb_map.values()))
    if found != list(range(len(found))):
        raise _error(
            config,
            f"[mask] rgb_map has the class indices {', '.join(map(str, found))}; they must count from 0 "
            "without gaps, and [model] num_classes is their number",
        )
    if config.mask.ignore in rgb_map:
        raise _error(
            config,
            f"[mask] ignore = {config.mask.ignore} is the colour of class {rgb_map[config.mask.ignore]} in "
            "rgb_map; take it out of rgb_map, or give ignored pixels another colour",
        )
    if config.mask.ignore and num_classes > MOST_WITH_IGNORED:
        raise _error(
            config,
            f"[mask] ignore = {config.mask.ignore} takes the class index 255 for itself, and [model] "
            f"num_classes is {num_classes}; have {MOST_WITH_IGNORED} classes at most",
        )
    for folder, colors in config.mask.layers.items():
        if not re.fullmatch(r"[\w .-]+", folder) or set(folder) <= {".", " "}:
            raise _error(
                config,
                f"[mask] layers: {folder!r} is not the name of a folder beside masks_dir; write it without "
                'the folders above it, as "masks_lesions"',
            )
        if not colors or max(colors.values()) >= wanted_classes(num_classes) or not any(colors.values()):
            raise _error(
                config,
                f"[mask] layers.{folder} has the class indices {sorted(set(colors.values()))}; it must paint "
                f"a class from 1 to {wanted_classes(num_classes) - 1}, and 0 leaves what lies below",
            )
    used = re.findall(r"\w+", " ".join([config.model.loss, *config.computed_metrics]))
    if config.mask.ignore and (wrong := sorted(set(used) & set(OF_NEIGHBOURS))):
        raise _error(
            config,
            f"[model] loss or metrics: {' and '.join(wrong)} cannot leave out the pixels of [mask] ignore: "
            "what counts of a pixel depends on its neighbours; take another loss, or take ignore out",
        )
    # One class is one channel of foreground, and its masks still have two colours.
    wanted = wanted_classes(num_classes)
    if len(found) != wanted:
        raise _error(
            config,
            f"[mask] rgb_map has {len(found)} class indices, 0 to {found[-1]}, but [model] num_classes = "
            f"{num_classes} asks for {wanted}; set num_classes = {max(len(found), 2)}, or give each class "
            f"from 0 to {wanted - 1} a colour",
        )


def _check_class_names(config: Config) -> None:
    names, wanted = config.mask.class_names, wanted_classes(config.model.num_classes) - 1
    if not names:
        return
    if len(names) != wanted:
        raise _error(
            config,
            f"[mask] class_names has {counted(len(names), 'name')}, and [model] num_classes = "
            f"{config.model.num_classes} asks for {wanted}, one for each class above background",
        )
    if not are_class_names(names):
        raise _error(
            config,
            f"[mask] class_names = {names}: each class needs a name of its own, other than background, of 1 "
            f"to {MOST_LETTERS} letters on one line",
        )


def are_class_names(names: Sequence[str]) -> bool:
    """Whether classes above background can be named so: each with a line of its own that fits into DICOM."""
    unlike = {name.strip().casefold() for name in [*names, "background"]}
    fits = all(name.strip() and name.isprintable() and len(name) <= MOST_LETTERS for name in names)
    return fits and len(unlike) == len(names) + 1


def wanted_classes(num_classes: int) -> int:
    """Class indices of the masks of a model with so many channels."""
    return max(num_classes, 2)


def _check_learning_rate(config: Config) -> None:
    train, start = config.train, config.model.learning_rate
    schedule = f"[train] learning_rate_schedule = {train.learning_rate_schedule!r}"
    if train.warmup_steps and train.warmup_epochs:
        raise _error(
            config,
            f"[train] warmup_steps = {train.warmup_steps} and warmup_epochs = {train.warmup_epochs:g} both "
            "set the length of the warm-up; keep one of them",
        )
    if train.learning_rate_reducer and train.moves_learning_rate():
        raise _error(
            config,
            f"[train] learning_rate_reducer = true cannot go with {schedule}, warmup_steps = "
            f"{train.warmup_steps} and warmup_epochs = {train.warmup_epochs:g}: two would set one learning "
            "rate. Set learning_rate_reducer = false, or the constant schedule without warm-up",
        )
    if train.learning_rate_schedule != "constant" and train.learning_rate_end > start:
        raise _error(
            config,
            f"{schedule} falls from [model] learning_rate = {start:g} to learning_rate_end = "
            f"{train.learning_rate_end:g}, which is more; take an end from 0 to {start:g}",
        )


def _error(config: Config, message: str) -> ConfigError:
    return ConfigError(f"{config.source or 'configuration'}: {message}")
