import ast
import configparser
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flexunet.data.images.color_map import ColorMap, parse_rgb_map
from flexunet.errors import ConfigError

BINARY = ColorMap.binary()
FOUR = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3})


CASES = ["hard_c2_same", "aa_c2_same", "aa_c2_resized", "hard_c4_same", "aa_c4_resized_nonsq"]
CASES += ["strange_c4_same", "strange_c2_same", "strange_c3_up", "gray_c2_up"]


def published_map(path):
    """The published code takes the position in `rgb_map` for the class, whatever the value says."""
    parser = configparser.ConfigParser()
    parser.read(path)
    colors = ast.literal_eval(parser["mask"]["rgb_map"])
    return ColorMap({color: position for position, color in enumerate(colors)})


@pytest.mark.parametrize("case", CASES)
def test_encoding_equals_the_published_one(reference, case):
    folder = reference / "masks"
    color_map = published_map(folder / f"{case}.config")
    with np.load(folder / f"{case}.npz") as arrays:
        height, width = arrays["resized_rgb"].shape[:2]
        with Image.open(folder / f"{case}.png") as picture:  # the published resizer, before encoding
            resized = np.array(picture.convert("RGB").resize((width, height)))
        assert np.array_equal(resized, arrays["resized_rgb"])
        assert np.array_equal(color_map.encode(resized), arrays["indexed"])
        assert np.array_equal(np.eye(color_map.num_classes)[arrays["indexed"]], arrays["categorized"])


def test_declared_class_indices_are_honoured(reference):
    declared = ColorMap({(255, 0, 0): 2, (0, 0, 0): 0, (0, 255, 0): 1})
    by_position = published_map(reference / "masks" / "order_quirk.config")
    with np.load(reference / "masks" / "order_quirk.npz") as arrays:
        rgb, published = arrays["rgb"], arrays["indexed"]
    assert np.array_equal(by_position.encode(rgb), published)
    assert np.array_equal(declared.encode(rgb), np.array([2, 0, 1])[published])


def test_nearest_colour_and_ties():
    # 127 is nearer to 0, 128 to 255; (0, 127, 0) lies 127^2 from black, 128^2 from green.
    assert BINARY.encode(np.array([[0, 127, 128, 255]], np.uint8)).tolist() == [[0, 0, 1, 1]]
    assert FOUR.encode(np.array([[[0, 127, 0], [0, 128, 0]]], np.uint8)).tolist() == [[0, 1]]
    # (128, 128, 128) is as near to green as to red and blue: the lowest class wins, in any order of the map.
    grey = np.full((1, 1, 3), 128, np.uint8)
    assert ColorMap({(0, 0, 255): 2, (255, 0, 0): 1, (0, 255, 0): 0}).encode(grey).item() == 0
    assert ColorMap({(10, 0, 0): 1, (20, 0, 0): 0}).encode(np.array([[[15, 0, 0]]], np.uint8)).item() == 0


def test_distance_is_squared_and_euclidean():
    pixels = np.array([[[3, 4, 12], [255, 250, 255]]], np.uint8)
    assert BINARY.distance(pixels).tolist() == [[3 * 3 + 4 * 4 + 12 * 12, 25]]
    assert BINARY.distance(np.array([[100, 200]], np.uint8)).tolist() == [[30_000, 3 * 55 * 55]]


colors = st.tuples(*[st.integers(0, 255)] * 3)


@settings(max_examples=30)
@given(st.lists(colors, min_size=1, max_size=12, unique=True), st.data())
def test_encoding_equals_the_plain_definition(palette, data):
    classes = data.draw(st.permutations(range(len(palette))))
    color_map = ColorMap(dict(zip(palette, classes, strict=True)))
    near = st.sampled_from(palette).flatmap(
        lambda color: st.tuples(*[st.integers(max(0, c - 9), min(255, c + 9)) for c in color])
    )
    pixels = np.array(data.draw(st.lists(st.one_of(colors, near), min_size=1, max_size=30)), np.uint8)[None]
    by_class = np.array(palette)[np.argsort(classes)]
    distances = ((pixels[:, :, None].astype(int) - by_class) ** 2).sum(axis=-1)
    assert np.array_equal(color_map.encode(pixels), distances.argmin(axis=-1))
    assert np.array_equal(color_map.distance(pixels), distances.min(axis=-1))
    large = np.repeat(pixels, 20_000 // pixels.size * 3 + 1, axis=0)  # large pictures go another way
    assert np.array_equal(color_map.encode(large)[0], distances.argmin(axis=-1)[0])


def test_several_colours_may_mean_one_class():
    color_map = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (200, 0, 50): 1})
    assert color_map.num_classes == 2
    assert color_map.palette.tolist() == [[0, 0, 0], [255, 0, 0]]
    assert color_map.encode(np.array([[[210, 0, 50]]], np.uint8)).item() == 1


def test_maps_are_equal_if_they_mean_the_same():
    turned = ColorMap({(255, 255, 255): 1, (0, 0, 0): 0})
    assert turned == BINARY
    assert hash(turned) == hash(BINARY)
    assert ColorMap({(255, 255, 255): 0, (0, 0, 0): 1}) != BINARY


def test_more_colours_than_fit_a_byte():
    color_map = ColorMap({(red, green, 0): red for green in (0, 20) for red in range(256)})
    rgb = np.array([[[7, 3, 0], [255, 19, 0], [255, 20, 9]]], np.uint8)
    assert color_map.encode(rgb).tolist() == [[7, 255, 255]]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "is empty"),
        ({(0, 0, 0): 0, (255, 255, 255): 2}, "no colour for class 1"),
        ({(0, 0, 256): 0}, "not a colour"),
        ({(0, 0): 0}, "not a colour"),
        ({(0, 0, 0): -1}, "not in 0 to 255"),
    ],
)
def test_maps_that_make_no_sense(mapping, message):
    with pytest.raises(ConfigError, match=message):
        ColorMap(mapping)


def test_classes_have_the_names_that_are_given():
    three = {(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2}
    named = ColorMap(three, names=["mass", "calcification"])
    assert named.foreground_names == ["mass", "calcification"]
    assert named.with_colors({(128, 0, 0): 1}).foreground_names == named.foreground_names
    assert named == ColorMap(three)  # masks are read alike
    assert ColorMap(three).foreground_names == ["class 1", "class 2"]
    assert BINARY.foreground_names == ["lesion"]
    with pytest.raises(ConfigError, match=r"class_names has 1 name, and .* asks for 2, one for each class"):
        ColorMap(three, names=["mass"])


def test_encoding_is_fast():
    generator = np.random.default_rng(0)
    color_map = ColorMap({tuple(c): i for i, c in enumerate(generator.integers(0, 256, (12, 3)).tolist())})
    blocks = np.kron(generator.integers(0, 12, (32, 32)), np.ones((16, 16), int))
    rgb = color_map.colors(blocks)
    color_map.encode(rgb)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        color_map.encode(rgb)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.25  # of a processor: a few milliseconds; a loop over pixels takes seconds


def test_colours_from_text():
    expected = ColorMap.binary()
    assert parse_rgb_map("{(0, 0, 0): 0, (255, 255, 255): 1}") == expected
    assert parse_rgb_map("#000000=0,#ffffff=1") == expected
    for text in ("black", "{(0,0,0): 0", "{'a': __import__('os')}", "#000000=x"):
        with pytest.raises(ConfigError, match="is not a colour map"):
            parse_rgb_map(text)
