"""From an image to the probabilities of its classes, by one model or by several together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from flexunet.data.configured import crop_size, image_reader
from flexunet.data.images.normalise import normalise
from flexunet.data.images.pixels import to_model_range
from flexunet.errors import ConfigError, ShapeError
from flexunet.inference.predict.batch_size import batch_size_for
from flexunet.inference.predict.breast_tiles import tiles_of_breast
from flexunet.inference.predict.engine_choice import with_engine
from flexunet.inference.predict.fitting import PADDED, PUBLISHED_TILE, RESIZED, Fit
from flexunet.inference.predict.passes import Passes, most_turns
from flexunet.inference.predict.pasting import predict_pasted
from flexunet.inference.predict.tiling import predict_tiled
from flexunet.inference.predict.uncertainty import Measure, choose_measure, entropy, mutual_information
from flexunet.run_folder import RunFolder

if TYPE_CHECKING:
    import keras

    from flexunet.config.schema import Config
    from flexunet.inference.runtimes.load import Runtime


class Prediction(NamedTuple):
    """What a model says of one image.

    Attributes:
        probabilities: Float32 `(H, W, classes)`; of a model of one class the foreground alone.
        uncertainty: Float32 `(H, W)`, 0 to 1, where `[infer] uncertainty` asks for it.
    """

    probabilities: np.ndarray
    uncertainty: np.ndarray | None = None


class Predictor:
    """A model that takes images as they are.

    Args:
        model: A Keras model of the configured size, `(n, H, W, C)` in 0..255 to `(n, H, W, classes)`, or a
            runtime of an exported one.
        config: Its configuration; `[infer]` says whether an image is predicted more than once.
        plain: Once, whatever it says.

    Raises:
        ConfigError: if the model cannot predict as `[infer]` asks.

    Examples:
        >>> predictor = flexunet.Predictor.load("run")
        >>> probabilities = predictor("film.png")
        >>> probabilities.shape, flexunet.mask_of(probabilities).shape
        ((64, 64, 2), (64, 64))
    """

    def __init__(self, model: keras.Model | Runtime, config: Config, *, plain: bool = False):
        self.model: Any = model
        self.config = config
        self.width = config.model.image_width
        self.height = config.model.image_height
        self.channels = config.model.image_channels
        self.classes = config.model.num_classes
        self.batch_size = batch_size_for(model, config.train.batch_size)
        self.fit: Fit = PADDED if config.infer.fit == "pad" else RESIZED
        self.measure: Measure = "none" if plain else choose_measure(config)
        self.passes = Passes() if plain else self._configured_passes()

    @property
    def models(self) -> list[Any]:
        """The models that predict."""
        return [self.model]

    @classmethod
    def load(cls, run: Config | str | Path, *, engine: str | None = None) -> Predictor:
        """The predictor of a run: a configuration, its file, or a run folder.

        With `[infer] ensemble` it is that of the runs named there.

        Args:
            run: The run, or an exported model.
            engine: "keras", that of an export of the run, or "auto"; none: `[infer] engine`.

        Raises:
            ConfigError, PathError, WeightsError: if configuration or weights cannot be used.
            EngineError: if the engine is not installed.
        """
        from flexunet.config.files import as_config

        config = as_config(run)
        if engine is not None:
            config = config.model_copy(update={"infer": config.infer.model_copy(update={"engine": engine})})
        config = with_engine(config)
        engine = config.infer.engine
        if not config.infer.ensemble:
            return cls(_open_model(config, engine), config)
        from flexunet.inference.predict.calibration import member_configs

        members = []
        for own in member_configs(config):
            own.infer = config.infer  # how an image is predicted is said once, for all of them
            members.append(cls(_open_model(own, engine), own))
        return Ensemble(members, config)

    def __repr__(self) -> str:
        size = f"{self.width} x {self.height} x {self.channels}"
        return f"<{type(self).__name__} of {self.config.source or 'a model'}: {size}, {self.classes} classes>"

    def __call__(self, image: np.ndarray | str | Path) -> np.ndarray:
        """Probabilities of one image, at its own size.

        Args:
            image: Array `(H, W)` or `(H, W, C)` of any size, uint8, uint16 or float32 in 0..255; or the path
                of an image file, which is read as the configuration says.

        Returns:
            Float32 array `(H, W, classes)`; one channel, the foreground, for a model of one class.

        Raises:
            ShapeError: if the array is not an image.
            ImageError: if the file cannot be read.
        """
        return self.predict(image).probabilities

    def predict(self, image: np.ndarray | str | Path, *, tiled: bool = False) -> Prediction:
        """All that the model says of one image, at its own size.

        Args:
            image: As for a call.
            tiled: Whether to predict it tile by tile, at its own resolution; a model that was trained on
                crops knows no other way.

        Raises:
            ShapeError: if the array is not an image.
            ImageError: if the file cannot be read.
        """
        if not isinstance(image, np.ndarray):
            image = image_reader(self.config).read(image, self.channels)
        if tiled or crop_size(self.config) is not None:
            return self._conclude(self._tiled(image))
        return self.finish(self.forward([self.prepare(image)])[0], *image.shape[:2])

    def forward(self, prepared: Sequence[Any]) -> list[Any]:
        """Predict images that `prepare` made ready, together; `finish` takes what comes of each."""
        return list(self.passes.mean(self.predict_batch, np.stack(prepared)))

    def enlarge(self, raw: Any, height: int, width: int, fit: Fit | None = None) -> np.ndarray:
        """What `forward` gave for an image, at the image's own size; `fit` as it was prepared."""
        return (fit or self.fit).from_model(raw, width, height)

    def finish(self, raw: Any, height: int, width: int) -> Prediction:
        """The prediction of an image of this size, from what `forward` gave for it."""
        return self._conclude(self.enlarge(raw, height, width))

    def predict_tiled(self, image: np.ndarray) -> np.ndarray:
        """Probabilities of one image of any size, from overlapping tiles of `[tiledinfer] split_size`.

        Each tile is resized to the model, as published. For a model that was trained on crops, tiles are as
        large as those, and overlap by half at most. `[tiledinfer] blending` says how tiles are joined.
        """
        return self._conclude(self._tiled(image)).probabilities

    def predict_tiles(self, tiles: Iterable[np.ndarray], fit: Fit = RESIZED) -> list[np.ndarray]:
        """What the model says of tiles of any size, `(h, w, C)` to float32 `(h, w, channels)` each."""
        prepared, sizes = [], []
        for tile in tiles:
            prepared.append(self.fitted(tile, fit))
            sizes.append(tile.shape[:2])
        raws = self.forward(prepared)
        return [
            self.enlarge(raw, height, width, fit) for raw, (height, width) in zip(raws, sizes, strict=True)
        ]

    def _tiled(self, image: np.ndarray) -> np.ndarray:
        section = self.config.tiledinfer
        size, overlap = section.split_size, section.overlapping
        if (crop := crop_size(self.config)) is not None:
            size, overlap = crop, min(overlap, crop // 2)
        image = self._shaped(image)
        seen = self.normalised(image)
        background = np.zeros(self.classes + (self.measure == "mutual_information"))
        background[0] = self.classes > 1
        options: dict[str, Any] = {
            "size": size,
            "overlap": overlap,
            "batch_size": section.batch_size or self.batch_size,
            "choose": partial(tiles_of_breast, image) if section.breast_only else None,
            "background": background,
        }
        if section.blending == "paste":
            return predict_pasted(seen, partial(self.predict_tiles, fit=PUBLISHED_TILE), **options)
        return predict_tiled(seen, self.predict_tiles, **options)

    def _conclude(self, found: np.ndarray) -> Prediction:
        """Probabilities and uncertainty from the channels that the passes give."""
        if self.measure == "mutual_information":
            probabilities, mean_entropy = found[..., :-1], found[..., -1]
            return Prediction(probabilities, mutual_information(probabilities, mean_entropy))
        return Prediction(found, entropy(found) if self.measure == "entropy" else None)

    def _configured_passes(self) -> Passes:
        infer, sampler = self.config.infer, None
        if infer.monte_carlo:
            from flexunet.inference.predict.dropout import DropoutSampler

            sampler = DropoutSampler(self.model, self.config.train.seed)
        return Passes(
            most_turns=most_turns(self.config),
            samples=infer.monte_carlo,
            sampler=sampler,
            sample_batch=self.config.train.batch_size,
            with_entropy=self.measure == "mutual_information",
        )

    def predict_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities at the model's size: float32 `(n, H, W, C)` in 0..255 to `(n, H, W, classes)`."""
        return np.asarray(self.model.predict_on_batch(pixels), np.float32)

    def prepare(self, image: np.ndarray, fit: Fit | None = None) -> Any:
        """An image as the model takes it: float32 `(model height, model width, C)` in 0..255.

        Args:
            image: As for a call.
            fit: How it comes to the model's size; none: as `[infer] fit` says.
        """
        return self.fitted(self.normalised(image), fit)

    def normalised(self, image: np.ndarray) -> np.ndarray:
        """A whole image with its grey values as `[image] normalize` says."""
        return normalise(self._shaped(image), self.config.image.normalize)

    def fitted(self, image: np.ndarray, fit: Fit | None = None) -> Any:
        """`prepare` of an image, or a tile of one, that is normalised already."""
        fitted = (fit or self.fit).to_model(self._shaped(image), self.width, self.height)
        return self._channels(to_model_range(fitted)).reshape(self.height, self.width, self.channels)

    def _shaped(self, image: np.ndarray) -> np.ndarray:
        """An image with its axis of channels, if the model can take it."""
        if image.ndim == 2:
            image = image[..., np.newaxis]
        fitting = (1, 3) if self.channels in (1, 3) else (self.channels,)
        if image.ndim != 3 or image.shape[2] not in fitting or 0 in image.shape:
            wanted = " or ".join(f"(height, width, {count})" for count in fitting)
            flat = "(height, width), " if 1 in fitting else ""
            raise ShapeError(f"expected an image of shape {flat}{wanted}, found {image.shape}")
        return image

    def _channels(self, pixels: np.ndarray) -> np.ndarray:
        if self.channels == 3 and pixels.shape[2] == 1:
            return np.repeat(pixels, 3, axis=2)
        if self.channels == 1 and pixels.shape[2] == 3:
            return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
        if self.channels == 3 and self.config.image.color_order.upper() == "BGR":
            return np.ascontiguousarray(pixels[..., ::-1])
        return pixels


class Ensemble(Predictor):
    """Several trained runs that predict together: the mean of their probabilities.

    They are predictors of one task, such as the folds of a cross-validation; their models may differ in size.

    Args:
        members: The predictors.
        config: What is not a member's own: `[infer]`, `[tiledinfer]`, classes and colours.

    Raises:
        ConfigError: if a member has other classes, or another `[image] normalize`.

    Source: Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017), Simple and Scalable Predictive
    Uncertainty Estimation using Deep Ensembles, NeurIPS.
    """

    def __init__(self, members: Sequence[Predictor], config: Config):
        for member in members:
            _check_member(member.config, config)
        super().__init__(members[0].model, config, plain=True)
        self.measure = members[0].measure
        self.members = list(members)
        self.batch_size = min(member.batch_size for member in members)

    @property
    def models(self) -> list[Any]:
        """The models of all members."""
        return [member.model for member in self.members]

    def fitted(self, image: np.ndarray, fit: Fit | None = None) -> Any:
        """An image, normalised already, as each member takes it."""
        return tuple(member.fitted(image, fit) for member in self.members)

    def forward(self, prepared: Sequence[Any]) -> list[Any]:
        """What each member says of images that `prepare` made ready."""
        answers = [
            member.forward(own) for member, own in zip(self.members, zip(*prepared, strict=True), strict=True)
        ]
        return list(zip(*answers, strict=True))

    def enlarge(self, raw: Any, height: int, width: int, fit: Fit | None = None) -> np.ndarray:
        """The mean of what `forward` gave for an image, at the image's own size."""
        total = np.zeros((height, width, raw[0].shape[-1]), np.float32)
        for member, own in zip(self.members, raw, strict=True):
            total += member.enlarge(own, height, width, fit)
        total /= np.float32(len(self.members))
        return total


def _check_member(member: Config, config: Config) -> None:
    if member.image.normalize != config.image.normalize:
        raise ConfigError(
            f"{member.source or 'a run'} of the ensemble has [image] normalize = "
            f"{member.image.normalize!r}, {config.source or 'the configuration'} has "
            f"{config.image.normalize!r}. Runs that predict together see the same image: set normalize to "
            "theirs."
        )
    wanted = config.model.num_classes, list(config.mask.rgb_map.items())
    if (member.model.num_classes, list(member.mask.rgb_map.items())) != wanted:
        raise ConfigError(
            f"{member.source or 'a run'} of the ensemble has {member.model.num_classes} classes in the "
            f"colours {member.mask.rgb_map}, {config.source or 'the configuration'} has {wanted[0]} in "
            f"{config.mask.rgb_map}. Runs that predict together need the same classes."
        )


def _open_model(config: Config, engine: str) -> Any:
    """The run's model in Keras, or the runtime of its export."""
    if engine != "keras":
        from flexunet.inference.runtimes.load import open_engine

        return open_engine(config, engine)
    path = RunFolder.of(config).find_model()  # before the engine is started: it takes seconds

    from flexunet.models.trained import load_trained_model

    precision = config.infer.precision
    return load_trained_model(config, precision=None if precision == "auto" else precision, path=path)
