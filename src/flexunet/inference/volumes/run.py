"""Predict volumes slice by slice: label volumes at the same place in space, videos, and lesions in mm3.

<output_dir>/NAME.nii.gz            class indices, with the spacing, origin and direction of the volume
<output_dir>_lesions/lesions.csv    one row a lesion
<video_dir>/NAME.mp4                slices with their masks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import color_map, crop_size
from flexunet.data.dataset.digests import digest_of, digest_of_text
from flexunet.data.images.pixels import resize_image
from flexunet.data.images.regions import drop_small_bodies
from flexunet.data.volumes.read import (
    Volume,
    label_suffix,
    parts_of_volume,
    read_volume,
    volume_size,
    write_labels,
)
from flexunet.errors import FlexUNetError, ImageError
from flexunet.files import sweep
from flexunet.inference.inputs import (
    find_volumes,
    image_labels,
    label_names,
    refuse_overwriting,
    require_text,
)
from flexunet.inference.journal import Journal, digest_of_weights, settings_digest
from flexunet.inference.outputs.lesions import write_lesion_table
from flexunet.inference.outputs.write import LESION_TABLE, Record, beside
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.engine_choice import as_predicted
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.volumes.lesions import VOLUME_LESION_COLUMNS, measure_bodies
from flexunet.inference.volumes.slices import SliceAxes, grey_levels
from flexunet.inference.volumes.video import slice_frames, write_video
from flexunet.locks import locked_output
from flexunet.progress import Progress, silent

if TYPE_CHECKING:
    from flexunet.config.run_sections import Infer3dSection
    from flexunet.config.schema import Config


@dataclass
class VolumesResult:
    """What volumes came to.

    Attributes:
        output_dir: Folder of label volumes.
        video_dir: Folder of videos; None where none are wanted.
        lesions_dir: Folder of the lesion table.
        label_paths: Label volumes, in the order of the volumes.
        failures: What was wrong, by volume: it has no labels.
        lesions: Lesions found, by volume.
        volumes_mm3: Volume of all lesions together, by volume; without those of unknown voxel size.
        reused: Volumes that an earlier run had finished.
    """

    output_dir: Path
    video_dir: Path | None
    lesions_dir: Path
    label_paths: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    lesions: dict[Path, int] = field(default_factory=dict)
    volumes_mm3: dict[Path, float] = field(default_factory=dict)
    reused: int = 0

    def summary(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {
            "output_dir": str(self.output_dir),
            "video_dir": str(self.video_dir) if self.video_dir else None,
            "lesion_table": str(self.lesions_dir / LESION_TABLE),
            "labels": [str(path) for path in self.label_paths],
            "lesions": {str(path): count for path, count in self.lesions.items()},
            "volumes_mm3": {str(path): volume for path, volume in self.volumes_mm3.items()},
            "reused": self.reused,
            "failures": {str(path): message for path, message in self.failures.items()},
        }


def infer_volumes(
    config: Config,
    *,
    inputs: Sequence[Path | str] = (),
    predictor: Predictor | None = None,
    progress: Progress = silent,
) -> VolumesResult:
    """Predict every volume of `[infer3d] images_dir`, as that section says.

    A volume that cannot be used is recorded and the rest goes on. A volume that an earlier run finished with
    the same model and settings is not predicted again.

    Args:
        config: The configuration of a trained run.
        inputs: Files, folders, globs, lists to predict instead of the configured folder; see `find_volumes`.
        predictor: The model, where it is already at hand.
        progress: Told how many slices are done.

    Raises:
        ConfigError: if nothing is given and no folder is configured.
        PathError: if an input does not exist or means no volume, or would be written over, or the run has no
            model.
        RunLockedError: if another process writes there.
    """
    section = config.infer3d
    output_dir = config.output(section.output_dir)
    paths = find_volumes(inputs or [config.input_folder("infer3d", "images_dir")])
    names = label_names(paths)
    refuse_overwriting(paths, (output_dir / name for name in names.values()))
    video_dir = None if section.video_type == "none" else config.output(section.video_dir)
    result = VolumesResult(output_dir, video_dir, beside(output_dir, "lesions"))
    slices = _slice_counts(paths, section, result.failures)
    with locked_output(result.lesions_dir):
        sweep(output_dir, result.lesions_dir, *([video_dir] if video_dir else []), alone=True)
        predictor = predictor or Predictor.load(config)
        config = as_predicted(config, predictor.config)
        work = _VolumeWork(config, predictor, result)
        return _predict_all(work, slices, names, image_labels(paths), progress)


def _predict_all(
    work: _VolumeWork,
    slices: dict[Path, int],
    names: dict[Path, str],
    labels: dict[Path, str],
    progress: Progress,
) -> VolumesResult:
    """What `infer_volumes` does once the folder is its own, by path of each volume."""
    result = work.result
    records: dict[Path, Record] = {}
    done = 0
    for path, count in slices.items():

        def advance(of_this: int, before: int = done) -> None:
            progress("slices", before + of_this, sum(slices.values()))

        try:
            records[path] = work.run(path, names[path], labels[path], advance)
        except FlexUNetError as error:
            result.failures[path] = str(error)
        done += count
        advance(count)
    write_lesion_table(
        result.lesions_dir / LESION_TABLE,
        ((record["file"], record["lesions"]) for record in records.values()),
        VOLUME_LESION_COLUMNS,
    )
    work.journal.close(records.values())
    for path, record in records.items():
        result.label_paths.append(result.output_dir / record["mask"])
        result.lesions[path] = len(record["lesions"])
        sizes = [lesion["volume_mm3"] for lesion in record["lesions"]]
        if None not in sizes:
            result.volumes_mm3[path] = round(sum(sizes), 4)
    return result


def predict_volume(
    predictor: Predictor,
    volume: Volume,
    axes: SliceAxes,
    section: Infer3dSection,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the slices of a volume, several in a model call.

    Args:
        predictor: The model.
        volume: The volume.
        axes: How its slices are cut.
        section: How they are made ready.
        advance: Called with the number of slices done.

    Returns:
        Class indices, uint8 `(X, Y, Z)`, and the probability of that class, float16, same shape.
    """
    decision = Decision.configured(predictor.config)
    slices = axes.slices_of(volume.voxels)
    labels = np.zeros(volume.voxels.shape, np.uint8, order="F")
    certainty = np.zeros(volume.voxels.shape, np.float16, order="F")
    label_slices, certainty_slices = axes.slices_of(labels), axes.slices_of(certainty)
    width, height = section.slice_resize or slices.shape[:0:-1]
    for start in range(0, len(slices), predictor.batch_size):
        batch = range(start, min(start + predictor.batch_size, len(slices)))
        levels = (grey_levels(slices[index], section.slice_normalize) for index in batch)
        images = [resize_image(each, width, height) for each in levels]
        predicted = _probabilities(predictor, images, *slices.shape[1:])
        for index, probabilities in zip(batch, predicted, strict=True):
            mask, probabilities = decision.mask(probabilities), decision.calibrate(probabilities)
            channel = mask if probabilities.shape[-1] > 1 else np.zeros_like(mask)
            label_slices[index] = mask
            certainty_slices[index] = np.take_along_axis(probabilities, channel[..., np.newaxis], -1)[..., 0]
        advance(batch.stop)
    return labels, certainty


def _probabilities(
    predictor: Predictor, images: list[np.ndarray], height: int, width: int
) -> Iterator[np.ndarray]:
    """Probabilities of each image at another size; tile by tile where the model was trained on crops."""
    if crop_size(predictor.config) is not None or predictor.config.infer.fit != "resize":
        for image in images:
            yield resize_image(predictor(image), width, height)
    else:
        for raw in predictor.forward([predictor.prepare(image) for image in images]):
            yield predictor.finish(raw, height, width).probabilities


class _VolumeWork:
    """What is done to each volume."""

    def __init__(self, config: Config, predictor: Predictor, result: VolumesResult):
        self.section = config.infer3d
        self.predictor = predictor
        self.result = result
        self.palette = color_map(config).palette
        values = self.section.model_dump(mode="json", exclude=set(self.section.path_keys("input")))
        settings = [settings_digest(config, digest_of_weights(*predictor.models), False), values]
        digest = digest_of_text(json.dumps(settings, sort_keys=True))
        self.journal = Journal(result.lesions_dir, result.output_dir, digest)

    def run(self, path: Path, name: str, label: str, advance: Callable[[int], None]) -> Record:
        """The record of a volume, from an earlier run or by predicting and writing it.

        Raises:
            ImageError, PathError: if it cannot be read, or what comes of it not be written.
        """
        parts = {str(number): digest_of(part) for number, part in enumerate(parts_of_volume(path)[1:])}
        key = self.journal.key_of(path, parts)
        record = self.journal.find(key, name)
        if record is not None:
            self.result.reused += 1
            return record
        volume = read_volume(path)
        axes = SliceAxes.configured(self.section, path)
        labels, certainty = predict_volume(self.predictor, volume, axes, self.section, advance)
        if volume.spacing is not None:
            drop_small_bodies(labels, self.section.min_lesion_mm3, volume.spacing)
        elif self.section.min_lesion_mm3:
            raise ImageError(
                f"{path} does not tell the size of a voxel, and [infer3d] min_lesion_mm3 is set. Set it to "
                "0, or save the volume as NIfTI."
            )
        record = {
            "file": label,
            "mask": name,
            "files": [str(video) for video in self._write_video(name, volume, labels, axes)],
            "lesions": measure_bodies(labels, certainty, volume.spacing, axes.depth),
        }
        write_labels(self.result.output_dir / name, labels, volume)
        record = self.journal.complete(record, key)
        self.journal.append(record)
        return record

    def _write_video(self, name: str, volume: Volume, labels: np.ndarray, axes: SliceAxes) -> list[Path]:
        if self.result.video_dir is None:
            return []
        stem = name.removesuffix(label_suffix(volume.path))
        path = self.result.video_dir / f"{stem}{self.section.video_fileformat}"
        frames = slice_frames(volume.voxels, labels, self.palette, axes, self.section)
        write_video(path, frames, self.section.video_fps)
        return [path]


def _slice_counts(paths: list[Path], section: Infer3dSection, failures: dict[Path, str]) -> dict[Path, int]:
    """Slices of each volume whose header can be used; what is wrong with the others."""
    counts: dict[Path, int] = {}
    for path in paths:
        try:
            require_text(path)
            counts[path] = volume_size(path)[SliceAxes.configured(section, path).depth]
        except FlexUNetError as error:
            failures[path] = str(error)
    return counts
