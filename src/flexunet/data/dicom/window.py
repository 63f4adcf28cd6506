"""The rule that turns stored DICOM values into grey levels; named in `[image] dicom_window`."""

from __future__ import annotations

import math

from flexunet.errors import ConfigError

WINDOW_RULES = ("auto", "full", "range", "stored")


def check_window(window: str) -> tuple[float, float] | None:
    """Centre and width of an explicit window, None for a rule by name.

    Raises:
        ConfigError: if the text is neither.
    """
    if window in WINDOW_RULES:
        return None
    try:
        centre, width = (float(part) for part in window.split(","))
    except ValueError:
        centre, width = math.nan, math.nan
    if not (math.isfinite(centre) and math.isfinite(width) and width >= 1):
        raise ConfigError(
            f"[image] dicom_window: expected {', '.join(WINDOW_RULES)} or CENTRE,WIDTH with a width of 1 or "
            f"more, found {window!r}"
        )
    return centre, width
