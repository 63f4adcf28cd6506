"""The exception tree. The command line prints the message alone and exits with `exit_code`.

    FlexUNetError                 exit 1   something failed that was not the user's input
      EngineError                 exit 1   no engine installed, or the engine gave up
      DivergedError               exit 1   the loss of a training run is no longer a number
      ParityError                 exit 1   an exported model does not predict as its run does
      PeerError                   exit 1   another system on the network refuses, hangs or is not there
      OutOfMemoryError            exit 2   the batch or the image does not fit: a setting to change
      InputError                  exit 2   what was given cannot be used
        ConfigError                        a section, key or value of the configuration
        PathError                          a file or folder that is missing, empty or not writable
        RunLockedError                     a folder that another run writes
        ImageError                         an image file that cannot be read or has the wrong form
        MaskError                          a mask file: colours off the map, wrong size or type
        PairingError                       images without masks, masks without images
        ShapeError                         arrays whose shapes do not fit each other or the model
        WeightsError                       a weights file that does not fit the configured model
        DatasetError                       a data set, split or manifest that contradicts itself

A message says what was expected, what was found and what to do, and names the file or key. What it quotes
comes from elsewhere: `printable` is the one function through which it reaches a terminal or a log.
"""

import io
import logging
import os
import re
import shlex
import sys
import threading
import traceback
import warnings
from pathlib import Path
from types import TracebackType
from typing import TextIO

_ON_WINDOWS = os.name == "nt"


class FlexUNetError(Exception):
    """Root of every error that FlexUNet raises on purpose.

    Its text says what was expected, what was found and what to do; `exit_code` is that of the command line.

    Examples:
        >>> try:
        ...     flexunet.load_config("no_such.toml")
        ... except flexunet.FlexUNetError as error:
        ...     print(type(error).__name__, error.exit_code)
        PathError 2
    """

    exit_code = 1


class EngineError(FlexUNetError):
    """No engine is installed, or the engine gave up."""


class DivergedError(FlexUNetError):
    """The loss of a training run is no longer a number; the best model so far is kept."""


class ParityError(FlexUNetError):
    """An exported model does not predict as its run does, and was not written."""


class PeerError(FlexUNetError):
    """Another system on the network refuses, does not answer, or is not there."""


class RunStoppedError(FlexUNetError):
    """A training run was asked to stop by a signal; its checkpoint is written."""

    exit_code = 130


class OutOfMemoryError(FlexUNetError):
    """A batch or an image needs more memory than the machine has."""

    exit_code = 2


class InputError(FlexUNetError):
    """What the user gave cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """A section, key or value of the configuration is unknown or unreadable."""


class PathError(InputError):
    """A file or folder is missing, empty or not writable."""


class RunLockedError(InputError):
    """Another run is at work in this folder."""


class ImageError(InputError):
    """An image file cannot be read or has the wrong form."""


class MaskError(InputError):
    """A mask file has colours off the map, or the wrong size or type."""


class PairingError(InputError):
    """Images without masks, or masks without images."""


class ShapeError(InputError):
    """Array shapes do not fit each other or the model."""


class WeightsError(InputError):
    """A weights file does not fit the configured model."""


class DatasetError(InputError):
    """A data set, split or manifest contradicts itself."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun in singular or plural.

    Args:
        count: The number.
        noun: The noun in singular.
        plural: Its plural, where that is not the singular with an s.

    >>> counted(1, "patient"), counted(0, "patient"), counted(2, "copy", "copies")
    ('1 patient', '0 patients', '2 copies')
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def typed(path: Path | str) -> str:
    """A path as it is typed in a command: in quotes where it holds blanks or signs of the shell.

    >>> typed("data/films")
    'data/films'
    """
    text = str(path)
    if not _ON_WINDOWS:
        return shlex.quote(text)
    return text if re.fullmatch(r"[\w@%+=:./\\-]+", text) else f'"{text}"'


def printable(text: str) -> str:
    """Text for a terminal: what could steer it, or has no letters, as an escape.

    File names and headers come from elsewhere, and may hold anything.
    """
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


class PrintableFormatter(logging.Formatter):
    """Log lines, tracebacks in them too, that cannot steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return printable(super().format(record))


def shield_output() -> None:
    """Let what libraries print of a file pass through `printable` too: warnings, log lines and tracebacks.

    Letters that the console cannot show, such as é where it has code page 932, are written as escapes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    sys.excepthook = _show_exception
    threading.excepthook = lambda told: _show_exception(told.exc_type, told.exc_value, told.exc_traceback)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PrintableFormatter())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    stream = file or sys.stderr
    if stream is not None:
        stream.write(printable(warnings.formatwarning(message, category, filename, lineno, line)))


def _show_exception(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if sys.stderr is not None and not issubclass(kind, SystemExit):
        sys.stderr.write(printable("".join(traceback.format_exception(kind, error, trace))))
