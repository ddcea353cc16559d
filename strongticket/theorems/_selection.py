"""Pruning whole neurons as an average of random features: selecting small output weights.

Both theorems here rest on one lemma (docs/theorems/proofs.md, "Selecting neurons"): for features of
magnitude at most B and coefficients of magnitude at most C, the selected neurons of a random
network miss the mean predictor of n blocks of k_0 neurons by more than t + beta with probability
at most 2 m exp(-t^2 / (2 (V + B tau t / 3))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.laws import Uniform
from strongticket.optimal import select_neurons
from strongticket.theorems._evidence import (
    IDENTITIES,
    RECOMPUTES,
    Row,
    algebra,
)
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._theorem import Theorem

Integers = NDArray[np.int64]
Values = dict[str, float | Fraction]
GRID = 24
ROUNDING = 1 + sympy.Rational(1, 1 << 10)  # more than the grid adds to the variance

B, C, Y, s, t, delta, lam = sympy.symbols("B C Y s t delta lambda", positive=True)
m, k_0 = sympy.symbols("m k_0", positive=True, integer=True)


MOST_STEPS = 5000  # s K: where the grid adds less than ROUNDING to the variance


def steepness(limit: Any, per_block: Any, probability: Any) -> Any:
    """K: Bernstein's inequality gives accuracy t where sqrt(s C / n) <= 1 / K."""
    logarithm = ROUNDING * sympy.log(2 * m / probability)
    return 4 * B * logarithm * (2 * per_block * B * limit + t) / (3 * t**2)


def least_blocks(limit: Any, steep: Any) -> Any:
    """The number n of blocks; at least 4 C / s, so that no output weight is too small."""
    return sympy.Max(4 * limit / s, s * limit * steep**2)


def draw(seed: int, name: str, shape: tuple[int, ...]) -> Integers:
    """Odd integers in (-2^24, 2^24), all equally likely: the toolkit's grid."""
    words = philox.words(seed, philox.stream("check", f"malach {name}"), 0, math.prod(shape))
    return Uniform().units(words).astype(np.int64).reshape(shape)


def exact_sums(products: Integers) -> list[int]:
    """Column sums of int64 numbers, which may not fit int64."""
    high = (products >> 20).sum(axis=0)
    low = (products & ((1 << 20) - 1)).sum(axis=0)
    return [(int(a) << 20) + int(b) for a, b in zip(high, low, strict=True)]


@dataclass(frozen=True)
class Case:
    """Exact numbers of one check: m points of 1-norm at most 1 (so B = 1), labels, coefficients.

    Attributes:
        points: (m, d) integers; a point is 2^-4 times them.
        labels: (m,) Fractions.
        per_block: k_0.
        limit: C.
        accuracy: t.
        scale: s, a power of two.
    """

    points: Integers
    labels: tuple[Fraction, ...]
    per_block: int
    limit: Fraction
    accuracy: Fraction
    scale: Fraction

    def features(self, neurons: int, seed: int) -> Integers:
        """(neurons, m): the features of a random first layer, times 2^28."""
        first = draw(seed, "first", (neurons, self.points.shape[1]))
        return np.asarray(np.maximum(first @ self.points.T, 0), np.int64)

    def slack(self, blocks: int) -> Fraction:
        """Beta: what the grid may add, 2^-22 k_0 B sqrt(n s C), rounded up."""
        square = blocks * self.scale * self.limit
        root = Fraction(math.isqrt(math.ceil(square * (1 << 60))) + 1, 1 << 30)
        return root * self.per_block / (1 << 22)

    def outputs(self, features: Integers, coefficients: Any, blocks: int, seed: int) -> Any:
        """The outputs of the network pruned by the proof's rule, exactly."""
        units = draw(seed, "output", (len(features),))
        scale = float(self.scale)
        chosen = select_neurons(
            units * (scale * 2.0**-24), coefficients, blocks=blocks, scale=scale
        )
        sums = exact_sums(features[chosen] * units[chosen, None])
        return [v * self.scale / (1 << (2 * GRID + 4)) for v in sums]

    def worst(self, outputs: Any) -> Fraction:
        """The largest residual."""
        return Fraction(max(abs(y - f) for y, f in zip(self.labels, outputs, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Selection(Theorem):
    """Common to both theorems: the width as a number, and what Bernstein's inequality needs.

    Attributes:
        steep: K, a sympy expression.
    """

    steep: Any

    def width(self, **values: float | Fraction) -> int:
        """The number of blocks (or of neurons), every hypothesis tested."""
        self.require(**{k: v for k, v in values.items() if k in self._known()})
        return self.bound(**values)

    def _known(self) -> set[str]:
        return {name for hypothesis in self.hypotheses for name in hypothesis.names}

    def best_scale(self, **values: float | Fraction) -> Fraction:
        """The greatest power of two, at most 1, with s <= 2 / K: about the fewest neurons."""
        table = {sym: values[sym.name] for sym in self.steep.free_symbols}
        return Fraction(1, 1 << max(0, math.ceil(math.log2(float(self.steep.subs(table)) / 2))))

    def _identities(self) -> Row:
        i, r = sympy.symbols("i r", integer=True, positive=True)
        first = sympy.summation(2 * i - 1, (i, 1, r)) - r**2
        second = sympy.summation((2 * i - 1) ** 2, (i, 1, r)) - r * (4 * r**2 - 1) / 3
        rho = sympy.Symbol("rho", positive=True)
        most = sympy.expand(
            sympy.Rational(4, 3) * (rho + 1) ** 3 - (rho + 1) * (4 * (rho + 1) ** 2 - 1) / 3
        )
        holds = sympy.simplify(first) == 0 == sympy.simplify(second)
        holds &= bool(sympy.simplify(most - (rho + 1) / 3) == 0)
        measured = "sum of odd numbers r^2, of their squares r(4r^2 - 1)/3 <= 4 (rho + 1)^3 / 3"
        return algebra("mean and square of a selected weight", (holds, measured), IDENTITIES)

    def bernstein(self, cases: Any) -> Row:
        """t^2 >= 2 ln(2m/delta) (V + B tau t / 3) at the stated n, and not at 1 % fewer."""
        log, sqrt = intervals().log, intervals().sqrt
        for n, (top, limit, per_block, points, probability, accuracy, scale) in cases:
            for blocks, wanted in ((n, True), (n * 99 // 100, False)):
                if not wanted and 4 * limit / scale >= n - 1:
                    continue  # the other condition decides there
                a = sqrt(interval(Fraction(scale) * limit / blocks))
                tau = 2 * (a + interval(Fraction(scale, 1 << 24)))
                variance = blocks * per_block * interval(top) ** 2 * tau**3 / (6 * interval(scale))
                need = 2 * log(interval(Fraction(2 * points) / probability))
                need *= variance + interval(top) * tau * interval(accuracy) / 3
                holds = bool((interval(accuracy) ** 2 - need).a >= 0)
                fails = bool((interval(accuracy) ** 2 - need).b < 0)
                if not (holds if wanted else fails):
                    return algebra(
                        self._name_of_bernstein, (False, f"n = {blocks} of {n}"), RECOMPUTES
                    )
        return algebra(self._name_of_bernstein, (True, f"{len(cases)} cases"), RECOMPUTES)

    _name_of_bernstein = "Bernstein's inequality gives t at the stated width, and not at 1 % less"
