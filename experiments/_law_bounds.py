"""What is proved about a curve: failure is at most the upper bounds and at least the lower ones.

R1, R1+, R1' and the gadget's law are `strongticket.theorems.random_subset_sum`; the others stand
here with their reasons, and on the page docs/subset-sum-law.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from _law_curves import Cell
from _law_draws import HEIGHTS, RANGES
from numpy.typing import NDArray
from scipy.special import comb
from scipy.stats import binom

from strongticket.theorems import random_subset_sum as rss
from strongticket.theorems._sampling import SamplingTheorem

Failure = Callable[[int], float]
GRID = 2.0**-24
MOST_PAIRS, MOST_COVERING, MOST_COUNT = 2000, 300, 300  # that R6 is computed for


def upper(cell: Cell) -> dict[str, Failure]:
    """Bounds that a failure probability is never above, by the theorem's name."""
    eps = cell.epsilon
    if cell.part in ("single", "all") and cell.law == "U[-1,1]":
        if cell.targets in ("U[-.1,.1]", "all |z| <= 1/2"):
            return {"R1": _exponential(rss.R1, eps), "R1'": lambda n: _tabled(n, eps)}
        return {"R1+": _exponential(rss.R1PLUS_WHOLE, eps)}
    if cell.part == "all" and cell.law == "N(0,1)" and cell.targets == "all |z| <= 1/2":
        return {"R1, p = 0.48": lambda n: _normal(n, eps)}
    if cell.law == "gated U*U" and cell.targets == "U[-.1,.1]":
        return {"R2+": _exponential(rss.PRODUCT, eps)}
    if cell.part == "pairs":
        return {"R6": lambda pairs: r6(pairs, eps)}
    if cell.part.startswith("quantized"):
        return {"R4": lambda n: r4(n, 1 << cell.size)}
    return {}


def lower(cell: Cell) -> dict[str, Failure]:
    """Bounds that a failure probability is never below."""
    eps = cell.epsilon
    if cell.part == "all":
        height = HEIGHTS[cell.targets]
        found: dict[str, Failure] = {"counting": lambda n: float(2.0**n * eps < height)}
        if cell.law == "U[-1,1]":
            found["reach"] = lambda n: reach_both(n, height - eps - n * GRID)
        return found
    if cell.part == "single":
        span = RANGES[cell.targets]
        found = {}
        if span is not None:
            # A subset serves targets in 2 eps of the 2 span; behind a gate 2^(usable) subsets
            # are (3/2)^n in the mean.
            base = 1.5 if cell.law == "gated U*U" else 2.0
            found["counting"] = lambda n: max(0.0, 1 - base**n * eps / span)
        elif cell.law == "U[-1,1]":
            # The sum of a subset has density at most 1/2 (at most 1 point a step, on the grid).
            found["counting"] = lambda n: max(0.0, 1 - 2.0**n * (eps + GRID))
        if cell.law == "U[-1,1]":
            found["reach"] = lambda n: reach(n, span, eps + n * GRID)
        return found
    if cell.part.startswith("quantized"):
        points = (1 << cell.size) + 1
        if cell.part == "quantized":
            return {"counting": lambda n: max(0.0, 1 - 2.0**n / points)}
        return {"counting": lambda n: float(2.0**n < points)}
    return {}


def reach(n: int, span: float | None, short: float) -> float:
    r"""The probability that all positive candidates together stay below the target less `short`.

    K of n uniform candidates are positive with probability C(n,K)/2^n, and their sum is below
    x <= 1 with probability x^K/K!. For t = 1 (span None), or the mean over t ~ U[0, span].
    """
    x = (1.0 if span is None else span) - short
    if x <= 0:
        return 0.0
    k = np.arange(n + 1)
    terms = comb(n, k) * 0.5**n * x**k / np.array([math.factorial(i) for i in k], np.float64)
    if span is not None:
        terms = terms * x / (k + 1) / span
    return float(terms.sum())


def reach_both(n: int, x: float) -> float:
    """The probability that the positive or the negative candidates add up to less than x <= 1."""
    k = np.arange(n + 1)
    factorials = np.array([math.factorial(i) for i in k], np.float64)
    ways = comb(n, k) * 0.5**n
    both = ways * x**n / (factorials * factorials[::-1])
    return float(2 * (ways * x**k / factorials).sum() - both.sum())


def _exponential(theorem: SamplingTheorem, epsilon: float) -> Failure:
    """The theorem's A rho^n, read off its own bound at n = 0 and 1."""
    start, ratio = constants(theorem, epsilon)
    return lambda n: start * ratio**n


def constants(theorem: SamplingTheorem, epsilon: float) -> tuple[float, float]:
    """A and rho."""
    return _constants(theorem.key, epsilon)


@functools.cache
def _constants(key: str, epsilon: float) -> tuple[float, float]:
    theorem = next(t for t in (rss.R1, rss.R1PLUS_WHOLE, rss.PRODUCT) if t.key == key)
    start = theorem.failure(0, epsilon)
    return start, theorem.failure(1, epsilon) / start


def _tabled(n: int, epsilon: float) -> float:
    """R1' after n candidates; the recursion goes no further than was asked for."""
    known, more = _program(epsilon)
    while len(known) <= n:
        known.append(next(more))
    return known[n]


@functools.cache
def _program(epsilon: float) -> tuple[list[float], Iterator[float]]:
    return [], rss.certificate(epsilon)


def _normal(n: int, epsilon: float) -> float:
    """R1 for a law with density at least p/2 on [-1, 1]; rounding to the grid costs n 2^-37."""
    p = 2 * math.exp(-0.5) / math.sqrt(2 * math.pi)
    exact = epsilon - n * 2.0**-37
    return 2 / exact**2 * (1 - p / 4) ** n


def r4(n: int, largest: int) -> float:
    """R4: X uniform on {-M, ..., M}; some integer |z| <= M/2 is no subset sum."""
    points = 2 * (largest // 2) + 1
    p = min(1.0, 2 * points / (2 * largest + 1))
    return (points - 1) ** 2 * (1 - p / 4) ** n


@functools.cache
def r6(pairs: int, epsilon: float) -> float:
    """R6: one of each pair; differences cover, m of them are held back to bring |F| within reach.

    The shift F = sum of the first of each pair is beyond K/2 with probability at most
    2 exp(-3 K^2 / (8 pairs)) (U[-1, 1] is sub-Gaussian with variance 1/3); K differences in
    [1/2, 1] and K in [-1, -1/2] among the m (each has probability 5/32) take it back; the others
    have density at least 1/4 on [-1, 1], which is R1 with p = 1/2.
    """
    if pairs == 0:
        return 1.0
    fine = epsilon - 4 * GRID  # differences lie on the grid 2^-23
    covering = np.arange(1, min(pairs, MOST_COVERING) + 1)
    count = np.arange(1, min(pairs, MOST_COUNT) + 1)
    cover = 2 / fine**2 * 0.875**covering
    far = 2 * np.exp(-3 * count**2 / (8 * pairs))
    short = 2 * _too_few()[pairs - covering, : count.size]
    return min(1.0, float((cover[:, None] + far + short).min()))


@functools.cache
def _too_few() -> NDArray[np.float64]:
    """Row m, column K - 1: the probability that Bin(m, 5/32) < K."""
    table: NDArray[np.float64] = binom.cdf(
        np.arange(MOST_COUNT), np.arange(MOST_PAIRS)[:, None], 5 / 32
    )
    return table


def size_law(k: int, epsilon: float) -> float:
    """The n >= k with n H2(k/n) = log2(k/epsilon), real; Natale et al. 2024, c = 1."""
    from scipy.optimize import brentq

    if information(2 * k, k) < math.log2(k / epsilon):
        low: float = 2 * k
    else:
        low = k * (1 + 1e-9)
    return float(brentq(lambda n: information(n, k) - math.log2(k / epsilon), low, 1e6))


def information(n: float, k: int) -> float:
    """N H2(k/n): about log2 of the number of subsets of size k."""
    q = k / n
    if q >= 1:
        return 0.0
    return -n * (q * math.log2(q) + (1 - q) * math.log2(1 - q))
