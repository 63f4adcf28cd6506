"""Post-processing: sizes and holes worked by hand, chosen only where validation gains, never on test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexunet.data.images.regions import drop_small
from flexunet.errors import DatasetError
from flexunet.evaluation.postprocess_fit import SIZES, PostprocessFit, dice_by_size
from flexunet.inference.predict.calibration import Calibration
from flexunet.inference.predict.decision import Decision
from flexunet.inference.predict.postprocess import ClassPostprocess, Postprocess, joint_postprocess


def canvas(*boxes, size=40):
    """A mask with boxes: class, top, left, height, width."""
    mask = np.zeros((size, size), np.uint8)
    for label, top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = label
    return mask


LESION = (1, 10, 10, 10, 10)


def test_dice_by_size_worked_by_hand():
    truth, mask = canvas(LESION) > 0, canvas(LESION, (1, 30, 30, 2, 3)) > 0  # 100 right pixels, a speck of 6
    dice = dice_by_size(truth, mask)
    assert SIZES[:7].tolist() == [0, 4, 6, 8, 11, 16, 23]
    assert dice[:3] == pytest.approx([200 / 206] * 3)  # a region of 6 pixels stays at a least size of 6
    assert dice[3] == pytest.approx(1.0)
    assert dice[np.searchsorted(SIZES, 101)] == pytest.approx(0.0)  # the lesion is gone too
    assert np.isnan(dice_by_size(np.zeros_like(truth), truth)[-1])  # nothing true, nothing left


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5, 8, 12]))
def test_each_size_is_what_dropping_small_regions_gives(seed, place):
    rng = np.random.default_rng(seed)
    truth, mask = (rng.random((2, 24, 24)) < 0.4).astype(np.uint8)
    left = drop_small(mask, float(SIZES[place]))
    total = truth.sum() + left.sum()
    expected = 2 * (truth & left).sum() / total if total else np.nan
    np.testing.assert_allclose(dice_by_size(truth > 0, mask > 0)[place], expected)


def fitted(pairs, num_classes=2):
    fit = PostprocessFit("valid", num_classes)
    for truth, mask in pairs:
        fit.add(truth, mask)
    return fit.fit()


def test_specks_are_removed_and_holes_filled_where_that_helps():
    ring = canvas(LESION)
    ring[13:17, 13:17] = 0
    speck = (1, 30, 30, 2, 3)
    (row,) = fitted([(canvas(LESION), canvas(LESION, speck))] * 9).classes
    assert (row.fill_holes, row.min_pixels) == (False, 8)
    assert (row.dice_before, row.dice_after) == pytest.approx((200 / 206, 1.0))
    (row,) = fitted([(canvas(LESION), ring)] * 9).classes
    assert (row.fill_holes, row.min_pixels) == (True, 0)
    chosen = fitted([(canvas(LESION), ring | canvas(speck))] * 9)
    assert np.array_equal(chosen(ring | canvas(speck)), canvas(LESION))


def test_nothing_is_chosen_where_nothing_gains():
    good = fitted([(canvas(LESION), canvas(LESION))] * 3)
    assert good.classes == (ClassPostprocess(1, dice_before=1.0, dice_after=1.0),)
    # Eight images gain, but the best of 78 choices is looked for.
    assert fitted([(canvas(LESION), canvas(LESION, (1, 30, 30, 2, 3)))] * 8).classes[0].min_pixels == 0
    # Twelve gain and four lose, and the mean gains.
    lost = (canvas(LESION, (1, 1, 1, 2, 3)), canvas(LESION, (1, 1, 1, 2, 3)))
    noisy = (canvas(LESION), canvas(LESION, (1, 30, 30, 2, 3), (1, 35, 2, 2, 3), (1, 1, 25, 2, 3)))
    assert fitted([noisy] * 12 + [lost] * 4).classes[0].min_pixels == 0
    assert fitted([noisy] * 14 + [lost] * 1).classes[0].min_pixels == 8
    small = (1, 10, 10, 2, 3)
    assert fitted([(canvas(small), canvas(small))]).classes[0].min_pixels == 0
    empty = canvas()
    assert fitted([(empty, empty)]).classes == (ClassPostprocess(1),)
    assert "nothing" in ClassPostprocess(1).in_words


def test_a_false_alarm_on_a_normal_image_counts_against_its_size():
    pairs = [(canvas(), canvas((1, 5, 5, 3, 3)))] * 9 + [(canvas(LESION), canvas(LESION))] * 2
    (row,) = fitted(pairs).classes
    assert row.min_pixels == 11  # the first size above 9
    assert (row.dice_before, row.dice_after) == pytest.approx((2 / 11, 1.0))


def test_silence_is_never_chosen():
    """Twenty normal images with alarms as large as the only lesion: removing all would lose it."""
    pairs = [(canvas(), canvas(LESION))] * 20 + [(canvas(LESION), canvas(LESION))]
    assert fitted(pairs).classes[0].min_pixels == 0


def test_classes_have_choices_of_their_own():
    truth = canvas((1, 5, 5, 10, 10), (2, 25, 25, 2, 3))
    mask = truth | canvas((1, 30, 5, 2, 3))
    chosen = fitted([(truth, mask)] * 9, num_classes=3)
    assert [row.min_pixels for row in chosen.classes] == [8, 0]
    assert np.array_equal(chosen(mask), truth)
    ring = canvas((1, 5, 5, 8, 8), (2, 20, 20, 8, 8))
    ring[8:10, 8:10] = ring[23:25, 23:25] = 0
    filled = Postprocess(None, (ClassPostprocess(1), ClassPostprocess(2, fill_holes=True)))(ring)
    assert (filled[8, 8], filled[23, 23]) == (0, 2)


def test_nothing_is_fitted_on_test_or_on_nothing():
    with pytest.raises(DatasetError, match="post-processing must not be fitted on the test split"):
        PostprocessFit("test", 2)
    with pytest.raises(DatasetError, match="no images to fit post-processing"):
        PostprocessFit("valid", 2).fit()


def test_it_survives_the_disk_and_decides(tmp_path):
    done = Postprocess(0.25, (ClassPostprocess(1, True, 8, 0.5, 0.75),))
    calibration = Calibration("valid", 3, 1.25, 0.25, 0.3, 0.2, 0.7, 0.8, "abc", done)
    calibration.write(tmp_path)
    assert Calibration.read(tmp_path) == calibration
    probability = np.where(canvas((1, 2, 2, 2, 2), LESION) > 0, 0.3, 0.1)
    channels = np.stack([1 - probability, probability], axis=-1).astype(np.float32)
    assert np.array_equal(Decision(1.0, 0.25, done).mask(channels), canvas(LESION))
    text = (tmp_path / "calibration.json").read_text()
    for damage in ('"min_pixels": -1', '"label": 0', '"other": 1'):
        broken = (
            text.replace('"min_pixels": 8', damage)
            if "label" not in damage
            else text.replace('"label": 1', damage)
        )
        (tmp_path / "calibration.json").write_text(broken)
        with pytest.raises(DatasetError, match="is not a calibration"):
            Calibration.read(tmp_path)


def test_runs_that_decide_together_take_the_median_and_the_majority():
    def part(fill, size):
        return Postprocess(0.5, (ClassPostprocess(1, fill, size, 0.1, 0.2),))

    joint = joint_postprocess([part(True, 8), part(False, 100), part(True, 16)], 0.4)
    assert joint == Postprocess(0.4, (ClassPostprocess(1, True, 16),))
