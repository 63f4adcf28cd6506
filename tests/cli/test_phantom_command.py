import json

from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.data.dataset.folder import DatasetFolder
from flexunet.data.images.files.header import image_size
from flexunet.errors import PathError


def run(*arguments):
    return CliRunner().invoke(app, ["phantom", *map(str, arguments)], catch_exceptions=True)


def test_data_set(tmp_path):
    result = run(tmp_path / "ds", "--patients", 3, "--width", 48, "--height", 64, "--json")
    document = json.loads(result.stdout)
    assert document["films"] == 12
    folder = DatasetFolder(tmp_path / "ds")
    assert folder.splits == ["train", "valid", "test"]
    assert image_size(folder.pairs("train")[0].image_path) == (48, 64)
    assert isinstance(run(tmp_path / "ds").exception, PathError)


def test_raw_films(tmp_path):
    result = run(tmp_path / "raw", "--raw", "--patients", 1, "--width", 320, "--height", 180)
    assert result.exit_code == 0, result.output
    assert "4 films of 1 patient in" in result.stdout
    assert len(list((tmp_path / "raw_masks").glob("*.png"))) == 4
