"""The lower bound on quantized networks: too few parameters, and the doubled bound beaten."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from strongticket import philox
from strongticket.laws import Grid, SignedConstant
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
)
from strongticket.theorems._lower import serves_unit_interval
from strongticket.theorems._theorem import Theorem


@dataclass(frozen=True, kw_only=True)
class QuantizedLower(Theorem):
    """P parameters have 2^P masks, and each equals one matrix at the most."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The count restated; smaller networks, every mask of them; the doubled bound beaten."""
        if false_width:
            yield self._beaten()
            return
        yield algebra("the least P with 2^P >= p (2/step + 1)^(d^2)", self._least(), RECOMPUTES)
        for hidden in self.extremal["hidden"]:
            yield self._too_small(hidden, effort.trials(30, 200))

    def _least(self) -> Finding:
        cases = 0
        for bits, d, p in itertools.product((0, 3, 10), (1, 2, 7), (Fraction(1, 2), Fraction(1))):
            least = self.bound(step=Fraction(1, 1 << bits), d=d, p=p)
            need = p * (2 * (1 << bits) + 1) ** (d * d)
            if not (1 << least >= need and (least == 0 or 1 << (least - 1) < need)):
                return False, f"P = {least} at step 2^-{bits}, d = {d}, p = {p}"
            cases += 1
        return True, f"in {cases} cases, in integers"

    def _too_small(self, hidden: int, trials: int) -> Row:
        """1-hidden-1 ReLU networks on the grid, one parameter too few, every mask enumerated."""
        parameters = 2 * hidden
        bits = parameters - 1  # 2/step + 1 = 2^P + 1 targets: with p = 1 the bound is P + 1
        claimed = self.bound(step=Fraction(1, 1 << bits), d=1, p=1)
        stream = philox.stream("check", "quantized lower")
        words = philox.words(9, stream, 0, 2 * hidden * trials)
        units = Grid(1.0, 16).units(words).astype(np.int64).reshape(trials, 2, hidden)
        shares = []
        for a, b in units:
            maps = {(0, 0)}  # slopes on the two sides of 0
            for u, v in zip(a.tolist(), b.tolist(), strict=True):
                maps |= {(p + (u > 0) * u * v, m + (u < 0) * u * v) for p, m in maps}
            shares.append(sum(p == m and abs(p) <= 1 << bits for p, m in maps))
        most, targets = max(shares), 2 * (1 << bits) + 1
        return Row(
            "probability",
            f"all masks of {trials} networks 1-{hidden}-1 (P = {parameters}), step 2^-{bits}",
            f"P < {claimed}: none serves all {targets} weights",
            f"at most {most} of {targets} are served",
            parameters >= claimed or most >= targets,
            CAN_REFUTE,
        )

    def _beaten(self) -> Row:
        """A random linear network 1-6-6-1 with P = 48 that serves every multiple of 2^-26.

        Its middle weights are random signs times 1 (ten of them), 1/2, 1/4, ..., 2^-26; the outer
        weights are 1. Magnitudes that are complete reach every integer between the extremes.
        """
        bits, parameters, trials = 26, 6 * 6 + 12, 100
        claimed = 2 * self.bound.real(step=Fraction(1, 1 << bits), d=1, p=Fraction(1, 2))
        sizes = np.array([1 << bits] * 10 + [1 << (bits - k) for k in range(1, 27)], np.int64)
        stream = philox.stream("check", "quantized doubled")
        good = sum(
            serves_unit_interval(
                sizes * SignedConstant(1.0).units(philox.words(seed, stream, 0, sizes.size)),
                1 << bits,
            )
            for seed in range(trials)
        )
        return Row(
            "construction",
            f"false on purpose: the bound doubled, d 1, step 2^-{bits}, p 1/2",
            f"no network with P < {claimed:.4g} equals every such weight with probability 1/2",
            f"random linear networks 1-6-6-1, P = {parameters}: {good} of {trials} do, exactly",
            2 * good > trials and parameters < claimed,
            SHOWS_CASE,
        )
