"""An augmentation operation as one row, and one use of it: what a step has is decided by its row alone.

The parameters, with the size of the image, determine the change completely: what the manifest records can be
done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from flexunet.data.augment import warps
from flexunet.data.dataset.names import own_prefix

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One row of the table of operations.

    Attributes:
        name: As in file names and in the manifest; of lower-case letters.
        variants: Parameter sets that a configuration asks for, of JSON values; none if the operation is off.
        change: Change for given parameters, height and width.
        randomness: "none"; "data set": one seed for all images, as published; "image": a seed an image.
            The seed comes to `change` as the parameter `seed`.
        prefix: What the name of a copy starts with, where the published tools have a name for it;
            else `aug-NAME-VALUES_`.
    """

    name: str
    variants: Callable[[Config], Iterator[Parameters]]
    change: Callable[[Parameters, int, int], warps.Change]
    randomness: Literal["none", "data set", "image"] = "none"
    prefix: Callable[[Parameters], str] | None = None


@dataclass(frozen=True)
class Step:
    """An operation with its parameters."""

    operation: Operation
    parameters: Parameters

    @property
    def prefix(self) -> str:
        """What the name of a copy starts with."""
        if self.operation.prefix:
            return self.operation.prefix(self.parameters)
        values = [value for key, value in self.parameters.items() if key != "seed"]
        return own_prefix(self.operation.name, [v for v in values if isinstance(v, int | float)])

    @property
    def label(self) -> str:
        """Name of the operation; a sheared copy that was flipped as well is `shear+hflip`."""
        flip = self.parameters.get("flip")
        return f"{self.operation.name}+{flip}flip" if flip else self.operation.name

    def seeded(self, seed: int, stem: str) -> Step:
        """The step for one image; what is drawn depends on seed, file name and operation, not on order."""
        if self.operation.randomness == "none":
            return self
        if self.operation.randomness == "image":
            digest = hashlib.sha256(f"{seed}/{stem}/{self.prefix}".encode()).digest()
            seed = int.from_bytes(digest[:4], "little")
        return self.with_seed(seed)

    def with_seed(self, seed: int) -> Step:
        """The step with this seed, if it has a use for one."""
        if self.operation.randomness == "none":
            return self
        return replace(self, parameters=self.parameters | {"seed": seed})

    def change(self, height: int, width: int) -> warps.Change:
        """Change of images of this size."""
        return self.operation.change(self.parameters, height, width)
