r"""From candidates and targets to the integers that every solver works on.

On a row's grid a candidate is an integer, a sum is an integer s, and a target is the nearest
integer plus a fraction in [-1/2, 1/2]: a float split there loses nothing, which a float split at
its floor would just below 0. Nothing is rounded: the target becomes an integer T and a tag of +-1
such that :math:`4(T - s) + \mathrm{tag}`, in absolute value, orders all sums as their true
distances do, the smaller sum first where two lie equally far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._limits import FINEST, REACH, REFUSED
from strongticket.subsetsum._refusals import beyond, products_beyond, refused

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
_ALONE, _WORTH = 64, 1 << 20
"""From so many targets on one row of candidates, their sorted lists are built once for all: where
targets times 2^n is at least `_WORTH`. Below, a run of one row would cost more than its work."""


class Rows(Protocol):
    """The functions of a backend that turn rows into integers, and sums into errors."""

    @property
    def units_of(self) -> Callable[..., None]:
        """Floats to integers, each row on its greatest grid."""

    @property
    def ranges_of(self) -> Callable[..., int]:
        """Least and greatest sums."""

    @property
    def aims_of(self) -> Callable[..., None]:
        """Targets to integers and fractions."""

    @property
    def intervals_of(self) -> Callable[..., None]:
        """Tolerances to intervals of sums."""

    @property
    def errors_of(self) -> Callable[..., None]:
        """Distances, rounded up."""


@dataclass(frozen=True, eq=False)
class Keys:
    """One chunk of a batch as integers.

    Attributes:
        candidates: int64 (m, n), or (1, n) where all rows share them.
        step: 1, or 0 where all rows share the candidates.
        exponents: int64 (m,) or (1,), each row's grid is 2^exponent.
        lowest, highest: int64 (m,), the row's least and greatest subset sum.
        whole: int64 (m,), the integer nearest to the target, at most 2^61 in magnitude.
        fraction: float64 (m,) in [-1/2, 1/2], the rest of the target.
        hard: bool (m,); where floats cannot hold the target: only its order among the sums, not
            its distance to them, is what whole and fraction say.
    """

    candidates: Integers
    step: int
    exponents: Integers
    lowest: Integers
    highest: Integers
    whole: Integers
    fraction: Floats
    hard: Booleans

    @property
    def reach(self) -> Integers:
        """int64 (m,), the row's sum of magnitudes."""
        return self.highest - self.lowest

    @cached_property
    def near(self) -> tuple[Integers, Floats]:
        """Whole and fraction of the targets, clipped to just outside [lowest, highest]."""
        whole = np.clip(self.whole, self.lowest - 1, self.highest + 1)
        return whole, np.where(whole == self.whole, self.fraction, 0.0)

    @cached_property
    def tagged(self) -> tuple[Integers, Integers]:
        """(T, tag): see the module's docstring."""
        whole, fraction = self.near
        below = fraction == -0.5  # as near to the integer below, and that one is the smaller
        return whole - below, np.where(below | (fraction > 0), 1, -1)


@dataclass(frozen=True, eq=False)
class Batch:
    """A checked batch: `chunk` gives any run of its rows as `Keys`.

    Attributes:
        candidates: int64 or float64 (R, n), or (n,) shared by all targets.
        factors: None, or what candidates are multiplied by: (R, n) or (n,) of the same dtype.
        targets: (M,) of the same dtype.
        per: how many targets in a row have one row of candidates: 1; K; 0 where all share one.
        shape: the targets' shape as it was given, (M,) or (R, K).
    """

    candidates: Integers | Floats
    factors: Integers | Floats | None
    targets: Integers | Floats
    per: int
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """M."""
        return len(self.targets)

    @property
    def n(self) -> int:
        """Candidates a row."""
        return int(self.candidates.shape[-1])

    @property
    def exact_integers(self) -> bool:
        """Whether the batch came as integers."""
        return self.targets.dtype == np.int64

    def runs(self, size: int) -> list[tuple[int, int]]:
        """The rows in runs of at most `size`; many targets of one row of candidates stay alone."""
        alone = self.per >= _ALONE and self.per << self.n >= _WORTH
        step = self.per if alone else max(self.rows, 1)
        return [
            (start, min(start + size, edge + step, self.rows))
            for edge in range(0, self.rows, step)
            for start in range(edge, min(edge + step, self.rows), size)
        ]

    def chunk(self, start: int, stop: int, code: Rows) -> Keys:
        """Rows start .. stop - 1 as integers; InputError where a row cannot be."""
        first, last = 0, 1
        if self.per:
            first, last = start // self.per, (stop - 1) // self.per + 1
        units, exponents = self._units(first, last, code)
        lowest, highest = np.empty(len(units), np.int64), np.empty(len(units), np.int64)
        over = code.ranges_of(units, lowest, highest)
        if over >= 0:
            raise self._beyond(first + over)
        targets = self.targets[start:stop]
        step = 1
        if last - first == 1:
            step = 0 if self.per != 1 else 1
            lowest, highest = (np.repeat(edge, len(targets)) for edge in (lowest, highest))
        elif self.per > 1:
            of = np.arange(start, stop) // self.per - first
            units, exponents, lowest, highest = (
                np.ascontiguousarray(each[of]) for each in (units, exponents, lowest, highest)
            )
        fraction, hard = np.zeros(len(targets)), np.zeros(len(targets), np.bool_)
        whole = cast(Integers, targets)
        if not self.exact_integers:
            whole = np.empty(len(targets), np.int64)
            code.aims_of(targets, exponents, step, whole, fraction, hard)
        return Keys(units, step, exponents, lowest, highest, whole, fraction, hard)

    def _units(self, first: int, last: int, code: Rows) -> tuple[Integers, Integers]:
        """Rows first .. last - 1 of the candidates as integers, and their grids' exponents."""
        units, exponents = self._on_grid(self.candidates, first, last, code)
        if self.factors is None:
            return units, exponents
        others, more = self._on_grid(self.factors, first, last, code)
        exponents = exponents + more
        a, b = (np.abs(each.astype(np.float64)).max(axis=1, initial=0) for each in (units, others))
        size = a * b  # what is rounded here is far below the factor of 8 to an overflow
        lost = size > REACH
        if not self.exact_integers:
            lost |= (exponents < FINEST) | (exponents + np.frexp(size)[1] > -FINEST)
        if lost.any():
            raise self._beyond(first + int(lost.argmax()))
        return units * others, np.broadcast_to(exponents, last - first).copy()

    def _on_grid(
        self, values: Integers | Floats, first: int, last: int, code: Rows
    ) -> tuple[Integers, Integers]:
        given: NDArray[Any] = values[first:last] if values.ndim == 2 else values[None, :]
        rows = np.ascontiguousarray(given)
        exponents = np.zeros(len(rows), np.int64)
        if self.exact_integers:
            return rows, exponents
        units = np.empty(rows.shape, np.int64)
        code.units_of(rows, rows.view(np.int64), units, exponents)
        lost = exponents == REFUSED
        if lost.any():
            row = first + int(lost.argmax()) if values.ndim == 2 else 0
            raise refused(values, row)
        return units, exponents

    def _beyond(self, row: int) -> InputError:
        if self.factors is not None:
            return products_beyond(row)
        return beyond(self.candidates, row * (self.candidates.ndim - 1))

    def interval(
        self, keys: Keys, start: int, epsilon: Integers | Floats, code: Rows
    ) -> tuple[Integers, Integers]:
        r"""The sums within epsilon of each target: s with low <= s <= high, exactly.

        :math:`|t - s| \le \epsilon` on the grid is :math:`\lceil t - \epsilon \rceil \le s \le
        \lfloor t + \epsilon \rfloor`; both are computed from integer parts and fractions.
        """
        if self.exact_integers:
            wide = np.minimum(cast(Integers, epsilon), 1 << 62)
            low, high = keys.whole - wide, keys.whole + wide
        else:
            low, high = np.empty_like(keys.whole), np.empty_like(keys.whole)
            hard = keys.hard.copy()
            goal = (keys.whole, keys.fraction, low, high, hard)
            code.intervals_of(epsilon, keys.exponents, keys.step, *goal)
            for i in np.flatnonzero(hard):
                target = float(self.targets[start + i])
                exponent = int(keys.exponents[i * keys.step])
                low[i], high[i] = _by_rationals(target, float(epsilon[i]), exponent)
        low = np.clip(low, keys.lowest, keys.highest + 1)
        return low, np.clip(high, keys.lowest - 1, keys.highest)

    def errors(self, keys: Keys, start: int, sums: Integers, code: Rows) -> Integers | Floats:
        """|t - s| of rows from `start` on: exact for integers, rounded up for floats."""
        targets = self.targets[start : start + len(sums)]
        if self.exact_integers:
            error: Integers = np.abs(cast(Integers, targets) - sums)
            return error
        errors = np.empty(len(sums))
        code.errors_of(targets, keys.exponents, keys.step, sums, errors)
        return errors


def _by_rationals(target: float, epsilon: float, exponent: int) -> tuple[int, int]:
    """The interval of a row whose target or tolerance is beyond floats in grid units."""
    unit = Fraction(2) ** exponent
    low = math.ceil((Fraction(target) - Fraction(epsilon)) / unit)
    high = math.floor((Fraction(target) + Fraction(epsilon)) / unit)
    return min(max(low, -(1 << 62)), 1 << 62), min(max(high, -(1 << 62)), 1 << 62)
