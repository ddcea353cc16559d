r"""From candidates and targets to the integers that every solver works on.

On the common grid a candidate is an integer, a sum is an integer s, and a target is an integer
plus a fraction in [0, 1). Nothing is rounded: the target becomes an integer T and a tag of +-1
such that :math:`4(T - s) + \mathrm{tag}`, in absolute value, orders all sums as their true
distances do, the smaller sum first where two lie equally far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from strongticket import exact

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST = 24
"""The most candidates a row may have."""
REACH = 1 << 60
"""The largest sum of magnitudes of a row, in grid units, that int64 keys hold (they are 4 sums)."""
NARROW = (1 << 29) - 4
"""The same for int32 keys."""
_FAR = 2.0**61


class Rows(Protocol):
    """The two functions of a backend that turn rows into integers."""

    @property
    def units_of(self) -> Callable[..., None]:
        """Floats to integers on the grid."""

    @property
    def ranges_of(self) -> Callable[..., None]:
        """Least and greatest sums."""


@dataclass(frozen=True, eq=False)
class Keys:
    """One chunk of a batch as integers.

    Attributes:
        candidates: int64 (m, n), or (1, n) where all rows share them.
        step: 1, or 0 where all rows share the candidates.
        reach: int64 (m,), the row's sum of magnitudes.
        lowest, highest: int64 (m,), the row's least and greatest subset sum.
        floor: int64 (m,), the target's integer part, clipped to just outside [lowest, highest].
        fraction: float64 (m,) in [0, 1), the rest of the target; 0 where it was clipped.
    """

    candidates: Integers
    step: int
    reach: Integers
    lowest: Integers
    highest: Integers
    floor: Integers
    fraction: Floats

    @property
    def tagged(self) -> tuple[Integers, Integers]:
        """(T, tag): see the module's docstring."""
        up = self.fraction > 0.5
        tag = np.where((self.fraction == 0) | up, -1, 1)
        return self.floor + up, tag


@dataclass(frozen=True, eq=False)
class Batch:
    """A checked batch: `chunk` gives any run of its rows as `Keys`.

    Attributes:
        candidates: int64 or float64 (M, n), or (n,) shared by all rows.
        targets: (M,) of the same dtype.
        exponent: the grid is 2^exponent (0 for integers).
    """

    candidates: Integers | Floats
    targets: Integers | Floats
    exponent: int

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

    def units(self, start: int, stop: int, code: Rows) -> Integers:
        """The candidates of rows start .. stop - 1 in grid units, (stop - start, n) or (1, n)."""
        shared = self.candidates.ndim == 1
        rows = self.candidates[None, :] if shared else self.candidates[start:stop]
        if self.exact_integers:
            return np.ascontiguousarray(rows, dtype=np.int64)
        units = np.empty(rows.shape, np.int64)
        code.units_of(np.ascontiguousarray(rows), 2.0**-self.exponent, units)
        return units

    def chunk(self, start: int, stop: int, code: Rows) -> Keys:
        """Rows start .. stop - 1 as integers."""
        units = self.units(start, stop, code)
        lowest, highest = np.empty(len(units), np.int64), np.empty(len(units), np.int64)
        code.ranges_of(units, lowest, highest)
        targets = self.targets[start:stop]
        step = int(self.candidates.ndim == 2)
        if step == 0:
            lowest, highest = (np.repeat(edge, len(targets)) for edge in (lowest, highest))
        whole, fraction = self._split(targets)
        floor = np.clip(whole, lowest - 1, highest + 1)
        fraction = np.where(floor == whole, fraction, 0.0)
        return Keys(units, step, highest - lowest, lowest, highest, floor, fraction)

    def interval(
        self, keys: Keys, start: int, epsilon: Integers | Floats
    ) -> tuple[Integers, Integers]:
        r"""The sums within epsilon of each target: s with low <= s <= high, exactly.

        :math:`|t - s| \le \epsilon` on the grid is :math:`\lceil t - \epsilon \rceil \le s \le
        \lfloor t + \epsilon \rfloor`; both are computed from integer parts and fractions.
        """
        targets = self.targets[start : start + len(keys.floor)]
        whole, f = self._split(targets)
        if self.exact_integers:
            wide = np.minimum(cast(Integers, epsilon), 1 << 62)
            low, high = whole - wide, whole + wide
        else:
            scaled = np.minimum(_scaled(cast(Floats, epsilon), self.exponent), 2 * _FAR)
            wide = np.floor(scaled).astype(np.int64)
            g = scaled - wide
            total, rest = exact.two_sum(f, g)
            low = whole - wide + (f > g)
            high = whole + wide + ((total > 1) | ((total == 1) & (rest >= 0)))
            far = np.abs(_scaled(cast(Floats, targets), self.exponent)) >= _FAR
            for i in np.flatnonzero(far):
                low[i], high[i] = _far_interval(float(targets[i]), float(epsilon[i]), self.exponent)
        low = np.clip(low, keys.lowest, keys.highest + 1)
        return low, np.clip(high, keys.lowest - 1, keys.highest)

    def errors(self, start: int, sums: Integers) -> Integers | Floats:
        """|t - s| of rows from `start` on: exact for integers, rounded up for floats."""
        targets = self.targets[start : start + len(sums)]
        if self.exact_integers:
            error: Integers = np.abs(cast(Integers, targets) - sums)
            return error
        high, low = exact.split_integers(sums)
        return exact.distance_up(
            cast(Floats, targets), np.ldexp(high, self.exponent), np.ldexp(low, self.exponent)
        )

    def _split(self, targets: Integers | Floats) -> tuple[Integers, Floats]:
        if self.exact_integers:
            return cast(Integers, targets), np.zeros(len(targets))
        scaled = np.clip(_scaled(cast(Floats, targets), self.exponent), -_FAR, _FAR)
        floor = np.floor(scaled)
        return floor.astype(np.int64), scaled - floor


def _scaled(values: Floats, exponent: int) -> Floats:
    """Values in grid units; infinite where that is beyond float64, which callers cut off."""
    with np.errstate(over="ignore"):
        return np.ldexp(values, -exponent)


def _far_interval(target: float, epsilon: float, exponent: int) -> tuple[int, int]:
    """The interval of a target too far from zero for int64, by rationals, cut to int64."""
    unit = Fraction(2) ** exponent
    low = math.ceil((Fraction(target) - Fraction(epsilon)) / unit)
    high = math.floor((Fraction(target) + Fraction(epsilon)) / unit)
    return min(max(low, -(1 << 62)), 1 << 62), min(max(high, -(1 << 62)), 1 << 62)
