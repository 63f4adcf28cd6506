"""How large a model and how long a run fit into a time, by epochs that are timed on this machine."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import OutOfMemoryError
from flexunet.machine import Machine
from flexunet.planning.rules import (
    FEWEST_EPOCHS,
    SMALLEST_BATCH,
    STEPS_PER_EPOCH,
    Draft,
    decide,
    images_on_gpu,
)
from flexunet.planning.text import configuration_text
from flexunet.progress import Progress

_SHARE = 0.9  # of the budget; the rest is for checkpoints and for the images that are shown after an epoch
_ENOUGH = 800  # steps of a run
_WORTH = 0.5  # share of the time of an epoch that a smaller model must save where none makes enough steps

Ladder = Sequence[tuple[int, int]]
# Pixels and filters, the costliest first.
_CPU_LADDER: Ladder = ((2**17, 16), (2**16, 16), (2**15, 16), (2**14, 16), (2**13, 8))
_GPU_LADDER: Ladder = ((2**20, 32), (2**19, 32), (2**17, 32), (2**16, 24))


@dataclass(frozen=True)
class Timing:
    """What an epoch of one model took.

    Attributes:
        width: Width of the model's input, in pixels.
        height: Height of the model's input, in pixels.
        filters: Filters of its first level.
        seconds: Median of a training step, loading and augmentation included.
        statistics: Seconds of the re-estimation of batch normalisation, once an epoch.
        validation: Seconds of a pass over the validation images, once an epoch.
        start: Seconds of building and compiling, once a run.
        steps: Steps that the budget allows.
        chosen: Whether the plan has this model.
        problem: Why nothing was timed; "" otherwise.
    """

    width: int
    height: int
    filters: int
    seconds: float = 0.0
    statistics: float = 0.0
    validation: float = 0.0
    start: float = 0.0
    steps: int = 0
    chosen: bool = False
    problem: str = ""

    @property
    def epoch(self) -> float:
        """Seconds of an epoch."""
        return STEPS_PER_EPOCH * self.seconds + self.statistics + self.validation

    def told(self) -> str:
        """What was timed, in words."""
        parts = [f"{STEPS_PER_EPOCH} steps of {self.seconds:.2g} s"]
        if self.statistics:
            parts.append(f"{self.statistics:.2g} s for the statistics of normalisation")
        if self.validation:
            parts.append(f"{self.validation:.2g} s for validation")
        return f"an epoch takes {self.epoch:.2g} s as timed here: {', '.join(parts)}"


def ladder_of(machine: Machine) -> Ladder:
    """Pixels and filters of the models that are tried on a machine, the costliest first.

    Those whose smallest batch the memory of a GPU does not hold are left out; the last one stays.
    """
    if not machine.has_gpu:
        return _CPU_LADDER
    held = [images_on_gpu(machine, pixels, filters) for pixels, filters in _GPU_LADDER]
    fitting = [
        model
        for model, images in zip(_GPU_LADDER, held, strict=True)
        if images is None or images >= SMALLEST_BATCH
    ]
    return fitting or _GPU_LADDER[-1:]


def fit_to_budget(
    draft: Draft, budget: float, progress: Progress, ladder: Ladder | None = None
) -> tuple[Draft, list[Timing], list[str]]:
    """The same decisions with the largest model that makes enough steps in a time.

    Where none does, it is the largest whose epochs take at most twice as long as those of the fastest: a
    smaller one would save too little time for what it cannot see.

    Args:
        draft: A plan without regard to time.
        budget: Seconds of training.
        progress: Told how many models are timed.
        ladder: Pixels and filters of the models that are tried, the costliest first.

    Returns:
        The plan, what was measured for it, and what the user should know of it.

    Raises:
        OutOfMemoryError: if none of the models fits into memory.
    """
    ladder = ladder or ladder_of(draft.machine)
    drafts: list[Draft] = []
    timings: list[Timing] = []
    for number, (pixels, filters) in enumerate(ladder):
        progress("models timed", number, len(ladder))
        smaller = decide(replace(draft, pixels=pixels, filters=filters, budget=budget, decisions=[]))
        if any(_model_of(smaller) == _model_of(tried) for tried in drafts):
            continue  # the images have no more pixels than that
        drafts.append(smaller)
        timings.append(_time(smaller, budget))
        if timings[-1].steps >= _ENOUGH:
            break
    progress("models timed", len(ladder), len(ladder))
    place = choose(timings)
    timings[place] = chosen = replace(timings[place], chosen=True)
    steps = max(STEPS_PER_EPOCH, chosen.steps)
    plan = decide(replace(drafts[place], steps=steps, timed=chosen.told(), decisions=[]))
    return plan, timings, _notes(chosen, budget)


def _model_of(draft: Draft) -> list[tuple[str, object]]:
    """What tells one model, and the images that it gets, from another."""
    keys = ("image_width", "image_height", "num_layers", "base_filters", "crop")
    return [(decision.key, decision.value) for decision in draft.decisions if decision.key in keys]


def choose(timings: Sequence[Timing]) -> int:
    """Place of the timing whose model is planned.

    Raises:
        OutOfMemoryError: if no model was timed.
    """
    places = [place for place, timing in enumerate(timings) if not timing.problem]
    if not places:
        raise OutOfMemoryError(timings[-1].problem)
    if timings[places[-1]].steps >= _ENOUGH:
        return places[-1]
    longest = min(timings[place].epoch for place in places) / _WORTH
    return next(place for place in places if timings[place].epoch <= longest)


def _notes(chosen: Timing, budget: float) -> list[str]:
    told = f"The budget of {_spoken(budget)}"
    if chosen.steps < FEWEST_EPOCHS * STEPS_PER_EPOCH:
        needed = (FEWEST_EPOCHS * chosen.epoch + chosen.start) / _SHARE
        return [
            f"{told} cannot be met: {FEWEST_EPOCHS} epochs, the fewest that are planned, take about "
            f"{_spoken(needed)} here."
        ]
    if chosen.steps < _ENOUGH:
        return [
            f"{told} allows {chosen.steps} steps of the model chosen, and good results need {_ENOUGH} "
            "or more. A smaller model is not planned where it saves less than half of the time of an epoch."
        ]
    return []


def _spoken(seconds: float) -> str:
    """A time in the unit that fits it: 45 s, 30 min, 2.5 h."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length or seconds == length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"


def _time(draft: Draft, budget: float) -> Timing:
    """What an epoch of a draft's run takes, or why it cannot be run."""
    from flexunet.training.timing import time_epoch

    timing = Timing(draft["model.image_width"], draft["model.image_height"], draft.filters)
    with tempfile.TemporaryDirectory(prefix="flexunet-init-") as folder:
        try:
            times = time_epoch(_config_of(draft, Path(folder)))
        except OutOfMemoryError as error:
            problem = str(error)
        else:
            timing = replace(
                timing,
                seconds=round(times.step, 4),
                statistics=round(times.statistics, 3),
                validation=round(times.validation, 3),
                start=round(times.start, 1),
            )
            epochs = int((_SHARE * budget - times.start) / timing.epoch)
            return replace(timing, steps=max(0, epochs) * STEPS_PER_EPOCH)
    gc.collect()  # the arrays of what did not fit
    return replace(timing, problem=problem)


def _config_of(draft: Draft, folder: Path) -> Config:
    file = folder / "probe.toml"
    text = configuration_text(Path(draft.facts.root), draft.decisions, folder, "./run", [])
    file.write_text(text, encoding="utf-8")
    return load_config(file)
