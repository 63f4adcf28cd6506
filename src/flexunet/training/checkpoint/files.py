"""The checkpoint of a running training: arrays and a JSON state in one zip file, two generations of it.

checkpoints/checkpoint.npz            the newest
checkpoints/checkpoint.previous.npz   the one before

The file opens with `numpy.load`. It is written beside, flushed and renamed, and the one before goes only when
the new one is whole: at every moment at least one whole checkpoint lies on the disk. Reading one executes
nothing; every byte is checked against its checksum first.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexunet.errors import WeightsError
from flexunet.files import flush_to_disk, replacing
from flexunet.run_folder import RunFolder

FORMAT = 1
_STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on the disk.

    Attributes:
        path: Its file.
        state: All that is not an array.
    """

    path: Path
    state: dict[str, Any]

    def arrays(self, group: str) -> Iterator[np.ndarray]:
        """The arrays of a group, one after the other, in the order in which they were written."""
        with zipfile.ZipFile(self.path) as file:
            names = sorted(name for name in file.namelist() if name.startswith(f"{group}/"))
            for name in names:
                with file.open(name) as stream:
                    yield np.lib.format.read_array(stream, allow_pickle=False)


class CheckpointStore:
    """The two checkpoints of a run folder."""

    def __init__(self, run_dir: Path):
        self.folder = RunFolder.at(run_dir).checkpoints
        self.newest = self.folder / "checkpoint.npz"
        self.previous = self.folder / "checkpoint.previous.npz"

    def write(self, state: dict[str, Any], groups: dict[str, Iterable[np.ndarray]]) -> None:
        """Write a new checkpoint.

        Args:
            state: Ready for JSON.
            groups: Arrays by the name of their group; taken one by one, to spare memory.

        Raises:
            PathError: if it cannot be written; those that were there stay.
        """
        with replacing(self.newest) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file:
                for group, arrays in groups.items():
                    for place, array in enumerate(arrays):
                        with file.open(f"{group}/{place:05}.npy", "w", force_zip64=True) as stream:
                            np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
                file.writestr(_STATE, json.dumps({"format": FORMAT, **state}))
            flush_to_disk(temporary)
            if self.newest.is_file():
                self.newest.replace(self.previous)

    def read(self) -> Checkpoint | None:
        """The newest whole checkpoint; none where there is none.

        Raises:
            WeightsError: if there are files, and none of them is whole.
        """
        broken = []
        for path in (self.newest, self.previous):
            if not path.is_file():
                continue
            try:
                with zipfile.ZipFile(path) as file:
                    if (bad := file.testzip()) is not None:
                        raise zipfile.BadZipFile(f"{bad} does not match its checksum")
                    state = json.loads(file.read(_STATE))
                if state["format"] != FORMAT:
                    raise ValueError(f"its format is {state['format']}, this version reads {FORMAT}")
                return Checkpoint(path, state)
            except (zipfile.BadZipFile, OSError, KeyError, ValueError, TypeError) as error:
                broken.append(f"{path} ({error})")
        if broken:
            raise WeightsError(
                f"no checkpoint of this run can be read: {'; '.join(broken)}. "
                "Start again with --resume never."
            )
        return None

    def unfinished(self) -> str | None:
        """The epoch at which a run that has not ended stands, for a message; none where there is none."""
        try:
            checkpoint = self.read()
        except WeightsError:
            return None
        if checkpoint is None or checkpoint.state["ended"]:
            return None
        return f"epoch {checkpoint.state['epoch'] + 1}"

    def keep_newest(self) -> None:
        """Remove the previous checkpoint; for the end of a run."""
        if self.newest.is_file():
            self.previous.unlink(missing_ok=True)
