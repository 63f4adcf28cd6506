"""One training run, from a configuration to a run folder.

run_dir/config.toml          the configuration as resolved
run_dir/environment.json     versions, engine, seed, data, range of 16-bit images
run_dir/training_appearance.json  what the training images look like
run_dir/models/              the best model, and a copy of the configuration file
run_dir/eval/                curves, CSV and PNG
run_dir/history.json
run_dir/pictures.npz         what the images look like, so that copies among test images are recognised
run_dir/epoch_change_infer/  masks of chosen images after every epoch
run_dir/checkpoints/         from which a stopped run goes on; the lock of the folder
"""

from __future__ import annotations

import shlex
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from flexunet.config.files import as_config, save_config
from flexunet.data.cache.open import Cache
from flexunet.data.cache.own_size import OwnSizeCache
from flexunet.data.configured import (
    is_validated,
    keep_pictures,
    mask_reader,
    open_split,
    refuse_drafts,
    split_pairs,
)
from flexunet.data.images.files.header import image_size
from flexunet.data.images.reader import survey_range
from flexunet.errors import PathError, RunStoppedError
from flexunet.files import replacing, sweep
from flexunet.locks import locked_run
from flexunet.membership import membership
from flexunet.models.initial import draw_initial_weights
from flexunet.models.precision import choose_precision, gpu_capability
from flexunet.models.registry import build_model
from flexunet.models.small_maps import multiply_small_maps
from flexunet.models.weights.transfer import apply_initial_weights
from flexunet.progress import Progress, silent, unsaid
from flexunet.run_folder import RunFolder
from flexunet.training.allocation import keep_freed_memory
from flexunet.training.batches.feeding import images_of_step, training_batches, validation_batches
from flexunet.training.checkpoint.files import Checkpoint, CheckpointStore
from flexunet.training.checkpoint.resume import Resume, find_start, is_over, run_identity
from flexunet.training.checkpoint.state import prepare, restore_callbacks
from flexunet.training.compiling import compile_model
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.environment import describe_environment, write_environment
from flexunet.training.follow.callbacks import BestCheckpoint, note_on_monitor
from flexunet.training.given import Given
from flexunet.training.interrupt import StopSignal
from flexunet.training.loop import Loop, Position, Saver, position_of
from flexunet.training.memory import check_memory, explained_memory_errors
from flexunet.training.objectives.named import is_lower_better, needs_cells
from flexunet.training.optimizer.pace import pace_of
from flexunet.training.processes.distribution import Team, check_batch, explained_losses, join
from flexunet.training.processes.leading import AgreedStop, SilentStore
from flexunet.training.run_callbacks import RunCallbacks
from flexunet.training.running_averages import batches_for_statistics

if TYPE_CHECKING:
    from flexunet.config.schema import Config


MOST_LOOKED_AT = 500  # training images whose looks are measured


@dataclass
class TrainingResult:
    """What a run came to."""

    run_dir: Path
    model_path: Path
    parameters: int
    epochs: int
    best_epoch: int | None
    best_value: float
    monitor: str
    history: dict[str, list[float]]
    ended: str
    curves_dir: Path
    resumed: str | None = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        best = f"best {self.monitor} {self.best_value:.4f} in epoch {self.best_epoch}"
        return f"<TrainingResult of {self.run_dir}: {self.ended}, {best}>"

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}


def train(
    config: Config | str | Path,
    model: keras.Model | None = None,
    loss: Callable[..., Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    resume: Resume = "never",
    progress: Progress = silent,
    say: Callable[[str], None] = unsaid,
) -> TrainingResult:
    """Train the configured model and write its run folder.

    Nothing of an earlier run in the same folder is removed before this one has its replacement.

    Args:
        config: A configuration, or its file.
        model: Trained, in place and from the weights it has, instead of the model that `[model]` describes:
            from images `(N, image_height, image_width, image_channels)` in 0..255 to probabilities `(N,
            image_height, image_width, num_classes)`.
        loss: Minimised instead of `[model] loss`: a `keras.losses.Loss`, or a function of one-hot truth and
            probabilities, `(N, H, W, num_classes)`.
        callbacks: Told of epochs and steps after those of the run. `self.model.stop_training = True` at the
            end of an epoch ends the run.
        resume: Whether to go on from the run folder's checkpoint: "never", "auto" (if there is one), "must".
        progress: Told how many images are decoded, and how far the run and its epoch are.
        say: Told once from where the run goes on, or that it does not.

    Raises:
        InputError: for a configuration or data that cannot be used, before anything is written.
        RunLockedError: if another run is at work in the run folder.
        OutOfMemoryError: if a step cannot fit into memory.
        DivergedError: if the loss becomes infinite or not a number.
        RunStoppedError: if a signal asked the run to stop; it can go on from there.

    Examples:
        >>> result = flexunet.train(flexunet.load_config("mammogram.toml", ["train.run_dir='another'"]))
        >>> result.epochs, result.best_epoch, result.model_path.name
        (1, 1, 'best_model.keras')
    """
    config = as_config(config)
    given = Given(model, loss, tuple(callbacks))
    pairs = split_pairs(config, "train")
    if is_validated(config):
        pairs = [*pairs, *split_pairs(config, "valid")]
    refuse_drafts(config, pairs)
    team = join()
    with explained_losses(team), locked_run(config.run_dir) if team.leads else nullcontext():
        check_batch(config, team)
        is_lower_better(config.train.monitor)  # refuses an unknown name before anything is decoded
        given.check(config, team.processes)
        if team.leads:
            run = RunFolder.of(config)
            sweep(run.path, run.checkpoints, run.models, run.curves, run.epoch_predictions, alone=True)
        return _train(config, given, resume, team, progress, say)


def _train(
    config: Config, given: Given, resume: Resume, team: Team, progress: Progress, say: Callable[[str], None]
) -> TrainingResult:
    """What `train` does once the run folder is its own."""
    notes = given.notes(config)
    validated = is_validated(config)
    if not validated:
        notes.append("[valid] names no folder: the best epoch is chosen by the training loss.")

    if note := mask_reader(config).note_on([pair.mask_path for pair in split_pairs(config, "train")]):
        notes.append(note)

    keras.utils.set_random_seed(config.train.seed)
    if given.model is None:
        policy, reason = choose_precision(config.train.precision)
        model = build_model(config, policy=policy)
        draw_initial_weights(model, config.train.seed)
        notes += apply_initial_weights(model, config)
    else:
        model, policy, reason = given.model, given.model.dtype_policy.name, "of the model given to train()"
    check_memory(model, config)
    parameters = model.count_params()
    keep_freed_memory()
    if gpu_capability() is None:
        multiply_small_maps(model)
    if config.model.deep_supervision:
        model = supervise_deeply(model, config)

    survey = survey_range(pair.image_path for pair in split_pairs(config, "train"))
    range_rule = survey.rule if config.image.range == "auto" else config.image.range
    if note := survey.note(range_rule, "training images"):
        notes.append(note)
    training = open_split(config, "train", range_rule=range_rule, progress=progress)
    validation = open_split(config, "valid", range_rule=range_rule, progress=progress) if validated else None
    cells = given.loss is None and needs_cells(config.model.loss)
    batches = training_batches(config, training, team.part, cells=cells)
    statistics_batches, told = batches_for_statistics(model, len(batches), config.train)
    notes += told
    compile_model(config, model, pace_of(batches, config.train.accumulate_steps), given.loss)
    prepare(model)
    data = {"train": training.folder.name, "valid": validation.folder.name if validation else None}
    basis = {"data": data, "engine": keras.config.backend(), "precision": policy} | given.identity()
    identity = run_identity(config, **basis)
    store = CheckpointStore(config.run_dir) if team.leads else SilentStore(config.run_dir)
    start = find_start(resume, store, identity, run_identity(type(config)(), **Given().identity()))

    callbacks = RunCallbacks(
        config,
        model,
        team,
        validated=validated,
        steps=len(batches),
        images_of=lambda step: images_of_step(batches, training, step),
        goes_on=start is not None,
        notes=notes,
        own=given.callbacks,
    )
    best, history = callbacks.best, callbacks.history

    def result(ended: str, resumed: str | None = None) -> TrainingResult:
        return TrainingResult(
            run_dir=config.run_dir,
            model_path=best.path,
            parameters=parameters,
            epochs=len(history.epochs["loss"]),
            best_epoch=best.best_epoch,
            best_value=best.best,
            monitor=callbacks.monitor,
            history=history.epochs,
            ended=ended,
            curves_dir=history.eval_dir,
            resumed=resumed,
            notes=[*notes, *note_on_monitor(callbacks.monitor, history.epochs.get(callbacks.monitor, []))],
        )

    if start and is_over(start, config.train.epochs):
        with history:
            restore_callbacks(callbacks.in_order, start.state["callbacks"])
        return result(start.state["ended"], "the run was already complete: nothing was trained")
    resumed = _say_where(start, resume, store, best, say)
    team.check_same(identity | {"the checkpoint": resumed or "none"})
    callbacks.show(progress, len(batches))

    environment = describe_environment(
        config,
        precision=policy,
        precision_reason=reason,
        parameters=parameters,
        images={"train": len(training.pairs), "valid": len(validation.pairs) if validation else 0},
        data=data,
        grey_range=range_rule,
        processes=team.processes,
        devices=team.devices,
        resumed=resumed,
        **{name: value for name, value in given.identity().items() if value},
    )
    if team.leads:
        _write_configuration(config)
        keep_pictures(config, progress=progress)
        write_environment(RunFolder.of(config).environment, environment)
        _write_appearance(config, training)

    saver = Saver(
        store,
        model,
        callbacks.in_order,
        identity,
        about={"flexunet": environment["flexunet"], "packages": environment["packages"]},
        steps=config.train.checkpoint_steps,
        minutes=config.train.checkpoint_minutes,
    )
    with explained_memory_errors(config), AgreedStop(team) as stop, history:
        stopped = Loop(
            model,
            batches,
            validation_batches(config, validation, team.part, cells=cells) if validation else None,
            epochs=config.train.epochs,
            seed=config.train.seed,
            callbacks=callbacks.in_order,
            saver=saver,
            stop=stop,
            ended=callbacks.ended,
            statistics_batches=statistics_batches,
        ).run(start)
    if stopped:
        raise _stopped(config, stop, stopped, store)
    store.keep_newest()
    return result(callbacks.ended(), resumed)


def _write_appearance(config: Config, training: Cache | OwnSizeCache) -> None:
    """Write what the training images look like, or remove what another training wrote."""
    from flexunet.data.images.appearance import Appearance

    places = np.unique(np.linspace(0, len(training.pairs) - 1, MOST_LOOKED_AT).astype(int)).tolist()

    def looked_at() -> Iterator[tuple[np.ndarray, float]]:
        for place in places:
            width, height = image_size(training.pairs[place].image_path)
            whole = training.read([place])[0][0] if isinstance(training, Cache) else training.arrays(place)[0]
            yield np.asarray(whole), width / height

    whole_size = (config.model.image_width, config.model.image_height)
    size = whole_size if isinstance(training, Cache) else (0, 0)
    appearance = Appearance.of_training(looked_at(), size)
    path = RunFolder.of(config).appearance
    if appearance is None:
        path.unlink(missing_ok=True)
    else:
        appearance.write(path)


def _say_where(
    start: Checkpoint | None,
    resume: Resume,
    store: CheckpointStore,
    best: BestCheckpoint,
    say: Callable[[str], None],
) -> str | None:
    """Tell where the run begins, where that is not plain; the text if it goes on."""
    text = resumed = None
    if start:
        resumed = text = f"going on from {position_of(start)} ({start.path})"
        if start.state["callbacks"]["BestCheckpoint"]["best_epoch"] and not best.path.is_file():
            raise PathError(
                f"{best.path} is missing, the best model of the run to resume. Put it back, or start "
                "anew with --resume never."
            )
    elif resume == "never" and (unfinished := store.unfinished()):
        text = (
            f"starting anew, although a run in {store.folder.parent} stands at {unfinished}. Its checkpoint "
            "stays until this run writes its own; stop now and add --resume auto to go on with it."
        )
    if text:
        say(text)
    return resumed


def _stopped(config: Config, stop: StopSignal, position: Position, store: CheckpointStore) -> RunStoppedError:
    received = stop.received or signal.SIGINT
    settings = [f"--set={text}" for text in config.overrides]
    place = membership()
    settings += place.options() if place else []
    command = shlex.join(["flexunet", "train", str(config.source), *settings, "--resume", "auto"])
    error = RunStoppedError(
        f"stopped by {received.name} at {position}; saved in {store.newest}. Go on with: {command}"
    )
    error.exit_code = 128 + received
    return error


def _write_configuration(config: Config) -> None:
    resolved = RunFolder.of(config).config
    if config.source is None or config.source.resolve() != resolved.resolve():
        save_config(config, resolved)
    if config.source is not None:
        copy = config.output(config.train.model_dir) / config.source.name
        with replacing(copy) as temporary:
            shutil.copyfile(config.source, temporary)
