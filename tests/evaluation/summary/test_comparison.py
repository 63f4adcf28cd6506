"""Comparison of two runs: identical, better, and what cannot be compared."""

import json

import numpy as np
import pytest

from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.scores.intervals import Estimate
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.comparison import compare_tables, distinct_names, read_pair
from flexunet.evaluation.summary.verdict import compared_in_words
from flexunet.evaluation.tables.document import ComparedScore, Comparison
from flexunet.evaluation.tables.files import write_tables

RULES = ScoringRules(bootstrap_samples=300)


def by_name(comparison):
    return {one.name: one for one in comparison.scores}


def test_identical_runs_differ_by_nothing(make_tables):
    found = compare_tables(make_tables(), make_tables(), ("a", "b"), RULES)
    assert found.images == 12
    assert found.patients == 4
    for one in found.scores:
        assert (one.difference.value, one.difference.low, one.difference.high) == (0, 0, 0), one.name
        assert one.p_value == 1


def test_a_run_that_predicts_nothing_loses(make_tables):
    found = by_name(
        compare_tables(make_tables(images=30), make_tables(images=30, noise=1.0), ("good", "empty"), RULES)
    )
    dice = found["dice_per_image_mean_paired"]
    assert dice.second == pytest.approx(found["dice_per_image_mean_paired"].first + dice.difference.value)
    assert dice.difference.high < 0
    assert dice.p_value < 0.01
    assert found["sensitivity"].second == 0
    assert found["false_positives_per_image"].difference.value <= 0


def test_a_false_alarm_on_an_image_without_lesion_costs(make_tables):
    first, second = make_tables(), make_tables()
    empty = np.flatnonzero(first.truth[:, 1] == 0)
    assert len(empty) > 0
    second.predicted[empty[0], 1] = 50
    found = by_name(compare_tables(first, second, ("a", "b"), RULES))
    counted = np.count_nonzero(first.truth[:, 1]) + 1
    # Silence counts 1 there, the alarm 0; the other empty images are left out.
    assert found["dice_per_image_mean_paired"].difference.value == pytest.approx(-1 / counted)
    assert found["dice_per_image_mean_paired"].difference.images == counted


def test_only_shared_images_are_compared(make_tables):
    first, second = make_tables(), make_tables(images=15)
    second = second.subset(np.arange(15) >= 3)
    # The drawn masks of the first 12 images are the same in both.
    found = compare_tables(first, second, ("a", "b"), RULES)
    assert (found.images, found.only_in_first, found.only_in_second) == (9, 3, 3)


def test_different_masks_are_refused(make_tables):
    with pytest.raises(DatasetError, match="scored against different masks"):
        compare_tables(make_tables(1), make_tables(3), ("a", "b"), RULES)


def write(folder, tables, **rules):
    write_tables(tables, folder / "evaluation")
    document = {"rules": ScoringRules(**rules).document(), "patients_known": True}
    (folder / "evaluation" / "scores.json").write_text(json.dumps(document))


def test_masks_of_equal_area_elsewhere_are_refused(make_tables):
    first, second = make_tables(), make_tables()
    image = int(second.lesion_image[2])
    second.lesions.row[2] += 5
    with pytest.raises(DatasetError, match=f"different masks, e.g. of image image_{image:02d}"):
        compare_tables(first, second, ("a", "b"), RULES)


def test_the_order_of_lesions_does_not_matter(make_tables):
    first, second = make_tables(), make_tables()
    order = np.arange(len(second.lesion_image))[::-1]
    second.lesion_image = second.lesion_image[order]
    second.lesions = type(second.lesions)(*(column[order] for column in second.lesions))
    assert compare_tables(first, second, ("a", "b"), RULES).images == 12


def test_folders_are_compared_by_their_files(make_tables, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, make_tables())
    pair = read_pair(tmp_path / "a", tmp_path / "b")
    assert (pair.names, pair.patients_known) == (("a", "b"), True)
    assert all(one.p_value == 1 for one in compare_tables(*pair.tables, pair.names, RULES).scores)


@pytest.mark.parametrize(
    "rules",
    [
        {"lesion_iou": 0.5},
        {"empty_masks": "one"},
        {"min_lesion_pixels": 5},
        {"lesion_match": "centre"},
        {"connectivity": 4},
        {"boundary_tolerance": 3.0},
    ],
)
def test_other_rules_are_refused_by_name(make_tables, tmp_path, rules):
    write(tmp_path / "a", make_tables())
    write(tmp_path / "b", make_tables(), **rules)
    ((name, value),) = rules.items()
    usual = ScoringRules().document()[name]
    with pytest.raises(DatasetError, match=f"{name} is {usual} in one and {value} in the other"):
        read_pair(tmp_path / "a", tmp_path / "b")


def test_another_spacing_is_refused_with_an_image(make_tables):
    first, second = make_tables(), make_tables()
    second.spacing[3] = 0.1
    with pytest.raises(DatasetError, match=r"pixel spacing differs, e.g. of image image_03"):
        compare_tables(first, second, ("a", "b"), RULES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist, so the rules"),
        ("{", "is damaged"),
        ("[1]", "is damaged"),
        ('{"rules": 3}', "is damaged"),
        ("{}", "is damaged"),
        ('{"rules": {}}', "tells no scoring rules"),
        ("\ud800", "is damaged"),
    ],
)
def test_without_readable_rules_nothing_is_compared(make_tables, tmp_path, text, message):
    for name in ("a", "b"):
        write(tmp_path / name, make_tables())
    path = tmp_path / "b" / "evaluation" / "scores.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises((PathError, DatasetError), match=f"{path}.*{message}"):
        read_pair(tmp_path / "a", tmp_path / "b")


def comparison(value, low, high, p_value, patients=40, first=0.5):
    """A comparison in which the deciding score differs so."""
    score = ComparedScore(
        name="dice_per_image_mean_paired",
        first=first,
        second=None if value is None else first + value,
        difference=Estimate(value=value, low=low, high=high, images=patients),
        p_value=p_value,
        higher_is_better=True,
    )
    return Comparison(
        first="A",
        second="B",
        images=patients,
        patients=patients,
        only_in_first=1,
        only_in_second=0,
        scores=[score],
    )


@pytest.mark.parametrize(
    ("known", "better", "start"),
    [
        (comparison(0.1, 0.02, 0.18, 0.01), True, "B scores higher: dice_per_image_mean_paired is 0.500"),
        (comparison(-0.1, -0.18, -0.02, 0.01), False, "A scores higher"),
        (comparison(0.1, -0.01, 0.2, 0.04), None, "Neither is shown to be better"),  # interval and p differ
        (comparison(0.1, 0.01, 0.2, 0.06), None, "Neither is shown to be better"),
        (comparison(0.1, None, None, 0.01), None, "Neither is shown to be better"),
        (comparison(0.1, 0.02, 0.18, 0.01, patients=9), None, "Neither is shown to be better"),
        (comparison(0.0, 0.0, 0.0, 1.0), None, "Neither is shown to be better"),
        (comparison(None, None, None, None), None, "A and B cannot be told apart"),
    ],
)
def test_the_sentence_says_no_more_than_the_evidence(known, better, start):
    answer, sentence = compared_in_words(known, patients_known=True)
    assert answer is better
    assert sentence.startswith(start)
    assert sentence.endswith(".")
    assert ". " not in sentence  # one sentence
    assert "patients are known" not in sentence


def test_the_sentence_names_chance_few_patients_and_unknown_patients():
    few = compared_in_words(comparison(0.1, 0.02, 0.18, 0.01, patients=9), patients_known=True)[1]
    assert "fewer than 10 patients prove nothing" in few
    assert "chance" not in few
    unknown = compared_in_words(comparison(0.1, 0.02, 0.18, 0.01), patients_known=False)[1]
    assert "of 40 sources" in unknown
    assert unknown.endswith("not all patients are known, so the true interval is wider.")
    one = compared_in_words(comparison(0.0, 0.0, 0.0, 1.0, patients=1), patients_known=True)[1]
    assert "1 shared image of 1 patient," in one
    assert "no difference was seen" in one


def test_names_are_as_short_as_tells_them_apart(tmp_path):
    assert distinct_names(tmp_path / "x" / "run", tmp_path / "y" / "run") == ("x/run", "y/run")
    assert distinct_names(tmp_path / "run", tmp_path / "run") == ("run (A)", "run (B)")
