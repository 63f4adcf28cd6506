"""One run a folder: the second is refused until the first has ended, however it ended."""

import json
import os
import subprocess
import sys

import pytest

from flexunet.errors import PathError, RunLockedError
from flexunet.locks import locked_output, locked_run

HOLD = """
import pathlib, sys, time
from flexunet.locks import {0} as held
with held(pathlib.Path(sys.argv[1]), **{1}):
    print("held", flush=True)
    time.sleep(600)
"""
# What holds a folder, and where it says who does.
KINDS = [
    (locked_run, {}, "out/checkpoints/running.json", "trains there.*--run"),
    (locked_output, {}, "out/.running.json", "writes there.*choose another folder"),
    (locked_output, {"beside": True}, ".out.running.json", "writes there.*choose another folder"),
]


@pytest.mark.parametrize(("held", "how", "holder", "message"), KINDS)
def test_a_second_run_is_refused_until_the_first_dies(tmp_path, held, how, holder, message):
    out, holder = tmp_path / "out", tmp_path / holder
    code = HOLD.format(held.__name__, how)
    first = subprocess.Popen([sys.executable, "-c", code, out], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        named = rf"out is in use: process {first.pid} on .*, started \d{{4}}-.*{message}"
        with pytest.raises(RunLockedError, match=named), held(out, **how):
            pass
    finally:
        first.kill()
        first.communicate()
    # What the killed one left says nothing: the lock went with it.
    assert holder.is_file()
    with held(out, **how):
        assert json.loads(holder.read_text())["pid"] == os.getpid()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["{0}", "%s", "乳房表示"])
def test_folders_are_named_as_they_are(tmp_path, name):
    with (
        locked_output(tmp_path / name),
        pytest.raises(RunLockedError) as refused,
        locked_output(tmp_path / name),
    ):
        pass
    assert f"{tmp_path / name} is in use: process {os.getpid()} on " in str(refused.value)


@pytest.mark.parametrize("held", [locked_run, locked_output])
def test_a_file_in_place_of_the_folder_is_explained(tmp_path, held):
    (tmp_path / "run").write_text("")
    with pytest.raises(PathError, match="is a file, not a folder"), held(tmp_path / "run"):
        pass
