"""Which engine Keras runs on: chosen once, before Keras is imported, and named when none is installed."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from flexunet.errors import EngineError
from flexunet.extras import ENGINES, install_command, installed_engines


def choose_engine() -> str:
    """Settle on an engine: `KERAS_BACKEND` where it is set, else the first that is installed.

    Returns:
        "tensorflow", "jax" or "torch"; `KERAS_BACKEND` holds the same.

    Raises:
        EngineError: if none is installed, or the one asked for is not.
    """
    installed = installed_engines()
    wanted = os.environ.get("KERAS_BACKEND")
    if wanted and wanted not in ENGINES:
        raise EngineError(
            f"KERAS_BACKEND is '{wanted}'; FlexUNet runs on {', '.join(ENGINES)}: set it to one of these."
        )
    if wanted and wanted not in installed:
        raise EngineError(
            f"KERAS_BACKEND asks for {wanted}, which is not installed: "
            f"{install_command(wanted)}, or unset KERAS_BACKEND."
        )
    if not installed:
        raise EngineError(
            f"no engine is installed, and this command needs one: {install_command('tensorflow')} "
            "(or [jax] or [torch] in its place)."
        )
    engine = wanted or installed[0]
    os.environ["KERAS_BACKEND"] = engine
    # The engine's own start-up chatter hides our messages; a user who wants it sets the level first.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return engine


def start_engine() -> str:
    """Choose the engine and import it; what it has to say about itself is shown only if the import fails."""
    engine = choose_engine()
    # Several models in one process (`init --budget`, folds) are traced again on purpose.
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)
    if engine not in sys.modules:
        with _quiet():
            importlib.import_module(engine)
    return engine


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """Whether a log line is other than TensorFlow's advice to its programmers on `tf.function`."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what native code says on standard error: TensorFlow greets before it reads its log level."""
    try:
        kept = os.dup(2)
    except OSError:  # no standard error to hold back, as in a Windows service
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
