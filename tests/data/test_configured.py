import pytest

from flexunet.config.files import load_config
from flexunet.data.configured import color_map, mask_reader, split_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.write import write_mask
from flexunet.data.phantom.draw import draw_phantom
from flexunet.errors import ConfigError, PairingError, PathError


@pytest.fixture
def config(tmp_path):
    for kind in ("Benign", "Early"):
        for number in range(2):
            phantom = draw_phantom(number, 32, 32)
            stem = f"{kind}{number}.png"
            write_image(tmp_path / "train" / kind / "images" / stem, phantom.image[..., None])
            write_mask(tmp_path / "train" / kind / "masks" / stem, phantom.mask, ColorMap.binary())
    file = tmp_path / "a.toml"
    file.write_text('[train]\nimages_dir = "train/*/images"\nmasks_dir = "train/*/masks"\n')
    return load_config(file)


def test_a_star_takes_every_folder_and_pairs_within_each(config):
    pairs = split_pairs(config, "train")
    assert [pair.image_path.stem for pair in pairs] == ["Benign0", "Benign1", "Early0", "Early1"]
    assert all(pair.mask_path.parent.parent == pair.image_path.parent.parent for pair in pairs)


def test_as_many_folders_of_masks_as_of_images(config):
    config.train.masks_dir = "train/Early/masks"
    with pytest.raises(PairingError, match="finds 2 folders and masks_dir 1"):
        split_pairs(config, "train")


def test_a_missing_folder_is_told_with_the_file_and_the_section(tmp_path):
    file = tmp_path / "typo.toml"
    file.write_text('[train]\nimages_dir = "tain/images"\nmasks_dir = "tain/masks"\n')
    with pytest.raises(PathError, match=r"typo\.toml, \[train\]: image folder .*tain.images does not exist"):
        split_pairs(load_config(file), "train")


def test_unknown_split_names_the_known_ones(config):
    with pytest.raises(ConfigError, match="train, valid, test"):
        split_pairs(config, "validation")


def test_colours_come_from_the_configuration(config):
    config.mask.rgb_map = {(0, 0, 0): 0, (0, 255, 0): 2, (255, 0, 0): 1}
    assert color_map(config).palette.tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]


def test_masks_are_not_read_by_default_colours_where_those_of_the_file_are_unreadable(tmp_path):
    text = "[model]\nmodel = 'TensorFlowFlexUNet'\nnum_classes = 3\n[mask]\nrgb_map = {}\n"
    good = "{(0,0,0):0, (255,0,0):1, (0,255,0):2}"
    for rgb_map in ("{(0,0,0):0,(255,0,0):1,(0,255,0):2", "{(0,0,0):0,(255,0,0):1,(0,200,0):2255,0,0):3}"):
        (tmp_path / "a.config").write_text(text.format(rgb_map))
        with pytest.raises(ConfigError, match=r"line 5: \[mask\] rgb_map = .*tells the classes of the masks"):
            mask_reader(load_config(tmp_path / "a.config"))
        repaired = load_config(tmp_path / "a.config", [f"mask.rgb_map={good}"])
        assert mask_reader(repaired).color_map.colors_to_class[(255, 0, 0)] == 1
    (tmp_path / "a.config").write_text(text.format(good))
    assert mask_reader(load_config(tmp_path / "a.config")).color_map.colors_to_class[(255, 0, 0)] == 1
