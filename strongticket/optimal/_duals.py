r"""Rational lower bounds from weak duality, whatever multipliers they are given.

With rows :math:`P_{jp}` left to table j, labels y and any integer vector :math:`U \ne 0`,

.. math:: \Bigl\|y - \sum_j P_{j p_j}\Bigr\| \ge \frac{\langle U, y\rangle -
          \sum_j \max_p \langle U, P_{jp}\rangle}{\|U\|_*} \quad\text{for every choice } p,

by Hölder's inequality; the dual norm of the sum of magnitudes is the largest magnitude, that of
the largest magnitude the sum, and the Euclidean norm is its own. The numbers are integers, so the
bound is exact; a row whose own bound reaches a loss already found can be dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._floats import Floats
from strongticket.optimal._integers import ROOM, Array, largest, wide
from strongticket.optimal._losses import Loss

BITS = 26  # of the rounded multipliers; more would cost Python integers for no visible gain
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DualBound:
    """One vector of multipliers, evaluated exactly.

    Attributes:
        loss: which norm.
        slack: <U, y> minus the sum of the greatest products, an integer.
        norm: the dual norm of U (of the mean squared loss, its square), an integer > 0.
        products: for each table its greatest <U, P> minus those of its rows, integers >= 0.
    """

    loss: Loss
    slack: int
    norm: int
    products: tuple[Array, ...]

    @property
    def measure(self) -> Fraction:
        """The lower bound on the measure of every choice."""
        part = max(self.slack, 0)
        if self.loss is Loss.MEAN_SQUARED:
            return Fraction(part * part, self.norm)
        return Fraction(part, self.norm)

    def survivors(self, table: int, reached: int) -> Rows:
        """The rows of a table that can still be part of a choice of measure below `reached`."""
        if self.loss is Loss.MEAN_SQUARED:
            # slack >= 0 and slack^2 >= reached norm, as one comparison of integers
            least = _root_up(reached * self.norm)
        else:
            least = reached * self.norm
        need = max(least, 0) - self.slack
        return np.flatnonzero(np.asarray(wide(self.products[table]) < need, np.bool_))


def evaluate(multipliers: Floats, rows: Sequence[Array], labels: Array, loss: Loss) -> DualBound:
    """The bound of `multipliers` rounded to integers (of zero ones: the bound 0)."""
    top = float(np.abs(multipliers).max(initial=0.0))
    scaled = multipliers / top * 2.0**BITS if 0 < top < np.inf else multipliers * 0
    units = np.rint(np.nan_to_num(scaled)).astype(np.int64)
    if not units.any():
        return DualBound(loss, 0, 1, tuple(np.zeros(len(r), np.int64) for r in rows))
    reach = largest(labels) + max((largest(r) for r in rows), default=0)
    if reach * len(labels) << BITS + 1 >= 1 << ROOM:
        units, labels, rows = wide(units), wide(labels), [wide(r) for r in rows]
    products = [r @ units for r in rows]
    slack = int(labels @ units) - sum(int(p.max()) for p in products)
    sizes = [abs(int(u)) for u in units]
    if loss is Loss.MEAN_ABSOLUTE:
        norm = max(sizes)
    else:
        norm = sum(sizes) if loss is Loss.WORST_CASE else sum(u * u for u in sizes)
    return DualBound(loss, slack, norm, tuple(p.max() - p for p in products))


def _root_up(value: int) -> int:
    """The least integer r >= 0 with r^2 >= value."""
    return math.isqrt(value - 1) + 1 if value > 0 else 0
