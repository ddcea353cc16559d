"""The nearest vector sum in plain NumPy: the windows and the answers of `vector_numba`."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Best = tuple[int, int, int]
CHUNK, VISIT, OCCUPANCY = 64, 16, 3  # as in vector_numba
_PAIRS = 1 << 18


class _Right:
    """The right sums in their cells."""

    def __init__(self, sums: Integers, numbers: Integers, window: int) -> None:
        split, size = min(len(sums), 3) - 1, sums.shape[1]
        bits = 0
        while split and (size >> OCCUPANCY) >> (split * (bits + 1)):
            bits += 1
        self.least, self.shift, self.count = [], [], []
        cell = np.zeros(size, np.int64)
        for values in sums[1 : 1 + split]:
            span, shift = int(values.max()) - int(values.min()), 0
            while span >> shift >> bits or (2 * window) >> shift:
                shift += 1
            self.least.append(int(values.min()))
            self.shift.append(shift)
            self.count.append((span >> shift) + 1)
            cell = cell * self.count[-1] + ((values - self.least[-1]) >> shift)
        order = np.argsort(cell, kind="stable")
        self.sums, self.numbers = sums[:, order], numbers[order]
        self.first = sums[0]  # in order over all cells
        self.size = size
        self.places = cell[order] * size + order  # rising; a cell's places are its own

    def ranges(self, rest: Integers, window: int) -> tuple[Integers, Integers, Integers]:
        """(column of rest, first, last) of every run of right sums to compare, by column."""
        low = np.searchsorted(self.first, rest[0] - window)
        high = np.searchsorted(self.first, rest[0] + window, side="right")
        found = []
        for turn in product((0, 1), repeat=len(self.least)):
            cell, good = np.zeros(rest.shape[1], np.int64), np.ones(rest.shape[1], np.bool_)
            for c, more in enumerate(turn):
                middle = rest[c + 1] - self.least[c]
                strip = ((middle - window) >> self.shift[c]) + more
                good &= (strip >= 0) & (strip < self.count[c])
                good &= strip <= (middle + window) >> self.shift[c]
                cell = cell * self.count[c] + strip
            columns = np.flatnonzero(good)
            base = cell[columns] * self.size
            first = np.searchsorted(self.places, base + low[columns])
            last = np.searchsorted(self.places, base + high[columns])
            found.append((columns, first, last))
        columns, first, last = (np.concatenate(each) for each in zip(*found, strict=True))
        return columns, first, np.maximum(first, last)


def _sums(units: Integers) -> tuple[Integers, Integers]:
    """The distinct sums of (d, count) candidates in lexicographic order, and their least masks."""
    sums = np.zeros((len(units), 1), np.int64)
    numbers = np.zeros(1, np.int64)
    for j, item in enumerate(units.T):
        sums = np.concatenate([sums, sums + item[:, None]], axis=1)
        numbers = np.concatenate([numbers, numbers | (1 << j)])
        order = np.lexsort((numbers, *sums[::-1]))
        sums, numbers = sums[:, order], numbers[order]
        new = np.ones(numbers.size, np.bool_)
        new[1:] = (sums[:, 1:] != sums[:, :-1]).any(axis=0)
        sums, numbers = sums[:, new], numbers[new]
    return sums, numbers


def _nearest(goal: Integers, difference: Integers, numbers: Integers) -> Best:
    """The least (integer part, rank, number) of the columns of differences from the target."""
    plus = difference >= goal[1][:, None]
    whole = np.where(plus, difference, -difference - goal[2][:, None])
    part = np.where(plus, goal[3][:, None], goal[4][:, None])
    far = whole.max(axis=0)
    keep = np.flatnonzero(far == far.min())
    rank = np.where(whole[:, keep] == far[keep], part[:, keep], -1).max(axis=0)
    least = rank.min()
    return int(far[keep[0]]), int(least), int(numbers[keep[rank == least]].min())


def _look(
    goal: Integers, rest: Integers, parts: Integers, right: _Right, window: int, best: Best
) -> tuple[Best, int]:
    """The nearest of the pairs of these left sums, and how many pairs there are."""
    columns, first, last = right.ranges(rest, window)
    counts = last - first
    for start in _blocks(counts):
        count = counts[start]
        column = np.repeat(columns[start], count)
        at = np.repeat(last[start] - count.cumsum(), count) + np.arange(count.sum())
        difference = rest[:, column] - right.sums[:, at]
        near = np.flatnonzero((np.abs(difference[-2:]) <= window).all(axis=0))
        if near.size:
            numbers = right.numbers[at[near]] | parts[column[near]]
            best = min(best, _nearest(goal, difference[:, near], numbers))
    return best, int(counts.sum())


def _blocks(counts: Integers) -> list[slice]:
    """Runs of some _PAIRS pairs, or of one left sum."""
    total = counts.cumsum()
    cuts, edge = [0], 0
    while cuts[-1] < counts.size:
        edge = int(total[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(total, edge + _PAIRS, side="right"))))
    return [slice(a, b) for a, b in pairwise(cuts)]


def search(
    units: Integers,
    step: int,
    goals: Integers,
    radii: Integers,
    low: Integers,
    high: Integers,
    early: bool,
    rows: Integers,
    halves: Integers,
    most: int,
    numbers: Integers,
    proved: Booleans,
) -> None:
    """numbers[rows] = the mask of the nearest sum, proved[rows] = whether that is known.

    Arguments as `vector_numba.search` has them.
    """
    n = units.shape[2]
    p, q = (int(half) for half in halves)
    for place, row in enumerate(rows):
        own, goal = units[row * step], goals[row]
        if step or place == 0:
            left, left_of = _sums(own[:, :p])
            sums, of = _sums(own[:, p : p + q])
        best = _nearest(goal, goal[0][:, None], np.zeros(1, np.int64))
        radius, spent, whole, proved[row] = int(radii[row]), 0, True, False
        while whole and not proved[row]:
            radius = min(radius, best[0])
            right = _Right(sums, of << p, radius + 1)
            for o in range(1 << (n - p - q)):
                rest = goal[0][:, None] - _taken(own, o << (p + q))[:, None] - left
                parts = left_of | (o << (p + q))
                for start in range(0, left_of.size, CHUNK):
                    if spent > most:
                        whole = False
                        break
                    window = min(radius, best[0]) + 1
                    part = slice(start, start + CHUNK)
                    best, pairs = _look(goal, rest[:, part], parts[part], right, window, best)
                    spent += pairs + VISIT * parts[part].size
                if whole and early and n > p + q:
                    taken = _taken(own, best[2])
                    whole = bool(((taken < low[row]) | (taken > high[row])).any())
                if not whole:
                    break
            proved[row] = whole and best[0] <= radius
            radius = 4 * radius + 3 if radius < 1 << 58 else best[0]
        numbers[row] = best[2]


def _taken(units: Integers, number: int) -> Integers:
    """The sum of the candidates that the mask number has."""
    taken: Integers = units @ ((number >> np.arange(units.shape[1])) & 1)
    return taken
