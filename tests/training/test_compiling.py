"""What a model is compiled with."""

import keras
import pytest

from flexunet.config.schema import Config
from flexunet.models.registry import build_model
from flexunet.training.compiling import compile_model
from flexunet.training.deep_supervision import supervise_deeply
from flexunet.training.optimizer.accumulation import Accumulation
from flexunet.training.optimizer.compiled_update import Adam
from flexunet.training.optimizer.pace import Pace

SMALL = {"image_width": 16, "image_height": 16, "num_layers": 3, "base_filters": 4}
SCALED = keras.optimizers.LossScaleOptimizer


@pytest.mark.parametrize(
    ("policy", "group", "heads", "expected"),
    [
        ("float32", 1, False, [Adam]),
        ("mixed_bfloat16", 2, False, [Accumulation, Adam]),
        ("mixed_float16", 1, False, [SCALED, Adam]),
        # The scale changes between groups, not within them.
        ("mixed_float16", 2, False, [Accumulation, SCALED, Adam]),
        # A model with heads has a policy of its own, which is float32.
        ("mixed_float16", 1, True, [SCALED, Adam]),
    ],
)
def test_the_loss_is_scaled_once_and_under_float16_alone(policy, group, heads, expected):
    config = Config(model=SMALL)
    model = build_model(config, policy=policy)
    if heads:
        model = supervise_deeply(model, config)
    compile_model(config, model, Pace(steps=4, group=group))
    found, optimizer = [], model.optimizer
    while optimizer is not None:
        found.append(type(optimizer))
        optimizer = getattr(optimizer, "inner_optimizer", None)
    assert found == expected
