"""The verdict: what is said of good, empty and harmful predictions, of leaks and of audits."""

import json

import numpy as np
import pytest

from flexunet.data.dataset.identity import Identity
from flexunet.data.dataset.pairs import Pair
from flexunet.data.images.masks import ColorMap
from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.leakage import find_audit, read_audit, shared_origins
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
    assert leaking({"shared_sources": 0, "checked": "names"}).answer == "no"
    found = leaking({"shared_sources": 2, "leak_pairs": 5, "untrue": ["masks on black background"]})
    assert (found.answer, found.good) == ("yes", False)
    assert found.sentence.startswith(
        "2 originals have copies in training and here; 5 pairs of nearly equal images across splits; masks on"
    )


def test_originals_and_patients_in_both_splits_are_found(tmp_path):
    def pair(name, source, patient):
        return Pair(tmp_path / f"{name}.png", tmp_path / f"{name}_mask.png", Identity(source, patient, True))

    training = [pair("a", "1", "p1"), pair("hflipped_2", "2", "p2")]
    tested = [pair("2", "2", "p2"), pair("c", "3", "p1"), pair("d", "4", "p4")]
    found = shared_origins(training, tested)
    assert (found["shared_sources"], found["shared_patients"]) == (1, 2)
    assert found["examples"] == ["2", "p1", "p2"]
    assert shared_origins(training, tested[2:])["shared_sources"] == 0


def test_splits_that_each_count_from_one_are_not_taken_for_leaks(tmp_path):
    def pair(split, name, content):
        path = tmp_path / split / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return Pair(path, path, Identity(name, name))

    training = [pair("train", "1", b"a"), pair("train", "2", b"b"), pair("train", "3", b"c")]
    tested = [pair("test", "1", b"x"), pair("test", "2", b"y"), pair("test", "3", b"c")]
    found = shared_origins(training, tested)
    assert (found["shared_sources"], found["examples"]) == (1, ["3"])
    assert "names repeat with different pictures" in found["checked"]
    assert shared_origins(training, tested[:2])["shared_sources"] == 0


def test_an_audit_is_read_in_short(tmp_path):
    images = tmp_path / "test" / "images"
    images.mkdir(parents=True)
    assert find_audit(images) is None
    path = tmp_path / "audit.json"
    finding = {"severity": "error", "code": "leak", "files": ["a", "b"], "explanation": "x"}
    document = {"scores_hold": False, "leak_pairs": 2, "untrue": [], "checked": "flexunet audit"}
    path.write_text(json.dumps({**document, "findings": [finding, finding], "figures": {"much": 1}}))
    assert find_audit(images) == path
    found = read_audit(path)
    assert found["findings"] == [{"severity": "error", "code": "leak", "count": 2}]
    assert "figures" not in found
    assert leaking(found).answer == "yes"
    path.write_text("[1]")
    with pytest.raises(DatasetError, match="not the output of"):
        read_audit(path)
    with pytest.raises(PathError, match="cannot read the audit"):
        read_audit(tmp_path / "nothing.json")
