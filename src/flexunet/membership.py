"""Which one of the processes that train a model together this is: told through the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from flexunet.errors import ConfigError

_COORDINATOR, _PROCESSES, _PLACE, _DEVICE = (
    "FLEXUNET_COORDINATOR",
    "FLEXUNET_NUM_PROCESSES",
    "FLEXUNET_PROCESS_ID",
    "FLEXUNET_DEVICE",
)
# Exit code of a process that has lost another one; the launcher, which knows more, does the talking.
LOST = 75
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


@dataclass(frozen=True)
class Membership:
    """One process among those that train one model.

    Attributes:
        coordinator: "HOST:PORT" at which process 0 listens.
        processes: How many there are.
        place: Which one this is, counted from 0.
        device: Number of its one GPU, where several processes share a machine; none: all that it sees.
    """

    coordinator: str
    processes: int
    place: int
    device: int | None = None

    def environment(self) -> dict[str, str]:
        """Environment variables that tell a process so."""
        told = {_COORDINATOR: self.coordinator, _PROCESSES: str(self.processes), _PLACE: str(self.place)}
        return told if self.device is None else told | {_DEVICE: str(self.device)}

    def options(self) -> list[str]:
        """Options of `flexunet train` that start these processes again."""
        if self.device is not None:
            return ["--processes", str(self.processes)]
        several = {"coordinator": self.coordinator, "num-processes": self.processes, "process-id": self.place}
        return [f"--{name}={value}" for name, value in several.items()]


def membership() -> Membership | None:
    """What the environment tells this process; none where it trains alone."""
    if not (coordinator := os.environ.get(_COORDINATOR)):
        return None
    device = os.environ.get(_DEVICE)
    processes, place = int(os.environ[_PROCESSES]), int(os.environ[_PLACE])
    return Membership(coordinator, processes, place, int(device) if device else None)


def choose_memberships(
    processes: int | None, coordinator: str | None, num_processes: int | None, process_id: int | None
) -> list[Membership]:
    """The processes to be started on this machine, as the options of the command say.

    Args:
        processes: `--processes`: all of them are on this machine.
        coordinator: `--coordinator`: this is one machine of several; with the two below.
        num_processes: `--num-processes`.
        process_id: `--process-id`.

    Returns:
        None of them where one process trains alone. The coordinator's address is empty where it is still to
        be chosen.

    Raises:
        ConfigError: if the options contradict each other.
    """
    across = {"--coordinator": coordinator, "--num-processes": num_processes, "--process-id": process_id}
    missing = [name for name, value in across.items() if value is None]
    if len(missing) == len(across):
        if processes is None or processes == 1:
            return []
        if processes < 1:
            raise ConfigError(f"--processes {processes}: expected 1 or more.")
        return [Membership("", processes, place, device=place) for place in range(processes)]
    if processes is not None:
        raise ConfigError(
            "--processes starts processes on this machine alone; --coordinator, --num-processes and "
            "--process-id start one of several machines. Give one or the other."
        )
    if coordinator is None or num_processes is None or process_id is None:
        raise ConfigError(
            f"{' and '.join(missing)} missing: training on several machines needs --coordinator HOST:PORT "
            "(the machine of process 0), --num-processes N and --process-id I, the same N everywhere."
        )
    address = _ADDRESS.fullmatch(coordinator)
    if not address or not 0 < int(address[2]) < 2**16:
        raise ConfigError(f"--coordinator {coordinator}: expected HOST:PORT, as in node1:5123.")
    if not 0 <= process_id < num_processes:
        raise ConfigError(
            f"--process-id {process_id}: with --num-processes {num_processes}, expected a number from 0 to "
            f"{num_processes - 1}."
        )
    return [Membership(coordinator, num_processes, process_id)]


def check_divides(batch_size: int, devices: int, of: str) -> None:
    """Refuse a batch that cannot be dealt out evenly.

    Raises:
        ConfigError: with the nearest sizes that can.
    """
    if batch_size % devices:
        below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
        nearest = f"{below} or {above}" if below else f"{above}"
        raise ConfigError(
            f"[train] batch_size = {batch_size} is not divisible by {of}: each takes the same share of every "
            f"batch. Set it to {nearest}."
        )
