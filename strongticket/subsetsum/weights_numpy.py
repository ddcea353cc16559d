"""The lightest subset within an interval in plain NumPy: the same masks as `weights_numba`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_NONE = (1 << 63) - 1


def bytes_of(n: int) -> int:
    """The working memory of one call at n candidates: some twenty int64 for each of a half."""
    return 160 << (n + 1) // 2


def least_weight(
    candidates: Integers,
    step: int,
    low: Integers,
    high: Integers,
    rows: Integers,
    numbers: Integers,
) -> None:
    """numbers[rows] = the mask of the least sum of magnitudes with low <= sum <= high, -1 for none.

    Arguments as `weights_numba.least_weight` has them.
    """
    for row in rows:
        least, most = int(low[row]), int(high[row])
        if least > most:
            numbers[row] = -1
        elif least <= 0 <= most:
            numbers[row] = 0
        else:
            numbers[row] = _least_weight(candidates[row * step], least, most)


def _least_weight(a: Integers, low: int, high: int) -> int:
    """Every left subset with the best of the right ones that bring it within [low, high]."""
    p = len(a) // 2
    sums, weights, masks = _subsets(a[:p], 0)
    right_sums, right_weights, right_masks = _subsets(a[p:], p)
    rank = np.empty(len(right_sums), np.int64)
    order = np.lexsort((right_masks, right_weights))
    rank[order] = np.arange(len(order))
    first = np.searchsorted(right_sums, low - sums, "left")
    last = np.searchsorted(right_sums, high - sums, "right")
    some = first < last
    if not some.any():
        return -1
    partner = order[_least_between(rank, first[some], last[some])]
    both = masks[some] | right_masks[partner]
    total = weights[some] + right_weights[partner]
    return int(both[total == total.min()].min())


def _subsets(a: Integers, first: int) -> tuple[Integers, Integers, Integers]:
    """Sums, weights and mask numbers (from bit `first` on) of all subsets, rising by sum."""
    sums = weights = masks = np.zeros(1, np.int64)
    for j, item in enumerate(a):
        sums = np.concatenate([sums, sums + item])
        weights = np.concatenate([weights, weights + abs(item)])
        masks = np.concatenate([masks, masks | (1 << (first + j))])
    order = np.argsort(sums, kind="stable")
    return sums[order], weights[order], masks[order]


def _least_between(values: Integers, first: Integers, last: Integers) -> Integers:
    """The least of values[first:last] for every pair, first < last.

    Every run is covered by two runs of one power of two; their minima double level by level.
    """
    level = np.frexp((last - first).astype(np.float64))[1] - 1
    least = np.empty(len(first), np.int64)
    for k in range(int(level.max()) + 1):
        here = np.flatnonzero(level == k)
        least[here] = np.minimum(values[first[here]], values[last[here] - (1 << k)])
        values = np.minimum(values[: -(1 << k)], values[1 << k :])
    return least
