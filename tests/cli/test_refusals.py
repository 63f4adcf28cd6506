"""What needs no engine is refused before one is started, which takes seconds."""

import subprocess
import sys

import numpy as np
import pytest

from flexunet.data.images.files.write import write_image
from flexunet.locks import locked_output, locked_run

CONFIG = """
[model]
image_width = 32
image_height = 32
num_layers = 2
base_filters = 2
[train]
images_dir = "data/images"
masks_dir = "data/masks"
run_dir = "run"
[valid]
images_dir = "data/images"
masks_dir = "data/masks"
[test]
images_dir = "data/images"
masks_dir = "data/masks"
[infer]
images_dir = "data/images"
output_dir = "predictions"
"""
NO_MODEL = "no trained model in"
NO_IMAGES = "nowhere does not exist"
REFUSED = [
    ("train missing.toml", "no such file or folder"),
    ("train own.toml --set train.images_dir='nowhere'", NO_IMAGES),
    ("train own.toml --set valid.masks_dir='nowhere'", NO_IMAGES),
    ("train own.toml --set model.initial_weights='nowhere.h5'", "neither a run folder nor a weights file"),
    ("train own.toml --run held", "held is in use: process"),
    ("evaluate own.toml", NO_MODEL),
    ("evaluate own.toml --set test.images_dir='nowhere'", NO_IMAGES),
    ("infer own.toml", NO_MODEL),
    ("infer own.toml --engine openvino", NO_MODEL),
    ("infer own.toml nowhere", NO_IMAGES),
    ("infer own.toml --set infer.output_dir='held'", "held_lesions is in use: process"),
    ("tiledinfer own.toml --set tiledinfer.images_dir='data/images'", NO_MODEL),
    ("export own.toml --to openvino", NO_MODEL),
    ("export own.toml --to h5", NO_MODEL),
    ("export own.toml --to onnx --out data", "data exists"),
    ("export own.toml --to keras --out own.keras", "own.keras exists"),
    ("serve own.toml --port 0", NO_MODEL),
    ("infer pointer.toml", "best_model.keras holds no weights: it is a Git-LFS pointer (55 bytes)"),
    ("evaluate pointer.toml", "run `git lfs pull`"),
    ("export pointer.toml --to onnx", "run `git lfs pull`"),
    ("serve pointer.toml --port 0", "run `git lfs pull`"),
    ("import-weights nowhere.h5 own.toml imported", "no weights file nowhere.h5"),
    ("import-weights page.h5 own.toml imported", "page.h5 holds no weights: it is a web page"),
    ("import-weights own.keras own.toml pointer", "exists: import into a new folder"),
    ("train own.toml --set model.initial_weights='page.h5'", "page.h5 holds no weights: it is a web page"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for number in range(2):
        write_image(folder / "data" / "images" / f"{number}.png", np.full((32, 32), number, np.uint8))
        write_image(folder / "data" / "masks" / f"{number}.png", np.zeros((32, 32), np.uint8))
    (folder / "own.toml").write_text(CONFIG)
    (folder / "own.keras").touch()
    (folder / "page.h5").write_text("<!DOCTYPE html><html><title>Virus scan warning</title></html>")
    (folder / "pointer" / "models").mkdir(parents=True)
    pointer = "version https://git-lfs.github.com/spec/v1\nsize 123456\n"
    (folder / "pointer" / "models" / "best_model.keras").write_text(pointer)
    (folder / "pointer.toml").write_text(CONFIG.replace('"run"', '"pointer"'))
    with locked_run(folder / "held"), locked_output(folder / "run" / "held_lesions"):
        yield folder


@pytest.mark.parametrize(("command", "message"), REFUSED)
def test_refusals_need_no_engine(folder, command, message):
    code = (
        "import sys; from flexunet.cli import main; sys.argv = ['flexunet', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2, answer.stderr
    assert message in " ".join(answer.stderr.split())
    assert not {"keras", "tensorflow", "jax", "torch"} & set(answer.stdout.split())
