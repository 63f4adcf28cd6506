"""Several trained runs that predict together: the mean of their probabilities.

Source: Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017), Simple and Scalable Predictive Uncertainty
Estimation using Deep Ensembles, NeurIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flexunet.errors import ConfigError
from flexunet.inference.predict.fitting import Fit
from flexunet.inference.predict.predictor import Predictor

if TYPE_CHECKING:
    from flexunet.config.schema import Config


class Ensemble(Predictor):
    """Predictors of one task, such as the folds of a cross-validation; their models may differ in size.

    Args:
        members: The predictors.
        config: What is not a member's own: `[infer]`, `[tiledinfer]`, classes and colours.

    Raises:
        ConfigError: if a member has other classes.
    """

    def __init__(self, members: Sequence[Predictor], config: Config):
        for member in members:
            _check_classes(member.config, config)
        super().__init__(members[0].model, config, plain=True)
        self.measure = members[0].measure
        self.members = list(members)
        self.batch_size = min(member.batch_size for member in members)

    @property
    def models(self) -> list[Any]:
        """The models of all members."""
        return [member.model for member in self.members]

    def prepare(self, image: np.ndarray, fit: Fit | None = None) -> Any:
        """An image as each member takes it."""
        return tuple(member.prepare(image, fit) for member in self.members)

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


def _check_classes(member: Config, config: Config) -> None:
    wanted = config.model.num_classes, list(config.mask.rgb_map.items())
    if (member.model.num_classes, list(member.mask.rgb_map.items())) != wanted:
        raise ConfigError(
            f"{member.source or 'a run'} of the ensemble has {member.model.num_classes} classes in the "
            f"colours {member.mask.rgb_map}, {config.source or 'the configuration'} has {wanted[0]} in "
            f"{config.mask.rgb_map}. Runs that predict together need the same classes."
        )
