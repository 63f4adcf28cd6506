"""What the engine says reaches the user where it is of use to them."""

import logging

from flexunet.models.engine import start_engine


def test_advice_on_tracing_is_held_back_and_all_else_is_not(caplog):
    start_engine()
    logger = logging.getLogger("tensorflow")
    logger.warning("5 out of the last 12 calls to %s triggered tf.function retracing. ...", "step")
    logger.warning("the disk is full")
    told = [record.getMessage() for record in caplog.records]
    assert "the disk is full" in told
    assert not any("retracing" in text for text in told)
