"""Decisions as the text of a configuration file."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexunet.config.schema import section_class
from flexunet.config.writing import relative_path, toml_text
from flexunet.planning.rules import Decision

_WIDTH = 116


def configuration_text(
    root: Path, decisions: Sequence[Decision], folder: Path, run_dir: str, heading: Sequence[str]
) -> str:
    """A configuration as TOML, each key below the reason for its value.

    Args:
        root: The data set, which paths of decisions are relative to.
        decisions: The keys.
        folder: Where the file will lie; its paths are relative to that.
        run_dir: Run folder, relative to `folder` too.
        heading: Sentences at the top.
    """
    values: dict[str, dict[str, Any]] = {}
    for decision in decisions:
        is_path = decision.key in section_class(decision.section).path_keys("input")
        value = _moved(root, decision.value, folder) if is_path else decision.value
        values.setdefault(decision.section, {})[decision.key] = value
    values.setdefault("train", {})["run_dir"] = run_dir
    reasons = {(decision.section, decision.key): decision.reason for decision in decisions}
    lines = [line for sentence in heading for line in textwrap.wrap(sentence, _WIDTH)]
    return toml_text(values, lines, reasons=reasons)


def _moved(root: Path, value: str, folder: Path) -> str:
    """A path in the data set as one from another folder; a `*` in it stays as it is."""
    return os.path.normpath(f"{relative_path(root, folder)}/{value}").replace("\\", "/")
