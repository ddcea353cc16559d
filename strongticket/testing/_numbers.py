"""Strategies for dyadic numbers and weight laws."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import strategies as st

from strongticket.errors import InputError
from strongticket.laws import LAWS, Law, Normal, SignedConstant, Uniform

Strategy = st.SearchStrategy


def dyadics(
    min_value: float = -1.0, max_value: float = 1.0, *, exponent: int = -24, odd: bool = False
) -> Strategy[float]:
    r"""Floats :math:`k 2^e` in [min_value, max_value], both ends included where they lie on it.

    Shrinks towards 0, or towards the end nearest to it.

    Args:
        min_value: finite.
        max_value: finite.
        exponent: e, in [-1000, 900]; -24 is the grid of `Uniform(1.0)`.
        odd: only odd k, as the weights of `Uniform` have.

    Raises:
        InputError: bounds that are not finite, that hold no such number, or that need k of more
            than 53 bits (then not every number is a float).
    """
    if not (math.isfinite(min_value) and math.isfinite(max_value)):
        raise InputError(f"dyadics needs finite bounds, got [{min_value!r}, {max_value!r}]")
    if not -1000 <= exponent <= 900:
        raise InputError(f"dyadics needs an exponent in [-1000, 900], got {exponent!r}")
    unit = Fraction(2) ** exponent
    low, high = math.ceil(Fraction(min_value) / unit), math.floor(Fraction(max_value) / unit)
    if odd:
        low, high = low + (low % 2 == 0), high - (high % 2 == 0)
    if low > high:
        raise InputError(
            f"no {'odd ' if odd else ''}multiple of 2^{exponent} lies in "
            f"[{min_value!r}, {max_value!r}]"
        )
    if max(-low, high) > 1 << 53:
        raise InputError(
            f"multiples of 2^{exponent} up to {max(abs(min_value), abs(max_value))!r} are not all "
            "float64; take a coarser exponent"
        )
    if odd:
        return _about_zero((low - 1) // 2, (high - 1) // 2).map(
            lambda k: math.ldexp(2 * k + 1, exponent)
        )
    return _about_zero(low, high).map(lambda k: math.ldexp(k, exponent))


def _about_zero(low: int, high: int) -> Strategy[int]:
    """Integers in [low, high]; those next to 0 are as likely as all others together."""
    far = st.integers(low, high)
    if low > 2 or high < -2:
        return far
    return st.one_of(st.integers(max(low, -2), min(high, 2)), far)


def laws(
    kind: type[Law] | None = None, *, exponents: tuple[int, int] = (-8, 8), exact: bool = False
) -> Strategy[Law]:
    r"""Weight laws of scale :math:`2^k`; `Normal` and `SignedConstant` of other scales as well.

    Shrinks towards ``Uniform(1.0)``.

    Args:
        kind: `Uniform`, `Normal` or `SignedConstant`; None (or `Law`) for any of them.
        exponents: the least and greatest k, within [-100, 99].
        exact: only scales that are powers of two, whose weights lie on one dyadic grid.
    """
    low, high = exponents
    if not -100 <= low <= high <= 99:
        raise InputError(f"laws needs exponents within [-100, 99], least first, got {exponents!r}")
    if kind is None or kind is Law:
        return st.one_of(*(laws(k, exponents=exponents, exact=exact) for k in LAWS))
    if kind not in (Uniform, Normal, SignedConstant):
        raise InputError(f"laws knows {', '.join(k.__name__ for k in LAWS)}; got {kind!r}")
    powers = st.integers(low, high).map(lambda k: math.ldexp(1.0, k))
    if kind is Uniform or exact:
        return powers.map(kind)
    # 16 sixteenths to 31: every float32 exponent of the range, power of two first
    others = st.builds(lambda s, m: s * m / 16.0, powers, st.integers(16, 31))
    return others.map(kind)
