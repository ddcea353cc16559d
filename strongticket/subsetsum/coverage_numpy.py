"""The widest gap between the subset sums of a row in plain NumPy, as `coverage_numba` finds it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
NONE = 1 << 62
_BLOCK = 1 << 20


def gaps(
    candidates: Integers,
    step: int,
    reach: Integers,
    rows: Integers,
    width: Integers,
    lower: Integers,
    ends: Integers,
) -> None:
    """Fill width, lower and ends as `coverage_numba.gaps` does."""
    sums = np.zeros(0, np.int64)
    for place, row in enumerate(rows):
        items = candidates[row * step]
        if step or place == 0:
            sums = _sums(np.abs(items[:-1]))
        m, item = sums.size, int(abs(items[-1]))
        lowest, total = int(np.minimum(items, 0).sum()), int(np.abs(items).sum())
        below, under, least = _around(sums, item, -int(reach[row]) - lowest)
        upto, most, over = _around(sums, item, int(reach[row]) - lowest + 1)
        ends[row] = [
            -NONE if under is None else under + lowest,
            NONE if least is None else least + lowest,
            -NONE if most is None else most + lowest,
            NONE if over is None else over + lowest,
        ]
        mirrored = 2 * m - upto < below
        start, stop = (2 * m - upto, 2 * m - 1 - below) if mirrored else (below, upto - 1)
        step_width, at = _widest(sums, item, start, min(stop, m))
        width[row] = step_width
        lower[row] = lowest + (total - at - step_width if mirrored else at)


def _sums(magnitudes: Integers) -> Integers:
    """All sums of the magnitudes, sorted, in one buffer."""
    sums = np.zeros(1 << magnitudes.size, np.int64)
    size = 1
    for item in magnitudes:
        np.add(sums[:size], item, out=sums[size : 2 * size])
        size *= 2
        sums[:size].sort(kind="stable")  # two runs that it merges
    return sums


def _around(sums: Integers, item: int, value: int) -> tuple[int, int | None, int | None]:
    """How many sums lie below `value`, the greatest of them and the least of the others."""
    i, j = int(np.searchsorted(sums, value)), int(np.searchsorted(sums, value - item))
    under = [int(sums[i - 1])] * (i > 0) + [int(sums[j - 1]) + item] * (j > 0)
    over = [int(at) for at in sums[i : i + 1]] + [int(at) + item for at in sums[j : j + 1]]
    return i + j, max(under, default=None), min(over, default=None)


def _widest(sums: Integers, item: int, start: int, stop: int) -> tuple[int, int]:
    """The first widest step of the merge of sums and sums + item, between places of it."""
    best, at, before = -1, 0, np.zeros(0, np.int64)
    cuts = [*range(start, stop + 1, _BLOCK), stop + 1]
    for first, last in pairwise(cuts):
        i, k = _taken(sums, item, first), _taken(sums, item, last)
        merged = np.concatenate([before, sums[i:k], sums[first - i : last - k] + item])
        merged.sort()
        if merged.size > 1:
            steps = np.diff(merged)
            widest = int(steps.argmax())
            if steps[widest] > best:
                best, at = int(steps[widest]), int(merged[widest])
        elif best < 0:
            best, at = 0, int(merged[0])
        before = merged[-1:]
    return best, at


def _taken(sums: Integers, item: int, k: int) -> int:
    """How many of the first k of the merge have no item."""
    low, high = max(0, k - sums.size), min(k, sums.size)
    while low < high:
        middle = (low + high) // 2
        if sums[middle] <= sums[k - 1 - middle] + item:
            low = middle + 1
        else:
            high = middle
    return low
