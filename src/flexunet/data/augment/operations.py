"""The augmentation operations: one table for copies written to disk and for training.

An operation has a name (that of its configuration section or key), the parameter sets that a configuration
asks for, the file name prefix of a copy, and the change it makes. The parameters, with the size of the image,
determine the change completely: what the manifest records can be done again.

    for step in planned(config):
        change = step.seeded(137, "P34_R_MLO").change(height, width)
        change.image(image), change.mask(mask)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from flexunet.data.augment import fields, variants, warps
from flexunet.data.augment.variants import Parameters

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Attributes:
        name: As in `names.operation_of` and in the manifest.
        variants: Parameter sets that a configuration asks for; none if the operation is off.
        prefix: What the name of a copy starts with.
        change: Change for given parameters, height and width.
        randomness: "none"; "data set": one seed for all images, as published; "image": a seed an image.
    """

    name: str
    variants: Callable[[Config], Iterator[Parameters]]
    prefix: Callable[[Parameters], str]
    change: Callable[[Parameters, int, int], warps.Change]
    randomness: Literal["none", "data set", "image"] = "none"


@dataclass(frozen=True)
class Step:
    """An operation with its parameters."""

    operation: Operation
    parameters: Parameters

    @property
    def prefix(self) -> str:
        """What the name of a copy starts with."""
        return self.operation.prefix(self.parameters)

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


def planned(config: Config) -> list[Step]:
    """What a configuration asks for, in published order; a copy asked for twice is made once.

    Raises:
        ConfigError: if a value of an operation is out of range.
    """
    steps = [
        Step(operation, parameters)
        for operation in OPERATIONS.values()
        for parameters in operation.variants(config)
    ]
    return list({step.prefix: step for step in steps}.values())


def _shear_prefix(parameters: Parameters) -> str:
    flip = f"{parameters['flip']}flipped_" if "flip" in parameters else ""
    return f"{flip}sheared_{_ratio(parameters['ratio'])}_"


def _disc_prefix(word: str, parameters: Parameters) -> str:
    numbers = parameters["index"], _number(parameters["radius"]), _number(parameters["amount"])
    return "_".join((word, *map(str, numbers), ""))


def _number(value: float) -> str:
    """As the published names write it: 8 and 8.0 are `8`, no exponents."""
    return np.format_float_positional(value, trim="-")


def _decimal(value: float) -> str:
    """With a decimal point always, so that it cannot be taken for the name of the image: 1 is `1.0`."""
    return np.format_float_positional(value, trim="0")


def _ratio(value: float) -> str:
    """The published names write 0_8 for 0.8."""
    text = _number(value)
    return text.replace(".", "_") if abs(value) < 1 else text


def _sheared(parameters: Parameters, height: int, width: int) -> warps.Change:
    change = warps.shear(width, parameters["ratio"], "fill" in parameters)
    return warps.Chain((change, warps.Flip(parameters["flip"]))) if "flip" in parameters else change


def _deformed(parameters: Parameters, height: int, width: int) -> warps.Change:
    values = (parameters[key] for key in ("alpha", "sigma", "seed", "draw"))
    return warps.Displace(fields.cached_deformation_field(height, width, *values), extend=True)


def _distorted(parameters: Parameters, height: int, width: int) -> warps.Change:
    size, sigma, seed = (parameters[key] for key in ("size", "rsigma", "seed"))
    return warps.Displace(fields.distortion_field(height, width, size, sigma, seed))


def _disced(parameters: Parameters, height: int, width: int) -> warps.Change:
    radius, amount = parameters["radius"], parameters["amount"]
    centers = [(float(x), float(y)) for x, y in parameters["centers"]]
    return warps.Discs([fields.disc_field(height, width, center, radius, amount) for center in centers])


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(
            "hflip", partial(variants.flips, "h"), lambda p: "hfliped_", lambda p, h, w: warps.Flip("h")
        ),
        Operation(
            "vflip", partial(variants.flips, "v"), lambda p: "vfliped_", lambda p, h, w: warps.Flip("v")
        ),
        Operation(
            "rotation",
            variants.rotations,
            lambda p: f"rotated_{_number(p['angle'])}_",
            lambda p, h, w: warps.rotation(w, h, p["angle"], "fill" in p),
        ),
        Operation(
            "shrink",
            variants.shrinks,
            lambda p: f"shrinked_{_ratio(p['ratio'])}_",
            lambda p, h, w: warps.Shrink(p["ratio"], "fill" in p),
        ),
        Operation("shear", variants.shears, _shear_prefix, _sheared),
        Operation(
            "deformation",
            variants.deformations,
            lambda p: f"deformed_alpha_{_number(p['alpha'])}_sigmoid_{_number(p['sigma'])}_",
            _deformed,
            "data set",
        ),
        Operation(
            "distortion",
            variants.distortions,
            # The two words stand before each other's number, as published.
            lambda p: (
                f"distorted_{_number(p['size'])}_rsigma{_number(p['sigma'])}_sigma{_number(p['rsigma'])}_"
            ),
            _distorted,
            "image",
        ),
        Operation(
            "barrdistortion",
            partial(variants.discs, "barrdistortion"),
            partial(_disc_prefix, "barrdistorted"),
            _disced,
        ),
        Operation(
            "pincdistortion",
            partial(variants.discs, "pincdistortion"),
            partial(_disc_prefix, "pincdistorted"),
            _disced,
        ),
        Operation(
            "sharpening",
            variants.sharpenings,
            lambda p: f"sharpened_{_decimal(p['k'])}_",
            lambda p, h, w: warps.Sharpen(p["k"]),
        ),
        Operation(
            "brightening",
            variants.brightenings,
            lambda p: f"brightened_{_decimal(p['alpha'])}_{_decimal(p['beta'])}_",
            lambda p, h, w: warps.Brighten(p["alpha"], p["beta"]),
        ),
    )
}
