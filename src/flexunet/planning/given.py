"""Keys that a plan takes over from another configuration: how images and masks are read."""

from __future__ import annotations

from typing import Any

from flexunet.config.schema import Config
from flexunet.data.images.color_map import RGB_MAP_OPTION
from flexunet.data.images.masks.reader import MaskReader
from flexunet.planning.rules import Decision

_SECTIONS = ("image", "mask")


def given_keys(config: Config, masks: MaskReader) -> list[Decision]:
    """The keys of `[image]` and `[mask]` that a configuration sets, each with its file as the reason.

    Args:
        config: The configuration.
        masks: How masks were read, by that configuration or with other colours.
    """
    name = config.source.name if config.source else "the configuration given"
    decisions = []
    for section in _SECTIONS:
        keys = getattr(config, section)
        for key in type(keys).model_fields:
            if key not in keys.model_fields_set or getattr(keys, key) is None:
                continue
            if (section, key) == ("mask", "rgb_map") and masks.setting == RGB_MAP_OPTION:
                continue  # the option replaced it
            decisions.append(Decision(section, key, _plain(getattr(keys, key)), f"as {name} says"))
    return decisions


def _plain(value: Any) -> Any:
    """A value as JSON and TOML have it: colours that are keys as text."""
    if isinstance(value, dict):
        return {
            ",".join(map(str, key)) if isinstance(key, tuple) else key: _plain(item)
            for key, item in value.items()
        }
    return list(value) if isinstance(value, tuple) else value
