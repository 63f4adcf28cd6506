"""Loading and saving configurations: TOML, the published `.config`, and run folders."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexunet.config import nearest
from flexunet.config.checks import check_image_size, missing_inputs
from flexunet.config.legacy import is_bounded, parse_entries
from flexunet.config.published_keys import ALIASES, NO_EFFECT, OLDER_DIALECT
from flexunet.config.reading import Given, Reading
from flexunet.config.schema import Config
from flexunet.config.writing import write_config
from flexunet.errors import ConfigError, InputError, PathError
from flexunet.run_folder import RUN_CONFIG, RunFolder, require_weights

_MOST_BYTES = 1 << 20
# The parsers take a time that grows as the square of the lines at fault, and of the parts of a dotted key.
_MOST_LINES = 30_000
_MOST_DOTS = 500


def load_config(path: str | Path, overrides: Sequence[str] = (), strict: bool = False) -> Config:
    """Read a configuration.

    Args:
        path: A `.toml` file, a published `.config` file, or a run folder that holds `config.toml`.
        overrides: Texts `section.key=value` that replace what the file says.
        strict: Whether unknown keys and unreadable values are errors in a `.config` file, as in TOML.

    Returns:
        The checked configuration; `config.notes` holds what there is to say about the file.

    Raises:
        PathError: if there is no such file.
        ConfigError: if the file cannot be used.

    Examples:
        >>> config = flexunet.load_config("mammogram.toml", ["train.epochs=20"])
        >>> config.model.image_width, config.train.epochs
        (64, 20)
    """
    file = config_file(Path(path))
    reading = read_file(file)
    if file.suffix.lower() == ".toml":
        strict = True
    for text in overrides:
        reading.take(_override(text), replace=True)
    config = reading.config(file.absolute(), strict=strict)
    config._overrides = list(overrides)
    return config


def as_config(config: Config | str | Path) -> Config:
    """The configuration itself, or the one that a path names (see `load_config`)."""
    return load_config(config) if isinstance(config, (str, Path)) else config


def initial_weights_file(config: Config) -> Path:
    """The file that `[model] initial_weights` means: that file, or the best model of that run folder.

    Raises:
        PathError: if there is nothing at the path.
        WeightsError: if a web page or a Git-LFS pointer stands there.
    """
    path = config.resolve(config.model.initial_weights)
    if path.is_dir():
        return RunFolder.of(load_config(path)).find_model()
    if not path.is_file():
        raise PathError(
            f"[model] initial_weights = '{config.model.initial_weights}': there is neither a run folder nor "
            f"a weights file at {path}."
        )
    require_weights(path)
    return path


def save_config(config: Config, path: str | Path) -> None:
    """Write every key as TOML, each under its meaning, with paths that hold in the new place.

    Raises:
        PathError: if the file cannot be written.
    """
    write_config(config, Path(path))


def config_file(path: Path) -> Path:
    """The file that a path to a configuration or to a run folder means.

    Raises:
        PathError: if there is none.
    """
    if path.is_dir():
        if not (path / RUN_CONFIG).is_file():
            raise PathError(
                f"{path}: a folder is a run folder if it holds {RUN_CONFIG}, and this one does not. For a "
                "data set, give the configuration that `flexunet init` or `train` wrote for it, NAME.toml."
            )
        return path / RUN_CONFIG
    if not path.is_file():
        raise PathError(
            f"{path}: there is no such file or folder. Expected a configuration (.toml, or .config of the "
            "published system) or the folder of a run; `flexunet init DATASET` writes a configuration."
        )
    return path


@dataclass(frozen=True)
class Verdict:
    """Whether a configuration file can be used, and what there is to say about it.

    Attributes:
        file: The file.
        error: Why it cannot be used; none where it can.
        notes: What there is to say about it.
        missing: What it names that is not on this machine; on another one, it may be.
    """

    file: Path
    error: str | None
    notes: list[str]
    missing: list[str]

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.error is None

    def document(self) -> dict[str, Any]:
        """The verdict as plain values."""
        told = {"file": str(self.file), "usable": self.usable, "error": self.error}
        return {**told, "notes": self.notes, "missing": self.missing}


def check_file(path: str | Path, overrides: Sequence[str] = (), strict: bool = False) -> Verdict:
    """Look whether a configuration can be used, image size and levels included."""
    try:
        config = load_config(path, overrides, strict)
        check_image_size(config)
    except InputError as error:
        return Verdict(Path(path), str(error), [], [])
    return Verdict(Path(path), None, config.notes, missing_inputs(config))


def default_config(overrides: Sequence[str] = ()) -> Config:
    """A configuration of no file: default values, but for those that texts `section.key=value` replace.

    Raises:
        ConfigError: if an override cannot be used.
    """
    reading = Reading("--set")
    for text in overrides:
        reading.take(_override(text), replace=True)
    return reading.config(None, strict=True)


def read_file(file: Path) -> Reading:
    """The keys of a file, named as in the schema.

    Raises:
        ConfigError: if the file is neither TOML nor INI.
    """
    reading = Reading(str(file))
    if file.suffix.lower() == ".toml":
        for given in _toml_keys(file):
            reading.take(given)
        return reading
    entries = parse_entries(_decoded(file), str(file))
    if not entries:
        raise ConfigError(f"{file}: holds no keys; a configuration starts with a section such as [model]")
    written = {(entry.section, entry.key.lower()) for entry in entries}
    reading.names_test = any(section == "test" for section, _ in written)
    for entry in entries:
        reading.take(Given(entry.section, entry.key, entry.text, line=entry.line), folded=True)
    reading.is_older_dialect = bool(written & OLDER_DIALECT)
    if ("train", "statistics_batches") not in written:
        reading.take(Given("train", "statistics_batches", "0", 0))  # validates as the published system does
    return reading


def _toml_keys(file: Path) -> list[Given]:
    try:
        text = _content(file).decode("utf-8-sig")
        if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
            raise RecursionError
        document = tomllib.loads(text)
        bounded = is_bounded(document)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: TOML must be UTF-8, and byte {error.start} is not; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(
            f"{file}: its values are nested too deeply; no key needs more than three levels"
        ) from None
    except ValueError:
        bounded = False
    if not bounded:
        raise ConfigError(
            f"{file}: holds a whole number of hundreds of digits, which no key takes; correct it"
        )
    keys = []
    for section, content in document.items():
        if not isinstance(content, dict):
            raise ConfigError(f"{file}: {section} = {content!r} is in no [section]; put it below one")
        for key, value in content.items():
            keys.append(Given(section, key, repr(value), value))
    return keys


def _decoded(file: Path) -> str:
    content = _content(file)
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for number, line in enumerate(text.split("\n"), 1):
        # In Latin-1, words have letters alone. What else comes is the code page of another language.
        strange = [each for each in line.partition(";")[0] if not (each.isascii() or each.isalpha())]
        if strange and not line.lstrip().startswith("#"):
            raise ConfigError(
                f"{file}: line {number} is neither UTF-8 nor Latin-1: a path in it would become another "
                "one. Save the file as UTF-8 (in Notepad: Save as, Encoding)"
            )
    return text


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ConfigError(
                f"{file}: has more than {_MOST_BYTES:,} bytes, and is no configuration; check the name"
            )
        content = file.read_bytes()
    except OSError as error:
        raise PathError(f"{file}: cannot be read: {error.strerror or error}") from None
    if content.count(b"\n") > _MOST_LINES:
        raise ConfigError(
            f"{file}: has more than {_MOST_LINES:,} lines, and is no configuration; check the name"
        )
    return content


def _override(text: str) -> Given:
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set {text}: expected section.key=value, such as train.epochs=20")
    known = (section, key) in ALIASES or (section, key) in NO_EFFECT or nearest.is_known(section, key)
    if not known:
        raise ConfigError(f"--set {text}: {nearest.unknown(section, key)}")
    return Given(section, key, value.strip(), _override_value(value.strip()))


def _override_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
