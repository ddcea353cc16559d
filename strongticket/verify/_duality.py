"""Linear programmes: a solver proposes multipliers in floats, weak duality bounds in integers.

A wrong multiplier makes a bad bound and no false one, see `strongticket.verify.maximum`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BITS = 30  # of the rounded multipliers


def linear_programme(
    a: list[list[int]], b: list[int], low: list[int], high: list[int], c: list[int]
) -> tuple[Floats, Floats | None]:
    """Multipliers and a solution of max c v, by HiGHS in floats; None for it where there is none.

    Rows and variables are scaled to about 1 by powers of two.
    """
    from scipy.optimize import linprog

    size = [max(abs(lo), abs(up)).bit_length() for lo, up in zip(low, high, strict=True)]
    rows = np.array(
        [[math.ldexp(v, s) if v else 0.0 for v, s in zip(r, size, strict=True)] for r in a]
    )
    scale = np.maximum(np.abs(rows).max(1), 1e-300)
    sides = np.array([float(v) for v in b]) / scale
    goal = np.array([math.ldexp(v, s) if v else 0.0 for v, s in zip(c, size, strict=True)])
    most = max(float(np.abs(goal).max()), 1e-300)
    limits = [
        (math.ldexp(lo, -s), math.ldexp(up, -s)) for lo, up, s in zip(low, high, size, strict=True)
    ]
    solved = linprog(
        -goal / most, A_ub=rows / scale[:, None], b_ub=sides, bounds=limits, method="highs"
    )
    if solved.x is None:
        return _phase_one(rows / scale[:, None], sides, limits, scale), None
    y = np.maximum(-solved.ineqlin.marginals, 0.0) * most / scale
    return y, np.ldexp(solved.x, size)


def _phase_one(rows: Floats, sides: Floats, limits: list[Any], scale: Floats) -> Floats:
    """Multipliers that prove rows inconsistent, whose least violation is positive."""
    from scipy.optimize import linprog

    matrix = np.hstack([rows, -np.ones((len(rows), 1))])
    cost = np.zeros(matrix.shape[1])
    cost[-1] = 1.0
    solved = linprog(cost, A_ub=matrix, b_ub=sides, bounds=[*limits, (0, None)], method="highs")
    if solved.x is None or solved.fun <= 0:
        return np.zeros(len(rows))
    return np.asarray(np.maximum(-solved.ineqlin.marginals, 0.0) / scale)


def weak_duality(
    a: list[list[int]],
    b: list[int],
    low: list[int],
    high: list[int],
    c: list[int],
    y: Floats,
) -> Fraction:
    """An upper bound of c v for the multipliers y, rounded to short dyadic numbers, exactly."""
    short = [_short(float(v)) for v in y]
    bits = max((f.denominator.bit_length() - 1 for f in short), default=0)
    units = [int(f * (1 << bits)) for f in short]
    used = [(u, row, limit) for u, row, limit in zip(units, a, b, strict=True) if u]
    rest = [v << bits for v in c]
    total = 0
    for u, row, limit in used:
        total += u * limit
        for k, v in enumerate(row):
            if v:
                rest[k] -= u * v
    for r, lo, up in zip(rest, low, high, strict=True):
        total += r * (up if r > 0 else lo)
    return Fraction(total, 1 << bits)


def _short(value: float) -> Fraction:
    """A non-negative multiplier with few bits."""
    if not (0 < value < math.inf):
        return Fraction(0)
    mantissa, exponent = math.frexp(value)
    return Fraction(int(mantissa * (1 << _BITS))) * Fraction(2) ** (exponent - _BITS)
