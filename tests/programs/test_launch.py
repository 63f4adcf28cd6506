"""What the launcher refuses before it starts a process; the rest is in end_to_end/test_processes.py."""

from contextlib import nullcontext

import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError, EngineError
from flexunet.membership import choose_memberships
from flexunet.programs.launch import launch_training

TWO = choose_memberships(2, None, None, None)


def test_another_engine_is_refused_with_what_to_set(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(EngineError, match="KERAS_BACKEND=jax"):
        launch_training(Config(), ["train"], TWO, nullcontext)


def test_a_batch_that_does_not_divide_is_refused_with_the_nearest(monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ConfigError, match=r"batch_size = 5 is not divisible by the 2 processes.*4 or 6"):
        launch_training(Config(train={"batch_size": 5}), ["train"], TWO, nullcontext)
