"""Theorems on samples: n random weights, all targets of an interval, one subset sum each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import philox, subsetsum
from strongticket.bounds import Bound, rational
from strongticket.laws import Uniform
from strongticket.theorems._coverage import doubled_radius, least_prefix, subset_sums
from strongticket.theorems._evidence import (
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Inequality,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._restated import Restated, least_widths, same_reach
from strongticket.theorems._theorem import Theorem

Integers = NDArray[np.int64]
LONGEST_SOLVED = 24  # what the subset-sum solver takes at once


def exponential(
    quantity: str, prefactor: Any, ratio: Any, domain: tuple[Any, ...] = (), **rest: Any
) -> Bound:
    r"""The bound :math:`n \ge \ln(A/\delta) / (-\ln\rho)` of a failure bound :math:`A\rho^n`."""
    import sympy

    delta = sympy.Symbol("delta", positive=True)
    domain = (*domain, sympy.Gt(ratio, 0), sympy.Lt(ratio, 1), sympy.Le(delta, 1))
    value = sympy.log(prefactor / delta) / -sympy.log(ratio)
    return Bound(quantity, value, "sufficient", domain=domain, **rest)


@dataclass(frozen=True, kw_only=True)
class SamplingTheorem(Theorem):
    r"""P(some target of [-R, R] has no subset sum within eta) <= prefactor * ratio^n.

    Attributes:
        prefactor, ratio: sympy expressions; the bound on n is made of them.
        setting: Values of their symbols (but eta, delta) for weights of scale 1, at which the
            statement is checked.
        reach: From eta to R, for weights of scale 1.
        restated: The same claim, written out a second time.
        step: Accuracies are rounded down to a multiple of it; None where they need not be.
        gated: Whether a sample is the product b relu(a) of two weights, else one weight.
        inequalities: The displayed inequalities of the proof.
    """

    prefactor: Any
    ratio: Any
    setting: tuple[tuple[str, Fraction], ...]
    reach: Callable[[Fraction], Fraction]
    restated: Restated
    step: Fraction | None = None
    gated: bool = False
    inequalities: tuple[Inequality, ...] = ()

    def require(self, **values: Any) -> None:
        """Test the hypotheses for weights of scale 1, unless other lengths are given."""
        super().require(**{**dict(self.setting), **values})

    def width(self, eta: float | Fraction, delta: float | Fraction) -> int:
        """How many weights of scale 1 suffice for accuracy eta with failure at most delta."""
        self.require(eta=eta, delta=delta)
        return self.bound(eta=self._served(eta), delta=delta, **dict(self.setting))

    def failure(self, n: int, eta: float | Fraction) -> float:
        """The claimed bound on the failure probability of n weights; may exceed 1."""
        self.require(eta=eta)
        values = {**dict(self.setting), "eta": self._served(eta)}
        value = float(_number(self.prefactor, values) * _number(self.ratio, values) ** n)
        return math.nextafter(value * (1 + 2.0**-40), math.inf)

    def _served(self, eta: float | Fraction) -> Fraction:
        """The accuracy that the statement gives for eta, exactly."""
        exact = rational(eta)
        return exact if self.step is None else exact // self.step * self.step

    def sample(self, trials: int, n: int, seed: int) -> Integers:
        """Integer samples (trials, n): unit * 2^-24 is a weight, unit * 2^-48 a gated product."""

        def draw(name: str) -> Integers:
            words = philox.words(seed, philox.stream("check", name), 0, trials * n)
            return Uniform().units(words).astype(np.int64).reshape(trials, n)

        return draw("b") * np.maximum(draw("a"), 0) if self.gated else draw("a")

    @property
    def unit(self) -> int:
        """How many integer units make 1."""
        return 1 << (48 if self.gated else 24)

    def steps(self, eta: float) -> tuple[int, int]:
        """(eta, R) in integer units: eta rounded down, the interval rounded up."""
        exact = int(Fraction(eta) * self.unit)
        return exact, -int(-self.reach(Fraction(eta)) * self.unit // 1)

    def shortest(self, trials: int, n: int, eta: float, seed: int) -> list[int | None]:
        """For each trial the least prefix, up to n, that serves all targets (None: none does)."""
        accuracy, radius = self.steps(eta)
        return [
            least_prefix(sample, accuracy, -radius, radius)[0]
            for sample in self.sample(trials, n, seed)
        ]

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, construction, probability and scaling; or the refutation of a false width."""
        if false_width:
            yield from self._false_rows(effort)
            return
        yield from (inequality.row(effort) for inequality in self.inequalities)
        yield from self.restated_rows()
        yield self._construction()
        for eta in self.extremal["eta"][: effort.pick(2, 99)]:
            for delta in self.extremal["delta"]:
                n, trials = self.width(eta, delta), effort.trials(200, 1000)
                found = self.shortest(trials, n, eta, seed=1)
                failed = sum(least is None for least in found)
                name = f"eta {eta:g}, delta {delta:g}: n = {n}, all targets at once"
                yield failures(name, delta, failed, trials)
        yield self.scaling(effort)

    def restated_rows(self) -> Iterator[Row]:
        """The width and the reach beside the proof's statement, written out a second time."""
        name = "the width is the least n with A rho^n <= delta"
        yield algebra(name, least_widths(self.restated, self.width), RECOMPUTES)
        name = "the targets are those of the statement"
        yield algebra(name, same_reach(self.restated, self.reach), RECOMPUTES)

    def _construction(self) -> Row:
        """One sample at the claimed width, solved at the extremal targets, held exactly."""
        eta, delta = self.extremal["eta"][-1], self.extremal["delta"][-1]
        n = self.width(eta, delta)
        accuracy, radius = self.steps(eta)
        samples = self.sample(1, n, seed=2)[0]
        usable = samples[samples != 0][:LONGEST_SOLVED]
        goals = np.array([-radius, -radius // 2, -1, 0, accuracy, radius // 3, radius], np.int64)
        answer = nearest(np.tile(usable, (goals.size, 1)), goals)
        errors = np.abs((answer.mask * usable).sum(1) - goals)
        worst = int(errors.max())
        return Row(
            "construction",
            f"eta {eta:g}: {goals.size} extremal targets from the first {usable.size} of {n}",
            f"error at most {eta:g}",
            f"largest exact error {worst / self.unit:.3g}",
            worst > accuracy,
            SHOWS_CASE if usable.size == np.count_nonzero(samples) else CAN_REFUTE_SEARCH,
        )

    def scaling(self, effort: Effort) -> Row:
        """Growth of the least n that serves all targets, beside the claim's coefficient."""
        etas = [2.0**-k for k in (range(4, 8) if effort.quick else range(4, 11))]
        trials = effort.trials(100, 500)
        # A longer sample than the claim asks for is never needed: it is cut where it succeeds.
        lengths = [
            [
                float(k)
                for k in self.shortest(trials, self.width(eta, 1e-6), eta, 3)
                if k is not None
            ]
            for eta in etas
        ]
        claimed = (
            2
            * np.log(2)
            / -np.log(float(_number(self.ratio, {**dict(self.setting), "eta": etas[-1]})))
        )
        return slope(
            "least n that serves all targets, against log2(1/eta)",
            [float(np.log2(1 / eta)) for eta in etas],
            lengths,
            float(claimed),
            least=1.0,
        )

    def _false_rows(self, effort: Effort) -> Iterator[Row]:
        """Fewer weights than there are targets to tell apart: the claim must fail every time."""
        for eta in self.extremal["eta"][: effort.pick(1, 99)]:
            accuracy, radius = self.steps(eta)
            n = max(0, (radius // accuracy).bit_length() - 1)  # 2^n eta <= R
            if accuracy << n >= radius:
                n -= 1
            trials = effort.trials(40, 200)
            failed = 0
            for sample in self.sample(trials, max(n, 1), seed=4):
                sums = subset_sums(sample[:n])
                failed += doubled_radius(sums, -radius, radius) > 2 * accuracy
            delta = self.extremal["delta"][-1]
            yield failures(
                f"false on purpose, eta {eta:g}: n = {n}, below the counting bound",
                delta,
                failed,
                trials,
            )


def nearest(candidates: Integers, targets: Integers) -> subsetsum.Subsets:
    """`subsetsum.best` without compiled code, which takes longer to compile than a check runs."""
    return subsetsum.best(candidates, targets, backend="numpy")


def _number(expression: Any, values: dict[str, Any]) -> Any:
    """The value to 30 digits, as a sympy number: its exponent has no end."""
    import sympy

    table = {}
    for symbol in expression.free_symbols:
        exact = Fraction(values[symbol.name])
        table[symbol] = sympy.Rational(exact.numerator, exact.denominator)
    return sympy.N(expression, 30, subs=table)
