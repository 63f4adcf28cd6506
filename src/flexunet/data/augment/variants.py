"""Which parameter sets of each operation a configuration asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flexunet.errors import ConfigError

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Parameters = dict[str, Any]
_FIRST_DISC = 1001  # the published generators count centres from here


def flips(direction: str, config: Config) -> Iterator[Parameters]:
    """The flip in one direction (`h` or `v`), if it is on."""
    if getattr(config.augmentor, f"{direction}flip"):
        yield {}


def rotations(config: Config) -> Iterator[Parameters]:
    """One angle each."""
    if config.augmentor.rotation:
        yield from ({"angle": angle} | _fill(config) for angle in config.augmentor.angles)


def shrinks(config: Config) -> Iterator[Parameters]:
    """One ratio each."""
    for ratio in config.augmentor.shrinks:
        if not 0 < ratio <= 1:
            raise ConfigError(f"[augmentor] shrinks: expected ratios above 0 and up to 1, found {ratio}.")
        yield {"ratio": ratio} | _fill(config)


def shears(config: Config) -> Iterator[Parameters]:
    """One ratio each, and the same flipped as the flips that are on."""
    chosen = config.augmentor
    flips = ["", *("h" * chosen.hflip), *("v" * chosen.vflip)]
    flips += ["hv"] * (chosen.hflip and chosen.vflip)
    for ratio, flip in itertools.product(chosen.shears, flips):
        yield {"ratio": ratio} | ({"flip": flip} if flip else {}) | _fill(config)


def deformations(config: Config) -> Iterator[Parameters]:
    """One sigma each."""
    if config.augmentor.deformation:
        for draw, sigma in enumerate(config.deformation.sigmoids):
            _check_sigma("[deformation] sigmoids", sigma)
            yield {"alpha": config.deformation.alpha, "sigma": sigma, "draw": draw}


def distortions(config: Config) -> Iterator[Parameters]:
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


def discs(section: str, config: Config) -> Iterator[Parameters]:
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


def sharpenings(config: Config) -> Iterator[Parameters]:
    """The sharpening, if it is on."""
    if config.augmentor.sharpening:
        yield {"k": config.sharpening.k}


def brightenings(config: Config) -> Iterator[Parameters]:
    """The brightening, if it is on."""
    if config.augmentor.brightening:
        yield {"alpha": config.brightening.alpha, "beta": config.brightening.beta}


def _fill(config: Config) -> Parameters:
    return {"fill": "black"} if config.augmentor.fill == "black" else {}


def _check_sigma(key: str, sigma: float) -> None:
    if sigma <= 0:
        raise ConfigError(f"{key}: expected a width above 0 pixels, found {sigma}.")
