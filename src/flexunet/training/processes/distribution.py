"""One model trained by several processes, on one machine or more: data parallel, over JAX.

Every process holds the whole model and its part of every batch. Process 0 leads: it alone writes. What a
process decides from its own clock, signals or disk, all must decide alike, or they would wait for each other
for ever: such things are agreed upon.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from flexunet.data.dataset.digests import digest_of_text
from flexunet.errors import ConfigError, EngineError, FlexUNetError
from flexunet.membership import LOST, Membership, check_divides, membership
from flexunet.models.keras_private import replace_data_input
from flexunet.training.batches.dataset import Part

if TYPE_CHECKING:
    from flexunet.config.schema import Config

# How long processes wait for the others to start: the images of another machine may have to be decoded first.
_PATIENCE_SECONDS = 1800
# Words of the engine's errors when another process has gone.
_LOST_WORDS = ("gloo", "nccl", "coordination service", "heartbeat", "connection closed", "socket closed")


@dataclass(frozen=True)
class Team:
    """The processes that train one model together; by default this one alone."""

    place: int = 0
    processes: int = 1
    devices: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.place == 0

    @property
    def part(self) -> Part:
        """Its part of every batch."""
        return Part(self.place, self.processes, self.devices)

    def gather(self, values: np.ndarray) -> np.ndarray:
        """The values of every process, one row a process; all must call it."""
        if self.processes == 1:
            return values[np.newaxis]
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(values))

    def agree(self, flag: bool) -> bool:
        """Whether it holds in any process; all must ask."""
        return bool(self.gather(np.asarray([flag])).any())

    def check_same(self, settings: dict[str, str]) -> None:
        """Refuse to train where processes were given different settings or data.

        Raises:
            ConfigError: naming the settings; in every process.
        """
        names = sorted(settings)
        digests = [list(bytes.fromhex(digest_of_text(settings[name])[:16])) for name in names]
        gathered = self.gather(np.asarray(digests, np.uint8))
        differing = [
            name for place, name in enumerate(names) if (gathered[:, place] != gathered[0, place]).any()
        ]
        if differing:
            raise ConfigError(
                f"the processes of this run differ in {', '.join(differing)}: every machine needs the same "
                "configuration, the same images, and the same run folder (shared between them)."
            )


def join() -> Team:
    """Join the processes that this one was started to train with; alone where it was not.

    Raises:
        EngineError: if Keras runs on another engine than JAX, or the others do not come.
    """
    place = membership()
    if place is None:
        return Team()
    if keras.config.backend() != "jax":
        raise EngineError(
            f"training with several processes needs JAX, Keras runs on {keras.config.backend()}: set "
            "KERAS_BACKEND=jax."
        )
    _end_with_launcher()
    _connect(place)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    import jax

    replace_data_input(_put_together)
    return Team(place.place, place.processes, jax.device_count())


def _connect(place: Membership) -> None:
    import jax
    from jax.experimental.multihost_utils import process_allgather

    try:
        jax.distributed.initialize(
            place.coordinator,
            place.processes,
            place.place,
            local_device_ids=place.device,
            initialization_timeout=_PATIENCE_SECONDS,
            cluster_detection_method="deactivate",
        )
        with _silent():
            process_allgather(np.zeros(1))
    except Exception as error:
        raise EngineError(
            f"process {place.place} of {place.processes} cannot reach the others (coordinator "
            f"{place.coordinator}): {str(error).splitlines()[0]}. Check that process 0 runs on that host, "
            "that the machines may reach each other's ports, and that each machine's own name leads to an "
            "address that the others reach."
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Hold back what native code says on standard output, which is for figures: Gloo tells of its peers."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _put_together(rows: np.ndarray, layout: Any, batch_dim_name: str) -> Any:
    """A batch over all devices from this process's rows; one that came whole (`Batches`) is on each."""
    import jax

    layout = getattr(layout, "backend_layout", layout)
    if rows.ndim == 5:
        layout, rows = jax.sharding.NamedSharding(layout.mesh, jax.sharding.PartitionSpec()), rows[0]
    return jax.make_array_from_process_local_data(layout, rows)


def on_devices(images: np.ndarray) -> Any:
    """Images of this process's part of a batch as a tensor for the model: over all devices of the team."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return keras.ops.convert_to_tensor(images)
    return _put_together(images, distribution.get_data_layout(images.shape), distribution.batch_dim_name)


def _end_with_launcher() -> None:
    """End this process when the one that started it, and holds the other end of its input, has gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(LOST)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def explained_losses(team: Team) -> Iterator[None]:
    """Leave at once where another process has gone, or this one fails: there is nobody to say goodbye to."""
    try:
        yield
    except BaseException as error:
        if team.processes == 1:
            raise
        code = error.exit_code if isinstance(error, FlexUNetError) else 1
        is_lost = not isinstance(error, FlexUNetError) and any(
            word in str(error).lower() for word in _LOST_WORDS
        )
        # Runs before the engine's own, which would wait minutes for the others.
        atexit.register(_leave, LOST if is_lost else code)
        if is_lost:
            raise SystemExit(LOST) from error
        raise


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def check_batch(config: Config, team: Team) -> None:
    """Refuse a batch size that the devices cannot share evenly.

    Raises:
        ConfigError: with the nearest sizes that they can.
    """
    check_divides(config.train.batch_size, team.devices, f"the {team.devices} devices of this run")


@contextmanager
def undistributed() -> Iterator[None]:
    """What this process does alone: new variables are its own, and no other process waits for them."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
