import numpy as np
import pytest
from PIL import Image

from flexunet.data.dataset.pairs import find_pairs
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.write import write_image
from flexunet.data.images.masks.read import read_mask
from flexunet.data.images.masks.reader import MaskReader
from flexunet.errors import MaskError, PathError

BINARY = ColorMap.binary()
FOUR = ColorMap({(0, 0, 0): 0, (0, 255, 0): 1, (255, 0, 0): 2, (0, 0, 255): 3})
SQUARES = np.zeros((40, 50), np.uint8)
SQUARES[5:15, 5:20], SQUARES[20:35, 10:25], SQUARES[8:30, 30:45] = 1, 2, 3
DISC = np.hypot(*np.mgrid[-20:20, -20:20]) < 12


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


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
