"""The counting bound: its sharp sample, samples below it, and its double beaten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.theorems import _restated
from strongticket.theorems._coverage import doubled_radius, subset_sums
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    slope,
)
from strongticket.theorems._sampling import SamplingTheorem
from strongticket.theorems._theorem import Theorem


@dataclass(frozen=True, kw_only=True)
class Counting(Theorem):
    """2^n subset sums serve at most 2^n intervals of length 2 eta; `sampler` draws."""

    sampler: SamplingTheorem

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Below the bound nothing works; at it a chosen sample does; doubled it is beaten."""
        if false_width:
            yield self._beaten(effort)
            return
        yield algebra("a sample of n weights reaches R = (2^n - 1) eta", self._sharp(), SHOWS_CASES)
        least = _restated.counting(self.bound)
        yield algebra("the bound is the least n with 2^n eta >= R", least, RECOMPUTES)
        trials = effort.trials(200, 2000)
        for accuracy in self.extremal["eta"]:
            n = self.bound(eta=accuracy, R=Fraction(1, 2)) - 1
            good = sum(self._serves(x, accuracy) for x in self.sampler.sample(trials, n, seed=6))
            yield Row(
                "probability",
                f"eta {accuracy:g}: n = {n}, one below the bound",
                "no sample serves all targets",
                f"{good} of {trials} do",
                good > 0,
                CAN_REFUTE,
            )
        etas = [2.0**-k for k in (range(4, 8) if effort.quick else range(4, 11))]
        lengths = [
            [float(k or 0) for k in self.sampler.shortest(effort.pick(30, 200), 40, e, seed=7)]
            for e in etas
        ]
        yield slope(
            "least n that serves all targets, against log2(1/eta)",
            [float(np.log2(1 / e)) for e in etas],
            lengths,
            float("inf"),
            least=1.0,
        )

    @staticmethod
    def _serves(sample: Any, accuracy: float) -> bool:
        unit, half = int(Fraction(accuracy) * (1 << 24)), 1 << 23
        return doubled_radius(subset_sums(sample), -half, half) <= 2 * unit

    @staticmethod
    def _sharp() -> tuple[bool, str]:
        """Sums -eta (2^n - 2), ..., in steps of 2 eta: one negative weight and powers of two."""
        for n in range(1, 15):
            shift = (1 << (n - 1)) - 1
            positive = [2 << k for k in range(n - 1)]  # all even sums up to 2^n - 2
            sample = np.array([*positive, -2 * (shift + 1)][:n], np.int64)
            radius = (1 << n) - 1
            found = doubled_radius(subset_sums(sample), -radius, radius)
            if found > 2:
                return False, f"n = {n}: eta {found / 2:g} instead of 1"
        return True, "n = 1 to 14, exactly"

    def _beaten(self, effort: Effort) -> Row:
        accuracy = 0.001
        claimed = 2 * self.bound.real(eta=accuracy, R=Fraction(1, 2))
        found = [k for k in self.sampler.shortest(effort.pick(20, 100), 17, accuracy, seed=8) if k]
        least = min(found, default=None)
        return Row(
            "construction",
            f"false on purpose: the bound doubled, eta {accuracy:g}, R 1/2",
            f"no sample of n < {claimed:.4g} serves all targets",
            f"one of n = {least} does, exactly" if least else "none found",
            least is not None and least < claimed,
            SHOWS_CASE,
        )
