"""The command line, as the tests of whole projects call it."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from flexunet.cli import main


@pytest.fixture(scope="session")
def flexunet():
    """The command line: `flexunet("train", file)`, in this process or `alone` in one of its own."""
    return _flexunet


def _flexunet(*arguments, check=True, alone=False):
    """The command line: in this process, or in one of its own."""
    command = ["flexunet", *map(str, arguments)]
    if alone:
        answer = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    else:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", command)
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
        answer = subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
    if check:
        assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr
    return answer
