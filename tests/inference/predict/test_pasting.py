"""Tiles side by side, against what the published system made of the same images."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.config.checks import check_config
from flexunet.config.files import load_config
from flexunet.config.schema import Config
from flexunet.data.images.files.read import read_image
from flexunet.errors import ConfigError, ShapeError
from flexunet.inference.folder import infer_folder
from flexunet.inference.predict.fitting import PUBLISHED_TILE
from flexunet.inference.predict.pasting import boxes_over, predict_pasted
from flexunet.inference.predict.predictor import Predictor
from flexunet.inference.predict.probabilities import mask_of
from flexunet.models.registry import build_model
from flexunet.models.weights.load import load_weights

COLORS = np.array([(0, 0, 0), (0, 255, 0), (255, 0, 0)], np.uint8)
CASES = [
    "main_model128_split128_ov16",
    "model128_split128_ov0",
    "model256_split128_ov16",
    "model64_split128_ov16",
    "small_model64_split64_ov8_w40_h50",
]


@pytest.fixture(scope="module")
def recorded(reference):
    """A case: its configuration, image and arrays."""
    folder = reference / "tiled"

    def read(case):
        config = load_config(
            folder / f"{case}.config", ["tiledinfer.blending=paste", "train.precision=float32"]
        )
        image = read_image(folder / ("image_w40_h50.png" if "w40" in case else "image_w500_h300.png"), 3)
        with np.load(folder / f"{case}.npz", allow_pickle=False) as arrays:
            return config, image, dict(arrays)

    return read


@pytest.fixture(scope="module")
def published_predictor(reference):
    def build(config):
        model = build_model(config)
        load_weights(model, reference / "tiled" / "weights_keras2.h5")
        return Predictor(model, config)

    return build


@pytest.mark.parametrize("case", CASES)
def test_tiles_and_masks_are_those_of_the_published_system(recorded, published_predictor, case):
    config, image, arrays = recorded(case)
    predictor = published_predictor(config)
    seen, answered = [], []

    class Watched(Predictor):
        def predict_batch(self, pixels):
            seen.extend(pixels)
            answered.extend(super().predict_batch(pixels))
            return np.stack(answered[-len(pixels) :])

    found = Watched(predictor.model, config).predict(image, tiled=True).probabilities
    np.testing.assert_array_equal(np.stack(seen), arrays["tile_inputs"])
    # The recorded probabilities are half floats.
    np.testing.assert_allclose(np.stack(answered), arrays["tile_prob"].astype(np.float32), atol=1e-3)
    first, second = np.sort(found, axis=-1)[..., -1], np.sort(found, axis=-1)[..., -2]
    clear = first - second > 1e-3
    assert clear.mean() > 0.999
    mask, expected = COLORS[mask_of(found)], arrays["output"]
    differs = (mask != expected).any(-1) & clear
    if case != "model64_split128_ov16":
        assert not differs.any()
        return
    # There it left black gaps; here every pixel has its prediction.
    assert 0.4 < differs.mean() < 0.6
    assert not expected[differs].any()


def test_the_case_without_arrays_has_as_many_pixels_of_each_colour(reference, recorded, published_predictor):
    config = recorded("small_model64_split64_ov8_w40_h50")[0]
    about = json.loads((reference / "tiled" / "meta.json").read_text())["exact_model64_split64_ov8_w192_h128"]
    image = read_image(reference / "tiled" / "image_w192_h128.png", 3)
    mask = mask_of(published_predictor(config).predict_tiled(image))
    counts = {str(tuple(COLORS[label].tolist())): int((mask == label).sum()) for label in range(3)}
    for color, count in about["colours"].items():
        assert counts[color] == pytest.approx(count, abs=5)


def test_a_folder_is_pasted_as_published(reference, recorded, published_predictor, tmp_path):
    config = recorded(CASES[-1])[0].model_copy(deep=True)
    config.tiledinfer.output_dir = str(tmp_path / "masks")
    result = infer_folder(
        config,
        inputs=[reference / "tiled" / "image_w40_h50.png"],
        tiled=True,
        predictor=published_predictor(config),
    )
    found, expected = (
        read_image(path, 3) for path in (result.mask_paths[0], reference / "tiled" / f"{CASES[-1]}.out.png")
    )
    assert found.shape == expected.shape
    assert (found != expected).any(-1).mean() < 2e-3
    told = json.loads((result.lesions_dir / "prediction.json").read_text())
    assert (told["blending"], told["tile_size"], told["tile_overlap"], told["fit"]) == ("paste", 64, 8, None)


def pointwise(tiles):
    """A model that sees one pixel at a time, tiles of any size."""
    return [np.concatenate([255 - tile, tile], axis=-1).astype(np.float32) / 255 for tile in tiles]


@given(
    height=st.integers(1, 90), width=st.integers(1, 90), overlap=st.integers(0, 15), batch=st.integers(1, 7)
)
def test_each_pixel_is_that_of_its_own_box(height, width, overlap, batch):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 1), dtype=np.uint8)
    shapes = set()

    def predict(tiles):
        assert len(tiles) <= batch
        shapes.update(tile.shape[:2] for tile in tiles)
        return pointwise(tiles)

    found = predict_pasted(image, predict, size=16, overlap=overlap, batch_size=batch)
    np.testing.assert_array_equal(found, pointwise([image])[0])
    assert {side for shape in shapes for side in shape} <= {16, 16 + overlap, 16 + 2 * overlap}


def test_margins_and_black_worked_by_hand():
    seen = []

    def predict(tiles):
        seen.extend(tiles)
        return pointwise(tiles)

    image = np.full((10, 26), 7, np.uint16)[..., np.newaxis]
    predict_pasted(image, predict, size=8, overlap=2)
    # Rows 0..8 with 2 below, 8..16 with 2 above; columns 0..8, 8..16, 16..24 (up to 26), 24..32.
    assert [tile.shape[:2] for tile in seen] == [
        (10, 10), (10, 12), (10, 12), (10, 10),
        (10, 10), (10, 12), (10, 12), (10, 10),
    ]  # fmt: skip
    assert (seen[0] == 7).all()
    assert (seen[3][:, :4] == 7).all()
    assert not seen[3][:, 4:].any()
    assert not seen[4][4:].any()
    assert seen[0].dtype == np.uint16


def test_tiles_that_are_not_chosen_hold_background():
    image = np.full((20, 30, 1), 255, np.uint8)

    def choose(grid):
        assert grid == boxes_over(20, 30, 16)
        assert (grid.shape, grid.height, grid.width) == ((2, 2), 32, 32)
        return np.array([[True, False], [False, True]])

    found = predict_pasted(
        image, pointwise, size=16, overlap=4, choose=choose, background=np.array([1, 0])
    ).argmax(-1)
    expected = np.zeros((20, 30), int)
    expected[:16, :16] = 1
    expected[16:, 16:] = 1
    assert np.array_equal(found, expected)


def test_an_overlap_of_a_whole_tile_is_refused():
    with pytest.raises(ShapeError, match="overlapping from 0 to 15"):
        predict_pasted(np.zeros((4, 4, 1), np.uint8), pointwise, size=16, overlap=16)


def test_turns_and_breast_tiles_go_with_pasting(recorded, published_predictor):
    config, image, _ = recorded("small_model64_split64_ov8_w40_h50")
    plain = published_predictor(config)
    config = config.model_copy(deep=True)
    config.infer.test_time_augmentation = True
    config.tiledinfer.breast_only = True  # the one tile is kept
    turned = Predictor(plain.model, config).predict_tiled(image)
    tile = np.pad(image, ((0, 14), (0, 24), (0, 0)))
    by_hand = np.mean(
        [
            np.rot90(plain.predict_batch(np.rot90(tile, k)[np.newaxis].astype(np.float32))[0], -k)
            for k in range(4)
        ]
        + [
            np.rot90(plain.predict_batch(np.rot90(tile[:, ::-1], k)[np.newaxis].astype(np.float32))[0], -k)[
                :, ::-1
            ]
            for k in range(4)
        ],
        axis=0,
    )
    np.testing.assert_allclose(turned, by_hand[:50, :40], atol=1e-5)


def test_deep_images_are_pasted_at_their_depth(published_predictor, recorded):
    config, image, _ = recorded("model64_split128_ov16")
    predictor = published_predictor(config)
    tile = 80 + image[:128, :144] // 4  # where nothing swings over the range, 8 bits are but rounded, twice
    prepared = predictor.prepare(tile, PUBLISHED_TILE)
    deep = predictor.prepare(tile.astype(np.uint16) * 257, PUBLISHED_TILE)
    assert np.abs(deep - prepared).max() < 1.2
    assert deep.dtype == np.float32
    assert len(np.unique(deep)) > len(np.unique(prepared))


def test_a_run_trained_on_crops_is_refused():
    sizes = {"image_width": 64, "image_height": 64}
    config = Config(model=sizes, train={"crop": "random"}, tiledinfer={"blending": "paste"})
    with pytest.raises(ConfigError, match=r'blending = "paste" scales tiles.*set blending = "gaussian"'):
        check_config(config)
