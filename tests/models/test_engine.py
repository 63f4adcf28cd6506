"""What the engine says reaches the user where it is of use to them."""

import logging

from flexunet.models.engine import start_engine


def test_advice_on_tracing_is_held_back_and_all_else_is_not(monkeypatch):
    start_engine()
    logger, told = logging.getLogger("tensorflow"), []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    # TensorFlow cuts its logger off from those above, and may have raised its level.
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.WARNING)
    monkeypatch.setattr(logger, "_cache", {})
    logger.warning("5 out of the last 12 calls to %s triggered tf.function retracing. ...", "step")
    logger.warning("the disk is full")
    assert told == ["the disk is full"]
