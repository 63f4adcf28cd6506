"""The public names of the package: which there are, that each is documented, and that its example runs."""

import doctest
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import flexunet
from flexunet.data.phantom.dataset import write_phantom_dataset

NAMES = [
    "Config",
    "ColorMap",
    "FlexUNetError",
    "Pair",
    "Predictor",
    "audit_dataset",
    "augment",
    "build_model",
    "evaluate",
    "find_pairs",
    "load_config",
    "mask_of",
    "plan_split",
    "plan_training",
    "read_dicom",
    "read_image",
    "read_mask",
    "register_loss",
    "register_metric",
    "register_operation",
    "score_folders",
    "score_image",
    "show_progress",
    "train",
    "write_mask",
    "write_split",
]
CONFIG = """
[model]
image_width = 64
image_height = 64
image_channels = 1
base_filters = 4
num_layers = 3
learning_rate = 0.003

[train]
images_dir = "dataset/train/images"
masks_dir = "dataset/train/masks"
run_dir = "run"
epochs = 1
num_infer_images = 0
precision = "float32"

[valid]
images_dir = "dataset/valid/images"
masks_dir = "dataset/valid/masks"

[test]
images_dir = "dataset/test/images"
masks_dir = "dataset/test/masks"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_dicom):
    """What the examples find: a data set, a configuration, a trained run and a DICOM file."""
    folder = tmp_path_factory.mktemp("project")
    write_phantom_dataset(
        folder / "dataset", patients=5, splits={"train": 0.6, "valid": 0.2, "test": 0.2}, width=64, height=64
    )
    (folder / "mammogram.toml").write_text(CONFIG)
    first = next((folder / "dataset/train/images").iterdir()).name
    shutil.copy(folder / "dataset/train/images" / first, folder / "film.png")
    shutil.copy(folder / "dataset/train/masks" / first, folder / "mask.png")
    film = flexunet.read_image(folder / "film.png", channels=1)[..., 0]
    write_dicom(folder / "film.dcm", film, PixelSpacing=[0.1, 0.1])
    flexunet.train(folder / "mammogram.toml")
    return folder


def test_the_public_names_are_these():
    assert sorted(flexunet.__all__) == sorted([*NAMES, "__version__"])
    assert dir(flexunet) == flexunet.__all__
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flexunet.no_such_name


def test_the_modules_of_the_public_names_are_checked_strictly():
    root = Path(__file__).parents[1]
    stub = (root / "src/flexunet/__init__.pyi").read_text()
    (strict,) = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    assert {f"flexunet.{name}" for name in re.findall(r"(?m)^from \.([\w.]+) import", stub)} == set(
        strict["module"]
    )


def test_importing_the_package_loads_none_of_what_the_names_need():
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'cv2', 'pydantic', 'matplotlib', 'typer'}"
    code = f"import sys, flexunet; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_documented_by_an_example_that_runs(name, project, monkeypatch):
    public = getattr(flexunet, name)
    finder = doctest.DocTestFinder(recurse=inspect.isclass(public))
    module = importlib.import_module(public.__module__)
    found = [test for test in finder.find(public, name, module=module) if test.examples]
    assert found, f"{name} has no example"
    monkeypatch.chdir(project)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    for test in found:
        test.globs = {"flexunet": flexunet}
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_the_example_of_the_package_runs(project, monkeypatch):
    monkeypatch.chdir(project)
    assert doctest.testmod(flexunet).failed == 0


def test_a_function_with_a_shape_says_so():
    for name in ("read_image", "read_mask", "mask_of", "score_image", "build_model"):
        doc = inspect.getdoc(getattr(flexunet, name))
        assert "(H, W" in doc or "(N, H, W" in doc or "(..., C)" in doc, name
        assert "Raises:" in doc or name == "mask_of", name
