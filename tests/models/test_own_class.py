"""Classes of one's own: the documented example, the published styles, entry points, and what is refused."""

import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from flexunet.cli import app
from flexunet.config.files import load_config, save_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.models.base import ConfigParser, FlexModel
from flexunet.models.registry import build_model

PAGE = Path(__file__).parents[2] / "docs/your-own-model.md"


@pytest.fixture(autouse=True)
def forget_modules():
    """Modules of one test are not those of the next."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("thin_unet", "mine", "evil")):
            del sys.modules[name]


@pytest.fixture
def example(tmp_path):
    """The page's example, as files."""
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "thin_unet.py").write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    (tmp_path / "thin.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    return tmp_path / "thin.toml"


def written(folder, body, name="mine"):
    (folder / f"{name}.py").write_text("import keras\nfrom flexunet.models.base import *\n" + body)
    config = folder / "own.toml"
    config.write_text(f'[model]\nmodel = "{name}:Net"\nimage_width = 8\nimage_height = 8\n')
    return config


def test_the_documented_example_runs(example):
    model = build_model(load_config(example))
    assert model.output_shape == (None, 64, 64, 2)
    # base_filters = 4 from the file, not the class's 8; growth = 3 from [model] own, not its 2.
    kernels = [layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [tuple(shape) for shape in kernels[:2]] == [(3, 3, 3, 4), (3, 3, 4, 12)]
    probabilities = np.array(model(np.zeros((1, 64, 64, 3))))
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)
    result = CliRunner().invoke(app, ["inspect", str(example), "--json"])
    assert result.exit_code == 0
    assert '"output_shape"' in result.stdout


def test_a_saved_configuration_keeps_the_keys_of_the_class(example, tmp_path):
    save_config(load_config(example), tmp_path / "run/config.toml")
    again = load_config(tmp_path / "run/config.toml")
    assert again.model.own == {"growth": 3}


def test_a_published_config_file_keeps_its_own_keys(tmp_path):
    config = written(tmp_path, "class Net(FlexModel):\n    pass\n").with_suffix(".config")
    config.write_text('[model]\nmodel = "mine:Net"\ngrowth = 5\nstages = (1, 2)\n')
    loaded = load_config(config)
    assert loaded.model.own == {"growth": 5, "stages": (1, 2)}
    assert sum("handed to mine:Net" in note for note in loaded.notes) == 2
    parser = ConfigParser(loaded)
    assert parser.get(ConfigParser.MODEL, "growth", dvalue=2) == 5


def test_what_a_class_reads():
    parser = FlexModel(Config(model={"base_filters": 4})).config
    assert parser.get("model", "base_filters", dvalue=99) == 4
    assert parser.get("model", "num_layers", dvalue=99) == 99
    assert parser.get("model", "num_layers") == Config().model.num_layers
    assert parser.get("model", "nothing_like_it", dvalue="x") == "x"
    assert parser.get(ConfigParser.EVAL, "images_dir") is None


def test_the_older_published_style(tmp_path):
    body = """
class Net(TensorflowUNet):
    def create(self, num_classes, image_height, image_width, image_channels, base_filters=16, num_layers=5):
        image = keras.Input((image_height, image_width, image_channels))
        x = keras.layers.Conv2D(base_filters, 3, padding="same")(image)
        return keras.Model(image, keras.layers.Conv2D(num_classes, 1, activation="softmax")(x))
"""
    config = load_config(written(tmp_path, body), ["model.base_filters=3"])
    assert build_model(config).layers[1].filters == 3


def test_a_class_of_an_installed_package(tmp_path, monkeypatch):
    body = """
class Net:
    def create_model(self):
        image = keras.Input((8, 8, 3))
        return keras.Model(image, keras.layers.Conv2D(2, 1, activation="softmax")(image))
"""
    config = written(tmp_path, body)
    config.write_text(config.read_text().replace("mine:Net", "my-net"))
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flexunet.models]\nmy-net = mine:Net\n")
    with pytest.raises(ConfigError, match="'my-net' is not a model"):
        build_model(load_config(config))
    monkeypatch.syspath_prepend(tmp_path)
    assert build_model(load_config(config)).output_shape == (None, 8, 8, 2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class Other: pass", "no class Net with a method create_model"),
        ("class Net: pass", "no class Net with a method create_model"),
        ("class Net(FlexModel): pass", "has neither create_model"),
        ("class Net:\n    def create_model(self): return 3", "returned int; expected a keras.Model"),
        (
            "class Net:\n    def create_model(self):\n        x = keras.Input((8, 8, 3))\n"
            "        return keras.Model(x, keras.layers.Conv2D(4, 1)(x))",
            r"its output has the shape \(None, 8, 8, 4\); the configuration asks for \(None, 8, 8, 2\)",
        ),
        (
            "class Net:\n    def create_model(self):\n        x = keras.Input((16, 16, 3))\n"
            "        return keras.Model(x, keras.layers.Conv2D(2, 1)(x))",
            "its input has the shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, body, message):
    with pytest.raises(ConfigError, match=message):
        build_model(load_config(written(tmp_path, body)))


@pytest.mark.parametrize(
    "name", ["mine", "mine:", "nowhere_at_all:Net", "mine:Net; import os", "os.path:../x"]
)
def test_names_that_are_no_class(tmp_path, name):
    with pytest.raises(ConfigError):
        build_model(Config(model={"model": name}))


def test_checking_a_configuration_imports_nothing(tmp_path):
    proof = tmp_path / "proof"
    config = written(tmp_path, f"open({str(proof)!r}, 'w').close()\nclass Net: pass\n", name="evil")
    result = CliRunner().invoke(app, ["config", "check", str(config)])
    assert result.exit_code == 0
    assert not proof.exists()
    with pytest.raises(ConfigError):
        build_model(load_config(config))
    assert proof.exists()
