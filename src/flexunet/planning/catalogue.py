"""All architectures in one table: parameters, multiply-adds of an image, and the time it takes here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.config.architectures import ARCHITECTURES, Architecture, find_architecture
from flexunet.errors import InputError
from flexunet.planning.counts import counts_of, counts_of_model

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config

TIMED_RUNS = 3
# A model slower than this is not run again; its first run then counts, with what the engine compiles.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class CatalogueRow:
    """One architecture as configured.

    Attributes:
        name: Short name.
        published: Name in published configurations; empty for architectures that are ours alone.
        title: What it is, in a few words.
        parameters: Numbers in its weights; none where it cannot be built as configured.
        multiply_adds: Of one image.
        seconds: To predict one image, the median of three; none where it was not timed.
        problem: Why it cannot be built at this size.
    """

    name: str
    published: str
    title: str
    parameters: int | None = None
    multiply_adds: int | None = None
    seconds: float | None = None
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """The row as plain values."""
        return asdict(self)


def list_models(config: Config, names: Sequence[str] = (), *, timed: bool = False) -> Iterator[CatalogueRow]:
    """Architectures with the keys of one configuration; built where they are timed or not known.

    Args:
        config: Configuration; its `[model] model` is not read.
        names: Which; none: all.
        timed: Whether to predict an image with each.

    Raises:
        ConfigError: if there is no architecture of a name.
    """
    for entry in selected(names):
        yield _row(entry, config, timed)


def selected(names: Sequence[str] = ()) -> list[Architecture]:
    """The architectures of these names, or all.

    Raises:
        ConfigError: if there is none of a name.
    """
    if names:
        return [find_architecture(name) for name in names]
    return list(ARCHITECTURES)


def _row(entry: Architecture, config: Config, timed: bool) -> CatalogueRow:
    published = next((name for name in entry.published if name.startswith("TensorFlow")), "")
    row = CatalogueRow(entry.name, published, entry.title)
    if not timed:
        return replace(row, **asdict(counts_of(entry, config)))

    from flexunet.models.registry import module_of

    try:
        model = module_of(entry).build(config)
    except InputError as error:
        return replace(row, problem=str(error))
    return replace(row, **asdict(counts_of_model(model)), seconds=seconds_per_image(model))


def seconds_per_image(model: keras.Model) -> float:
    """Median time to predict one image of noise, after one run that is not counted where it is quick."""
    image = np.random.default_rng(0).integers(0, 256, (1, *model.input_shape[1:])).astype("float32")
    times = []
    for _ in range(TIMED_RUNS + 1):
        start = time.perf_counter()
        model.predict(image, verbose=0)
        times.append(time.perf_counter() - start)
        if times[0] > PATIENCE_SECONDS:
            return times[0]
    return statistics.median(times[1:])
