"""Subgroups: any manifest column, sizes, quarters of numbers."""

import dataclasses

import numpy as np
import pytest

from flexunet.errors import DatasetError
from flexunet.evaluation.scores.rules import ScoringRules
from flexunet.evaluation.summary.subgroups import SIZE_COLUMN, subgroup_columns

RULES = ScoringRules(bootstrap_samples=100)


def with_column(tables, name, values):
    tables.origins = [
        dataclasses.replace(origin, attributes={**origin.attributes, name: value})
        for origin, value in zip(tables.origins, values, strict=True)
    ]
    return tables


def test_groups_add_up_and_score_their_own_images(make_tables):
    tables = make_tables()
    view, size = subgroup_columns(tables, RULES)
    assert (view.column, size.column) == ("view", SIZE_COLUMN)
    assert sum(group.images for group in view.groups) == len(tables)
    dice = tables.by_image()["dice"]
    for group in view.groups:
        inside = np.array([origin.attributes["view"] == group.value for origin in tables.origins])
        assert group.dice_per_image_mean.value == pytest.approx(np.nanmean(dice[inside]))
        assert group.lesions == tables.counted(tables.lesion_image)[inside].sum()
    healthy = size.groups[-1]
    assert healthy.value == "none"
    # Where nothing is to be found, no overlap is given, and false alarms are.
    assert healthy.dice_per_image_mean.value is None
    assert healthy.false_positives_per_image.value is not None
    assert size.groups[-1].lesions == 0


def test_a_column_of_many_values_is_left_out_unless_wanted(make_tables):
    numbers = [str(index) for index in range(16)]
    tables = with_column(make_tables(images=16), "age", numbers)
    assert "age" not in [column.column for column in subgroup_columns(tables, RULES)]
    (age,) = subgroup_columns(tables, RULES, ["age"])
    assert [group.images for group in age.groups] == [4, 4, 4, 4]


@pytest.mark.parametrize(
    "name",
    [
        "raw_sha256",
        "crop_x",
        "lost_on_tissue",
        "lesion_pixels",
        "mask_origin",
        "original_split",
        "lesions",
        "mirrored",
        "raw_file",
        "entropy",
        "grey_range",
        "anything else",
    ],
)
def test_bookkeeping_is_no_subgroup_unless_wanted(make_tables, name):
    tables = with_column(make_tables(), name, ["1", "2", "3"] * 4)
    assert [column.column for column in subgroup_columns(tables, RULES)] == ["view", SIZE_COLUMN]
    assert [column.column for column in subgroup_columns(tables, RULES, [name])] == [name]


def test_describing_columns_are_subgroups_however_they_are_written(make_tables):
    tables = with_column(make_tables(), "Breast Density", ["1", "2", "3"] * 4)
    assert "Breast Density" in [column.column for column in subgroup_columns(tables, RULES)]


def test_a_column_of_names_is_no_subgroup(make_tables):
    tables = with_column(make_tables(), "finding", [f"finding {index}" for index in range(12)])
    assert "finding" not in [column.column for column in subgroup_columns(tables, RULES)]


def test_images_without_a_value_are_a_group_of_their_own(make_tables):
    tables = with_column(make_tables(), "density", ["A", "B"] * 5 + ["", ""])
    density = next(column for column in subgroup_columns(tables, RULES) if column.column == "density")
    assert [(group.value, group.images) for group in density.groups] == [("A", 5), ("B", 5), ("not given", 2)]


def test_an_unknown_column_is_refused_with_those_there_are(make_tables):
    with pytest.raises(DatasetError, match=r"no column colour\. It has: view"):
        subgroup_columns(make_tables(), RULES, ["colour"])
