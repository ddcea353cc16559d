"""Numbers of any exact kind as integers times one rational unit."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import exact
from strongticket.errors import InputError

Array = NDArray[Any]  # float64, int64, or Python's Fractions and integers
ROOM = 62  # bits: int64 sums stay below 2^62 in magnitude


def numbers(name: str, values: object, ndim: int) -> Array:
    """A read-only copy of `values` as float64, int64 or exact Python numbers.

    Raises InputError for another number of dimensions, for NaN and infinity, and for what is no
    number.
    """
    given = np.asarray(values)
    if given.dtype == np.uint64:
        given = given.astype(object)
    if given.ndim != ndim:
        raise InputError(f"{name} must have {ndim} dimensions, got shape {given.shape}")
    if given.dtype == object:
        try:
            flat = [Fraction(v) for v in given.reshape(-1)]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{name} must hold finite numbers, got {given!r}") from None
        found: Array = np.empty(len(flat), object)
        found[:] = flat
        found = found.reshape(given.shape)
    elif given.dtype.kind in "iub":
        found = given.astype(np.int64)
    elif given.dtype.kind == "f" and given.dtype.itemsize <= 8:
        found = given.astype(np.float64)
        if not np.isfinite(found).all():
            raise InputError(f"{name} must be finite, got NaN or infinity")
    else:
        raise InputError(f"{name} must hold real numbers, got dtype {given.dtype}")
    found.setflags(write=False)
    return found


def integers(values: Array) -> tuple[Array, Fraction]:
    """(n, u) with values = n u exactly; n is int64 below 2^62 in magnitude, or Python integers."""
    if values.dtype == object:
        exactly = [Fraction(v) for v in values.reshape(-1)]
        common = math.lcm(*(v.denominator for v in exactly))
        whole = np.empty(values.size, object)
        whole[:] = [int(v * common) for v in exactly]
        return narrow(whole.reshape(values.shape)), Fraction(1, common)
    if values.dtype == np.int64:
        return narrow(values.astype(object)), Fraction(1)
    exponent = exact.grid_exponent(values)
    if exponent is None:
        return np.zeros(values.shape, np.int64), Fraction(1)
    unit = Fraction(2) ** exponent
    if math.frexp(float(np.abs(values).max()))[1] - exponent <= ROOM:
        return exact.to_grid(values, exponent), unit
    whole = np.empty(values.size, object)
    whole[:] = [int(Fraction(float(v)) / unit) for v in values.reshape(-1)]
    return whole.reshape(values.shape), unit


def largest(values: Array) -> int:
    """The largest magnitude, a Python integer; 0 of nothing."""
    return max(abs(int(values.max())), abs(int(values.min()))) if values.size else 0


def narrow(values: Array) -> Array:
    """The same integers as int64 where all are below 2^62 in magnitude."""
    return values.astype(np.int64) if largest(values) < 1 << ROOM else values


def wide(values: Array) -> Array:
    """The same integers as Python's, which never overflow."""
    return values.astype(object)


def common_unit(*units: Fraction) -> Fraction:
    """The largest rational of which every unit is an integer multiple."""
    denominator = math.lcm(*(u.denominator for u in units))
    return Fraction(math.gcd(*(int(u * denominator) for u in units)), denominator)
