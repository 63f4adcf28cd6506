"""Which pictures are worth comparing: pairs that share unusual local features.

Comparing every picture with every other would take hours for thousands. Instead each local feature looks for
its nearest neighbours among the features of all other pictures, and votes for the pictures they are in; a
picture is compared with those that got most votes. The search is confined to features of the same "visual
word" (cluster of the features' space), which makes it many small matrix products.

Memory does not grow with the pictures but for some bytes a feature: descriptors and votes lie on disk, and
the pictures ask in blocks.

Source: Sivic, J., Zisserman, A. (2003), ICCV, 1470-1477 (visual words); Jegou, H., Douze, M., Schmid, C.
(2011), IEEE TPAMI 33(1), 117-128 (search within the cells of a coarse quantiser).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array, csr_array

from flexunet.data.copies.fingerprint_file import FingerprintFile
from flexunet.data.copies.fingerprints import LENGTH, MIRRORED, Fingerprint, similarities, unit_rows
from flexunet.data.copies.words import Words
from flexunet.progress import Progress, silent

CANDIDATES = 10  # pictures that each picture is compared with
_CELL = 300  # features in a cell, on average
_PROBES = 2  # cells that a feature searches
_NEAREST = 4  # neighbours that a feature votes for
_ALIKE = 0.82  # cosine of two descriptors below which a neighbour gets no vote
_BLOCK = 512  # pictures that ask at once
_CELLS_AT_ONCE = 256  # after which votes are summed
_FILED = 64  # pictures whose votes lie in one file, but for very many pictures: files are open all at once
_MOST_FILES = 400
_VOTE = np.dtype([("picture", np.int32), ("other", np.int32), ("weight", np.float32)])


def find_candidates(
    fingerprints: Sequence[Fingerprint], progress: Progress = silent, known: int = 0
) -> np.ndarray:
    """Pairs of pictures that may be copies of each other, the likeliest first.

    Args:
        fingerprints: One a picture.
        progress: Told how many pictures have asked.
        known: So many of the first pictures are what all others are compared with, and nothing else is
            compared; 0 compares all with all.

    Returns:
        Positions `(K, 2)`, first below second; each picture is in its own CANDIDATES best pairs at least.
    """
    if not isinstance(fingerprints, FingerprintFile):
        with FingerprintFile(fingerprints) as file:
            return find_candidates(file, progress, known)
    file, starts = fingerprints, fingerprints.starts
    if not starts[-1] or len(file) < 2:
        return np.zeros((0, 2), np.int64)
    words = Words(file, max(1, int(starts[-1]) // _CELL))
    with ExitStack() as files:
        members = _Members(file, words, int(starts[known]) if known else int(starts[-1]), files)
        votes = _Votes(len(file), files)
        for first in range(known, len(file), _BLOCK):
            last = min(first + _BLOCK, len(file))
            _let_ask(file, words, members, votes, first, last)
            progress("candidates", last - known, len(file) - known)
        return votes.best_pairs()


class _Members:
    """The features in each cell, of those that are looked for; their descriptors on disk, cell by cell."""

    def __init__(self, file: FingerprintFile, words: Words, count: int, files: ExitStack):
        home = np.empty(count, np.int32)
        step = _BLOCK * 256
        for start in range(0, count, step):
            part = file.descriptors[start : min(start + step, count)]
            home[start : start + len(part)] = words.nearest(part, 1)[:, 0]
            file.release()
        self._features = np.argsort(home, kind="stable").astype(np.int64 if count >= 2**31 else np.int32)
        self._starts = np.searchsorted(home[self._features], np.arange(len(words) + 1))

        self._descriptors = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        for start in range(0, count, step):
            self._descriptors.write(file.take(self._features[start : start + step]).data)

    def count(self, cell: int) -> int:
        """Number of features in a cell."""
        return int(self._starts[cell + 1] - self._starts[cell])

    def of(self, cell: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the features of a cell, and their descriptors."""
        start, end = self._starts[cell : cell + 2]
        self._descriptors.seek(int(start) * LENGTH)
        content = self._descriptors.read(int(end - start) * LENGTH)
        return self._features[start:end], np.frombuffer(content, np.uint8).reshape(-1, LENGTH)


def _let_ask(
    file: FingerprintFile, words: Words, members: _Members, votes: _Votes, first: int, last: int
) -> None:
    """The pictures from `first` to `last` vote."""
    starts = file.starts
    own = np.array(file.descriptors[starts[first] : starts[last]])
    file.release()
    if not len(own):
        return
    # A query is a feature, or the same feature of the mirror image.
    queries = np.concatenate([own, own[:, MIRRORED]])
    picture = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(starts[first : last + 1]))
    asks = np.concatenate([picture, picture])
    probes = min(_PROBES, len(words))
    cells = words.nearest(queries, probes)
    if probes > 1:
        cells[:, 1:][cells[:, 1:] == cells[:, :1]] = -1  # a cell that stands twice is searched once
    order = np.argsort(cells, axis=None, kind="stable")
    searched = cells.ravel()[order]
    order //= probes
    edges = np.flatnonzero(np.diff(searched, prepend=-2, append=-2))
    parts = []
    for start, end in pairwise(edges):
        cell = int(searched[start])
        if cell >= 0 and members.count(cell):
            inside, descriptors = members.of(cell)
            rows = order[start:end]
            owns = (np.searchsorted(starts, inside, side="right") - 1).astype(np.int32)
            parts.append(_votes_of_cell(queries[rows], asks[rows], descriptors, owns))
        if len(parts) == _CELLS_AT_ONCE:
            votes.add(parts, first, last)
            parts = []
    votes.add(parts, first, last)


def _votes_of_cell(
    queries: np.ndarray, asks: np.ndarray, inside: np.ndarray, owns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    similarity = similarities(unit_rows(queries), unit_rows(inside))
    similarity[asks[:, None] == owns[None]] = 0
    count = min(_NEAREST, len(inside))
    nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    weight = np.take_along_axis(similarity, nearest, axis=1) - _ALIKE
    counts = weight > 0
    return np.repeat(asks, count).reshape(counts.shape)[counts], owns[nearest[counts]], weight[counts]


class _Votes:
    """Votes of pictures for pictures, on disk, by blocks of the pictures that they are of."""

    def __init__(self, pictures: int, files: ExitStack):
        self.pictures = pictures
        self._filed = max(_FILED, -(-pictures // _MOST_FILES))
        parts = range(0, pictures, self._filed)
        self._files = [files.enter_context(tempfile.TemporaryFile()) for _ in parts]  # noqa: SIM115

    def add(self, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], first: int, last: int) -> None:
        """Add votes of pictures from `first` to `last`; a vote counts for both sides alike."""
        if not parts:
            return
        rows, columns, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
        summed = csr_array(coo_array((weights, (rows - first, columns)), shape=(last - first, self.pictures)))
        summed.sum_duplicates()
        given = np.empty(summed.nnz, _VOTE)
        given["picture"] = np.repeat(np.arange(first, last), np.diff(summed.indptr))
        given["other"], given["weight"] = summed.indices, summed.data
        self._write(given)
        taken = np.empty_like(given)
        taken["picture"], taken["other"], taken["weight"] = given["other"], given["picture"], given["weight"]
        self._write(taken)

    def _write(self, votes: np.ndarray) -> None:
        block = votes["picture"] // self._filed
        order = np.argsort(block, kind="stable")
        votes = votes[order]
        edges = np.searchsorted(block[order], np.arange(len(self._files) + 1))
        for file, start, end in zip(self._files, edges[:-1], edges[1:], strict=True):
            if start < end:
                file.write(votes[start:end].data)

    def best_pairs(self) -> np.ndarray:
        """The best pairs of each picture, the likeliest first: `(K, 2)`."""
        chosen, strength = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
        for number, file in enumerate(self._files):
            first = number * self._filed
            file.seek(0)
            votes = np.frombuffer(file.read(), _VOTE)
            rows = (votes["picture"] - first, votes["other"])
            sums = csr_array(coo_array((votes["weight"], rows), shape=(self._filed, self.pictures)))
            for row in range(min(self._filed, self.pictures - first)):
                start, end = sums.indptr[row], sums.indptr[row + 1]
                best = start + np.argsort(-sums.data[start:end], kind="stable")[:CANDIDATES]
                others = sums.indices[best].astype(np.int64)
                pair = np.minimum(first + row, others), np.maximum(first + row, others)
                chosen.append(np.stack(pair, axis=1))
                strength.append(sums.data[best])
        pairs, at = np.unique(np.concatenate(chosen), axis=0, return_index=True)
        order = np.argsort(-np.concatenate(strength)[at], kind="stable")
        return pairs[order]
