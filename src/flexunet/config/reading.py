"""From the keys of a file to a checked Config: aliases, keys without effect, unknown keys, values.

Both dialects come through here. TOML is strict: what is unknown or unfit is an error. In a `.config` file
an unknown key or an unreadable value is a note that says what is used instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flexunet.config import nearest
from flexunet.config.checks import check_config
from flexunet.config.legacy import UnreadableValueError, bare_word, parse_value
from flexunet.config.published_keys import ALIASES, NO_EFFECT, OLDER_DEFAULTS, OLDER_DIALECT
from flexunet.config.schema import Config, section_class
from flexunet.errors import ConfigError

_MISSING = object()


@dataclass
class Given:
    """One key as a file or an override gives it."""

    section: str
    key: str
    text: str
    value: Any = _MISSING
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}[{self.section}] {self.key}"

    @property
    def shown(self) -> str:
        """The key with its text, cut to one line."""
        text = " ".join(self.text.split())
        return f"{self} = {text if len(text) <= 80 else text[:77] + '...'}"


@dataclass
class Reading:
    """Collects the keys of one file, and what there is to say about them."""

    name: str
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[tuple[str, str], Given] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: list[tuple[Given, str]] = field(default_factory=list)

    def take(self, given: Given, *, unquoted: bool = False) -> None:
        """Take one key in, under the name that the schema gives it.

        Args:
            given: The key. Where it has no value yet, its text is read as a literal.
            unquoted: Whether a bare word may stand for a text.
        """
        written = (given.section, given.key.lower() if unquoted else given.key)
        section, key = ALIASES.get(written, written)
        if reason := NO_EFFECT.get((section, key)):
            self._leave_out(given, f"{given.shown}: accepted, has no effect, because {reason}")
            return
        if not nearest.is_known(section, key):
            self._unknown(given, section, key)
            return
        if given.value is _MISSING:
            given.value = self._parsed(given, section, key)
            if given.value is _MISSING:
                return
        present = self.origins.get((section, key))
        if present and (section, key) != written:
            self._leave_out(given, f"{given.shown}: left out, because {present} says the same")
            return
        if written[0] != section and written[0] != "eval":
            self.notes.append(f"{given.shown}: belongs to [{section}], and is read as [{section}] {key}")
        self.values.setdefault(section, {})[key] = given.value
        self.origins[section, key] = given

    def older_defaults(self, written: set[tuple[str, str]]) -> None:
        """Fill in the defaults of the older dialect if the keys are of that dialect."""
        if not written & OLDER_DIALECT:
            return
        width = self.values.get("model", {}).get("image_width", 512)
        for (section, key), value in OLDER_DEFAULTS.items():
            self.values.setdefault(section, {}).setdefault(key, width if value is None else value)

    def config(self, source: Path | None, *, strict: bool) -> Config:
        """The checked configuration.

        Args:
            source: The file it came from.
            strict: Whether unknown keys and unreadable values are errors.

        Raises:
            ConfigError: if a value does not fit its key, keys contradict each other, or `strict` finds a problem.
        """
        if strict and self.problems:
            raise ConfigError(_several(self.name, self.problems))
        try:
            config = Config.model_validate(self.values)
        except ValidationError as error:
            raise ConfigError(_several(self.name, self._unfit(error))) from None
        config._source = source
        config._notes = self.problems + self.notes
        check_config(config)
        return config

    def _parsed(self, given: Given, section: str, key: str) -> Any:
        cls = section_class(section)
        default = Config().__getattribute__(section).__getattribute__(key)
        try:
            value = parse_value(given.text, is_path=cls.is_path(key))
        except UnreadableValueError:
            value = self._from_word(given, section, key)
            if value is _MISSING:
                self._problem(
                    given, f"{given.shown}: not a Python literal; the default, {default!r}, is used instead"
                )
            return value
        if value is None and default is not None:
            self._leave_out(given, f"{given.shown}: None means the default, {default!r}")
            return _MISSING
        return value

    def _from_word(self, given: Given, section: str, key: str) -> Any:
        word = bare_word(given.text)
        if word is None:
            return _MISSING
        value: Any = {"true": True, "false": False}.get(word.lower(), word)
        try:
            section_class(section).model_validate({key: value})
        except ValidationError:
            return _MISSING
        self.problems.append(f"{given.shown}: not a Python literal; {value!r} is used instead")
        return value

    def _unknown(self, given: Given, section: str, key: str) -> None:
        if section not in Config.model_fields and section != "eval":
            self._problem(
                given, f"{given.shown}: there is no section [{section}]; {nearest.suggestion(section)}"
            )
        else:
            self._problem(
                given,
                f"{given.shown}: there is no key {key} in [{section}]; {nearest.suggestion(section, key)}",
            )

    def _problem(self, given: Given, message: str) -> None:
        self.problems.append(message)
        self.left_out.append((given, message))

    def _leave_out(self, given: Given, message: str) -> None:
        self.notes.append(message)
        self.left_out.append((given, message))

    def _unfit(self, error: ValidationError) -> list[str]:
        messages = {}
        for detail in error.errors(include_url=False):
            section, key = (str(part) for part in detail["loc"][:2])
            given = self.origins.get((section, key))
            shown = given.shown if given else f"[{section}] {key} = {detail['input']!r}"
            reason = detail["msg"][0].lower() + detail["msg"][1:]
            messages.setdefault((section, key), f"{shown}: {reason}; {_wanted(section, key)}")
        return list(messages.values())


def _wanted(section: str, key: str) -> str:
    description = section_class(section).model_fields[key].description or ""
    return f"the key means: {description}"


def _several(name: str, messages: list[str]) -> str:
    if len(messages) == 1:
        return f"{name}: {messages[0]}"
    return f"{name}:\n" + "\n".join(f"  {message}" for message in messages)
