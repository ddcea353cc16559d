"""n = a log2(1/epsilon) + b log2(1/delta) + c, fitted to curves; and the theorems' a, b, c."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from _law_bounds import information
from _law_curves import Curve
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Solved = tuple[Floats, float, int] | None
Solve = Callable[[Sequence[NDArray[np.int64]]], Solved]
FEWEST = 20  # failures that a point must rest on
DRAWS = 400


@dataclass(frozen=True)
class Fit:
    """Constants with their 95 % intervals (bootstrap over the trials), and what is left over.

    Attributes:
        name: of the group of curves.
        values, low, high: one number a constant.
        residual: the root mean square of the points' distance, in candidates.
        points: how many points (cell, n) were fitted.
    """

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    residual: float
    points: int


def law(name: str, curves: Sequence[Curve], most: float, seed: int) -> Fit | None:
    """Least squares in n over all points with 20 failures or more and a rate of at most `most`.

    log2(1/epsilon) is log2(M) for integers. None where too few points are there.
    """

    def solved(firsts: Sequence[NDArray[np.int64]]) -> Solved:
        rows, goal = [], []
        for curve, first in zip(curves, firsts, strict=True):
            trials = first.sum()
            failures = trials - np.cumsum(first[:-1])
            kept = np.flatnonzero((failures >= FEWEST) & (failures <= most * trials))
            bits = curve.cell.size or -math.log2(curve.cell.epsilon)
            for n in kept.tolist():
                rows.append((bits, -math.log2(failures[n] / trials), 1.0))
                goal.append(float(n))
        return _least_squares(np.array(rows), np.array(goal))

    return _bootstrapped(name, curves, solved, seed)


def sizes(name: str, curves: Sequence[Curve], seed: int) -> Fit | None:
    """N H2(k/n) = a log2(k/epsilon) + c at the n where half of the trials fail (interpolated)."""

    def solved(firsts: Sequence[NDArray[np.int64]]) -> Solved:
        rows, goal = [], []
        for curve, first in zip(curves, firsts, strict=True):
            k = curve.cell.size
            n = half(first)
            if n is not None and n > k:
                rows.append((math.log2(k / curve.cell.epsilon), 1.0))
                goal.append(information(n, k))
        return _least_squares(np.array(rows), np.array(goal))

    return _bootstrapped(name, curves, solved, seed)


def half(first: NDArray[np.int64]) -> float | None:
    """The real n at which the failure rate crosses 1/2, linear between two n."""
    rate = 1 - np.cumsum(first[:-1]) / first.sum()
    below = np.flatnonzero(rate <= 0.5)
    if below.size == 0:
        return None
    n = int(below[0])
    if n == 0:
        return 0.0
    return float(n - (0.5 - rate[n]) / (rate[n - 1] - rate[n]))


def _least_squares(rows: Floats, goal: Floats) -> Solved:
    if len(rows) < 4 or np.linalg.matrix_rank(rows) < rows.shape[1]:
        return None
    values: Floats = np.linalg.lstsq(rows, goal, rcond=None)[0].astype(np.float64)
    return values, float(np.sqrt(np.mean((rows @ values - goal) ** 2))), len(goal)


def _bootstrapped(name: str, curves: Sequence[Curve], solved: Solve, seed: int) -> Fit | None:
    found = solved([curve.first for curve in curves])
    if found is None:
        return None
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        again = [generator.multinomial(c.trials, c.first / c.trials) for c in curves]
        other = solved(again)
        if other is not None:
            drawn.append(other[0])
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    values, residual, points = found
    return Fit(name, _plain(values), _plain(low), _plain(high), residual, points)


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, values))
