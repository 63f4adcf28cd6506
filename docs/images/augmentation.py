"""Draws augmentation.png: every operation on a phantom with a grid. Run it from anywhere."""

from pathlib import Path

import numpy as np
from PIL import Image

from flexunet.config.augment_sections import OperationSections
from flexunet.config.schema import Config
from flexunet.data.augment.preview import draw_copies
from flexunet.data.phantom.draw import draw_phantom

CONFIG = Config.model_validate(
    {
        "augmentor": dict.fromkeys(OperationSections.model_fields, True)
        | {"angles": [10], "shears": [0.2], "fill": "black"},
        "barrdistortion": {"radius": 0.3, "amount": 0.3, "centers": [(0.3, 0.3), (0.5, 0.5)]},
        "pincdistortion": {"radius": 0.3, "amount": -0.3, "centers": [(0.3, 0.3), (0.5, 0.5)]},
        "distortion": {"distortions": [0.03]},
        "sharpening": {"k": 0.3},
    }
)

phantom = next(p for p in (draw_phantom(seed, 512, 512, labels=False) for seed in range(50)) if p.mask.any())
image = np.repeat(phantom.image.reshape(512, 512, 1), 3, axis=2)
image[::32] = image[:, ::32] = (60, 120, 170)
picture = Image.fromarray(draw_copies(image, phantom.mask, CONFIG, "phantom"))
picture = picture.resize((picture.width * 4 // 5, picture.height * 4 // 5), Image.Resampling.LANCZOS)
picture.quantize(160, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
    Path(__file__).with_suffix(".png"), optimize=True
)
