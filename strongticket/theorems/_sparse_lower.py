"""The lower bound on networks that keep k parameters: C(P, k) networks, each near few targets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox, subsetsum
from strongticket.errors import InputError
from strongticket.laws import SignedConstant, Uniform
from strongticket.theorems import _restated_pairs
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    REFUTES_BELOW,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
)
from strongticket.theorems._lower import serves_unit_interval
from strongticket.theorems._theorem import Theorem

Ints = NDArray[np.int64]
MOST_KEPT = 100_000  # beyond these a binomial coefficient takes minutes
MOST_BITS = 30_000


def least_parameters(k: Fraction, epsilon: Fraction, d: Fraction) -> int:
    """The least P >= k with C(P, k) > (sqrt(k) / (2 epsilon))^(d^2) / 2, in integers.

    Raises InputError where the integers are too long to be counted in a few seconds.
    """
    if k > MOST_KEPT:
        raise InputError(f"P is counted in integers for k up to {MOST_KEPT:,}; got k = {k}")
    kept, power = int(k), int(d) ** 2
    top, bottom = (2 * epsilon).as_integer_ratio()
    bits = power * (kept * bottom**2 // top**2).bit_length()
    if bits > MOST_BITS:
        raise InputError(
            f"P is counted in integers of at most {MOST_BITS:,} bits; d = {int(d)}, k = {kept} and "
            f"epsilon = {float(epsilon):.3g} make {bits:,}: take a smaller d or a larger epsilon"
        )
    goal = kept**power * bottom ** (2 * power)
    scale = 4 * top ** (2 * power)

    def enough(p: int) -> bool:
        return bool(math.comb(p, kept) ** 2 * scale > goal)

    low, high = kept - 1, kept  # enough(low) is false or low < k
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def entropy(x: float) -> float:
    """H2, in bits; 0 at 0 and 1."""
    return 0.0 if x in (0.0, 1.0) else -x * math.log2(x) - (1 - x) * math.log2(1 - x)


@dataclass(frozen=True, kw_only=True)
class SparseLower(Theorem):
    """P parameters of which k are kept give at most C(P, k) pruned networks."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The count in integers; real networks below it; subset sums below it; doubled, beaten."""
        if false_width:
            yield self._beaten()
            return
        counted = _restated_pairs.counted(self.bound)
        yield algebra("P is the least whose binomial coefficient suffices", counted, RECOMPUTES)
        name = "its entropy form follows from the count (eps < 1/16, k <= (1 - 1/(2 pi)) P)"
        yield algebra(name, self._entropy_form(), SHOWS_CASES)
        for hidden, kept in self.extremal["networks"]:
            yield self._too_small(hidden, kept, effort.pick(20, 200))
        for n, k in ((10, 5), (14, 4), (18, 3))[: effort.pick(2, 3)]:
            yield self._subsets(n, k, effort.trials(400, 4000))

    def _entropy_form(self) -> Finding:
        cases, least = 0, math.inf
        for error, k, d in itertools.product((0.06, 0.01, 1e-4), (4, 16, 64, 256), (1, 2, 3)):
            p = self.bound(epsilon=error, k=k, d=d)
            if k <= (1 - 1 / (2 * math.pi)) * p:
                claimed = d * d / 2 * math.log2(k / error) / entropy(k / p)
                cases, least = cases + 1, min(least, p / claimed)
        return least >= 1, f"P at least {least:.3f} times the entropy form in {cases} cases"

    def _too_small(self, hidden: int, kept: int, trials: int) -> Row:
        """1-hidden-1 ReLU networks, all masks of exactly `kept` weights, below the bound."""
        parameters, error = 2 * hidden, 1.0
        while self.bound(epsilon=error, k=kept, d=1) <= parameters:
            error /= 2
        words = philox.words(9, philox.stream("check", "sparse"), 0, 2 * hidden * trials)
        units = Uniform().weights(words).astype(float).reshape(trials, 2, hidden)
        served = float(np.mean([self._served(a, b, kept, error) for a, b in units]))
        return Row(
            "probability",
            f"all masks of {kept} weights of {trials} networks 1-{hidden}-1, eps {error:g}",
            f"P = {parameters} below the bound: fewer than half of |w| <= sqrt(k) are served",
            f"{served:.2e} of them are",
            served >= 0.5,
            CAN_REFUTE,
        )

    @staticmethod
    def _served(a: NDArray[np.float64], b: NDArray[np.float64], kept: int, error: float) -> float:
        """The fraction of |w| <= sqrt(kept) within `error` of some pruned network on [-1, 1]."""
        products = a * b
        found = set()
        for mask in itertools.combinations(range(2 * a.size), kept):
            live = [i for i in range(a.size) if i in mask and i + a.size in mask]
            plus = sum(float(products[i]) for i in live if a[i] > 0)
            minus = sum(float(products[i]) for i in live if a[i] < 0)
            if abs(plus - minus) < 2 * error:
                found.add((max(plus, minus) - error, min(plus, minus) + error))
        reach, at, total = math.sqrt(kept), -math.sqrt(kept), 0.0
        for low, high in sorted(found):
            low, high = max(low, at), min(high, reach)
            if high > low:
                total, at = total + high - low, high
        return total / (2 * reach)

    def _subsets(self, n: int, k: int, trials: int) -> Row:
        """Subsets of exactly k of n weights, where the count gives fewer than half of targets.

        One target drawn from [-sqrt(k), sqrt(k)] is served with probability at most
        C(n, k) eps / sqrt(k): the count behind the theorem for d = 1, held to 1/4 here.
        """
        from scipy import stats

        error = math.sqrt(k) / math.comb(n, k) / 4
        words = philox.words(4, philox.stream("check", f"sparse {n} {k}"), 0, (n + 1) * trials)
        drawn = Uniform().weights(words).astype(np.float64).reshape(trials, n + 1)
        targets = drawn[:, n] * math.sqrt(k)
        answer = subsetsum.fixed_size(drawn[:, :n], targets, k, backend="numpy")
        hits = int((answer.error <= error).sum())
        p = float(stats.binom.sf(hits - 1, trials, 0.25))
        return Row(
            "probability",
            f"exactly {k} of {n} weights, eps {error:.2g}: a random target",
            "at most 0.25 are served",
            f"{hits} of {trials} are",
            p < REFUTES_BELOW,
            CAN_REFUTE,
            p,
        )

    def _beaten(self) -> Row:
        """A random linear network 1-6-6-1 of which 30 of 48 weights are kept serves all.

        Its middle weights are 18 zeros and random signs times 2 (eight of them), 1, 1/2, ...,
        2^-8 and 2^-8 again: any subset of the 18 that are not 0 is filled up to 18 by zeros.
        """
        kept, parameters, error = 30, 48, Fraction(1, 1 << 9)
        claimed = 2 * self.bound(epsilon=error, k=kept, d=1)
        sizes = np.array([512] * 8 + [256 >> j for j in range(9)] + [1], np.int64)
        reach = math.isqrt(kept * 256**2) + 1
        good, trials = 0, 100
        for seed in range(trials):
            words = philox.words(seed, philox.stream("check", "sparse doubled"), 0, sizes.size)
            good += serves_unit_interval(sizes * SignedConstant(1.0).units(words), reach)
        return Row(
            "construction",
            f"false on purpose: the bound doubled, d 1, k {kept}, eps {float(error):g}",
            f"no network with P < {claimed} serves all |w| <= sqrt(k) with probability 1/2",
            f"random linear networks 1-6-6-1, P = {parameters}: {good} of {trials} do, exactly",
            2 * good > trials and parameters < claimed,
            SHOWS_CASE,
        )
