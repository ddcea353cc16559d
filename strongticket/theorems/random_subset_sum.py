r"""Random subset sums with explicit constants: how many random weights serve all targets at once.

R1 is the base case, R1PLUS twice its range at the same rate, PRODUCT the law that a ReLU gadget
really samples, DYNAMIC_PROGRAM a sharper number by computation, COUNTING what no law can beat.
All hold on the grid that the toolkit's weights live on. Proofs: docs/theorems/proofs.md.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.bounds import Bound
from strongticket.theorems import _algebra, _dynamic_program
from strongticket.theorems._coverage import doubled_radius, subset_sums
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._sampling import SamplingTheorem, exponential
from strongticket.theorems._theorem import CONFIDENCE, OURS, TOLERANCE, Hypothesis, Theorem

GRID = sympy.Rational(1, 1 << 24)
KAPPA = Fraction(49, 125)  # certified by interval subdivision: `_algebra.kappa_cells`
FALSE = "the width just below the counting bound"

eta, delta, L, p, ell, W, R = sympy.symbols("eta delta L p ell W R", positive=True)
_ACCURACY = ("eta", "accuracy of every subset sum")
_FAILURE = ("delta", "failure probability of the random sample, for all targets together")
_ETAS = (0.1, 0.01, 0.001)

_R1_PREFACTOR, _R1_RATIO = 2 * L**2 / eta**2, 1 - p / 4
R1 = SamplingTheorem(
    key="rss_r1",
    title="Random subset sum: all targets at once, explicit constants",
    source=f"{OURS}, R1; on the grid D1",
    claim=(
        "Let X have density at least $p/(2L)$ on $[-L, L]$, or let X be uniform on the odd "
        r"multiples of $2^{-24}L$ there (then $p = 1$, and $\eta$ is a multiple of $2^{-24}L$ or "
        "is rounded down to one). With probability at least $1 - \\delta$, n independent copies "
        r"have, for every real $|z| \le L/2$ at once, a subset whose sum is within $\eta$ of z, if "
        "{bound}"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$2^{-24} L \le \eta \le L/2$",
            lambda eta, L: (
                None
                if 2**-24 * L <= eta <= L / 2
                else f"eta must lie in [2^-24, 1/2] times L = {L}, got {eta!r}"
            ),
        ),
    ),
    bound=exponential(
        "n",
        _R1_PREFACTOR,
        _R1_RATIO,
        meanings=(
            _ACCURACY,
            _FAILURE,
            ("L", "half the range of the weights; targets reach to L/2"),
            ("p", "weight of the uniform law on [-L, L] in the law of the weights"),
        ),
    ),
    law=r"\mathrm{U}[-L, L]",
    proof="rss-r1",
    extremal={"eta": _ETAS, "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_R1_PREFACTOR,
    ratio=_R1_RATIO,
    setting=(("L", Fraction(1)), ("p", Fraction(1))),
    reach=lambda eta: Fraction(1, 2),
    inequalities=(
        ("convexity, potential and Markov's inequality", lambda effort: _algebra.identities()),
        ("the grid costs nothing (D1)", lambda effort: _algebra.grid_d1()),
    ),
)

_LOSS = 6 * GRID * ell / eta  # what the grid costs: one step a covered interval
_PLUS_RATIO = 1 - (1 - _LOSS) / 4
_PLUS_HYPOTHESES = (
    TOLERANCE,
    CONFIDENCE,
    Hypothesis(
        r"$\eta \le \ell/2$ and $6 \cdot 2^{-24}\, \ell < \eta$",
        lambda eta, ell: (
            None
            if 6 * 2**-24 * ell < eta <= ell / 2
            else f"eta must lie in (6 * 2^-24 ell, ell/2] for ell = {ell}, got {eta!r}"
        ),
    ),
)
_PLUS_MEANINGS = (
    _ACCURACY,
    _FAILURE,
    ("ell", "length of the window of targets, between s and 2 s"),
)


def _longer(
    key: str, reach_text: str, prefactor: Any, **rest: Any
) -> SamplingTheorem:
    return SamplingTheorem(
        key=key,
        title=f"Random subset sum: every target {reach_text.replace('$', '')}",
        source=f"{OURS}, R1+ (B2); on the grid D2",
        claim=(
            r"Let X be uniform on the odd multiples of $2^{-24}s$ in $(-s, s)$ and "
            r"$s \le \ell \le 2s$. With probability at least $1 - \delta$, n independent copies "
            rf"have, for every real z with {reach_text} at once, a subset whose sum is within "
            r"$\eta$ of z, if {bound}"
        ),
        hypotheses=_PLUS_HYPOTHESES,
        bound=exponential("n", prefactor, _PLUS_RATIO, meanings=_PLUS_MEANINGS),
        law=r"\mathrm{U}[-s, s]",
        proof="rss-r1plus",
        extremal={"eta": _ETAS, "delta": (0.5, 0.01)},
        false_bound=FALSE,
        prefactor=prefactor,
        ratio=_PLUS_RATIO,
        setting=(("ell", Fraction(2)),),
        **rest,
    )


_PLUS_INEQUALITIES = (
    ("convexity, potential and Markov's inequality", lambda effort: _algebra.identities()),
    ("drift on the longer window", lambda effort: _algebra.longer_window()),
    (
        "at least half of all pairs are within half the window (0/1 strings)",
        lambda effort: _algebra.cut_lemma_strings(effort.pick(11, 14)),
    ),
)
R1PLUS = _longer(
    "rss_r1plus",
    r"$|z| \le (\ell - \eta)/2$",
    (ell / eta - 1) ** 2,
    reach=lambda eta: (2 - eta) / 2,
    inequalities=_PLUS_INEQUALITIES,
)
R1PLUS_WHOLE = _longer(
    "rss_r1plus_whole",
    r"$|z| \le \ell/2$",
    2 * ell**2 / eta**2,
    reach=lambda eta: Fraction(1),
    inequalities=_PLUS_INEQUALITIES[:1],
)

_KAPPA = sympy.Rational(KAPPA.numerator, KAPPA.denominator)
_PRODUCT_PREFACTOR = (W / eta - 1) ** 2
_PRODUCT_RATIO = 1 - (_KAPPA - 3 * GRID * W / eta) / 4
PRODUCT_INEQUALITIES = (
    (
        f"kappa >= {KAPPA} by interval subdivision",
        lambda effort: _algebra.kappa_cells(KAPPA),
    ),
    ("density of the discrete product above its floor", lambda effort: _algebra.density_floor()),
    ("cut lemma, closed inequalities", lambda effort: _algebra.cut_lemma_cases()),
    *(
        (
            f"cut lemma on all 0/1 strings of length {n}",
            lambda effort, n=n: _algebra.cut_lemma_strings(n),
        )
        for n in (5, 8, 12, 15)
    ),
)
PRODUCT = SamplingTheorem(
    key="rss_product",
    title="Random subset sum of products of two weights behind a ReLU",
    source=f"{OURS}, R2+ (B3); on the grid D2",
    claim=(
        "Let a and b be independent and uniform on the toolkit's grid in $(-s_a, s_a)$ and "
        r"$(-s_b, s_b)$, and $W = \tfrac34 s_a s_b$. With probability at least $1 - \delta$, n "
        r"independent copies of $b\,\sigma(a)$ have, for every real $|z| \le (W - \eta)/2$ at "
        r"once, a subset whose sum is within $\eta$ of z, if {bound}"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$\eta \le W/2$ and $3 \cdot 2^{-24}\, W < \kappa \eta$",
            lambda eta, W: (
                None
                if 3 * 2**-24 * W < KAPPA * Fraction(eta) and eta <= W / 2
                else f"eta must lie in (3 * 2^-24 W / {KAPPA}, W/2] for W = {W}, got {eta!r}"
            ),
        ),
    ),
    bound=exponential(
        "n",
        _PRODUCT_PREFACTOR,
        _PRODUCT_RATIO,
        meanings=(_ACCURACY, _FAILURE, ("W", "window of targets, 3/4 of s_a s_b")),
    ),
    law=r"\mathrm{U}[-s_b, s_b] \cdot \sigma(\mathrm{U}[-s_a, s_a])",
    proof="product-r2plus",
    extremal={"eta": (0.1, 0.01, 0.001), "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_PRODUCT_PREFACTOR,
    ratio=_PRODUCT_RATIO,
    setting=(("W", Fraction(3, 4)),),
    reach=lambda eta: (Fraction(3, 4) - eta) / 2,
    gated=True,
    inequalities=PRODUCT_INEQUALITIES,
)


def certificate(accuracy: float, cells: int = _dynamic_program.CELLS) -> Iterator[float]:
    """Upper bounds on the failure probability of R1's event after 0, 1, 2, ... samples.

    U[-1, 1] on the grid, all real |z| <= 1/2 within `accuracy`; every number rounded outward.
    """
    TOLERANCE.require(eta=accuracy)
    R1.require(eta=accuracy, **dict(R1.setting))
    # On the grid accuracy is rounded down to a * 2^-24: start >= a 2^-24, goal >= a 2^-25.
    steps = int(Fraction(accuracy) * (1 << 24))
    start, goal = steps / float(1 << 24), steps / float(1 << 25)
    return _dynamic_program.failure_curve(start, goal, lambda v: 0.5 * v * (1 - v), cells)


@functools.lru_cache(maxsize=64)
def _length(eta: float | Fraction, delta: float | Fraction) -> int:
    return _dynamic_program.least_length(certificate(float(eta)), float(delta))


@dataclass(frozen=True, kw_only=True)
class DynamicProgram(SamplingTheorem):
    """R1 with its failure probability bounded step by step instead of in closed form."""

    def width(self, eta: float, delta: float) -> int:
        """The least n at which the certificate is at most delta."""
        self.require(eta=eta, delta=delta, **dict(self.setting))
        return self.bound(eta=eta, delta=delta)

    def failure(self, n: int, eta: float) -> float:
        """The certificate after n samples."""
        return next(itertools.islice(certificate(eta), n, None))

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the certificate between closed form and experiment."""
        yield from super().rows(effort, false_width)
        if false_width:
            return
        yield algebra("never above the closed form of R1", self._below_closed_form(effort))
        accuracy, trials = 0.05, effort.pick(200, 1000)
        lengths = [least for least in self.shortest(trials, 40, accuracy, seed=5)]
        for n in (17, 21, 25):
            failed = sum(least is None or least > n for least in lengths)
            name = f"eta {accuracy:g}: failures after n = {n}"
            yield failures(name, self.failure(n, accuracy), failed, trials)

    def _below_closed_form(self, effort: Effort) -> tuple[bool, str]:
        most = -float("inf")
        for accuracy in self.extremal["eta"][: effort.pick(1, 99)]:
            bounds = list(itertools.islice(certificate(accuracy), 90))
            for n, bound in enumerate(bounds):
                most = max(most, bound - min(1.0, R1.failure(n, accuracy)))
        return most <= 0, f"largest excess {most:.2g}"


DYNAMIC_PROGRAM = DynamicProgram(
    key="rss_dp",
    title="Random subset sum: a sharper width by dynamic programming",
    source=f"{OURS}, R1'",
    claim=(
        "Let X be uniform on the odd multiples of $2^{-24}$ in $(-1, 1)$. With probability at "
        r"least $1 - \delta$, n independent copies have, for every real $|z| \le 1/2$ at once, a "
        r"subset whose sum is within $\eta$ of z, if {bound} where $n_{DP}$ is the first step at "
        r"which the outward-rounded recursion for the failure probability is at most $\delta$."
    ),
    hypotheses=R1.hypotheses,
    bound=Bound(
        "n",
        sympy.Function("n_{DP}")(eta, delta),
        "sufficient",
        meanings=(_ACCURACY, _FAILURE),
        procedure=_length,
    ),
    law=r"\mathrm{U}[-1, 1]",
    proof="rss-dp",
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_R1_PREFACTOR,
    ratio=_R1_RATIO,
    setting=R1.setting,
    reach=R1.reach,
)


@dataclass(frozen=True, kw_only=True)
class Counting(Theorem):
    """2^n subset sums serve at most 2^n intervals of length 2 eta."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Below the bound nothing works; at it a chosen sample does; doubled it is beaten."""
        if false_width:
            yield self._beaten(effort)
            return
        yield algebra("a sample of n weights reaches R = (2^n - 1) eta", self._sharp())
        trials = effort.pick(200, 2000)
        for accuracy in self.extremal["eta"]:
            n = self.bound(eta=accuracy, R=Fraction(1, 2)) - 1
            good = sum(self._serves(x, accuracy) for x in R1.sample(trials, n, seed=6))
            yield Row(
                "probability",
                f"eta {accuracy:g}: n = {n}, one below the bound",
                "no sample serves all targets",
                f"{good} of {trials} do",
                good > 0,
                CAN_REFUTE,
            )
        etas = [2.0**-k for k in (range(4, 8) if effort.quick else range(4, 11))]
        lengths = [
            [float(k or 0) for k in R1.shortest(effort.pick(30, 200), 40, e, seed=7)] for e in etas
        ]
        yield slope(
            "least n that serves all targets, against log2(1/eta)",
            [float(np.log2(1 / e)) for e in etas],
            lengths,
            float("inf"),
            least=1.0,
        )

    @staticmethod
    def _serves(sample: Any, accuracy: float) -> bool:
        unit, half = int(Fraction(accuracy) * (1 << 24)), 1 << 23
        return doubled_radius(subset_sums(sample), -half, half) <= 2 * unit

    @staticmethod
    def _sharp() -> tuple[bool, str]:
        """Sums -eta (2^n - 2), ..., in steps of 2 eta: one negative weight and powers of two."""
        for n in range(1, 15):
            shift = (1 << (n - 1)) - 1
            positive = [2 << k for k in range(n - 1)]  # all even sums up to 2^n - 2
            sample = np.array([*positive, -2 * (shift + 1)][:n], np.int64)
            radius = (1 << n) - 1
            found = doubled_radius(subset_sums(sample), -radius, radius)
            if found > 2:
                return False, f"n = {n}: eta {found / 2:g} instead of 1"
        return True, "n = 1 to 14, exactly"

    def _beaten(self, effort: Effort) -> Row:
        accuracy = 0.001
        claimed = 2 * self.bound.real(eta=accuracy, R=Fraction(1, 2))
        found = [k for k in R1.shortest(effort.pick(20, 100), 17, accuracy, seed=8) if k]
        least = min(found, default=None)
        return Row(
            "construction",
            f"false on purpose: the bound doubled, eta {accuracy:g}, R 1/2",
            f"no sample of n < {claimed:.4g} serves all targets",
            f"one of n = {least} does, exactly" if least else "none found",
            least is not None and least < claimed,
            SHOWS_CASE,
        )


COUNTING = Counting(
    key="rss_counting",
    title="Subset sums: no sample can be shorter",
    source=f"{OURS}, R8 (elementary)",
    claim=(
        r"If every real $|z| \le R$ is within $\eta$ of a subset sum of n numbers, whatever they "
        "are, then {bound}"
    ),
    hypotheses=(
        TOLERANCE,
        Hypothesis(
            r"$0 < \eta \le R$",
            lambda eta, R: None if 0 < eta <= R else f"eta must lie in (0, R = {R}], got {eta!r}",
        ),
    ),
    bound=Bound(
        "n",
        sympy.log(R / eta) / sympy.log(2),
        "necessary",
        meanings=(_ACCURACY, ("R", "all targets up to this absolute value are served")),
    ),
    law="any",
    proof="counting",
    extremal={"eta": (0.05, 0.01)},
    false_bound="twice the bound",
)
