"""The key that a misspelt one was probably meant to be."""

from __future__ import annotations

import difflib

from flexunet.config.schema import Config, section_class


def nearest_section(name: str) -> str | None:
    """The section whose name is nearest, or None where none is near."""
    found = difflib.get_close_matches(name.lower(), list(Config.model_fields), n=1, cutoff=0.6)
    return found[0] if found else None


def nearest_key(section: str, key: str) -> str | None:
    """The key nearest to an unknown one, as `[section] key`: of the same section first, then of any."""
    key = key.lower()
    if section in Config.model_fields:
        own = list(section_class(section).model_fields)
        if found := difflib.get_close_matches(key, own, n=1, cutoff=0.6):
            return f"[{section}] {found[0]}"
    by_key: dict[str, str] = {}
    for name in Config.model_fields:
        for known in section_class(name).model_fields:
            by_key.setdefault(known, name)
    if found := difflib.get_close_matches(key, list(by_key), n=1, cutoff=0.75):
        return f"[{by_key[found[0]]}] {found[0]}"
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


def is_known(section: str, key: str) -> bool:
    """Whether a key is in the schema."""
    return section in Config.model_fields and key in section_class(section).model_fields
