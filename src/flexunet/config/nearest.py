"""The key that a misspelt one was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from flexunet.config.schema import Config, section_class

# Longer than any name that is known.
_LONGEST = 80


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like this one, or None where none is at least `cutoff` like it, 0 to 1."""
    names = difflib.get_close_matches(name[:_LONGEST], list(known), n=1, cutoff=cutoff)
    return names[0] if names else None


def nearest_section(name: str) -> str | None:
    """The section whose name is nearest, or None where none is near."""
    return nearest(name.lower(), Config.model_fields)


def nearest_key(section: str, key: str) -> str | None:
    """The key nearest to an unknown one, as `[section] key`: of the same section first, then of any."""
    key = key.lower()
    if section in Config.model_fields and (own := nearest(key, section_class(section).model_fields)):
        return f"[{section}] {own}"
    by_key: dict[str, str] = {}
    for name in Config.model_fields:
        for known in section_class(name).model_fields:
            by_key.setdefault(known, name)
    if near := nearest(key, by_key, 0.75):
        return f"[{by_key[near]}] {near}"
    return None


def unknown(section: str, key: str) -> str:
    """What to say about an unknown key: that it is unknown, and what it was probably meant to be."""
    if section not in Config.model_fields and section != "eval":
        near = nearest_section(section)
        remedy = f"did you mean [{near}]?" if near else "the sections are " + ", ".join(Config.model_fields)
        return f"there is no section [{section}]; {remedy}"
    near = nearest_key(section, key)
    remedy = (
        f"did you mean {near}?" if near else "docs/configuration.md and `flexunet config schema` list all"
    )
    return f"there is no key {key} in [{section}]; {remedy}"


def unknown_alone(section: str, key: str) -> str:
    """What to say about an unknown key without looking for the one that was meant."""
    return f"there is no key {key} in [{section}]"


def is_known(section: str, key: str) -> bool:
    """Whether a key is in the schema."""
    return section in Config.model_fields and key in section_class(section).model_fields
