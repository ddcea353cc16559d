"""No few features are near every single ReLU neuron: parities are sums of few of those."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
)
from strongticket.theorems._theorem import Theorem

Floats = NDArray[np.float64]


def cube(d: int) -> NDArray[np.int64]:
    """All 2^d points of {0, 1}^d."""
    return (np.arange(1 << d)[:, None] >> np.arange(d)) & 1


def single_neurons(d: int) -> NDArray[np.int64]:
    """The values on the cube of relu(<1_S, x> - j), -1 <= j < |S|: one row a neuron."""
    counts = cube(d) @ cube(d).T  # (S, x)
    sizes = cube(d).sum(axis=1)
    return np.array(
        [np.maximum(counts[i] - j, 0) for i, r in enumerate(sizes) for j in range(-1, max(r, 0))]
    )


def parity_coefficients(r: int) -> dict[int, int]:
    """a_j with (-1)^z = sum_j a_j relu(z - j) for z = 0, ..., r; the magnitudes add to 4 r or 1."""
    if r == 0:
        return {-1: 1}
    return {-1: 1, 0: -3, **{j: 4 if j % 2 else -4 for j in range(1, r)}}


def errors(features: Floats, targets: Any) -> Floats:
    """The mean squared errors of the best combinations of features (2^d, k): one a target."""
    left, size, _ = np.linalg.svd(features, full_matrices=False)
    basis = left[:, size > 1e-10 * size[0]]
    rest = targets - (targets @ basis) @ basis.T
    found: Floats = (rest**2).mean(axis=1)
    return found


def random_features(d: int, k: int, seed: int) -> Floats:
    """K ReLU features with weights and biases uniform on [-1, 1], on the cube: (2^d, k)."""
    random = np.random.default_rng([seed, d])  # the first of many are the few
    w = random.uniform(-1, 1, (k, d + 1))
    return np.asarray(np.maximum(cube(d) @ w[:, :d].T + w[:, d], 0), np.float64)


def least_prefix(features: Floats, targets: Any, epsilon: float) -> int:
    """How many of the features, from the first on, are within epsilon of every target.

    More of them are never worse, so bisection finds it; one more than all where all do not serve.
    """
    low, high = 0, features.shape[1] + 1
    while high - low > 1:
        middle = (low + high) // 2
        good = float(errors(features[:, :middle], targets).max()) <= epsilon
        low, high = (low, middle) if good else (middle, high)
    return int(high)


@dataclass(frozen=True, kw_only=True)
class SingleNeuron(Theorem):
    """k features within mean squared error epsilon of all single neurons on {0, 1}^d."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The parity identity, the bound, random features below it, the least width that serves."""
        if false_width:
            yield self._beaten()
            return
        yield algebra("a parity is a sum of single neurons", _parities(), SHOWS_CASES)
        yield algebra("the bound is the least k", self._least(), RECOMPUTES)
        for d in range(3, effort.pick(6, 9)):
            yield self._below(d, effort.pick(5, 20))
        yield self._growth(effort)

    def _least(self) -> tuple[bool, str]:
        """K is the least integer with k >= 2^d (1 - 16 d^2 epsilon)."""
        cases = 0
        parts = (Fraction(1, 10**9), Fraction(1, 4), Fraction(99, 100))
        for d, part in itertools.product((1, 4, 11, 40), parts):
            epsilon = part / (16 * d * d)
            k = self.bound(d=d, epsilon=epsilon)
            if not k - 1 < (1 - 16 * d * d * epsilon) * 2**d <= k:
                return False, f"{k} at d = {d}, epsilon = {epsilon}"
            cases += 1
        return True, f"in {cases} cases"

    def _below(self, d: int, trials: int) -> Row:
        """Half as many random features as points: some single neuron is far from all of them."""
        k = 1 << (d - 1)
        claimed = (1 - k / 2**d) / (16 * d * d)
        targets = single_neurons(d)
        worst = [float(errors(random_features(d, k, s), targets).max()) for s in range(trials)]
        return Row(
            "construction",
            f"d = {d}: the hardest of {len(targets)} neurons for {k} random features",
            f"mean squared error at least {claimed:.2e}",
            f"at least {min(worst):.2e} in {trials} draws",
            min(worst) < claimed,
            CAN_REFUTE,
        )

    def _growth(self, effort: Effort) -> Row:
        """At epsilon = 1/(64 d^2) the bound is 3/4 of 2^d; random features need at most 2^d."""
        found, dimensions = [], range(3, effort.pick(7, 9))
        for d in dimensions:
            targets = single_neurons(d)
            draws = [random_features(d, 4 << d, seed) for seed in range(effort.pick(3, 7))]
            found.append(min(least_prefix(f, targets, 1 / (64 * d * d)) for f in draws))
        bounds = [self.bound(d=d, epsilon=Fraction(1, 64 * d * d)) for d in dimensions]
        pairs = ", ".join(f"{d}: {k}" for d, k in zip(dimensions, found, strict=True))
        return Row(
            "scaling",
            "least random features within 1/(64 d^2) of every single neuron, for each d",
            "at least " + ", ".join(f"{d}: {k}" for d, k in zip(dimensions, bounds, strict=True)),
            pairs,
            any(a < b for a, b in zip(found, bounds, strict=True)),
            CAN_REFUTE,
        )

    def _beaten(self) -> Row:
        """2^d features with different values on the points serve everything: k = 2^d."""
        d = 5
        epsilon = Fraction(1, 64 * d * d)
        claimed = 2 * self.bound.real(d=d, epsilon=epsilon)
        # the points in the order of sum 2^i x_i: ramps that start one after the other
        order = np.arange(1 << d)
        ramps = np.maximum(order[:, None] - order[None, :] + 1, 0)
        inverse = np.linalg.inv(ramps)
        exact = bool((ramps @ np.rint(inverse).astype(np.int64) == np.eye(1 << d)).all())
        return Row(
            "construction",
            f"false on purpose: the bound doubled, d {d}",
            f"no fewer than {claimed:g} features serve all single neurons",
            f"{1 << d} ReLU features combine to every function on the cube, exactly",
            exact and claimed > 1 << d,
            SHOWS_CASES,
        )


def _parities() -> tuple[bool, str]:
    for r in range(200):
        a = parity_coefficients(r)
        if sum(map(abs, a.values())) != max(4 * r, 1):
            return False, f"magnitudes at r = {r}"
        for z in range(r + 1):
            if sum(c * max(z - j, 0) for j, c in a.items()) != (-1) ** z:
                return False, f"r = {r}, z = {z}"
    return True, "r = 0 to 199, every z, in integers"
