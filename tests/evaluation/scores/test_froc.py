"""FROC and average precision: by hand, as MONAI and scikit-learn compute them, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.evaluation.scores.froc import DetectionTable, average_precision, froc_curve, sensitivity_at
from flexunet.evaluation.summary.lesions import thinned


def table(candidates, lesions):
    score, hit, image = zip(*candidates, strict=True) if candidates else ((), (), ())
    return DetectionTable(
        np.array(score, float), np.array(hit, bool), np.array(image, int), np.array(lesions, int)
    )


# Four images with 2, 1, 1 and 0 lesions. By falling score: hit 0.9, false 0.8 (in the image without a
# lesion), hit 0.7 and false 0.7 together, false 0.4, hit 0.3. One lesion is never found.
BY_HAND = table(
    [(0.9, 1, 0), (0.8, 0, 3), (0.7, 1, 1), (0.7, 0, 0), (0.4, 0, 2), (0.3, 1, 2)], lesions=[2, 1, 1, 0]
)


def test_a_curve_worked_by_hand():
    curve = froc_curve(BY_HAND)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7, 0.4, 0.3]
    assert curve.false_positives_per_image == pytest.approx([0, 1 / 4, 2 / 4, 3 / 4, 3 / 4])
    assert curve.sensitivity == pytest.approx([1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4])


def test_sensitivity_at_rates_worked_by_hand():
    # At 1/8 only the first candidate passes; at 1/4 the false one too; at 1/2 the two of 0.7; from 3/4 all.
    found = sensitivity_at(BY_HAND, np.ones((1, 4)))
    assert found[0] == pytest.approx([0.25, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75])


def test_average_precision_worked_by_hand():
    # Gains of 1/4 each at precisions 1/1, 2/4 and 3/6.
    assert average_precision(BY_HAND, np.ones((1, 4))) == pytest.approx([(1 + 0.5 + 0.5) / 4])


def test_images_without_lesions_count_for_false_positives():
    more = BY_HAND._replace(lesions=np.append(BY_HAND.lesions, [0] * 4))
    assert froc_curve(more).false_positives_per_image[-1] == pytest.approx(3 / 8)
    assert froc_curve(more).sensitivity[-1] == pytest.approx(3 / 4)


def seeded_candidates():
    rng = np.random.default_rng(5)
    lesions = rng.integers(0, 3, 12)
    rows = []
    for image in range(12):
        for place in range(rng.integers(0, 5)):
            hit = bool(place < lesions[image] and rng.random() < 0.7)
            rows.append((round(rng.beta(4, 2) if hit else rng.beta(2, 4), 3), hit, image))
    return table(rows, lesions)


def test_as_monai_and_scikit_learn_compute_them():
    found = seeded_candidates()
    assert (len(found.score), found.hit.sum(), found.lesions.sum()) == (24, 4, 12)
    # MONAI 1.6.1, compute_froc_curve_data on the same candidates, as (false positives, hits) in twelfths by
    # falling threshold. It adds the point (0, 0) and leaves the last of ours out.
    monai = [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (2, 4), *((count, 4) for count in range(3, 13))]
    monai += [(count, 4) for count in range(14, 20)]
    curve = froc_curve(found)
    points = np.stack([curve.false_positives_per_image, curve.sensitivity], axis=1)[:-1]
    assert points == pytest.approx(np.array(monai) / 12)
    # scikit-learn 1.9.1, average_precision_score(hit, score) = 0.95; it knows the 4 hits, not the 12 lesions.
    assert average_precision(found, np.ones((1, 12))) == pytest.approx([0.95 * 4 / 12])


def test_weights_are_repeated_images():
    weights = np.array([[2.0, 0.0, 1.0, 1.0]])
    repeated = table(
        [(0.9, 1, 0), (0.9, 1, 1), (0.8, 0, 3), (0.7, 0, 0), (0.7, 0, 1), (0.4, 0, 2), (0.3, 1, 2)],
        lesions=[2, 2, 1, 0],
    )
    assert sensitivity_at(BY_HAND, weights) == pytest.approx(sensitivity_at(repeated, np.ones((1, 4))))
    assert average_precision(BY_HAND, weights) == pytest.approx(average_precision(repeated, np.ones((1, 4))))


def test_without_candidates_or_lesions():
    nothing = table([], [1, 2])
    assert sensitivity_at(nothing, np.ones((1, 2)))[0].tolist() == [0] * 7
    assert average_precision(nothing, np.ones((1, 2))).tolist() == [0]
    healthy = table([(0.5, 0, 0)], [0, 0])
    assert np.isnan(sensitivity_at(healthy, np.ones((1, 2)))).all()
    assert np.isnan(average_precision(healthy, np.ones((1, 2)))).all()


candidates = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.integers(0, 4)), max_size=20
)


@given(rows=candidates, order=st.randoms())
def test_the_order_of_candidates_does_not_matter(rows, order):
    shuffled = list(rows)
    order.shuffle(shuffled)
    for first, second in zip(
        froc_curve(table(rows, [4] * 5)), froc_curve(table(shuffled, [4] * 5)), strict=True
    ):
        np.testing.assert_array_equal(first, second)


@given(rows=candidates)
def test_the_curve_only_rises_and_thinning_keeps_what_it_says(rows):
    found = table(rows, [4] * 5)
    curve = froc_curve(found)
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert (np.diff(curve.false_positives_per_image) >= 0).all()
    if len(curve.threshold):
        thin = thinned(curve)
        assert thin.sensitivity.max() == curve.sensitivity.max()
        for rate in (0.2, 1.0, 3.0):
            inside, kept = curve.false_positives_per_image <= rate, thin.false_positives_per_image <= rate
            assert curve.sensitivity[inside].max(initial=0) == thin.sensitivity[kept].max(initial=0)
