"""What a weights file holds: its layers and the shapes of their arrays, read without running anything in it.

A file may carry the bytecode of a Lambda layer, pickled objects or links to other files. None of that is
touched: of an HDF5 file only numeric datasets that lie in the file itself are read, and the text attributes
that name them; of a `.keras` archive only the HDF5 file inside.
"""

from __future__ import annotations

import math
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from flexunet.errors import PathError, WeightsError
from flexunet.models.weights.probe import can_be_read
from flexunet.run_folder import require_weights

_INSIDE_KERAS = "model.weights.h5"
_CHUNK = 1 << 22
_DEEPEST = 12
_MOST_LAYERS = 20_000
_DAMAGED = "it is damaged or was cut short; copy or train it again"


@dataclass(frozen=True)
class StoredArray:
    """One array in the file: where it lies, and its shape."""

    name: str
    shape: tuple[int, ...]
    dataset: Any

    def read(self, path: Path) -> np.ndarray:
        """The array as float32 or its own integer type.

        Raises:
            WeightsError: if its bytes cannot be read, or it holds a number that is not finite.
        """
        try:
            values = np.asarray(self.dataset[()])
        except Exception as error:  # h5py raises whatever a damaged file makes it meet
            raise WeightsError(f"{path}: {self.name} cannot be read: {_DAMAGED} ({error}).") from error
        if values.dtype.kind == "f":
            values = values.astype(np.float32, copy=False)
            if not np.isfinite(values).all():
                raise WeightsError(
                    f"{path}: {self.name} holds values that are infinite or not a number: its training "
                    "diverged. Take an earlier checkpoint."
                )
        return values


@dataclass(frozen=True)
class StoredLayer:
    """One layer in the file.

    Attributes:
        name: Its name there, such as `conv2d_38`.
        kind: The name without its counter, `conv2d`: the type of the layer wherever Keras chose the name.
        arrays: Its weights, in order.
    """

    name: str
    kind: str
    arrays: tuple[StoredArray, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of its weights."""
        return [array.shape for array in self.arrays]


@dataclass(frozen=True)
class StoredWeights:
    """The weights in one file.

    Attributes:
        path: The file that the user named.
        form: What kind of file it is, in words.
        layers: Layers that hold weights. In the order of the model where `is_ordered`, else kind by kind.
        is_ordered: Whether the file says in which order its layers stand.
        is_nested: Whether layers hold further layers.
    """

    path: Path
    form: str
    layers: list[StoredLayer]
    is_ordered: bool
    is_nested: bool = False


def split_name(name: str) -> tuple[str, int]:
    """Kind and counter of a name that Keras chose: `conv2d_38` is ("conv2d", 38), `conv2d` ("conv2d", 0)."""
    found = re.fullmatch(r"(.*?)_(\d+)", name)
    return (found[1], int(found[2])) if found else (name, 0)


@contextmanager
def open_weights(path: str | Path) -> Iterator[StoredWeights]:
    """Open a `.h5`, `.weights.h5` or `.keras` file and list what it holds.

    Args:
        path: The file; its contents decide how it is read, not its suffix.

    Raises:
        PathError: if it is missing or a folder.
        WeightsError: if it is not such a file, is damaged, or points outside itself.
    """
    path = Path(path)
    if path.is_dir():
        raise PathError(
            f"{path} is a folder (a TensorFlow SavedModel?); expected a .h5, .weights.h5 or .keras file. "
            "Save the model as one of these first."
        )
    require_weights(path)
    if path.stat().st_size == 0:
        raise WeightsError(f"{path} is empty (0 bytes); copy or train it again.")
    with _hdf5_of(path) as (hdf5, in_archive):
        if not can_be_read(hdf5):
            raise WeightsError(f"{path} cannot be read to its end: {_DAMAGED}.")
        try:
            root = h5py.File(hdf5, "r")
        except Exception as error:
            raise WeightsError(f"{path}: {_DAMAGED} ({error}).") from error
        with root:
            try:
                stored = _stored_weights(root, path, in_archive)
            except WeightsError:
                raise
            except Exception as error:  # h5py raises whatever a damaged file makes it meet
                raise WeightsError(f"{path}: {_DAMAGED} ({error}).") from error
            yield stored


@contextmanager
def _hdf5_of(path: Path) -> Iterator[tuple[Path, bool]]:
    """The HDF5 file itself, taken out of its archive where it is in one."""
    if h5py.is_hdf5(path):
        yield path, False
        return
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            start = stream.read(8)
        begins_as_one = start.startswith((b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"))
        reason = _DAMAGED if begins_as_one else "it is neither an HDF5 file (.h5) nor a .keras archive"
        raise WeightsError(f"{path} holds no weights: {reason}.")
    with tempfile.TemporaryDirectory(prefix="flexunet-") as folder:
        inside = Path(folder) / _INSIDE_KERAS
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, inside, path)
        except WeightsError:
            raise
        except Exception as error:  # encrypted, oddly compressed, cut short
            raise WeightsError(f"{path}: {_DAMAGED} ({error}).") from error
        yield inside, True


def _extract(archive: zipfile.ZipFile, inside: Path, path: Path) -> None:
    if _INSIDE_KERAS not in archive.namelist():
        raise WeightsError(f"{path} is an archive without {_INSIDE_KERAS}: it is not a .keras file.")
    # Keras stores weights uncompressed; an archive that swells is not one of its own.
    allowed = _swollen(path.stat().st_size)
    written = 0
    with archive.open(_INSIDE_KERAS) as source, inside.open("wb") as target:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > allowed:
                raise WeightsError(f"{path}: {_INSIDE_KERAS} swells to more than {allowed} bytes; not read.")
            target.write(chunk)


def _swollen(size: int) -> int:
    """Bytes that a file of this size may come to when it is unpacked."""
    return 20 * size + (64 << 20)


def _stored_weights(root: Any, path: Path, in_archive: bool) -> StoredWeights:
    reader, names = _Reader(path), set(root)
    if "model_weights" in names or "layer_names" in root.attrs or "layer_names0" in root.attrs:
        whole = "model_weights" in names
        group = reader.group(root, "model_weights") if whole else root
        version = reader.text(root.attrs.get("keras_version", group.attrs.get("keras_version", "?")))
        form = f"{'full model' if whole else 'weights only'}, HDF5, Keras {version}"
        return StoredWeights(path, form, reader.layers_by_attribute(group), is_ordered=True)
    if "layers" in names:
        form = "Keras 3 archive (.keras)" if in_archive else "weights only, Keras 3 (.weights.h5)"
        layers = reader.layers_by_group(reader.group(root, "layers"))
        return StoredWeights(path, form, layers, is_ordered=False, is_nested=reader.is_nested)
    raise WeightsError(
        f"{path} is an HDF5 file, but holds no Keras weights (neither 'model_weights' nor 'layers' is in it)."
    )


class _Reader:
    """Walks the groups of one file; follows nothing that leads out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.is_nested = False
        self.visited = 0

    def group(self, parent: Any, name: str) -> Any:
        found = self._own(parent, name)
        if not isinstance(found, h5py.Group):
            raise WeightsError(f"{self.path}: '{name}' is not a group; {_DAMAGED}.")
        return found

    def _own(self, parent: Any, name: str) -> Any:
        """A member that lies in the file itself."""
        self.visited += 1
        if self.visited > 10 * _MOST_LAYERS:
            raise WeightsError(f"{self.path} holds more groups than any model; not read.")
        for part in name.split("/")[:-1]:
            parent = self.group(parent, part)
        name = name.split("/")[-1]
        link = parent.get(name, getlink=True)
        if link is None:
            raise WeightsError(f"{self.path}: '{name}' is named there but missing; {_DAMAGED}.")
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"{self.path}: '{name}' is a link to elsewhere; links are not followed.")
        return parent[name]

    def _array(self, parent: Any, name: str, label: str) -> StoredArray:
        dataset = self._own(parent, name)
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
            raise WeightsError(f"{self.path}: {label} is not an array of numbers; not read.")
        if dataset.external or dataset.is_virtual:
            raise WeightsError(f"{self.path}: {label} lies in another file; links are not followed.")
        declared = math.prod(dataset.shape) * dataset.dtype.itemsize
        if declared > _swollen(self.size):
            raise WeightsError(
                f"{self.path}: {label} declares {declared} bytes, more than the file can hold."
            )
        return StoredArray(label, tuple(dataset.shape), dataset)

    @staticmethod
    def text(value: Any) -> str:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def _names(self, group: Any, attribute: str) -> list[str]:
        """A list of names in an attribute; Keras splits long ones into `<name>0`, `<name>1`, ..."""
        if attribute in group.attrs:
            return [self.text(value) for value in np.ravel(group.attrs[attribute])]
        names: list[str] = []
        part = 0
        while f"{attribute}{part}" in group.attrs:
            names += [self.text(value) for value in np.ravel(group.attrs[f"{attribute}{part}"])]
            part += 1
        return names

    def layers_by_attribute(self, group: Any) -> list[StoredLayer]:
        """Layers of Keras 2 files and of Keras 3 `.h5` files: attributes name layers and weights in order."""
        layers = []
        for name in self._names(group, "layer_names"):
            layer = self.group(group, name)
            arrays = tuple(
                self._array(layer, weight, weight.removesuffix(":0"))
                for weight in self._names(layer, "weight_names")
            )
            if arrays:
                layers.append(StoredLayer(name, split_name(name)[0], arrays))
        return layers

    def layers_by_group(self, group: Any, prefix: str = "", depth: int = 0) -> list[StoredLayer]:
        """Layers of Keras 3 weights files: groups named by type and counter, arrays numbered in `vars`."""
        if depth > _DEEPEST:
            raise WeightsError(f"{self.path}: its groups go deeper than any model; not read.")
        layers = []
        for name in sorted(group, key=split_name):
            if name in {"vars", "seed_generator"}:
                continue
            inner = self._own(group, name)
            if not isinstance(inner, h5py.Group):
                continue
            if "vars" in set(inner):
                numbered = self.group(inner, "vars")
                numbers = sorted((key for key in numbered if key.isdecimal()), key=int)
                label = f"{prefix}{name}"
                arrays = tuple(self._array(numbered, key, f"{label} [{key}]") for key in numbers)
                if arrays:
                    layers.append(StoredLayer(label, split_name(name)[0], arrays))
                    self.is_nested |= depth > 0
            layers += self.layers_by_group(inner, f"{prefix}{name}/", depth + 1)
        return layers
