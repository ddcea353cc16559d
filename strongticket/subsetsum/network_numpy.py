r"""The oblivious merging network in plain NumPy: the same keys, the same order, the same masks.

It takes over where numba cannot be imported, and it is the readable statement of what
`network_numba` compiles. One column of every array below is one row of the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[Any]  # int32 or int64
Integers = NDArray[np.int64]
_CELLS = 1 << 17


def solve(
    candidates: Integers,
    step: int,
    targets: Integers,
    tags: Integers,
    rows: Integers,
    p: int,
    zero: Keys,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of the chosen mask of every row, -1 where the search broke.

    Arguments as `network_numba.solve` has them.
    """
    lanes = max(_CELLS >> (p + 1), 32)
    for start in range(0, rows.size, lanes):
        part = rows[start : start + lanes]
        items = (4 * candidates[part * step]).T.astype(zero.dtype)
        aim = (4 * targets[part] + tags[part]).astype(zero.dtype)
        numbers[part] = _solve_lanes(items, aim, p)


def _solve_lanes(items: Keys, aim: Keys, p: int) -> Integers:
    """The chosen mask numbers of items (n, lanes) with aim = 4T + tag (lanes,)."""
    lanes = items.shape[1]
    left, right = _sorted_sums(items[:p]), _sorted_sums(items[p : 2 * p])
    outer_sums = _all_sums(items[2 * p :])
    most = np.iinfo(items.dtype).max
    best = np.full(lanes, most, items.dtype)
    lower = np.zeros_like(best)
    outer = np.zeros(lanes, np.int64)
    columns = np.arange(lanes)
    for o, taken in enumerate(outer_sums):
        top = aim - taken
        merged = _cleaned(_joined(left, top - right))
        gap = np.diff(merged, axis=0)
        gap[(gap & 1) == 0] = most  # two keys of one list are no pair
        place = gap.argmin(axis=0)  # the first of equal gaps: the least left sum
        found = gap[place, columns]
        better = found < best
        best[better] = found[better]
        lower[better] = merged[place, columns][better]
        outer[better] = o
    upper = lower + best
    odd = (lower & 1) != 0
    left_sum, top_less_right = np.where(odd, upper, lower), np.where(odd, lower, upper)
    right_sum = aim - outer_sums[outer, columns] - top_less_right
    a, b = _first_mask(items[:p], left_sum), _first_mask(items[p : 2 * p], right_sum)
    return np.where((a < 0) | (b < 0), -1, (outer << (2 * p)) | (b << p) | a)


def _all_sums(items: Keys) -> Keys:
    """The subset sums of items (k, lanes) in mask order, (2^k, lanes)."""
    sums = np.zeros((1, items.shape[1]), items.dtype)
    for item in items:
        sums = np.concatenate([sums, sums + item])
    return sums


def _sorted_sums(items: Keys) -> Keys:
    """The same sums, sorted in every lane by merging S with S + item."""
    sums = np.zeros((1, items.shape[1]), items.dtype)
    for item in items:
        sums = _cleaned(_joined(sums, (sums + item)[::-1]))
    return sums


def _joined(rising: Keys, falling: Keys) -> Keys:
    """The first compare-exchange of a bitonic merge: two bitonic halves, the lower one first."""
    return np.concatenate([np.minimum(rising, falling), np.maximum(rising, falling)])


def _cleaned(x: Keys) -> Keys:
    """Both halves of x, bitonic each, sorted in place by half-cleaners."""
    stride = len(x) // 4
    while stride:
        y = x.reshape(-1, 2, stride, x.shape[1])
        low = np.minimum(y[:, 0], y[:, 1])
        np.maximum(y[:, 0], y[:, 1], out=y[:, 1])
        y[:, 0] = low
        stride //= 2
    return x


def _first_mask(items: Keys, wanted: Keys) -> Integers:
    """The least mask of items whose sum is wanted[lane], -1 where there is none."""
    equal = _all_sums(items) == wanted
    return np.where(equal.any(axis=0), equal.argmax(axis=0), -1)
