"""Masks of several folders painted over each other: by hand, with gaps, and where a film lacks one."""

import numpy as np
import pytest
from PIL import Image

from flexunet.config.files import load_config, save_config
from flexunet.data.configured import mask_reader, open_split, split_pairs
from flexunet.data.images.color_map import IGNORED
from flexunet.errors import ConfigError, MaskError, PairingError

CONFIG = """
[model]
num_classes = 4
image_width = 8
image_height = 8
image_channels = 1
[train]
images_dir = "train/images"
masks_dir = "train/masks"
cache_dir = "cache"
[mask]
rgb_map = {"0,0,0" = 0, "128,128,128" = 1, "255,255,255" = 2, "255,0,0" = 3}
layers = {lesions = {"0,0,0" = 0, "255,255,255" = 3}}
ignore = "#0000ff"
"""


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


@pytest.fixture
def project(tmp_path):
    """Three films: with tissue and lesion, with tissue alone, with a lesion alone."""
    tissue = np.repeat([[0, 128, 255, 255, 0, 0, 0, 0]], 8, axis=0)
    lesion = np.zeros((8, 8))
    lesion[2:4, 1:3] = 255
    for name in ("both", "tissue", "lesion"):
        write(tmp_path / "train/images" / f"{name}.png", np.full((8, 8), 90))
    write(tmp_path / "train/masks/both.png", tissue)
    write(tmp_path / "train/masks/tissue.png", tissue)
    write(tmp_path / "train/lesions/both.png", lesion)
    write(tmp_path / "train/lesions/lesion.bmp", lesion)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def test_a_layer_is_painted_over_and_what_nobody_knows_is_ignored(project):
    config = load_config(project / "config.toml")
    reader = mask_reader(config)
    masks = {
        pair.stem: reader.read_like(pair.mask_path, (8, 8), "x") for pair in split_pairs(config, "train")
    }
    assert masks["tissue"][2].tolist() == [0, 1, 2, 2, 0, 0, 0, 0]
    assert masks["both"][2].tolist() == [0, 3, 3, 2, 0, 0, 0, 0]
    assert masks["both"][5].tolist() == [0, 1, 2, 2, 0, 0, 0, 0]
    assert masks["lesion"][2].tolist() == [IGNORED, 3, 3, *[IGNORED] * 5]
    assert np.array_equal(reader.flat.read(project / "train/masks/both.png")[2], [0, 1, 2, 2, 0, 0, 0, 0])


def test_the_ignored_colour_counts_in_a_layer_too(project):
    pixels = np.zeros((8, 8, 3))
    pixels[0, :] = (0, 0, 255)
    write(project / "train/lesions/tissue.png", pixels)
    mask = mask_reader(load_config(project / "config.toml")).read(project / "train/masks/tissue.png")
    assert (mask[0] == IGNORED).all()
    assert mask[1].tolist() == [0, 1, 2, 2, 0, 0, 0, 0]


def test_a_changed_layer_is_decoded_anew(project):
    config = load_config(project / "config.toml")
    first = open_split(config, "train").read(np.arange(3))[1]
    write(project / "train/lesions/both.png", np.full((8, 8), 255))
    second = open_split(config, "train").read(np.arange(3))[1]
    assert (second[0] == 3).all()
    assert not (first[0] == 3).all()
    assert np.array_equal(first[1:], second[1:])


def test_without_a_colour_for_ignored_pixels_a_film_needs_its_mask(project):
    text = CONFIG.replace('ignore = "#0000ff"', "")
    (project / "config.toml").write_text(text)
    with pytest.raises(PairingError, match=r"lesion\.png"):
        split_pairs(load_config(project / "config.toml"), "train")


def test_black_paints_nothing_where_no_colour_does(project):
    (project / "config.toml").write_text(
        CONFIG.replace('"0,0,0" = 0, "255,255,255" = 3}', '"255,255,255" = 3}')
    )
    mask = mask_reader(load_config(project / "config.toml")).read(project / "train/masks/both.png")
    assert mask[2].tolist() == [0, 3, 3, 2, 0, 0, 0, 0]


def test_what_does_not_fit_is_refused(project):
    write(project / "train/lesions/both.png", np.zeros((4, 8)))
    config = load_config(project / "config.toml")
    with pytest.raises(MaskError, match=r"lesions/both\.png has 8 x 4 pixels, and .*masks/both\.png"):
        mask_reader(config).read(project / "train/masks/both.png")
    write(project / "train/lesions/both.png", np.full((8, 8), 128))
    with pytest.raises(MaskError, match=r"far from every colour of \[mask\] layers\.lesions"):
        mask_reader(config).read(project / "train/masks/both.png")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ('{"../lesions" = {"255,255,255" = 3}}', "not the name of a folder"),
        ('{".." = {"255,255,255" = 3}}', "not the name of a folder"),
        ('{lesions = {"255,255,255" = 4}}', "must paint a class from 1 to 3"),
        ('{lesions = {"255,255,255" = 0}}', "must paint a class from 1 to 3"),
        ("{lesions = {}}", "must paint a class from 1 to 3"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(project, layers, said):
    path = project / "config.toml"
    path.write_text(CONFIG.replace('{lesions = {"0,0,0" = 0, "255,255,255" = 3}}', layers))
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_layers_survive_the_disk(project):
    config = load_config(project / "config.toml")
    save_config(config, project / "again" / "config.toml")
    again = load_config(project / "again" / "config.toml")
    assert again.mask.layers == config.mask.layers == {"lesions": {(0, 0, 0): 0, (255, 255, 255): 3}}
    assert again.mask.ignore == (0, 0, 255)
