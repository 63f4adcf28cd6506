"""A number and its noun, as messages and pages say them."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun in singular or plural.

    Args:
        count: The number.
        noun: The noun in singular.
        plural: Its plural, where that is not the singular with an s.

    >>> counted(1, "patient"), counted(0, "patient"), counted(2, "copy", "copies")
    ('1 patient', '0 patients', '2 copies')
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
