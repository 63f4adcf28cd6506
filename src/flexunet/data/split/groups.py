"""Deal groups to splits: groups stay whole, the shares come close, and the strata are spread evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexunet.errors import DatasetError, counted

_ROUNDS = 1000


def deal_groups(
    sizes: np.ndarray, strata: Sequence[str], shares: Sequence[float], seed: int, names: Sequence[str] = ()
) -> np.ndarray:
    """Assign each group to one split.

    Large groups are dealt first, each to where it raises the misfit least; then single groups are moved as
    long as that lowers it. The misfit is the sum over splits, and over splits and strata, of squared (images
    assigned - images wanted) / images wanted. The seed decides among equals.

    Args:
        sizes: Images in each group, `(G,)`.
        strata: Stratum of each group.
        shares: Share of the images that each split should have, in total 1.
        seed: Decides among groups that are alike.
        names: Names of the splits, for messages.

    Returns:
        Position of the split of each group, `(G,)`.

    Raises:
        DatasetError: if there are fewer groups than splits.
    """
    sizes, share = np.asarray(sizes, float), np.asarray(shares, float)
    if len(sizes) < len(share):
        raise DatasetError(
            f"{counted(len(sizes), 'group')} cannot fill {len(share)} splits ({', '.join(names)}): a group "
            "(all images of one source or patient) is never separated. Add images, ask for fewer splits, or "
            "group by less."
        )
    _, stratum = np.unique(np.asarray(strata, dtype=object).astype(str), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    table = _Table(sizes, stratum, share)
    for group in order:
        table.put(group, int(np.argmin(table.cost_of_adding(group))))
    _fill_empty(table, order)
    _improve(table, order)
    return table.split


class _Table:
    """Images assigned so far, in all (row 0) and by stratum, against the images wanted."""

    def __init__(self, sizes: np.ndarray, stratum: np.ndarray, share: np.ndarray):
        self.sizes, self.stratum = sizes, stratum
        totals = np.r_[sizes.sum(), np.bincount(stratum, sizes)]
        self.wanted = totals[:, None] * share[None]
        self.have = np.zeros_like(self.wanted)
        self.groups = np.zeros(len(share), int)
        self.split = np.full(len(sizes), -1)
        # In all counts as much as the strata together.
        strata_count = len(totals) - 1
        self.weight = np.r_[1.0, np.full(strata_count, 1.0 / max(1, strata_count))][:, None]

    def put(self, group: int, split: int) -> None:
        old = self.split[group]
        rows = [0, 1 + self.stratum[group]]
        if old >= 0:
            self.have[rows, old] -= self.sizes[group]
            self.groups[old] -= 1
        self.have[rows, split] += self.sizes[group]
        self.groups[split] += 1
        self.split[group] = split

    def change(self, row: np.ndarray | int, split: np.ndarray | int, by: np.ndarray | float) -> np.ndarray:
        """Change of the misfit if the images of (row, split) grew by `by`."""
        gap = self.have[row, split] - self.wanted[row, split]
        return self.weight[row, 0] * by * (2 * gap + by) / np.maximum(self.wanted[row, split], 1e-9)

    def cost_of_adding(self, group: int) -> np.ndarray:
        splits = np.arange(len(self.groups))
        size = self.sizes[group]
        return self.change(0, splits, size) + self.change(1 + self.stratum[group], splits, size)

    def gain_of_moving(self) -> np.ndarray:
        """Change of the misfit for moving each group to each split, `(G, S)`; 0 where it is already."""
        groups, splits = np.arange(len(self.sizes)), np.arange(len(self.groups))
        size = self.sizes[:, None]
        row = (1 + self.stratum)[:, None]
        leave = self.change(0, self.split, -self.sizes) + self.change(
            1 + self.stratum, self.split, -self.sizes
        )
        enter = self.change(0, splits[None], size) + self.change(row, splits[None], size)
        total = leave[:, None] + enter
        total[groups, self.split] = 0
        total[self.groups[self.split] == 1] = np.inf  # the last group of a split stays
        return total


def _fill_empty(table: _Table, order: np.ndarray) -> None:
    for split in np.flatnonzero(table.groups == 0):
        richest = [group for group in order if table.groups[table.split[group]] > 1]
        # The smallest group of a split that has several, from where it is missed least.
        best = min(richest, key=lambda group: (table.sizes[group], -table.have[0, table.split[group]]))
        table.put(best, int(split))


def _improve(table: _Table, order: np.ndarray) -> None:
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    for _ in range(_ROUNDS):
        gains = table.gain_of_moving()
        best = gains.min()
        if best >= -1e-9:
            return
        groups, splits = np.nonzero(gains <= best + 1e-9)
        choice = np.argmin(rank[groups])
        table.put(int(groups[choice]), int(splits[choice]))
