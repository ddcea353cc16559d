r"""R1 with perturbed samples: every sample that is used may first be moved by at most nu."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.theorems._evidence import (
    CAN_REFUTE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._sampling import SamplingTheorem
from strongticket.theorems._sampling import _number as number

Integers = NDArray[np.int64]
MOST_SUMS = 1 << 19


def perturbed_prefix(samples: Integers, nu: int, eta: int, radius: int) -> int | None:
    """The least n such that the first n samples serve all real |z| <= radius; exact integers.

    A subset S with sum s serves all z within eta + nu |S| of s. Sums of many samples are kept
    only where they can matter: beyond 2^19 none is added, and None is the answer.
    """
    sums, reach = np.zeros(1, np.int64), np.array([eta], np.int64)
    if _serves(sums, reach, radius):
        return 0
    for n, x in enumerate(samples.tolist(), start=1):
        if 2 * sums.size > MOST_SUMS:
            return None
        sums, reach = np.concatenate([sums, sums + x]), np.concatenate([reach, reach + nu])
        if _serves(sums, reach, radius):
            return n
    return None


def _serves(sums: Integers, reach: Integers, radius: int) -> bool:
    """Whether closed intervals [s - r, s + r] cover [-radius, radius]."""
    low = sums - reach
    order = np.argsort(low, kind="stable")
    low, high = low[order], np.maximum.accumulate((sums + reach)[order])
    first = int(np.searchsorted(low, -radius, "right"))
    if first == 0 or high[first - 1] >= radius:
        return first > 0
    # from here on every interval must start where the union so far has not ended
    last = int(np.searchsorted(low, radius, "right"))
    open_ = low[first:last] > high[first - 1 : last - 1]
    stop = int(np.argmax(open_)) if open_.any() else last - first
    return int(high[first + stop - 1]) >= radius


@dataclass(frozen=True, kw_only=True)
class Perturbed(SamplingTheorem):
    """The event of R1 with perturbations of `nu`, a setting of the statement."""

    seeds: int = field(default=7)

    @property
    def nu(self) -> Fraction:
        """The largest perturbation at which the checks are run."""
        return dict(self.setting)["nu"]

    def shortest(self, trials: int, n: int, eta: float, seed: int) -> list[int | None]:
        """For each trial the least prefix, up to n, that serves all targets (None: none does)."""
        return self.prefixes(self.sample(trials, n, seed), eta, self.nu)

    def prefixes(self, samples: Integers, eta: float, nu: Fraction) -> list[int | None]:
        """The least prefix of each sample (trials, n) at a perturbation."""
        accuracy, radius = self.steps(eta)
        moved = int(nu * self.unit)
        return [perturbed_prefix(sample, moved, accuracy, radius) for sample in samples]

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the same samples with and without perturbations."""
        yield from super().rows(effort, false_width)
        if not false_width:
            yield algebra(*self._contains(effort), SHOWS_CASES)
            yield self._saving(effort)

    def _contains(self, effort: Effort) -> tuple[str, tuple[bool, str]]:
        """The same samples: a larger perturbation never needs more of them."""
        name = "the same samples with a larger perturbation serve at least what they served"
        samples, cases = self.sample(effort.pick(25, 150), 16, self.seeds), 0
        for eta in self.extremal["eta"][:2]:
            found = [
                [40 if n is None else n for n in self.prefixes(samples, eta, nu)]
                for nu in (Fraction(0), self.nu / 4, self.nu, 4 * self.nu)
            ]
            if any(
                a < b
                for few, more in itertools.pairwise(found)
                for a, b in zip(few, more, strict=True)
            ):
                return name, (False, f"eta {eta:g}: some sample served more without")
            cases += samples.shape[0]
        return name, (True, f"on {cases} samples at four perturbations")

    def _saving(self, effort: Effort) -> Row:
        """How many samples perturbations save, beside what the bounds differ by."""
        eta, delta = self.extremal["eta"][-1], self.extremal["delta"][-1]
        samples = self.sample(effort.trials(40, 300), 18, self.seeds + 1)
        sizes = [Fraction(0), self.nu / 32, self.nu / 8, self.nu / 2, self.nu]
        means, bounds = [], []
        for nu in sizes:
            found = [18 if n is None else n for n in self.prefixes(samples, eta, nu)]
            means.append(sum(found) / len(found))
            bounds.append(self.bound(eta=self._served(eta), delta=delta, nu=nu))
        shown = ", ".join(f"{float(nu):.3g}: {n:.3g}" for nu, n in zip(sizes, means, strict=True))
        claimed = ", ".join(f"{float(nu):.3g}: {n}" for nu, n in zip(sizes, bounds, strict=True))
        return Row(
            "scaling",
            f"eta {eta:g}: samples needed against the size of the perturbation",
            f"not increasing; proved to suffice {claimed}",
            f"on average {shown}",
            means != sorted(means, reverse=True)
            or bounds != sorted(bounds, reverse=True)
            or any(n > b for n, b in zip(means, bounds, strict=True)),
            CAN_REFUTE,
        )

    def scaling(self, effort: Effort) -> Row:
        """Growth of the least n beside the claim's coefficient; perturbed, it may stop growing."""
        etas = [2.0**-k for k in (range(4, 8) if effort.quick else range(4, 11))]
        samples = self.sample(effort.trials(60, 300), 18, 3)
        lengths = [[float(n or 18) for n in self.prefixes(samples, eta, self.nu)] for eta in etas]
        ratio = float(number(self.ratio, {**dict(self.setting), "eta": etas[-1]}))
        return slope(
            "least n that serves all targets, against log2(1/eta)",
            [math.log2(1 / eta) for eta in etas],
            lengths,
            2 * math.log(2) / -math.log(ratio),
        )

    def _false_rows(self, effort: Effort) -> Iterator[Row]:
        """So few samples that even all perturbed subsets together are too short to cover."""
        for eta in self.extremal["eta"][: effort.pick(1, 99)]:
            accuracy, radius = self.steps(eta)
            moved, n = int(self.nu * self.unit), 0
            # the intervals have length 2^n (2 eta + n nu) in all
            while (1 << n + 1) * (2 * accuracy + (n + 1) * moved) < 2 * radius:
                n += 1
            trials = effort.trials(40, 200)
            samples = self.sample(trials, max(n, 1), seed=4)[:, :n]
            failed = sum(k is None for k in self.prefixes(samples, eta, self.nu))
            delta = self.extremal["delta"][-1]
            yield failures(
                f"false on purpose, eta {eta:g}: n = {n}, below the counting bound",
                delta,
                failed,
                trials,
            )


def growth_step() -> tuple[bool, str]:
    """1 - u/(2 + nu) - 1/(1 + u) = u (1 + nu - u) / ((1 + u)(2 + nu)), >= 0 for u <= 1 + nu."""
    import sympy

    u, nu = sympy.symbols("u nu", nonnegative=True)
    rest = 1 - u / (2 + nu) - 1 / (1 + u) - u * (1 + nu - u) / ((1 + u) * (2 + nu))
    # the whole window widened: 1/2 + 2^-24 <= 1 - (1 + nu)/(2 (2 + nu)), by 1/(2 (2 + nu)) >= 1/6
    whole = 1 - (1 + nu) / (2 * (2 + nu)) - sympy.Rational(1, 2) - 1 / (2 * (2 + nu))
    return sympy.simplify(rest) == 0 and sympy.simplify(whole) == 0, "identities in u and nu"


def widening(length: int) -> tuple[bool, str]:
    """|(A + [-r, r]) in I| >= min(|I|, |A| + r), for all unions of cells of a window."""
    masks = np.arange(1, 1 << length, dtype=np.int64)
    size, full = np.bitwise_count(masks).astype(np.int64), (1 << length) - 1
    wide, least = masks, length
    for r in range(1, length):
        wide = (wide | (wide << 1) | (wide >> 1)) & full
        gained = np.bitwise_count(wide).astype(np.int64) - np.minimum(length, size + r)
        least = min(least, int(gained.min()))
    return least >= 0, f"{len(masks)} sets of {length} cells, {length - 1} widths"
