"""Where a score falls off, and what may be said of it."""

from flexunet.evaluation.robustness.document import Point
from flexunet.evaluation.robustness.summarise import fall_off
from flexunet.evaluation.scores.intervals import Estimate


def points(*differences):
    """Points of strengths 1, 2, 3, each with the difference (value, low, high) of a score."""
    return [
        Point(strength=k, scores={}, differences={"dice": Estimate(value=value, low=low, high=high)})
        for k, (value, low, high) in enumerate(differences, start=1)
    ]


def test_the_strength_from_which_on_there_is_a_loss():
    told = fall_off(points((-0.01, -0.02, -0.005), (-0.1, -0.2, -0.01), (-0.3, -0.4, -0.2)), "dice")
    assert (told.answer, told.strength, told.loss_at_most) == ("loss", 2, 0.4)


def test_an_interval_that_reaches_zero_shows_no_loss_and_says_how_large_it_may_be():
    told = fall_off(points((0.01, -0.02, 0.03), (-0.05, -0.2, 0.01), (-0.2, -0.5, 0.0)), "dice")
    assert (told.answer, told.strength, told.loss_at_most) == ("none shown", None, 0.5)


def test_without_intervals_nothing_is_known():
    told = fall_off(points((-0.3, None, None), (-0.3, None, None), (-0.3, None, None)), "dice")
    assert (told.answer, told.strength, told.loss_at_most) == ("not known", None, None)


def test_a_loss_that_is_gone_at_a_greater_strength_is_no_fall_off():
    told = fall_off(points((-0.1, -0.2, -0.01), (0.0, -0.1, 0.1), (0.0, -0.1, 0.1)), "dice")
    assert (told.answer, told.strength) == ("uneven", 1)
    told = fall_off(points((-0.1, -0.2, -0.01), (0.0, -0.1, 0.1), (-0.1, -0.2, -0.01)), "dice")
    assert (told.answer, told.strength) == ("loss", 3)
