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
from flexunet.config.checks import advice, check_config
from flexunet.config.legacy import UnreadableValueError, bare_word, parse_value
from flexunet.config.published_keys import ALIASES, EVAL_IS_TEST, NO_EFFECT, OLDER_DEFAULTS, Key
from flexunet.config.schema import Config, default_of, section_class
from flexunet.errors import ConfigError

_MISSING = object()
_COMPARED = 50
_NO_EFFECT = "accepted, has no effect, because {}"


@dataclass
class Given:
    """One key as a file or an override gives it."""

    section: str
    key: str
    text: str
    value: Any = _MISSING
    line: int | None = None

    def __str__(self) -> str:
        return (
            f"line {self.line}: [{self.section}] {self.key}" if self.line else f"[{self.section}] {self.key}"
        )

    @property
    def one_line(self) -> str:
        """The text without its line breaks."""
        return " ".join(self.text.split())

    @property
    def shown(self) -> str:
        """The key with its text, cut to a readable length."""
        text = self.one_line
        return f"{self} = {text if len(text) <= 80 else text[:77] + '...'}"


@dataclass
class Remark:
    """Something to say about one key."""

    given: Given
    reason: str
    used: Key | None = None
    is_problem: bool = False
    is_left_out: bool = False
    unless_default: Key | None = None

    def message(self, config: Config | None = None) -> str:
        """The remark as one sentence, with the value used instead where there is one."""
        if self.used and config:
            section, key = self.used
            value = getattr(getattr(config, section), key)
            return f"{self.given.shown}: {self.reason}; {value!r} is used instead"
        return f"{self.given.shown}: {self.reason}"


@dataclass
class Reading:
    """Collects the keys of one file, and what there is to say about them."""

    name: str
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[Key, Given] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    is_older_dialect: bool = False
    names_test: bool = True
    unknown: int = 0

    def take(self, given: Given, *, folded: bool = False, replace: bool = False) -> None:
        """Take one key in, under the name that the schema gives it.

        Args:
            given: The key. Where it has no value yet, its text is read as a literal.
            folded: Whether it comes from a `.config` file, where capitals in a key do not count.
            replace: Whether it replaces what was taken in before.
        """
        written = (given.section, given.key.lower() if folded else given.key)
        section, key = target = self._meant(written)
        is_known = nearest.is_known(section, key)
        no_effect = NO_EFFECT.get(target) or NO_EFFECT.get((section, "*"))
        if no_effect and not is_known and (section, "*") not in NO_EFFECT:
            self._remark(given, _NO_EFFECT.format(no_effect), is_left_out=True)
            return
        if not is_known:
            self.unknown += 1
            # Beyond some, an unknown key is not compared with all that are known.
            says = nearest.unknown if self.unknown <= _COMPARED else nearest.unknown_alone
            self._remark(given, says(section, key), is_left_out=True, is_problem=True)
            return
        if given.value is _MISSING and not self._parse(given, section, key):
            return
        if _holds_nul(given.value):
            raise ConfigError(
                f"{self.name}: [{section}] {key} holds the character NUL, which no path has; take it out"
            )
        if folded and target == ("model", "base_kernels"):
            self._square(given)
        earlier = self.origins.get(target)
        if earlier and not replace:
            if target != written:
                self._remark(given, f"left out, because {earlier} says what it means", is_left_out=True)
                return
            self._remark(earlier, f"left out, because {given} says what it means", is_left_out=True)
        if written[0] not in (section, "eval"):
            self._remark(given, f"belongs to [{section}], and is read as [{section}] {key}")
        if written[0] == "eval" and target == ("test", "images_dir"):
            self._remark(given, EVAL_IS_TEST)
        if no_effect:
            self._remark(given, _NO_EFFECT.format(no_effect), unless_default=target)
        self.values.setdefault(section, {})[key] = given.value
        self.origins[target] = given

    def config(self, source: Path | None, *, strict: bool) -> Config:
        """The checked configuration.

        Args:
            source: The file it came from.
            strict: Whether unknown keys and unreadable values are errors.

        Raises:
            ConfigError: if a value does not fit its key, keys contradict each other, or there is a problem
                and `strict` is set.
        """
        self._take_own_keys()
        if strict and (problems := [remark for remark in self.remarks if remark.is_problem]):
            raise ConfigError(_several(self.name, [problem.message() for problem in problems]))
        if self.is_older_dialect:
            self._fill_older_defaults()
        try:
            config = Config.model_validate(self.values)
        except ValidationError as error:
            raise ConfigError(_several(self.name, self._unfit(error))) from None
        config._source = source
        telling = [remark for remark in self.remarks if not _is_default(config, remark.unless_default)]
        telling.sort(key=lambda remark: not remark.is_problem)
        config._unread = {
            remark.used: remark.given.shown
            for remark in self.remarks
            if remark.used and remark.is_problem and remark.is_left_out and remark.used not in self.origins
        }
        config._notes = [remark.message(config) for remark in telling] + advice(config)
        check_config(config)
        return config

    def _take_own_keys(self) -> None:
        """Hand the unknown keys of `[model]` to a class of the user's own, which may ask for any."""
        model = self.values.get("model", {})
        if ":" not in str(model.get("model", "")):
            return
        for remark in self.remarks:
            given = remark.given
            if given.section != "model" or not remark.is_problem or nearest.is_known("model", given.key):
                continue
            if given.value is _MISSING:
                try:
                    given.value = parse_value(given.text)
                except UnreadableValueError:
                    continue
            if given.value is None:
                continue
            model.setdefault("own", {})[given.key] = given.value
            remark.is_problem = remark.is_left_out = False
            remark.reason = f"handed to {model['model']}"

    def _meant(self, written: Key) -> Key:
        """The key of the schema; the older system validates by `[eval]` only where there is a `[test]`."""
        section, key = ALIASES.get(written, written)
        is_test = not self.names_test and written[0] == "eval" and section == "valid"
        return ("test", key) if is_test else (section, key)

    def _fill_older_defaults(self) -> None:
        if not self.values.get("valid", {}).get("images_dir"):
            self.values.setdefault("train", {}).setdefault("dataset_splitter", True)
        width = self.values.get("model", {}).get("image_width", default_of("model", "image_width"))
        for (section, key), value in OLDER_DEFAULTS.items():
            self.values.setdefault(section, {}).setdefault(key, width if value is None else value)

    def _parse(self, given: Given, section: str, key: str) -> bool:
        """Read the text of a key; False where there is nothing to use."""
        cls = section_class(section)
        try:
            given.value = parse_value(given.text, is_path=cls.is_path(key))
        except UnreadableValueError:
            word = bare_word(given.text)
            used: Any = {"true": True, "false": False}.get(word.lower(), word) if word else _MISSING
            fits = used is not _MISSING and _fits(section, key, used)
            if fits and word and word.startswith("cv2."):  # a constant as published files name it
                given.value = used
                return True
            self._remark(
                given, "not a Python literal", used=(section, key), is_problem=True, is_left_out=not fits
            )
            given.value = used
            return fits
        if given.value is None and not _fits(section, key, None):
            self._remark(given, "None means the default", used=(section, key), is_left_out=True)
            return False
        return True

    def _square(self, given: Given) -> None:
        """Give a kernel that is not square its published sense."""
        kernel = given.value
        if isinstance(kernel, (list, tuple)) and len(kernel) == 2 and kernel[0] != kernel[1]:
            given.value = (kernel[1], kernel[1])
            self._remark(
                given, f"the second number is used for both, as published; {given.value!r} is used instead"
            )

    def _remark(self, given: Given, reason: str, **kind: Any) -> None:
        self.remarks.append(Remark(given, reason, **kind))

    def _unfit(self, error: ValidationError) -> list[str]:
        messages: dict[Key, str] = {}
        for detail in error.errors(include_url=False):
            section, key = (str(part) for part in detail["loc"][:2])
            given = self.origins.get((section, key))
            shown = given.shown if given else f"[{section}] {key} = {detail['input']!r}"
            reason = detail["msg"][0].lower() + detail["msg"][1:]
            meaning = section_class(section).model_fields[key].description
            messages.setdefault((section, key), f"{shown}: {reason}. The key means: {meaning}")
        return list(messages.values())


def _is_default(config: Config, key: Key | None) -> bool:
    return key is not None and getattr(getattr(config, key[0]), key[1]) == default_of(*key)


def _fits(section: str, key: str, value: Any) -> bool:
    try:
        section_class(section).model_validate({key: value})
    except ValidationError:
        return False
    return True


def _several(name: str, messages: list[str]) -> str:
    if len(messages) == 1:
        return f"{name}: {messages[0]}"
    return f"{name}:\n" + "\n".join(f"  {message}" for message in messages)


def _holds_nul(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return (isinstance(value, str) and "\0" in value) or any(map(_holds_nul, parts))
