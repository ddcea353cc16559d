"""What the theorems on other laws, on masked sources and on pairs claim, written a second time.

As in `_restated`: every constant comes from a statement of the proofs and none from a `Bound`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from strongticket.bounds import Bound
from strongticket.theorems._algebra import Finding
from strongticket.theorems._restated import (
    DELTAS,
    GRID,
    Number,
    Restated,
    interval,
    intervals,
    is_least,
)
from strongticket.theorems._restated_network import _layers, _union

if TYPE_CHECKING:
    from strongticket.theorems._masked import MaskedTheorem

_COMMON = (0.1, 0.01, 0.001)
_TINY = Fraction(1, 10**12)


def _normal(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 2: (2/eta - 1)^2 (1 - kappa'/2)^n, kappa' = 0.46 - 3.6e-6 2/eta."""
    return (2 / eta - 1) ** 2, 1 - (Fraction(23, 50) - Fraction(72, 10**7) / eta) / 2


def _normal_product(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 3/2: (1.5/eta - 1)^2 (1 - kappa'/4)^n, kappa' = 0.33 - 3.6e-6 1.5/eta."""
    ratio = Fraction(3, 2) / eta
    return (ratio - 1) ** 2, 1 - (Fraction(33, 100) - Fraction(36, 10**7) * ratio) / 4


# 7.2e-6 / 0.46 = 1.56521e-5; 5.4e-6 / 0.33 = 1.63636e-5
NORMAL = Restated(
    _normal,
    lambda eta: 1 - eta / 2,
    (Fraction(1), *_COMMON, 1.566e-5),
    (1 + _TINY, 1.565e-5),
)
NORMAL_PRODUCT = Restated(
    _normal_product,
    lambda eta: Fraction(3, 4) - eta / 2,
    (Fraction(3, 4), *_COMMON, 1.637e-5),
    (Fraction(3, 4) + _TINY, 1.636e-5),
)
REACH = Restated(lambda eta: (16 / eta**2, Fraction(3, 4)), lambda eta: Fraction(1), _COMMON, ())


def reached(width: Callable[[Number, Number], int]) -> Finding:
    """R3: n splits into m and n' with 2 (3/4)^m <= delta/2 and 2/eta^2 (3/4)^n' <= delta/2.

    And n - 3 does not: each part is rounded up once and one is added for that.
    """
    cases = list(itertools.product(_COMMON, DELTAS))
    for eta, delta in cases:
        n, exact, fail = width(eta, delta), Fraction(eta) // GRID * GRID, Fraction(delta)
        found = _parts(exact, fail)
        if not found <= n <= found + 2:
            return False, f"eta {eta:g}, delta {float(delta):g}: n = {n}, the parts need {found}"
    return True, f"{len(cases)} (eta, delta)"


def _parts(eta: Fraction, delta: Fraction) -> int:
    log, rate = intervals().log, intervals().log(interval(Fraction(4, 3)))
    total = 0
    for wanted in (4 / delta, 4 / (eta**2 * delta)):
        total += max(0, math.ceil((log(interval(wanted)) / rate).b))
    return total


# ---- masked sources


def _product_whole(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 3/4, to its ends: 2 (W/eta)^2 (1 - kappa'/4)^N, kappa' = 0.392 - 3 2^-24 W/eta."""
    ratio = Fraction(3, 4) / eta
    return 2 * ratio**2, 1 - (Fraction(392, 1000) - 3 * GRID * ratio) / 4


PRODUCT_WHOLE = Restated(
    _product_whole,
    lambda eta: Fraction(3, 8),
    (Fraction(3, 8), *_COMMON, 1e-6, Fraction(3, 4) / 2_192_000),
    (Fraction(3, 8) + _TINY, Fraction(3, 4) / 2_192_223),
)


def _thinned(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 2 to its ends, half of the samples exist: 2 (2/eta)^2 (1 - p'/8)^n, p' as in R1+."""
    return 8 / eta**2, 1 - (1 - 12 * GRID / eta) / 8


THINNED = Restated(
    _thinned,
    lambda eta: Fraction(1),
    (Fraction(1), *_COMMON, 2.0**-18, 12 * GRID * Fraction(1001, 1000)),
    (1 + _TINY, 12 * GRID),
)


def least_masked_pools(theorem: MaskedTheorem) -> Finding:
    """Layers, depths and deltas against sources: the pool suffices; three neurons less do not."""
    cases = 0
    sources = theorem.extremal["sources"]
    layers = itertools.islice(_layers(theorem.restated), 0, None, 5 if theorem.locking else 3)
    for plan, depth, delta in layers:
        source = sources[cases % len(sources)]
        n = theorem.pool(plan, depth, delta, source=source)
        blocks, ratio = _union(theorem.restated, plan)
        first, free, locked = source.chances
        f, lam = first * free, first * locked
        thinned = 1 - interval(f) * (1 - interval(ratio))
        if not theorem.locking:
            if not is_least(n, depth * blocks, thinned, delta):
                return False, f"N = {n} is not the least for {plan}, {source}"
        else:
            count = depth * (plan.groups * plan.inputs + plan.biased) * plan.outputs
            slack = _locked_slack(n, 2 * depth * blocks, thinned, count, f, lam, delta)
            if not slack(0) <= 0 < slack(3):
                return False, f"N = {n}: {slack(0)}, three less {slack(3)} for {plan}, {source}"
        cases += 1
    return True, f"{cases} layers and sources"


def _locked_slack(
    pool: int, prefactor: Any, ratio: Any, count: int, f: Any, lam: Any, delta: Number
) -> Callable[[int], float]:
    """ln(count 4 phi^n r^m / delta) for n + m = pool less so many, n the least for coverage."""
    log, exact = intervals().log, interval(Fraction(delta))
    n = math.ceil(((log(interval(prefactor)) - log(exact)) / -log(ratio)).b)
    push, pull = locked_moments(f, lam)

    def slack(less: int) -> float:
        total = log(interval(4 * count)) - log(exact) + n * push + (pool - less - n) * pull
        return float(total.a if less else total.b)

    return slack


def locked_moments(f: Fraction, lam: Fraction) -> tuple[Any, Any]:
    """Ln phi and ln r: phi = 1 + lambda (cosh t - 1)/18, r = phi - f (0.055 t - 0.011 t^2).

    t = min(2, 0.055 f / (0.022 f + lambda/18)).
    """
    iv = intervals()
    theta = min(Fraction(2), Fraction(55, 1000) * f / (Fraction(22, 1000) * f + lam / 18))
    t = interval(theta)
    phi = 1 + interval(lam) * ((iv.exp(t) + iv.exp(-t)) / 2 - 1) / 18
    pull = interval(f * (Fraction(55, 1000) * theta - Fraction(11, 1000) * theta**2))
    return iv.log(phi), iv.log(phi - pull)


def reserved(n: int, f: Fraction, lam: Fraction, delta: Fraction) -> int:
    """The least m with 2 phi^n r^m <= delta."""
    push, pull = locked_moments(f, lam)
    least = (intervals().log(interval(2 / delta)) + n * push) / -pull
    return math.ceil(float(least.b))


def least_copies(bound: Bound) -> Finding:
    """Rho is the least with E (1 - kappa)^rho <= delta, in rationals; at least 0."""
    cases = list(itertools.product((1, 7, 10**6), (0.5, 0.1, 0.99, 2.0**-10), (0.4, 0.01, 1e-9)))
    for pairs, kappa, delta in cases:
        rho = bound(E=pairs, kappa=kappa, delta=delta)
        missed = 1 - Fraction(kappa)
        if not (pairs * missed**rho <= Fraction(delta) < pairs * missed ** (rho - 1)):
            return False, f"E {pairs}, kappa {kappa:g}, delta {delta:g}: {rho} is not the least"
    return True, f"the least at {len(cases)} (E, kappa, delta)"


def necessary_copies(bound: Bound) -> Finding:
    """1 - (1 - (1 - kappa)^rho)^E > delta for every rho that is 1 + ln(1/(1-delta)) shares less.

    E independent pairs all find a copy with probability (1 - (1-kappa)^rho)^E exactly. By
    1 - u <= exp(-u) they fail with more than delta while E (1-kappa)^rho > ln(1/(1-delta)).
    """
    cases, most = list(itertools.product((1, 7, 50), (0.5, 0.1, 0.9), (0.5, 0.01, 1e-6))), 0
    for pairs, kappa, delta in cases:
        rho = bound(E=pairs, kappa=kappa, delta=delta)
        missed = 1 - Fraction(kappa)
        least = rho
        while least > 0 and 1 - (1 - missed ** (least - 1)) ** pairs <= Fraction(delta):
            least -= 1
        share = math.log(1 / (1 - delta)) / delta  # at most 2 ln 2 for delta <= 1/2
        if rho - least > 1 + math.log(share) / -math.log(1 - kappa) + 1e-9:
            return False, f"E {pairs}, kappa {kappa:g}, delta {delta:g}: {least} would do"
        most = max(most, rho - least)
    return True, f"at most {most} copies above the exact number in {len(cases)} cases"
