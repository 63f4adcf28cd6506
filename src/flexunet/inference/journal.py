"""What a folder's prediction has finished, so that a run that was cut off goes on where it stopped.

One line of JSON an image, in `<output_dir>_lesions/journal.jsonl`. A line counts if its key is that of
the image now: the key is a digest of the image's content, the model's weights, the engine, the settings, and
what the manifest says. Anything else is predicted anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.data.configured import crop_size, grey_range
from flexunet.data.dataset.digests import digest_of, digest_of_text
from flexunet.errors import ImageError
from flexunet.files import cannot_read
from flexunet.inference.predict.calibration import member_configs
from flexunet.inference.predict.decision import Decision
from flexunet.inference.runtimes.load import engine_name
from flexunet.journal import append_to_journal, read_journal, write_journal
from flexunet.version import __version__

if TYPE_CHECKING:
    from flexunet.config.schema import Config
    from flexunet.inference.outputs.write import Record

JOURNAL = "journal.jsonl"
_VERSION = 3  # raise it when the same image and model come to give other files
_SECTIONS = ("model", "image", "mask", "infer", "tiledinfer")


class Journal:
    """The records of finished images.

    Args:
        folder: Where the journal lies.
        output_dir: Folder of masks.
        settings: What predictions depend on besides the image, as `settings_digest` gives it.
    """

    def __init__(self, folder: Path, output_dir: Path, settings: str):
        self.path = folder / JOURNAL
        self.output_dir = output_dir
        self.settings = settings
        # The last of each mask counts.
        self._known: dict[str, Record] = {
            record["mask"]: record
            for record in read_journal(self.path)
            if isinstance(record, dict) and "mask" in record
        }

    def key_of(self, path: Path, row: Mapping[str, str]) -> str:
        """Key of an image; `row` is what the manifest says of it.

        Raises:
            ImageError: if the file cannot be read.
        """
        try:
            content = digest_of(path)
        except OSError as error:
            raise ImageError(cannot_read(path, error)) from error
        return digest_of_text(json.dumps([self.settings, path.name, content, row], sort_keys=True))

    def find(self, key: str, name: str) -> Record | None:
        """The record of a finished image whose files are all there and whose mask `name` is unchanged."""
        record = self._known.get(name)
        if record is None or record.get("key") != key:
            return None
        mask = self.output_dir / name
        if not mask.is_file() or digest_of(mask) != record.get("mask_digest"):
            return None
        return record if all(Path(file).is_file() for file in record["files"]) else None

    def knows(self, name: str) -> bool:
        """Whether an earlier run has finished a mask of that name, of whatever image."""
        return name in self._known

    def without_records(self) -> Journal:
        """The same journal without what earlier runs finished: small enough to send to other machines."""
        copy = Journal.__new__(Journal)
        copy.__dict__.update(self.__dict__, _known={})
        return copy

    def complete(self, record: Record, key: str) -> Record:
        """The record with what tells later whether it still counts."""
        return record | {"key": key, "mask_digest": digest_of(self.output_dir / record["mask"])}

    def append(self, record: Record) -> None:
        """Note a finished image; its record is complete."""
        append_to_journal(self.path, record)

    def close(self, records: Iterable[Record]) -> None:
        """Leave the lines of these images alone."""
        write_journal(self.path, records)


def settings_digest(config: Config, model: str, tiled: bool) -> str:
    """Digest of what predictions depend on: model, engine, sections that bear on it, version.

    Of an ensemble's members too: each prepares images as its own run says.
    """
    members = [_settings_of(run) for run in member_configs(config)] if config.infer.ensemble else []
    decision = Decision.configured(config)
    engine = engine_name(config)  # no two round alike
    told = [_VERSION, __version__, model, engine, tiled, decision, _settings_of(config), members]
    return digest_of_text(json.dumps(told, sort_keys=True, default=repr))


def _settings_of(config: Config) -> list[Any]:
    sections: dict[str, Any] = {}
    for name in _SECTIONS:
        section = getattr(config, name)
        values = section.model_dump(mode="json") if name != "mask" else {"map": repr(section.rgb_map)}
        sections[name] = {key: value for key, value in values.items() if not section.is_path(key)}
    if config.dicom != type(config.dicom)():
        # Left out where nothing is asked for: what earlier versions finished stays finished.
        sections["dicom"] = config.dicom.model_dump(mode="json")
    train = config.train.precision, config.train.seed, config.train.batch_size
    return [crop_size(config), train, sections, grey_range(config)]


def digest_of_weights(*models: Any) -> str:
    """Digest of models' weights, one after the other so that no second copy of all is made.

    A runtime knows its own: that of the exported files and of the precision.
    """
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for model in models:
        if known := getattr(model, "digest", None):
            digest.update(known.encode())
            continue
        for weight in model.weights:
            digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()
