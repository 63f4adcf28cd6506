"""Visual words: clusters of the features of many pictures, within which a feature looks for its like.

A few thousand words are searched one by one. More of them hang below some roots, and a feature looks below
its nearest roots alone: the search of one grows with the root of their number.

Source: Sivic, J., Zisserman, A. (2003), ICCV, 1470-1477 (visual words); Nister, D., Stewenius, H. (2006),
CVPR, 2161-2168 (words in a tree).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from flexunet.data.copies.fingerprint_file import FingerprintFile
from flexunet.data.copies.fingerprints import LENGTH, MIRRORED, similarities, unit_rows

MOST_IN_ONE_LEVEL = 2048
_SAMPLE_PER_WORD = 24  # features, each with its mirror image
_MOST_SAMPLED = 400_000
_ROUNDS = 6
_ROOTS_SEARCHED = 2
_BLOCK = 4096


class Words:
    """Clusters of features and of their mirror images; seeded, so repeatable.

    Args:
        file: The fingerprints whose features they are.
        count: How many words.
    """

    def __init__(self, file: FingerprintFile, count: int):
        features = int(file.starts[-1])
        rng = np.random.default_rng(0)
        if count <= MOST_IN_ONE_LEVEL:
            chosen = rng.permutation(features)[: count * _SAMPLE_PER_WORD]
        else:  # some twice, but no list of all features
            chosen = rng.integers(features, size=min(count * _SAMPLE_PER_WORD, _MOST_SAMPLED))
        sample = file.take(chosen)
        sample = np.concatenate([sample, sample[:, MIRRORED]])
        self.roots: np.ndarray | None = None
        self._starts = np.array([0])
        if count <= MOST_IN_ONE_LEVEL:
            self._words = _cluster(sample, count, rng)
            return
        self.roots = _cluster(sample, round(np.sqrt(count)), rng)
        home = _nearest(sample, self.roots, 1)[:, 0]
        leaves = []
        for root in range(len(self.roots)):
            own = sample[home == root]
            leaves.append(_cluster(own, max(1, round(count * len(own) / len(sample))), rng))
        self._starts = np.cumsum([0, *map(len, leaves)])
        self._words = np.concatenate(leaves)

    def __len__(self) -> int:
        return len(self._words)

    def nearest(self, features: np.ndarray, count: int) -> np.ndarray:
        """The nearest words of each feature, in no order: int32 `(n, count)`."""
        if self.roots is None:
            return _nearest(features, self._words, count)
        below = _nearest(features, self.roots, min(_ROOTS_SEARCHED, len(self.roots)))
        best = np.full((len(features), count), -1, np.int32)
        strength = np.full((len(features), count), -2, np.float32)
        for root in range(len(self.roots)):
            start, end = self._starts[root : root + 2]
            rows = np.flatnonzero((below == root).any(axis=1))
            if not len(rows) or start == end:
                continue
            similarity = similarities(unit_rows(features[rows]), self._words[start:end])
            # The best so far and the new ones; the better ones of both stay.
            taken = min(count, end - start)
            new = np.argpartition(-similarity, taken - 1, axis=1)[:, :taken]
            words = np.concatenate([best[rows], (new + start).astype(np.int32)], axis=1)
            values = np.concatenate([strength[rows], np.take_along_axis(similarity, new, axis=1)], axis=1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :count]
            best[rows] = np.take_along_axis(words, order, axis=1)
            strength[rows] = np.take_along_axis(values, order, axis=1)
        # Where fewer words hang below both roots than are asked for, the nearest stands twice.
        return np.where(best < 0, best[:, :1], best)


def _cluster(sample: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Spherical k-means: float32 `(count, 128)`, rows of length 1."""
    count = min(count, len(sample))
    words = unit_rows(sample[rng.permutation(len(sample))[:count]])
    for _ in range(_ROUNDS if count > 1 else 1):
        home = _nearest(sample, words, 1)[:, 0]
        sums = np.zeros((count, LENGTH), np.float32)
        for start in range(0, len(sample), _BLOCK):
            here = home[start : start + _BLOCK]
            ones = np.ones(len(here), np.float32)
            members = csr_array((ones, (here, np.arange(len(here)))), shape=(count, len(here)))
            sums += members @ unit_rows(sample[start : start + _BLOCK])
        used = np.bincount(home, minlength=count) > 0
        words[used] = unit_rows(sums[used])
    return words


def _nearest(features: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    nearest = np.empty((len(features), count), np.int32)
    for start in range(0, len(features), _BLOCK):
        similarity = similarities(unit_rows(features[start : start + _BLOCK]), words)
        if count == 1:
            nearest[start : start + _BLOCK, 0] = similarity.argmax(axis=1)
        else:
            nearest[start : start + _BLOCK] = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    return nearest
