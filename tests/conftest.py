"""Fixtures for all tests: the shared reference data, and what makes runs repeatable."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory):
    """Decoded images go to a folder of this test session, not to the user's."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference and real data beside the project."""
    if not SHARED.is_dir():
        message = f"the reference data is not here: {SHARED} is missing"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Inputs and outputs of the published system."""
    return shared / "reference"


@pytest.fixture(scope="session")
def mammograms(shared: Path) -> Path:
    """Real mammograms with masks."""
    return shared / "data"
