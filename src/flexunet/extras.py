"""Optional libraries: imported where they are needed, and named with the command that installs them.

Each extra of pyproject.toml brings the libraries of one purpose.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from flexunet.errors import EngineError, FlexUNetError

# The engines that Keras runs on, each a library of its name, in the order in which an installed one is taken:
# TensorFlow is the fastest of the three on processors.
ENGINES = ("tensorflow", "jax", "torch")


def installed_engines() -> list[str]:
    """The engines found on this machine; looked up, not imported."""
    return [engine for engine in ENGINES if is_installed(engine)]


def install_command(extra: str) -> str:
    """The command that installs the libraries of an extra."""
    return f"pip install 'flexunet[{extra}]'"


def is_installed(module: str) -> bool:
    """Whether a library is there; it is looked up, not imported."""
    return find_spec(module) is not None


def import_extra(
    *modules: str,
    extra: str,
    needed_by: str = "",
    error: type[FlexUNetError] = EngineError,
    otherwise: str = "",
) -> Any:
    """Import optional libraries.

    Args:
        modules: Their names; all are imported.
        extra: The extra of pyproject.toml that brings them.
        needed_by: What needs them, as the subject of a sentence: `[train] mlflow = true`, a file, an option.
        error: The error to raise.
        otherwise: What else a user can do than to install them, as the end of a sentence.

    Returns:
        The module of the first name.

    Raises:
        FlexUNetError: of the class `error`, if one cannot be imported.
    """
    try:
        first, *_ = [importlib.import_module(module) for module in modules]
        return first
    except ImportError as missing:
        library = (missing.name or modules[0]).partition(".")[0]
        # A library that is there and does not load says what it misses itself.
        reason = "" if isinstance(missing, ModuleNotFoundError) else f" ({missing})"
        subject = f"{needed_by} needs {library}, which" if needed_by else library
        raise error(
            f"{subject} is missing{reason}. Install it with: {install_command(extra)}{otherwise}."
        ) from missing
