r"""Four lists of sums and a window for their middle, compiled: some subset within an interval.

For tolerances so small, and candidates so many, that most of the subsets that hit can be passed
over (Wagner's generalised birthday problem, 2002, with the four lists of Schroeppel and Shamir,
1981). The first 4p candidates fall into blocks A, B, C and D of p. A window of sums of A and B
leaves about :math:`2^p` of them, and as many sums of C and D that can complete one; a table finds
a pair that hits in time :math:`O(2^p)`, where the nearest subset costs :math:`2^{2p}`.

`find` says in which order windows and pairs are looked at. `fourlists_numpy` gives the same
masks, and `fourlists` says where all this pays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit
from strongticket.subsetsum.fourlists import SLOTS
from strongticket.subsetsum.stream_numba import first_mask, sorted_sums, start

_FAR = 1 << 61  # beyond every window
_EMPTY = -(1 << 62)
_TILE = 12
_BLOCK = 256
Array = Any
_U: Any = np.uint64  # an index that numba need not test for being negative


def bytes_of(use: int) -> int:
    """The working memory of one call: four lists, two rows of excesses and the table, in int64."""
    p = use // 4
    return 8 * (6 * ((1 << p) + 1) + (1 << (p + SLOTS)) + 1) + (8 << min(p, _TILE))


@jit
def _meet(left: Array, right: Array, base: int, over: Array, i: Any, g: Any) -> Any:
    """One step of a walk along base: where the sum reaches it, over has its excess."""
    j = i + g
    d = left[i] + right[j] - base
    short = _U(d >> 63)
    over[j & ~short] = d  # what falls short goes to the place that is no sum's
    return i - short


@jit
def _above(left: Array, right: Array, base: int, over: Array) -> None:
    """over[j] = the least excess of left[i] + right[j] over base, _FAR or more where there is none.

    `left` ends, and `right` and `over` begin, with a place that is not a list's.
    """
    m = left.size - 1
    left[m] = base - right[1] + _FAR
    right[0] = base - left[m - 1] - _FAR
    run = m >> 1
    i0, g0 = start(left, right, base, 0)
    i1, g1 = start(left, right, base, run)
    i2, g2 = start(left, right, base, 2 * run)
    i3, g3 = start(left, right, base, 3 * run)
    for step in range(run):
        t = _U(step)
        i0 = _meet(left, right, base, over, i0, g0 - t)
        i1 = _meet(left, right, base, over, i1, g1 - t)
        i2 = _meet(left, right, base, over, i2, g2 - t)
        i3 = _meet(left, right, base, over, i3, g3 - t)


@jit
def _put(over: Array, p: int, shift: int, table: Array) -> None:
    """table[excess >> shift] = the excess and its place; the last place of a slot stays."""
    table[:] = _EMPTY
    spare = _U(table.size - 1)  # for all that lies beyond the window
    for j in range(over.size):
        table[min(_U(over[j]) >> _U(shift), spare)] = (over[j] << p) | j
    table[spare] = _EMPTY


@jit
def _seek(over: Array, p: int, shift: int, slack: int, table: Array) -> int:
    """The first place whose excess is that of its slot, or up to slack more; else -1."""
    spare = _U(table.size - 1)
    most = _U(slack)
    for begin in range(0, over.size, _BLOCK):
        block = over[begin : begin + _BLOCK]
        hits = 0
        for k in range(block.size):  # without an exit, so that it is vector code
            found = table[min(_U(block[k]) >> _U(shift), spare)] >> p
            hits += 1 if _U(block[k] - found) <= most else 0
        if hits:
            for k in range(block.size):
                found = table[min(_U(block[k]) >> _U(shift), spare)] >> p
                if _U(block[k] - found) <= most:
                    return begin + k
    return -1


@jit
def _find(
    candidates: Array,
    step: int,
    low: Array,
    high: Array,
    rows: Array,
    p: int,
    windows: int,
    numbers: Array,
    lists: Array,
    over: Array,
    table: Array,
    tile: Array,
) -> None:
    """`find` in given memory."""
    one, two, three, four = lists[0], lists[1], lists[2], lists[3]
    ab, cd = over[0], over[1]
    filled = np.int64(-1)
    for row in rows:
        numbers[row] = -1
        if low[row] > high[row]:
            continue
        items = candidates[row * step]
        a, b, c, d = items[:p], items[p : 2 * p], items[2 * p : 3 * p], items[3 * p : 4 * p]
        if row * step != filled:
            sorted_sums(one, a, 1)
            sorted_sums(two[1:], b, 1)
            sorted_sums(three, c, -1)
            sorted_sums(four[1:], d, -1)
            filled = row * step
        reach = total = least = most = 0
        for j in range(4 * p):
            reach += abs(items[j])
            total += items[j] if j < 2 * p else -items[j]
            least += min(items[j], 0) if j < 2 * p else 0
            most += max(items[j], 0) if j < 2 * p else 0
        slack = high[row] - low[row]
        shift, share = 0, reach >> (2 * p + SLOTS + 2)
        while (share >> shift) != 0 or (slack >> shift) != 0:
            shift += 1
        shift = min(shift, 61 - SLOTS - 2 * p)
        slack = min(slack, (1 << shift) - 1)
        width = 1 << (shift + p + SLOTS)
        middle = (((low[row] + high[row]) >> 1) + (total >> 1)) >> 1
        edge = max(most - middle, middle - least) // width + 2  # beyond it no window has a sum
        for k in range(min(windows, 2 * edge)):
            away = (k + 1) // 2 if k % 2 == 1 else -(k // 2)
            base = middle - (width >> 1) + away * width
            if base > most or base + width <= least:
                continue
            _above(one, two, base, ab)
            _put(ab[1:], p, shift, table)
            _above(three, four, base - high[row], cd)
            place = _seek(cd[1:], p, shift, slack, table)
            if place >= 0:
                excess = cd[1 + place]
                found = table[excess >> shift]
                b_sum = two[1 + (found & ((1 << p) - 1))]
                a_sum = base + (found >> p) - b_sum
                d_sum = -four[1 + place]
                c_sum = high[row] - base - excess - d_sum
                number = first_mask(d, d_sum, tile)
                number = (number << p) | first_mask(c, c_sum, tile)
                number = (number << p) | first_mask(b, b_sum, tile)
                numbers[row] = (number << p) | first_mask(a, a_sum, tile)
                break


def find(
    candidates: Array,
    step: int,
    low: Array,
    high: Array,
    rows: Array,
    use: int,
    windows: int,
    numbers: Array,
) -> None:
    r"""numbers[rows] = the number of a mask with low <= sum <= high, -1 where none was met.

    The answer is a function of the row alone. Of its first `use` = 4p candidates A is the first
    p, then B, C and D. With :math:`R = \sum |a_j|` over them, u the sum of A and B less that of C
    and D, and :math:`\lambda` = high - low, the least h >= 0 with :math:`R < 2^{2p + 4 + h}` and
    :math:`\lambda < 2^h` (but at most 59 - 2p) makes slots of :math:`2^h` sums and windows of
    :math:`W = 2^{h + p + 2}`. The middle is M = floor((floor((low + high) / 2) + floor(u / 2)) /
    2), and the window k = 0, 1, ..., `windows` - 1 begins at w = M - W / 2 + o W with o = 0, 1,
    -1, 2, -2, ...; windows without a number between the least and the greatest sum of A and B are
    passed over. In a window

    * every sum of B, in ascending order, is joined with the least sum of A that reaches w; where
      they exceed w by x < W, they fill slot :math:`\lfloor x / 2^h \rfloor`, and put out what
      was there;
    * every sum of D, in descending order, is joined with the greatest sum of C that keeps them
      at or below high - w; the first that stays y < W below it, and finds an x in the slot of y
      with :math:`0 \le y - x \le \min(\lambda, 2^h - 1)`, is taken: all four sum to high - y + x.

    Of the masks of a block with the sum that was taken the least number stands.

    Args:
        candidates: int64 (m, n), or (1, n) with `step` 0, whose lists are then made once.
        step: 1, or 0 where all rows share the candidates.
        low: int64 (m,), between the row's least sum - 1 and its greatest + 1; so is `high`.
        high: int64 (m,); a row with low > high has no hit.
        rows: which rows to work on.
        use: a multiple of 4, from 4 to 60, at most n.
        windows: how many windows to try.
        numbers: int64 (m,), filled at `rows`.

    Memory: `bytes_of(use)`. Source: Schroeppel and Shamir 1981; Wagner 2002.
    """
    p = use // 4
    lists, over = np.empty((4, (1 << p) + 1), np.int64), np.empty((2, (1 << p) + 1), np.int64)
    table = np.empty((1 << (p + SLOTS)) + 1, np.int64)
    tile = np.empty(1 << min(p, _TILE), np.int64)
    _find(candidates, step, low, high, rows, p, windows, numbers, lists, over, table, tile)
