"""Draws random_transform.jpg: a phantom as `[random_transform]` may show it in training.

Each change has a probability of 0.4, so that a few drawings show all of them. Run it from anywhere.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from flexunet.config.augment_sections import RandomTransformSection
from flexunet.config.schema import Config
from flexunet.data.augment.preview import draw_copies
from flexunet.data.phantom.draw import draw_phantom

OFTEN = {key: 0.4 for key in RandomTransformSection.model_fields if key.endswith("_probability")}
CONFIG = Config(random_transform=OFTEN | {"enabled": True, "noise": (0.1, 0.3), "gamma": (0.5, 2.0)})

phantom = next(p for p in (draw_phantom(seed, 256, 256) for seed in range(50)) if p.mask.any())
image = np.repeat(phantom.image.reshape(256, 256, 1), 3, axis=2)
picture = Image.fromarray(draw_copies(image, phantom.mask, CONFIG, "phantom"))
picture.save(Path(__file__).with_suffix(".jpg"), quality=80, optimize=True)
