import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flexunet.data.images.files.read import read_image
from flexunet.data.images.files.write import write_image
from flexunet.errors import ImageError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


@given(
    st.sampled_from([".png", ".tif", ".pnm"]),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 3]),
    st.data(),
)
def test_writing_and_reading_is_lossless(tmp_path_factory, suffix, dtype, channels, data):
    image = data.draw(hnp.arrays(dtype, SHAPES.map(lambda shape: (*shape, channels))))
    path = tmp_path_factory.mktemp("round") / f"a{suffix}"
    write_image(path, image)
    found = read_image(path, None)
    assert found.dtype == dtype
    assert np.array_equal(found, image)


def test_writing_refuses_what_the_format_cannot_hold(tmp_path):
    for name, image, message in [
        ("a.jpg", NOISE.astype(np.uint16), "8 bits"),
        ("a.gif", NOISE, "must end in"),
        ("a.png", NOISE.astype(np.float32), "found float32"),
        ("a.png", NOISE[..., :2], "found shape"),
        ("a.png", NOISE[:0], "found shape"),
    ]:
        with pytest.raises(ImageError, match=message):
            write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_names_need_not_be_ascii(tmp_path):
    write_image(tmp_path / "Brust – 乳房.png", NOISE)
    assert np.array_equal(read_image(tmp_path / "Brust – 乳房.png"), NOISE)
