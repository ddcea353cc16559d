"""What the theorems on subsets of a fixed size claim, written out a second time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from strongticket.bounds import Bound
from strongticket.theorems._algebra import Finding
from strongticket.theorems._restated import DELTAS, GRID, Number, Restated, interval, intervals
from strongticket.theorems._restated_network import _layers, _union

if TYPE_CHECKING:
    from strongticket.theorems._pairs import PairedTheorem

_COMMON = (0.1, 0.01, 0.001)
_TINY = Fraction(1, 10**12)


def _difference(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 5/4, to its ends: 2 (W/eta)^2 (1 - kappa'/2)^n, kappa' = 0.425 - 6 2^-24 W/eta."""
    ratio = Fraction(5, 4) / eta
    return 2 * ratio**2, 1 - (Fraction(425, 1000) - 6 * GRID * ratio) / 2


# 2^24 0.425 / 6 = 1188386.1
DIFFERENCE = Restated(
    _difference,
    lambda eta: Fraction(5, 8),
    (Fraction(5, 8), *_COMMON, 1e-5, Fraction(5, 4) / 1_188_000),
    (Fraction(5, 8) + _TINY, Fraction(5, 4) / 1_188_387),
)
TRIANGLE = Restated(
    lambda eta: (8 / eta**2, 1 - (Fraction(477, 1000) - 6 * GRID / eta) / 2),
    lambda eta: Fraction(1),
    _COMMON,
    (),
)


def _extra(n: int, count: Any, delta: Fraction, push: Fraction, pull: Fraction) -> float:
    """The m with count push^n pull^m = delta, rounded up."""
    log = intervals().log
    found = (log(interval(count)) - log(interval(delta)) + n * log(interval(push))) / -log(
        interval(pull)
    )
    return float(found.b)


def _needed(prefactor: Any, ratio: Any, delta: Fraction) -> int:
    """The least n with prefactor ratio^n <= delta."""
    log = intervals().log
    found = (log(interval(prefactor)) - log(interval(delta))) / -log(interval(ratio))
    return max(0, math.ceil(float(found.b)))


def least_sizes(width: Callable[[Number, Number], int]) -> Finding:
    """N with 8/eta^2 (1 - kappa'/2)^n <= delta/2, m with 2 phi^n mu^m <= delta/2; k = n + m.

    kappa' = 0.477 - 3 2^-24 2/eta, phi = 1.0612, mu = 0.8539.
    """
    cases = list(itertools.product(_COMMON, DELTAS))
    push, pull = Fraction(10612, 10000), Fraction(8539, 10000)
    for eta, delta in cases:
        size, exact = width(eta, delta), Fraction(delta) / 2
        n = _needed(*TRIANGLE.failure(Fraction(eta)), exact)
        least = n + math.ceil(_extra(n, 2, exact, push, pull))
        if not least <= size <= least + 3:
            return False, f"eta {eta:g}, delta {float(delta):g}: k = {size}, the parts {least}"
    return True, f"{len(cases)} (eta, delta)"


def least_pools(theorem: PairedTheorem) -> Finding:
    """Each third of delta: coverage, shift, and neurons of each sign (Hoeffding)."""
    cases = 0
    for plan, depth, delta in itertools.islice(_layers(theorem.restated), 0, None, 3):
        exact = Fraction(delta) / 3
        (size,) = theorem.sizes((plan,), depth, delta)
        blocks, ratio = _union(theorem.restated, plan)
        n = _needed(depth * blocks, ratio, exact)
        groups = plan.groups * plan.inputs + plan.biased
        count = 2 * depth * groups * plan.outputs
        m = _extra(n, count, exact, Fraction(1071, 1000), Fraction(863, 1000))
        least = n + math.ceil(m)
        if not least <= size <= least + 3:
            return False, f"k = {size}, the parts need {least} for {plan}"
        pool = theorem.pool(plan, depth, delta)
        log = intervals().log
        tau = log(interval(depth * groups)) - log(interval(exact))
        spare = [(interval((p - 4 * size) ** 2) - 2 * p * tau) for p in (pool, pool - 2)]
        if not (spare[0].a >= 0 > spare[1].b and pool > 4 * size):
            return False, f"N = {pool} for k = {size}, {plan}"
        cases += 1
    return True, f"{cases} layers"


def counted(bound: Bound) -> Finding:
    """P is the least with 2 C(P, k) (2 eps)^(d^2) > k^(d^2 / 2), by a product of integers."""
    errors = (Fraction(1, 20), Fraction(1, 1000), Fraction(1, 1 << 20))
    cases = [(e, k, d) for e in errors for k in (1, 2, 9, 40, 1000) for d in (1, 2, 5)]
    for error, k, d in cases:
        p = bound(epsilon=error, k=k, d=d)
        if not _beyond(p, k, d, error) or (p > k and _beyond(p - 1, k, d, error)):
            return False, f"epsilon {error}, k {k}, d {d}: {p} is not the least"
    return True, f"the least at {len(cases)} (epsilon, k, d)"


def _beyond(p: int, k: int, d: int, error: Fraction) -> bool:
    """Whether 4 C(p, k)^2 (2 eps)^(2 d^2) > k^(d^2), all in integers."""
    count = math.prod(range(p - k + 1, p + 1)) // math.factorial(k)
    top, bottom = (2 * error).as_integer_ratio()
    return bool(4 * count**2 * top ** (2 * d * d) > k ** (d * d) * bottom ** (2 * d * d))
