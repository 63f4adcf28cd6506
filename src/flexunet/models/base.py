"""The base class of a model of one's own, in the published style with its imports changed.

    from flexunet.models.base import ConfigParser, FlexModel

    class MyUNet(FlexModel):
        def __init__(self, config_file):
            super().__init__(config_file)

        def create_model(self):
            num_classes = self.config.get(ConfigParser.MODEL, "num_classes", dvalue=2)
            ...
            return keras.Model(inputs, outputs)

docs/your-own-model.md tells more.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.errors import ConfigError

if TYPE_CHECKING:
    import keras


class ConfigParser:
    """A configuration as published model classes ask it: by section and key, with a default of their own."""

    MODEL = "model"
    DATASET = "dataset"
    TRAIN = "train"
    VALID = "valid"
    EVAL = "eval"
    TEST = "test"
    INFER = "infer"
    TILEDINFER = "tiledinfer"
    IMAGE = "image"
    MASK = "mask"
    GENERATOR = "generator"
    AUGMENTOR = "augmentor"
    DEBUG = "debug"

    def __init__(self, config: Config | str | os.PathLike[str]) -> None:
        self.document = config if isinstance(config, Config) else load_config(os.fspath(config))

    def get(self, section: str, key: str, dvalue: Any = None) -> Any:
        """The value of a key.

        Args:
            section: Section, `ConfigParser.MODEL` or its name.
            key: Key; one that FlexUNet does not know is looked for in `[model] own`.
            dvalue: Value of a key that is not set; none: FlexUNet's own default.

        Returns:
            The value, or `dvalue` where the configuration does not set the key.
        """
        found = getattr(self.document, "valid" if section == self.EVAL else section, None)
        if found is None or key not in type(found).model_fields:
            return self.document.model.own.get(key, dvalue)
        if dvalue is not None and key not in found.model_fields_set:
            return dvalue
        return getattr(found, key)


class FlexModel:
    """A model that a class of one's own builds.

    Args:
        config_file: The configuration, or the path of its file.

    Attributes:
        config: Answers `get(section, key, dvalue=...)`.
        image_height, image_width, image_channels, num_classes: As configured.
    """

    def __init__(self, config_file: Config | str | os.PathLike[str]) -> None:
        self.config = ConfigParser(config_file)
        model = self.config.document.model
        self.config_file = self.config.document.source
        self.image_height = model.image_height
        self.image_width = model.image_width
        self.image_channels = model.image_channels
        self.num_classes = model.num_classes

    def create(
        self, num_classes: int, image_height: int, image_width: int, image_channels: int, **more: int
    ) -> keras.Model:
        """Build the model, in the older published style; a class overrides this or `create_model`.

        Raises:
            ConfigError: if the class overrides neither.
        """
        raise ConfigError(f"{type(self).__name__} has neither create_model(self) nor create(self, ...).")

    def create_model(self) -> keras.Model:
        """Build the model from images of 0..255 to probabilities `(N, H, W, num_classes)`."""
        model = self.config.document.model
        asked = inspect.signature(self.create).parameters
        more = {key: getattr(model, key) for key in ("base_filters", "num_layers") if key in asked}
        return self.create(self.num_classes, self.image_height, self.image_width, self.image_channels, **more)


# The published names of the base class, for classes that change their imports alone.
TensorFlowFlexModel = TensorFlowFlexUNet = TensorflowUNet = FlexModel
