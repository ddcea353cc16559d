r"""Exact dyadic arithmetic on whole arrays: float64 values as integers on one power-of-two grid.

Every finite float64 is an integer times a power of two, so a batch of them lies on a common grid
:math:`2^e \mathbb{Z}` and sums of its members are integer sums. Where a result must become a
float64 again it is rounded up, never to nearest: an error bound stays a bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_CHUNK = 1 << 16


def grid_exponent(values: Floats) -> int | None:
    r"""The greatest e for which every value is an integer multiple of :math:`2^e`.

    Args:
        values: finite float64 array of any shape.

    Returns:
        The exponent, or None where every value is zero (any grid would do).
    """
    least: int | None = None
    flat = values.reshape(-1)  # a view wherever the array allows one
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        part = part[part != 0]
        if part.size == 0:
            continue
        mantissa, exponent = np.frexp(part)
        units = np.ldexp(mantissa, 53).astype(np.int64)  # exact: 53 significant bits
        lowest = (units & -units).astype(np.float64)
        found = int((exponent + np.frexp(lowest)[1]).min()) - 54
        least = found if least is None else min(least, found)
    return least


def to_grid(values: Floats, exponent: int) -> Integers:
    r"""The integers :math:`v\,2^{-e}`; the caller knows that they are integers below 2^63."""
    return np.ldexp(values, -exponent).astype(np.int64)


def split_integers(values: Integers) -> tuple[Floats, Floats]:
    """Floats (high, low) with high + low equal to each integer (magnitude up to 2^62) exactly."""
    high = values.astype(np.float64)
    return high, (values - high.astype(np.int64)).astype(np.float64)


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Floats (s, r): s is a + b rounded to nearest and s + r equals a + b exactly (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def distance_up(target: Floats, high: Floats, low: Floats) -> Floats:
    r"""The least float64 that is at least :math:`|t - (h + l)|`, elementwise.

    Args:
        target: finite float64 t.
        high: float64 h.
        low: float64 l with at most half a unit in the last place of h.
    """
    a, b = two_sum(target, -high)
    c, d = two_sum(b, -low)
    top, rest = two_sum(a, c)
    rest, crumb = two_sum(rest, d)
    top, rest = two_sum(top, rest)
    negative = (top < 0) | ((top == 0) & (rest < 0))
    sign = np.where(negative, -1.0, 1.0)
    top, rest, crumb = top * sign, rest * sign, crumb * sign
    above = (rest > 0) | ((rest == 0) & (crumb > 0))
    return np.where(above, np.nextafter(top, np.inf), top)
