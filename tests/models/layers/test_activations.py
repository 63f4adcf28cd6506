"""Activations by the names that configurations use."""

import pytest
from keras import activations

from flexunet.errors import ConfigError
from flexunet.models.layers.activations import activation_names, find_activation


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("relu", "relu"),
        ("ReLU", "relu"),
        ("mish", "mish"),
        ("LeakyReLU", "leaky_relu"),
        ("swish", "silu"),
        ("GELU", "gelu"),
        ("hard-sigmoid", "hard_sigmoid"),
    ],
)
def test_spellings(name, found):
    assert find_activation(name) == found


def test_every_listed_name_is_found():
    for name in activation_names():
        assert getattr(activations, find_activation(name)) is getattr(activations, name)
    assert {"relu", "mish", "elu", "selu", "tanh", "sigmoid"} <= set(activation_names())


def test_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"'mishh' is not an activation\. Did you mean 'mish'"):
        find_activation("mishh")


def test_what_mixes_pixels_or_channels_is_no_activation_between_convolutions():
    with pytest.raises(ConfigError):
        find_activation("softmax")
    assert find_activation("softmax", also=("softmax",)) == "softmax"
