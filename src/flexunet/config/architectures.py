"""The architectures that `[model] model` may name: one row each.

A row is plain data, so that checks and pages read it without an engine; `models/zoo/MODULE.py` builds it
(`models/registry.py` imports that module when it is asked for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flexunet.config.nearest import nearest
from flexunet.errors import ConfigError


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Attributes:
        name: Short name, `attention-unet`.
        published: Further names, those of published configurations, the newer dialect first.
        module: Module of `models/zoo` with `build(config)`.
        title: A few words for lists.
        source: Whose it is.
        keys: Keys of `[model]` that it reads, beside those that all read.
        sizes: What width and height must be multiples of.
        tried: Keys, with values, that are tried where a weights file does not fit; none where they are too
            many, or the layers of the file say them.
        one_channel: Whether the published class answers two classes by one sigmoid channel.
        constant_from: Classes from which on the published class answers 1.0 everywhere; none: it never does.
    """

    name: str
    published: tuple[str, ...]
    module: str
    title: str
    source: str
    keys: tuple[str, ...]
    sizes: str
    tried: Mapping[str, Sequence[Any]] | None = None
    one_channel: bool = False
    constant_from: int | None = None


def _published(stem: str) -> tuple[str, ...]:
    return (f"TensorFlowFlex{stem}", f"Tensorflow{stem}")


_HALVED = "2^(num_layers-1)"
_LEVELS: dict[str, Sequence[Any]] = {"num_layers": range(2, 9)}
_VARIANT: dict[str, Sequence[Any]] = {"variant": ("published", "paper")}

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "flexunet",
        ("TensorFlowFlexUNet", "TensorflowUNet", "TensorflowSlightlyFlexibleUNet", "unet"),
        "flexunet",
        "U-Net, all of it configurable",
        "Ronneberger 2015",
        (
            "base_filters",
            "num_layers",
            "base_kernels",
            "dilation",
            "dropout_rate",
            "max_filters",
            "normalization",
            "normalization_layer",
            "activation",
            "leaky_slope",
            "encoder_blocks",
            "blocks_per_level",
            "downsampling",
            "upsampling",
        ),
        _HALVED,
    ),
    Architecture(
        "attention-unet",
        _published("AttentionUNet"),
        "attention_unet",
        "U-Net with attention gates",
        "Oktay 2018",
        ("base_filters", "num_layers", "dropout_rate", "variant"),
        _HALVED,
        tried=_LEVELS | _VARIANT,
    ),
    Architecture(
        "deeplabv3plus",
        _published("DeepLabV3Plus"),
        "deeplab_v3_plus",
        "DeepLabV3+ on ResNet-50",
        "Chen 2018",
        ("weights",),
        "16, at least 32",
    ),
    Architecture(
        "efficientnetb7-unet",
        _published("EfficientNetB7UNet"),
        "efficientnet_b7_unet",
        "U-Net on EfficientNet-B7",
        "Tan 2019",
        ("weights",),
        "32",
        one_channel=True,
        constant_from=3,
    ),
    Architecture(
        "efficient-unet",
        _published("EfficientUNet"),
        "efficient_unet",
        "U-Net on EfficientNet-B0..B7",
        "Baheti 2020, Tan 2019",
        ("efficientnet", "weights"),
        "32",
        tried={"efficientnet": [f"B{size}" for size in range(8)]},
        one_channel=True,
    ),
    Architecture(
        "multires-unet",
        _published("MultiResUNet"),
        "multires_unet",
        "MultiResUNet",
        "Ibtehaz 2020",
        ("base_filters", "num_layers"),
        _HALVED,
        tried=_LEVELS,
    ),
    Architecture(
        "sharp-unet",
        _published("SharpUNet"),
        "sharp_unet",
        "U-Net with sharpened skips",
        "Zunair 2021",
        ("filters", "max_filter", "base_ksize", "dilation", "variant"),
        "2^(number of filters)",
        tried=_VARIANT,
    ),
    Architecture(
        "swin-unet",
        _published("SwinUNet"),
        "swin_unet",
        "Swin-Unet, shifted windows",
        "Cao 2021, Liu 2021",
        (
            "filter_num_begin",
            "depth",
            "stack_num_down",
            "stack_num_up",
            "patch_size",
            "num_heads",
            "window_size",
            "num_mlp",
            "shift_window",
        ),
        "patch_size x 2^(depth-1), and whole windows at each level",
    ),
    Architecture(
        "trans-unet",
        _published("TransUNet"),
        "trans_unet",
        "TransUNet, a transformer bottleneck",
        "Chen 2021",
        (
            "filter_num",
            "stack_num_down",
            "stack_num_up",
            "embed_dim",
            "num_transformer",
            "num_heads",
            "num_mlp",
            "activation",
            "mlp_activation",
            "batch_norm",
            "pool",
        ),
        "2^(levels-1)",
    ),
    Architecture(
        "u2net",
        _published("U2Net"),
        "u2net",
        "U2-Net, nested U-Nets",
        "Qin 2020",
        ("base_filters", "num_layers", "final_activation", "variant"),
        "2^(num_layers+1)",
        tried=_LEVELS | _VARIANT,
    ),
    Architecture(
        "unet3plus",
        _published("UNet3Plus"),
        "unet3plus",
        "UNet 3+, full-scale skips",
        "Huang 2020",
        ("base_filters", "dropout_rate"),
        "16",
        tried={},
        constant_from=1,
    ),
    Architecture(
        "unetplusplus",
        ("UNet++", "NestedUNet"),
        "unetplusplus",
        "UNet++, nested skips",
        "Zhou 2018",
        ("base_filters", "num_layers", "dropout_rate"),
        _HALVED,
        tried=_LEVELS,
    ),
    Architecture(
        "resenc-unet",
        ("ResEncUNet",),
        "resenc_unet",
        "nnU-Net's residual-encoder U-Net",
        "Isensee 2024",
        ("base_filters", "num_layers"),
        _HALVED,
        tried=_LEVELS,
    ),
    Architecture(
        "linknet",
        ("LinkNet",),
        "linknet",
        "LinkNet, skips are added",
        "Chaurasia 2017",
        ("base_filters", "num_layers"),
        _HALVED,
        tried=_LEVELS,
    ),
)


def folded(name: str) -> str:
    """A name as names are compared: case, `-` and `_` do not matter."""
    return name.strip().lower().replace("-", "").replace("_", "")


BY_NAME = {folded(name): row for row in ARCHITECTURES for name in (row.name, *row.published)}


def find_architecture(name: str) -> Architecture:
    """The architecture of a published or short name; case, `-` and `_` do not matter.

    Raises:
        ConfigError: if there is none of that name.
    """
    row = BY_NAME.get(folded(name))
    if row is None:
        near = nearest(folded(name), BY_NAME)
        guess = f" Did you mean '{BY_NAME[near].name}'?" if near else ""
        raise ConfigError(
            f"[model] model = '{name}' is not a model.{guess} Available: "
            f"{', '.join(row.name for row in ARCHITECTURES)}; "
            "or a class of your own as 'package.module:Class'."
        )
    return row
