"""Classes that are regions of the film, told from lesions by where they lie."""

import numpy as np
import pytest

from flexunet.evaluation.summary.regions import are_regions

TISSUE = np.array([[40, 30, 30], [45, 50, 5], [48, 26, 26]])


def test_tissues_that_every_film_has_are_regions():
    assert are_regions(TISSUE)


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(np.where(TISSUE == 5, 0, TISSUE), id="a class is missing in one film"),
        pytest.param(np.array([[80, 15, 5], [90, 7, 3]]), id="parts of a tumour leave most of a film free"),
        pytest.param(TISSUE[:, :1] * [1, 3], id="of one class it cannot be told"),
        pytest.param(np.empty((0, 3), np.int64), id="no film"),
    ],
)
def test_others_may_be_lesions(truth):
    assert not are_regions(truth)
