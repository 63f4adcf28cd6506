"""What a caller in Python gives a run, instead of what its configuration names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from flexunet.errors import ConfigError
from flexunet.models.own_class import check_shapes

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Given:
    """A model, a loss and callbacks of one's own.

    Attributes:
        model: Trained instead of the model that `[model]` describes, from the weights it has.
        loss: Minimised instead of `[model] loss`.
        callbacks: Told of epochs and steps after those of the run.
    """

    model: keras.Model | None = None
    loss: Callable[..., Any] | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()

    def check(self, config: Config, processes: int) -> None:
        """Refuse what a run of this configuration cannot use.

        Raises:
            ConfigError: naming what was given, and the key that it contradicts.
        """
        if self.loss is not None and not callable(self.loss):
            raise ConfigError(
                f"loss = {self.loss!r} given to train(): expected a function of truth and prediction or a "
                "keras.losses.Loss; the name of a loss belongs in [model] loss."
            )
        for callback in self.callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise ConfigError(f"callbacks given to train(): {callback!r} is no keras.callbacks.Callback.")
        if self.model is None:
            return
        check_shapes(self.model, config, "the model given to train()")
        contradictions = {
            "save_weights_only = true": config.train.save_weights_only,
            "deep_supervision = true": config.model.deep_supervision,
            f"initial_weights = '{config.model.initial_weights}'": config.model.initial_weights,
            f"weights = '{config.model.weights}'": config.model.weights,
            f"freeze_encoder_levels = {config.model.freeze_encoder_levels}": (
                config.model.freeze_encoder_levels
            ),
            f"{processes} processes": processes > 1,
        }
        for text, applies in contradictions.items():
            if applies:
                raise ConfigError(
                    f"a model given to train() cannot be trained with {text}, which needs a model "
                    "that is built from the configuration. Leave it out, or name the class of the model in "
                    "[model] model."
                )

    def identity(self) -> dict[str, str | None]:
        """What the steps of a run depend on, beside its configuration; stable from session to session."""
        shapes = None
        if self.model is not None:
            told = repr([tuple(weight.shape) for weight in self.model.weights])
            shapes = f"weights of shapes {hashlib.sha256(told.encode()).hexdigest()[:12]}"
        return {"the model given": shapes, "the loss given": self.loss_name}

    @property
    def loss_name(self) -> str | None:
        """Name of the loss, where one is given."""
        return None if self.loss is None else str(getattr(self.loss, "__name__", type(self.loss).__name__))

    def notes(self, config: Config) -> list[str]:
        """What does not follow from the configuration, one sentence each."""
        notes = []
        if self.model is not None:
            notes.append(
                f"A model given in Python was trained, not [model] model = '{config.model.model}': use it as "
                "Predictor(model, config) or evaluate(config, model=model)."
            )
        if self.loss is not None:
            notes.append(
                f"The loss '{self.loss_name}' given in Python was minimised, not [model] loss = "
                f"'{config.model.loss}'."
            )
        return notes
