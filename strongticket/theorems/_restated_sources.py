"""What the theorems on other laws, on masked sources and on pairs claim, written a second time.

As in `_restated`: every constant comes from a statement of the proofs and none from a `Bound`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from strongticket.theorems._algebra import Finding
from strongticket.theorems._restated import DELTAS, GRID, Number, Restated, interval, intervals

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
