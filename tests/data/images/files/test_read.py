import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flexunet.data.images.files.header import image_size
from flexunet.data.images.files.listing import list_images
from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ImageError

GRADIENT = np.add.outer(np.arange(40) * 3, np.arange(50) * 2).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (40, 50, 3), dtype=np.uint16)


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".PNG", ".Tiff"])
def test_colour_of_eight_bits(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(NOISE))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, NOISE)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".pgm"])
def test_grey_is_repeated_for_three_channels(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(GRADIENT))
    assert np.array_equal(read_image(path), np.dstack([GRADIENT] * 3))
    assert np.array_equal(read_image(path, 1), GRADIENT[..., None])
    assert np.array_equal(read_image(path, None), GRADIENT[..., None])


def test_jpeg_keeps_smooth_images_closely(tmp_path):
    path = saved(tmp_path / "a.JPG", Image.fromarray(GRADIENT), quality=95)
    assert np.abs(read_image(path, 1)[..., 0].astype(int) - GRADIENT).max() <= 4


def test_colour_to_grey_is_bt601_luma(tmp_path):
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    path = saved(tmp_path / "a.png", Image.new("RGB", (3, 2), (200, 100, 50)))
    image = read_image(path, 1)
    assert image.shape == (2, 3, 1)
    assert (image == 124).all()


def test_alpha_is_dropped_not_blended(tmp_path):
    rgba = np.dstack([NOISE, np.random.default_rng(2).integers(0, 256, (40, 50), dtype=np.uint8)])
    assert np.array_equal(read_image(saved(tmp_path / "a.png", Image.fromarray(rgba))), NOISE)
    grey_alpha = Image.merge("LA", (Image.fromarray(GRADIENT), Image.new("L", (50, 40), 0)))
    assert np.array_equal(read_image(saved(tmp_path / "b.png", grey_alpha), None)[..., 0], GRADIENT)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_is_resolved(tmp_path, transparent):
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    options = {"transparency": 1} if transparent else {}
    image = read_image(saved(tmp_path / "a.png", picture, **options))
    assert image[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    assert image[1].tolist() == [[70, 80, 90], [40, 50, 60]]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_one_bit_images_become_black_and_white(tmp_path, suffix):
    picture = Image.fromarray(GRADIENT > 90)
    assert picture.mode == "1"
    image = read_image(saved(tmp_path / f"a{suffix}", picture), 1)
    assert np.array_equal(image[..., 0], np.where(GRADIENT > 90, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_sixteen_bit_grey_is_kept(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(DEEP[..., 0]))
    image = read_image(path, None)
    assert image.dtype == np.uint16
    assert np.array_equal(image[..., 0], DEEP[..., 0])
    assert np.array_equal(read_image(path, 3)[..., 2], DEEP[..., 0])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_sixteen_bit_colour_is_kept(tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", DEEP)
    assert np.array_equal(read_image(tmp_path / f"a{suffix}"), DEEP)


def big_endian(*values):
    return np.array(values, ">u2").tobytes()


# Netpbm's pgm(5): the header's last number is white; above 255 a value has two bytes, the larger one first.
PNM = {
    "P5 3 1 255 ": (bytes([0, 100, 255]), np.uint8, [0, 100, 255]),
    "P5 3 1 15 ": (bytes([0, 3, 15]), np.uint8, [0, 51, 255]),
    "P5 # film 12\n3 1 4095\n": (big_endian(0, 1000, 4095), np.uint16, [0, 16004, 65535]),
    "P5 3 1 65535 ": (big_endian(0, 258, 65535), np.uint16, [0, 258, 65535]),
    "P2 3 1 255 ": (b"0 100 255\n", np.uint8, [0, 100, 255]),
    "P2 3 1 4095 ": (b"0 1000 4095\n", np.uint16, [0, 16004, 65535]),
    "P6 1 1 65535 ": (big_endian(7, 258, 65535), np.uint16, [7, 258, 65535]),
}


@pytest.mark.parametrize("header", PNM)
@pytest.mark.parametrize("suffix", [".pgm", ".pnm"])
def test_pnm_by_hand(tmp_path, header, suffix):
    content, dtype, expected = PNM[header]
    (tmp_path / f"a{suffix}").write_bytes(header.encode() + content)
    image = read_image(tmp_path / f"a{suffix}", None)
    assert image.dtype == dtype
    assert image.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P5 3 3 65535 " + big_endian(1, 2, 3), "truncated"),
        (b"P5 30000 30000 255 " + bytes(100), "too large"),
        (b"P5 1 1 0 " + bytes(1), "maxval"),
        (b"P5 1 1 70000 " + bytes(4), "maxval"),
        (b"P5 0 0 255 ", "not a readable image"),
        (b"P5", "truncated or damaged|not a readable image"),
    ],
)
def test_bad_pnm(tmp_path, content, message):
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(ImageError, match=message):
        read_image(tmp_path / "a.pgm")


def test_films_of_mini_mias_as_they_were_published(mammograms):
    folder = mammograms / "mini_mias_512" / "pgm_originals"
    paths = list_images(folder)
    assert [path.name for path in paths] == [
        f"mdb{number}.pgm" for number in ("001", "002", "003", "005", "028", "134")
    ]
    for path in paths:
        film = read_image(path, 1)[..., 0]
        assert (film.shape, film.dtype) == ((1024, 1024), np.uint8)
        assert image_size(path) == (1024, 1024)
        # The PNG beside it was made as the mean of 2 x 2 pixels.
        mean = film.reshape(512, 2, 512, 2).mean(axis=(1, 3))
        halved = read_image(mammograms / "mini_mias_512" / "images" / f"{path.stem}.png", 1)[..., 0]
        assert np.abs(mean - halved).max() <= 0.75


def tiff(values, order):
    """A TIFF of one strip by hand: TIFF 6.0, 16 bits, BlackIsZero."""
    end = "<" if order == "II" else ">"
    data = values.astype(f"{end}u2").tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(data)}
    fields = b"".join(struct.pack(f"{end}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = order.encode() + struct.pack(f"{end}HI", 42, 8 + len(data))
    return head + data + struct.pack(f"{end}H", len(tags)) + fields + bytes(4)


EVERY_LEVEL = np.arange(65536, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("order", ["II", "MM"])
def test_tiff_of_either_byte_order_by_hand(tmp_path, order):
    (tmp_path / "a.tif").write_bytes(tiff(EVERY_LEVEL, order))
    assert np.array_equal(read_image(tmp_path / "a.tif", None)[..., 0], EVERY_LEVEL)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_of_sixteen_bits(tmp_path, compression):
    path = saved(tmp_path / "a.tif", Image.fromarray(EVERY_LEVEL), compression=compression)
    assert np.array_equal(read_image(path, None)[..., 0], EVERY_LEVEL)


def test_sixteen_bit_png_with_alpha(tmp_path):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    # PNG specification 11.2: colour type 4 is grey with alpha, 6 is colour with alpha.
    for color_type, values in [(4, [[[300, 65535], [40000, 7]]]), (6, [[[1, 2000, 65535, 9], [5, 6, 7, 0]]])]:
        rows = b"".join(b"\0" + np.array(row, ">u2").tobytes() for row in values)
        header = struct.pack(">IIBBBBB", 2, 1, 16, color_type, 0, 0, 0)
        content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        content += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(content)
        expected = np.array(values)[..., :-1]
        assert np.array_equal(read_image(tmp_path / "a.png", None), expected)


def test_tiff_that_counts_white_as_zero_is_turned_round(tmp_path):
    # TIFF 6.0: PhotometricInterpretation (262) = 0 is WhiteIsZero. Pillow writes 16-bit values as they are.
    path = saved(tmp_path / "a.tif", Image.fromarray(DEEP[..., 0]), tiffinfo={262: 0})
    assert np.array_equal(read_image(path, 1)[..., 0], 65535 - DEEP[..., 0])
    path = saved(tmp_path / "b.tif", Image.fromarray(GRADIENT), tiffinfo={262: 0})
    assert np.array_equal(read_image(path, 1)[..., 0], GRADIENT)


# What a viewer makes of each orientation tag (Exif 2.32, section 4.6.4 A), for rows "12" and "34" and "56".
ORIENTATIONS = {
    1: [[1, 2], [3, 4], [5, 6]],
    2: [[2, 1], [4, 3], [6, 5]],
    3: [[6, 5], [4, 3], [2, 1]],
    4: [[5, 6], [3, 4], [1, 2]],
    5: [[1, 3, 5], [2, 4, 6]],
    6: [[5, 3, 1], [6, 4, 2]],
    7: [[6, 4, 2], [5, 3, 1]],
    8: [[2, 4, 6], [1, 3, 5]],
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_is_applied_at_every_depth(tmp_path, orientation, dtype, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    grey = np.array(ORIENTATIONS[1], dtype)
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(grey), exif=exif)
    assert read_image(path, 1)[..., 0].tolist() == ORIENTATIONS[orientation]
    assert image_size(path) == np.shape(ORIENTATIONS[orientation])[::-1]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_tag_that_means_no_orientation_turns_nothing(tmp_path, orientation):
    """Of eight meanings 9 is none; the header and the pixels have to agree."""
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.array(ORIENTATIONS[1], np.uint8)).save(path, exif=exif)
    assert read_image(path, 1)[..., 0].tolist() == ORIENTATIONS[1]
    assert image_size(path) == np.shape(ORIENTATIONS[1])[::-1]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_sixteen_bit_colour(tmp_path, orientation):
    colour = np.repeat(np.array(ORIENTATIONS[1], np.uint16)[..., None], 3, axis=2)
    write_image(tmp_path / "a.png", colour)
    content = (tmp_path / "a.png").read_bytes()
    exif = b"eXIfMM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation, 0, 0]) + b"\0" * 4
    chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
    (tmp_path / "a.png").write_bytes(content[:33] + chunk + content[33:])
    image = read_image(tmp_path / "a.png", None)
    assert image.dtype == np.uint16
    assert image[..., 0].tolist() == ORIENTATIONS[orientation]


def test_missing_and_empty_files(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png is empty \(0 bytes\)"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(ImageError, match=r"missing\.png does not exist"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


def test_what_is_not_an_image(tmp_path):
    (tmp_path / "page.png").write_text("<html>login required</html>")
    with pytest.raises(ImageError, match="not a readable image: it is a web page"):
        read_image(tmp_path / "page.png")
    (tmp_path / "text.png").write_text("login required")
    with pytest.raises(ImageError, match="not a readable image: expected PNG"):
        read_image(tmp_path / "text.png")


FORMATS = {
    "png": (Image.fromarray(NOISE), {"format": "PNG"}),
    "jpeg": (Image.fromarray(NOISE), {"format": "JPEG"}),
    "progressive": (Image.fromarray(NOISE), {"format": "JPEG", "progressive": True}),
    "tiff": (Image.fromarray(NOISE), {"format": "TIFF"}),
    "lzw": (Image.fromarray(NOISE), {"format": "TIFF", "compression": "tiff_lzw"}),
    "bmp": (Image.fromarray(NOISE), {"format": "BMP"}),
    "ppm": (Image.fromarray(NOISE), {"format": "PPM"}),
    "deep png": (Image.fromarray(DEEP[..., 0]), {"format": "PNG"}),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.98])
def test_a_truncated_file_is_an_error_not_half_an_image(tmp_path, kind, share):
    picture, options = FORMATS[kind]
    stream = io.BytesIO()
    picture.save(stream, **options)
    content = stream.getvalue()
    (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=r"cut is (truncated or damaged|not a readable image)"):
        read_image(tmp_path / "cut")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_truncated_sixteen_bit_colour(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, DEEP)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(sorted(FORMATS)))
def test_damaged_bytes_give_an_image_or_an_image_error(tmp_path_factory, place, value, kind):
    picture, options = FORMATS[kind]
    stream = io.BytesIO()
    picture.save(stream, **options)
    content = bytearray(stream.getvalue())
    content[place % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(content)
    try:
        image = read_image(path)
    except ImageError:
        return
    assert image.ndim == 3
    assert image.dtype in (np.uint8, np.uint16)


def test_a_decompression_bomb_is_refused_before_it_unpacks(tmp_path):
    for width, height in [(10_000, 9_000), (30_000, 30_000)]:
        (tmp_path / "bomb.pgm").write_bytes(f"P5 {width} {height} 255\n".encode())
        with pytest.raises(ImageError, match="too large"):
            read_image(tmp_path / "bomb.pgm")


def test_kinds_that_are_not_images_of_8_or_16_bit(tmp_path):
    path = saved(tmp_path / "float.tif", Image.fromarray(np.ones((4, 4), np.float32)))
    with pytest.raises(ImageError, match="floating-point"):
        read_image(path)
    path = saved(tmp_path / "long.tif", Image.fromarray(np.full((4, 4), 70_000, np.int32)))
    with pytest.raises(ImageError, match="values from 70000 to 70000; expected 8 or 16 bit"):
        read_image(path)
    pages = [Image.fromarray(GRADIENT)] * 3
    path = saved(tmp_path / "pages.tif", pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="holds 3 pages"):
        read_image(path)


def test_a_volume_is_told_from_an_image(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"\x1f\x8b and so on")
    with pytest.raises(ImageError, match="is a volume"):
        read_image(tmp_path / "a.nii.gz")
