"""What to say when a configuration names a loss, metric or optimiser that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from flexunet.config.nearest import nearest


def unknown_name(key: str, found: str, kind: str, known: Iterable[str]) -> str:
    """A message with the nearest known name and all of them.

    Args:
        key: Where the name stands, such as "[model] loss".
        found: The name.
        kind: What was expected, with its article: "a loss".
        known: The names there are.
    """
    names = sorted(known)
    by_folded = {name.lower(): name for name in names}
    near = nearest(str(found).lower(), by_folded, 0.5)
    guess = f" Did you mean '{by_folded[near]}'?" if near else ""
    return f"{key}: '{found}' is not {kind}.{guess} There are: {', '.join(names)}."
