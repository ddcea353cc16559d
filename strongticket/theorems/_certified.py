"""R1 by dynamic programming: the theorem's kind, and its certificate."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from strongticket.errors import InputError
from strongticket.theorems import _dynamic_program
from strongticket.theorems._evidence import Effort, Row, algebra, failures
from strongticket.theorems._sampling import SamplingTheorem


def certificate(accuracy: float, cells: int = _dynamic_program.CELLS) -> Iterator[float]:
    """Upper bounds on the failure probability of R1's event after 0, 1, 2, ... samples.

    U[-1, 1] on the grid, all real |z| <= 1/2 within `accuracy`; every number rounded outward.
    """
    if not 2**-24 <= accuracy <= 0.5:
        raise InputError(f"the accuracy must lie in [2^-24, 1/2], got {accuracy!r}")
    # On the grid accuracy is rounded down to a * 2^-24: start >= a 2^-24, goal >= a 2^-25.
    steps = int(Fraction(accuracy) * (1 << 24))
    start, goal = steps / float(1 << 24), steps / float(1 << 25)
    return _dynamic_program.failure_curve(start, goal, lambda v: 0.5 * v * (1 - v), cells)


@functools.lru_cache(maxsize=64)
def certified_length(eta: float | Fraction, delta: float | Fraction) -> int:
    """The least n at which the certificate for accuracy eta is at most delta."""
    return _dynamic_program.least_length(certificate(float(eta)), float(delta))


@dataclass(frozen=True, kw_only=True)
class DynamicProgram(SamplingTheorem):
    """R1 with its failure probability bounded step by step instead of in closed form."""

    closed_form: SamplingTheorem

    def width(self, eta: float, delta: float) -> int:
        """The least n at which the certificate is at most delta."""
        self.require(eta=eta, delta=delta, **dict(self.setting))
        return self.bound(eta=eta, delta=delta)

    def failure(self, n: int, eta: float) -> float:
        """The certificate after n samples."""
        return next(itertools.islice(certificate(eta), n, None))

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the certificate between closed form and experiment."""
        yield from super().rows(effort, false_width)
        if false_width:
            return
        yield algebra("never above the closed form of R1", self._below_closed_form(effort))
        accuracy, trials = 0.05, effort.pick(200, 1000)
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
