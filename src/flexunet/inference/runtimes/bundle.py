"""An exported model: a folder with the model, its configuration, a parity report and digests of them all.

BUNDLE/export.json    what it is, what it was made from, the digest of each file
BUNDLE/config.toml    the configuration of the run
BUNDLE/parity.json    how it predicts beside the run's own model; parity.md is the same to read
BUNDLE/model.*        the model

A bundle is data. Opening one compares digests and reads files; nothing in it is imported or run, and no
extension library is loaded on its behalf.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from flexunet.data.dataset.digests import digest_of, digest_of_text
from flexunet.errors import InputError, PathError, WeightsError
from flexunet.files import impostor
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    from flexunet.config.schema import Config

MANIFEST, PARITY = "export.json", "parity.json"
# The form to the model's file (for saved_model: folder) in the bundle.
MODELS = {
    "openvino": "model.xml",
    "onnx": "model.onnx",
    "litert": "model.tflite",
    "saved_model": "saved_model",
}
# What of a bundle its digests must cover.
_DIGESTED = {
    "openvino": ("model.xml", "model.bin"),
    "onnx": ("model.onnx",),
    "litert": ("model.tflite",),
    "saved_model": ("saved_model/saved_model.pb",),
}


class Bundle(BaseModel):
    """What stands in `export.json`.

    Attributes:
        form: openvino, onnx, litert or saved_model.
        int8: Whether weights and activations are 8-bit integers.
        precision: Number format that its parity was measured in: that of what int8 leaves over.
        weights: Digest of the weights file that it was made from.
        input_shape: Height, width and channels of the images, which hold 0..255.
        output_shape: Height, width and classes of the probabilities.
        flexunet: Version that wrote it.
        packages: Versions of the packages that made it.
        files: Digest (BLAKE2b, 128 bits) of each file, by its path in the bundle.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["openvino", "onnx", "litert", "saved_model"]
    int8: bool
    precision: Literal["float32", "bfloat16", "float16"]
    weights: str
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    flexunet: str
    packages: dict[str, str]
    files: dict[str, str]

    _folder: Path = PrivateAttr(Path())

    @model_validator(mode="after")
    def _names_stay_inside(self) -> Self:
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
                raise ValueError(f"the file name {name!r} leads out of the bundle")
        return self

    def at(self, folder: Path) -> Self:
        """The bundle as it lies in a folder."""
        self._folder = folder
        return self

    @property
    def engine(self) -> str:
        """Its name among engines: "openvino", "openvino-int8"."""
        return f"{self.form}-int8" if self.int8 else self.form

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._folder

    @property
    def model_path(self) -> Path:
        """Its model."""
        return self.folder / MODELS[self.form]

    @property
    def digest(self) -> str:
        """Digest of the whole of it."""
        return digest_of_text(json.dumps(self.files, sort_keys=True))


def read_bundle(folder: Path) -> Bundle:
    """Open an exported model and compare its files with their digests.

    Raises:
        PathError: if the folder is no bundle.
        WeightsError: if its `export.json` cannot be used, or a file is missing or has changed.
    """
    path = folder / MANIFEST
    try:
        bundle = Bundle.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PathError(
            f"{folder}: an exported model has a file {MANIFEST}, and this has none that can be read "
            f"({error.strerror or error}). Write one with: flexunet export RUN --to openvino"
        ) from None
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"])) or "the whole"
        raise WeightsError(f"{path}: {where}: {found['msg']}. Export the model again.") from None
    if not set(_DIGESTED[bundle.form]) <= set(bundle.files):
        wanted = " and ".join(_DIGESTED[bundle.form])
        raise WeightsError(f"{path}: expected the digest of {wanted} under files. Export the model again.")
    for name, digest in bundle.files.items():
        file = folder / name
        if not file.is_file():
            raise WeightsError(f"{file} is missing from the exported model. Export the model again.")
        if what := impostor(file):
            raise WeightsError(f"{file} is not what was exported: {what}.")
        if _digest_of_state(file) != digest:
            raise WeightsError(
                f"{file} is not what was exported: its digest differs from that in {path}. Export the model "
                "again."
            )
    return bundle.at(folder)


def export_folder(config: Config, engine: str) -> Path:
    """Where the export of a run for an engine is written."""
    return RunFolder.of(config).export(engine)


def new_export_folder(config: Config, form: str, *, int8: bool = False, out: Path | None = None) -> Path:
    """The folder that an export of a run is to be written to.

    Raises:
        PathError: if the run has no model, or the folder exists.
    """
    folder = Path(out) if out else export_folder(config, f"{form}-int8" if int8 else form)
    if folder.exists():
        raise PathError(f"{folder} exists: remove it, or give another folder with --out.")
    RunFolder.of(config).find_model()
    return folder


def bundle_folder(config: Config, engine: str) -> Path:
    """Where an engine looks for its export: the folder of the configuration itself, else in the run."""
    return config.folder if (config.folder / MANIFEST).is_file() else export_folder(config, engine)


def has_bundle(config: Config, engine: str) -> bool:
    """Whether there is an export for an engine; it need not be usable."""
    return (bundle_folder(config, engine) / MANIFEST).is_file()


def find_bundle(config: Config, engine: str) -> Bundle:
    """The export that an engine predicts with.

    Raises:
        PathError: if there is none.
        WeightsError: if it is damaged, of another shape, or of other weights than the run has now.
    """
    folder = bundle_folder(config, engine)
    form, _, int8 = engine.partition("-")
    command = f"flexunet export {config.source or 'RUN'} --to {form}{' --int8' if int8 else ''}"
    if not has_bundle(config, engine):
        raise PathError(f"the run has no export for {engine}: {folder} is missing. Write it with: {command}")
    bundle = read_bundle(folder)
    if bundle.engine != engine:
        raise WeightsError(f"{folder} is an export for {bundle.engine}, not for {engine}.")
    model = config.model
    wanted = (model.image_height, model.image_width, model.image_channels)
    if bundle.input_shape != wanted or bundle.output_shape != (*wanted[:2], model.num_classes):
        raise WeightsError(
            f"{folder} takes images of {bundle.input_shape} and answers {bundle.output_shape} (height, "
            f"width, channels); the configuration asks for {wanted} and {model.num_classes} classes."
        )
    if folder != config.folder and bundle.weights != weights_digest(config):
        raise WeightsError(
            f"{folder} was made from other weights than the run has now. Remove it, and write it again with: "
            f"{command}"
        )
    return bundle


def weights_digest(config: Config) -> str | None:
    """Digest of the run's weights file; none where there is no such file any more."""
    try:
        return _digest_of_state(RunFolder.of(config).find_model())
    except InputError:
        return None


def _digest_of_state(path: Path) -> str:
    """Digest of a file; one that has not changed since is not read again by this process.

    An engine is chosen, then opened, and each looks at hundreds of megabytes.
    """
    status = path.stat()
    return _read_digest(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@functools.lru_cache(maxsize=64)
def _read_digest(path: Path, *state: int) -> str:
    return digest_of(path)
