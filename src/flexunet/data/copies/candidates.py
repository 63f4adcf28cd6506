"""Which pictures are worth comparing: pairs that share unusual local features.

Comparing every picture with every other would take hours for thousands. Instead each local feature looks for
its nearest neighbours among the features of all other pictures, and votes for the pictures they are in; a
picture is compared with those that got most votes. The search is confined to features of the same "visual
word" (cluster of the features' space), which makes it a few thousand small matrix products.

Source: Sivic, J., Zisserman, A. (2003), ICCV, 1470-1477 (visual words); Jegou, H., Douze, M., Schmid, C.
(2011), IEEE TPAMI 33(1), 117-128 (search within the cells of a coarse quantiser).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array, csr_array

from flexunet.data.copies.fingerprints import MIRRORED, Fingerprint, similarities, unit_rows
from flexunet.progress import Progress, silent

CANDIDATES = 10  # pictures that each picture is compared with
_CELL = 300  # features in a cell, on average
_PROBES = 2  # cells that a feature searches
_NEAREST = 4  # neighbours that a feature votes for
_ALIKE = 0.82  # cosine of two descriptors below which a neighbour gets no vote
_SAMPLE_PER_WORD = 48
_ROUNDS = 6
_BLOCK = 16384


def find_candidates(
    fingerprints: Sequence[Fingerprint], progress: Progress = silent, known: int = 0
) -> np.ndarray:
    """Pairs of pictures that may be copies of each other, the likeliest first.

    Args:
        fingerprints: One a picture.
        progress: Told how many cells are searched.
        known: So many of the first pictures are what all others are compared with, and nothing else is
            compared; 0 compares all with all.

    Returns:
        Positions `(K, 2)`, first below second; each picture is in its own CANDIDATES best pairs at least.
    """
    counts = [len(fingerprint.points) for fingerprint in fingerprints]
    if sum(counts) == 0 or len(fingerprints) < 2:
        return np.zeros((0, 2), np.int64)
    votes = _votes(fingerprints, np.array(counts), progress, known)
    return _best_pairs(votes)


def _votes(
    fingerprints: Sequence[Fingerprint], counts: np.ndarray, progress: Progress, known: int
) -> csr_array:
    picture = np.repeat(np.arange(len(counts)), counts)
    features = np.concatenate([fingerprint.descriptors for fingerprint in fingerprints])
    words = _visual_words(features, max(1, len(features) // _CELL))
    probes = min(_PROBES, len(words))
    inside = np.flatnonzero(picture < known) if known else np.arange(len(features))
    asking = np.flatnonzero(picture >= known)
    home = _nearest_words(features[inside], words, 1)[:, 0]
    searched = np.concatenate(
        [
            _nearest_words(features[asking], words, probes),
            _nearest_words(features[asking][:, MIRRORED], words, probes),
        ]
    ).ravel()
    # A query is a feature, or the same feature of the mirror image: numbers from len(features) on.
    query = np.concatenate([asking, asking + len(features)]).repeat(probes)
    members = _sorted_by_cell(home, inside, len(words))
    queries = _sorted_by_cell(searched, query, len(words))
    sums = csr_array((len(counts), len(counts)), dtype=np.float32)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for cell, (inside, asking) in enumerate(zip(members, queries, strict=True)):
        if len(inside) and len(asking):
            parts.append(_votes_of_cell(features, picture, inside, asking))
        if len(parts) == 256 or cell == len(words) - 1:
            sums = sums + _summed(parts, len(counts))
            parts = []
        progress("candidates", cell + 1, len(words))
    return csr_array(sums + sums.T)


def _votes_of_cell(
    features: np.ndarray, picture: np.ndarray, inside: np.ndarray, asking: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    number = asking % len(features)
    rows = features[number]
    mirrored = asking >= len(features)
    rows[mirrored] = rows[mirrored][:, MIRRORED]
    similarity = similarities(unit_rows(rows), unit_rows(features[inside]))
    asks, owns = picture[number], picture[inside]
    similarity[asks[:, None] == owns[None]] = 0
    count = min(_NEAREST, len(inside))
    nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    weight = np.take_along_axis(similarity, nearest, axis=1) - _ALIKE
    counts = weight > 0
    return np.repeat(asks, count).reshape(counts.shape)[counts], owns[nearest[counts]], weight[counts]


def _summed(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], size: int) -> csr_array:
    if not parts:
        return csr_array((size, size), dtype=np.float32)
    rows, columns, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return csr_array(coo_array((weights, (rows, columns)), shape=(size, size)))


def _best_pairs(votes: csr_array) -> np.ndarray:
    chosen, strength = [], []
    for row in range(votes.shape[0]):
        start, end = votes.indptr[row], votes.indptr[row + 1]
        best = start + np.argsort(-votes.data[start:end], kind="stable")[:CANDIDATES]
        columns = votes.indices[best]
        chosen.append(np.stack([np.minimum(row, columns), np.maximum(row, columns)], axis=1))
        strength.append(votes.data[best])
    pairs, first = np.unique(np.concatenate(chosen), axis=0, return_index=True)
    order = np.argsort(-np.concatenate(strength)[first], kind="stable")
    return pairs[order].astype(np.int64)


def _visual_words(features: np.ndarray, count: int) -> np.ndarray:
    """Spherical k-means of a sample of the features and their mirror images; seeded, so repeatable."""
    rng = np.random.default_rng(0)
    sample = rng.permutation(len(features))[: count * _SAMPLE_PER_WORD // 2]
    rows = unit_rows(np.concatenate([features[sample], features[sample][:, MIRRORED]]))
    words = rows[rng.permutation(len(rows))[:count]]
    for _ in range(_ROUNDS):
        home = _nearest_words(rows, words, 1)[:, 0]
        ones = np.ones(len(rows), np.float32)
        sums = csr_array((ones, (home, np.arange(len(rows)))), shape=(len(words), len(rows))) @ rows
        used = np.bincount(home, minlength=len(words)) > 0
        words[used] = unit_rows(sums[used])
    return words


def _nearest_words(features: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    found = np.empty((len(features), count), np.int64)
    for start in range(0, len(features), _BLOCK):
        similarity = similarities(unit_rows(features[start : start + _BLOCK]), words)
        if count == 1:
            found[start : start + _BLOCK, 0] = similarity.argmax(axis=1)
        else:
            found[start : start + _BLOCK] = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    return found


def _sorted_by_cell(cells: np.ndarray, values: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(cells, kind="stable")
    return np.split(values[order], np.searchsorted(cells[order], np.arange(1, count)))
