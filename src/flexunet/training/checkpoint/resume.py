"""Whether a run goes on from a checkpoint: only where configuration, data and engine are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from flexunet.errors import ConfigError, PathError
from flexunet.training.checkpoint.files import Checkpoint, CheckpointStore

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Resume = Literal["never", "auto", "must"]
RESUME_MODES: tuple[Resume, ...] = get_args(Resume)

# What a training step does not depend on. Paths are left out too: the data are compared by their content.
_SECTIONS_BESIDE = {
    "test", "infer", "tiledinfer", "infer3d", "evaluate", "segmentation", "maskcolor", "debug"
}  # fmt: skip
_KEYS_BESIDE = {
    ("train", key)
    for key in (
        "epochs",
        "drafts",  # the data tell whether there are any
        "metrics",
        "workers",
        "epoch_change_infer",
        "epoch_change_tiled_infer",
        "num_infer_images",
        "tensorboard",
        "mlflow",
        "mlflow_uri",
        "mlflow_experiment",
        "checkpoint_steps",
        "checkpoint_minutes",
    )
}


def run_identity(config: Config, **more: Any) -> dict[str, str]:
    """What the steps of a run depend on, as text by the name of the setting.

    Args:
        config: The configuration.
        more: What else counts: data, engine, precision.
    """
    beside = _KEYS_BESIDE
    if config.train.learning_rate_schedule != "constant":
        # The rate falls over the epochs, so each step depends on their number.
        beside = beside - {("train", "epochs")}
    identity = {
        f"[{section}] {key}": repr(value)
        for section in type(config).model_fields
        if section not in _SECTIONS_BESIDE
        for key, value in getattr(config, section)
        if (section, key) not in beside and not getattr(config, section).is_path(key)
    }
    return identity | {name: repr(value) for name, value in more.items()}


def choose_resume(text: str) -> Resume:
    """The mode of that name.

    Raises:
        ConfigError: if there is none.
    """
    for mode in RESUME_MODES:
        if text == mode:
            return mode
    raise ConfigError(f"--resume {text}: expected one of {', '.join(RESUME_MODES)}.")


def find_start(
    mode: Resume, store: CheckpointStore, identity: dict[str, str], defaults: dict[str, str]
) -> Checkpoint | None:
    """The checkpoint from which a run goes on; none where it starts anew.

    Args:
        mode: "never" starts anew; "auto" goes on if there is a checkpoint; "must" only goes on.
        store: The checkpoints of the run folder.
        identity: `run_identity` of the run to be.
        defaults: The same of an empty configuration: what a key meant before it existed.

    Raises:
        ConfigError: if the checkpoint is of another configuration, other data or another engine.
        PathError: if there must be a checkpoint, and is none.
        WeightsError: if no checkpoint can be read.
    """
    if mode == "never":
        return None
    checkpoint = store.read()
    if checkpoint is None:
        if mode == "must":
            raise PathError(
                f"no checkpoint in {store.folder}: nothing to go on with. --resume auto starts anew there."
            )
        return None
    before = defaults | checkpoint.state["identity"]
    changes = [
        f"{name} was {before[name]}, is {value}"
        for name, value in identity.items()
        # What has only now come to count follows from another change that is named.
        if name in before and before[name] != value
    ]
    if changes:
        raise ConfigError(
            f"{checkpoint.path} belongs to another run: {'; '.join(changes)}. Restore that to go on with it, "
            "start anew in its place with --resume never, or give this run its own folder (--run FOLDER)."
        )
    return checkpoint


def is_over(checkpoint: Checkpoint, epochs: int) -> bool:
    """Whether nothing is left to train: its run came to its end, and more epochs are not asked for now.

    A run that a stop file ended goes on when it is told to.
    """
    state = checkpoint.state
    if state["epoch"] >= epochs:
        return state["ended"] is not None
    return bool(state["callbacks"]["EarlyStopping"]["stopped_epoch"])
