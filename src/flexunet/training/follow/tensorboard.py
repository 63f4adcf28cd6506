"""Scalars and chosen images of a run for TensorBoard: `[train] tensorboard = true`.

<run_dir>/tensorboard/training/     loss, metrics and learning rate of the training images; the chosen images
<run_dir>/tensorboard/validation/   loss and metrics of the validation images, under the same names

One step is one epoch, counted from 1. A run that goes on leaves out what an earlier part wrote of epochs
after its checkpoint, so no step is there twice.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from flexunet.data.configured import image_reader
from flexunet.errors import ConfigError
from flexunet.extras import import_extra
from flexunet.files import explaining, flush_to_disk, replacing
from flexunet.training.follow.callbacks import PredictEpoch
from flexunet.training.follow.epoch_pictures import overlays
from flexunet.training.follow.history import History

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

    from flexunet.config.schema import Config

_NAME = "events.out.tfevents.{:.0f}.flexunet"


def require_tensorboard() -> None:
    """Refuse `[train] tensorboard = true` where its library is missing.

    Raises:
        ConfigError: naming the extra that installs it.
    """
    import_extra(
        "tensorboardX",
        extra="tensorboard",
        needed_by="[train] tensorboard = true",
        error=ConfigError,
        otherwise=", or set it to false",
    )


class WriteTensorBoard(keras.callbacks.Callback):
    """Write the figures and the chosen images of every epoch.

    Args:
        folder: Where the event files go.
        history: Figures of the run's epochs; complete when this callback is told of an epoch.
        predicted: The callbacks that predict chosen images.
        config: How images are read.
    """

    def __init__(self, folder: Path, history: History, predicted: list[PredictEpoch], config: Config):
        super().__init__()
        self.folder = folder
        self.history = history
        self.predicted = predicted
        self.config = config
        self.files: dict[str, EventFile] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the events of the epoch."""
        from tensorboardX import summary

        summaries: dict[str, list[Any]] = {"training": [], "validation": []}
        for name, values in self.history.epochs.items():
            kind = "validation" if name.startswith("val_") else "training"
            shown = "learning_rate" if name == "lr" else name.removeprefix("val_")
            summaries[kind].append(summary.scalar(shown, values[epoch]))
        for predicted in self.predicted:
            where = "tiled" if predicted.tiled else "chosen"
            for name, picture in overlays(
                predicted.images, predicted.output_dir, epoch + 1, image_reader(self.config)
            ).items():
                summaries["training"].append(summary.image(f"{where}/{name}", picture, dataformats="HWC"))
        for kind, found in summaries.items():
            if kind not in self.files:
                self.files[kind] = EventFile.begin(self.folder / kind, epoch)
            self.files[kind].add(epoch + 1, found)


class EventFile:
    """A file of TensorBoard events, appended to after every epoch."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def begin(cls, folder: Path, steps: int) -> EventFile:
        """A new file that takes over the earlier one's events up to a step; what lay there is removed then.

        Raises:
            PathError: if it cannot be written.
        """
        from tensorboardX.proto.event_pb2 import Event

        # A run may be killed in here: the last whole file has all that those before it have.
        found = sorted(folder.glob("*tfevents*"))
        earlier = [path for path in found if not path.name.startswith(".")]
        now = time.time()
        while (path := folder / _NAME.format(now)) in earlier:
            now += 1
        with replacing(path) as temporary, temporary.open("wb") as stream:
            stream.write(_record(Event(wall_time=now, file_version="brain.Event:2")))
            for event in (event for each in earlier[-1:] for event in read_events(each)):
                if event.HasField("summary") and event.step <= steps:
                    stream.write(_record(event))
        for each in found:
            each.unlink(missing_ok=True)
        return cls(path)

    def add(self, step: int, summaries: list[Any]) -> None:
        """Append summaries.

        Raises:
            PathError: if they cannot be written.
        """
        from tensorboardX.proto.event_pb2 import Event

        with explaining(self.path):
            with self.path.open("ab") as stream:
                for summary in summaries:
                    stream.write(_record(Event(wall_time=time.time(), step=step, summary=summary)))
            flush_to_disk(self.path)


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, up to the first that is cut off or damaged, as a killed run may leave one."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    with path.open("rb") as stream:
        while len(head := stream.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if masked_crc32c(head[:8]) != struct.unpack("<I", head[8:])[0]:
                return
            content, check = stream.read(length), stream.read(4)
            if len(check) < 4 or masked_crc32c(content) != struct.unpack("<I", check)[0]:
                return
            yield Event.FromString(content)


def _record(event: Event) -> bytes:
    """An event as it lies in a file: length, check sum, content, check sum (TFRecord)."""
    from tensorboardX.record_writer import masked_crc32c

    content = event.SerializeToString()
    head = struct.pack("<Q", len(content))
    checks = [struct.pack("<I", masked_crc32c(part)) for part in (head, content)]
    return head + checks[0] + content + checks[1]
