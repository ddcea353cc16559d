"""R1 by dynamic programming: the theorem's kind, and its certificate."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from strongticket.bounds import rational
from strongticket.errors import InputError
from strongticket.theorems import _dynamic_program, _restated
from strongticket.theorems._evidence import RECOMPUTES, SHOWS_CASES, Effort, Row, algebra, failures
from strongticket.theorems._sampling import SamplingTheorem

GRID = Fraction(1, 1 << 24)


def certificate(accuracy: float | Fraction, cells: int = _dynamic_program.CELLS) -> Iterator[float]:
    """Upper bounds on the failure probability of R1's event after 0, 1, 2, ... samples.

    U[-1, 1] on the grid, all real |z| <= 1/2 within `accuracy`; every number rounded outward.
    """
    return (bound for bound, _ in _dynamic_program.failure_curve(*_problem(accuracy), cells))


def _problem(accuracy: float | Fraction) -> tuple[float, float, _dynamic_program.Drift]:
    """Start, goal and drift of R1's recursion, the accuracy rounded down to a multiple a 2^-24."""
    exact = rational(accuracy, "the accuracy")
    if not GRID <= exact <= Fraction(1, 2):
        raise InputError(f"the accuracy must lie in [2^-24, 1/2], got {accuracy!r}")
    steps = math.floor(exact / GRID)  # D1: start >= a 2^-24, goal >= a 2^-25; both exact floats
    return float(steps * GRID), float(steps * GRID / 2), _drift


def _drift(v: _dynamic_program.Floats) -> _dynamic_program.Floats:
    return 0.5 * v * (1 - v)


@functools.lru_cache(maxsize=64)
def certified_length(eta: float | Fraction, delta: float | Fraction) -> int:
    """The least n at which the certificate for accuracy eta is at most delta."""
    return _dynamic_program.least_length(certificate(eta), delta)


@dataclass(frozen=True, kw_only=True)
class DynamicProgram(SamplingTheorem):
    """R1 with its failure probability bounded step by step instead of in closed form."""

    closed_form: SamplingTheorem

    def width(self, eta: float | Fraction, delta: float | Fraction) -> int:
        """The least n at which the certificate is at most delta."""
        self.require(eta=eta, delta=delta, **dict(self.setting))
        return self.bound(eta=eta, delta=delta)

    def failure(self, n: int, eta: float | Fraction) -> float:
        """The certificate after n samples."""
        return next(itertools.islice(certificate(eta), n, None))

    def restated_rows(self) -> Iterator[Row]:
        """The reach; and that the width is where the certificate first falls to delta."""
        name = "the targets are those of the statement"
        yield algebra(name, _restated.same_reach(self.restated, self.reach), RECOMPUTES)
        name = "the width is the least n with a certificate <= delta"
        yield algebra(name, self._first(), SHOWS_CASES)

    def _first(self) -> tuple[bool, str]:
        cases = list(itertools.product((0.1, 0.01), (0.5, 0.01)))
        for eta, delta in cases:
            n = self.width(eta, delta)
            before, at = itertools.islice(certificate(eta), n - 1, n + 1)
            if not at <= delta < before:
                return False, f"eta {eta:g}, delta {delta:g}: n = {n} is not the least"
        return True, f"the least in {len(cases)} cases"

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the certificate between closed form and experiment."""
        yield from super().rows(effort, false_width)
        if false_width:
            return
        below = self._below_closed_form(effort)
        yield algebra("never above the closed form of R1", below, SHOWS_CASES)
        outward = _restated.outward_tables(
            lambda eta: _dynamic_program.failure_curve(*_problem(eta), cells=24),
            effort.pick(10, 25),
        )
        yield algebra("every table rounded outward, from the right start", outward, RECOMPUTES)
        accuracy, trials = 0.05, effort.trials(200, 1000)
        lengths = list(self.shortest(trials, 40, accuracy, seed=5))
        for n in (17, 21, 25):
            failed = sum(least is None or least > n for least in lengths)
            name = f"eta {accuracy:g}: failures after n = {n}"
            yield failures(name, self.failure(n, accuracy), failed, trials)

    def _below_closed_form(self, effort: Effort) -> tuple[bool, str]:
        most = -float("inf")
        for accuracy in self.extremal["eta"][: effort.pick(1, 99)]:
            bounds = list(itertools.islice(certificate(accuracy), 90))
            for n, bound in enumerate(bounds):
                most = max(most, bound - min(1.0, self.closed_form.failure(n, accuracy)))
        return most <= 0, f"largest excess {most:.2g}"
