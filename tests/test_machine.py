"""What counts as a GPU: programs named nvidia-smi that answer in different ways."""

import pytest

from flexunet.machine import this_machine, visible_gpus

TWO = "echo 81559\necho 24576"
NONE = "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'"


@pytest.fixture
def program(tmp_path):
    """A function from a shell script to a program nvidia-smi that runs it."""

    def write(script):
        file = tmp_path / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return str(file)

    return write


@pytest.mark.parametrize(
    ("script", "visible", "gpus"),
    [
        (TWO, None, (79.6, 24.0)),
        (TWO, "1", (24.0,)),
        (TWO, "1,7,0", (24.0,)),
        (TWO, "GPU-1f2e", (79.6, 24.0)),
        (TWO, "", ()),
        (TWO, "-1", ()),
        (TWO, "0,-1,1", (79.6,)),
        ("echo '[N/A]'", None, (None,)),
        (f"{NONE}; exit 9", None, ()),
        (f"{TWO}; exit 9", None, ()),
        ("exit 0", None, ()),
        ("echo No devices were found", None, ()),
    ],
)
def test_gpus_are_those_that_the_driver_lists_and_the_process_may_use(program, script, visible, gpus):
    assert visible_gpus(program(script), visible) == gpus


def test_a_file_that_is_no_program_lists_nothing(tmp_path):
    (tmp_path / "nvidia-smi").write_text("no program")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert visible_gpus(str(tmp_path / "nvidia-smi"), None) == ()


def test_the_machine_has_a_gpu_only_where_one_can_be_used(program, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(program(TWO)).removesuffix("/nvidia-smi"), prepend=":")
    machine = this_machine()
    assert (machine.has_gpu, machine.gpu_memory) == (True, 24.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not this_machine().has_gpu
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    visible_gpus.cache_clear()
    program(f"{NONE}; exit 9")
    assert not this_machine().has_gpu
    visible_gpus.cache_clear()
