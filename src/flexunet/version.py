"""The version, apart so that `flexunet --version` imports nothing else; and those of other packages."""

from collections.abc import Iterable

__version__ = "0.1.0"


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    from importlib import metadata

    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
