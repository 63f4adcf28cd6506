"""The verdict: what is said of good, empty and harmful predictions, and of leaks."""

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.evaluation.scores.images import score_image
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.summary.verdict import froc_in_words, leaking, trivial_scores
from flexunet.evaluation.tables.document import FrocPoint
from flexunet.evaluation.tables.rows import ImageOrigin, Tally

RULES = ScoringRules(bootstrap_samples=300)


def verdict(predict, healthy=10, sick=10, patients=None, breast=np.nan, **known):
    """Answers for a test set whose predictions are `predict(truth)`."""
    tally = Tally()
    for index in range(healthy + sick):
        truth = np.zeros((20, 20), np.uint8)
        if index >= healthy:
            truth[4:12, 4:12] = 1
        patient = str(index if patients is None else index % patients)
        scores = score_image(truth, predict(truth), 2, RULES)
        tally.add(ImageOrigin(f"{index:02d}", str(index), patient), scores._replace(breast=breast))
    about = Circumstances("t", "p", ColorMap.binary(), environment={"test": True}, **known)
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
    assert "in the 30 of 40 images without lesion" in answer.sentence


def test_masks_that_mark_everything_or_the_whole_breast_are_not_better():
    everything = verdict(np.ones_like, healthy=0, sick=40)[0]
    assert (everything.answer, everything.good) == ("no", False)
    assert "; no better than to mark everything (" in everything.sentence
    assert (
        "Every image has a lesion: how often healthy images would be marked is unknown" in everything.sentence
    )

    def breast(truth):
        prediction = np.zeros_like(truth)
        prediction[:16, :16] = 1
        return prediction

    answer = verdict(breast, healthy=0, sick=40, breast=0.64)[0]
    assert answer.answer == "no"
    assert "mark the whole breast" in answer.sentence.split("no better than to")[1]


def test_trivial_predictions_score_as_worked_by_hand():
    # A lesion of 8 x 8 pixels in 20 x 20, breast 256 pixels, 32 pixels predicted, half of the lesion.
    truth, prediction = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    truth[4:12, 4:12] = 1
    prediction[4:12, 4:8] = 1
    tally = Tally()
    tally.add(ImageOrigin("a", "a", "a"), score_image(truth, prediction, 2, RULES)._replace(breast=0.64))
    found = {name: values.item() for name, values in trivial_scores(tally.finish()).items()}
    assert found == pytest.approx(
        {
            "mark nothing": 0,
            "mark everything": 2 * 64 / (64 + 400),
            "mark the whole breast": 2 * 64 / (64 + 256),
            "mark a random place of the same size": 2 * (64 * 32 / 256) / (64 + 32),
        }
    )


def test_few_patients_are_not_sure():
    answer = verdict(lambda truth: truth, patients=9)[0]
    assert (answer.answer, answer.good) == ("unsure", None)
    assert "at least 10 are needed" in answer.sentence
    assert verdict(lambda truth: truth, patients=10)[0].answer == "yes"


def test_one_patient_proves_nothing():
    answers = verdict(lambda truth: truth, patients=1)
    assert answers[0].answer == "unsure"
    assert "1 source proves nothing" in answers[0].sentence
    known = verdict(lambda truth: truth, patients=1, patients_known=True)[0]
    assert "1 patient proves nothing" in known.sentence
    assert (answers[3].question, answers[3].answer) == ("Enough patients?", "no")


def test_many_images_whose_patients_are_not_known_are_not_called_enough():
    answer = verdict(lambda truth: truth, healthy=20, sick=20)[3]
    assert (answer.answer, answer.good) == ("unknown", None)
    assert "--manifest" in answer.sentence
    assert verdict(lambda truth: truth, healthy=20, sick=20, patients_known=True)[3].answer == "yes"


def test_the_answer_is_the_score_and_its_best_rival():
    # Of a sick image a random place finds 64 * 64 / 80 pixels, the breast being a fifth: Dice 0.8.
    assert verdict(lambda truth: truth)[0].sentence == (
        "Mean dice_per_image 1.000 (an empty mask counts as 1 in the 10 of 20 images without lesion); the "
        "best that needs no model is to mark a random place of the same size (0.900). Where the image is "
        "not at hand, the breast is taken as a fifth of it."
    )


def test_of_regions_of_the_film_nothing_is_said_of_healthy_images(film_of_regions):
    truth, prediction = film_of_regions
    tally = Tally()
    for index in range(10):
        scores = score_image(truth, prediction, 3, RULES)
        tally.add(ImageOrigin(str(index), str(index), str(index)), scores)
    about = Circumstances("t", "p", ColorMap({(k, k, k): k for k in range(3)}), environment={"test": True})
    assert "healthy" not in make_scores(tally.finish(), RULES, about).verdict[0].sentence


def with_curve(tables, sensitivities, last, lesions=20, **changed):
    """Lesion scores with these sensitivities at the rates that are told, and this last point of the curve."""
    about = Circumstances("t", "p", ColorMap.binary(), environment={"test": True})
    found = make_scores(tables, RULES, about).lesions
    at_rates = [
        one.model_copy(update={"sensitivity": Estimate(value=value)})
        for one, value in zip(found.froc_sensitivity, sensitivities, strict=True)
    ]
    rate, sensitivity = last
    points = [
        *found.froc,
        FrocPoint(threshold=0.1, false_positives_per_image=rate, sensitivity=sensitivity),
    ]
    return found.model_copy(
        update={"froc_sensitivity": at_rates, "froc": points, "lesions": lesions, **changed}
    )


def test_a_flat_curve_is_explained_by_its_figures(make_tables):
    tables = make_tables(images=20, probabilities=True)
    flat = froc_in_words(with_curve(tables, [0.9] * 7, (30.0, 0.9)))
    assert flat == (
        "The curve is flat: from 0.125 to 8 false positives per image the sensitivity stays 0.900, because "
        "the candidates in between find no further lesion; 2 lesions are found by no candidate at all."
    )
    # Beyond the last rate a further lesion is found: 19 of 20.
    assert froc_in_words(with_curve(tables, [0.9] * 7, (30.0, 0.95))).endswith(
        "; 1 lesion is found by no candidate at all."
    )
    assert froc_in_words(with_curve(tables, [1.0] * 7, (0.0, 1.0))) == (
        "The curve is flat, because no candidate is a false positive."
    )
    assert froc_in_words(with_curve(tables, [0.8] + [0.9] * 6, (30.0, 0.9))) == ""
    assert froc_in_words(with_curve(tables, [0.9] * 7, (30.0, 0.9), scored_by="hard masks")) == ""


def test_against_drafts_nothing_is_called_better():
    answer = verdict(lambda truth: truth, drafts=3)[0]
    assert (answer.answer, answer.good) == ("unsure", None)
    assert "3 of the 20 true masks are drafts that no person has accepted" in answer.sentence
    assert verdict(np.zeros_like, drafts=3)[0].answer == "no"


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


def test_specks_count_lesions_and_false_positives():
    truth = np.zeros((40, 40), np.uint8)
    truth[4:12, 4:12] = truth[20:23, 20:23] = 1  # the second lesion has 9 pixels
    prediction = truth.copy()
    prediction[30:32, 30:32] = prediction[30:35, 2:7] = 1  # false positives of 4 and 25 pixels
    tally = Tally()
    tally.add(ImageOrigin("a", "a", "a", {"raw_sha256": "1"}), score_image(truth, prediction, 2, RULES))
    tally.add(ImageOrigin("b", "b", "b", {"raw_sha256": "2"}), score_image(truth, truth, 2, RULES))
    about = Circumstances("t", "p", ColorMap.binary(), environment={"test": True})
    scores = make_scores(tally.finish(), RULES, about)
    assert scores.lesions.specks == 2 + 1
    assert "raw_sha256" not in [column.column for column in scores.subgroups]


def test_one_of_something_is_singular_and_patients_are_known_or_not():
    answers = verdict(lambda truth: truth, healthy=0, sick=1)
    assert answers[3].sentence.startswith("1 source")
    assert "Not all patients are known" in answers[3].sentence
    found = leaking({"shared_patients": 2})
    assert "2 known patients are in training and here" in found.sentence


@pytest.mark.parametrize(("other", "answer"), [(lambda truth: truth, "unknown"), (np.zeros_like, "yes")])
def test_the_same_predictions_are_not_compared_with_themselves(other, answer):
    tallies = []
    for predict in (other, lambda truth: truth):
        tally = Tally()
        for index in range(20):
            truth = np.zeros((20, 20), np.uint8)
            truth[4:12, 4:12] = 1
            tally.add(
                ImageOrigin(f"{index}", f"{index}", f"{index}"), score_image(truth, predict(truth), 2, RULES)
            )
        tallies.append(tally.finish())
    about = Circumstances(
        "t", "p", ColorMap.binary(), previous=("the last run", tallies[0]), environment={"test": True}
    )
    last = make_scores(tallies[1], RULES, about).verdict[1]
    assert last.answer == answer
    assert ("of the same predictions" in last.sentence) is (answer == "unknown")
