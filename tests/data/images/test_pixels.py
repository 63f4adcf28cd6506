import numpy as np

from flexunet.data.images.pixels import resize_image, to_model_range

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def test_resizing_keeps_the_channel_axis():
    assert resize_image(NOISE[..., :1], 20, 10).shape == (10, 20, 1)
    assert resize_image(NOISE, 20, 10).shape == (10, 20, 3)
    assert resize_image(NOISE, 50, 40) is NOISE


def test_resizing_is_the_published_linear_one(reference):
    with np.load(reference / "masks" / "resize_behaviours.npz") as arrays:
        for width, height in [(64, 64), (200, 128), (150, 100), (53, 37)]:
            expected = arrays[f"cv2_linear_{width}x{height}"]
            height, width = expected.shape[:2]
            assert np.array_equal(resize_image(arrays["src"], width, height), expected)


def test_model_range():
    assert to_model_range(np.array([0, 255], np.uint8)).tolist() == [0.0, 255.0]
    assert to_model_range(np.array([0, 257, 65535], np.uint16)).tolist() == [0.0, 1.0, 255.0]
    already = np.array([12.5], np.float32)
    assert to_model_range(already) is already
