"""The augmentation operations: one table for copies written to disk and for training.

A row has a name, the parameter sets that a configuration asks for, and the change it makes; copies on disk,
their names, the manifest, the preview and training loop over the rows. A new operation is a row here and a
section in config/augment_sections.py.

    for step in planned(config):
        change = step.seeded(137, "P34_R_MLO").change(height, width)
        change.image(image), change.mask(mask)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flexunet.data.augment import fields, warps
from flexunet.data.augment.steps import Operation, Parameters, Step
from flexunet.data.dataset.names import NAME_OF_OPERATION
from flexunet.errors import ConfigError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

_FIRST_DISC = 1001  # the published generators count centres from here


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


def register_operation(operation: Operation) -> Operation:
    """Add an operation of one's own, for copies on disk, the preview and training alike.

    Args:
        operation: Its row. Copies are called `aug-NAME-VALUES_...`, which every room takes for copies. Where
            several processes write copies, its functions must be those of a module, not lambdas.

    Returns:
        The row.

    Raises:
        ConfigError: if the name is taken or cannot be part of a file name.

    Examples:
        >>> from flexunet.data.augment.steps import Operation
        >>> from flexunet.data.augment.warps import Brighten
        >>> def where_brightened(config):
        ...     if config.augmentor.brightening:
        ...         yield {"beta": -config.brightening.beta}
        >>> def darker(parameters, height, width):
        ...     return Brighten(1, parameters["beta"])
        >>> flexunet.register_operation(Operation("darken", where_brightened, darker)).name
        'darken'
        >>> del flexunet.data.augment.operations.OPERATIONS["darken"]  # for the sake of this example
    """
    if operation.name in OPERATIONS:
        raise ConfigError(f"an operation {operation.name!r} is there already: choose another name.")
    if not NAME_OF_OPERATION.fullmatch(operation.name):
        raise ConfigError(f"operation {operation.name!r}: expected a name of lower-case letters alone.")
    OPERATIONS[operation.name] = operation
    return operation


def own_operations() -> tuple[Operation, ...]:
    """The operations that were registered beside those of the table."""
    return tuple(operation for operation in OPERATIONS.values() if operation not in _ROWS)


def _flips(direction: str, config: Config) -> Iterator[Parameters]:
    """The flip in one direction (`h` or `v`), if it is on."""
    if getattr(config.augmentor, f"{direction}flip"):
        yield {}


def _rotations(config: Config) -> Iterator[Parameters]:
    """One angle each."""
    if config.augmentor.rotation:
        yield from ({"angle": angle} | _fill(config) for angle in config.augmentor.angles)


def _shrinks(config: Config) -> Iterator[Parameters]:
    """One ratio each."""
    for ratio in config.augmentor.shrinks:
        if not 0 < ratio <= 1:
            raise ConfigError(f"[augmentor] shrinks: expected ratios above 0 and up to 1, found {ratio}.")
        yield {"ratio": ratio} | _fill(config)


def _shears(config: Config) -> Iterator[Parameters]:
    """One ratio each, and the same flipped as the flips that are on."""
    chosen = config.augmentor
    flips = ["", *("h" * chosen.hflip), *("v" * chosen.vflip)]
    flips += ["hv"] * (chosen.hflip and chosen.vflip)
    for ratio, flip in itertools.product(chosen.shears, flips):
        yield {"ratio": ratio} | ({"flip": flip} if flip else {}) | _fill(config)


def _deformations(config: Config) -> Iterator[Parameters]:
    """One sigma each."""
    if config.augmentor.deformation:
        for draw, sigma in enumerate(config.deformation.sigmoids):
            _check_sigma("[deformation] sigmoids", sigma)
            yield {"alpha": config.deformation.alpha, "sigma": sigma, "draw": draw}


def _distortions(config: Config) -> Iterator[Parameters]:
    """One size each."""
    if config.augmentor.distortion:
        chosen = config.distortion
        _check_sigma("[distortion] gaussian_filter_rsigma", chosen.gaussian_filter_rsigma)
        for size in chosen.distortions:
            if not 0 <= size < 1:
                raise ConfigError(f"[distortion] distortions: expected fractions from 0 to 1, found {size}.")
            yield {
                "size": size,
                "rsigma": chosen.gaussian_filter_rsigma,
                "sigma": chosen.gaussian_filter_sigma,
            }


def _discs(section: str, config: Config) -> Iterator[Parameters]:
    """One centre each, of barrel or pincushion distortion (`section`)."""
    cumulative = getattr(config, section).cumulative
    for radius, amount, all_centers in _disc_settings(section, config):
        if amount <= -1:
            raise ConfigError(
                f"[{section}] amount: expected a value above -1, found {amount}. At -1 and below, the disc "
                "would be torn open at its centre."
            )
        for count, center in enumerate(all_centers):
            centers = all_centers[: count + 1] if cumulative else [center]
            yield {
                "index": _FIRST_DISC + count,
                "radius": radius,
                "amount": amount,
                "centers": [list(each) for each in centers],
            }


def _disc_settings(section: str, config: Config) -> Iterator[tuple[float, float, list[tuple[float, float]]]]:
    """Radius, amount and centres: of the section, and of the barrel distortion tool's keys in [augmentor]."""
    chosen, tool = getattr(config, section), config.augmentor
    if getattr(tool, section):
        yield chosen.radius, chosen.amount, chosen.centers
    if section == "barrdistortion" and tool.centers:
        radii = tool.radii or [chosen.radius if tool.radius is None else tool.radius]
        amounts = tool.amounts or [chosen.amount if tool.amount is None else tool.amount]
        for radius, amount in itertools.product(radii, amounts):
            yield radius, amount, tool.centers


def _sharpenings(config: Config) -> Iterator[Parameters]:
    """The sharpening, if it is on."""
    if config.augmentor.sharpening:
        yield {"k": config.sharpening.k}


def _brightenings(config: Config) -> Iterator[Parameters]:
    """The brightening, if it is on."""
    if config.augmentor.brightening:
        yield {"alpha": config.brightening.alpha, "beta": config.brightening.beta}


def _croppings(config: Config) -> Iterator[Parameters]:
    """One set a copy, if cropping is on; the copies differ by what is drawn."""
    if config.augmentor.cropping:
        chosen = config.cropping
        yield from ({"smallest": chosen.smallest, "index": 1 + index} for index in range(chosen.copies))


def _fill(config: Config) -> Parameters:
    return {"fill": "black"} if config.augmentor.fill == "black" else {}


def _check_sigma(key: str, sigma: float) -> None:
    if sigma <= 0:
        raise ConfigError(f"{key}: expected a width above 0 pixels, found {sigma}.")


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
    return warps.Displace(fields.cached_deformation_field(height, width, *values), border="nearest")


def _distorted(parameters: Parameters, height: int, width: int) -> warps.Change:
    size, sigma, seed = (parameters[key] for key in ("size", "rsigma", "seed"))
    return warps.Displace(fields.distortion_field(height, width, size, sigma, seed))


def _disced(parameters: Parameters, height: int, width: int) -> warps.Change:
    radius, amount = parameters["radius"], parameters["amount"]
    centers = [(float(x), float(y)) for x, y in parameters["centers"]]
    return warps.Discs([fields.disc_field(height, width, center, radius, amount) for center in centers])


def _cropped(parameters: Parameters, height: int, width: int) -> warps.Change:
    """A part of the image's own shape, its size and place uniform, under all of the image's pixels."""
    draws = np.random.default_rng(parameters["seed"])
    side = draws.uniform(parameters["smallest"], 1)
    left, top = draws.uniform(0, 1 - side, 2) * (width, height)
    across = np.float32(left - 0.5) + np.float32(side) * (np.arange(width, dtype=np.float32) + 0.5)
    down = np.float32(top - 0.5) + np.float32(side) * (np.arange(height, dtype=np.float32) + 0.5)
    return warps.Displace(
        (np.tile(across, (height, 1)), np.repeat(down[:, None], width, 1)), border="nearest"
    )


# Those of the published tools first, in their order; `prefix` is the name that those tools give a copy.
_ROWS = (
    Operation("hflip", partial(_flips, "h"), lambda p, h, w: warps.Flip("h"), prefix=lambda p: "hfliped_"),
    Operation("vflip", partial(_flips, "v"), lambda p, h, w: warps.Flip("v"), prefix=lambda p: "vfliped_"),
    Operation(
        "rotation",
        _rotations,
        lambda p, h, w: warps.rotation(w, h, p["angle"], "fill" in p),
        prefix=lambda p: f"rotated_{_number(p['angle'])}_",
    ),
    Operation(
        "shrink",
        _shrinks,
        lambda p, h, w: warps.Shrink(p["ratio"], "fill" in p),
        prefix=lambda p: f"shrinked_{_ratio(p['ratio'])}_",
    ),
    Operation("shear", _shears, _sheared, prefix=_shear_prefix),
    Operation(
        "deformation",
        _deformations,
        _deformed,
        "data set",
        lambda p: f"deformed_alpha_{_number(p['alpha'])}_sigmoid_{_number(p['sigma'])}_",
    ),
    Operation(
        "distortion",
        _distortions,
        _distorted,
        "image",
        # The two words stand before each other's number, as published.
        lambda p: f"distorted_{_number(p['size'])}_rsigma{_number(p['sigma'])}_sigma{_number(p['rsigma'])}_",
    ),
    Operation(
        "barrdistortion",
        partial(_discs, "barrdistortion"),
        _disced,
        prefix=partial(_disc_prefix, "barrdistorted"),
    ),
    Operation(
        "pincdistortion",
        partial(_discs, "pincdistortion"),
        _disced,
        prefix=partial(_disc_prefix, "pincdistorted"),
    ),
    Operation(
        "sharpening",
        _sharpenings,
        lambda p, h, w: warps.Sharpen(p["k"]),
        prefix=lambda p: f"sharpened_{_decimal(p['k'])}_",
    ),
    Operation(
        "brightening",
        _brightenings,
        lambda p, h, w: warps.Brighten(p["alpha"], p["beta"]),
        prefix=lambda p: f"brightened_{_decimal(p['alpha'])}_{_decimal(p['beta'])}_",
    ),
    Operation("cropping", _croppings, _cropped, "image"),
)
OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _ROWS}
