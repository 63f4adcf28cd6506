"""Optional libraries: imported where they are needed, and named with the command that installs them.

Each extra of pyproject.toml brings the libraries of one purpose.
"""

from __future__ import annotations

import importlib
import json
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from flexunet.errors import EngineError, FlexUNetError

# The engines that Keras runs on, each a library of its name, in the order in which an installed one is taken:
# TensorFlow is the fastest of the three on processors.
ENGINES = ("tensorflow", "jax", "torch")


def installed_engines() -> list[str]:
    """The engines found on this machine; looked up, not imported."""
    return [engine for engine in ENGINES if is_installed(engine)]


def install_command(extra: str) -> str:
    """The command that installs the libraries of an extra.

    It names what FlexUNet itself was installed from (a clone, a wheel, a repository), because a package
    index need not have it. In double quotes, which the shells of all systems know.
    """
    origin = _origin()
    url = origin.get("url", "")
    wanted = f"flexunet[{extra}]"
    if "vcs_info" in origin:
        told = origin["vcs_info"]
        wanted += f" @ {told['vcs']}+{url}@{told['commit_id']}"
    elif url.startswith("file:"):
        place = Path(url2pathname(urlsplit(url).path))
        if place.is_dir() and origin.get("dir_info", {}).get("editable"):
            return f'pip install --editable "{place}[{extra}]"'
        # Of a place that is gone, as in a container, nothing is left to install; what is installed knows
        # its extras too, and pip does not look for it again.
        wanted = f"{place}[{extra}]" if place.exists() else wanted
    elif url:
        wanted += f" @ {url}"
    return f'pip install "{wanted}"'


def _origin() -> dict[str, Any]:
    """Where FlexUNet was installed from, as pip notes it (PEP 610); nothing where that was an index."""
    try:
        told = metadata.distribution("flexunet").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return {}
    return json.loads(told) if told else {}


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
