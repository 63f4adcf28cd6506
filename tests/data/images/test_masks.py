import ast
import configparser
import struct
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import parse_rgb_map
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks import (
    ColorMap,
    MaskReader,
    foreground_classes,
    read_mask,
    resize_mask,
    write_mask,
)
from flexunet.errors import ConfigError, MaskError, PathError

BINARY = ColorMap.binary()
FOUR = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3})
SQUARES = np.zeros((40, 50), np.uint8)
SQUARES[5:15, 5:20], SQUARES[20:35, 10:25], SQUARES[8:30, 30:45] = 1, 2, 3
DISC = np.hypot(*np.mgrid[-20:20, -20:20]) < 12

CASES = ["hard_c2_same", "aa_c2_same", "aa_c2_resized", "hard_c4_same", "aa_c4_resized_nonsq"]
CASES += ["strange_c4_same", "strange_c2_same", "strange_c3_up", "gray_c2_up"]


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


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


@settings(max_examples=30)
@given(st.lists(colors, min_size=1, max_size=12, unique=True), st.data())
def test_colours_and_files_round_trip(tmp_path_factory, palette, data):
    color_map = ColorMap({color: index for index, color in enumerate(palette)})
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    mask = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, len(palette) - 1)))
    assert np.array_equal(color_map.encode(color_map.colors(mask)), mask)
    folder = tmp_path_factory.mktemp("round")
    write_mask(folder / "palette.png", mask, color_map)
    assert np.array_equal(read_mask(folder / "palette.png", color_map), mask)
    write_image(folder / "colour.tif", color_map.colors(mask))
    assert np.array_equal(read_mask(folder / "colour.tif", color_map), mask)
    np.savez_compressed(folder / "array.npz", mask=mask)
    assert np.array_equal(read_mask(folder / "array.npz", color_map), mask)


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


def test_a_palette_png_stores_class_indices(tmp_path):
    write_mask(tmp_path / "a.png", SQUARES, FOUR)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), SQUARES)
        assert np.array_equal(np.array(picture.convert("RGB")), FOUR.colors(SQUARES))


def test_writing_refuses_classes_without_colour_and_other_formats(tmp_path):
    with pytest.raises(MaskError, match="holds class 3"):
        write_mask(tmp_path / "a.png", SQUARES, BINARY)
    with pytest.raises(MaskError, match=r"must end in \.png"):
        write_mask(tmp_path / "a.jpg", SQUARES, FOUR)
    with pytest.raises(MaskError, match="found shape"):
        write_mask(tmp_path / "a.png", FOUR.colors(SQUARES), FOUR)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_black_and_white_in_every_mode(tmp_path, suffix, mode):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(DISC).convert(mode))
    assert np.array_equal(read_mask(path, BINARY), DISC)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_files_of_class_indices(tmp_path, dtype):
    path = saved(tmp_path / "a.png", Image.fromarray(SQUARES.astype(dtype)))
    assert np.array_equal(read_mask(path, FOUR), SQUARES)


@pytest.mark.parametrize("scale", [1, 257])
def test_sixteen_bit_greys_are_colours_plain_or_scaled(tmp_path, scale):
    tissue = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1, (192, 192, 192): 2, (255, 255, 255): 3})
    greys = tissue.palette[SQUARES][..., 0].astype(np.uint16) * scale
    path = saved(tmp_path / "a.png", Image.fromarray(greys))
    assert np.array_equal(read_mask(path, tissue), SQUARES)


def test_small_greys_that_are_colours_of_the_map_are_colours(tmp_path):
    swapped = ColorMap({(1, 1, 1): 0, (0, 0, 0): 1})
    path = saved(tmp_path / "a.png", Image.fromarray(DISC.astype(np.uint8)))
    assert np.array_equal(read_mask(path, swapped), ~DISC)


def test_an_all_zero_file_is_background_if_black_is_not_a_colour(tmp_path):
    tissue = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1})
    path = saved(tmp_path / "a.png", Image.new("L", (9, 9)))
    assert not read_mask(path, tissue).any()


def test_a_foreign_palette_means_indices(tmp_path):
    picture = Image.fromarray(SQUARES)
    picture.putpalette([90, 90, 90, 128, 64, 128, 244, 35, 232, 70, 70, 140])
    path = saved(tmp_path / "a.png", picture)
    assert np.array_equal(read_mask(path, FOUR), SQUARES)
    with pytest.raises(MaskError, match="far from every colour"):
        read_mask(path, ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2}))


def test_antialiased_and_jpeg_edges_pass(tmp_path):
    large = Image.fromarray(DISC).convert("L").resize((400, 400), Image.Resampling.NEAREST)
    smooth = large.resize((200, 200), Image.Resampling.BICUBIC)
    expected = np.array(smooth) > 127
    assert np.array_equal(read_mask(saved(tmp_path / "a.png", smooth), BINARY), expected)
    found = read_mask(saved(tmp_path / "a.jpg", smooth, quality=75), BINARY)
    assert (found != expected).mean() < 0.002


def test_noise_of_an_empty_jpeg_mask_is_not_a_class_index(tmp_path):
    noise = np.zeros((16, 16), np.uint8)
    noise[:8] = 1
    path = saved(tmp_path / "a.jpg", Image.fromarray(noise), quality=100)
    assert not read_mask(path, BINARY).any()


def test_a_colour_that_the_map_lacks_is_named(tmp_path):
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[:20, :50] = (255, 128, 0)
    path = saved(tmp_path / "a.png", Image.fromarray(rgb))
    with pytest.raises(MaskError, match=r"a\.png: 10\.00% .* rgb_map, most often \(255, 128, 0\)") as caught:
        read_mask(path, FOUR)
    assert "(0, 255, 0)" in str(caught.value)


def test_a_small_object_of_a_wrong_colour_is_found_too(tmp_path):
    grey = np.zeros((200, 200), np.uint8)
    grey[50:60, 50:60] = 128  # 0.25 % of the image
    path = saved(tmp_path / "a.png", Image.fromarray(grey))
    with pytest.raises(MaskError, match=r"\(128, 128, 128\)"):
        read_mask(path, BINARY)
    assert read_mask(path, BINARY, tolerance=1).sum() == 100  # as published: the nearest, whatever it is


def test_a_photograph_is_no_mask(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    with pytest.raises(MaskError, match="far from every colour"):
        read_mask(saved(tmp_path / "a.png", Image.fromarray(noise)), BINARY)


@pytest.mark.parametrize("folder", ["cdd_cesm", "flexunet_inbreast", "flexunet_mammogram_mastery"])
def test_real_masks_pass(mammograms, folder):
    for path in sorted((mammograms / folder / "masks").iterdir())[:8]:
        mask = read_mask(path, BINARY)
        with Image.open(path) as picture:
            assert np.array_equal(mask, np.array(picture.convert("L")) > 127)


def test_tissue_masks_need_their_own_map(mammograms):
    path = min((mammograms / "ddsm_tissue" / "masks").iterdir())
    with pytest.raises(MaskError, match=r"rgb_map, most often \(64, 64, 64\)"):
        read_mask(path, BINARY)
    tissue = ColorMap({(64, 64, 64): 0, (128, 128, 128): 1, (192, 192, 192): 2, (255, 255, 255): 3})
    assert set(np.unique(read_mask(path, tissue))) == {0, 1, 2, 3}


def test_threshold_of_the_older_dialect(tmp_path):
    greys = np.array([[0, 74, 75, 255]], np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(greys))
    assert read_mask(path, BINARY, threshold=74).tolist() == [[0, 0, 1, 1]]
    path = saved(tmp_path / "b.png", Image.new("RGB", (2, 1), (0, 200, 0)))  # luma 117
    assert read_mask(path, BINARY, threshold=74).tolist() == [[1, 1]]
    path = saved(tmp_path / "c.png", Image.fromarray(np.array([[0, 1]], np.uint8)))
    assert read_mask(path, BINARY, threshold=74).tolist() == [[0, 1]]  # indices stay indices


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.float64, bool])
def test_one_hot_arrays(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", mask=np.eye(4)[SQUARES].astype(dtype))
    assert np.array_equal(read_mask(tmp_path / "a.npz", FOUR), SQUARES)


def test_arrays_of_one_channel(tmp_path):
    np.savez(tmp_path / "a.npz", mask=DISC[..., None].astype(np.float32) * 0.9)
    assert np.array_equal(read_mask(tmp_path / "a.npz", BINARY), DISC)
    np.savez(tmp_path / "b.npz", mask=SQUARES[..., None].astype(np.int64))
    assert np.array_equal(read_mask(tmp_path / "b.npz", FOUR), SQUARES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": SQUARES}, "expected the key 'mask', found image"),
        ({"mask": SQUARES * 2}, "indices 0 to 3, found values from 0 to 6"),
        ({"mask": SQUARES.astype(int) - 1}, "found values from -1 to 2"),
        ({"mask": SQUARES / 2}, "expected class indices"),
        ({"mask": np.full((2, 2), np.nan)}, "expected class indices"),
        ({"mask": np.eye(3)[SQUARES % 3]}, "3 classes in the array, 4 in"),
        ({"mask": np.zeros(5)}, "found float64"),
        ({"mask": np.array([["a"]])}, "found <U1"),
        ({"mask": np.zeros((0, 3))}, "found float64"),
    ],
)
def test_arrays_that_are_no_mask(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MaskError, match=message):
        read_mask(tmp_path / "a.npz", FOUR)


def declare(path, shape, dtype="|u1"):
    """An `.npz` file whose header declares an array of any size, over a few bytes."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "mask.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(64)
        )


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((60000, 60000), "|u1"), ((10**23, 1), "|u1"), ((8, 8, 10**9), "<f4"), ((8, 8), "<U100000")],
)
def test_an_array_too_large_is_refused_by_its_header(tmp_path, shape, dtype):
    declare(tmp_path / "a.npz", shape, dtype)
    with pytest.raises(MaskError, match=r"a\.npz (declares an array|cannot be read)"):
        read_mask(tmp_path / "a.npz", BINARY)


def test_an_encrypted_array_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, mask=SQUARES)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1  # the flag of encryption
    path.write_bytes(content)
    with pytest.raises(MaskError, match=r"a\.npz cannot be read"):
        read_mask(path, FOUR)


def test_nothing_in_an_array_file_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    np.savez(tmp_path / "a.npz", mask=np.array([[Trap()]], object))
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(tmp_path / "a.npz", BINARY)


def test_unreadable_masks(tmp_path):
    with pytest.raises(MaskError, match=r"mask .*a\.png does not exist"):
        read_mask(tmp_path / "a.png", BINARY)
    with pytest.raises(MaskError, match=r"mask .*a\.npz does not exist"):
        read_mask(tmp_path / "a.npz", BINARY)
    (tmp_path / "b.npz").write_bytes(b"PK no zip")
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(tmp_path / "b.npz", BINARY)
    with (tmp_path / "b.npz").open("wb") as stream:
        np.save(stream, SQUARES)  # a plain array under the wrong name
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(tmp_path / "b.npz", FOUR)
    np.savez(tmp_path / "c.npz", mask=SQUARES)
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:300])
    with pytest.raises(MaskError, match="cannot be read"):
        read_mask(tmp_path / "c.npz", FOUR)
    (tmp_path / "d.png").touch()
    with pytest.raises(MaskError, match="0 bytes"):
        read_mask(tmp_path / "d.png", BINARY)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 5)),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_resizing_invents_no_class(mask, width, height):
    resized = resize_mask(mask, width, height)
    assert resized.shape == (height, width)
    assert set(np.unique(resized)) <= set(np.unique(mask))


def test_resizing_takes_the_pixel_under_each_centre():
    mask = np.array([[1, 2], [3, 4]], np.uint8)
    assert resize_mask(mask, 4, 2).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert resize_mask(np.arange(9, dtype=np.uint8).reshape(3, 3), 1, 1).tolist() == [[4]]
    assert resize_mask(mask, 2, 2) is mask


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


def test_foreground_classes():
    assert foreground_classes(np.array([[0, 3], [255, 3]], np.uint8)) == [3, 255]
    assert foreground_classes(np.zeros((2, 2), np.uint8)) == []


def test_colours_from_text():
    expected = ColorMap.binary()
    assert parse_rgb_map("{(0, 0, 0): 0, (255, 255, 255): 1}") == expected
    assert parse_rgb_map("#000000=0,#ffffff=1") == expected
    for text in ("black", "{(0,0,0): 0", "{'a': __import__('os')}", "#000000=x"):
        with pytest.raises(ConfigError, match="is not a colour map"):
            parse_rgb_map(text)


class TestReader:
    def test_one_reader_stands_for_map_threshold_and_tolerance(self, tmp_path):
        grey = np.array([[0, 50, 75, 255]], np.uint8)
        path = saved(tmp_path / "a.png", Image.fromarray(grey))
        assert MaskReader(BINARY, threshold=74).read(path).tolist() == [[0, 0, 1, 1]]
        with pytest.raises(MaskError, match="far from every colour"):
            MaskReader().read(path)
        assert MaskReader().lenient.read(path).tolist() == [[0, 0, 0, 1]]
        assert MaskReader(threshold=74).lenient == MaskReader(BINARY, threshold=74, tolerance=1)

    def test_a_mask_has_the_size_of_its_image(self, tmp_path):
        write_mask(tmp_path / "a.png", DISC, BINARY)
        assert MaskReader().read_like(tmp_path / "a.png", (40, 40, 3), "a.jpg").shape == (40, 40)
        text = r"mask .*a\.png has 40 x 40 pixels, its film a\.jpg has 50 x 40 \(width x height\)"
        with pytest.raises(MaskError, match=text):
            MaskReader().read_like(tmp_path / "a.png", (40, 50), "a.jpg", "film")


class TestHue:
    """The map of the published MIAS project says (0, 255, 0); its masks hold (0, 128, 0)."""

    COLORS = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2})

    def write(self, path, *colors):
        picture = np.zeros((64, 64, 3), np.uint8)
        for number, color in enumerate(colors):
            picture[10:30, 20 * number : 20 * number + 12] = color
        options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
        Image.fromarray(picture).save(path, **options)
        return path

    def test_darker_colours_of_an_entrys_hue_stand_for_it(self, tmp_path):
        path = self.write(tmp_path / "a.png", (0, 128, 0), (128, 10, 0))
        assert np.bincount(read_mask(path, self.COLORS).ravel()).tolist() == [3616, 240, 240]
        note = MaskReader(self.COLORS).note_on([path])
        assert "(0, 128, 0) for (0, 255, 0), class 1; (128, 10, 0) for (255, 0, 0), class 2" in note

    def test_jpeg_keeps_the_area(self, tmp_path):
        path = self.write(tmp_path / "a.jpg", (0, 128, 0))
        assert np.count_nonzero(read_mask(path, self.COLORS) == 1) == pytest.approx(240, rel=0.25)

    def test_exact_colours_need_no_note(self, tmp_path):
        assert MaskReader(self.COLORS).note_on([self.write(tmp_path / "a.png", (0, 255, 0))]) == ""

    @pytest.mark.parametrize(
        "colors",
        [
            [(128, 128, 0)],  # between green and red
            [(0, 0, 200)],  # another hue
            [(120, 120, 120)],  # none
            [(0, 255, 0), (0, 128, 0)],  # two shades in one mask are two classes
            [(0, 128, 0), (0, 190, 0)],
        ],
    )
    def test_everything_else_stays_refused(self, tmp_path, colors):
        with pytest.raises(MaskError, match="far from every colour"):
            read_mask(self.write(tmp_path / "a.png", *colors), self.COLORS)

    def test_two_classes_of_one_hue_are_not_told_apart_by_it(self, tmp_path):
        colors = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (120, 255, 120): 2})
        with pytest.raises(MaskError, match="far from every colour"):
            read_mask(self.write(tmp_path / "a.png", (0, 150, 0)), colors)


@pytest.mark.parametrize(
    "window", [{}, {"WindowCenter": 40, "WindowWidth": 400}, {"WindowCenter": 1, "WindowWidth": 2}]
)
@pytest.mark.parametrize(
    "white", [np.uint8(255), np.uint8(1), np.uint16(255), np.uint16(4095), np.uint16(65535)]
)
def test_masks_in_dicom_are_read_by_their_values_and_not_by_a_window(tmp_path, write_dicom, window, white):
    """As CBIS-DDSM has them: 8 bits, odd sides, a byte of padding."""
    mask = np.zeros((41, 33), white.dtype)
    mask[5:20, 7:30] = white
    bits = {"BitsStored": 12} if white == 4095 else {}
    write_dicom(tmp_path / "m.dcm", mask, **window, **bits)
    np.testing.assert_array_equal(
        read_mask(tmp_path / "m.dcm", ColorMap.binary()), (mask > 0).astype(np.uint8)
    )


def test_a_mask_in_dicom_of_other_values_is_named(tmp_path, write_dicom):
    write_dicom(tmp_path / "m.dcm", np.arange(40 * 40, dtype=np.uint8).reshape(40, 40))
    with pytest.raises(MaskError, match=r"m\.dcm: .* far from every colour"):
        read_mask(tmp_path / "m.dcm", ColorMap.binary())


def test_a_mask_in_dicom_that_lacks_a_byte_is_refused(tmp_path, write_dicom):
    pixels = np.zeros((41, 33), np.uint8).tobytes()
    write_dicom(tmp_path / "m.dcm", np.zeros((41, 33), np.uint8), PixelData=pixels[:-1])
    with pytest.raises(MaskError, match=r"m\.dcm is truncated or damaged"):
        read_mask(tmp_path / "m.dcm", ColorMap.binary())


SQUARE = np.zeros((64, 96), np.uint8)
SQUARE[10:30, 20:50] = 255


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.webp", {"quality": 80}),
        ("a.tif", {"compression": "packbits"}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {"compression": "tiff_deflate"}),
    ],
)
def test_mask_files_of_further_kinds(tmp_path, name, options):
    Image.fromarray(SQUARE).save(tmp_path / name, **options)
    assert np.array_equal(read_mask(tmp_path / name, BINARY), SQUARE > 0)


def test_tiled_tiff_masks(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", SQUARE, tile=(16, 32), compression="zlib")
    tifffile.imwrite(tmp_path / "b.tif", SQUARE.astype(np.uint16) * 257, tile=(16, 16))
    for name in ("a.tif", "b.tif"):
        assert np.array_equal(read_mask(tmp_path / name, BINARY), SQUARE > 0)


def test_floating_point_masks(tmp_path):
    """Whole numbers are indices or grey; shares need a range, which says what is white."""
    for highest in (1, 255):
        Image.fromarray((SQUARE / 255 * highest).astype(np.float32)).save(tmp_path / "a.tif")
        assert np.array_equal(read_mask(tmp_path / "a.tif", BINARY), SQUARE > 0)
    shares = (SQUARE / 255 * 0.9).astype(np.float32)
    Image.fromarray(shares).save(tmp_path / "b.tif")
    with pytest.raises(MaskError, match="LOW,HIGH"):
        read_mask(tmp_path / "b.tif", BINARY)
    reader = MaskReader(BINARY, 128, grey_range="0,1")
    assert np.array_equal(reader.read(tmp_path / "b.tif"), SQUARE > 0)
    write_image(tmp_path / "c.png", SQUARE)
    assert np.array_equal(reader.read(tmp_path / "c.png"), SQUARE > 0)  # no range for what has one


@pytest.mark.parametrize(("colour", "index"), [((255, 0, 0), 1), ((0, 255, 0), 2)])
def test_what_is_painted_in_one_colour_is_its_class_where_it_is_opaque(tmp_path, colour, index):
    colors = ColorMap({(0, 0, 0): 0, (255, 0, 0): 1, (0, 255, 0): 2})
    alpha = SQUARE.copy()
    alpha[9] = 100  # an antialiased edge
    paint = Image.new("RGB", (96, 64), colour)
    Image.merge("RGBA", (*paint.split(), Image.fromarray(alpha))).save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png", colors), np.where(SQUARE, index, 0))
    black = Image.new("L", (96, 64), 0)
    Image.merge("LA", (black, Image.fromarray(alpha))).save(tmp_path / "b.png")
    assert np.array_equal(read_mask(tmp_path / "b.png", BINARY), SQUARE > 0)
    with pytest.raises(MaskError, match="only its alpha"):
        read_mask(tmp_path / "b.png", colors)


def test_a_gif_of_several_pictures_is_no_mask(tmp_path):
    pictures = [Image.fromarray(SQUARE), Image.fromarray(255 - SQUARE)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    with pytest.raises(MaskError, match="holds 2 pages"):
        read_mask(tmp_path / "a.gif", BINARY)


def test_gif_masks_pair_with_images_and_are_no_images(tmp_path):
    for name in "ab":
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        write_image(tmp_path / "images" / f"{name}.png", SQUARE)
        Image.fromarray(SQUARE).save(tmp_path / "masks" / f"{name}.gif")
    pairs = find_pairs(tmp_path / "images", tmp_path / "masks")
    assert [pair.mask_path.name for pair in pairs] == ["a.gif", "b.gif"]
    with pytest.raises(PathError, match=r"2 ending in \.gif"):
        list_images(tmp_path / "masks")
