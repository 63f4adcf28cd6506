"""Weighted sums of losses, read from text: `loss = "0.5*tversky(beta=0.8) + 0.5*categorical_crossentropy"`.

The text is split into numbers, names and signs and read by the rules below. Nothing of it is evaluated.

    sum     term { "+" term }
    term    [ number "*" ] name [ "(" setting { "," setting } ")" ]
    setting name "=" number
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

import keras

from flexunet.errors import ConfigError
from flexunet.training.objectives.lesion_losses import LESION_LOSSES
from flexunet.training.objectives.losses import LOSSES, get_loss
from flexunet.training.objectives.names import unknown_name

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[+*(),=]))"
)
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
    return _Reader(text).sum()


@keras.saving.register_keras_serializable(package="flexunet")
class LossSum(keras.losses.Loss):
    """A weighted sum of losses, ready for `model.compile`.

    Args:
        expression: The sum as text.
        num_classes: Channels of the model, where known.
    """

    def __init__(self, expression: str, num_classes: int | None = None, **kwargs: Any):
        super().__init__(name="loss_sum", reduction=kwargs.get("reduction", "sum_over_batch_size"))
        self.expression = expression
        self.terms = parse_losses(expression)
        self.functions = [
            LESION_LOSSES.get(term.name) or get_loss(term.name, num_classes) for term in self.terms
        ]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value an image `(N,)`, or a scalar if every term pools the batch."""
        total: Any = 0.0
        for term, function in zip(self.terms, self.functions, strict=True):
            total = total + term.weight * function(y_true, y_pred, **term.settings)
        return total

    def get_config(self) -> dict[str, Any]:
        """The text alone: the terms are read from it again."""
        return {"expression": self.expression}


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str):
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                place += len(text[place:]) - len(text[place:].lstrip())
                raise self._wrong(place, repr(text[place]))
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()
        self.tokens.append(("end", "the end", len(text)))
        self.next = 0

    def sum(self) -> list[Term]:
        terms = [self._term()]
        while not self._is("end"):
            self._take("sign", "+")
            terms.append(self._term())
        return terms

    def _term(self) -> Term:
        weight = 1.0
        if self._is("number"):
            weight = float(self._take("number"))
            self._take("sign", "*")
        name = self._take("name")
        known = LOSSES | LESION_LOSSES
        if name not in known:
            raise ConfigError(unknown_name("[model] loss", name, "a loss", known))
        settings: dict[str, float] = {}
        if self._is("sign", "("):
            self._take("sign", "(")
            while True:
                self._setting(name, settings)
                if self._is("sign", ")"):
                    break
                self._take("sign", ",")
            self._take("sign", ")")
        return Term(name, weight, settings)

    def _setting(self, loss: str, settings: dict[str, float]) -> None:
        parameters = []
        if loss in LESION_LOSSES:
            parameters = list(inspect.signature(LESION_LOSSES[loss]).parameters)[2:]
        place = self.tokens[self.next][2]
        key = self._take("name")
        if key not in parameters:
            takes = f"it takes {', '.join(parameters)}" if parameters else "it takes no parameters"
            at = f'[model] loss = "{self.text}", position {place + 1}'
            raise ConfigError(f"{at}: {loss} has no {key}; {takes}.")
        if key in settings:
            raise self._wrong(place, f"{key} a second time")
        self._take("sign", "=")
        value = float(self._take("number"))
        if key in {"gamma", "reach"} and loss != "focal" and value <= 0:
            raise ConfigError(
                f'[model] loss = "{self.text}": {key} of {loss} must be above 0, not {value:g}.'
            )
        settings[key] = value

    def _is(self, kind: str, text: str | None = None) -> bool:
        found = self.tokens[self.next]
        return found[0] == kind and text in (None, found[1])

    def _take(self, kind: str, text: str | None = None) -> str:
        _, found, place = self.tokens[self.next]
        if not self._is(kind, text):
            wanted = {"name": "the name of a loss or parameter", "number": "a number"}.get(kind, f"'{text}'")
            raise self._wrong(place, repr(found) if place < len(self.text) else found, wanted)
        self.next += 1
        return found

    def _wrong(
        self, place: int, found: str, wanted: str = "a number, a name or one of + * ( ) , ="
    ) -> ConfigError:
        return ConfigError(
            f'[model] loss = "{self.text}", position {place + 1}: expected {wanted}, found {found}. '
            f"A sum of losses is written as {_EXAMPLE}."
        )
