"""How the steps of an epoch make updates of the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pace:
    """Steps, and the groups of them that make an update each.

    Attributes:
        steps: Steps in an epoch.
        group: Steps whose gradients make one update; an epoch's last group has what is left.
        last_share: Images of an epoch's last step, as a share of a full batch.
    """

    steps: int
    group: int = 1
    last_share: float = 1.0

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return -(-self.steps // self.group)


def pace_of(batches: Any, group: int) -> Pace:
    """The pace of `feeding.training_batches`, with groups of so many steps."""
    steps = len(batches)
    return Pace(steps, group, len(batches.indices(steps - 1)) / batches.batch_size)
