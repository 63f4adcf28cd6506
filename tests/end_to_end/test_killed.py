"""Training through the command line, killed at random moments, ends as if nothing had happened."""

import importlib.util
import os
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("crash", Path(__file__).parents[2] / "benchmarks" / "crash.py")
crash = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(crash)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # seven processes, each of which starts an engine
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.bfloat16
def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    killed, differing = crash.kill_runs(tmp_path, kills=3, seed=11, name="everything")
    assert killed.total() == 3
    assert differing == []
