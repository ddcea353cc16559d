"""Four lists of sums and a window for their middle, in plain NumPy.

The same windows, the same order and the same masks as `fourlists_numba`, whose docstrings say
what they are; where that walks along two lists, this looks up in one what the other lacks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strongticket.subsetsum.fourlists import SLOTS
from strongticket.subsetsum.stream_numpy import all_sums, first_mask

Integers = NDArray[np.int64]
_FAR = 1 << 61  # beyond every window


def bytes_of(use: int) -> int:
    """The working memory of one call: four lists, some arrays of their length, and the table."""
    p = use // 4
    return 8 * 16 * (1 << p) + 8 * (1 << (p + SLOTS)) + (1 << 14)


def find(
    candidates: Integers,
    step: int,
    low: Integers,
    high: Integers,
    rows: Integers,
    use: int,
    windows: int,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of a mask with low <= sum <= high, -1 where none was met.

    Arguments and order as `fourlists_numba.find` has them.
    """
    p = use // 4
    filled = -1
    blocks: list[Integers] = []
    lists: list[Integers] = []
    for row in rows.tolist():
        numbers[row] = -1
        if low[row] > high[row]:
            continue
        if row * step != filled:
            filled = row * step
            blocks = list(candidates[filled, : 4 * p].reshape(4, p))
            signs = (1, 1, -1, -1)
            lists = [np.sort(all_sums(s * b)) for s, b in zip(signs, blocks, strict=True)]
        sums = _met(blocks, lists, int(low[row]), int(high[row]), windows)
        number = 0
        for block, total in zip(reversed(blocks), reversed(sums), strict=False):
            number = (number << p) | first_mask(block, total)
        if sums:
            numbers[row] = number


def _met(
    blocks: list[Integers], lists: list[Integers], low: int, high: int, windows: int
) -> tuple[int, ...]:
    """What each block adds to the sum that is taken; nothing where no window has one."""
    p = blocks[0].size
    head, tail = np.concatenate(blocks[:2]), np.concatenate(blocks[2:])
    reach = int(np.abs(head).sum() + np.abs(tail).sum())
    total = int(head.sum()) - int(tail.sum())
    least, most = int(np.minimum(head, 0).sum()), int(np.maximum(head, 0).sum())
    slack = high - low
    shift = max((reach >> (2 * p + SLOTS + 2)).bit_length(), slack.bit_length())
    shift = min(shift, 61 - SLOTS - 2 * p)
    slack = min(slack, (1 << shift) - 1)
    width = 1 << (shift + p + SLOTS)
    middle = (((low + high) >> 1) + (total >> 1)) >> 1
    edge = max(most - middle, middle - least) // width + 2  # beyond it no window has a sum
    for k in range(min(windows, 2 * edge)):
        away = (k + 1) // 2 if k % 2 == 1 else -(k // 2)
        base = middle - width // 2 + away * width
        if base > most or base + width <= least:
            continue
        x = _above(lists[0], lists[1], base)
        y = _above(lists[2], lists[3], base - high)
        places, others = np.flatnonzero(x < width), np.flatnonzero(y < width)
        holder = np.full(1 << (p + SLOTS), -1)
        np.maximum.at(holder, x[places] >> shift, places)
        met = holder[y[others] >> shift]
        gap = y[others] - x[met]
        hits = np.flatnonzero((met >= 0) & (gap >= 0) & (gap <= slack))
        if hits.size:
            j, place = int(met[hits[0]]), int(others[hits[0]])
            b, d = int(lists[1][j]), -int(lists[3][place])
            return base + int(x[j]) - b, b, high - base - int(y[place]) - d, d
    return ()


def _above(left: Integers, right: Integers, base: int) -> Integers:
    """The least excess of a sum with each of `right` over base, _FAR where there is none."""
    place = np.searchsorted(left, base - right)
    over = left[np.minimum(place, left.size - 1)] + right - base
    over[place == left.size] = _FAR
    return over
