"""Scoring rules: taken from the configuration, refused when they make no sense."""

import pytest

from flexunet.config.schema import Config
from flexunet.errors import ConfigError
from flexunet.evaluation.scores.rules import ScoringRules


def test_the_configuration_and_the_rules_have_the_same_defaults():
    assert ScoringRules.from_section(Config().evaluate) == ScoringRules()


def test_an_option_wins_over_the_section():
    config = Config()
    config.evaluate.empty_masks = "one"
    assert ScoringRules.from_section(config.evaluate).empty_masks == "one"
    assert ScoringRules.from_section(config.evaluate, empty_masks="zero").empty_masks == "zero"
    assert ScoringRules.from_section(config.evaluate, empty_masks=None).empty_masks == "one"
    assert ScoringRules.from_section(None) == ScoringRules()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"empty_masks": "two"}, "empty_masks must be one of exclude, one, zero; found 'two'"),
        ({"lesion_match": "box"}, "lesion_match must be one of iou, overlap, centre"),
        ({"lesion_iou": 1.5}, "lesion_iou must lie between 0 and 1; found 1.5"),
        ({"connectivity": 6}, "connectivity must be one of 4, 8"),
        ({"bootstrap_samples": -1}, "bootstrap_samples must lie between 0"),
    ],
)
def test_a_senseless_rule_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        ScoringRules(**values)
