"""Tables: the order of images changes nothing, files give back what was written."""

import dataclasses

import numpy as np
import pytest

from flexunet.data.images.color_map import ColorMap
from flexunet.errors import DatasetError, PathError
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.build import Circumstances, make_scores
from flexunet.evaluation.tables.files import find_evaluation, read_tables, write_tables
from flexunet.evaluation.tables.rows import Tally

ABOUT = Circumstances("truth", "prediction", ColorMap.binary(), environment={"test": True})


def figures(tables, rules=None):
    """Everything but the time of day."""
    found = make_scores(tables, rules or ScoringRules(bootstrap_samples=200), ABOUT).model_dump()
    del found["created"]
    return found


def same(first, second, tolerance=0.0):
    """Whether two documents agree, numbers to a tolerance."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k], tolerance) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(
            same(one, two, tolerance) for one, two in zip(first, second, strict=True)
        )
    if isinstance(first, float) and isinstance(second, float):
        return first == pytest.approx(second, rel=tolerance or None, abs=tolerance or 1e-12)
    return first == second


@pytest.mark.parametrize("probabilities", [False, True])
def test_the_order_of_images_changes_no_score(make_tables, probabilities):
    forth = figures(make_tables(probabilities=probabilities))
    assert forth == figures(make_tables(probabilities=probabilities, reverse=True))


@pytest.mark.parametrize("rule", ["iou", "overlap", "centre"])
@pytest.mark.parametrize("probabilities", [False, True])
def test_flipping_all_masks_changes_no_score(make_tables, probabilities, rule):
    rules = ScoringRules(bootstrap_samples=100, lesion_match=rule)
    forth, back = (
        figures(make_tables(seed=4, images=20, probabilities=probabilities, flip=flip, rules=rules), rules)
        for flip in (False, True)
    )
    assert same(forth, back, 1e-6)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_files_give_back_the_same_figures(make_tables, tmp_path, seed, probabilities):
    tables = make_tables(seed, probabilities=probabilities)
    write_tables(tables, tmp_path)
    again = read_tables(tmp_path)
    assert [dataclasses.asdict(one) for one in again.origins] == [
        dataclasses.asdict(one) for one in tables.origins
    ]
    np.testing.assert_array_equal(again.confusion, tables.confusion)
    before, after = figures(tables), figures(again)
    assert after.pop("probability") is None
    before.pop("probability")
    assert before == after


def test_mm_where_spacing_is_known(make_tables):
    tables = make_tables(2)
    scores = tables.by_image()
    np.testing.assert_allclose(scores["hausdorff_95_mm"], scores["hausdorff_95_px"] / 2)
    assert figures(tables)["lesions"]["size_bands"][0]["unit"] == "mm"
    assert figures(make_tables(1))["lesions"]["size_bands"][0]["unit"] == "px"


def test_two_images_of_one_name_are_refused(make_tables):
    tables = make_tables(images=2)
    tally = Tally()
    tally._rows = [(tables.origins[0], None), (tables.origins[0], None)]
    with pytest.raises(DatasetError, match="image_00 occurs twice"):
        tally.finish()


def test_no_images_is_an_error():
    with pytest.raises(DatasetError, match="at least one image"):
        Tally().finish()


def test_files_that_are_missing_or_broken_are_named(make_tables, tmp_path):
    with pytest.raises(PathError, match="no evaluation in"):
        find_evaluation(tmp_path)
    with pytest.raises(PathError, match="does not exist"):
        read_tables(tmp_path)
    write_tables(make_tables(), tmp_path)
    path = tmp_path / "per_image.csv"
    text = path.read_text()
    path.write_text(text.replace("truth_pixels_1", "something"))
    with pytest.raises(DatasetError, match="lacks the column 'truth_pixels_1'"):
        read_tables(tmp_path)
    path.write_text(text.replace("image_00,", "image_00,more,", 1))
    with pytest.raises(DatasetError, match="more or fewer values"):
        read_tables(tmp_path)
    path.write_text(text.replace(",32,32,", ",32,many,", 1))
    with pytest.raises(DatasetError, match="Expected numbers"):
        read_tables(tmp_path)


def test_an_evaluation_is_found_in_its_run(make_tables, tmp_path):
    write_tables(make_tables(), tmp_path / "evaluation")
    assert find_evaluation(tmp_path) == tmp_path / "evaluation"
    assert find_evaluation(tmp_path / "evaluation") == tmp_path / "evaluation"


def test_a_prediction_without_any_region_is_written_and_read(make_tables, tmp_path):
    tables = make_tables(noise=1.0)
    write_tables(tables, tmp_path)
    again = read_tables(tmp_path)
    assert len(again.candidate_image) == 0
    assert again.counted(again.lesion_image).tolist() == tables.counted(tables.lesion_image).tolist()


def test_images_unlike_the_training_are_read_back(make_tables, tmp_path):
    tables = make_tables(images=3)
    told = ["", "darker", ""]
    tables.origins = [
        dataclasses.replace(origin, unlike_training=text)
        for origin, text in zip(tables.origins, told, strict=True)
    ]
    write_tables(tables, tmp_path)
    assert [origin.unlike_training for origin in read_tables(tmp_path).origins] == told
    write_tables(make_tables(images=3), tmp_path)
    assert [origin.unlike_training for origin in read_tables(tmp_path).origins] == [None] * 3
