"""Plans carried out: each regime on the rows that the ones before it left open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from strongticket.subsetsum._backend import Backend
from strongticket.subsetsum._keys import Booleans, Integers, Keys
from strongticket.subsetsum._limits import MOST_STREAM
from strongticket.subsetsum.regimes import BySize, Enumerate, Network, Regime, Stream, UntilHit

_NUMBERED = 15
"""So many candidates are enumerated before `UntilHit` goes on one by one."""


class Search:
    """Rows on their way through a plan.

    Attributes:
        numbers: int64 (m,), the mask number that each row holds, -1 before it has one.
        proved: bool (m,), whether every subset was searched or none can be within the interval.
        rows: int64, the rows that are still open.
    """

    def __init__(self, code: Backend, keys: Keys, low: Integers, high: Integers) -> None:
        self.code, self.keys, self.low, self.high = code, keys, low, high
        self.n = keys.candidates.shape[1]
        self.numbers = np.full(len(keys.whole), -1, np.int64)
        self.proved: Booleans = low > high
        self.rows: Integers = np.arange(len(keys.whole))

    def run(self, stages: tuple[Regime, ...]) -> None:
        """Carry out the stages on the open rows, in order."""
        for stage in stages:
            if self.rows.size == 0:
                return
            if isinstance(stage, Enumerate):
                self.take(self._enumerated(stage.bits))
            elif isinstance(stage, BySize):
                most = min(self.n, stage.most)
                self.take(self.code.smallest(self.keys, self.low, self.high, self.rows, most))
            elif isinstance(stage, Network | Stream):
                self.offer(min(stage.prefix or self.n, self.n))
            elif isinstance(stage, UntilHit):
                self.take(self._enumerated(_NUMBERED))
                most = min(self.n, MOST_STREAM)
                for count in range(min(most, _NUMBERED + 1), most + 1):
                    self.offer(count)
            else:
                numbers = np.full(len(self.numbers), -1, np.int64)
                goal = (self.low, self.high, self.rows, stage.use, stage.windows)
                kernel = self.code.module("fourlists")
                kernel.find(self.keys.candidates, self.keys.step, *goal, numbers)
                self.take(numbers[self.rows])

    def close(self) -> None:
        """Rows that no stage settled hold the extreme sum if that is nearest, or what they met."""
        far, numbers = _extremes(self.keys, self.rows)
        self.numbers[self.rows[far]] = numbers[far]
        self.proved[self.rows[far]] = True
        self.numbers[self.rows] = np.maximum(self.numbers[self.rows], 0)
        self.rows = self.rows[:0]

    def take(self, got: Integers) -> None:
        """Close the open rows that have a hit: those whose number is not -1."""
        hits = got >= 0
        self.numbers[self.rows[hits]] = got[hits]
        self.rows = self.rows[~hits]

    def offer(self, count: int) -> None:
        """Solve the first `count` candidates of the open rows; keep what is nearer, close hits."""
        rows = self.rows
        if count == self.n:
            self.numbers[rows] = nearest(self.code, self.keys, rows)
            self.proved[rows] = True
            self.rows = rows[:0]
            return
        keys = _prefix(self.code, self.keys, rows, count)
        got = nearest(self.code, keys, np.arange(rows.size))
        sums = recomputed(self.code, keys, got)
        held = self.numbers[rows]
        worse = held >= 0
        if worse.any():
            mine = recomputed(self.code, some_rows(self.keys, rows), np.maximum(held, 0))
            worse &= distance(self.keys, rows, mine) <= distance(self.keys, rows, sums)
        self.numbers[rows] = np.where(worse, held, got)
        hits = (self.low[rows] <= sums) & (sums <= self.high[rows])
        self.rows = rows[~hits]

    def _enumerated(self, bits: int) -> Integers:
        return self.code.hits(self.keys, self.low, self.high, self.rows, min(self.n, bits))


def nearest(code: Backend, keys: Keys, rows: Integers) -> Integers:
    """The number of the nearest of all subsets for every one of `rows`."""
    far, numbers = _extremes(keys, rows)
    near = rows[~far]
    if near.size == 0:
        return numbers
    numbers[~far] = code.nearest(keys, near)
    return numbers


def recomputed(
    code: Backend, keys: Keys, numbers: Integers, mask: NDArray[np.bool_] | None = None
) -> Integers:
    """The sums of the numbers' masks by the candidates; `mask` (m, n) is filled where given.

    The empty mask stands before all others of sum 0.
    """
    if numbers.size and numbers.min() < 0:
        raise AssertionError("a subset-sum kernel gave no mask for a row: a bug of strongticket")
    if mask is None:
        mask = np.empty((len(numbers), keys.candidates.shape[1]), np.bool_)
    sums = np.empty(len(numbers), np.int64)
    code.subsets_of(numbers, keys.candidates, keys.step, mask, sums)
    return sums


def distance(keys: Keys, rows: Integers, sums: Integers) -> Integers:
    """What orders the rows' sums as their true distances do: |4 (T - s) + tag|."""
    aim, tag = keys.tagged
    order: Integers = np.abs(4 * (aim[rows] - sums) + tag[rows])
    return order


def _extremes(keys: Keys, rows: Integers) -> tuple[Booleans, Integers]:
    """Which targets lie at or beyond the row's extreme sums, and the numbers of those subsets."""
    whole, fraction = keys.whole[rows], keys.fraction[rows]
    lowest, highest = keys.lowest[rows], keys.highest[rows]
    above = (whole > highest) | ((whole == highest) & (fraction >= 0))
    below = (whole < lowest) | ((whole == lowest) & (fraction <= 0))
    far = above | below
    numbers = np.zeros(rows.size, np.int64)
    if far.any():
        units = keys.candidates[rows[far] * keys.step]
        kept = np.where(above[far][:, None], units > 0, units < 0)
        numbers[far] = kept @ (np.int64(1) << np.arange(units.shape[1]))
    return far, numbers


def some_rows(keys: Keys, rows: Integers) -> Keys:
    """The same candidates, for `recomputed` on some rows only."""
    if keys.step == 0:
        return keys
    return replace(keys, candidates=keys.candidates[rows])


def _prefix(code: Backend, keys: Keys, rows: Integers, count: int) -> Keys:
    """Some rows with their first `count` candidates."""
    some = keys.candidates if keys.step == 0 else keys.candidates[rows]
    units = np.ascontiguousarray(some[:, :count])
    lowest, highest = np.empty(len(units), np.int64), np.empty(len(units), np.int64)
    code.ranges_of(units, lowest, highest)
    if keys.step == 0:
        lowest, highest = (np.repeat(edge, rows.size) for edge in (lowest, highest))
    goal = (keys.whole[rows], keys.fraction[rows], keys.hard[rows])
    exponents = keys.exponents if keys.step == 0 else keys.exponents[rows]
    return Keys(units, keys.step, exponents, lowest, highest, *goal)
