"""The claims of the proofs, written out a second time, to hold the code's bounds against them.

Every constant here comes from a statement of docs/theorems/proofs.md and none from a `Bound`, so
that a slip in either place is seen. Numbers are rationals or outward-rounded intervals. Every
function returns (whether it holds, what was measured).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from strongticket.bounds import Bound
from strongticket.errors import InputError
from strongticket.theorems._algebra import Finding
from strongticket.theorems._dynamic_program import Table

GRID = Fraction(1, 1 << 24)
Number = float | Fraction
DELTAS: tuple[Number, ...] = (Fraction(99, 100), Fraction(1, 2), 0.01, 1e-6, 1e-300)


@dataclass(frozen=True)
class Restated:
    """One failure bound A rho^n for samples of scale 1, as its proof states it.

    Attributes:
        failure: From the accuracy eta to (A, rho); rho is a rational or an interval.
        reach: From eta to R: all targets in [-R, R] are served.
        etas: Accuracies, from the coarsest to the finest that the statement allows.
        refused: Accuracies that it does not allow.
    """

    failure: Callable[[Fraction], tuple[Fraction, Any]]
    reach: Callable[[Fraction], Fraction]
    etas: tuple[Number, ...]
    refused: tuple[Number, ...]


@functools.cache
def intervals() -> Any:
    """An interval context of our own, of 200 bits."""
    import mpmath

    iv = type(mpmath.iv)()
    iv.prec = 200
    return iv


def interval(x: Any) -> Any:
    """A rational as an interval; an interval as it is."""
    if isinstance(x, int | float | Fraction):
        exact = Fraction(x)
        return intervals().mpf(exact.numerator) / exact.denominator
    return x


def is_least(n: int, prefactor: Fraction, ratio: Any, delta: Number) -> bool:
    """Whether prefactor * ratio^n <= delta < prefactor * ratio^(n-1), certainly.

    A width is at least 1, so of n = 1 only the first is asked.
    """
    log = intervals().log
    rate = log(interval(ratio))
    short = log(interval(prefactor)) + (n - 1) * rate - log(interval(delta))
    return bool((short + rate).b <= 0 and (n <= 1 or short.a > 0))


def least_widths(claim: Restated, width: Callable[[Number, Number], int]) -> Finding:
    """At every accuracy and failure probability the width is the least that the bound allows."""
    cases = [(eta, delta) for eta in claim.etas for delta in DELTAS]
    for eta, delta in cases:
        prefactor, ratio = claim.failure(Fraction(eta))
        n = width(eta, delta)
        if not is_least(n, prefactor, ratio, delta):
            return False, f"eta {float(eta):g}, delta {float(delta):g}: n = {n} is not the least"
    for eta in claim.refused:
        try:
            return False, f"eta {float(eta):g} is not refused: n = {width(eta, 0.01)}"
        except InputError:
            continue
    return True, f"the least at {len(cases)} (eta, delta), refused at {len(claim.refused)} eta"


def same_reach(claim: Restated, reach: Callable[[Fraction], Fraction]) -> Finding:
    """The targets served are those of the statement, exactly."""
    for accuracy in claim.etas:
        eta = Fraction(accuracy)
        if reach(eta) != claim.reach(eta):
            return False, f"eta {float(eta):g}: {reach(eta)}, the proof says {claim.reach(eta)}"
    return True, f"the same at {len(claim.etas)} eta"


# ---- the failure bounds, at scale 1 (s = 1, or s_a s_b = 1)


def _r1(eta: Fraction) -> tuple[Fraction, Any]:
    """2 / eta^2 (3/4)^n, the accuracy rounded down to a multiple of 2^-24 (D1)."""
    down = math.floor(eta * 2**24) * Fraction(1, 2**24)
    return 2 / down**2, Fraction(3, 4)


def _r1plus(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 2: (2/eta - 1)^2 (1 - p'/4)^n, p' = 1 - 6 2^-24 2/eta."""
    return (2 / eta - 1) ** 2, 1 - (1 - 12 * GRID / eta) / 4


def _r1plus_whole(eta: Fraction) -> tuple[Fraction, Any]:
    """The same to the ends of the window: 2 (2/eta)^2 in front."""
    return 2 * (2 / eta) ** 2, 1 - (1 - 12 * GRID / eta) / 4


def _product(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 3/4: (W/eta - 1)^2 (1 - kappa'/4)^N, kappa' = 0.392 - 3 2^-24 W/eta."""
    ratio = Fraction(3, 4) / eta
    return (ratio - 1) ** 2, 1 - (Fraction(392, 1000) - 3 * GRID * ratio) / 4


def _first(eta: Fraction) -> tuple[Fraction, Any]:
    """Window 1/2: 2 (W/eta)^2 (1 - p'/4)^N, p' = ln 2 / 4 - 2^-24 - 3 2^-24 W/eta."""
    ratio = Fraction(1, 2) / eta
    rate = intervals().log(2) / 4 - interval(GRID + 3 * GRID * ratio)
    return 2 * ratio**2, 1 - rate / 4


_COMMON = (0.1, 0.01, 0.001)
_TINY = Fraction(1, 10**12)
R1 = Restated(
    _r1,
    lambda eta: Fraction(1, 2),
    (Fraction(1, 2), *_COMMON, 1.99 * 2**-24, 7 * GRID - Fraction(1, 10**40), GRID),
    (Fraction(1, 2) + _TINY, GRID - Fraction(1, 10**40)),
)
_PLUS_ETAS = (Fraction(1), *_COMMON, 2.0**-18, 12 * GRID * Fraction(1001, 1000))
_PLUS_REFUSED = (1 + _TINY, 12 * GRID)
R1PLUS = Restated(_r1plus, lambda eta: 1 - eta / 2, _PLUS_ETAS, _PLUS_REFUSED)
R1PLUS_WHOLE = Restated(_r1plus_whole, lambda eta: Fraction(1), _PLUS_ETAS, _PLUS_REFUSED)
PRODUCT = Restated(
    _product,
    lambda eta: Fraction(3, 8) - eta / 2,
    # 2^24 0.392 / 3 = 2192222.9
    (Fraction(3, 8), *_COMMON, 1e-6, Fraction(3, 4) / 2_192_000),
    (Fraction(3, 8) + _TINY, Fraction(3, 4) / 2_192_223),
)
FIRST = Restated(
    _first,
    lambda eta: Fraction(1, 4),
    (
        Fraction(1, 4),
        *_COMMON,
        1e-6,
        Fraction(1, 2) / 969_000,
    ),  # 2^24 (ln 2 / 4 - 2^-24) / 3 = 969089.7
    (Fraction(1, 4) + _TINY, Fraction(1, 2) / 969_090),
)

# ---- necessary bounds


def counting(bound: Bound) -> Finding:
    """N is the least with 2^n eta >= R."""
    etas = (Fraction(1), 0.3, 0.01, 1e-9, Fraction(1, 1 << 20))
    cases = [(Fraction(eta), Fraction(eta) * k) for eta in etas for k in (1, 2, 3, 1000, 1024)]
    for eta, radius in cases:
        n = bound(eta=eta, R=radius)
        if not (2**n * eta >= radius and (n == 0 or 2 ** (n - 1) * eta < radius)):
            return False, f"eta {float(eta):g}, R {float(radius):g}: {n} is not the least"
    return True, f"the least at {len(cases)} (eta, R)"


def packing(bound: Bound) -> Finding:
    """P is the least with 2^(P+1) >= (1 / (2 epsilon))^(d^2)."""
    errors = [Fraction(x) for x in (0.49, 1 / 64, 1e-3, 2.0**-50)]
    cases = list(itertools.product(errors, (1, 3, 20)))
    for error, d in cases:
        most, p = (2 * error) ** (d * d), bound(epsilon=error, d=d)
        if not Fraction(2) ** (p + 1) * most >= 1 > Fraction(2) ** p * most:
            return False, f"epsilon {float(error):g}, d {d}: {p} is not the least"
    return True, f"the least at {len(cases)} (epsilon, d)"


# ---- the dynamic program


def outward_tables(
    curve: Callable[[Fraction], Iterator[tuple[float, Table]]], steps: int
) -> Finding:
    """Every entry is at least what the recursion gives in rationals, from the right start."""
    entries = 0
    for accuracy in (Fraction(1, 10), Fraction(3, 1 << 24) - Fraction(1, 10**40)):
        start = math.floor(accuracy * 2**24) * GRID
        old: list[Fraction] = []
        for n, (said, (edges, state)) in enumerate(itertools.islice(curve(accuracy), steps)):
            g, s = [Fraction(x) for x in edges.tolist()], [Fraction(x) for x in state.tolist()]
            if n == 0:
                least = [Fraction(left <= 1 - start / 2) for left in g[:-1]]
                if g[0] > start or g[-1] != 1:
                    return False, f"the cells start at {float(g[0]):g}, not at {float(start):g}"
            else:
                least = list(itertools.accumulate(_once(g, old), max))[::-1]
            if any(a < b for a, b in zip(s, least, strict=True)) or said < min(Fraction(1), s[0]):
                return False, f"eta {float(accuracy):g}, step {n}: an entry is rounded inward"
            old, entries = s, entries + len(s)
    return True, f"{entries} entries at or above the exact recursion"


def _once(g: list[Fraction], s: list[Fraction]) -> Iterator[Fraction]:
    """The concave envelope over [g_j, M_j] at mu(g_j), from the last cell to the first."""
    for j in reversed(range(len(s))):
        most = min(2 * g[j + 1], Fraction(1))
        at = min(g[j] + g[j] * (1 - g[j]) / 2, most)
        corners = [(g[j], s[j])] + [
            (min(g[i + 1], most), s[i]) for i in range(j, len(s)) if g[i] < most
        ]
        yield max(
            y + (z - y) * (at - a) / (b - a) if b > a else max(y, z)
            for a, y in corners
            for b, z in corners
            if a <= at <= b
        )
