"""The widest gap between the subset sums of a row, compiled: merging in place, by symmetry.

The sums of the magnitudes of n candidates lie symmetrically about half their total. So a doubling
merges only the lower half, writes it mirrored into the free half of one buffer, and mirrors it
back; and of the last doubling, which is read off and never stored, one half is enough.
`coverage_numpy` finds the same gaps in arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

Array = Any
NONE = 1 << 62
_END = 1 << 61  # beyond every sum; with a candidate added it still is an int64


@jit
def _below(sums: Array, size: int, value: int) -> int:
    """How many of the first `size` sums, sorted, are less than `value`."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if sums[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _taken(sums: Array, item: int, k: int) -> int:
    """How many of the first k of the merge of sums and sums + item have no item, k <= the size."""
    low, high = 0, k
    while low < high:
        middle = (low + high) // 2
        if sums[middle] <= sums[k - 1 - middle] + item:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _double(sums: Array, m: int, item: int, total: int) -> None:
    """From m sorted sums to the 2m sorted sums with and without `item`, the greatest is `total`."""
    # Two merges in step keep two chains of loads in flight where one would wait for its own.
    half = m // 2
    i = _taken(sums, item, half)
    j = half - i
    a, b = 0, 0
    for at in range(half):
        x, y = sums[a], sums[b] + item
        u, v = sums[i], sums[j] + item
        sums[2 * m - 1 - at] = total - min(x, y)
        sums[2 * m - 1 - half - at] = total - min(u, v)
        first, second = int(x <= y), int(u <= v)
        a += first
        b += 1 - first
        i += second
        j += 1 - second
    if m == 1:
        sums[1] = total
    for at in range(m):
        sums[at] = total - sums[2 * m - 1 - at]


@jit
def _widest(sums: Array, m: int, item: int, start: int, stop: int) -> tuple[int, int]:
    """The first widest step of the merge of sums and sums + item, and the sum below it.

    Between its places start <= ... <= stop <= m; sums[m] stands for infinity.
    """
    i = _taken(sums, item, start)
    j = start - i
    before = min(sums[i], sums[j] + item)
    at = before
    width: Any = np.int64(0)
    for _ in range(start, stop):
        x, y = sums[i], sums[j] + item
        first = int(x <= y)
        value = min(x, y)
        i += first
        j += 1 - first
        if value - before > width:
            width, at = value - before, before
        before = value
    value = min(sums[i], sums[j] + item)
    if value - before > width:
        width, at = value - before, before
    return width, at


@jit
def _around(sums: Array, m: int, item: int, value: int) -> tuple[int, int, int]:
    """How many sums lie below `value`, the greatest of them and the least of the others."""
    i, j = _below(sums, m, value), _below(sums, m, value - item)
    over = min(sums[i], sums[j] + item)
    under: Any = np.int64(-NONE)
    if i > 0:
        under = sums[i - 1]
    if j > 0:
        under = max(under, sums[j - 1] + item)
    if over >= _END:
        over = np.int64(NONE)
    return i + j, under, over


@jit
def gaps(
    candidates: Array, step: int, reach: Array, rows: Array, width: Array, lower: Array, ends: Array
) -> None:
    """The widest step between consecutive sums in [-H, H], H = reach[row] >= 0, and the ends.

    Fills width[row] and lower[row], the step and the sum below it (0 and any sum where only one
    lies there), and ends[row] = (greatest sum < -H, least >= -H, greatest <= H, least > H), with
    -NONE and NONE where there is none. n >= 1.
    """
    n = candidates.shape[1]
    m = 1 << (n - 1)
    sums = np.empty(m + 1, np.int64)
    lowest, total = np.int64(0), np.int64(0)
    for place in range(rows.size):
        row = rows[place]
        items = candidates[row * step]
        if step or place == 0:
            lowest, total, size = np.int64(0), np.int64(0), 1
            sums[0] = 0
            for j in range(n):
                lowest += min(items[j], 0)
                total += abs(items[j])
                if j < n - 1:
                    _double(sums, size, abs(items[j]), total)
                    size *= 2
            sums[m] = _END
        item = abs(items[n - 1])
        below, under, least = _around(sums, m, item, -reach[row] - lowest)
        upto, most, over = _around(sums, m, item, reach[row] - lowest + 1)
        ends[row, 0] = under + lowest if under > -NONE else -NONE
        ends[row, 1] = least + lowest
        ends[row, 2] = most + lowest
        ends[row, 3] = over + lowest if over < NONE else NONE
        # Sum number k is the total less sum number 2m - 1 - k.
        mirrored = 2 * m - upto < below
        start, stop = (2 * m - upto, 2 * m - 1 - below) if mirrored else (below, upto - 1)
        step_width, at = _widest(sums, m, item, start, min(stop, m))
        width[row] = step_width
        lower[row] = lowest + (total - at - step_width if mirrored else at)
