"""Any configuration to TOML: its meaning is kept, and what could not be carried over is said in comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from flexunet.config.files import config_file, read_file
from flexunet.config.published_keys import ALIASES
from flexunet.config.reading import Reading, Remark
from flexunet.config.schema import Config
from flexunet.config.writing import moved_paths, toml_text
from flexunet.errors import PathError
from flexunet.files import write_text


def convert_config(source: str | Path, out: str | Path | None = None, *, overwrite: bool = False) -> Path:
    """Write a configuration as TOML.

    Only the keys that the source gives are written. A source that is TOML already keeps its comments, and
    comes out as it went in where it needs no change.

    Args:
        source: Configuration file of either dialect, or a run folder.
        out: File to write; without it, the source's name with `.toml`.
        overwrite: Whether a file that says something else may be replaced.

    Returns:
        The file written.

    Raises:
        ConfigError: if the source cannot be used.
        PathError: if there is no source, or another file is in the way.
    """
    file = config_file(Path(source))
    target = Path(out) if out else file.with_suffix(".toml")
    if target.is_dir():
        target = target / file.with_suffix(".toml").name
    text = converted_text(file, target.parent)
    if target.exists() and not overwrite:
        if target.read_text(encoding="utf-8", errors="replace") == text:
            return target
        raise PathError(f"{target}: exists and says something else; give another name, or --overwrite")
    write_text(target, text)
    return target


def converted_text(file: Path, folder: Path) -> str:
    """The TOML that a configuration file becomes in a folder.

    Raises:
        ConfigError: if the file cannot be used.
    """
    reading = read_file(file)
    is_toml = file.suffix.lower() == ".toml"
    config = reading.config(file.absolute(), strict=is_toml)
    if is_toml:
        return _edited_toml(file, reading, config, folder)
    given = {
        section: {key: getattr(getattr(config, section), key) for key in keys}
        for section, keys in reading.values.items()
    }
    return toml_text(
        moved_paths(given, config, folder),
        [f"Converted from {file.name}. docs/configuration.md explains the keys."],
        unset=[
            (section, key) for section, keys in given.items() for key, value in keys.items() if value is None
        ],
        remarks=_not_carried_over(reading, config),
    )


def _not_carried_over(reading: Reading, config: Config) -> dict[str, list[str]]:
    by_section: dict[str, list[str]] = {}
    for remark in reading.remarks:
        if remark.is_left_out:
            by_section.setdefault(_home(remark), []).append(_comment(remark, config))
    return by_section


def _home(remark: Remark) -> str:
    given = remark.given
    return ALIASES.get((given.section, given.key.lower()), (given.section, ""))[0]


def _comment(remark: Remark, config: Config) -> str:
    message = remark.message(config).removeprefix(f"{remark.given.shown}: ")
    given = remark.given
    section = (
        ""
        if _home(remark) == given.section and given.section in Config.model_fields
        else f"[{given.section}] "
    )
    text = f"Not carried over: {section}{given.key} = {given.one_line}  ({message})"
    return "".join(character if character.isprintable() else "?" for character in text)


def _edited_toml(file: Path, reading: Reading, config: Config, folder: Path) -> str:
    """The file's own TOML with aliases under their names here, and with paths that hold in the new folder."""
    document = tomlkit.parse(file.read_bytes().decode("utf-8-sig"))
    for remark in reading.remarks:
        given = remark.given
        if remark.is_left_out and given.key in document.get(given.section, {}):
            del document[given.section][given.key]
            document[given.section].add(tomlkit.comment(_comment(remark, config)))
    for (section, key), given in reading.origins.items():
        if (given.section, given.key) != (section, key):
            value = document[given.section].pop(given.key)
            _section(document, section)[key] = value
    values: dict[str, dict[str, Any]] = {section: dict(keys) for section, keys in reading.values.items()}
    for section, keys in moved_paths(values, config, folder).items():
        for key, value in keys.items():
            if value != values.get(section, {}).get(key):
                _section(document, section)[key] = value
    for section in [name for name, content in document.items() if isinstance(content, Table) and not content]:
        if not document[section].as_string().strip():
            del document[section]
    return tomlkit.dumps(document)


def _section(document: tomlkit.TOMLDocument, name: str) -> Any:
    if name not in document:
        document[name] = tomlkit.table()
    return document[name]
