"""The commands of docs/tutorial.md, one after the other, with fewer films and steps."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from flexunet.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
# What makes the page quick enough for a test.
QUICKER = {
    "--patients 24": "--patients 5 --width 640 --height 360",
    "--width 128 --height 128": "--width 64 --height 64",
    "init split --budget 5m": "init split",
}
SMALLER = {
    "base_filters": 4,
    "num_layers": 3,
    "deep_supervision": "false",
    "epochs": 1,
    "steps_per_epoch": 2,
    "warmup_steps": 0,
}


def test_the_tutorial_goes_from_raw_films_to_masks_of_new_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = re.findall(
        r"(?m)^flexunet (.*)$", "\n".join(re.findall(r"(?s)```sh\n(.*?)```", PAGE.read_text()))
    )
    assert len(commands) == 10
    for command in commands:
        if command.startswith("review"):  # a page for people; tests/review has it
            continue
        for shown, quick in QUICKER.items():
            command = command.replace(shown, quick)
        answer = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)
        assert answer.exit_code == 0, f"{command}\n{answer.output}"
        if command.startswith("init"):
            text = Path("split.toml").read_text()
            for key, value in SMALLER.items():
                text, changed = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
                assert changed == 1, key
            Path("split.toml").write_text(text)
    for path in re.findall(r"`((?:split_run|audit|derived|masks)/[\w./]+\.\w+)`", PAGE.read_text()):
        assert (tmp_path / path).is_file(), path
    images = {path.stem for path in (tmp_path / "split/test/images").iterdir()}
    assert {path.stem for path in (tmp_path / "masks").glob("*.png")} == images
