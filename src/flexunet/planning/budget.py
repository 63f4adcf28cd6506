"""How large a model and how long a run fit into a time, by steps that are timed on this machine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.planning.rules import STEPS_PER_EPOCH, Draft, decide
from flexunet.planning.text import configuration_text
from flexunet.progress import Progress

_SHARE = 0.8  # of the budget; the rest is for starting, validation and checkpoints
_ENOUGH = 800  # steps of a run

# Pixels and filters, the costliest first.
_CPU_LADDER = ((2**17, 16), (2**16, 16), (2**15, 16), (2**14, 16), (2**13, 8))
_GPU_LADDER = ((2**20, 32), (2**19, 32), (2**17, 32), (2**16, 24))


@dataclass(frozen=True)
class Timing:
    """What a step of one model took.

    Attributes:
        width: Width of the model's input, in pixels.
        height: Height of the model's input, in pixels.
        filters: Filters of its first level.
        seconds: Median of a training step, loading and augmentation included.
        steps: Steps that the budget allows.
    """

    width: int
    height: int
    filters: int
    seconds: float
    steps: int


def fit_to_budget(draft: Draft, budget: float, progress: Progress) -> tuple[Draft, list[Timing]]:
    """The same decisions with the largest model that makes enough steps in a time.

    Args:
        draft: A plan without regard to time.
        budget: Seconds of training.
        progress: Told how many models are timed.

    Returns:
        The plan, and what was measured for it.
    """
    ladder = _GPU_LADDER if draft.machine.has_gpu else _CPU_LADDER
    timings: list[Timing] = []
    for number, (pixels, filters) in enumerate(ladder):
        progress("models timed", number, len(ladder))
        smaller = decide(replace(draft, pixels=pixels, filters=filters, decisions=[]))
        seconds = _seconds_per_step(smaller)
        steps = int(_SHARE * budget / seconds / STEPS_PER_EPOCH) * STEPS_PER_EPOCH
        width, height = smaller["model.image_width"], smaller["model.image_height"]
        timings.append(Timing(width, height, filters, round(seconds, 4), steps))
        if steps >= _ENOUGH:
            break
    progress("models timed", len(ladder), len(ladder))
    steps = max(STEPS_PER_EPOCH, steps)
    return decide(replace(smaller, steps=steps, decisions=[])), timings


def _seconds_per_step(draft: Draft) -> float:
    """Median time of a step of a draft's run, its batches loaded and augmented one after the other."""
    import numpy as np

    from flexunet.data.configured import open_split
    from flexunet.training.batches.feeding import training_batches
    from flexunet.training.objectives.named import needs_cells
    from flexunet.training.timing import timed_steps

    with tempfile.TemporaryDirectory(prefix="flexunet-init-") as folder:
        config = _config_of(draft, Path(folder))
        cells = needs_cells(config.model.loss)
        batches = training_batches(config, open_split(config, "train"), cells=cells)
        return float(np.median(list(timed_steps(config, batches))))


def _config_of(draft: Draft, folder: Path) -> Config:
    file = folder / "probe.toml"
    text = configuration_text(Path(draft.facts.root), draft.decisions, folder, "./run", [])
    file.write_text(text, encoding="utf-8")
    return load_config(file)
