"""All that a training run's next step depends on, taken out of the model and put back into it.

Variables of the model (weights, moving statistics, counters of random draws), of the optimizer (moments,
step, learning rate), and of the running means of loss and metrics; attributes of callbacks; on PyTorch its
generator, from which it draws dropout. The order of images and their augmentation follow from seed, epoch and
step alone and need no state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from flexunet.errors import DivergedError, WeightsError
from flexunet.training.checkpoint.files import Checkpoint

# Where a model leaves its size open; structural similarity needs 11.
_ANY_LENGTH = 16


def prepare(model: keras.Model) -> None:
    """Make the variables that Keras would otherwise make in the first step, so that they can be filled."""
    model.optimizer.build(model.trainable_variables)
    build_figures(model)


def build_figures(model: keras.Model) -> None:
    """Make the variables of loss and metrics.

    On JAX and PyTorch Keras would take a batch for that and start the data set anew, while threads still
    prepare batches of the first start: their order is then off (keras 3.15).
    """
    blank = keras.ops.zeros((1, *(length or _ANY_LENGTH for length in model.output_shape[1:])))
    if distribution := keras.distribution.distribution():
        # On every device, where the variables are.
        everywhere = keras.distribution.TensorLayout([None] * len(blank.shape), distribution.device_mesh)
        blank = keras.distribution.distribute_tensor(blank, everywhere)
    model.compute_loss(y=blank, y_pred=blank)
    model.compute_metrics(blank, blank, blank)
    model.reset_metrics()


def variable_groups(model: keras.Model) -> dict[str, list[Any]]:
    """The variables to be saved, by the name of their group in the checkpoint."""
    return {
        "model": [*model.trainable_variables, *model.non_trainable_variables],
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def capture_arrays(model: keras.Model) -> dict[str, Iterable[np.ndarray]]:
    """The values of all variables, and of the engine's generator; each copied when it is asked for.

    Raises:
        DivergedError: while they are taken, if the model is no longer made of finite numbers.
    """
    if hasattr(model, "jax_state_sync"):
        # Between two steps JAX holds the values beside the variables.
        model.jax_state_sync()
    groups: dict[str, Iterable[np.ndarray]] = {
        name: map(_values, variables) for name, variables in variable_groups(model).items()
    }
    groups["model"] = map(_finite_values, variable_groups(model)["model"])
    groups["random"] = engine_random_state()
    return groups


def restore_variables(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Fill model and optimizer; the running means come later, since `fit` sets them to zero.

    Raises:
        WeightsError: if the checkpoint does not fit the model; it is then partly filled.
    """
    for group in ("model", "optimizer"):
        _fill(variable_groups(model)[group], checkpoint, group)


def restore_metrics(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Fill the running means of loss and metrics."""
    _fill(variable_groups(model)["metrics"], checkpoint, "metrics")


def engine_random_state() -> list[np.ndarray]:
    """State of the generators that an engine keeps to itself: PyTorch's, of processor and GPUs."""
    if keras.config.backend() != "torch":
        return []
    import torch

    return [state.numpy() for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def restore_engine_random(checkpoint: Checkpoint) -> None:
    """Put PyTorch's generators back."""
    if keras.config.backend() != "torch":
        return
    import torch

    states = [torch.from_numpy(array.copy()) for array in checkpoint.arrays("random")]
    if states:
        torch.set_rng_state(states[0])
    if len(states) == 1 + torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states[1:])


def seed_engine_random(seed: int, epoch: int) -> None:
    """Start PyTorch's generators anew for an epoch.

    Its data loader draws from the same generator each time that it starts; with a seed an epoch, the draws of
    dropout do not depend on how often that was.
    """
    if keras.config.backend() == "torch":
        import torch

        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1))


def callback_states(callbacks: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Attributes that callbacks name as `resumable`, by the name of the callback's class."""
    return {
        type(callback).__name__: {name: getattr(callback, name) for name in callback.resumable}
        for callback in callbacks
        if getattr(callback, "resumable", ())
    }


def restore_callbacks(callbacks: Iterable[Any], states: dict[str, dict[str, Any]]) -> None:
    """Put those attributes back."""
    for callback in callbacks:
        for name, value in states.get(type(callback).__name__, {}).items():
            if name in getattr(callback, "resumable", ()):
                setattr(callback, name, value)


def _values(variable: Any) -> np.ndarray:
    values = np.asarray(keras.ops.convert_to_numpy(variable.value))
    # NumPy files know no bfloat16: its two bytes are kept as a whole number.
    return values.view(np.uint16) if values.dtype.name == "bfloat16" else values


def _finite_values(variable: Any) -> np.ndarray:
    values = _values(variable)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DivergedError(f"{variable.path} holds numbers that are not finite")
    return values


def _fill(variables: list[Any], checkpoint: Checkpoint, group: str) -> None:
    count = 0
    for variable, values in _pairs(variables, checkpoint, group):
        if tuple(values.shape) != tuple(variable.shape):
            raise WeightsError(
                f"{checkpoint.path} does not fit the model: {variable.path} has shape "
                f"{tuple(variable.shape)}, the checkpoint {tuple(values.shape)}. Start anew with --resume "
                "never."
            )
        if variable.dtype == "bfloat16":
            values = values.view(_values_type(variable))
        variable.assign(values)
        count += 1
    if count != len(variables):
        raise WeightsError(
            f"{checkpoint.path} does not fit the model: it holds {count} arrays of the {group}, expected "
            f"{len(variables)}. Start anew with --resume never."
        )


def _pairs(variables: list[Any], checkpoint: Checkpoint, group: str) -> Iterator[tuple[Any, np.ndarray]]:
    for place, values in enumerate(checkpoint.arrays(group)):
        if place >= len(variables):
            raise WeightsError(
                f"{checkpoint.path} does not fit the model: it holds more than {len(variables)} arrays "
                f"of the {group}. Start anew with --resume never."
            )
        yield variables[place], values


def _values_type(variable: Any) -> Any:
    to_numpy: Callable[[Any], Any] = keras.ops.convert_to_numpy
    return np.asarray(to_numpy(variable.value)).dtype
