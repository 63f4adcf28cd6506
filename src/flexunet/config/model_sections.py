"""Sections that describe the model and the files it reads: model, dataset, image, mask."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from flexunet.config.section import (
    RGB,
    ColorOrder,
    Integers,
    OptionalColor,
    Pair,
    Positive,
    RgbMap,
    Section,
    Texts,
    input_path,
    tupled,
)

_PatchSize = Annotated[int | tuple[int, int], BeforeValidator(tupled)]
_Heads = Annotated[int | list[int], BeforeValidator(lambda v: list(v) if isinstance(v, tuple) else v)]


class ModelSection(Section):
    """The architecture, and how it is compiled."""

    model: str = "TensorFlowFlexUNet"
    """Architecture, by its published or its short name, or a class of your own as `module:Class`."""
    own: dict[str, Any] = Field(default={})
    """Keys that a model class of your own reads, such as `{growth = 12}`."""
    variant: Literal["published", "paper"] = "published"
    """Whether the architecture is built as the published system builds it, or as its paper describes it."""
    generator: bool = False
    """Whether training images are augmented as they are drawn."""
    image_width: Positive = 512
    """Width of the model's input, in pixels."""
    image_height: Positive = 512
    """Height of the model's input, in pixels."""
    image_channels: int = Field(default=3, ge=1, le=64)
    """Channels of the model's input: 3 for colour, 1 for grey, any number for images in .npy files."""
    input_normalize: bool = True
    """Whether the model divides images by 255 first. Default: as the published class of the model does."""
    normalization: bool = False
    """Whether a normalisation layer follows each convolution of the U-Net."""
    normalization_layer: Literal["batch", "group", "instance"] = "batch"
    """Normalisation layer of the U-Net: batch as published; group or instance have no running averages."""
    num_classes: int = Field(default=2, ge=1, le=256)
    """Number of classes, background included; 1 means one sigmoid channel for the foreground."""
    base_filters: Positive = 16
    """Filters of the first level; they double with each level."""
    max_filters: Positive | None = None
    """Maximum number of filters of a level of the U-Net. Default: no maximum."""
    base_kernels: Pair = (3, 3)
    """Kernel size of the first level; the kernel shrinks by 2 per level, down to 3."""
    num_layers: Positive = 6
    """Levels of the U-Net, the bottleneck included."""
    dropout_rate: float = Field(default=0.1, ge=0, lt=1)
    """Dropout rate of the first level; level n has n times this rate."""
    dilation: Pair = (1, 1)
    """Dilation of the first level; the dilation shrinks by 1 per level, down to 1."""
    activation: str = "relu"
    """Activation after each convolution: relu, mish, or another name that Keras knows."""
    leaky_slope: float = Field(default=0.2, ge=0, le=1)
    """Slope below zero of the U-Net's activation leaky_relu; nnU-Net has 0.01."""
    encoder_blocks: Literal["plain", "residual"] = "plain"
    """Encoder of the U-Net: two convolutions a level as published, or residual blocks."""
    blocks_per_level: list[Positive] = Field(default=[1], min_length=1)
    """Residual blocks of each encoder level of the U-Net; deeper levels have as many as the last."""
    downsampling: Literal["pool", "stride"] = "pool"
    """How the U-Net halves its maps: by pooling as published, or by the first convolution of a level."""
    upsampling: Literal["transposed", "bilinear"] = "transposed"
    """How the U-Net doubles its maps: by a transposed convolution as published, or bilinearly."""
    final_activation: str = "sigmoid"
    """Activation of the last layer of a model with one class; models with more classes use softmax."""

    optimizer: str = "Adam"
    """Optimizer: Adam or AdamW."""
    learning_rate: float = Field(default=0.0001, gt=0)
    """Learning rate at the start."""
    clipvalue: float = Field(default=0.2, gt=0)
    """Limit to which each element of a gradient is clipped, positive or negative."""
    weight_decay: float = Field(default=0.004, ge=0)
    """Weight decay of AdamW."""
    loss: str = "categorical_crossentropy"
    """Loss function: its name, or a weighted sum of names (docs/losses-and-metrics.md)."""
    deep_supervision: bool = False
    """Whether the coarser decoder levels also predict the mask during training (deep supervision)."""
    metrics: Texts = Field(default=["dice_coef_multiclass"])
    """Names of the metrics that training reports."""
    hybrid_alpha: float = Field(default=1.0, ge=0)
    """Weight of dice_coef_multiclass in dice_coef_hybrid."""
    hybrid_beta: float = Field(default=1.0, ge=0)
    """Weight of dice_coef_foreground in dice_coef_hybrid."""
    initial_weights: str | None = input_path()
    """Weights file that training starts from. Default: random weights."""
    freeze_encoder_levels: int = Field(default=0, ge=0)
    """Number of encoder levels, counted from the input, whose weights are frozen."""

    weights: str | None = None
    """Pretrained backbone weights: a file, or "imagenet" to download them. Default: random weights."""
    backbone: str | None = None
    """Backbone of TransUNet, by its Keras name. Default: the encoder of TransUNet."""
    freeze_backbone: bool | None = None
    """Whether pretrained backbone weights are frozen. Default: in EfficientNetB7UNet only, as published."""
    freeze_batch_norm: bool = False
    """Whether the batch normalisation of a pretrained backbone is frozen."""
    batch_norm: bool = False
    """Whether TransUNet uses batch normalisation."""
    pool: bool = True
    """Whether TransUNet halves its levels by pooling rather than by strided convolution."""
    efficientnet: str = "B0"
    """Size of EfficientUNet's backbone: B0 to B7."""
    filters: Integers = Field(default=[32, 64, 128, 256])
    """Number of filters in each level of SharpUNet."""
    max_filter: Positive = 512
    """Number of filters in the bottleneck of SharpUNet."""
    base_ksize: Pair = (3, 3)
    """Kernel size of SharpUNet."""
    filter_num: Integers = Field(default=[64, 128, 256, 512])
    """Number of filters in each level of TransUNet."""
    filter_num_begin: Positive = 128
    """Number of filters in the first level of SwinUNet."""
    depth: Positive = 4
    """Number of levels of SwinUNet."""
    stack_num_down: Positive = 2
    """Blocks per level on the way down, in SwinUNet and TransUNet."""
    stack_num_up: Positive = 2
    """Blocks per level on the way up, in SwinUNet and TransUNet."""
    patch_size: _PatchSize = (4, 4)
    """Size of the patches of SwinUNet, in pixels."""
    num_heads: _Heads | None = None
    """Number of attention heads, in all or per level. Default: 12 in TransUNet, [4, 8, 8, 8] in SwinUNet."""
    window_size: Integers | None = None
    """Size of the attention window in each level of SwinUNet."""
    num_mlp: Positive | None = None
    """Units of the dense layer in an attention block. Default: 3072 in TransUNet, 512 in SwinUNet."""
    shift_window: bool = True
    """Whether every second block of SwinUNet shifts its attention windows."""
    embed_dim: Positive = 768
    """Length of the patch embedding of TransUNet."""
    num_transformer: Positive = 12
    """Number of attention blocks of TransUNet."""
    mlp_activation: str = "GELU"
    """Activation of the dense layer in an attention block of TransUNet."""


class DatasetSection(Section):
    """The data set, and the folders that offline augmentation reads and writes."""

    class_name: str = "ImageCategorizedMaskDataset"
    """Published name of the class that reads the data set."""
    dataset_dir: str | None = input_path()
    """Data set that offline augmentation starts from."""
    augmented_dir: str | None = Field(default=None, json_schema_extra={"path": "output"})
    """Folder that offline augmentation writes."""
    no_augmentation: str = "test"
    """Split that offline augmentation leaves unchanged."""
    image_width: Positive = 512
    """Width of the images that offline augmentation writes."""
    image_height: Positive = 512
    """Height of the images that offline augmentation writes."""


class ImageSection(Section):
    """How images are read."""

    color_order: ColorOrder = "RGB"
    """Order of the colour channels that the model sees."""
    file_format: str = ""
    """Published key for the type of image files, such as NPY; images of any type are found by their names."""
    dicom_window: str = Field(default="auto", pattern=r"^(auto|full|range|stored|[-+]?[0-9.]+,[0-9.]+)$")
    """Grey levels of DICOM images: auto (VOI LUT or window), full, range, stored or CENTRE,WIDTH."""
    range: str = Field(default="auto", pattern=r"^(auto|full|[0-9]{1,5},[0-9]{1,5})$")
    """Black and white of 16-bit files: auto (bits that the training images use), full or LOW,HIGH."""
    normalize: Literal["none", "zscore", "percentiles"] = "none"
    """How grey values of an image follow those of its breast: none as published, zscore or percentiles."""


class MaskSection(Section):
    """How masks are read and written."""

    mask_file_format: str = ".png"
    """Published key for the type of mask files; masks of any type are found by their names."""
    mask_datatype: str = "categorized"
    """What a mask file holds; categorized means one class per pixel."""
    binarize: bool = False
    """Whether grey masks are divided at [mask] threshold instead of by the nearest colour of rgb_map."""
    threshold: int = Field(default=127, ge=0, le=255)
    """Grey value above which a mask pixel is foreground; used with binarize = true."""
    rgb_map: RgbMap = Field(default={})
    """Class index of each mask colour. Default: black and white; for more classes, as published."""
    class_names: Texts = Field(default=[])
    """Names of the classes above background, by their indices, for scores, pictures and DICOM."""
    layers: dict[str, RgbMap] = Field(default={})
    """Folders of masks beside masks_dir that are painted over its masks: class index of each colour."""
    ignore: OptionalColor = None
    """Mask colour, or grey value, of pixels that count in no loss and no score. Default: all pixels count."""


class MaskColorSection(Section):
    """Colours that the published CDD-CESM mask generator draws."""

    benign: RGB = (0, 255, 0)
    """Colour of benign lesions."""
    malignant: RGB = (255, 255, 255)
    """Colour of malignant lesions."""
