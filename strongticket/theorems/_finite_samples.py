"""Random neurons, pruned, fit finitely many labelled points."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy

from strongticket.bounds import Bound
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._selection import (
    MOST_STEPS,
    B,
    Case,
    Integers,
    Selection,
    Values,
    Y,
    delta,
    draw,
    exact_sums,
    lam,
    least_blocks,
    m,
    s,
    steepness,
)

SAMPLES_LIMIT = 2 * B * m * Y / lam
SAMPLES_STEEP = steepness(SAMPLES_LIMIT, 1, delta / 2)


def samples_bound() -> Bound:
    """k, for `Samples`."""
    concentrated = 2 * m**2 * B**4 / lam**2 * sympy.log(2 * m * (m + 1) / delta)
    value = sympy.Max(concentrated, least_blocks(SAMPLES_LIMIT, SAMPLES_STEEP))
    return Bound(
        "k",
        value,
        "sufficient",
        domain=(sympy.Le(delta, 1), sympy.Le(s * SAMPLES_STEEP, MOST_STEPS)),
        meanings=(
            ("B", "largest value of a feature at a sample point"),
            ("Y", "largest magnitude of a label"),
            ("m", "sample points"),
            ("lambda", "least eigenvalue of the matrix H of second moments of the features"),
            ("t", "accuracy at every sample point"),
            ("delta", "failure probability of the random network"),
            ("s", "scale of the law of the output weights"),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Samples(Selection):
    """k random neurons, pruned, fit m labelled points: coefficients from the Gram matrix."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, networks at the stated width, failures over seeds, the least width beside it."""
        if false_width:
            yield self._below_reach(effort)
            return
        yield self._identities()
        cases = []
        for accuracy, scale in (
            (Fraction(1, 8), Fraction(1, 1 << 12)),
            (Fraction(1, 50), Fraction(1, 1 << 10)),
        ):
            most, size, points, gap = Fraction(1), Fraction(1, 4), 3, Fraction(1, 6)
            given: Values = {
                "B": most,
                "Y": size,
                "m": points,
                "lambda": gap,
                "delta": Fraction(1, 10),
                "t": accuracy,
                "s": scale,
            }
            limit = 2 * most * points * size / gap
            wanted = (most, limit, 1, points, Fraction(1, 20), accuracy, Fraction(scale))
            cases.append((self.bound(**given), wanted))
        yield self.bernstein(cases)
        yield self._gram()
        for d in (1, 2)[: effort.pick(1, 2)]:
            yield self._built(d)
        yield self._seeds(effort.pick(20, 100))
        yield self._least(effort)

    @staticmethod
    def _points(d: int) -> Integers:
        """+-e_1, ..., +-e_d, times 16."""
        return np.concatenate([16 * np.eye(d, dtype=np.int64), -16 * np.eye(d, dtype=np.int64)])

    @staticmethod
    def least_eigenvalue(d: int) -> Fraction:
        """Of H for the points +-e_1, ..., +-e_d and weights on the grid, exactly (d = 1, 2)."""
        square = Fraction((1 << 48) - 1, 6 << 48)  # E relu(w)^2; E relu(w) = 1/4
        return square - (0 if d == 1 else Fraction(1, 8))

    def _gram(self) -> Row:
        """The matrices and eigenvalues of the cases that are built."""
        total = (1 << 24) * ((1 << 48) - 1) // 3  # sum of the squares of the odd numbers
        holds = total == sum_of_odd_squares(1 << 23) * 2
        for d in (1, 2):
            square = sympy.Rational((1 << 48) - 1, 6 << 48)
            gram = sympy.zeros(2 * d, 2 * d)
            for i in range(2 * d):
                for j in range(2 * d):
                    if i == j:
                        gram[i, j] = square
                    elif i % d != j % d:
                        gram[i, j] = sympy.Rational(1, 16)
            exact = self.least_eigenvalue(d)
            holds &= min(gram.eigenvals()) == sympy.Rational(exact.numerator, exact.denominator)
        name = "least eigenvalue of H for +-e_1 (1/6) and for +-e_1, +-e_2 (1/24), on the grid"
        return algebra(name, (bool(holds), "equal, in rationals"), RECOMPUTES)

    def _case(self, d: int, probability: Fraction) -> tuple[Case, int]:
        points = self._points(d)
        size, accuracy = Fraction(1, 4), Fraction(1, 8) if d == 1 else Fraction(3, 16)
        labels = tuple(size if i % 2 == 0 else -size for i in range(len(points)))
        values: Values = {
            "B": Fraction(1),
            "Y": size,
            "m": len(points),
            "lambda": self.least_eigenvalue(d),
            "t": accuracy,
            "delta": probability,
        }
        scale = self.best_scale(**values)
        limit = 2 * len(points) * size / self.least_eigenvalue(d)
        return Case(points, labels, 1, limit, accuracy, scale), self.width(**values, s=scale)

    @staticmethod
    def _fit(case: Case, neurons: int, seed: int) -> tuple[Fraction, bool]:
        """(worst residual of the proof's mask, whether the coefficients were within C)."""
        features = case.features(neurons, seed)
        z = features * 2.0**-28
        dual = np.linalg.solve(z.T @ z / neurons, np.array([float(v) for v in case.labels]))
        c = z @ dual
        within = bool(np.abs(c).max() <= float(case.limit))
        if not within:
            return Fraction(1 << 40), False
        return case.worst(case.outputs(features, c, neurons, seed)), True

    def _built(self, d: int) -> Row:
        case, k = self._case(d, Fraction(1, 10))
        found, within = self._fit(case, k, seed=1)
        claimed = case.accuracy + case.slack(k)
        return Row(
            "construction",
            f"{2 * d} points +-e_i, labels +-1/4, delta 0.1, s = {case.scale}: k = {k} neurons",
            f"all labels within t + beta = {float(claimed):.4f}",
            f"worst residual {float(found):.4f}, exactly" if within else "coefficients beyond C",
            found > claimed,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        case, k = self._case(1, Fraction(1, 2))
        allowed = case.accuracy + case.slack(k)
        failed = sum(self._fit(case, k, seed)[0] > allowed for seed in range(trials))
        name = f"2 points, delta 0.5: k = {k}, one network a seed"
        return failures(name, 0.5, failed, trials)

    def _least(self, effort: Effort) -> Row:
        """At scale 1: the least width at which some neuron mask fits, by all masks."""
        case, _ = self._case(1, Fraction(1, 2))
        given: Values = {"B": 1, "Y": Fraction(1, 4), "m": 2, "lambda": self.least_eigenvalue(1)}
        stated = self.width(**given, t=case.accuracy, delta=Fraction(1, 2), s=1)
        most, found = 14, []
        goals = np.array([int(y * (1 << 52)) for y in case.labels], np.int64)
        allowed = int(case.accuracy * (1 << 52))
        for seed in range(effort.pick(40, 200)):
            features, units = case.features(most, seed), draw(seed, "output", (most,))
            sums, least = np.zeros((1, 2), np.int64), math.inf
            for k in range(most):
                sums = np.concatenate([sums, sums + features[k] * units[k]])
                if (np.abs(sums - goals).max(axis=1) <= allowed).any():
                    least = k + 1
                    break
            found.append(least)
        middle = float(np.median(found))
        return Row(
            "scaling",
            f"2 points, t = {case.accuracy}, s = 1: least width of a fitting neuron mask",
            f"at most {stated:,} for half of the networks",
            f"median {middle:g}, by all masks of {len(found)} networks",
            middle > stated,
            CAN_REFUTE,
        )

    def _below_reach(self, effort: Effort) -> Row:
        """K s B < Y - t: even all neurons together do not reach the labels."""
        case, _ = self._case(1, Fraction(1, 10))
        k = math.ceil((Fraction(1, 4) - case.accuracy) / case.scale) - 1
        trials, failed = effort.trials(20, 100), 0
        for seed in range(trials):
            features, units = case.features(k, seed), draw(seed, "output", (k,))
            positive = np.maximum(units, 0)[:, None] * features  # the largest output there is
            reach = exact_sums(positive)[0] * case.scale / (1 << 52)
            failed += case.labels[0] - reach > case.accuracy + case.slack(k)
        name = f"false on purpose: k = {k}, below the reach of all neurons together"
        return failures(name, 0.1, failed, trials, CAN_REFUTE)


def sum_of_odd_squares(r: int) -> int:
    """1^2 + 3^2 + ... + (2r - 1)^2."""
    return r * (4 * r * r - 1) // 3
