"""Weighted sums of losses, read from text: `loss = "0.5*tversky(beta=0.8) + 0.5*categorical_crossentropy"`.

Python's own parser takes the text apart; nothing of it is evaluated. Only these nodes are known:

    sum     term { "+" term }
    term    [ number "*" ] name [ "(" setting { "," setting } ")" ]
    setting name "=" number
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, field

from flexunet.errors import ConfigError
from flexunet.training.objectives.names import unknown_name
from flexunet.training.objectives.rows import LOSSES, Loss

MOST_CHARACTERS = 500  # which bounds the depth of the tree too
# A minus stands in exponents alone.
_FOREIGN = re.compile(r"(?<![\d.][eE])-|[^\w\s.+*(),=-]", re.ASCII)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NAME = "the name of a loss or parameter"
_EXAMPLE = '"0.5*dice + 0.5*categorical_crossentropy"'


@dataclass(frozen=True)
class Term:
    """One summand: a loss, its weight and its parameters."""

    name: str
    weight: float = 1.0
    settings: dict[str, float] = field(default_factory=dict)


def parse_losses(text: str) -> list[Term]:
    """The terms of a sum of losses.

    Raises:
        ConfigError: if it cannot be read, with the position; if a loss or parameter is unknown.
    """
    return _Reader(text).terms()


class _Reader:
    """Reads one expression."""

    def __init__(self, text: str):
        # Blanks of any kind mean the same, and the parser wants none in front.
        self.text = text
        self.line = re.sub(r"\s", " ", text)
        self.start = len(text) - len(text.lstrip())

    def terms(self) -> list[Term]:
        if len(self.text) > MOST_CHARACTERS:
            raise ConfigError(
                f"[model] loss has {len(self.text)} characters, and at most {MOST_CHARACTERS} are read."
            )
        if foreign := _FOREIGN.search(self.line):
            raise self._wrong(foreign.start(), "a number, a name or one of + * ( ) , =")
        try:
            node = ast.parse(self.line[self.start :], mode="eval").body
        except SyntaxError as error:
            raise self._unreadable(error) from None
        summands = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            summands.append(node.right)
            node = node.left
        return [self._term(summand) for summand in (node, *reversed(summands))]

    def _term(self, node: ast.expr) -> Term:
        weight = 1.0
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            weight, node = self._number(node.left), node.right
        called = node if isinstance(node, ast.Call) else None
        named = called.func if called else node
        if not isinstance(named, ast.Name):
            raise self._wrong(self._place(named), _NAME)
        if named.id not in LOSSES:
            raise ConfigError(unknown_name("[model] loss", named.id, "a loss", LOSSES))
        settings: dict[str, float] = {}
        if called:
            for argument in called.args:
                raise self._wrong(self._place(argument), _NAME)
            for keyword in called.keywords:
                self._setting(LOSSES[named.id], keyword, settings)
        return Term(named.id, weight, settings)

    def _setting(self, loss: Loss, keyword: ast.keyword, settings: dict[str, float]) -> None:
        place, key = self._place(keyword), keyword.arg
        if key is None:
            raise self._wrong(place, _NAME)
        if key not in loss.parameters:
            takes = f"it takes {', '.join(loss.parameters)}" if loss.parameters else "it takes no parameters"
            at = f'[model] loss = "{self.text}", position {place + 1}'
            raise ConfigError(f"{at}: {loss.name} has no {key}; {takes}.")
        if key in settings:
            raise self._wrong(place, "another parameter", f"{key} a second time")
        settings[key] = self._number(keyword.value)
        if key in loss.above_zero and settings[key] <= 0:
            raise ConfigError(
                f'[model] loss = "{self.text}": {key} of {loss.name} must be above 0, not {settings[key]:g}.'
            )

    def _number(self, node: ast.expr) -> float:
        place = self._place(node)
        written = self.line[place : self.start + (node.end_col_offset or 0)]
        if not isinstance(node, ast.Constant) or not _NUMBER.fullmatch(written):
            raise self._wrong(place, "a number")
        number = float(written)
        if not math.isfinite(number):
            raise self._wrong(place, "a finite number")
        return number

    def _place(self, node: ast.expr | ast.keyword) -> int:
        return self.start + node.col_offset

    def _unreadable(self, error: SyntaxError) -> ConfigError:
        """What Python's parser expected, from what stands before the place where it gave up."""
        if "never closed" in error.msg:
            return self._wrong(len(self.line), "')'")
        place = self.start + error.offset - 1 if error.offset else len(self.line)
        if "forgot a comma" in error.msg:  # it points at the value before the comma
            place = re.compile(r"\S+\s*").match(self.line, place).end()  # type: ignore[union-attr]
        before = self.line[:place].rstrip()
        inside = before.count("(") > before.count(")")
        last = re.findall(rf"{_NUMBER.pattern}|\w+|\S", before)[-1:] or ["+"]
        if _NUMBER.fullmatch(last[0]):
            return self._wrong(place, "','" if inside else "'*'")
        if re.fullmatch(r"\w+|\)", last[0]):
            return self._wrong(place, "'='" if inside else "'+'")
        return self._wrong(place, "a number" if last[0] == "=" else _NAME)

    def _wrong(self, place: int, expected: str, found: str = "") -> ConfigError:
        token = re.compile(r"[\w.]+|\S").match(self.line, place)
        found = found or (repr(token[0]) if token else "the end")
        return ConfigError(
            f'[model] loss = "{self.text}", position {place + 1}: expected {expected}, found {found}. '
            f"A sum of losses is written as {_EXAMPLE}."
        )
