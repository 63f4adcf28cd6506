"""Lesions and candidates: the three rules, one-to-one matching, doubtful candidates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flexunet.data.images.regions import find_regions
from flexunet.evaluation.scores.lesions import lesion_scores
from flexunet.evaluation.scores.matching import Overlaps, assign
from flexunet.evaluation.scores.rules import ScoringRules

masks = arrays(np.uint8, (8, 9), elements=st.integers(0, 1))


def drawn(*boxes, shape=(20, 20)):
    mask = np.zeros(shape, np.uint8)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = 1
    return mask


def score(truth, prediction, probabilities=None, **rules):
    return lesion_scores(truth, prediction, 2, ScoringRules(**rules), probabilities)


def test_two_lesions_one_found_one_imagined():
    truth = drawn((1, 1, 4, 4), (12, 12, 4, 4))
    prediction = drawn((1, 2, 4, 4), (1, 12, 3, 3))
    lesions, candidates = score(truth, prediction)
    # 12 shared pixels of 16 and 16: IoU 12/20, Dice 24/32.
    assert lesions.found.tolist() == [True, False]
    assert lesions.iou == pytest.approx([0.6, 0])
    assert lesions.dice == pytest.approx([0.75, 0])
    assert candidates.matched.tolist() == [True, False]
    assert candidates.score.tolist() == [1, 1]
    assert (lesions.row[0], lesions.column[0]) == (2.5, 2.5)


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"lesion_match": "iou"}, False),
        ({"lesion_match": "overlap"}, True),
        ({"lesion_match": "centre"}, False),
    ],
)
def test_a_graze_is_a_find_by_overlap_alone(rule, found):
    truth, prediction = drawn((2, 2, 4, 4)), drawn((5, 5, 6, 6))
    lesions, _ = score(truth, prediction, **rule)
    assert lesions.found.tolist() == [found]


def test_a_huge_region_covers_but_does_not_find_by_iou():
    truth, prediction = drawn((9, 9, 2, 2)), drawn((0, 0, 20, 20))
    assert not score(truth, prediction)[0].found.any()
    assert score(truth, prediction, lesion_match="centre")[0].found.all()
    assert score(truth, prediction, lesion_match="overlap")[0].found.all()


def test_of_two_lesions_under_one_region_one_is_missed():
    truth, prediction = drawn((2, 2, 4, 4), (2, 7, 4, 5)), drawn((2, 2, 4, 10))
    lesions, candidates = score(truth, prediction)
    assert lesions.found.tolist() == [False, True]  # the larger overlap wins
    assert candidates.matched.tolist() == [True]


def test_a_second_region_on_a_lesion_is_a_false_positive():
    truth, prediction = drawn((2, 2, 6, 10)), drawn((2, 2, 6, 6), (2, 9, 6, 3))
    lesions, candidates = score(truth, prediction)
    assert lesions.found.all()
    assert candidates.matched.tolist() == [True, False]


def test_hard_masks_get_the_most_matches_not_the_greediest():
    # Candidate 0 fits both lesions, best lesion 0; candidate 1 fits lesion 0 alone. Greedy by IoU would take
    # (0, 0) and leave lesion 1 and candidate 1 alone.
    pairs = Overlaps(
        lesion=np.array([0, 0, 1]),
        candidate=np.array([0, 1, 0]),
        iou=np.array([0.6, 0.3, 0.2]),
        dice=np.array([0.75, 0.46, 0.33]),
    )
    found, _ = assign(pairs, np.ones(2), 2)
    assert found.tolist() == [1, 0]
    # With scores the surer candidate chooses first.
    found, _ = assign(pairs, np.array([0.9, 0.8]), 2)
    assert found.tolist() == [0, -1]


def test_candidates_are_scored_by_their_probability_and_doubtful_ones_added():
    truth = drawn((1, 1, 4, 4), (12, 12, 4, 4))
    probability = np.zeros((20, 20), np.float32)
    probability[1:5, 1:5] = 0.9
    probability[12:16, 12:16] = 0.3  # a lesion that the mask misses
    probability[1:3, 15:17] = 0.6
    prediction = (probability > 0.5).astype(np.uint8)
    channels = np.stack([1 - probability, probability], axis=-1)
    lesions, candidates = score(truth, prediction, channels)
    assert lesions.found.tolist() == [True, False]  # the mask as it is
    assert candidates.decided.tolist() == [True, True, False]
    assert candidates.score == pytest.approx([0.9, 0.6, 0.3])
    assert candidates.hit.tolist() == [True, False, True]
    assert candidates.matched.tolist() == [True, False, False]
    # Above the candidate threshold there is nothing doubtful left.
    _, candidates = score(truth, prediction, channels, candidate_threshold=0.4)
    assert candidates.decided.all()


def test_mean_and_greatest_probability():
    probability = np.zeros((20, 20), np.float32)
    probability[4, 4:8] = [0.6, 0.7, 0.8, 0.9]
    prediction = (probability > 0.5).astype(np.uint8)
    channels = np.stack([1 - probability, probability], axis=-1)
    for kind, value in (("mean", 0.75), ("max", 0.9)):
        _, candidates = score(prediction, prediction, channels, candidate_score=kind)
        assert candidates.score == pytest.approx([value])


def test_small_regions_are_left_out_on_both_sides():
    truth, prediction = drawn((1, 1, 4, 4), (10, 10, 1, 1)), drawn((1, 1, 4, 4), (15, 2, 1, 2))
    lesions, candidates = score(truth, prediction, min_lesion_pixels=3)
    assert lesions.area.tolist() == [16]
    assert candidates.area.tolist() == [16]


def test_connectivity_joins_corners():
    corners = np.eye(6, dtype=np.uint8)
    assert len(find_regions(corners, 8)) == 1
    assert len(find_regions(corners, 4)) == 6


def test_classes_match_within_themselves():
    truth, prediction = drawn((2, 2, 4, 4)), 2 * drawn((2, 2, 4, 4))
    lesions, candidates = lesion_scores(truth, prediction, 3, ScoringRules())
    assert (lesions.label.tolist(), lesions.found.tolist()) == ([1], [False])
    assert (candidates.label.tolist(), candidates.matched.tolist()) == ([2], [False])


@given(
    truth=masks, prediction=masks, rule=st.sampled_from(["iou", "overlap", "centre"]), axis=st.integers(0, 1)
)
def test_flipping_both_masks_changes_no_count(truth, prediction, rule, axis):
    forth = score(truth, prediction, lesion_match=rule)
    back = score(np.flip(truth, axis), np.flip(prediction, axis), lesion_match=rule)
    assert forth[0].found.sum() == back[0].found.sum()
    assert sorted(forth[0].area) == sorted(back[0].area)
    assert forth[1].matched.sum() == back[1].matched.sum() == forth[0].found.sum()
    if rule == "iou":
        assert sorted(forth[0].dice) == pytest.approx(sorted(back[0].dice))


@given(mask=masks)
def test_a_mask_finds_all_of_itself(mask):
    lesions, candidates = score(mask, mask)
    assert lesions.found.all()
    assert candidates.matched.all()
    assert (lesions.dice == 1).all()
