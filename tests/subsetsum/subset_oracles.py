"""Instances and rational oracles that the tests of the subset-sum solvers share."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def every_mask(n: int) -> Array:
    """All masks of n candidates in the order of their numbers, (2^n, n)."""
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1


def numbers_of(mask: Array) -> Array:
    """The number of each mask: candidate j at weight 2^j."""
    return mask @ (1 << np.arange(mask.shape[1]))


def rational_error(candidates: Array, target: Any, mask: Array) -> Fraction:
    """The exact distance of one row."""
    kept = [Fraction(a.item()) for a, m in zip(candidates, mask, strict=True) if m]
    return abs(Fraction(target.item()) - sum(kept, Fraction(0)))


def assert_errors_are_true(candidates: Array, targets: Array, subsets: Any) -> None:
    """Every reported error is the exact distance of its own mask, rounded up to its dtype."""
    for i in range(len(targets)):
        row = candidates if candidates.ndim == 1 else candidates[i]
        exact = rational_error(row, targets[i], subsets.mask[i])
        got = subsets.error[i]
        assert Fraction(got.item()) >= exact
        if subsets.error.dtype == np.int64:
            assert Fraction(got.item()) == exact
        elif got > 0:
            assert Fraction(float(np.nextafter(got, -np.inf))) < exact


def instances(rng: np.random.Generator, law: str, rows: int, n: int) -> tuple[Array, Array]:
    """Candidates and targets of one law."""
    if law == "bits":  # nearly everything ties
        return rng.integers(-1, 2, (rows, n)), rng.integers(-4, 5, rows)
    if law == "small":
        return rng.integers(-9, 10, (rows, n)), rng.integers(-60, 61, rows)
    if law == "copies":
        few = rng.integers(-(1 << 20), 1 << 20, (rows, 3))
        return few[:, rng.integers(0, 3, n)], rng.integers(-(1 << 22), 1 << 22, rows)
    if law == "wide":  # products of two 24-bit units
        return rng.integers(-(1 << 49), 1 << 49, (rows, n)), rng.integers(-(1 << 51), 1 << 51, rows)
    if law == "mixed":  # some rows fit int32 keys and some do not
        size = 1 << rng.integers(20, 32, (rows, 1))
        return rng.integers(-size, size, (rows, n)), rng.integers(-(1 << 30), 1 << 30, rows)
    if law == "grid":
        units = rng.integers(-(1 << 23), 1 << 23, (rows, n))
        return units * 2.0**-23, rng.uniform(-1.5, 1.5, rows)
    if law == "float32":
        half = rng.standard_normal((rows, n)).astype(np.float32)
        half[np.abs(half) < 2.0**-8] = 0.0  # a common grid of 2^-31 at the finest
        return half.astype(np.float64), rng.standard_normal(rows)
    if law == "halves":  # targets half way between grid points
        return rng.integers(-9, 10, (rows, n)) * 0.25, rng.integers(-60, 61, rows) * 0.125
    assert law == "uniform53"
    return rng.uniform(-1, 1, (rows, n)), rng.uniform(-1, 1, rows)


LAWS = ("bits", "small", "copies", "wide", "mixed", "grid", "float32", "halves", "uniform53")
