"""Predict a folder of images: masks and overlays under the published names, at each image's own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.data.configured import channels_read, color_map, crop_size, image_reader
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.reader import RangeSurvey
from flexunet.files import sweep
from flexunet.inference.cases import CaseReader
from flexunet.inference.image_work import ImageWork
from flexunet.inference.inputs import find_images, image_labels, mask_names, refuse_overwriting
from flexunet.inference.journal import Journal, digest_of_weights, settings_digest
from flexunet.inference.outputs.write import (
    CONTOURS,
    LESION_TABLE,
    Outputs,
    Record,
    beside,
    folders_written,
    may_be_written,
)
from flexunet.inference.pipeline import Outcome, Pipeline
from flexunet.inference.predict.engine_choice import as_predicted
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.locks import locked_output
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.ray_pipeline import RayPipeline


@dataclass
class FolderResult:
    """What a folder of images came to.

    Attributes:
        output_dir: Folder of masks.
        overlay_dir: Folder of overlays.
        lesions_dir: Folder of the lesion table and the contours.
        mask_paths: Masks, in the order of the images.
        failures: What was wrong, by image: it has no mask, or a mask but no DICOM object.
        foreground_pixels: Pixels above background, by image.
        lesions: Lesions found, by image.
        reused: Images that an earlier run had finished.
        wall_s: Seconds from the first image read to the last one written.
        busy_s: Seconds of these in which the model was at work.
        workers: Images predicted by each worker of a Ray cluster.
        notes: What a user should know, one sentence each.
        unlike_training: In what images are unlike those of the training, by image; such masks mean little.
    """

    output_dir: Path
    overlay_dir: Path
    lesions_dir: Path
    mask_paths: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    foreground_pixels: dict[Path, int] = field(default_factory=dict)
    lesions: dict[Path, int] = field(default_factory=dict)
    reused: int = 0
    wall_s: float = 0.0
    busy_s: float = 0.0
    workers: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unlike_training: dict[Path, str] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {
            "output_dir": str(self.output_dir),
            "overlay_dir": str(self.overlay_dir),
            "lesion_table": str(self.lesions_dir / LESION_TABLE),
            "contours": str(self.lesions_dir / CONTOURS),
            "masks": [str(path) for path in self.mask_paths],
            "foreground_pixels": {str(path): count for path, count in self.foreground_pixels.items()},
            "lesions": {str(path): count for path, count in self.lesions.items()},
            "reused": self.reused,
            "seconds": round(self.wall_s, 3),
            "model_seconds": round(self.busy_s, 3),
            "workers": self.workers,
            "notes": self.notes,
            "unlike_training": {str(path): what for path, what in self.unlike_training.items()},
            "failures": {str(path): message for path, message in self.failures.items()},
        }


def infer_folder(
    config: Config,
    *,
    inputs: Sequence[Path | str] = (),
    tiled: bool = False,
    predictor: Predictor | None = None,
    progress: Progress = silent,
    ray: str | None = None,
) -> FolderResult:
    """Predict every image of `[infer] images_dir`, or of `[tiledinfer] images_dir` tile by tile.

    Reading, predicting and writing overlap. An image that cannot be used is recorded and the rest goes on. An
    image that an earlier run finished with the same model and settings is not predicted again.

    Args:
        config: The configuration of a trained run.
        inputs: Files, folders, globs, lists to predict instead of the configured folder; see `find_images`.
        tiled: Whether to predict in tiles at the image's own resolution; always so after training on crops.
        predictor: The model, where it is already at hand.
        progress: Told how many images are done.
        ray: Address of a Ray cluster to predict on, see `RayPipeline`; none: in this process.

    Raises:
        ConfigError: if nothing is given and no folder is configured.
        PathError: if an input does not exist or means no image, or the run has no model.
        RunLockedError: if another process writes there.
    """
    section_name = "tiledinfer" if tiled else "infer"
    section = config.tiledinfer if tiled else config.infer
    output_dir = config.output(section.output_dir)
    overlay_dir = output_dir.with_name(output_dir.name + "_overlay") if tiled else config.overlay_dir
    images = find_images(
        inputs or [config.input_folder(section_name, "images_dir")], skip=[beside(output_dir, "dicom")]
    )
    chosen = mask_names(images)
    names = {image: chosen[image] for image in images}  # in the order of the inputs
    refuse_overwriting(
        images, (path for name in names.values() for path in may_be_written(output_dir, overlay_dir, name))
    )
    with locked_output(beside(output_dir, "lesions")):
        sweep(*folders_written(output_dir, overlay_dir), alone=True)
        predictor = predictor or Predictor.load(config)
        config = as_predicted(config, predictor.config)
        return _predict_all(config, names, output_dir, overlay_dir, predictor, tiled, progress, ray)


def _predict_all(
    config: Config,
    names: dict[Path, str],
    output_dir: Path,
    overlay_dir: Path,
    predictor: Predictor,
    tiled: bool,
    progress: Progress,
    ray: str | None,
) -> FolderResult:
    """What `infer_folder` does once the folder is its own; `names` are those of the masks, by image."""
    images = list(names)
    model = digest_of_weights(*predictor.models)
    outputs = Outputs(config, output_dir, overlay_dir, model)
    journal = Journal(outputs.lesions_dir, output_dir, settings_digest(config, model, tiled))
    work = ImageWork(
        CaseReader(config, image_labels(images)), outputs, tiled=tiled or crop_size(config) is not None
    )
    keys: dict[Path, str] = {}
    outcomes: dict[Path, Outcome] = {}

    def finished(path: Path) -> Record | None:
        keys[path] = journal.key_of(path, work.reader.identity_of(path).row)
        return journal.find(keys[path], names[path])

    def settle(outcome: Outcome) -> None:
        if outcome.record is not None and not outcome.reused:
            journal.append(outcome.record)
        outcomes[outcome.path] = outcome
        progress("images", len(outcomes), len(images))

    pipeline: Pipeline | RayPipeline
    workers: dict[str, int] = {}
    if ray:
        from flexunet.inference.ray_pipeline import RayPipeline

        pipeline = RayPipeline(work, partial(Predictor.load, config), journal, ray)
        pipeline.run(names, settle, finished=finished)
        workers |= pipeline.images_by_worker
    else:
        pipeline = Pipeline(work, predictor)
        pipeline.run(
            names,
            settle,
            finished=finished,
            complete=lambda path, record: journal.complete(record, keys[path]),
        )
    records = {path: record for path in images if (record := outcomes[path].record) is not None}
    failures = {path: outcomes[path].failure for path in images if outcomes[path].failure}
    failures |= {path: record["problem"] for path, record in records.items() if record["problem"]}
    outputs.write_tables(list(records.values()))
    outputs.write_settings(tiled=tiled)
    journal.close(records.values())
    return FolderResult(
        output_dir,
        overlay_dir,
        outputs.lesions_dir,
        [output_dir / record["mask"] for record in records.values()],
        failures,
        {path: record["foreground_pixels"] for path, record in records.items()},
        {path: len(record["lesions"]) for path, record in records.items()},
        sum(outcome.reused for outcome in outcomes.values()),
        pipeline.wall_s,
        pipeline.busy_s,
        workers,
        _notes(records.values(), work.reader.reader.grey_range),
        {path: record["unlike_training"] for path, record in records.items() if record["unlike_training"]},
    )


def _notes(records: Iterable[Record], range_rule: str) -> list[str]:
    """What a user should know of the images: doubts about DICOM files, and the range of 16-bit files."""
    records = list(records)
    deep = [record["highest"] for record in records if record["highest"]]
    said = RangeSurvey(len(deep), max(deep, default=0)).note(range_rule, "images")
    return [*([said] if said else []), *(note for record in records for note in record["notes"])]


def write_epoch_predictions(
    predictor: Predictor, images: list[Path], output_dir: Path, epoch: int, *, tiled: bool = False
) -> None:
    """Write the masks of chosen images after an epoch, as `Epoch_3_NAME.png` (epochs count from 1)."""
    colors = color_map(predictor.config)
    reader = image_reader(predictor.config)
    predict = predictor.predict_tiled if tiled else predictor.__call__
    for path, name in mask_names(images).items():
        mask = mask_of(predict(reader.read(path, channels_read(predictor.config))))
        write_mask(epoch_mask_path(output_dir, epoch, name), mask, colors)


def epoch_mask_path(output_dir: Path, epoch: int, name: str) -> Path:
    """Where the mask of an image lies after an epoch (counted from 1), by its name in `mask_names`."""
    return output_dir / f"Epoch_{epoch}_{name}"
