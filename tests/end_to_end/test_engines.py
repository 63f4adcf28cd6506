"""TensorFlow, JAX and PyTorch, each in its process, from one file of weights."""

import argparse
import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("engines", Path(__file__).parents[2] / "benchmarks/engines.py")
engines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(engines)


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(engine) is None for engine in engines.ENGINES),
    reason="not all three engines are installed",
)
def test_one_configuration_on_three_engines(tmp_path):
    options = argparse.Namespace(size=16, filters=4, layers=2, steps=2, loss="categorical_crossentropy")
    result = engines.compare(tmp_path, options)
    assert engines.failures(result) == []
    # Losses were computed, and nine pairs of either kind of file were read.
    assert all(0.1 < losses[0] < 2 and losses[1] != losses[0] for losses in result["losses"].values())
    assert [len(by_writer) for found in result["differences"].values() for by_writer in found.values()] == [
        3
    ] * 6
