"""Find pictures that show the same thing, and those of them that stand in more than one split.

Two stages: local features vote for pairs worth comparing (`candidates`), and each such pair is compared by
the number of features that agree on one affine map (`fingerprints.match_fingerprints`). Matches are
transitive: if a bent copy matches the original and so does a turned one, the two copies are one group even
where they do not match each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType

from flexunet.data.copies.candidates import find_candidates
from flexunet.data.copies.fingerprint_file import FingerprintFile
from flexunet.data.copies.fingerprints import (
    Fingerprint,
    Match,
    grey_of,
    match_fingerprints,
    take_fingerprint,
)
from flexunet.data.copies.store import FingerprintStore
from flexunet.data.dataset.digests import digest_of
from flexunet.data.images.files.read import read_image
from flexunet.progress import Progress, silent

FEWEST_INLIERS = 14
MIN_SPREAD = 0.02
# Among 24,090 pairs of different films of mini-MIAS, 10 had 8 inliers or more, and each further inlier was
# about five times rarer. So that one false match is expected in fifty audits, larger sets need more.
_CHANCE_OF_EIGHT = 10 / 24090
_RARER = 5.0
_FALSE_MATCHES = 0.02
_BATCH = 128
_NONE: Mapping[str, Fingerprint] = MappingProxyType({})


@dataclass(frozen=True)
class CopyPair:
    """Two pictures that show the same thing.

    Attributes:
        first: Position of one.
        second: Position of the other.
        match: How they agree.
    """

    first: int
    second: int
    match: Match


def inliers_needed(count: int, known: int = 0) -> int:
    """Features that must agree before two of `count` pictures are called copies.

    Args:
        count: Number of pictures.
        known: So many of them are compared with the others alone; 0: all are compared with all.
    """
    pairs = known * (count - known) if known else count * (count - 1) / 2
    expected = max(pairs * _CHANCE_OF_EIGHT / _FALSE_MATCHES, 1.0)
    return max(FEWEST_INLIERS, math.ceil(8 + math.log(expected) / math.log(_RARER)))


def find_copies(
    fingerprints: Sequence[Fingerprint], progress: Progress = silent, jobs: int = 2, known: int = 0
) -> list[CopyPair]:
    """Pairs of pictures that show the same thing, enough of them to connect every group of copies.

    A pair that earlier pairs connect already is not compared again.

    Args:
        fingerprints: One a picture.
        progress: Told how far each stage is.
        jobs: Threads.
        known: So many of the first pictures are what all others are compared with; 0 compares all with all.
    """
    candidates = find_candidates(fingerprints, progress, known)
    needed = inliers_needed(len(fingerprints), known)
    groups = _Groups(len(fingerprints))
    found = []
    with ThreadPoolExecutor(jobs) as pool:
        for start in range(0, len(candidates), _BATCH):
            batch = [(int(i), int(j)) for i, j in candidates[start : start + _BATCH]]
            batch = [(i, j) for i, j in batch if not groups.joined(i, j)]
            matches = pool.map(lambda pair: match_fingerprints(*(fingerprints[p] for p in pair)), batch)
            for (i, j), match in zip(batch, matches, strict=True):
                if match.inliers >= needed and match.spread >= MIN_SPREAD:
                    groups.join(i, j)
                    found.append(CopyPair(i, j, match))
            progress("comparing", min(start + _BATCH, len(candidates)), len(candidates))
    return found


def compare_pictures(
    digests: Sequence[str],
    fingerprints: Sequence[Fingerprint],
    store: FingerprintStore,
    progress: Progress = silent,
    jobs: int = 2,
) -> list[CopyPair]:
    """`find_copies`, in the order of the digests; from the store where these pictures were compared before.

    Args:
        digests: Digest of each picture's file.
        fingerprints: One a picture.
        store: What is known from before; takes what is found.
        progress: Told how far each stage is.
        jobs: Threads.
    """
    order = sorted(range(len(digests)), key=lambda position: digests[position])
    ordered = [digests[position] for position in order]
    rows = store.find_pairs(ordered)
    if rows is None:
        with FingerprintFile(fingerprints[position] for position in order) as file:
            found = find_copies(file, progress, jobs)
        rows = [[pair.first, pair.second, *astuple(pair.match)] for pair in found]
        store.keep_pairs(ordered, rows)
    pairs = []
    for first, second, *match in rows:
        low, high = sorted((order[first], order[second]))
        pairs.append(CopyPair(low, high, Match(*match)))
    return pairs


def find_copies_of_files(images: Sequence[Path], progress: Progress = silent) -> list[tuple[int, int]]:
    """Positions of image files that show the same picture.

    Raises:
        ImageError: if an image cannot be read.
    """
    with FingerprintStore() as store, FingerprintFile() as file, ThreadPoolExecutor(2) as pool:
        digests = []
        for digest, fingerprint in pool.map(lambda path: look_at_file(path, store), images):
            digests.append(digest)
            file.add(fingerprint)
            progress("look", len(digests), len(images))
        pairs = compare_pictures(digests, file, store, progress)
    return [(pair.first, pair.second) for pair in pairs]


def look_at_file(
    path: Path, store: FingerprintStore, known: Mapping[str, Fingerprint] = _NONE
) -> tuple[str, Fingerprint]:
    """Digest and fingerprint of an image file; a file whose digest is known is not decoded.

    Args:
        path: The file.
        store: What is known from before; takes what is new.
        known: Further fingerprints by their digests.

    Raises:
        ImageError: if the image cannot be read.
        OSError: if the file cannot be.
    """
    digest = digest_of(path)
    fingerprint = known.get(digest) or store.find(digest)
    if fingerprint is None:
        fingerprint = take_fingerprint(grey_of(read_image(path, None)))
        store.keep(digest, fingerprint)
    return digest, fingerprint


class _Groups:
    """Disjoint sets of positions."""

    def __init__(self, count: int):
        self.parent = list(range(count))

    def root(self, position: int) -> int:
        while self.parent[position] != position:
            self.parent[position] = self.parent[self.parent[position]]
            position = self.parent[position]
        return position

    def joined(self, first: int, second: int) -> bool:
        return self.root(first) == self.root(second)

    def join(self, first: int, second: int) -> None:
        self.parent[self.root(first)] = self.root(second)
