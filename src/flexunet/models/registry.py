"""Models by name: `build_model(config)` builds what `[model] model` names.

An architecture is one row below and one module with a function `build(config) -> keras.Model`. A module
is imported only when its architecture is asked for; a row whose module is not there yet is a name only.
A class of one's own is named `my_package.my_module:MyUNet`, or registered by a package (own_class.py).
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import keras

from flexunet.errors import ConfigError
from flexunet.models.quick_draws import no_draws, quick_draws

if TYPE_CHECKING:
    from flexunet.config.schema import Config


@dataclass(frozen=True)
class Architecture:
    """One architecture: its names, and where it is built.

    Attributes:
        name: Short name, `attention-unet`.
        published: Names in published configurations, the newer dialect first.
        module: Module of this package with `build(config)`.
        title: A few words for lists.
    """

    name: str
    published: tuple[str, ...]
    module: str
    title: str

    @property
    def is_available(self) -> bool:
        """Whether its module is part of this version."""
        return importlib.util.find_spec(f"flexunet.models.zoo.{self.module}") is not None

    def build(self, config: Config) -> keras.Model:
        """Build it from a configuration, in the precision that is in force."""
        return self._module().build(config)

    @property
    def has_decoder_maps(self) -> bool:
        """Whether its decoder has levels that can learn from the mask at their own size."""
        return hasattr(self._module(), "decoder_maps")

    def decoder_maps(self, config: Config) -> list[str]:
        """The last layers of these levels as configured, finest first; the level of the answer is none."""
        return self._module().decoder_maps(config) if self.has_decoder_maps else []

    def _module(self) -> ModuleType:
        return importlib.import_module(f"flexunet.models.zoo.{self.module}")


def _published(stem: str) -> tuple[str, ...]:
    return (f"TensorFlowFlex{stem}", f"Tensorflow{stem}")


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "flexunet",
        ("TensorFlowFlexUNet", "TensorflowUNet", "TensorflowSlightlyFlexibleUNet", "unet"),
        "flexunet",
        "U-Net, all of it configurable",
    ),
    Architecture(
        "attention-unet", _published("AttentionUNet"), "attention_unet", "U-Net with attention gates"
    ),
    Architecture("deeplabv3plus", _published("DeepLabV3Plus"), "deeplab_v3_plus", "DeepLabV3+ on ResNet-50"),
    Architecture(
        "efficientnetb7-unet",
        _published("EfficientNetB7UNet"),
        "efficientnet_b7_unet",
        "U-Net on EfficientNet-B7",
    ),
    Architecture(
        "efficient-unet", _published("EfficientUNet"), "efficient_unet", "U-Net on EfficientNet-B0..B7"
    ),
    Architecture("multires-unet", _published("MultiResUNet"), "multires_unet", "MultiResUNet"),
    Architecture("sharp-unet", _published("SharpUNet"), "sharp_unet", "U-Net with sharpened skips"),
    Architecture("swin-unet", _published("SwinUNet"), "swin_unet", "Swin-Unet, shifted windows"),
    Architecture("trans-unet", _published("TransUNet"), "trans_unet", "TransUNet, a transformer bottleneck"),
    Architecture("u2net", _published("U2Net"), "u2net", "U2-Net, nested U-Nets"),
    Architecture("unet3plus", _published("UNet3Plus"), "unet3plus", "UNet 3+, full-scale skips"),
    Architecture("unetplusplus", ("UNet++", "NestedUNet"), "unetplusplus", "UNet++, nested skips"),
    Architecture("resenc-unet", ("ResEncUNet",), "resenc_unet", "nnU-Net's residual-encoder U-Net"),
)


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


_BY_NAME = {_folded(name): entry for entry in ARCHITECTURES for name in (entry.name, *entry.published)}


def find_architecture(name: str) -> Architecture:
    """The architecture of a published or short name; case, `-` and `_` do not matter.

    Raises:
        ConfigError: if there is none of that name, or it is not part of this version.
    """
    found = _BY_NAME.get(_folded(name))
    available = ", ".join(entry.name for entry in ARCHITECTURES if entry.is_available)
    if found is None:
        near = difflib.get_close_matches(_folded(name), _BY_NAME, n=1, cutoff=0.6)
        guess = f" Did you mean '{_BY_NAME[near[0]].name}'?" if near else ""
        raise ConfigError(
            f"[model] model = '{name}' is not a model.{guess} Available: {available}; "
            "or a class of your own as 'package.module:Class'."
        )
    if not found.is_available:
        raise ConfigError(
            f"[model] model = '{name}' ({found.title}) is not available in this version; "
            f"available: {available}."
        )
    return found


def build_model(config: Config, *, policy: str | None = None, drawn: bool = True) -> keras.Model:
    """Build the model that `[model] model` names.

    Args:
        config: The configuration.
        policy: Precision of the layers, such as "mixed_bfloat16"; none: the one in force.
        drawn: Whether weights are drawn; else they are zeros, to be filled from a file.

    Returns:
        A model from images `(N, H, W, C)` in 0..255 to float32 probabilities `(N, H, W, num_classes)`.

    Raises:
        ConfigError: if the name is unknown, or the model cannot be built as configured.

    Example:
        >>> model = flexunet.build_model(flexunet.load_config("mammogram.toml"))
        >>> model.input_shape, model.output_shape
        ((None, 64, 64, 1), (None, 64, 64, 2))
    """
    name = config.model.model.strip()
    with _precision(policy), quick_draws() if drawn else no_draws():
        if own := own_class_of(name):
            from flexunet.models.own_class import build_own

            return build_own(config, own)
        return find_architecture(name).build(config)


def decoder_maps(config: Config) -> list[str]:
    """Layers of the configured model that can carry heads in training; none for a class of one's own."""
    name = config.model.model.strip()
    return [] if own_class_of(name) else find_architecture(name).decoder_maps(config)


def own_class_of(name: str) -> str | None:
    """The class `module:Class` that a name stands for, written so or registered by a package; else none."""
    if ":" in name:
        return name
    if _folded(name) in _BY_NAME:
        return None
    from flexunet.models.own_class import registered_classes

    return registered_classes().get(name)


@contextmanager
def _precision(policy: str | None) -> Iterator[None]:
    before = keras.config.dtype_policy()
    if policy:
        keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
