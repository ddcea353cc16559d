"""The lower bound on networks: packing, too few parameters, and the doubled bound beaten."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.laws import SignedConstant, Uniform
from strongticket.theorems import _restated
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
)
from strongticket.theorems._packing_count import Packing, all_outputs, drawn, separated
from strongticket.theorems._size import Shape
from strongticket.theorems._theorem import Theorem


@dataclass(frozen=True, kw_only=True)
class Lower(Theorem):
    """P parameters give at most 2^P pruned networks, each near few targets.

    Attributes:
        upper: A theorem whose networks serve all the targets, so must not fall below the bound.
    """

    upper: Theorem

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Packing; fewer parameters than the bound on real networks; the doubled bound beaten."""
        if false_width:
            yield self._beaten()
            return
        name = "packing of [-1, 1]: more than 1/(2 eps) points 2 eps apart"
        yield algebra(name, _packing(), SHOWS_CASES)
        name = "the bound is the least P with 2^(P+1) >= (1 / (2 eps))^(d^2)"
        yield algebra(name, _restated.packing(self.bound), RECOMPUTES)
        name = "an explicit packing: matrices of norm at most 1, pair by pair apart"
        yield algebra(name, separated(), SHOWS_CASES)
        name = f"the networks of {self.upper.key} do not fall below the bound"
        yield algebra(name, self._above(), SHOWS_CASES)
        for hidden in self.extremal["hidden"]:
            yield self._too_small(hidden, effort.pick(50, 400))
        for hidden, k in self.extremal["matrices"][: effort.pick(2, 9)]:
            yield self._counted(hidden, Packing(2, k), effort.pick(10, 60))

    def _above(self) -> tuple[bool, str]:
        """A network that has all tickets, for any norm-one W, has at least so many weights."""
        nearest, cases = float("inf"), 0
        for d, epsilon in itertools.product((1, 2, 16, 300), (0.25, 0.01)):
            asked = self.upper.asks(Shape((d, d)), epsilon, 0.5)
            if asked is None:
                return False, f"{self.upper.key} asks for nothing"
            nearest = min(nearest, asked.weights / max(1, self.bound(epsilon=epsilon, d=d)))
            cases += 1
        return nearest >= 1, f"at least {nearest:.3g} times as many weights, in {cases} cases"

    def _counted(self, hidden: int, packing: Packing, trials: int) -> Row:
        """2-hidden-2 ReLU networks with fewer parameters than the bound, all masks, integers."""
        parameters = 4 * hidden
        claimed = self.bound(epsilon=packing.epsilon, d=2)
        served, distinct = [], 0
        for first, second in drawn(2, hidden, trials):
            outputs = all_outputs(first, second)
            distinct = max(distinct, len(np.unique(outputs.reshape(len(outputs), -1), axis=0)))
            served.append(len(packing.served(outputs)))
        most = max(served)
        return Row(
            "probability",
            f"all {2**parameters} masks of {trials} networks 2-{hidden}-2 against "
            f"{packing.members:,} matrices that are 2 epsilon apart, epsilon "
            f"{float(packing.epsilon):.3g}",
            f"P = {parameters} < {claimed}: at most 2^P functions, fewer than half of the matrices",
            f"at most {distinct} functions, {most} matrices; on average "
            f"{sum(served) / trials / packing.members:.2e} of them",
            parameters >= claimed
            or distinct > 2**parameters
            or most > distinct
            or 2 * sum(served) >= trials * packing.members,
            CAN_REFUTE,
        )

    def _too_small(self, hidden: int, trials: int) -> Row:
        """1-hidden-1 ReLU networks with fewer parameters than the bound, all masks enumerated."""
        parameters = 2 * hidden
        error = Fraction(1, 1 << (parameters + 3))  # bound: P + 1
        claimed = self.bound(epsilon=error, d=1)
        words = philox.words(9, philox.stream("check", "lower"), 0, 2 * hidden * trials)
        units = Uniform().units(words).astype(np.int64).reshape(trials, 2, hidden)
        served = float(np.mean([_served(a, b, float(error)) for a, b in units]))
        return Row(
            "probability",
            f"all masks of {trials} networks 1-{hidden}-1 (P = {parameters}), eps 2^-"
            f"{parameters + 3}",
            f"P < {claimed}: on average fewer than half of the targets |w| <= 1 are served",
            f"{served:.2e} of them are",
            parameters >= claimed or served >= 0.5,
            CAN_REFUTE,
        )

    def _beaten(self) -> Row:
        """A random linear network 1-6-6-1 with P = 48 that serves every |w| <= 1 at eps 2^-27.

        Its middle weights are random signs times 1 (ten of them), 1/2, 1/4, ..., 2^-26; the outer
        weights are 1. Subset sums of magnitudes that are complete (each at most the sum of the
        smaller ones and one step) reach every step between the two extremes.
        """
        steps, error = 26, Fraction(1, 1 << 27)
        parameters = 6 * 6 + 12
        claimed = 2 * self.bound.real(epsilon=error, d=1)
        sizes = np.array([1 << steps] * 10 + [1 << (steps - k) for k in range(1, 27)], np.int64)
        good, trials = 0, 100
        for seed in range(trials):
            words = philox.words(seed, philox.stream("check", "lower doubled"), 0, sizes.size)
            good += serves_unit_interval(sizes * SignedConstant(1.0).units(words), 1 << steps)
        return Row(
            "construction",
            f"false on purpose: the bound doubled, d 1, eps {float(error):.2g}",
            f"no network with P < {claimed:.4g} serves all |w| <= 1 with probability 1/2",
            f"random linear networks 1-6-6-1, P = {parameters}: {good} of {trials} do, exactly",
            2 * good > trials and parameters < claimed,
            SHOWS_CASE,
        )


def serves_unit_interval(weights: NDArray[np.int64], one: int) -> bool:
    """Whether subset sums of integer `weights` reach every integer in [-one, one].

    Sufficient and checked exactly: the magnitudes are complete (sorted, each is at most 1 + the
    sum of the smaller ones), and the negative and positive parts reach the ends. Then the sums
    are all integers between the two: a subset sum is minus the negative part plus a subset sum of
    the magnitudes.
    """
    total = 0
    for size in sorted(abs(int(w)) for w in weights):
        if size > total + 1:
            return False
        total += size
    negative = -int(weights[weights < 0].sum())
    return negative >= one and total - negative >= one


def _served(a: NDArray[np.int64], b: NDArray[np.int64], error: float) -> float:
    """The fraction of |w| <= 1 whose map x -> w x some mask gives to `error` on [-1, 1]."""

    def sums(group: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros(1)
        for x in group:
            found = np.concatenate([found, found + x])
        return found

    products = (a * b).astype(np.float64) * 2.0**-48
    plus, minus = sums(products[a > 0]), sums(products[a < 0])
    middle = (plus[:, None] + minus) / 2
    room = error - abs(plus[:, None] - minus) / 2
    low = np.clip((middle - room)[room > 0], -1, 1)
    high = np.clip((middle + room)[room > 0], -1, 1)
    order = np.argsort(low)
    low, high = low[order], np.maximum.accumulate(high[order])
    starts = np.maximum(low, np.concatenate([[-1.0], high[:-1]]))
    return float(np.maximum(high - starts, 0.0).sum() / 2)


def _packing() -> tuple[bool, str]:
    worst = float("inf")
    for k in range(1, 200):
        error = Fraction(1, 2 * k + 1) if k % 2 else Fraction(1, 3 * k)
        points = int(2 / (2 * error)) + 1
        points -= (points - 1) * 2 * error == 2  # pairwise distances must exceed 2 eps
        worst = min(worst, float(points * 2 * error))
    return worst >= 1, f"least ratio {worst:.3g} over 199 accuracies"
