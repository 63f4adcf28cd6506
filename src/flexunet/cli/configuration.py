"""How every command opens its configuration: read, overridden, its notes printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flexunet.cli.console import print_notes

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def open_config(path: Path, overrides: Sequence[str] | None = None, strict: bool = False) -> Config:
    """Load a configuration and print what there is to say about it."""
    from flexunet.config.files import load_config

    config = load_config(path, overrides or (), strict=strict)
    print_notes(config.notes)
    return config
