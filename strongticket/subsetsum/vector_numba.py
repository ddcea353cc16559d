"""The nearest vector sum, compiled: meet in the middle, one window, two coordinates in strips.

The sums of the first half and of the second half of the candidates stand in lexicographic order,
each distinct vector once, with its least mask number. Every left sum needs the right sums near
what it leaves of the target. Those whose first coordinate is near stand in one run; the second and
third coordinate put them into strips beforehand, so that two strips of each are looked into.

`vector_numpy` does the same in arrays: the same windows in the same order, so that the two agree
even where the work that they may spend ends the search.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

Array = Any
CHUNK = 64  # left sums between two looks at the work spent and at the window
VISIT = 16  # what a left sum costs, in pairs
OCCUPANCY = 3  # right sums in a strip, at least 2^3 in the mean
_BLOCK = 32


@jit
def _doubled(old: Array, of: Array, m: int, item: Array, bit: int, new: Array, to: Array) -> int:
    """Merge the m columns of `old` with those plus `item` into `new`; how many are distinct.

    `of` and `to` are their mask numbers. Of two equal columns the one without `item` stays.
    """
    d = item.size
    i, j, k = 0, 0, 0
    while i < m or j < m:
        order: Any = np.int64(0)
        if j == m:
            order = -1
        elif i == m:
            order = 1
        else:
            for c in range(d):
                order = old[c, i] - old[c, j] - item[c]
                if order != 0:
                    break
        if order <= 0:
            for c in range(d):
                new[c, k] = old[c, i]
            to[k] = of[i]
            i += 1
            j += 1 if order == 0 else 0
        else:
            for c in range(d):
                new[c, k] = old[c, j] + item[c]
            to[k] = of[j] | bit
            j += 1
        k += 1
    return k


@jit
def _sums(units: Array, start: int, stop: int, sums: Array, numbers: Array) -> tuple[int, int]:
    """All distinct sums of the candidates start .. stop - 1: how many, and which buffer."""
    sums[0, :, 0] = 0
    numbers[0, 0] = 0
    size, side = 1, 0
    item = np.empty(units.shape[0], np.int64)
    for j in range(start, stop):
        item[:] = units[:, j]
        bit = 1 << (j - start)
        size = _doubled(
            sums[side], numbers[side], size, item, bit, sums[1 - side], numbers[1 - side]
        )
        side = 1 - side
    return size, side


@jit
def _strips(sums: Array, size: int, window: int, grid: Array) -> int:
    """Fill grid[c] = (least, shift, count) for each coordinate in strips; how many cells."""
    split = min(sums.shape[0], 3) - 1
    grid[:, 2] = 1
    bits = 0
    while split and (size >> OCCUPANCY) >> (split * (bits + 1)):
        bits += 1
    cells = 1
    for c in range(split):
        least, most = sums[c + 1, 0], sums[c + 1, 0]
        for k in range(size):
            least = min(least, sums[c + 1, k])
            most = max(most, sums[c + 1, k])
        shift = 0
        while (most - least) >> shift >> bits or (2 * window) >> shift:
            shift += 1
        grid[c, 0] = least
        grid[c, 1] = shift
        grid[c, 2] = ((most - least) >> shift) + 1
        cells *= grid[c, 2]
    return cells


@jit
def _place(
    sums: Array, of: Array, size: int, grid: Array, starts: Array, placed: Array, to: Array
) -> None:
    """Put the sums into their cells, in their order; cell b is starts[b] .. starts[b + 1] - 1."""
    split, d = min(sums.shape[0], 3) - 1, sums.shape[0]
    starts[:] = 0
    for turn in range(2):
        for k in range(size):
            cell: Any = np.int64(0)
            for c in range(split):
                cell = cell * grid[c, 2] + ((sums[c + 1, k] - grid[c, 0]) >> grid[c, 1])
            if turn == 0:
                starts[cell + 2] += 1
                continue
            at = starts[cell + 1]
            starts[cell + 1] += 1
            for c in range(d):
                placed[c, at] = sums[c, k]
            to[at] = of[k]
        if turn == 0:
            for cell in range(2, starts.size):
                starts[cell] += starts[cell - 1]


@jit
def _range(values: Array, start: int, stop: int, low: int, high: int) -> tuple[int, int]:
    """The places start .. stop of sorted values that lie in [low, high]."""
    left, right = start, stop
    while left < right:
        middle = (left + right) // 2
        if values[middle] < low:
            left = middle + 1
        else:
            right = middle
    first, right = left, stop
    while left < right:
        middle = (left + right) // 2
        if values[middle] <= high:
            left = middle + 1
        else:
            right = middle
    return first, left


@jit
def _distance(goal: Array, rest: Array, placed: Array, at: int) -> tuple[int, int]:
    """The greatest distance over the coordinates as (integer, rank of its fraction)."""
    far: Any = np.int64(-1)
    rank: Any = np.int64(0)
    for c in range(rest.size):
        difference = rest[c] - placed[c, at]
        plus = difference >= goal[1, c]
        whole = difference if plus else -difference - goal[2, c]
        part = goal[3, c] if plus else goal[4, c]
        if whole > far or (whole == far and part > rank):
            far, rank = whole, part
    return far, rank


@jit
def _look(
    goal: Array,
    rest: Array,
    placed: Array,
    to: Array,
    first: int,
    last: int,
    window: int,
    part: int,
    best: Array,
) -> None:
    """Take the nearest of the pairs of one left sum with placed[:, first:last] into best."""
    x, y = rest[rest.size - 1], rest[max(rest.size - 2, 0)]
    these, those = placed[rest.size - 1], placed[max(rest.size - 2, 0)]
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        hits = 0
        for at in range(start, stop):  # without an exit, so that it is vector code
            hits += (abs(x - these[at]) <= window) & (abs(y - those[at]) <= window)
        if hits == 0:
            continue
        for at in range(start, stop):
            if abs(x - these[at]) > window or abs(y - those[at]) > window:
                continue
            far, rank = _distance(goal, rest, placed, at)
            number = to[at] | part
            if far < best[0] or (
                far == best[0] and (rank < best[1] or (rank == best[1] and number < best[2]))
            ):
                best[0], best[1], best[2] = far, rank, number


@jit
def _sweep(
    goal: Array,
    lefts: Array,
    of: Array,
    size: int,
    placed: Array,
    to: Array,
    starts: Array,
    grid: Array,
    taken: Array,
    number: int,
    radius: int,
    most: int,
    rest: Array,
    best: Array,
) -> bool:
    """Take the nearest subset of one outer choice into best; False where the work ran out.

    Every subset is seen whose distance has an integer part of at most min(radius, best[0]).
    best[3] counts the work.
    """
    split = min(rest.size, 3) - 1
    ends = np.zeros((2, 2), np.int64)
    window = radius + 1
    for k in range(size):
        if k % CHUNK == 0:
            if best[3] > most:
                return False
            window = min(radius, best[0]) + 1
        best[3] += VISIT
        for c in range(rest.size):
            rest[c] = goal[0, c] - taken[c] - lefts[c, k]
        for c in range(split):
            middle = rest[c + 1] - grid[c, 0]
            ends[c, 0] = max((middle - window) >> grid[c, 1], 0)
            ends[c, 1] = min((middle + window) >> grid[c, 1], grid[c, 2] - 1)
        for a in range(ends[0, 0], ends[0, 1] + 1):
            for b in range(ends[1, 0], ends[1, 1] + 1):
                cell = a * grid[1, 2] + b
                first, last = _range(
                    placed[0], starts[cell], starts[cell + 1], rest[0] - window, rest[0] + window
                )
                if last > first:
                    best[3] += last - first
                    part = number | of[k]
                    _look(goal, rest, placed, to, first, last, window, part, best)
    return True


@jit
def _outer(units: Array, start: int, number: int, taken: Array) -> None:
    """Fill taken with the sum of the candidates from `start` on that `number` has."""
    taken[:] = 0
    for j in range(start, units.shape[1]):
        if (number >> j) & 1:
            for c in range(taken.size):
                taken[c] += units[c, j]


@jit
def search(
    units: Array,
    step: int,
    goals: Array,
    radii: Array,
    low: Array,
    high: Array,
    early: bool,
    rows: Array,
    halves: Array,
    most: int,
    numbers: Array,
    proved: Array,
) -> None:
    """numbers[rows] = the mask of the nearest sum, proved[rows] = whether that is known.

    units is int64 (m, d, n), or (1, d, n) with step 0. goals, int64 (m, 5, d), has the integer
    next to each target coordinate; the least difference from it that counts as above (0 or 1);
    whether its fraction is 1/2; the ranks of the fraction as it counts above and below. radii,
    int64 (m,), says where to begin: every radius gives the same answer. low and high, int64
    (m, d), are the sums that are near enough; with `early` a row too long for one pass stops
    between its passes where it has one. halves says how many candidates the left and the right
    lists have; most, what a row may spend: 1 for every pair, VISIT for every left sum.
    """
    d, n = units.shape[1], units.shape[2]
    p, q = halves[0], halves[1]
    lefts, rights = np.empty((2, d, 1 << p), np.int64), np.empty((2, d, 1 << q), np.int64)
    left_of, right_of = np.empty((2, 1 << p), np.int64), np.empty((2, 1 << q), np.int64)
    placed, to = np.empty((d, 1 << q), np.int64), np.empty(1 << q, np.int64)
    starts = np.zeros((1 << q) // (1 << OCCUPANCY) + 3, np.int64)
    grid, best = np.zeros((2, 3), np.int64), np.zeros(4, np.int64)
    taken, rest, none = np.zeros(d, np.int64), np.zeros(d, np.int64), np.zeros((d, 1), np.int64)
    size, side, right, other = 0, 0, 0, 0
    for place in range(rows.size):
        row = rows[place]
        own, goal = units[row * step], goals[row]
        if step or place == 0:
            size, side = _sums(own, 0, p, lefts, left_of)
            right, other = _sums(own, p, p + q, rights, right_of)
            right_of[other] <<= p
        best[0], best[1] = _distance(goal, goal[0], none, 0)
        best[2:] = 0
        radius, whole, proved[row] = radii[row], True, False
        while whole and not proved[row]:
            radius = min(radius, best[0])
            cells = _strips(rights[other], right, radius + 1, grid)
            own_starts = starts[: cells + 2]
            _place(rights[other], right_of[other], right, grid, own_starts, placed, to)
            for o in range(1 << (n - p - q)):
                number = o << (p + q)
                _outer(own, p + q, number, taken)
                whole = _sweep(
                    goal,
                    lefts[side],
                    left_of[side],
                    size,
                    placed,
                    to,
                    own_starts,
                    grid,
                    taken,
                    number,
                    radius,
                    most,
                    rest,
                    best,
                )
                if whole and early and n > p + q:
                    _outer(own, 0, best[2], taken)
                    whole = bool(((taken < low[row]) | (taken > high[row])).any())
                if not whole:
                    break
            proved[row] = whole and best[0] <= radius
            radius = 4 * radius + 3 if radius < 1 << 58 else best[0]
        numbers[row] = best[2]
