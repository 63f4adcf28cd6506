"""A published file of a sibling that does not fit is answered with the keys that would."""

import re

import pytest

from flexunet.config.files import load_config
from flexunet.errors import WeightsError
from flexunet.models.weights.importing import import_weights


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("AttentionUNet", ["base_filters=8"], "4, the configuration asks for 3x3x3x8 and 8. To use this file "
         "set [model] base_filters = 4 (configured: base_filters = 8)."),
        ("AttentionUNet", ["num_layers=3", "image_channels=1"],
         "set [model] image_channels = 3, num_layers = 4 (configured: image_channels = 1, num_layers = 3)."),
        ("SharpUNet", ["filters=[4,8]"], "set [model] filters = [4, 8, 16] (configured: filters = [4, 8])."),
        ("MultiResUNet", ["base_filters=5"], "set [model] base_filters = 4 (configured: base_filters = 5)."),
        ("AttentionUNet", ["variant='paper'"], "variant = 'published' (configured: variant = 'paper')."),
        ("SwinUNet", ["num_mlp=8"], "The keys of [model] that shape swin-unet are filter_num_begin, depth, "),
    ],
)  # fmt: skip
def test_the_keys_that_fit(reference, tmp_path, name, overrides, message):
    config = load_config(reference / f"zoo/{name}.config", [f"model.{text}" for text in overrides])
    with pytest.raises(WeightsError, match=re.escape(message)):
        import_weights(reference / f"zoo/{name}.weights_keras2.h5", config, tmp_path / "run")


def test_a_file_of_another_architecture(reference, tmp_path):
    config = load_config(reference / "zoo/SharpUNet.config")
    with pytest.raises(WeightsError, match=r"has no Conv2DTranspose .* No sharp-unet that was tried fits"):
        import_weights(reference / "zoo/AttentionUNet.weights_keras2.h5", config, tmp_path / "run")
