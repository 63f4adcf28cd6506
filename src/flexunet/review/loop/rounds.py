"""The rounds of a loop on disk; each call of `advance` does what can be done without a person.

    OUT/round_1/to_review/                images, drafts, manifest.csv with the column `arm`
    OUT/round_1/to_review_review/         the desk on which they are reviewed
    OUT/round_1/chosen/train, random/train    the training images, with all that this arm has reviewed
    OUT/round_1/chosen/run, random/run    the runs trained on them, from which round 2 is drafted
    OUT/loop.html                         what each round came to

Two arms get the same number of reviewed images: those that `choose` takes, and random ones. So the page
always says whether choosing was better than chance.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from flexunet.config.files import load_config
from flexunet.data.configured import color_map, image_reader, split_pairs
from flexunet.data.dataset.manifest import Manifest
from flexunet.data.dataset.status import CHECKED, DRAFT
from flexunet.data.derive.film_masks import draft_mask
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.names import image_stem
from flexunet.data.images.masks.write import write_mask
from flexunet.errors import ConfigError
from flexunet.files import replacing
from flexunet.review.desk import Desk
from flexunet.review.exports.reviewed import last_decisions
from flexunet.review.loop.choose import choose, class_entropies
from flexunet.review.readings.decisions import STATUS_OF_VERDICT
from flexunet.review.settings import DeskSettings
from flexunet.review.sources.open import Given
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

ARMS = ("chosen", "random")
_DRAFTS = "to_review"


@dataclass(frozen=True)
class Loop:
    """A loop.

    Attributes:
        run: The trained run that it begins with.
        pool: Folder of images that nobody has marked.
        out: Folder of the loop.
        take: Images of each arm that are reviewed in a round.
        seed: What is random is drawn by.
    """

    run: Path
    pool: Path
    out: Path
    take: int = 20
    seed: int = 137

    def round_folder(self, number: int) -> Path:
        """The folder of a round, from 1."""
        return self.out / f"round_{number}"

    @property
    def rounds(self) -> int:
        """How many rounds have been laid out."""
        number = 0
        while (self.round_folder(number + 1) / _DRAFTS).is_dir():
            number += 1
        return number

    def run_of(self, number: int, arm: str) -> Path:
        """The run of an arm after a round; that of the beginning before the first."""
        return self.round_folder(number) / arm / "run" if number else self.run


@dataclass(frozen=True)
class ArmOutcome:
    """What a round came to in one arm.

    Attributes:
        images: Images reviewed.
        waiting: Images without a decision.
        statuses: Images by status.
        draft_dice: Mean Dice of the drafts with the masks they became; None where none was good or made good.
        seconds: Median time spent on an image; None where none is reviewed.
    """

    images: int
    waiting: int
    statuses: dict[str, int]
    draft_dice: float | None
    seconds: float | None


def advance(loop: Loop, say: Callable[[str], None]) -> Path | None:
    """Do all that can be done until a person has to review.

    Args:
        loop: The loop.
        say: Told what is done.

    Returns:
        The folder to review; None where the pool is used up.

    Raises:
        ConfigError: if the run has no validation images of its own.
        InputError: as training and prediction raise them.
    """
    config = load_config(loop.run)
    if not config.valid.images_dir:
        raise ConfigError(
            f"{loop.run} has no [valid] images_dir: the arms of a loop are compared on the same validation "
            "images. Name them, and train again."
        )
    number = loop.rounds
    if number:
        waiting = sum(outcome.waiting for outcome in outcome_of(loop, number).values())
        if waiting:
            say(f"round {number}: {waiting} images wait for their review")
            return loop.round_folder(number) / _DRAFTS
        for arm in ARMS:
            _train(loop, number, arm, say)
    return _lay_round(loop, number + 1, say)


def outcome_of(loop: Loop, number: int) -> dict[str, ArmOutcome]:
    """What a round came to so far, by arm."""
    folder = loop.round_folder(number) / _DRAFTS
    manifest = Manifest.read(folder)
    arms = {row["file"]: row["arm"] for row in (manifest.rows if manifest else [])}
    desk = Desk(DeskSettings(Given(folder), run=load_config(loop.run)))
    try:
        decided = [(arms[item.key], decision) for item, decision in last_decisions(desk)]
    finally:
        desk.close()
    outcomes = {}
    for arm in ARMS:
        own = [decision for each, decision in decided if each == arm]
        statuses = Counter(STATUS_OF_VERDICT[decision.verdict] for decision in own)
        good = [decision.dice for decision in own if STATUS_OF_VERDICT[decision.verdict] in CHECKED]
        total = sum(each == arm for each in arms.values())
        outcomes[arm] = ArmOutcome(
            len(own),
            total - len(own),
            dict(statuses),
            fmean(good) if good else None,
            median(decision.seconds for decision in own) if own else None,
        )
    return outcomes


def _train(loop: Loop, number: int, arm: str, say: Callable[[str], None]) -> None:
    """Train an arm on the first images and on all that it has reviewed, unless that is done."""
    from flexunet.training.run import train

    run = loop.run_of(number, arm)
    if (run / "finished").is_file():
        return
    folder = run.with_name("train")
    if not folder.is_dir():
        with replacing(folder) as temporary:
            temporary.mkdir(parents=True)
            _gather(loop, number, arm, temporary)
    say(f"round {number}: training on what was {arm}, in {run}")
    settings = {
        "train.images_dir": folder / "images",
        "train.masks_dir": folder / "masks",
        "train.run_dir": run,
    }
    overrides = [f"{key}={path.absolute().as_posix()}" for key, path in settings.items()]
    train(load_config(loop.run, overrides), resume="auto", say=say)
    (run / "finished").touch()


def _gather(loop: Loop, number: int, arm: str, folder: Path) -> None:
    """The training images of an arm: those of the first run, then what was reviewed up to a round."""
    config = load_config(loop.run)
    manifest = Manifest()
    for pair in split_pairs(config, "train"):
        row = {column: value for column, value in pair.identity.row.items() if value}
        _add(manifest, folder, pair.image_path, pair.mask_path, row | {"source": pair.source})
    for earlier in range(1, number + 1):
        drafts = loop.round_folder(earlier) / _DRAFTS
        known = Manifest.read(drafts)
        rows = {row["file"]: row for row in (known.rows if known else [])}
        desk = Desk(DeskSettings(Given(drafts), run=config))
        try:
            for item, decision in last_decisions(desk):
                status = STATUS_OF_VERDICT[decision.verdict]
                if rows[item.key]["arm"] == arm and status in CHECKED:
                    desk.files.write_now(item.id, decision.track)
                    mask = desk.files.path(item.key, decision.track)
                    told = {"status": status, "annotator": decision.reader, "reviewed_at": decision.at}
                    _add(manifest, folder, Path(item.image), mask, {"arm": arm, **told})
        finally:
            desk.close()
    manifest.write(folder)


def _add(manifest: Manifest, folder: Path, image: Path, mask: Path, row: dict[str, str]) -> None:
    names = {"file": f"images/{image.name}", "mask": f"masks/{image_stem(image)}{mask.suffix}"}
    for source, name in ((image, names["file"]), (mask, names["mask"])):
        target = folder / name
        if target.exists():
            raise ConfigError(f"two training images are called {image.name}: rename one of them.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    manifest.append(row | names | {"split": "train"})


def _lay_round(loop: Loop, number: int, say: Callable[[str], None]) -> Path | None:
    """Draft the images that are left in the pool, and lay out those to review."""
    used = {
        row["file"]
        for earlier in range(1, number)
        if (manifest := Manifest.read(loop.round_folder(earlier) / _DRAFTS))
        for row in manifest.rows
    }
    pool = {f"images/{path.name}": path for path in list_images(loop.pool)}
    left = {name: path for name, path in pool.items() if name not in used}
    if not left:
        say("the pool is used up")
        return None
    rng = np.random.default_rng([loop.seed, number])
    config = load_config(loop.run_of(number - 1, "chosen"))
    say(f"round {number}: asking the model about {len(left)} images")
    entropies = {name: class_entropies(values) for name, values in _predicted(config, left)}
    take = min(loop.take, math.ceil(len(left) / 2))  # of a small pool, each arm gets its half
    chosen = choose(entropies, take, number, rng)
    others = sorted(left.keys() - set(chosen))
    drawn = [others[position] for position in rng.permutation(len(others))[:take]]
    folder = loop.round_folder(number) / _DRAFTS
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        manifest = Manifest()
        for arm, names in zip(ARMS, (chosen, drawn), strict=True):
            own = load_config(loop.run_of(number - 1, arm))
            for name, values in _predicted(own, {name: left[name] for name in names}):
                draft = draft_mask(values)
                mask = f"masks/{image_stem(left[name])}.png"
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(left[name], temporary / name)
                write_mask(temporary / mask, draft.mask, color_map(own))
                doubt = {"confidence": f"{draft.confidence:.4f}", "entropy": f"{draft.entropy:.4f}"}
                told = {"status": DRAFT, "mask_origin": "model", "reason": "for the next round of the loop"}
                manifest.append({"file": name, "mask": mask, "arm": arm, **doubt, **told})
        manifest.write(temporary)
    say(f"round {number}: {len(chosen)} chosen and {len(drawn)} random images to review")
    return folder


def _predicted(config: Config, images: dict[str, Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and probabilities of each image, one after the other."""
    from flexunet.inference.predict.predictor import Predictor

    if not images:
        return
    RunFolder.of(config).find_model()
    predictor, reader = Predictor.load(config), image_reader(config)
    for name, path in images.items():
        yield name, predictor(reader.read(path, config.model.image_channels))
