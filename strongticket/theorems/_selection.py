"""Pruning whole neurons as an average of random features: selecting small output weights.

Both theorems here rest on one lemma (docs/theorems/proofs.md, "Selecting neurons"): for features of
magnitude at most B and coefficients of magnitude at most C, the selected neurons of a random
network miss the mean predictor of n blocks of k_0 neurons by more than t + beta with probability
at most 2 m exp(-t^2 / (2 (V + B tau t / 3))).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import Bound
from strongticket.laws import Uniform
from strongticket.optimal import select_neurons
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    IDENTITIES,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
    slope,
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


@dataclass(frozen=True, kw_only=True)
class Features(Selection):
    """n blocks of k_0 random features with bounded coefficients become one pruned network."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, a network at the stated width, failures over seeds, growth with 1/t."""
        if false_width:
            yield self._single_block(effort)
            return
        yield self._identities()
        cases = []
        for i, accuracy in enumerate((Fraction(1, 4), Fraction(1, 100), Fraction(1, 2000))):
            for scale in (Fraction(1, 1 << (5 + 7 * i)), Fraction(1, 1 << (9 + 7 * i))):
                given = (Fraction(3, 2), Fraction(2), 5, 7, Fraction(1, 10), accuracy, scale)
                names = ("B", "C", "k_0", "m", "delta", "t", "s")
                values: Values = dict(zip(names, given, strict=True))
                cases.append((self.bound(**values), given))
        yield self.bernstein(cases)
        yield self._converse()
        for accuracy in (Fraction(1, 4), Fraction(1, 16))[: effort.pick(1, 2)]:
            yield self._built(accuracy)
        yield self._seeds(effort.pick(40, 400))
        yield self._growth(effort.pick(16, 60))

    def _case(self, accuracy: Fraction, probability: Fraction) -> tuple[Case, int]:
        """The single neuron relu(x_1 - x_2) on five points of the plane, k_0 = 4, C = 1/2."""
        points = np.array([[16, 0], [8, -8], [-8, 8], [0, -16], [4, 12]], np.int64)
        labels = tuple(Fraction(max(int(a - b), 0), 32) for a, b in points)
        values: Values = {
            "B": Fraction(1),
            "C": Fraction(1, 2),
            "k_0": 4,
            "m": len(points),
            "t": accuracy,
            "delta": probability,
        }
        scale = self.best_scale(**values)
        return Case(points, labels, 4, Fraction(1, 2), accuracy, scale), self.width(
            **values, s=scale
        )

    @staticmethod
    def _coefficients(case: Case, features: Integers) -> tuple[Any, list[Fraction]]:
        """For every block coefficients within [-C, C], multiples of 2^-10; and their exact losses.

        They come from a ridge regression; the theorem takes any.
        """
        blocks = features.reshape(-1, case.per_block, features.shape[1])
        z = blocks * 2.0**-28
        y = np.array([float(v) for v in case.labels])
        gram = np.einsum("bim,bjm->bij", z, z) + 0.05 * np.eye(case.per_block)
        best = np.linalg.solve(gram, np.einsum("bim,m->bi", z, y)[..., None])[..., 0]
        units = np.rint(np.clip(best, -0.5, 0.5) * 1024).astype(np.int64)
        made = np.einsum("bi,bim->bm", units, blocks)  # times 2^-38, below 2^42
        goal = np.array([int(v * (1 << 38)) for v in case.labels], np.int64)
        worst = np.abs(goal - made).max(axis=1)
        return (units / 1024).reshape(-1), [Fraction(int(v), 1 << 38) for v in worst]

    def _pruned(self, accuracy: Fraction, probability: Fraction, seed: int, blocks: int = 0) -> Any:
        """(worst residual, what is claimed for it, blocks, the random features' mean loss)."""
        case, stated = self._case(accuracy, probability)
        n = blocks or stated
        features = case.features(n * case.per_block, seed)
        coefficients, losses = self._coefficients(case, features)
        mean = sum(losses, Fraction(0)) / n
        outputs = case.outputs(features, coefficients, n, seed)
        return case.worst(outputs), mean + accuracy + case.slack(n), n, mean

    def _built(self, accuracy: Fraction) -> Row:
        found, claimed, n, mean = self._pruned(accuracy, Fraction(1, 100), seed=1)
        return Row(
            "construction",
            f"single neuron, t = {accuracy}, delta 0.01: {n} blocks of 4 neurons, pruned",
            f"worst residual at most {float(mean):.4f} + t + beta = {float(claimed):.4f}",
            f"{float(found):.4f}, exactly; random features {float(mean):.4f} on average",
            found > claimed,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        failed = 0
        for seed in range(trials):
            found, claimed, n, _ = self._pruned(Fraction(1, 4), Fraction(1, 2), seed=seed)
            failed += found > claimed
        return failures(f"t = 1/4, delta 0.5: {n} blocks, one network a seed", 0.5, failed, trials)

    def _growth(self, trials: int) -> Row:
        """The least power of two of blocks from which on the rule reaches t."""
        accuracies = [Fraction(1, 1 << k) for k in (3, 4, 5)]
        least: list[list[float]] = [[] for _ in accuracies]
        for seed in range(trials):
            errors = []
            for power in range(3, 13):
                base, _ = self._case(Fraction(1, 4), Fraction(1, 2))
                n = 1 << power
                case = Case(base.points, base.labels, 4, base.limit, Fraction(0), Fraction(2, n))
                features = case.features(4 * n, seed)
                c, _ = self._coefficients(case, features)
                goal = features.T @ np.rint(c * 1024).astype(np.int64)
                made = case.outputs(features, c, n, seed)
                pairs = zip(made, goal.tolist(), strict=True)
                errors.append(max(abs(a - Fraction(b, n << 38)) for a, b in pairs))
            for found, accuracy in zip(least, accuracies, strict=True):
                late = [i for i, error in enumerate(errors) if error > accuracy]
                found.append(float(3 + (late[-1] + 1 if late else 0)))
        return slope(
            "log2 of the blocks that reach t by the rule, against log2(1/t)", [3, 4, 5], least, 2.0
        )

    @staticmethod
    def _converse() -> Row:
        """A neuron mask is a random-feature predictor with coefficients 0 or u_j."""
        from strongticket.optimal import Loss, OneHidden, masked_loss
        from strongticket.tickets import Mask

        random = np.random.default_rng(0)
        equal = 0
        for _ in range(50):
            w, u = random.integers(-9, 10, (4, 2)), random.integers(-9, 10, 4)
            x, y = random.integers(-9, 10, (5, 2)), random.integers(-9, 10, 5)
            kept = random.random(4) < 0.5
            mask = Mask.dense(
                {
                    "layers.0.weight": np.repeat(kept[:, None], 2, axis=1),
                    "layers.1.weight": kept[None, :],
                }
            )
            one = masked_loss(OneHidden(w, u), mask, x, y, Loss.WORST_CASE)
            equal += one == masked_loss(OneHidden(w, u * kept), Mask({}), x, y, Loss.WORST_CASE)
        name = "conversely, a neuron mask is random features with coefficients 0 or u_j"
        return algebra(name, (equal == 50, f"{equal} of 50 masks, exactly"), SHOWS_CASE)

    def _single_block(self, effort: Effort) -> Row:
        """One block of 4 neurons has 16 masks; none of them comes within eps + t."""
        accuracy, trials, failed = Fraction(1, 16), effort.pick(60, 300), 0
        for seed in range(trials):
            case, _ = self._case(accuracy, Fraction(1, 100))
            case = Case(case.points, case.labels, 4, case.limit, accuracy, Fraction(1))
            features = case.features(4, seed)
            _, (loss,) = self._coefficients(case, features)
            units = draw(seed, "output", (4,))
            kept = (np.arange(16)[:, None] >> np.arange(4)) & 1
            sums = (kept * units) @ features
            best = min(case.worst([Fraction(int(v), 1 << 52) for v in row]) for row in sums)
            failed += best > loss + accuracy + case.slack(1)
        name = "false on purpose, t = 1/16, delta 0.01: one block, best of all 16 masks"
        return failures(name, 0.01, failed, trials, CAN_REFUTE)


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
        trials, failed = effort.pick(20, 100), 0
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


BLOCKS_STEEP = steepness(C, k_0, delta)
SAMPLES_LIMIT = 2 * B * m * Y / lam
SAMPLES_STEEP = steepness(SAMPLES_LIMIT, 1, delta / 2)


def blocks_bound() -> Bound:
    """n, for `Features`."""
    value = least_blocks(C, BLOCKS_STEEP)
    return Bound(
        "n",
        value,
        "sufficient",
        domain=(sympy.Le(delta, 1), sympy.Le(s * BLOCKS_STEEP, MOST_STEPS)),
        meanings=(
            ("B", "largest value of a feature at a sample point"),
            ("C", "largest magnitude of a coefficient"),
            ("k_0", "random features of a block"),
            ("m", "sample points"),
            ("t", "what pruning may add to the loss"),
            ("delta", "failure probability of the random output weights"),
            ("s", "scale of the law of the output weights"),
        ),
    )


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
