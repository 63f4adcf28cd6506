"""Deep supervision: while training, coarser decoder levels answer too, and learn from the mask at their size.

    model = supervise_deeply(model, config)    # trains with heads; predicts, evaluates and is saved without

The heads stand beside the model, not in it: its layers, weights and files are those of the model without.

Source: Lee, C.-Y. et al. (2015), Deeply-Supervised Nets, AISTATS, PMLR 38, 562-570; weights halved a level
after Isensee, F. et al. (2021), nnU-Net, Nature Methods 18, 203-211.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from flexunet.config.architectures import ARCHITECTURES
from flexunet.errors import ConfigError
from flexunet.models.initial import draw_initial_weights
from flexunet.models.layers.blocks import final_activation
from flexunet.models.registry import decoder_maps, has_decoder_maps
from flexunet.training.objectives.tensors import without_cells

if TYPE_CHECKING:
    from flexunet.config.schema import Config


_COUNTS = 0.5  # share of the pixels of a place that must not be ignored, for the place to count


class DeeplySupervised(keras.Model):
    """A model that in training answers at several decoder levels, and else as the model that it holds.

    Metrics, and the loss of validation, are those of the model's own answer. The loss of training is the sum
    over the levels, each weighing half as much as the finer one before it; the weights sum to 1.

    Args:
        main: A functional model.
        answers: Probabilities at its decoder levels, finest first, `(N, H / f, W / f, classes)`.
        ignoring: Whether the truth of some pixels is -1, and they do not count.
    """

    def __init__(self, main: keras.Model, answers: list[Any], *, ignoring: bool = False):
        super().__init__(name=f"{main.name}_deeply_supervised")
        self.main = main
        self.levels = keras.Model(main.input, [main.output, *answers], name="levels")
        self.level_weights = weights_of_levels(1 + len(answers))
        self.ignoring = ignoring
        self.built = True

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the model's own answer."""
        return self.main.output_shape

    def call(self, image: Any, training: bool | None = None) -> Any:
        """All answers in training, the finest first; else the model's own alone."""
        return self.levels(image, training=True) if training else self.main(image, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss at each level, against the mask averaged down to its size."""
        if not isinstance(y_pred, list):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        total: Any = 0.0
        for weight, answer in zip(self.level_weights, y_pred, strict=True):
            truth = averaged_to(y, answer, ignoring=self.ignoring)
            at_level = super().compute_loss(x, truth, answer, sample_weight, training)
            total = total + weight * at_level
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The metrics of the model's own answer."""
        finest = y_pred[0] if isinstance(y_pred, list) else y_pred
        return super().compute_metrics(x, y, finest, sample_weight)


def supervise_deeply(model: keras.Model, config: Config) -> DeeplySupervised:
    """Put heads on the coarser decoder levels of a model, for its training.

    Args:
        model: A model that `build_model` built; its own layers and weights are not changed.
        config: Its configuration; `[train] seed` draws the weights of the heads.

    Returns:
        What is to be compiled and trained in its place.

    Raises:
        ConfigError: if the architecture has no such levels; the message names those that have.
    """
    names = decoder_maps(config)
    if not names:
        able = [row.name for row in ARCHITECTURES if has_decoder_maps(row)]
        raise ConfigError(
            f"[model] deep_supervision = true: {config.model.model} as configured has no decoder level below "
            f"the last to learn from; {', '.join(able)} have, from three levels on (sharp-unet with variant "
            "= 'paper'). Choose one of these, or leave the key out."
        )
    answers = [
        layers.Conv2D(
            config.model.num_classes,
            1,
            activation=final_activation(config),
            dtype="float32",
            name=f"deep_supervision{number}",
        )(model.get_layer(name).output)
        for number, name in enumerate(names, start=1)
    ]
    # A model of the heads alone: that of a level draws the same weights whatever model it stands on.
    heads = keras.Model([model.get_layer(name).output for name in names], answers)
    draw_initial_weights(heads, config.train.seed)
    return DeeplySupervised(model, answers, ignoring=config.mask.ignore is not None)


def without_heads(model: keras.Model) -> keras.Model:
    """The model that predicts, of one that may be trained with heads."""
    return model.main if isinstance(model, DeeplySupervised) else model


def weights_of_levels(count: int) -> list[float]:
    """Weights of so many levels: each half of the one before, their sum 1."""
    halved = [0.5**level for level in range(count)]
    return [weight / sum(halved) for weight in halved]


def averaged_to(mask: Any, answer: Any, *, ignoring: bool = False) -> Any:
    """A one-hot mask at the size of an answer: the share of each class in the pixels that a place covers.

    Args:
        mask: `(N, H, W, classes)`, any type of number; cells of components may follow, of which the first
            pixel of a place counts.
        answer: `(N, H / fy, W / fx, classes)`, fy and fx whole numbers.
        ignoring: Whether the mask is -1 at some pixels, which are left out of the average; a place of which
            more than half is ignored becomes -1.

    Returns:
        The mask itself where the sizes are the same; else float32 of the answer's shape.
    """
    rows, columns, classes = answer.shape[1:]
    if mask.shape[1:3] == (rows, columns):
        return mask
    high, wide = mask.shape[1] // rows, mask.shape[2] // columns
    places = (-1, rows, high, columns, wide, classes)
    truth, cells = without_cells(mask, answer)
    pixels = ops.reshape(ops.cast(truth, "float32"), places)
    smaller = ops.mean(ops.maximum(pixels, 0.0) if ignoring else pixels, axis=(2, 4))
    if ignoring:
        share = ops.mean(ops.cast(pixels >= 0, "float32"), axis=(2, 4))
        smaller = ops.where(share >= _COUNTS, smaller / ops.maximum(share, _COUNTS), -1.0)
    return smaller if cells is None else ops.concatenate([smaller, cells[:, ::high, ::wide]], axis=-1)
