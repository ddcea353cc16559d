"""The displayed inequalities of the proofs, each held true by a computation that can fail.

Identities are left to sympy, the constant kappa to interval subdivision with outward rounding, the
cut lemma to all 0/1 strings. Every function returns (whether it holds, what was measured).
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np

Finding = tuple[bool, str]

GRID = Fraction(1, 1 << 24)  # the spacing of the uniform law is twice this
CAP = Fraction(1, 1 << 10)  # below it the floor of the product density is constant
SHIFT = Fraction(1, 1 << 14)  # what the discrete mixture may lose against (1/2) ln(1/x)
WINDOW = Fraction(3, 4)  # l: the window of the product theorem in units of s_a s_b


@functools.cache
def identities() -> Finding:
    """Convexity of 1/r on [1, 2], the potential's drift, and Markov's prefactors."""
    import sympy

    r, v, p, x = sympy.symbols("r v p x", positive=True)
    phi = (1 - v) / v
    pairs = {
        "1 - (r-1)/2 - 1/r": (1 - (r - 1) / 2 - 1 / r, (r - 1) * (2 - r) / (2 * r)),
        "potential": ((1 - p * (1 - v) / 4) / v - 1, (1 - p / 4) * phi),
        # x = eta / window: the start, and failure at an uncovered fraction x (or x / 2)
        "markov": (phi.subs(v, x) / (x / (1 - x)), (1 / x - 1) ** 2),
        "markov, ends": (2 / x**2 - phi.subs(v, x) * (2 - x) / x, (3 * x - x**2) / x**2),
    }
    return _all_zero(pairs)


@functools.cache
def grid_d1() -> Finding:
    """D1: odd steps link opposite parities, and the grid loses nothing for either parity of eta."""
    import sympy

    a, e, o = sympy.symbols("a v_e v_o", real=True)
    v = (e + o) / 2
    even, odd = (a / 2, a / 2), ((a - 1) / 2, (a + 1) / 2)  # (m, g)
    pairs = {
        "parity": ((v - e * o) / 2 - v * (1 - v) / 2, (e - o) ** 2 / 8),
        "even": ((2 * even[0] + 1) * even[1] - a**2 / 2, a / 2),
        "odd": ((2 * odd[0] + 1) * odd[1] - a**2 / 2, a / 2),
    }
    return _all_zero(pairs)


@functools.cache
def longer_window() -> Finding:
    """R1+: window * F_L(m) - L m (window - m) is a product of terms that are >= 0."""
    import sympy

    m, b, w = sympy.symbols("m b ell", positive=True)
    L = w - b
    short, long = m * b - m**2 / 2, b**2 / 2  # the part of a(w - a) beyond L
    pairs = {
        "m <= b": (w * (m * (w - m) - short) - L * m * (w - m), m**2 * (w / 2 - b)),
        "m >= b": (
            w * (m * (w - m) - long) - L * m * (w - m),
            b * ((m - b) * (w - b - m) + b * (w / 2 - b)),
        ),
    }
    return _all_zero(pairs)


@functools.cache
def cut_lemma_cases() -> Finding:
    """The closed inequalities of the cut lemma for t <= window / 3 (case ii)."""
    import sympy

    t, a1, a2, a3 = sympy.symbols("t a_1 a_2 a_3", nonnegative=True)
    a = a1 + a2 + a3
    s = t * a - a1**2 / 2 - a3**2 / 2 - a2 * (a1 + a3)
    crowded = t * (t - a1) + a1**2 / 2
    both = s.subs({a1: t - a2, a3: t - a2})
    pairs = {
        "sparse": (s - (t * a - a**2 / 2), a2**2 / 2 + a1 * a3),
        "crowded": (crowded - t**2 / 2, (t - a1) ** 2 / 2),
        "one end": (s.subs({a1: t - a2, a3: 0}) - t**2 / 2, a2**2 / 2),
        "two ends": (both - sympy.Rational(3, 4) * t**2, (t / 2 - a2) ** 2),
    }
    return _all_zero(pairs)


@functools.cache
def telescoping() -> Finding:
    """One induction step of the error formula with biases, and of the accuracy that it allows.

    With B = (1+q)^(i-1): B q M_i + (B-1) s M_{i-1} stays below (B (1+q) - 1) M_i by (B-1) beta.
    """
    import sympy

    q, s, b, m, grown, w, u = sympy.symbols("q s beta M B omega omega_b", positive=True)
    after = s * m + b
    accuracy = q * after / (w * m + u)
    pairs = {
        "step": (
            (grown * (1 + q) - 1) * after - (grown * q * after + (grown - 1) * s * m),
            (grown - 1) * b,
        ),
        "accuracy": (w * accuracy * m + u * accuracy, q * after),
        "no bias": (accuracy.subs({b: 0, u: 0}), q * s / w),
    }
    return _all_zero(pairs)


@functools.cache
def density_at_half() -> Finding:
    """g_disc(1/2), the sum of h / c over the odd multiples c >= 1/2 of h, against ln(2)/2 - 2^-23.

    The sum of 2^22 terms, each rounded once, is exact in `math.fsum` up to its own rounding.
    """
    odd = 2.0 * np.arange(1 << 22, 1 << 23) + 1.0
    found = math.fsum((1.0 / odd).tolist()) * (1 - 2.0**-51)
    slack = found - (0.5 * math.log(2) - 2.0**-23) * (1 + 2.0**-50)
    return slack >= 0, f"slack {slack:.3g}"


@functools.cache
def cut_lemma_strings(length: int) -> Finding:
    """The cut lemma on every union of unit cells of [0, length], at every whole t."""
    n = length
    a = np.arange(1 << n, dtype=np.uint32)
    m = np.minimum(np.bitwise_count(a), n - np.bitwise_count(a)).astype(np.int64)
    crossing = [np.zeros(a.size, np.int64)]
    for s in range(1, n + 1):
        low = a & np.uint32((1 << (n - s)) - 1)
        crossing.append(np.bitwise_count(low ^ (a >> np.uint32(s))).astype(np.int64))
    cut, least = np.zeros(a.size, np.int64), np.zeros(a.size, np.int64)
    worst, checked = 0, 0
    for t in range(1, n + 1):
        # doubled integrals from t-1 to t: both integrands are linear between whole numbers,
        # but min(s, m, n-s) may bend in between only at n/2, where m <= n/2 cuts it off
        cut += crossing[t - 1] + crossing[t]
        least += np.minimum(m, min(t - 1, n - t + 1)) + np.minimum(m, min(t, n - t))
        if 3 * t <= n or 2 * t >= n:
            worst = max(worst, int((least - cut).max()))
            checked += a.size
    return worst <= 0, f"{checked} cases of length {n}, largest deficit {worst / 2:g}"


@functools.cache
def density_floor() -> Finding:
    """The discrete mixture's density on all 2^23 steps, against its floor g0."""
    count, start = 1 << 23, 1 << 13  # c_start lies just above the cap
    odd = 2.0 * np.arange(count) + 1.0
    steps = np.cumsum(1.0 / odd[::-1])[::-1]  # g_disc = steps[k] on (c_{k-1}, c_k]
    steps *= 1 - count * 2.0**-52  # a-priori rounding of a sum of positive terms
    # From the cap to the window's end; below the cap the floor is constant and g_disc grows.
    stop = int(WINDOW / GRID / 2) + 1
    below = odd[start - 1 : stop] * float(GRID)
    floor = (0.5 * np.log(1 / below) - float(SHIFT)) * (1 + 2.0**-50)
    slack = float((steps[start : stop + 1] - floor).min())
    return slack >= 0, f"least slack {slack:.3g} over {below.size} steps"


@functools.cache
def kappa_cells(kappa: Fraction, coarsest: int = 16, finest: int = 1 << 14) -> Finding:
    """Certify D(v) >= kappa v (1-v) on (0, 1/2] by subdivision in outward-rounded intervals.

    D(v)/v does not increase there, so on a cell [v1, v2] the ratio is at least
    (D(v2)/v2) / (1-v1). Cells are halved until that suffices, `finest` cells a unit at the most.
    """
    import mpmath

    iv = type(mpmath.iv)()  # a context of our own: its precision is state
    iv.prec = 80
    growth = functools.cache(_ProductGrowth(iv))
    exact = _ProductGrowth(iv).exact
    todo = [(Fraction(i, 2 * coarsest), Fraction(i + 1, 2 * coarsest)) for i in range(coarsest)]
    cells, least = 0, float("inf")
    while todo:
        v1, v2 = todo.pop()
        ratio = growth(v2) / exact(v2) / exact(1 - v1)
        bound = float(mpmath.mpf(ratio.a))
        if bound * (1 - 2.0**-50) < float(kappa) * (1 + 2.0**-50):
            if (v2 - v1) * finest < 1:
                return False, f"ratio {bound:.6f} on [{float(v1):.5f}, {float(v2):.5f}]"
            middle = (v1 + v2) / 2
            todo += [(v1, middle), (middle, v2)]
            continue
        cells, least = cells + 1, min(least, bound)
    return True, f"ratio >= {least:.6f} on each of {cells} cells"


class _ProductGrowth:
    """D(v) of the product theorem for the floor g0 of the density, as an interval."""

    def __init__(self, iv: Any) -> None:
        self.iv = iv
        self.low, self.half, self.end = WINDOW / 3, WINDOW / 2, WINDOW
        self.flat = self._log_density(self.half)
        self._moment = functools.cache(self._moment_of)
        self._primitive = functools.cache(self._primitive_of)

    def exact(self, x: Fraction) -> Any:
        """The rational number as an interval."""
        return self.iv.mpf(x.numerator) / x.denominator

    def __call__(self, v: Fraction) -> Any:
        w, a = self.end, v * self.end
        total = self._moment(1, a) + self.exact(a) * (self._moment(0, w - a) - self._moment(0, a))
        total += self.exact(w) * (self._moment(0, w) - self._moment(0, w - a))
        total -= self._moment(1, w) - self._moment(1, w - a)
        return total / self.exact(w)

    def _log_density(self, x: Fraction) -> Any:
        return -self.iv.log(self.exact(x)) / 2

    def _moment_of(self, power: int, x: Fraction) -> Any:
        """The integral of s^power g~(s) over [0, x], power 0 or 1."""
        pieces = [
            (Fraction(0), CAP, self._log_density(CAP)),
            (CAP, self.low, None),
            (self.low, self.half, self.flat),
            (self.half, self.end, None),
        ]
        total = -self.exact(SHIFT * x ** (power + 1) / (power + 1))
        for start, stop, constant in pieces:
            if x <= start:
                break
            stop = min(stop, x)
            if constant is not None:
                size = stop ** (power + 1) - start ** (power + 1)
                total += constant * self.exact(size / (power + 1))
            else:
                total += self._primitive(power, stop) - self._primitive(power, start)
        return total

    def _primitive_of(self, power: int, s: Fraction) -> Any:
        """An antiderivative of -(1/2) s^power ln s."""
        n = power + 1
        logarithm = self.iv.log(self.exact(s))
        return -(self.exact(s**n / n) * logarithm - self.exact(s**n / n**2)) / 2


def _all_zero(pairs: dict[str, tuple[Any, Any]]) -> Finding:
    import sympy

    wrong = [name for name, (a, b) in pairs.items() if sympy.simplify(a - b) != 0]
    return not wrong, f"wrong: {', '.join(wrong)}" if wrong else f"{len(pairs)} identities hold"
