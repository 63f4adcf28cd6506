"""What the architectures share: the input, its scaling, the size rule, the usual convolutions, the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from flexunet.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from flexunet.config.schema import Config


def require_multiple(config: Config, multiple: int, architecture: str, *, smallest: int = 0) -> None:
    """Refuse an image size that the architecture cannot halve often enough.

    Args:
        config: Configuration; `[model] image_width` and `image_height` are read.
        multiple: Pixels that both sizes must be a multiple of.
        architecture: Its name, for the message.
        smallest: Pixels that both sizes must have at least.

    Raises:
        ShapeError: if a size does not fit; the message gives the nearest ones that do.
    """
    for key in ("image_width", "image_height"):
        size = getattr(config.model, key)
        if size % multiple == 0 and size >= smallest:
            continue
        below, above = size // multiple * multiple, max(-(-size // multiple) * multiple, smallest)
        nearest = f"{above}" if below < max(multiple, smallest) else f"{below} or {above}"
        least = f" and at least {smallest}" if smallest > multiple else ""
        raise ShapeError(
            f"[model] {key} = {size}: {architecture} needs a multiple of {multiple}{least}; "
            f"the nearest is {nearest}."
        )


def require_levels(levels: int, minimum: int, key: str, architecture: str) -> None:
    """Refuse a number of levels that the architecture cannot have.

    Raises:
        ConfigError: if there are fewer than `minimum`.
    """
    if levels < minimum:
        raise ConfigError(f"[model] {key} gives {levels} level(s): {architecture} needs at least {minimum}.")


def input_image(config: Config) -> Any:
    """The input: images of 0..255, `(N, image_height, image_width, image_channels)`."""
    model = config.model
    return keras.Input((model.image_height, model.image_width, model.image_channels), name="image")


def scale_input(image: Any, config: Config, *, published: bool) -> Any:
    """Divide the image by 255 where `[model] input_normalize` says so.

    Args:
        image: Images of 0..255.
        config: Configuration.
        published: What the published class does, whatever the key says; ours does the same where the key
            is not set, so that published weights meet the input that they were trained on.

    Returns:
        The image, or the image divided by 255.
    """
    wanted = config.model.input_normalize if "input_normalize" in config.model.model_fields_set else published
    if not wanted:
        return image
    # In float32: 16-bit images would lose their lower bits to a narrower type before they are scaled.
    return layers.Rescaling(1.0 / 255.0, dtype="float32", name="scale_input")(image)


def final_activation(config: Config) -> str:
    """Softmax over two classes or more; for one class what `[model] final_activation` names."""
    return "softmax" if config.model.num_classes > 1 else config.model.final_activation


def head(features: Any, config: Config, *, name: str = "head", **options: Any) -> Any:
    """Probabilities of each class, `(N, H, W, num_classes)`, float32 whatever the precision of the rest.

    Args:
        features: Feature map at the image's own size.
        config: Configuration.
        name: Name of the layer.
        options: Further arguments of the convolution; it is 1x1 unless they say otherwise.
    """
    options = {"kernel_size": 1, "padding": "same", "activation": final_activation(config), **options}
    return layers.Conv2D(config.model.num_classes, dtype="float32", name=name, **options)(features)


def conv(features: Any, filters: int, name: str, kernel_size: Any = 3, **options: Any) -> Any:
    """A convolution that keeps the size, with weights drawn for ReLU (He et al. 2015)."""
    options = {"padding": "same", "kernel_initializer": "he_normal", **options}
    return layers.Conv2D(filters, kernel_size, name=name, **options)(features)


def norm(features: Any, name: str) -> Any:
    """Batch normalisation with the constants of Keras (epsilon 1e-3, momentum 0.99)."""
    return layers.BatchNormalization(name=name)(features)


def relu(features: Any, name: str) -> Any:
    """Rectified linear unit."""
    return layers.ReLU(name=name)(features)


def upsample(features: Any, factor: int | tuple[int, int], name: str) -> Any:
    """Enlarge by a whole factor, bilinear."""
    return layers.UpSampling2D(factor, interpolation="bilinear", name=name)(features)
