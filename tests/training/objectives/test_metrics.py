"""Metrics: recorded values of the published system, values worked by hand, and the rule of averaging."""

import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.errors import ConfigError
from flexunet.evaluation.scores.images import score_image
from flexunet.training.objectives.named import PublishedMean, get_metric
from flexunet.training.objectives.rows import METRICS

# Truth and probabilities of one image of 1 x 2 pixels and two classes, small enough to work by hand.
TRUTH = np.array([[[[1, 0], [0, 1]]]], "float32")
PREDICTED = np.array([[[[0.75, 0.25], [0.5, 0.5]]]], "float32")


def value(fn, y_true, y_pred) -> float:
    return float(keras.ops.convert_to_numpy(keras.ops.mean(fn(y_true, y_pred))))


def recorded(reference, name):
    """Every recorded case of a metric or loss: the arrays, and what the published function gave."""
    for case, values in json.loads((reference / "metrics/values_keras2.json").read_text()).items():
        arrays = reference / f"metrics/{case}.npz"
        if name not in values or not arrays.is_file():
            continue
        found = values[name]
        with np.load(arrays) as pair:
            yield (
                case,
                pair["y_true"],
                pair["y_pred"],
                float(found["mean"] if isinstance(found, dict) else found),
            )


@pytest.mark.engines
@pytest.mark.parametrize(
    "name",
    ["dice_coef_multiclass", "dice_coef", "iou_coef", "jacard_similarity", "sensitivity", "specificity"],
)
def test_recorded_values(reference, name):
    cases = list(recorded(reference, name))
    assert len(cases) == 12
    # TensorFlow is the engine of the record; others may add up in another order.
    tolerance = 1e-5 if keras.config.backend() == "tensorflow" else 2e-5
    for case, y_true, y_pred, expected in cases:
        found = value(METRICS[name].function, y_true, y_pred)
        if math.isnan(expected):
            assert case == "c1_empty_mask_zero_pred"
            assert found == 1
        else:
            assert found == pytest.approx(expected, rel=tolerance, abs=1e-9), case


@pytest.mark.engines
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # sum(t * p) = 0.75 + 0.5, sum(t) = sum(p) = 2
        ("dice_coef_multiclass", (2 * 1.25 + 1) / (4 + 1)),
        ("dice_coef", (2 * 1.25 + 1) / (4 + 1)),
        ("iou_coef", 1.25 / (4 - 1.25)),
        # class 1: sum(t * p) = 0.5, sum(t) = 1, sum(p) = 0.75
        ("dice_coef_foreground", 1 / 1.75),
        ("dice_coef_hybrid", (3.5 / 5 + 1 / 1.75) / 2),
        # rounded t * p: 0.75 -> 1, 0.5 -> 0 (ties go to even)
        ("sensitivity", 1 / 2),
        ("specificity", 1 / 2),
        # 0.75 > 0.5 right, 0.25 right, 0.5 and 0.5 are not above one half: one right, one wrong
        ("binary_accuracy", 3 / 4),
        ("categorical_accuracy", 1 / 2),
        ("accuracy", 1 / 2),
    ],
)
def test_by_hand(name, expected):
    assert value(METRICS[name].function, TRUTH, PREDICTED) == pytest.approx(expected, rel=1e-5)


def test_foreground_of_several_images_and_classes_by_hand():
    """One value an image and class, then the mean; a class in neither counts 1."""
    y_true, y_pred = np.zeros((2, 2, 1, 3), "float32"), np.zeros((2, 2, 1, 3), "float32")
    y_true[0, :, 0, 1] = [1, 0]
    y_pred[0, :, 0, 1] = [0.5, 0.5]
    y_true[1, :, 0, 2] = [1, 1]
    expected = [[1 / 2, 1], [1, 5e-7]]  # image 1, class 2: 1e-6 / (2 + 1e-6)
    assert value(METRICS["dice_coef_foreground"].function, y_true, y_pred) == pytest.approx(
        np.mean(expected), rel=1e-5
    )


@pytest.mark.engines
def test_dice_per_image_leaves_out_what_does_not_occur():
    """By hand: class 1 half found in one image, class 2 invented in another, nothing in the third."""
    y_true, y_pred = np.zeros((3, 2, 2, 3), "float32"), np.zeros((3, 2, 2, 3), "float32")
    y_true[..., 0] = y_pred[..., 0] = 1
    y_true[0, :, 0] = [0, 1, 0]
    y_pred[0, 0, 0] = [0.2, 0.45, 0.35]  # the most probable class counts, at whatever probability
    y_pred[1, 0, 0] = [0.0, 0.0, 1.0]
    y_true[1, 0, 0] = y_true[1, 1, 1] = [0, 1, 0]
    y_pred[1, 1, 1] = [0, 1, 0]
    first, second = 2 / 3, (2 * 1 / 3 + 0) / 2
    metric = get_metric("dice_per_image_mean")
    metric.update_state(y_true[:1], y_pred[:1])
    metric.update_state(y_true[1:], y_pred[1:])
    assert float(metric.result()) == pytest.approx((first + second) / 2, rel=1e-6)
    found = keras.ops.convert_to_numpy(METRICS["dice_per_image_mean"].function(y_true, y_pred))
    np.testing.assert_allclose(found, [first, second, np.nan], rtol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 4))
def test_dice_per_image_is_what_evaluate_reports(seed, classes):
    random = np.random.default_rng(seed)
    labels = max(classes, 2)
    truth = random.integers(0, labels, (3, 4, 5)) * random.integers(0, 2, (3, 4, 5))
    probabilities = random.random((3, 4, 5, classes), dtype="float32")
    one_hot = (truth > 0)[..., None] if classes == 1 else np.eye(classes)[truth]
    metric = get_metric("dice_per_image_mean")
    metric.update_state(one_hot.astype("float32"), probabilities)
    pairs = zip(truth.astype(np.uint8), probabilities, strict=True)
    scores = [score_image(mask, None, labels, probabilities=each).values()["dice"] for mask, each in pairs]
    assert float(metric.result()) == pytest.approx(np.nan_to_num(np.nanmean([*scores, np.nan])), rel=1e-5)


def test_a_single_channel_is_foreground():
    y_true, y_pred = TRUTH[..., 1:], PREDICTED[..., 1:]
    assert value(METRICS["dice_coef_foreground"].function, y_true, y_pred) == pytest.approx(
        1 / 1.75, rel=1e-5
    )
    assert value(METRICS["accuracy"].function, y_true, y_pred) == 0.5


def test_an_empty_prediction_scores_as_the_mission_says():
    """On a lesion of one per cent: 0.99 by the published metric, nothing by the foreground."""
    y_true = np.zeros((1, 50, 50, 2), "float32")
    y_true[..., 0] = 1
    y_true[0, :5, :5] = [0, 1]
    y_pred = np.zeros_like(y_true)
    y_pred[..., 0] = 1
    assert value(METRICS["dice_coef_multiclass"].function, y_true, y_pred) == pytest.approx(0.99, abs=1e-5)
    assert value(METRICS["dice_coef_foreground"].function, y_true, y_pred) < 1e-6


@pytest.mark.parametrize(
    "dtype", ["int8", pytest.param("uint8", marks=pytest.mark.engines), "bool", "float16"]
)
@pytest.mark.parametrize("name", sorted(METRICS))
def test_masks_may_be_of_any_type(name, dtype):
    expected = value(METRICS[name].function, TRUTH, PREDICTED)
    assert value(METRICS[name].function, TRUTH.astype(dtype), PREDICTED) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), classes=st.integers(1, 4), sharp=st.floats(0, 12))
def test_metrics_lie_between_zero_and_one_and_agree_with_truth(seed, classes, sharp):
    random = np.random.default_rng(seed)
    y_true = np.eye(max(classes, 2), dtype="float32")[random.integers(0, max(classes, 2), (2, 4, 5))][
        ..., :classes
    ]
    logits = random.normal(size=y_true.shape) * sharp
    y_pred = np.exp(logits - logits.max(-1, keepdims=True))
    y_pred = (y_pred / y_pred.sum(-1, keepdims=True) if classes > 1 else 1 / (1 + np.exp(-logits))).astype(
        "float32"
    )
    for name, row in METRICS.items():
        assert -1e-6 <= value(row.function, y_true, y_pred) <= 1 + 1e-6, name
        if name in {"sensitivity", "specificity"}:
            continue  # 0 by rule where there is nothing to find
        assert value(row.function, y_true, y_true) == pytest.approx(1, abs=1e-5), name


@pytest.mark.engines
def test_batches_count_equally_however_many_images_they_hold():
    """The rule of the published curves: 4, 4 and 2 images are averaged as three batches."""
    metric = get_metric("dice_coef_multiclass")
    assert metric.name == "dice_coef_multiclass"
    random = np.random.default_rng(0)
    batches, means = [4, 4, 2], []
    for images in batches:
        y_true = np.eye(2, dtype="float32")[random.integers(0, 2, (images, 4, 4))]
        y_pred = np.broadcast_to(np.float32(images / 8), y_true.shape)
        metric.update_state(y_true, y_pred)
        means.append(value(METRICS["dice_coef_multiclass"].function, y_true, y_pred))
    assert float(metric.result()) == pytest.approx(np.mean(means), rel=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_recorded_averages_of_uneven_batches(reference):
    """steps_*: per-batch values and what `evaluate` made of them."""
    for steps in ("steps_relu", "steps_bn_mish_c3"):
        record = json.loads((reference / "model/steps_summary.json").read_text())[steps]
        metric = PublishedMean(lambda y_true, y_pred: y_pred, "given")
        for _, dice in record["test_on_batch_0:4_4:8_8:10"]:
            metric.update_state(0, np.float32(dice))
        expected = record["evaluate_bs4_over_10_[loss,dice]"][1]
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
        assert expected != pytest.approx(record["batch_mean_size_weighted"][1], rel=1e-6)


def test_hybrid_weights():
    multiclass, foreground = 3.5 / 5, 1 / 1.75
    metric = get_metric("dice_coef_hybrid", hybrid_alpha=1.6, hybrid_beta=0.4)
    metric.update_state(TRUTH, PREDICTED)
    assert float(metric.result()) == pytest.approx((1.6 * multiclass + 0.4 * foreground) / 2, rel=1e-5)
    with pytest.raises(ConfigError, match="hybrid_alpha"):
        get_metric("dice_coef_hybrid", hybrid_alpha=-1, hybrid_beta=1)


def test_a_loss_may_be_a_metric():
    metric = get_metric("dice_loss_multiclass")
    metric.update_state(TRUTH, PREDICTED)
    assert float(metric.result()) == pytest.approx(1 - 3.5 / 5, rel=1e-5)


def test_an_unknown_name_gets_the_nearest_and_the_list():
    with pytest.raises(ConfigError) as caught:
        get_metric("dice_coef_multiclas")
    message = str(caught.value)
    assert "[model] metrics" in message
    assert "Did you mean 'dice_coef_multiclass'?" in message
    assert "sensitivity" in message


def test_a_saved_metric_comes_back_by_name():
    metric = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(get_metric("iou_coef"))
    )
    assert metric.name == "iou_coef"
