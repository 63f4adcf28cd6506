"""One training run, from a configuration to a run folder.

run_dir/config.toml          the configuration as resolved
run_dir/environment.json     versions, engine, seed, data
run_dir/models/              the best model, and a copy of the configuration file
run_dir/eval/                curves, CSV and PNG
run_dir/history.json
run_dir/epoch_change_infer/  masks of chosen images after every epoch
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from flexunet.config.files import save_config
from flexunet.data.configured import open_split, split_pairs
from flexunet.data.files import replacing
from flexunet.data.images import list_images
from flexunet.errors import PathError
from flexunet.inference.predictor import Predictor
from flexunet.models.initial import draw_initial_weights
from flexunet.models.registry import build_model
from flexunet.models.trained import best_model_path
from flexunet.training.callbacks import (
    BestCheckpoint,
    PredictEpoch,
    ShowProgress,
    StopFile,
    StopOnNaN,
    WriteHistory,
)
from flexunet.training.environment import describe_environment, write_environment
from flexunet.training.feeding import plain_batches, training_batches
from flexunet.training.history import History
from flexunet.training.losses import get_loss
from flexunet.training.memory import check_memory, explained_memory_errors
from flexunet.training.metrics import get_metric
from flexunet.training.optimizers import build_optimizer
from flexunet.training.precision import choose_jit, choose_precision

if TYPE_CHECKING:
    from rich.progress import Progress

    from flexunet.config.schema import Config
    from flexunet.data.loading import Cache

# A file of this name in the run folder ends the run after the current epoch.
STOP_FILE = "break_training"


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
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}


def compile_model(config: Config, model: keras.Model) -> None:
    """Give a model its configured loss, metrics and optimizer."""
    metrics = [
        get_metric(name, hybrid_alpha=config.model.hybrid_alpha, hybrid_beta=config.model.hybrid_beta)
        for name in config.model.metrics
    ]
    model.compile(
        optimizer=build_optimizer(config),
        loss=get_loss(config.model.loss, config.model.num_classes),
        metrics=metrics,
        jit_compile=choose_jit(config.train.jit_compile),
    )


def train(config: Config, *, progress: Progress | None = None) -> TrainingResult:
    """Train the configured model and write its run folder.

    Nothing of an earlier run in the same folder is removed before this one has its replacement.

    Args:
        config: The configuration.
        progress: Rich progress bars, already started; none for silence.

    Raises:
        InputError: for a configuration or data that cannot be used, before anything is written.
        OutOfMemoryError: if a step cannot fit into memory.
        DivergedError: if the loss becomes infinite or not a number.
    """
    notes: list[str] = []
    training_pairs = split_pairs(config, "train")
    validated = bool(config.valid.images_dir) or config.train.dataset_splitter
    if validated:
        split_pairs(config, "valid")
    else:
        notes.append("[valid] names no folder: the best epoch is chosen by the training loss.")

    keras.utils.set_random_seed(config.train.seed)
    policy, reason = choose_precision(config.train.precision)
    model = build_model(config, policy=policy)
    draw_initial_weights(model, config.train.seed)
    compile_model(config, model)
    check_memory(model, config)

    training = _open(config, "train", progress)
    validation = _open(config, "valid", progress) if validated else None
    batches = training_batches(config, training)
    environment = describe_environment(
        config,
        precision=policy,
        precision_reason=reason,
        parameters=model.count_params(),
        images={"train": len(training_pairs), "valid": len(validation.pairs) if validation else 0},
        data={"train": training.folder.name, "valid": validation.folder.name if validation else None},
    )
    run_dir = config.run_dir
    _write_configuration(config)
    write_environment(run_dir / "environment.json", environment)

    monitor = "val_loss" if validated else "loss"
    checkpoint = BestCheckpoint(best_model_path(config), monitor)
    stop_file = StopFile(run_dir / STOP_FILE)
    early_stopping = keras.callbacks.EarlyStopping(monitor=monitor, patience=config.train.patience)
    history = History(config.output(config.train.eval_dir), _metric_curves(config, validated))
    callbacks: list[keras.callbacks.Callback] = [StopOnNaN(checkpoint.path), checkpoint]
    if config.train.learning_rate_reducer:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=monitor, factor=config.train.reducer_factor, patience=config.train.reducer_patience
            )
        )
    # The history reads the learning rate when an epoch begins, so it may stand behind the reducer.
    callbacks += [WriteHistory(history), *_epoch_predictions(config, model, notes), early_stopping, stop_file]
    if progress:
        callbacks.append(
            ShowProgress(progress, config.train.epochs, len(batches), config.train.batch_size, checkpoint)
        )
    with explained_memory_errors(config):
        model.fit(
            batches,
            epochs=config.train.epochs,
            validation_data=plain_batches(config, validation) if validation else None,
            callbacks=callbacks,
            shuffle=False,  # the batches shuffle themselves, from the seed
            verbose=0,
        )
    epochs = len(history.epochs["loss"])
    return TrainingResult(
        run_dir=run_dir,
        model_path=checkpoint.path,
        parameters=model.count_params(),
        epochs=epochs,
        best_epoch=checkpoint.best_epoch,
        best_value=checkpoint.best,
        monitor=monitor,
        history=history.epochs,
        ended=_ending(config, epochs, early_stopping.stopped_epoch, stop_file.stopped),
        curves_dir=history.eval_dir,
        notes=notes,
    )


def evaluate_published(config: Config, model: keras.Model, split: str = "test") -> dict[str, float]:
    """The two published figures of a split: the loss, and the first metric, by their names.

    The loss is the mean over images; the metric the unweighted mean over batches, as published.
    """
    compile_model(config, model)
    batches = plain_batches(config, open_split(config, split), config.evaluate.batch_size)
    with explained_memory_errors(config):
        figures = model.evaluate(batches, return_dict=True, verbose=0)
    metric = config.model.metrics[0] if config.model.metrics else None
    published = {config.model.loss: float(figures["loss"])}
    if metric:
        published[metric] = float(figures[metric])
    return published


def _open(config: Config, split: str, progress: Progress | None) -> Cache:
    """Open a split's decoded images, showing a bar while they are decoded for the first time."""
    if progress is None:
        return open_split(config, split)
    bar = progress.add_task(f"{split} images", total=None, note="")
    try:
        return open_split(
            config, split, progress=lambda done, total: progress.update(bar, completed=done, total=total)
        )
    finally:
        progress.remove_task(bar)


def _metric_curves(config: Config, validated: bool) -> list[str]:
    computed = [*config.model.metrics, *(f"val_{name}" for name in config.model.metrics if validated)]
    return [name for name in config.train.metrics if name in computed]


def _write_configuration(config: Config) -> None:
    resolved = config.run_dir / "config.toml"
    if config.source is None or config.source.resolve() != resolved.resolve():
        save_config(config, resolved)
    if config.source is not None:
        copy = config.output(config.train.model_dir) / config.source.name
        with replacing(copy) as temporary:
            shutil.copyfile(config.source, temporary)


def _epoch_predictions(config: Config, model: keras.Model, notes: list[str]) -> list[PredictEpoch]:
    predictor = Predictor(model, config)
    train = config.train
    wanted = [
        (train.epoch_change_infer, config.infer.images_dir, train.epoch_change_infer_dir, False),
        (
            train.epoch_change_tiled_infer,
            config.tiledinfer.images_dir,
            train.epoch_change_tiled_infer_dir,
            True,
        ),
    ]
    callbacks = []
    for is_wanted, images_dir, output_dir, tiled in wanted:
        if not (is_wanted and train.num_infer_images and images_dir):
            continue
        try:
            images = list_images(config.resolve(images_dir))[: train.num_infer_images]
        except PathError as error:
            # Training does not depend on these pictures; a missing folder must not cost a run.
            notes.append(f"no predictions after each epoch: {error}")
            continue
        callbacks.append(PredictEpoch(predictor, images, config.output(output_dir), tiled=tiled))
    return callbacks


def _ending(config: Config, epochs: int, stopped_epoch: int, stop_file: bool) -> str:
    if stop_file:
        return f"stopped by {STOP_FILE} after epoch {epochs}"
    if stopped_epoch:
        return f"stopped early after epoch {epochs}: no better for {config.train.patience} epochs"
    return f"all {epochs} epochs"
