"""Writing configurations as TOML, each key under the line that says what it means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from flexunet.config.schema import Config, section_class
from flexunet.files import write_text

# Up to this many colours, a map stands on one line.
_INLINE_COLORS = 4

# Where the key is not set, the model decides; so a key that is not set must not look set in what is written.
_OPEN_WHERE_NOT_SET = frozenset({("model", "input_normalize")})


def write_config(config: Config, path: Path) -> None:
    """Write every key, such that paths still mean what they mean in the configuration's own place.

    Args:
        config: Configuration.
        path: File to write; it is replaced once the new one is whole.

    Raises:
        PathError: if the file cannot be written.
    """
    values: dict[str, dict[str, Any]] = {}
    unset = []
    for name, section in config.sections():
        values[name] = {}
        for key in type(section).model_fields:
            value = getattr(section, key)
            if value is None or ((name, key) in _OPEN_WHERE_NOT_SET and key not in section.model_fields_set):
                unset.append((name, key))
            values[name][key] = value
    values = moved_paths(values, config, path.parent)
    heading = ["FlexUNet configuration with all keys. docs/configuration.md explains them."]
    write_text(path, toml_text(values, heading, unset=unset))


def toml_text(
    values: Mapping[str, Mapping[str, Any]],
    heading: Iterable[str],
    *,
    unset: Iterable[tuple[str, str]] = (),
    remarks: Mapping[str, list[str]] | None = None,
    reasons: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """A configuration as TOML.

    Args:
        values: Value of each key of each section.
        heading: Lines of comment at the top.
        unset: Keys that are written as comments.
        remarks: Lines of comment at the end of each section.
        reasons: Comments of keys, in place of what the keys mean.
    """
    remarks = dict(remarks or {})
    unset, reasons = set(unset), reasons or {}
    blocks = ["\n".join(f"# {line}" for line in heading)] if heading else []
    for section in Config.model_fields:
        given = values.get(section, {})
        notes = remarks.pop(section, [])
        if not given and not notes:
            continue
        lines, tables = [f"[{section}]"], []
        for key, field in section_class(section).model_fields.items():
            if key not in given:
                continue
            meaning = f"# {reasons.get((section, key), field.description)}"
            if (section, key) in unset:
                lines += [meaning, f"# {key} = {_commented(given[key])}"]
            elif isinstance(given[key], dict) and len(given[key]) > _INLINE_COLORS:
                tables += ["", meaning, f"[{section}.{key}]"]
                tables += [f"{_entry(name)} = {toml_value(item)}" for name, item in given[key].items()]
            else:
                lines += [meaning, f"{key} = {toml_value(given[key])}"]
        lines += [f"# {note}" for note in notes]
        blocks.append("\n".join(lines + tables))
    if leftovers := [f"# {note}" for notes in remarks.values() for note in notes]:
        blocks.append("\n".join(leftovers))
    return "\n\n".join(blocks) + "\n"


def moved_paths(
    values: Mapping[str, Mapping[str, Any]], config: Config, folder: Path
) -> dict[str, dict[str, Any]]:
    """The values with relative paths such that they mean, in another folder, what they meant in their own.

    Input paths are rewritten one by one; output paths follow from `[train] run_dir`.
    """
    moved = {section: dict(keys) for section, keys in values.items()}
    if _real(folder) == _real(config.folder):
        return moved
    for section, keys in moved.items():
        for key in section_class(section).path_keys("input"):
            if keys.get(key):
                keys[key] = _moved(keys[key], config, folder)
    moved.setdefault("train", {})["run_dir"] = relative_path(config.run_dir, folder)
    return moved


def relative_path(path: Path, folder: Path) -> str:
    """The path from a folder to a file, with forward slashes; links are followed, so that `..` holds."""
    try:
        relative = os.path.relpath(_real(path), _real(folder))
    except ValueError:  # another drive
        return _real(path).as_posix()
    return Path(relative).as_posix()


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _moved(value: Any, config: Config, folder: Path) -> Any:
    if isinstance(value, list):
        return [_moved(item, config, folder) for item in value]
    resolved = config.resolve(value)
    return value if resolved == Path(value) else relative_path(resolved, folder)


def _commented(value: Any) -> str:
    return "(not set)" if value is None else f"{toml_value(value)}  (not set)"


def _color(color: tuple[int, int, int]) -> str:
    return ",".join(str(channel) for channel in color)


def _entry(name: Any) -> str:
    """The key of an entry of a map: a colour, or a name."""
    return toml_value(_color(name) if isinstance(name, tuple) else str(name))


def toml_value(value: Any) -> str:
    """A value as TOML; colours are written as in `rgb_map`."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_entry(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return tomlkit.item(value).as_string()
