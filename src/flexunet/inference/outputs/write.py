"""What is written for each predicted image, and for a folder of them.

    <output_dir>/NAME.png                   mask, class indices, at the image's size
    <output_dir>_overlay/NAME.png           image with outlines
    <output_dir>_lesions/lesions.csv        one row a lesion
    <output_dir>_lesions/images.csv         one row an image, those without lesions too
    <output_dir>_lesions/images.html        the same as a page, the least certain first
    <output_dir>_lesions/contours.json      outlines, COCO
    <output_dir>_lesions/prediction.json    how it was predicted: model, window, threshold, ...
    <output_dir>_probabilities/NAME.png     only with [infer] probabilities
    <output_dir>_uncertainty/NAME.png       only with [infer] uncertainty
    <output_dir>_dicom/NAME.dcm             DICOM objects of DICOM images, by [dicom]
    <output_dir>_film/NAME.png              masks of the films that images were cut from

Only masks lie in `output_dir`, so that the folder can be scored as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import color_map, crop_size, grey_range
from flexunet.data.derive.film_masks import draft_mask
from flexunet.data.images.files.names import ARRAY_SUFFIX
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.images.overlay import draw_key, draw_overlay
from flexunet.errors import ImageError
from flexunet.files import replacing, write_text
from flexunet.inference.cases import Case
from flexunet.inference.outputs.contours import coco_annotations, write_coco
from flexunet.inference.outputs.dicom_objects.write import SUFFIXES, Prediction, Written, write_objects
from flexunet.inference.outputs.doubt import PAGE, write_doubt_page
from flexunet.inference.outputs.lesions import (
    LESION_COLUMNS,
    lesion_rows,
    measure_lesions,
    write_image_table,
    write_lesion_table,
)
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.passes import most_turns
from flexunet.inference.runtimes.load import engine_name
from flexunet.version import __version__

if TYPE_CHECKING:
    from flexunet.config.schema import Config

LESION_TABLE = "lesions.csv"
IMAGE_TABLE = "images.csv"
CONTOURS = "contours.json"
SETTINGS = "prediction.json"
_PICTURES = ("probabilities", "uncertainty", "film")

Record = dict[str, Any]
"""What came of an image, ready for JSON: its files, lesions, contours and numbers."""


class Outputs:
    """Writes what `[infer]` asks for.

    Args:
        config: The configuration.
        output_dir: Folder of masks; the others stand beside it.
        overlay_dir: Folder of overlays.
        model: Digest of the model, for DICOM objects.

    Raises:
        InputError: if temperature or threshold are to be the run's, and it has none.
    """

    def __init__(self, config: Config, output_dir: Path, overlay_dir: Path, model: str = ""):
        self.config = config
        self.rules = config.infer
        self.decision = Decision.configured(config)
        self.colors = color_map(config)
        self.class_names = self.colors.foreground_names
        self.model = model
        self.output_dir = output_dir
        self.overlay_dir = overlay_dir
        slices = config.infer.npy_slices_dir
        self.channel_dir = config.output(slices) if slices else None
        self.lesions_dir, self.probabilities_dir, self.uncertainty_dir, self.dicom_dir, self.film_dir = (
            beside(output_dir, kind) for kind in ("lesions", "probabilities", "uncertainty", "dicom", "film")
        )

    def write(
        self,
        case: Case,
        name: str,
        mask: np.ndarray,
        probabilities: np.ndarray,
        uncertainty: np.ndarray | None = None,
    ) -> Record:
        """Write everything about one image.

        Args:
            case: The image; tables call it by its label.
            name: File name of its mask, ending in .png.
            mask: Class indices, uint8 `(H, W)`.
            probabilities: Float32 `(H, W, classes)`.
            uncertainty: Float32 `(H, W)`, 0 to 1, where it is known.

        Returns:
            The record of the image; its `problem` says what could not be written, "" if all is.
        """
        lesions = measure_lesions(mask, probabilities, case.spacing, uncertainty)
        draft = draft_mask(probabilities)
        contours = coco_annotations(mask, lesions)
        stem = name.removesuffix(".png")
        written = [self.overlay_dir / name, *self._write_probabilities(stem, probabilities)]
        overlay = draw_key(draw_overlay(case.image, mask), mask, self.class_names, case.spacing)
        write_image(self.overlay_dir / name, overlay)
        if path := self._write_channel(case, name):
            written.append(path)
        if uncertainty is not None:
            written.append(self.uncertainty_dir / name)
            write_image(self.uncertainty_dir / name, _levels(uncertainty))
        if case.crop is not None and self.rules.film_masks:
            written.append(self.film_dir / name)
            write_mask(self.film_dir / name, case.crop.restore(mask), self.colors)
        objects = Written()
        if case.is_dicom and self.rules.dicom_seg:
            objects = write_objects(
                self.dicom_dir,
                stem,
                case,
                Prediction(mask, probabilities, lesions, overlay),
                self.class_names,
                self.config.dicom,
                self.model,
            )
            written += objects.paths
        write_mask(self.output_dir / name, mask, self.colors)
        return {
            "file": case.label,
            "mask": name,
            "files": [str(path) for path in written],
            "width": mask.shape[1],
            "height": mask.shape[0],
            "foreground_pixels": int(np.count_nonzero(mask)),
            "lesions": lesion_rows(lesions),
            "contours": contours,
            "problem": " ".join(objects.problems),
            "notes": [*case.notes, *objects.notes],
            "highest": case.highest,
            "unlike_training": case.unlike_training,
            "confidence": round(draft.confidence, 4),
            "entropy": round(draft.entropy, 4),
        }

    def write_tables(self, records: Sequence[Record]) -> None:
        """Write the tables, the page and the contours of a folder."""
        rows = (
            (
                record["file"],
                [lesion | {"unlike_training": record["unlike_training"]} for lesion in record["lesions"]],
            )
            for record in records
        )
        write_lesion_table(self.lesions_dir / LESION_TABLE, rows, (*LESION_COLUMNS, "unlike_training"))
        write_image_table(self.lesions_dir / IMAGE_TABLE, records)
        write_doubt_page(self.lesions_dir / PAGE, records, self.overlay_dir)
        write_coco(self.lesions_dir / CONTOURS, map(_coco_image, records), self.class_names)

    def write_settings(self, *, tiled: bool) -> None:
        """Write how the images were predicted: what a reader of the masks must know."""
        infer, tiles, crop = self.rules, self.config.tiledinfer, crop_size(self.config)
        size = (crop or tiles.split_size) if tiled or crop else None
        told = {
            "flexunet": __version__,
            "run": str(self.config.run_dir.resolve()),
            "weights": self.model,
            "engine": engine_name(self.config),
            "ensemble": infer.ensemble,
            "dicom_window": self.config.image.dicom_window,
            "grey_range": grey_range(self.config),
            "normalize": self.config.image.normalize,
            "tile_size": size,
            "tile_overlap": size and min(tiles.overlapping, size // 2 if crop else size),
            "blending": size and tiles.blending,
            "breast_only": bool(size) and tiles.breast_only,
            "fit": None if size else infer.fit,
            "test_time_augmentation": infer.test_time_augmentation,
            "test_time_passes": most_turns(self.config) if infer.test_time_augmentation else None,
            "monte_carlo": infer.monte_carlo,
            "temperature": self.decision.temperature,
            "threshold": self.decision.threshold,
            "postprocess": None if self.decision.postprocess is None else asdict(self.decision.postprocess),
            "fill_holes": infer.fill_holes,
            "min_lesion_pixels": infer.min_lesion_pixels,
            "min_lesion_mm2": infer.min_lesion_mm2,
        }
        write_text(self.lesions_dir / SETTINGS, json.dumps(told, indent=2, ensure_ascii=False) + "\n")

    def _write_channel(self, case: Case, name: str) -> Path | None:
        """Write the channel of an .npy image that `[infer] npy_slice_index` names, as published."""
        if self.channel_dir is None or case.path.suffix.lower() != ARRAY_SUFFIX:
            return None
        index, count = self.rules.npy_slice_index, case.image.shape[2]
        if index >= count:
            raise ImageError(f"[infer] npy_slice_index = {index}, but {case.path} has {count} channels.")
        write_image(self.channel_dir / name, np.ascontiguousarray(case.image[..., index : index + 1]))
        return self.channel_dir / name

    def _write_probabilities(self, stem: str, probabilities: np.ndarray) -> Iterable[Path]:
        if self.rules.probabilities == "npz":
            path = self.probabilities_dir / f"{stem}.npz"
            with replacing(path) as temporary:
                np.savez_compressed(temporary, probabilities=probabilities.astype(np.float16))
            return [path]
        if self.rules.probabilities == "none":
            return []
        paths = []
        first = 1 if probabilities.shape[-1] > 1 else 0
        for channel in range(first, probabilities.shape[-1]):
            label = channel if first else 1
            folder = self.probabilities_dir
            if len(self.class_names) > 1:
                folder = folder / f"class_{label}"
            paths.append(folder / f"{stem}.png")
            write_image(paths[-1], _levels(probabilities[..., channel]))
        return paths


def beside(output_dir: Path, kind: str) -> Path:
    """The folder of another kind of output, beside that of the masks."""
    return output_dir.with_name(f"{output_dir.name}_{kind}")


def folders_written(output_dir: Path, overlay_dir: Path) -> list[Path]:
    """The folders that files may be written to; not all need be there."""
    probabilities = beside(output_dir, "probabilities")
    kinds = ("lesions", "dicom", *_PICTURES)
    others = [beside(output_dir, kind) for kind in kinds]
    return [output_dir, overlay_dir, *others, *probabilities.glob("class_*")]


def may_be_written(output_dir: Path, overlay_dir: Path, name: str) -> list[Path]:
    """The files that may be written for an image and that an image could be, by the name of its mask."""
    pictures = [output_dir, overlay_dir, *(beside(output_dir, kind) for kind in _PICTURES)]
    return [
        *(folder / name for folder in pictures),
        *(
            beside(output_dir, "dicom") / f"{name.removesuffix('.png')}{suffix}"
            for suffix in SUFFIXES.values()
        ),
    ]


def _levels(shares: np.ndarray) -> np.ndarray:
    """Shares of one as 16-bit grey levels."""
    return np.rint(np.clip(shares, 0, 1) * np.float32(65535)).astype(np.uint16)


def _coco_image(record: Record) -> tuple[str, int, int, list[dict[str, Any]]]:
    return record["file"], record["width"], record["height"], record["contours"]
