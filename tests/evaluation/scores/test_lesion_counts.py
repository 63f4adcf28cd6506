"""Scores that count lesions, worked by hand: panoptic quality, detection by IoU and by centre, by image."""

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.lesion_counts import COUNTED_SCORES
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.tables.files import read_tables, write_tables
from flexunet.evaluation.tables.rows import ImageOrigin, Tally

RULES = ScoringRules(bootstrap_samples=0)


def drawn(*boxes):
    mask = np.zeros((20, 20), np.uint8)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = 1
    return mask


@pytest.fixture
def tables():
    """Three images: two lesions of which one is found well and one grazed, one false alarm, one silent."""
    pairs = [
        # IoU 12 / 20, centre inside; then IoU 4 / 60 with its centre outside.
        (drawn((1, 1, 4, 4), (12, 12, 4, 4)), drawn((1, 2, 4, 4), (10, 4, 6, 10))),
        (drawn(), drawn((5, 5, 2, 2))),
        (drawn(), drawn()),
    ]
    tally = Tally()
    for place, (truth, prediction) in enumerate(pairs):
        name = f"image_{place}"
        tally.add(ImageOrigin(name, name, name), score_image(truth, prediction, 2, RULES))
    return tally.finish()


def scores_of(tables):
    lesions = make_scores(tables, RULES, Circumstances("t", "p", ColorMap.binary())).lesions
    return {row.name: lesions[row.name].value for row in COUNTED_SCORES}


def test_values_worked_by_hand(tables):
    scores = scores_of(tables)
    # Two lesions and three regions: one pair above IoU 0.5, of IoU 12 / 20.
    assert scores["panoptic_quality"] == pytest.approx(0.6 / 2.5)
    assert scores["segmentation_quality"] == pytest.approx(0.6)
    assert scores["recognition_quality"] == pytest.approx(1 / 2.5)
    assert scores["sensitivity_at_half_iou"] == 0.5
    assert scores["false_positives_per_image_at_half_iou"] == pytest.approx(2 / 3)
    assert scores["sensitivity_by_centre"] == 0.5
    assert scores["false_positives_per_image_by_centre"] == pytest.approx(2 / 3)
    assert scores["image_sensitivity"] == 1
    assert scores["image_specificity"] == 0.5
    assert scores["panoptic_quality"] == pytest.approx(
        scores["segmentation_quality"] * scores["recognition_quality"]
    )


@pytest.mark.parametrize("rule", ["iou", "overlap", "centre"])
def test_detection_by_iou_and_by_centre_do_not_depend_on_the_rule_of_matching(rule):
    truth, prediction = drawn((1, 1, 4, 4), (12, 12, 4, 4)), drawn((1, 2, 4, 4), (10, 4, 6, 10))
    lesions = score_image(truth, prediction, 2, ScoringRules(lesion_match=rule)).lesions
    assert lesions.centre_hit.tolist() == [1, 0]
    assert lesions.best_iou == pytest.approx([0.6, 8 / 68])


def test_a_table_without_these_columns_is_read_and_the_scores_are_unknown(tables, tmp_path):
    write_tables(tables, tmp_path)
    assert scores_of(read_tables(tmp_path)) == scores_of(tables)
    path = tmp_path / "per_lesion.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    for name in ("component_dice", "best_iou", "centre_hit"):
        head = head.replace(f",{name},", f",another_{name},")
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    scores, old = scores_of(tables), scores_of(read_tables(tmp_path))
    unknown = {name for name, value in old.items() if value is None}
    assert {"panoptic_quality", "component_dice_mean", "sensitivity_by_centre"} <= unknown
    assert {name: old[name] for name in old if name not in unknown} == {
        name: value for name, value in scores.items() if name not in unknown
    }
    assert {"sensitivity", "image_sensitivity", "dice_per_lesion_mean"}.isdisjoint(unknown)
