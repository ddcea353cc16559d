r"""Log-uniform samples and the golden-ratio greedy: how many serve all targets at once.

With scale s, :math:`\gamma = (\sqrt5 - 1)/2` and k digits: targets :math:`|w| \le s/\gamma`,
accuracy :math:`s\gamma^{k-1}`, samples log-uniform in :math:`[s\gamma^k, s]`, bins
:math:`[s\gamma^{i+1}, s\gamma^i]` of either sign.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import rational
from strongticket.construct._golden import edges, greedy, worst_residual
from strongticket.laws import LogUniform
from strongticket.theorems._algebra import Finding
from strongticket.theorems._coverage import doubled_radius, subset_sums
from strongticket.theorems._evidence import (
    PROVES,
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

Ints = NDArray[np.int64]
MOST = 30  # digits for which the grid's loss is stated and counted
UNIT = 1 << 24


def below_power(ratio: Fraction, i: int) -> bool:
    r"""Whether :math:`\gamma^i \le` ratio, exactly: (-gamma)^i = (L_i - F_i sqrt 5)/2."""
    fibonacci, lucas = (0, 1), (2, 1)
    for _ in range(i):
        fibonacci, lucas = (fibonacci[1], sum(fibonacci)), (lucas[1], sum(lucas))
    square = 5 * fibonacci[0] ** 2
    if i % 2:
        return square <= (lucas[0] + 2 * ratio) ** 2 if ratio > 0 else False
    rest = lucas[0] - 2 * ratio
    return rest <= 0 or rest**2 <= square


def least_digits(ratio: Fraction) -> int | None:
    r"""The least k with :math:`\gamma^{k-1} \le` ratio; None where it exceeds 30."""
    return next((k for k in range(1, MOST + 1) if below_power(ratio, k - 1)), None)


def covered(weight: Fraction, scale: float) -> bool:
    r"""Whether :math:`|w| \le s/\gamma`: (2 |w|/s - 1)^2 <= 5."""
    twice = 2 * abs(weight) / Fraction(scale) - 1
    return twice <= 0 or twice**2 <= 5


def cells(k: int) -> int:
    r"""The range of the law, in 1024ths of an octave: the least that reaches :math:`\gamma^k`."""
    exact = sympy.N(1024 * k * sympy.log((1 + sympy.sqrt(5)) / 2, 2), 40)
    return math.ceil(Fraction(str(exact)))


@dataclass(frozen=True, kw_only=True)
class GoldenSampling(Theorem):
    """All targets at once, by one greedy, from log-uniform samples of scale 1."""

    def digits(self, eta: float | Fraction) -> int:
        """The least number k of digits for the accuracy eta."""
        self.require(eta=eta)
        k = least_digits(rational(eta))
        assert k is not None
        return k

    def width(self, eta: float | Fraction, delta: float | Fraction) -> int:
        """How many samples suffice for accuracy eta with failure at most delta."""
        self.require(delta=delta)
        return self.bound(k=self.digits(eta), delta=delta)

    def sample(self, trials: int, n: int, k: int, seed: int) -> Ints:
        """Integer samples (trials, n) of the law for k digits; unit * 2^-24 is a weight."""
        words = philox.words(seed, philox.stream("check", f"golden {k}"), 0, trials * n)
        return LogUniform(1.0, cells(k)).units(words).astype(np.int64).reshape(trials, n)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, exact counts of words, the greedy at extremal targets, failures, growth."""
        if false_width:
            yield from self._false_rows(effort)
            return
        name = "gamma^2 + gamma = 1: a digit taken leaves at most the next power"
        yield algebra(name, _golden(), PROVES)
        name = "every signed bin has probability >= (1 - tau)/(2k): all words counted"
        yield algebra(name, bins_counted(range(1, MOST + 1, effort.pick(6, 1))), PROVES)
        name = "the width is the least n with 2k exp(-n (1 - tau)/(2k)) <= delta"
        yield algebra(name, self._least(), RECOMPUTES)
        yield self._construction()
        for eta, delta in itertools.product(self.extremal["eta"], self.extremal["delta"]):
            yield from self._failures(eta, delta, effort.trials(200, 2000))
        yield self.scaling(effort)

    def _least(self) -> Finding:
        log, cases = intervals().log, 0
        for k, delta in itertools.product((1, 2, 7, 30), (0.99, 0.5, 0.01, 1e-12)):
            n, tau = self.bound(k=k, delta=delta), _loss(k)
            need = 2 * k * log(interval(Fraction(2 * k) / Fraction(delta)))
            if not ((n * (1 - tau) - need).a >= 0 > ((n - 1) * (1 - tau) - need).b):
                return False, f"n = {n} is not the least for k = {k}, delta = {delta:g}"
            cases += 1
        return True, f"the least in {cases} cases"

    def _construction(self) -> Row:
        """One sample at the claimed width, and the greedy at extremal targets."""
        eta, delta = self.extremal["eta"][-1], self.extremal["delta"][-1]
        k = self.digits(eta)
        n, most = self.width(eta, delta), most_goal()
        goals = np.array([0, 1, UNIT >> 1, UNIT - 1, UNIT, UNIT + 1, most - 1, most], np.int64)
        goals = np.concatenate([goals, edges(k)])
        worst = 0
        for side in (1, -1):
            samples = np.tile(side * self.sample(1, n, k, seed=2), (goals.size, 1))
            mask, _ = greedy(samples, goals, k)
            worst = max(worst, int(np.abs(goals - (mask * samples).sum(1)).max()))
        return Row(
            "construction",
            f"eta {eta:g}: the greedy at {2 * goals.size} extremal targets, n = {n}",
            f"error at most {eta:g}",
            f"largest exact error {worst / UNIT:.3g}",
            worst > eta * UNIT,
            SHOWS_CASE,
        )

    def _failures(self, eta: float, delta: float, trials: int) -> Iterator[Row]:
        """Targets left unserved; and bins left empty, where the union bound is nearly sharp."""
        k, n = self.digits(eta), self.width(eta, delta)
        samples = self.sample(trials, n, k, seed=1)
        bins = first_hits(samples, k)
        name = f"eta {eta:g}, delta {delta:g}: n = {n}, a signed bin without a sample"
        yield failures(name, delta, int((bins >= n).any(1).sum()), trials)
        failed = sum(
            max(served(part, k), served(-part, k)) > eta * UNIT for part in samples[:trials]
        )
        name = f"eta {eta:g}, delta {delta:g}: n = {n}, all targets at once"
        yield failures(name, delta, failed, trials)

    def scaling(self, effort: Effort) -> Row:
        """The samples read until every signed bin has one, beside the claim at delta = 1/2."""
        x, y = [], []
        for k in (4, 8, 16, 24) if effort.quick else (4, 8, 12, 16, 20, 24):
            claimed = self.bound(k=k, delta=0.5)
            samples = self.sample(effort.trials(60, 300), 8 * claimed, k, seed=3)
            x.append(float(claimed))
            y.append(first_hits(samples, k).max(1) + 1.0)
        return slope("samples until all 2k bins are hit, per 2k ln(4k)", x, y, 1.0, least=0.5)

    def _false_rows(self, effort: Effort) -> Iterator[Row]:
        """Fewer samples than there are targets to tell apart."""
        for eta in self.extremal["eta"][: effort.pick(1, 99)]:
            k, accuracy, most = self.digits(eta), int(eta * UNIT), most_goal()
            n = max(1, (most // (accuracy + 1)).bit_length() - 1)  # 2^n eta < s/gamma
            trials = effort.trials(40, 200)
            failed = sum(
                doubled_radius(subset_sums(sample), -most, most) > 2 * accuracy
                for sample in self.sample(trials, n, k, seed=4)
            )
            delta = self.extremal["delta"][-1]
            yield failures(
                f"false on purpose, eta {eta:g}: n = {n}, below the counting bound",
                delta,
                failed,
                trials,
            )


def most_goal() -> int:
    """floor(2^24 / gamma): the largest integer target at scale 1; 1/gamma = (1 + sqrt 5)/2."""
    return (UNIT + math.isqrt(5 * UNIT**2)) // 2


def served(sample: Ints, k: int) -> int:
    """The largest residual of the greedy over all targets of one sign; exact."""
    digit = np.searchsorted(np.array(edges(k)[::-1]), sample)
    return worst_residual(sample[np.argsort(-digit, kind="stable")], most_goal())


def first_hits(samples: Ints, k: int) -> Ints:
    """(trials, 2k): the first sample in each signed bin; n where there is none."""
    trials, n = samples.shape
    bins = np.array(edges(k)[::-1])
    inside = np.abs(samples) > bins[0]
    digit = np.searchsorted(bins, np.abs(samples)) - 1 + k * (samples < 0)
    found = np.full((trials, 2 * k), n)
    rows, at = np.nonzero(inside)
    np.minimum.at(found, (rows, digit[rows, at]), at)
    return found


def bins_counted(digits: range) -> Finding:
    """The least probability of a signed bin, by counting words, against (1 - tau)/(2k)."""
    nearest = 0.0
    for k in digits:
        law, found = LogUniform(1.0, cells(k)), edges(k)
        least = min(law.count(low + 1, high) for high, low in itertools.pairwise(found))
        loss = 1 - 2 * k * Fraction(least, 1 << 32)
        if not interval(loss).b <= _loss(k).a:
            return False, f"k = {k}: a bin loses {float(loss):.3g}"
        nearest = max(nearest, float(loss) / float(_loss(k).b))
    return True, f"{len(digits)} numbers of digits up to {digits[-1]}, at most {nearest:.2g} tau"


def _loss(k: int) -> Any:
    """The loss tau = 2^-12 + 2^-23 phi^k, an interval."""
    root = intervals().sqrt(interval(5))
    return interval(Fraction(1, 4096)) + ((1 + root) / 2) ** k / 2**23


def _golden() -> Finding:
    gamma = (sympy.sqrt(5) - 1) / 2
    powers = [sympy.simplify(gamma**i - gamma ** (i + 2) - gamma ** (i + 1)) for i in range(5)]
    return not any(powers), "exactly, in Q(sqrt 5)"


def too_fine(ratio: Fraction) -> str | None:
    """Why an accuracy, in units of the scale, is beyond 30 digits; None where it is not."""
    if least_digits(ratio) is not None:
        return None
    return (
        f"an accuracy of {float(ratio):.3g} of the scale needs more than {MOST} golden digits on "
        f"the 24-bit grid; the finest is about {((5**0.5 - 1) / 2) ** (MOST - 1):.4g}"
    )
