"""Models by their published and short names."""

import csv
import re
from pathlib import Path

import keras
import pytest

from flexunet.config.architectures import ARCHITECTURES, find_architecture
from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.models.registry import build_model

SMALL = {"image_width": 16, "image_height": 16, "num_layers": 2, "base_filters": 2}


@pytest.mark.parametrize(
    "name",
    ["TensorFlowFlexUNet", "TensorflowUNet", "TensorflowSlightlyFlexibleUNet", "flexunet", "Flex-UNet"],
)
def test_flexunet_by_every_name(name):
    model = build_model(Config(model={"model": name, **SMALL}))
    assert model.name == "flexunet"
    assert model.output_shape == (None, 16, 16, 2)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("TensorFlowFlexAttentionUNet", "attention-unet"),
        ("TensorflowAttentionUNet", "attention-unet"),
        ("attention_unet", "attention-unet"),
        ("TensorFlowFlexDeepLabV3Plus", "deeplabv3plus"),
        ("TensorFlowFlexEfficientNetB7UNet", "efficientnetb7-unet"),
        ("TensorflowEfficientUNet", "efficient-unet"),
        ("TensorFlowFlexMultiResUNet", "multires-unet"),
        ("TensorFlowFlexSharpUNet", "sharp-unet"),
        ("TensorFlowFlexSwinUNet", "swin-unet"),
        ("TensorFlowFlexTransUNet", "trans-unet"),
        ("TensorFlowFlexU2Net", "u2net"),
        ("TensorFlowFlexUNet3Plus", "unet3plus"),
    ],
)
def test_siblings_are_known_by_name(name, short):
    assert find_architecture(name).name == short


def test_every_published_model_name_is_known(reference):
    known = {name.lower() for entry in ARCHITECTURES for name in entry.published}
    with (reference / "configs/INDEX.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    named = {cell.lower() for cell in cells if re.fullmatch(r"Tensor[Ff]low\w*Net\w*", cell)}
    assert {"tensorflowflexunet", "tensorflowunet", "tensorflowu2net"} <= named
    assert named <= known


def test_a_size_that_does_not_fit_is_refused_by_every_name():
    for name in ("flexunet", "flex-unet", "TensorFlowFlexUNet"):
        with pytest.raises(ConfigError, match="image_width"):
            build_model(Config(model={**SMALL, "model": name, "image_width": 17}))


def test_the_page_has_the_rows():
    """docs/models-zoo.md: name, keys, sizes and source of each, in order."""
    page = (Path(__file__).parents[2] / "docs/models-zoo.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([\w-]+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert [(name, re.sub(r" \(.*?\)", "", keys), sizes, source) for name, keys, sizes, source in table] == [
        (row.name, ", ".join(row.keys), row.sizes, row.source) for row in ARCHITECTURES
    ]


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'flexunet'"):
        build_model(Config(model={"model": "TensorFlowFlexUNte", **SMALL}))


@pytest.mark.engines
def test_precision_holds_for_the_model_alone():
    model = build_model(Config(model=SMALL), policy="mixed_bfloat16")
    assert model.get_layer("conv2d").compute_dtype == "bfloat16"
    assert model.layers[-1].compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
