"""Every published operation on real films: each copy is found, nothing else."""

import numpy as np

from flexunet.config.files import load_config
from flexunet.data.augment.operations import planned
from flexunet.data.copies.fingerprints import grey_of, match_fingerprints, take_fingerprint
from flexunet.data.images.files.read import read_image

CONFIG = """
[augmentor]
vflip = true
hflip = true
rotation = true
angles = [30, 90]
shrinks = [0.6]
shears = [0.2]
deformation = true
distortion = true
barrdistortion = true
pincdistortion = true
sharpening = true
brightening = true
[barrdistortion]
radius = 0.3
amount = 0.3
centers = [[0.3, 0.3], [0.7, 0.7]]
[pincdistortion]
radius = 0.3
amount = -0.3
centers = [[0.3, 0.3], [0.7, 0.7]]
"""


def test_copies_by_every_operation(mammograms, tmp_path):
    (tmp_path / "all.toml").write_text(CONFIG)
    steps = planned(load_config(tmp_path / "all.toml"))
    assert len({step.operation.name for step in steps}) == 11
    names = ("mini_mias_512/images/mdb028.png", "cdd_cesm/images/P105_R_CM_MLO.jpg")
    prints = {}
    for name in names:
        image = read_image(mammograms / name, 1)
        height, width = image.shape[:2]
        prints[name] = take_fingerprint(grey_of(image))
        for step in steps:
            copy = step.seeded(137, name).change(height, width).image(image)
            match = match_fingerprints(prints[name], take_fingerprint(grey_of(np.asarray(copy))))
            assert match.inliers >= 16, (name, step.prefix)
    assert match_fingerprints(*prints.values()).inliers < 10
