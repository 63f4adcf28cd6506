"""Images as a whole: AUROC against the U statistic of SciPy, net benefit by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from flexunet.evaluation.scores.froc import DetectionTable
from flexunet.evaluation.scores.image_level import (
    image_auroc,
    image_confidence,
    net_benefit,
    net_benefit_of_all,
)


def table(candidates, lesions):
    """Candidates as (image, score), and the lesions of each image."""
    image, score = (np.array(column) for column in zip(*candidates, strict=True))
    return DetectionTable(
        score.astype(float), np.zeros(len(score), bool), image.astype(np.int64), np.array(lesions)
    )


def test_an_image_is_as_sure_as_its_surest_candidate():
    assert image_confidence(table([(0, 0.2), (0, 0.7), (2, 0.1)], [1, 0, 0])).tolist() == [0.7, 0, 0.1]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_auroc_is_the_share_of_the_u_statistic_weights_included(data):
    count = data.draw(st.integers(3, 12))
    scores = data.draw(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), min_size=count, max_size=count))
    lesions = np.array(
        [0, 1, *data.draw(st.lists(st.integers(0, 2), min_size=count - 2, max_size=count - 2))]
    )
    weights = np.array(
        [1, 1, *data.draw(st.lists(st.integers(0, 3), min_size=count - 2, max_size=count - 2))]
    )
    images = table(list(enumerate(scores)), lesions)
    drawn, ill = np.repeat(scores, weights), np.repeat(lesions > 0, weights)
    expected = mannwhitneyu(drawn[ill], drawn[~ill]).statistic / (ill.sum() * (~ill).sum())
    assert image_auroc(images, weights[None].astype(float)) == pytest.approx([expected])


def test_auroc_needs_images_of_both_kinds():
    everyone = np.ones((1, 2))
    assert np.isnan(image_auroc(table([(0, 0.5)], [1, 1]), everyone))
    assert np.isnan(image_auroc(table([(0, 0.5)], [0, 0]), everyone))
    assert image_auroc(table([(0, 0.5)], [1, 0]), everyone) == [1.0]


def test_net_benefit_worked_by_hand():
    # Ten images, four with a lesion. At 0.2: three true alarms and two false ones, odds 1/4.
    sure = [0.9, 0.6, 0.3, 0.1, 0.5, 0.2, 0, 0, 0, 0]
    images = table(list(enumerate(sure)), [1, 1, 2, 1, 0, 0, 0, 0, 0, 0])
    found = net_benefit(images, np.ones((1, 10)), (0.2, 0.5))
    assert found[0] == pytest.approx([(3 - 2 / 4) / 10, (2 - 1) / 10])
    assert net_benefit_of_all(images, (0.2, 0.5)) == pytest.approx([(4 - 6 / 4) / 10, (4 - 6) / 10])
    # An image drawn twice counts twice.
    weights = np.ones((1, 10))
    weights[0, 4], weights[0, 9] = 2, 0
    assert net_benefit(images, weights, (0.2,))[0] == pytest.approx([(3 - 3 / 4) / 10])
