"""Tools that compute on the server, on drawn images whose answer is known."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from flexunet.config.files import load_config
from flexunet.data.images.color_map import ColorMap
from flexunet.data.images.files.write import write_image
from flexunet.errors import ShapeError
from flexunet.review.readings.runs import Box, decode_runs
from flexunet.review.tools.edges import grow, live_wire
from flexunet.review.tools.shapes import components, filled, smooth

from .conftest import HEIGHT, WIDTH


def disc(side, centre, radius, noise=300):
    """A bright disc on dark ground, 16 bits, with noise."""
    plane = np.full((side, side), 9000.0)
    cv2.circle(plane, centre, radius, 30000.0, -1)
    plane += np.random.default_rng(0).normal(0, noise, plane.shape)
    return plane.astype(np.uint16)


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@pytest.mark.parametrize("side", [300, 3000])
def test_a_live_wire_follows_the_edge(side):
    radius, centre = side // 5, (side // 2, side // 2)
    plane = disc(side, centre, radius)
    start, end = (centre[0] - radius, centre[1]), (centre[0], centre[1] - radius)
    points = np.array(live_wire(plane, start, end))
    assert tuple(points[0]) == start
    assert tuple(points[-1]) == end
    off = np.abs(np.hypot(*(points - centre).T) - radius)
    # The straight line would pass 0.29 radii inside of the arc.
    assert off.max() < 0.05 * radius + 2
    assert (np.abs(np.diff(points, axis=0)).max(axis=1) <= np.ceil(side / 768) + 1).all()


def test_a_live_wire_stays_in_the_image():
    plane = np.zeros((20, 30), np.uint16)
    assert live_wire(plane, (3, 4), (3, 4)) == [(3, 4)]
    points = live_wire(plane, (0, 0), (29, 19))
    assert points[0] == (0, 0)
    assert points[-1] == (29, 19)
    with pytest.raises(ShapeError, match="inside 30 x 20"):
        live_wire(plane, (0, 0), (30, 0))


@pytest.mark.parametrize(("side", "tolerance"), [(120, None), (120, 0.3), (900, None)])
def test_a_region_grows_to_its_edge(side, tolerance):
    centre, radius = (side // 2, side // 2), side // 5
    plane = disc(side, centre, radius)
    box = Box(10, 5, side - 20, side - 8)
    region = grow(plane, (centre[0] + 3, centre[1]), box, tolerance)
    truth = cv2.circle(np.zeros((side, side), np.uint8), centre, radius, 1, -1)[box.slices] == 1
    assert region.shape == (box.height, box.width)
    assert dice(region, truth) > 0.95


def test_a_region_holds_its_click_even_on_even_ground():
    region = grow(np.full((64, 64), 5, np.uint16), (20, 20), Box(0, 0, 64, 64))
    assert region[20, 20]
    assert not region[0].any()
    alone = grow(disc(64, (32, 32), 12), (32, 32), Box(0, 0, 64, 64), 0.0)
    assert alone[32, 32]
    for click, box in (((0, 0), Box(0, 0, 64, 64)), ((5, 5), Box(2, 2, 6, 6)), ((50, 5), Box(0, 0, 20, 20))):
        with pytest.raises(ShapeError, match="click inside"):
            grow(np.zeros((64, 64), np.uint16), click, box)


def test_smoothing_takes_a_spike_and_leaves_other_classes():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    labels[29:31, 40:50] = 1  # a spike
    labels[30, 20] = 0  # a notch
    labels[5:8, 5:8] = 2
    whole = Box(0, 0, 60, 60)
    after = smooth(labels, whole, 1, 3.0)
    assert not after[29:31, 43:50].any()
    assert after[30, 20] == 1
    np.testing.assert_array_equal(after == 2, labels == 2)
    # What is not in the box stays; what lies beside it has its part.
    box = Box(38, 25, 15, 10)
    np.testing.assert_array_equal(smooth(labels, box, 1, 3.0), after[box.slices])
    with pytest.raises(ShapeError, match="radius"):
        smooth(labels, whole, 1, 65)


def test_filling_takes_background_alone():
    labels = np.zeros((20, 20), np.uint8)
    labels[2:12, 2:12] = 1
    labels[4:10, 4:10] = 0
    labels[5:7, 5:7] = 2
    labels[14:18, 14:18] = 2
    labels[15:17, 15:17] = 0
    expected = labels.copy()
    expected[4:10, 4:10] = 1
    expected[5:7, 5:7] = 2
    np.testing.assert_array_equal(filled(labels, 1), expected)


def test_components_are_lesions_with_their_centres():
    labels = np.zeros((20, 30), np.uint8)
    labels[2:4, 3:8] = 1
    labels[10, 10] = labels[11, 11] = 1  # joined by a corner
    labels[15:18, 20:23] = 2
    assert components(labels) == [
        {"id": 1, "label": 1, "box": {"x": 3, "y": 2, "width": 5, "height": 2}, "area_px": 10,
         "centre": [5.0, 2.5]},
        {"id": 2, "label": 1, "box": {"x": 10, "y": 10, "width": 2, "height": 2}, "area_px": 2,
         "centre": [10.5, 10.5]},
        {"id": 3, "label": 2, "box": {"x": 20, "y": 15, "width": 3, "height": 3}, "area_px": 9,
         "centre": [21.0, 16.0]},
    ]  # fmt: skip


def test_tools_answer_what_a_stroke_takes(reader):
    number = reader.numbers()["images/a.png"]
    reader.draw(number, 0, 40, 30, 20, 20)
    reader.draw(number, 1, 45, 35, 5, 5, label=0)
    answer = reader.post(f"/api/items/{number}/fill-holes", {"label": 1})
    assert answer == {"box": {"x": 45, "y": 35, "width": 5, "height": 5}, "runs": [1, 25]}
    reader.post(f"/api/items/{number}/strokes", {"base_version": 2, **answer, "tool": "fill-holes"})
    assert reader.post(f"/api/items/{number}/fill-holes", {"label": 1}) == {"box": None, "runs": []}
    whole = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT}
    answer = reader.post(f"/api/items/{number}/smooth", {"box": whole, "label": 1, "radius": 2})
    labels = decode_runs(answer["runs"], Box(**answer["box"]), ColorMap.binary())
    assert 380 < labels.sum() < 460
    assert [each["area_px"] for each in reader.get(f"/api/items/{number}/components")] == [64, 400]
    answer = reader.post(f"/api/items/{number}/live-wire", {"from": [5, 5], "to": [60, 40]})
    assert answer["points"][0] == [5, 5]
    assert answer["points"][-1] == [60, 40]
    answer = reader.post(f"/api/items/{number}/grow", {"x": 30, "y": 30, "box": whole})
    assert decode_runs(answer["runs"], Box(**answer["box"]), ColorMap.binary())[30, 30] == 1
    for path, form in (
        ("fill-holes", {"label": 0}),
        ("fill-holes", {"label": 2}),
        ("smooth", {"box": whole, "label": 1, "radius": 0}),
        ("live-wire", {"from": [5, 5], "to": [80, 40]}),
        ("grow", {"x": 30, "y": 30, "box": {**whole, "width": WIDTH + 1}}),
        ("grow", {"x": 30, "y": 30, "box": whole, "tolerance": 2}),
    ):
        assert "expected" in reader.post(f"/api/items/{number}/{path}", form, 422)["error"] or path
    assert reader.get(f"/api/items/{number}")["mask"]["version"] == 3
    refused = reader.post(f"/api/items/{number}/predict", {"box": whole}, 409)
    assert "--run" in refused["error"]
    assert reader.get("/api/session")["has_model"] is False


def test_the_run_predicts_a_part_again(run, images, open_desk, serve_desk, sign_in):
    from flexunet.inference.predict.predictor import Predictor
    from flexunet.inference.predict.probabilities import mask_of

    config = load_config(run)
    reader = sign_in(serve_desk(open_desk(images, run=config)))
    assert reader.get("/api/session")["has_model"] is True
    number = reader.numbers()["big.png"]
    box = {"x": 50, "y": 40, "width": 20, "height": 10}
    answer = reader.post(f"/api/items/{number}/predict", {"box": box})
    # The model takes 32 x 32: that is what it was shown, with the box in its middle.
    assert answer["seen"] == {"x": 44, "y": 29, "width": 32, "height": 32}
    pixels = np.asarray(cv2.imread(str(images / "big.png"), cv2.IMREAD_UNCHANGED))
    expected = mask_of(Predictor.load(config)(pixels[29:61, 44:76]))[11:21, 6:26]
    np.testing.assert_array_equal(decode_runs(answer["runs"], Box(**box), ColorMap.binary()), expected)
    assert 0 < expected.sum() < expected.size


def test_no_engine_starts_before_it_is_asked():
    code = (
        "import sys, flexunet.review.web.app, flexunet.review.web.server; "
        "found = {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("to_predict") / "films"
    rng = np.random.default_rng(4)
    blurred = cv2.GaussianBlur(rng.normal(0, 1, (90, 120)), (0, 0), 5)
    write_image(folder / "big.png", cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose model of random weights marks about half of an image."""
    import keras

    from flexunet.config.schema import Config
    from flexunet.config.writing import write_config
    from flexunet.models.registry import build_model
    from flexunet.run_folder import RunFolder

    folder = tmp_path_factory.mktemp("model") / "run"
    model = {"image_width": 32, "image_height": 32, "num_layers": 2, "base_filters": 4}
    config = Config(model={**model, "base_kernels": (3, 3)}, train={"run_dir": str(folder)})
    keras.utils.set_random_seed(3)
    built = build_model(config)
    RunFolder.of(config).best_model.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    probabilities = built.predict_on_batch(pixels)
    bias = built.layers[-1].weights[-1]
    odds = float(np.median(np.log(probabilities[..., 1] / probabilities[..., 0])))
    bias.assign(bias.numpy() - np.array([0, odds], np.float32))
    built.save(RunFolder.of(config).best_model)
    write_config(config, folder / "config.toml")
    return folder
