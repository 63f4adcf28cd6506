"""The verdict: what is said of good, empty and harmful predictions, and of leaks."""

import numpy as np

from flexunet.data.images.masks import ColorMap
from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.verdict import leaking
from flexunet.evaluation.tables.rows import ImageOrigin, Tally

RULES = ScoringRules(bootstrap_samples=300)


def verdict(predict, healthy=10, sick=10, patients=None):
    """Answers for a test set whose predictions are `predict(truth)`."""
    tally = Tally()
    for index in range(healthy + sick):
        truth = np.zeros((20, 20), np.uint8)
        if index >= healthy:
            truth[4:12, 4:12] = 1
        patient = str(index if patients is None else index % patients)
        scores = score_image(truth, predict(truth), 2, RULES)
        tally.add(ImageOrigin(f"{index:02d}", str(index), patient), scores)
    about = Circumstances("t", "p", ColorMap.binary(), environment={"test": True})
    return make_scores(tally.finish(), RULES, about).verdict


def test_a_perfect_prediction_is_better_than_none():
    assert verdict(lambda truth: truth)[0].answer == "yes"


def test_an_empty_prediction_is_not_better_than_an_empty_prediction():
    answer = verdict(np.zeros_like)[0]
    assert (answer.answer, answer.good) == ("no", False)


def test_false_alarms_everywhere_are_worse_than_silence():
    # Half the lesions' area right on ten sick images (Dice 2/3), alarms on thirty healthy ones.
    def alarming(truth):
        prediction = np.zeros_like(truth)
        prediction[4:12, 4:8] = 1
        return prediction

    answer = verdict(alarming, healthy=30)[0]
    assert (answer.answer, answer.good) == ("no", False)
    assert "(30 of 40 images)" in answer.sentence


def test_one_patient_proves_nothing():
    answers = verdict(lambda truth: truth, patients=1)
    assert answers[0].answer == "unsure"
    assert (answers[3].question, answers[3].answer) == ("Enough patients?", "no")


def test_nothing_to_find_is_no_success():
    assert verdict(np.zeros_like, sick=0)[0].answer == "unknown"


def test_leaks():
    assert leaking(None).answer == "unknown"
    # Names alone do not show renamed copies.
    unseen = leaking({"shared_sources": 0, "checked": "names"})
    assert (unseen.answer, unseen.good) == ("unknown", None)
    assert "pictures were not compared" in unseen.sentence
    assert leaking({"shared_sources": 0, "checked": "names", "pictures_compared": True}).answer == "no"
    renamed = leaking({"shared_pictures": 1, "pictures_compared": True, "examples": ["x.png shows 1.png"]})
    assert renamed.answer == "yes"
    assert "x.png shows 1.png" in renamed.sentence
    found = leaking({"shared_sources": 2, "leak_pairs": 5, "untrue": ["masks on black background"]})
    assert (found.answer, found.good) == ("yes", False)
    assert found.sentence.startswith(
        "2 originals have copies in training and here; 5 pairs of nearly equal images across splits; masks on"
    )
