"""Property tests: the share holds, every image comes, and what comes follows from seed, epoch and step."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexunet.errors import DatasetError
from flexunet.training.batches.sampling import LesionSampling, PlainSampling


@st.composite
def samplings(draw):
    lesions, others = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    holds = np.array(draw(st.permutations([True] * lesions + [False] * others)))
    batch_size = draw(st.integers(1, 6))
    length = draw(st.integers(1, 40))
    share = draw(st.integers(1, 19)) / 20
    seed = draw(st.integers(0, 5))
    return LesionSampling(holds, share, batch_size, length, seed), holds


def steps_of(sampling):
    return -(-len(sampling) // sampling.batch_size)


@given(samplings(), st.integers(0, 3))
def test_every_batch_holds_the_share(made, epoch):
    sampling, holds = made
    seen = lesions = 0
    for step in range(steps_of(sampling)):
        drawn = sampling.draw(epoch, step)
        assert (holds[drawn.indices] == drawn.with_lesion).all()
        assert list(drawn.indices) == sorted(drawn.indices)
        expected = sampling.share * len(drawn.indices)
        assert math.floor(expected) <= drawn.with_lesion.sum() <= math.ceil(expected)
        seen += len(drawn.indices)
        lesions += int(drawn.with_lesion.sum())
        assert lesions == math.ceil(round(sampling.share * seen, 6))
    assert seen == len(sampling)


@given(samplings())
def test_every_image_comes_as_often_as_any_other_of_its_kind(made):
    sampling, holds = made
    counts = np.zeros(len(holds), int)
    for epoch in range(25):
        for step in range(steps_of(sampling)):
            np.add.at(counts, sampling.draw(epoch, step).indices, 1)
    for kind in (True, False):
        of_kind = counts[holds == kind]
        assert of_kind.max() - of_kind.min() <= 1


@given(samplings(), st.integers(0, 3))
def test_a_batch_follows_from_seed_epoch_and_step(made, epoch):
    sampling, holds = made
    arguments = (sampling.share, sampling.batch_size, sampling.length)
    step = steps_of(sampling) - 1
    again = LesionSampling(holds, *arguments, sampling.seed)
    drawn = sampling.draw(epoch, step)
    assert np.array_equal(drawn.indices, again.draw(epoch, step).indices)


def test_another_seed_draws_others():
    holds = np.arange(100) < 30
    first, second = (LesionSampling(holds, 0.5, 10, 100, seed).draw(0, 0).indices for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_the_share_of_batches_that_hold_a_lesion():
    holds = np.arange(200) < 10
    # 10 of 200: left to chance, 18.6 % of batches of four hold one.
    every = LesionSampling(holds, 0.25, 4, 200, 0)
    assert all(every.draw(0, step).with_lesion.sum() == 1 for step in range(50))
    half = LesionSampling(holds, 0.125, 4, 200, 0)
    assert sum(half.draw(0, step).with_lesion.any() for step in range(50)) == 25


def test_none_or_only_lesions_are_refused():
    with pytest.raises(DatasetError, match="none of the 3 training masks has any"):
        LesionSampling(np.zeros(3, bool), 0.5, 2, 3, 0)
    with pytest.raises(DatasetError, match="each of the 3 training masks has one"):
        LesionSampling(np.ones(3, bool), 0.5, 2, 3, 0)
    only = LesionSampling(np.array([True, False, True]), 1.0, 2, 4, 0)
    assert {0, 2} == {int(index) for step in range(2) for index in only.draw(0, step).indices}


def test_plain_sampling_goes_round():
    sampling = PlainSampling(3, 2, 6, 1)
    counts = np.bincount(np.concatenate([sampling.draw(4, step).indices for step in range(3)]))
    assert counts.tolist() == [2, 2, 2]
    assert not sampling.draw(0, 0).with_lesion.any()


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 30), st.integers(0, 5))
def test_plain_sampling_shows_every_image_however_short_an_epoch_is(images, batch_size, length, seed):
    sampling = PlainSampling(images, batch_size, length, seed)
    epochs = [
        np.concatenate([sampling.draw(epoch, step).indices for step in range(steps_of(sampling))])
        for epoch in range(-(-images // length) + 1)
    ]
    assert [len(epoch) for epoch in epochs] == [length] * len(epochs)
    counts = np.bincount(np.concatenate(epochs), minlength=images)
    assert len(counts) == images
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1


def test_plain_sampling_of_whole_epochs_shuffles_as_batches_do():
    """An epoch of as many images as there are: the order that a run without sampling has."""
    sampling = PlainSampling(10, 4, 10, 7)
    for epoch in range(3):
        order = np.random.default_rng([7, epoch]).permutation(10)
        drawn = [sampling.draw(epoch, step).indices.tolist() for step in range(3)]
        assert drawn == [sorted(order[at : at + 4].tolist()) for at in (0, 4, 8)]
