"""Exact subset sums on a grid of integers: the claim, its small cases, samples and scaling."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import rational
from strongticket.construct import exact_subset
from strongticket.laws import Grid
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import (
    IDENTITIES,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._restated import is_least
from strongticket.theorems._theorem import Theorem

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ExactSums(Theorem):
    """P(some integer |z| <= M/2 is no subset sum of n copies of X) <= M^2 (1 - (M + 1) q/2)^n."""

    def width(self, largest: int, chance: Fraction, delta: float | Fraction) -> int:
        """How many samples suffice: M, q and the failure probability."""
        self.require(M=largest, q=chance, delta=delta)
        return self.bound(M=largest, q=chance, delta=delta)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The proof's identities, all small cases, samples at the claimed width, growth."""
        if false_width:
            yield from (self._too_few(m, effort) for m in (16, 256))
            return
        yield algebra("drift of the potential", _identities(), IDENTITIES)
        yield algebra("growth of every covered set", drift_of_every_set(), SHOWS_CASES)
        yield algebra("exact failure probability against the bound", _chains(), SHOWS_CASES)
        yield algebra(
            "the width is the least n with the claimed failure", self._least(), RECOMPUTES
        )
        for m in (16, 256):
            yield self._construction(m)
        for law in ("grid", "grid with 0", "gated"):
            for m in (8, 128)[: effort.pick(1, 2)]:
                yield self._samples(law, m, 0.5, effort)
        yield self._samples("grid", 64, 0.01, effort)
        yield self.scaling("grid", effort)

    def _least(self) -> Finding:
        cases = 0
        for m, delta in itertools.product((2, 16, 4096, 1 << 20), (0.5, 0.01, 1e-300)):
            for law in ("grid", "grid with 0", "gated"):
                n = self.width(m, chance(law, m), delta)
                prefactor, ratio = restated(law, m)
                if not is_least(n, prefactor, ratio, delta):
                    return False, f"n = {n} at M = {m}, delta {delta:g}, {law}"
                cases += 1
        return True, f"the least in {cases} cases"

    def _construction(self, m: int) -> Row:
        n = self.width(m, chance("grid", m), 0.01)
        sample = draw("grid", m, 1, n, seed=2)[0].tolist()
        goals = range(-m // 2, m // 2 + 1)
        found = [exact_subset(sample, z) for z in goals]
        missed = [z for z, s in zip(goals, found, strict=True) if s is None]
        wrong = sum(
            s is not None and sum(sample[i] for i in s) != z
            for z, s in zip(goals, found, strict=True)
        )
        return Row(
            "construction",
            f"M = {m}: all {len(found)} integers from {n} samples, subset by subset",
            "every one is a subset sum, exactly",
            f"{len(missed)} missed, {wrong} sums wrong, "
            f"{max((len(s) for s in found if s is not None), default=0)} samples at most",
            bool(missed or wrong),
            SHOWS_CASE,
        )

    def _samples(self, law: str, m: int, delta: float, effort: Effort) -> Row:
        n, trials = self.width(m, chance(law, m), delta), effort.trials(200, 1000)
        failed = sum(
            least_prefix(sample, m // 2) is None
            for sample in draw(law, m, trials, n, seed=1).tolist()
        )
        return failures(f"{law}, M = {m}, delta {delta:g}: n = {n}", delta, failed, trials)

    def scaling(self, law: str, effort: Effort) -> Row:
        """Growth of the least n that makes all integers, beside the claim's coefficient."""
        powers, trials = range(3, effort.pick(8, 11)), effort.trials(100, 400)
        lengths = []
        for power in powers:
            m = 1 << power
            n = self.width(m, chance(law, m), 1e-6)
            found = [least_prefix(s, m // 2) for s in draw(law, m, trials, n, seed=3).tolist()]
            lengths.append([float(k) for k in found if k is not None])
        m = 1 << powers[-1]
        claimed = 2 * math.log(2) / -math.log(restated(law, m)[1])
        name = f"{law}: least n that makes every |z| <= M/2, against log2 M"
        return slope(name, [float(p) for p in powers], lengths, claimed, least=1.0)

    def _too_few(self, m: int, effort: Effort) -> Row:
        """2^n subset sums cannot be M + 1 integers."""
        n, trials = m.bit_length() - 1, effort.trials(40, 200)
        failed = sum(
            least_prefix(s, m // 2) is None for s in draw("grid", m, trials, n, seed=4).tolist()
        )
        name = f"false on purpose, M = {m}: n = {n}, 2^n < M + 1"
        return failures(name, 0.01, failed, trials)


def chance(law: str, m: int) -> Fraction:
    """q: the least probability of an integer 0 < |d| <= M."""
    return {
        "grid": Fraction(1, 2 * m),
        "grid with 0": Fraction(1, 2 * m + 1),
        "gated": Fraction(1, 4 * m),
    }[law]


def restated(law: str, m: int) -> tuple[Fraction, Fraction]:
    """(prefactor, ratio) of the failure bound, written out a second time for the three laws."""
    points = 2 * (m // 2) + 1
    meeting = {
        "grid": Fraction(points, 2 * m),  # the window's share of all values
        "grid with 0": Fraction(points, 2 * m + 1),
        "gated": Fraction(points, 2 * m) / 2,
    }[law]
    return Fraction((points - 1) ** 2), 1 - meeting / 2


def draw(law: str, m: int, trials: int, n: int, seed: int) -> Ints:
    """Integer samples (trials, n). With 0: from 64-bit words, so its bias is below 2^-40."""

    def words(name: str) -> NDArray[np.uint32]:
        return philox.words(seed, philox.stream("check", f"exact {name}"), 0, trials * n)

    if law == "grid with 0":
        long = (words("high").astype(np.uint64) << np.uint64(32)) | words("low")
        units = (long % np.uint64(2 * m + 1)).astype(np.int64) - m
    else:
        units = Grid(1.0, m).units(words("b")).astype(np.int64)
        if law == "gated":
            units *= Grid(1.0, 1).units(words("a")) > 0
    return units.reshape(trials, n)


def least_prefix(sample: list[int], reach: int) -> int | None:
    """The least n for which every integer |z| <= reach is a subset sum of the first n."""
    bits, offset = 1, 0
    full = (1 << (2 * reach + 1)) - 1
    for n in range(len(sample) + 1):
        if offset >= reach and bits >> (offset - reach) & full == full:
            return n
        if n < len(sample):
            x = sample[n]
            bits |= bits << abs(x) if x >= 0 else 0
            if x < 0:
                bits, offset = bits | bits << -x, offset - x
    return None


def _identities() -> Finding:
    import sympy

    v, c = sympy.symbols("v c", positive=True)
    now = (1 - c * (1 - v)) / v - 1  # E[1/r] / v - 1 at most
    wrong = sympy.simplify(now - (1 - c) * (1 / v - 1)) != 0
    n = sympy.Symbol("N", positive=True)
    at = {v: 1 - 1 / n}
    wrong |= sympy.simplify((1 / v - 1).subs(at) - 1 / (n - 1)) != 0
    wrong |= sympy.simplify((1 / v - 1).subs(v, 1 / n) - (n - 1)) != 0
    r = sympy.Symbol("r", positive=True)
    convex = sympy.factor((1 - (r - 1) / 2) - 1 / r)  # (r - 1)(2 - r) / (2 r) >= 0 on [1, 2]
    wrong |= sympy.simplify(convex - (r - 1) * (2 - r) / (2 * r)) != 0
    return not wrong, "an identity is wrong" if wrong else "4 identities hold"


def drift_of_every_set() -> Finding:
    """Summed over all values of X, every set A that holds 0 gains at least |A| (N - |A|)."""
    sets = 0
    for m in (2, 4, 8):
        for members in _sets(m):
            sizes = [
                len(members | {z + x for z in members if abs(z + x) <= m // 2}) for x in _values(m)
            ]
            gain = sum(sizes) - len(sizes) * len(members)
            if gain < len(members) * (m + 1 - len(members)) or max(sizes) > 2 * len(members):
                return False, f"M = {m}: {sorted(members)} gains {gain}"
            sets += 1
    return True, f"{sets} sets"


def _values(m: int) -> list[int]:
    return [x for x in range(-m, m + 1) if x]


@functools.cache
def _sets(m: int) -> list[frozenset[int]]:
    others = [z for z in range(-(m // 2), m // 2 + 1) if z]
    return [
        frozenset({0, *(z for i, z in enumerate(others) if code >> i & 1)})
        for code in range(1 << len(others))
    ]


def _chains() -> Finding:
    """The walk of the covered set itself, its whole distribution step by step, in rationals."""
    worst = 0.0
    for m, law in itertools.product((2, 4), ("grid", "grid with 0", "gated")):
        share, (prefactor, ratio) = chance(law, m), restated(law, m)
        full = frozenset(range(-(m // 2), m // 2 + 1))
        state = {frozenset({0}): Fraction(1)}
        for n in range(1, 21):
            after: dict[frozenset[int], Fraction] = {}
            for members, weight in state.items():
                stay = weight * (1 - share * 2 * m)
                after[members] = after.get(members, Fraction(0)) + stay
                for x in _values(m):
                    grown = members | {z + x for z in members if abs(z + x) <= m // 2}
                    after[grown] = after.get(grown, Fraction(0)) + weight * share
            state = after
            failed = 1 - state.get(full, Fraction(0))
            if failed > prefactor * ratio**n:
                return False, f"M = {m}, {law}: n = {n} fails with probability {float(failed):.3g}"
            worst = max(worst, float(failed / (prefactor * ratio**n)))
    return True, f"M = 2, 4, n <= 20, three laws: at most {worst:.2g} of it"


def even(M: object) -> str | None:
    """The hypothesis on M."""
    value = rational(M, "M")
    if value.denominator == 1 and value >= 2 and value % 2 == 0:
        return None
    near = max(2, 2 * round(value / 2))
    return f"M must be an even integer >= 2, got {M!r}; the nearest is {near}"


def possible(q: object, M: object) -> str | None:
    """The hypothesis on q: 2 M values of this probability exist."""
    value, largest = rational(q, "q"), rational(M, "M")
    if 0 < value <= 1 / (2 * largest):
        return None
    return f"q must lie in (0, 1/(2 M)] = (0, {1 / (2 * largest)}], got {q!r}"
