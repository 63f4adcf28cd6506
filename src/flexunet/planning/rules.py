"""The rules by which a plan follows from a data set and a machine: one function for each decision.

A function gets the facts and what was decided before it, and gives the keys that it sets, each with its
reason. The same facts give the same plan. docs/recipes.md has the measurements behind the figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flexunet.data.configured import held_back_words
from flexunet.data.statistics.count import ALL
from flexunet.machine import Machine
from flexunet.planning.dataset_facts import DatasetFacts

# Pixels of the model's input, and filters of its first level: what a step costs.
CPU_PIXELS, GPU_PIXELS = 2**16, 2**19
CPU_FILTERS, GPU_FILTERS = 16, 32
_CPU_BATCH, _GPU_BATCH = 4, 8  # images of a batch at most
SMALLEST_BATCH = 2
# Memory of a training step in float32, for one pixel of an image and filter of the first level, in bytes:
# benchmarks/step_memory.py. In 16 bits it is about half, which is left as room.
_STEP_BYTES = 110
_GPU_SHARE = 0.8  # of a GPU's memory; the rest is for its driver and for what convolutions need meanwhile
_GPU_FIXED = 1.0  # GiB of the engine, the weights and the optimizer
STEPS = 2000
_FEWEST_STEPS = 1000
_VIEWS = 100  # times that each image is shown, from where on small sets are learned by heart
STEPS_PER_EPOCH = 50
FEWEST_EPOCHS = 4
_SMALLEST_EDGE = 4  # pixels of the coarsest level's shorter side
_MOST_LEVELS = 7
_SMALL_LESION = 16.0  # pixels of a lesion's diameter in the model's input below which it is hard to learn
_REDUCED = 0.9  # scale from which on whole images have lost nothing that crops would keep
# Share of images without a lesion from which models of whole images learned to mark nothing: docs/recipes.md.
_MOSTLY_NORMAL = 0.5
_OF_SHORTER_SIDE = 0.5  # sides of crops then, at most: a lesion fills four times as much of them
_SMALLEST_CROP = 128  # pixels of their sides; smaller images are seen whole
_SPECK = 0.25  # of a small lesion: predicted regions with less of its pixels are dropped
_REGIONS = 0.25  # share of the image from which the classes are tissue rather than lesions
_ONE_SIDE = 0.2  # share of breasts on the other side up to which it is a mistake of finding the chest wall


@dataclass(frozen=True)
class Decision:
    """A key of the configuration, its value, and why.

    Attributes:
        section: Section of the key.
        key: The key.
        value: Its value.
        reason: A sentence.
    """

    section: str
    key: str
    value: Any
    reason: str


@dataclass
class Draft:
    """What is decided so far.

    Attributes:
        facts: The data set.
        machine: The machine.
        pixels: Pixels of the model's input that a step may cost.
        filters: Filters of the first level.
        steps: Steps that the run may make.
        budget: Seconds that training may take; None without a limit.
        timed: What was timed for the budget, in words.
        given: Keys that are not decided but taken over as they are.
        decisions: In the order in which they were made.
    """

    facts: DatasetFacts
    machine: Machine
    pixels: int
    filters: int
    steps: int = STEPS
    budget: float | None = None
    timed: str = ""
    given: list[Decision] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        """The value of a key that was decided, by `section.key`."""
        return next(d.value for d in self.decisions if f"{d.section}.{d.key}" == name)

    def take(self, decisions: Iterable[Decision]) -> None:
        """Add decisions one by one; each replaces an earlier one on its key."""
        for new in decisions:
            name = (new.section, new.key)
            self.decisions = [old for old in self.decisions if (old.section, old.key) != name] + [new]

    @property
    def most_steps(self) -> int:
        """Steps after which more of them only repeat what is known."""
        views = _VIEWS * self.facts.training_images // _batch_size(self)
        return max(_FEWEST_STEPS, views // STEPS_PER_EPOCH * STEPS_PER_EPOCH)

    @property
    def are_regions(self) -> bool:
        """Whether the classes fill much of the image, as tissue does, rather than being lesions."""
        return self.facts.foreground >= _REGIONS

    @property
    def whole_size(self) -> tuple[int, int, int]:
        """Width and height at which whole images are seen, in pixels, and the levels that they allow."""
        area = self.facts.width * self.facts.height
        scale = math.sqrt(min(self.pixels, area) / area)
        levels = _levels(self.facts.width * scale, self.facts.height * scale)
        step = 2 ** (levels - 1)
        return (
            max(step, round(self.facts.width * scale / step) * step),
            max(step, round(self.facts.height * scale / step) * step),
            levels,
        )

    @property
    def scale(self) -> float:
        """Pixels of the model's input for one pixel of the image, where whole images are seen."""
        width, height, _ = self.whole_size
        return math.sqrt(width * height / (self.facts.width * self.facts.height))

    @property
    def is_cropped(self) -> bool:
        """Whether crops at full resolution are trained on: lesions are too small or rare in whole images."""
        diameter = self.facts.lesion_diameter
        if self.are_regions or not diameter:
            return False
        return self.are_lesions_rare or (diameter * self.scale < _SMALL_LESION and self.scale < _REDUCED)

    @property
    def are_lesions_rare(self) -> bool:
        """Whether most images hold no lesion, and are large enough for crops."""
        large = min(self.facts.width, self.facts.height) * _OF_SHORTER_SIDE >= _SMALLEST_CROP
        return self.facts.without_lesion > _MOSTLY_NORMAL and large


def images_on_gpu(machine: Machine, pixels: int, filters: int) -> int | None:
    """Images of a batch that the memory of the smallest GPU holds, estimated; None where it is not told."""
    if machine.gpu_memory is None:
        return None
    free = machine.gpu_memory * _GPU_SHARE - _GPU_FIXED
    return max(0, int(free * 2**30 / (_STEP_BYTES * pixels * filters)))


def first_size(machine: Machine) -> tuple[int, int]:
    """Pixels of the model's input and filters of its first level, where no budget chooses them."""
    if not machine.has_gpu:
        return CPU_PIXELS, CPU_FILTERS
    pixels, filters = GPU_PIXELS, GPU_FILTERS
    while pixels > CPU_PIXELS:
        fitting = images_on_gpu(machine, pixels, filters)
        if fitting is None or fitting >= SMALLEST_BATCH:
            break
        pixels //= 2
    return pixels, filters


def _batch_size(draft: Draft) -> int:
    most = _GPU_BATCH if draft.machine.has_gpu else _CPU_BATCH
    fitting = images_on_gpu(draft.machine, draft.pixels, draft.filters)
    held = most if fitting is None else min(most, fitting)
    return max(SMALLEST_BATCH, min(held, draft.facts.training_images))


Rule = Callable[[Draft], Iterator[Decision]]


def _classes(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    count = facts.num_classes
    yield Decision("mask", "rgb_map", facts.colors, f"the colours of the masks, {count} classes")
    if facts.class_names:
        yield Decision("mask", "class_names", list(facts.class_names), "the labels that dataset.json names")
    yield Decision("model", "num_classes", count, f"{count} classes, background included")


def _channels(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    if facts.channels:
        yield Decision(
            "model", "image_channels", facts.channels, f"the images have {facts.channels} channels"
        )
        return
    reason = "most images hold no colour" if facts.is_grey else "most images hold colour"
    yield Decision("model", "image_channels", 1 if facts.is_grey else 3, reason)


def _size(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    place = "a GPU" if draft.machine.has_gpu else "a processor"
    if draft.machine.gpu_memory is not None:
        place = f"a GPU of {draft.machine.gpu_memory:g} GiB"
    limit = f"what a step may cost on {place}" if draft.budget is None else "as the budget allows"
    near = f"near {draft.pixels:,} pixels, {limit}"
    of_images = f"{facts.width} x {facts.height}"
    sizes = (
        f"all images are {of_images}"
        if facts.same_size
        else f"by median area and shape, images are {of_images}"
    )
    if draft.is_cropped:
        most = min(facts.width, facts.height) * (_OF_SHORTER_SIDE if draft.are_lesions_rare else 1)
        side = math.sqrt(min(draft.pixels, most**2))
        levels = _levels(side, side)
        step = 2 ** (levels - 1)
        width = height = max(step, int(side / step) * step)
        size = f"{sizes}; square crops of {width} x {height} pixels are taken of them, "
        of_side = "half the shorter side" if draft.are_lesions_rare else "the shorter side"
        reason = size + (near if side**2 >= draft.pixels else f"no larger than {of_side}")
        other = "crops are square"
    else:
        width, height, levels = draft.whole_size
        step = 2 ** (levels - 1)
        enough = "as large as they are" if draft.pixels >= facts.width * facts.height else near
        reason = f"{sizes}; {width} x {height} keeps their proportions, {enough}"
        other = f"a multiple of {step}, as is the width"
    yield Decision("model", "image_width", width, reason)
    yield Decision("model", "image_height", height, other)
    yield Decision(
        "model",
        "num_layers",
        levels,
        f"the coarsest level is {width // step} x {height // step}, no side below {_SMALLEST_EDGE}",
    )


def _levels(width: float, height: float) -> int:
    return max(2, min(_MOST_LEVELS, 1 + int(math.log2(min(width, height) / _SMALLEST_EDGE))))


def _architecture(draft: Draft) -> Iterator[Decision]:
    yield Decision(
        "model", "model", "flexunet", "the U-Net, with which the recipes of docs/recipes.md were measured"
    )
    yield Decision(
        "model", "base_filters", draft.filters, "what a step may cost; filters double with each level"
    )
    yield Decision(
        "model",
        "max_filters",
        512 if draft.machine.has_gpu else 128,
        "more filters cost time and memory for nothing on few images",
    )
    yield Decision(
        "model", "base_kernels", [3, 3], "two 3 x 3 convolutions see as much as one 5 x 5 and cost less"
    )
    yield Decision("model", "normalization", True, "a U-Net without normalisation learns slowly")
    yield Decision(
        "model",
        "normalization_layer",
        "batch",
        "learns in fewer steps than group normalisation: docs/recipes.md",
    )
    yield Decision(
        "train",
        "statistics_batches",
        20,
        "means over so many batches stand for the running averages, which lag behind in short runs",
    )
    yield Decision(
        "model", "dropout_rate", 0.0, "augmentation and the average of the weights regularise instead"
    )
    yield Decision(
        "model",
        "deep_supervision",
        draft["model.num_layers"] >= 3,
        "coarse levels learn from the mask too",
    )


def _lesions(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    if draft.are_regions:
        yield Decision(
            "model",
            "loss",
            "dice + categorical_crossentropy",
            f"the classes cover {facts.foreground:.0%} of an image: overlap and every pixel count",
        )
        return
    if not facts.lesion_diameter:
        reason = "overlap and every pixel count; no mask holds a lesion yet"
        yield Decision("model", "loss", "dice + categorical_crossentropy", reason)
        return
    diameter = facts.lesion_diameter * draft.scale
    told = "nine of ten images with a lesion have one at least {:.0f} pixels wide"
    seen = told.format(facts.lesion_diameter if draft.is_cropped else diameter)
    where = "at full resolution" if draft.is_cropped else "in the model's input"
    yield Decision(
        "model", "loss", "dice + categorical_crossentropy", f"{seen} {where}; overlap and every pixel count"
    )
    if draft.is_cropped:
        width, height, _ = draft.whole_size
        reason = (
            f"{facts.without_lesion:.0%} of the images hold no lesion, and of whole images a model learns to "
            "mark nothing"
            if draft.are_lesions_rare
            else f"{seen} {where}, and {diameter:.0f} with whole images at {width} x {height}, where less "
            f"than {_SMALL_LESION:.0f} are hard to learn"
        )
        yield Decision("train", "crop", "random", reason)
    least = int(_SPECK * (facts.small_lesion or 0))
    if least > 1:
        reason = (
            f"nine of ten lesions have {facts.small_lesion:.0f} pixels or more; predicted regions of less "
            "than a quarter of that are specks"
        )
        yield Decision("infer", "min_lesion_pixels", least, reason)
    can_be_drawn = facts.kept_with_lesion > 0 and (draft.is_cropped or facts.kept_without_lesion > 0)
    if not can_be_drawn:
        return
    if draft.is_cropped:
        reason = "a crop from anywhere holds a lesion by chance; half of each batch is cropped round one"
        yield Decision("train", "lesion_share", 0.5, reason)
    elif facts.without_lesion > 0.34:
        reason = f"{facts.without_lesion:.0%} of the images hold no lesion; half of each batch does"
        yield Decision("train", "lesion_share", 0.5, reason)


def _optimizer(draft: Draft) -> Iterator[Decision]:
    yield Decision("model", "optimizer", "AdamW", "needs no tuning of the learning rate to each data set")
    yield Decision("model", "learning_rate", 0.002, "with warm-up, normalisation and a cosine that ends at 0")
    yield Decision("model", "weight_decay", 0.01, "as is usual with AdamW")
    yield Decision("model", "clipvalue", 1.0, "rarely acts; keeps a bad batch from ending the run")
    yield Decision("model", "metrics", ["dice_coef_foreground"], "Dice without the background")


def _augmentation(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    yield Decision(
        "random_transform", "enabled", True, "few images: shape and grey values are varied in every step"
    )
    flip = "horizontal"
    if facts.sides is None:
        reason = "no breast was made out in most images, so nothing speaks against mirror images"
    else:
        side, share = ("left", facts.sides) if facts.sides >= 0.5 else ("right", 1 - facts.sides)
        reason = f"{share:.0%} of the breasts looked at lie on the {side}"
        if share > 1 - _ONE_SIDE:
            flip = "never"
            reason += ": mirror images would be of what is rare, or a mistake of finding the chest wall"
        else:
            reason += ": a mirrored one may come"
    yield Decision("random_transform", "flip", flip, f"{reason}; never upside down, which gained nothing")


def _splits(draft: Draft) -> Iterator[Decision]:
    facts = draft.facts
    told = {
        "train": f"{facts.training_images} images with masks",
        "valid": f"{facts.splits.get('valid', 0)} images that choose the best epoch",
        "test": f"{facts.splits.get('test', 0)} images, for `flexunet evaluate` alone",
    }
    for split, reason in told.items():
        if folders := facts.folders.get(split) or (facts.folders.get(ALL) if split == "train" else None):
            yield Decision(split, "images_dir", folders[0], reason)
            yield Decision(split, "masks_dir", folders[1], "their masks")
            if split == "test":
                yield Decision("infer", "images_dir", folders[0], "the images that `flexunet infer` predicts")
    if "valid" in facts.splits:
        chosen = facts.folders["valid"][0]
        reason = "after each epoch validation images are shown: who watches test images chooses by them"
        yield Decision("train", "epoch_change_images_dir", chosen, reason)
    else:
        if facts.is_validated:
            fifth = held_back_words(facts.patients_known)
            reason = f"there is no valid folder: {fifth} is held back"
            yield Decision("train", "dataset_splitter", True, reason)
        yield Decision(
            "train", "epoch_change_infer", False, "there is no folder of validation images to show"
        )


def _length(draft: Draft) -> Iterator[Decision]:
    batch = _batch_size(draft)
    reason = "two or more; small batches make more updates in the same time"
    memory = draft.machine.gpu_memory
    if memory is not None and batch < min(_GPU_BATCH, draft.facts.training_images):
        reason = f"as many images as a GPU of {memory:g} GiB holds, estimated, but at least {SMALLEST_BATCH}"
    yield Decision("train", "batch_size", batch, reason)
    yield Decision(
        "train",
        "steps_per_epoch",
        STEPS_PER_EPOCH,
        "an epoch of a fixed length, whatever the number of images",
    )
    epochs = max(FEWEST_EPOCHS, min(draft.steps, draft.most_steps) // STEPS_PER_EPOCH)
    views = epochs * STEPS_PER_EPOCH * batch / max(1, draft.facts.training_images)
    yield Decision(
        "train",
        "epochs",
        epochs,
        f"{epochs * STEPS_PER_EPOCH} steps in all, in which each image is shown {views:.0f} times"
        + (f"; {draft.timed}" if draft.timed else ""),
    )
    yield Decision("train", "patience", epochs, "a cosine schedule is meant to end")
    if not draft.facts.is_validated:
        reason = "the Dice per image, of the training images where there are none for validation"
    elif draft.is_cropped:
        reason = (
            "the Dice of two crops per validation image; `flexunet evaluate` reports that of whole images"
        )
    else:
        reason = "the figure that `flexunet evaluate` reports"
    yield Decision("train", "monitor", "val_dice_per_image_mean", reason)
    yield Decision(
        "train", "learning_rate_schedule", "cosine", "ends at a rate of 0, where the weights settle"
    )
    yield Decision("train", "warmup_steps", STEPS_PER_EPOCH, "the first updates of Adam are the largest")
    yield Decision(
        "train", "ema_momentum", 0.98, "an average of the last 50 or so weights is better than the last"
    )


RULES: tuple[Rule, ...] = (
    _classes,
    _channels,
    _size,
    _architecture,
    _lesions,
    _optimizer,
    _augmentation,
    _splits,
    _length,
)


def decide(draft: Draft) -> Draft:
    """Fill a draft by all rules in their order; a later decision on a key replaces an earlier one."""
    for rule in RULES:
        draft.take(rule(draft))
    draft.take(draft.given)
    return draft
