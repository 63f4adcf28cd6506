"""Predict a folder of images: masks and overlays under the published names, at each image's own size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexunet.data.configured import color_map
from flexunet.data.images import read_image
from flexunet.data.masks import write_mask
from flexunet.errors import FlexUNetError
from flexunet.inference.cases import Case, CaseReader
from flexunet.inference.inputs import find_images, image_labels, mask_names
from flexunet.inference.journal import Journal, digest_of_weights, settings_digest
from flexunet.inference.lesions import clean_mask
from flexunet.inference.outputs import CONTOURS, LESION_TABLE, Outputs, Record, beside
from flexunet.inference.predictor import Predictor, mask_of

if TYPE_CHECKING:
    from flexunet.config.schema import Config

Progress = Callable[[int, int], None]

# Images read before the model asks for them, and predictions not yet written: each may be a hundred MB.
_READ_AHEAD = 2
_WRITE_BEHIND = 1


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
    """

    output_dir: Path
    overlay_dir: Path
    lesions_dir: Path
    mask_paths: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    foreground_pixels: dict[Path, int] = field(default_factory=dict)
    lesions: dict[Path, int] = field(default_factory=dict)
    reused: int = 0

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
            "failures": {str(path): message for path, message in self.failures.items()},
        }


def infer_folder(
    config: Config,
    *,
    inputs: Sequence[Path | str] = (),
    tiled: bool = False,
    predictor: Predictor | None = None,
    progress: Progress | None = None,
) -> FolderResult:
    """Predict every image of `[infer] images_dir`, or of `[tiledinfer] images_dir` tile by tile.

    Reading, predicting and writing overlap. An image that cannot be used is recorded and the rest goes on. An
    image that an earlier run finished with the same model and settings is not predicted again.

    Args:
        config: The configuration of a trained run.
        inputs: Files, folders, globs, lists to predict instead of the configured folder; see `find_images`.
        tiled: Whether to predict in tiles at the image's own resolution.
        predictor: The model, where it is already at hand.
        progress: Called with (images done, images in all).

    Raises:
        ConfigError: if nothing is given and no folder is configured.
        PathError: if an input does not exist or means no image, or the run has no model.
    """
    section_name = "tiledinfer" if tiled else "infer"
    section = config.tiledinfer if tiled else config.infer
    output_dir = config.output(section.output_dir)
    overlay_dir = output_dir.with_name(output_dir.name + "_overlay") if tiled else config.overlay_dir
    images = find_images(
        inputs or [config.input_folder(section_name, "images_dir")], skip=[beside(output_dir, "dicom")]
    )
    predictor = predictor or Predictor.load(config)
    model = digest_of_weights(predictor.model)
    outputs = Outputs(config, output_dir, overlay_dir, model)
    journal = Journal(outputs.lesions_dir, output_dir, settings_digest(config, model, tiled))
    work = _FolderWork(
        predictor, CaseReader(config, image_labels(images)), outputs, journal, mask_names(images), tiled
    )
    records, failures = work.run(images, progress)
    failures |= {path: record["problem"] for path, record in records.items() if record["problem"]}
    outputs.write_tables(list(records.values()))
    journal.close(records.values())
    return FolderResult(
        output_dir,
        overlay_dir,
        outputs.lesions_dir,
        [output_dir / record["mask"] for record in records.values()],
        failures,
        {path: record["foreground_pixels"] for path, record in records.items()},
        {path: len(record["lesions"]) for path, record in records.items()},
        work.reused,
    )


class _FolderWork:
    """The images of a folder on their way from file to files."""

    def __init__(
        self,
        predictor: Predictor,
        reader: CaseReader,
        outputs: Outputs,
        journal: Journal,
        names: dict[Path, str],
        tiled: bool,
    ):
        self.predict = predictor.predict_tiled if tiled else predictor.__call__
        self.reader = reader
        self.outputs = outputs
        self.journal = journal
        self.names = names
        self.reused = 0

    def run(
        self, images: list[Path], progress: Progress | None
    ) -> tuple[dict[Path, Record], dict[Path, str]]:
        """Records and failures of all images, in their order."""
        records: dict[Path, Record] = {}
        failures: dict[Path, str] = {}
        writing: deque[tuple[Path, str, Future[Record]]] = deque()

        def settle(limit: int) -> None:
            while len(writing) > limit:
                path, key, future = writing.popleft()
                try:
                    records[path] = self.journal.append(future.result(), key)
                except FlexUNetError as error:
                    failures[path] = str(error)

        with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(1) as writers:
            for done, (path, reading) in enumerate(_read_ahead(readers, self._open, images), start=1):
                try:
                    key, found = reading.result()
                    if isinstance(found, Case):
                        probabilities = self.predict(found.image)
                        mask = clean_mask(mask_of(probabilities), self.outputs.rules, found.spacing)
                        settle(_WRITE_BEHIND - 1)
                        name = self.names[path]
                        future = writers.submit(self.outputs.write, found, name, mask, probabilities)
                        writing.append((path, key, future))
                    else:
                        records[path] = found
                        self.reused += 1
                except FlexUNetError as error:
                    failures[path] = str(error)
                if progress:
                    progress(done, len(images))
            settle(0)
        return {path: records[path] for path in images if path in records}, failures

    def _open(self, path: Path) -> tuple[str, Case | Record]:
        """An image's key, and the image, or its record where an earlier run finished it."""
        key = self.journal.key_of(path, self.reader.row_of(path))
        return key, self.journal.find(key, self.names[path]) or self.reader.read(path)


def _read_ahead(
    pool: ThreadPoolExecutor, read: Callable[[Path], Any], paths: list[Path]
) -> Iterator[tuple[Path, Future[Any]]]:
    """Images on their way in, a few ahead of the model, so that memory does not grow with the folder."""
    waiting: deque[tuple[Path, Future[Any]]] = deque()
    for path in paths:
        waiting.append((path, pool.submit(read, path)))
        if len(waiting) > _READ_AHEAD:
            yield waiting.popleft()
    yield from waiting


def write_epoch_predictions(
    predictor: Predictor, images: list[Path], output_dir: Path, epoch: int, *, tiled: bool = False
) -> None:
    """Write the masks of chosen images after an epoch, as `Epoch_3_NAME.png` (epochs count from 1)."""
    colors = color_map(predictor.config)
    window = predictor.config.image.dicom_window
    predict = predictor.predict_tiled if tiled else predictor.__call__
    for path, name in mask_names(images).items():
        mask = mask_of(predict(read_image(path, 3, dicom_window=window)))
        write_mask(output_dir / f"Epoch_{epoch}_{name}", mask, colors)
