r"""Random subset sums with explicit constants: how many random weights serve all targets at once.

R1 is the base case, R1PLUS twice its range at the same rate, PRODUCT the law that a ReLU gadget
really samples, DYNAMIC_PROGRAM a sharper number by computation, COUNTING what no law can beat.
All hold on the grid that the toolkit's weights live on. Proofs: docs/theorems/proofs.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from strongticket.bounds import Bound, rational
from strongticket.theorems import _algebra, _restated
from strongticket.theorems._certified import DynamicProgram, certified_length
from strongticket.theorems._certified import certificate as certificate
from strongticket.theorems._counting import Counting
from strongticket.theorems._evidence import IDENTITIES, PROVES, SHOWS_CASES, Inequality
from strongticket.theorems._sampling import SamplingTheorem, exponential
from strongticket.theorems._theorem import CONFIDENCE, OURS, TOLERANCE, Hypothesis

GRID = sympy.Rational(1, 1 << 24)
KAPPA = Fraction(49, 125)  # certified by interval subdivision: `_algebra.kappa_cells`
FALSE = "the width just below the counting bound"

eta, delta, L, p, ell, W, R = sympy.symbols("eta delta L p ell W R", positive=True)
_ACCURACY = ("eta", "accuracy of every subset sum")
_FAILURE = ("delta", "failure probability of the random sample, for all targets together")
_ETAS = (0.1, 0.01, 0.001)

POTENTIAL = Inequality(
    "convexity, potential and Markov's inequality",
    lambda effort: _algebra.identities(),
    IDENTITIES,
)

_R1_PREFACTOR, _R1_RATIO = 2 * L**2 / eta**2, 1 - p / 4
R1 = SamplingTheorem(
    key="dacunha2022_r1",
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
                if rational(L) / 2**24 <= rational(eta) <= rational(L) / 2
                else f"eta must lie in [2^-24, 1/2] times L = {L}, got {eta!r}"
            ),
        ),
        Hypothesis(
            "$0 < p \\le 1$",
            lambda p: None if 0 < p <= 1 else f"p must lie in (0, 1], got {p!r}",
        ),
    ),
    bound=exponential(
        "n",
        _R1_PREFACTOR,
        _R1_RATIO,
        domain=(sympy.Le(eta, L / 2), sympy.Le(p, 1)),
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
    restated=_restated.R1,
    step=Fraction(1, 1 << 24),
    inequalities=(
        POTENTIAL,
        Inequality("the grid costs nothing (D1)", lambda effort: _algebra.grid_d1(), IDENTITIES),
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
            if 6 * rational(ell) / 2**24 < rational(eta) <= rational(ell) / 2
            else f"eta must lie in (6 * 2^-24 ell, ell/2] for ell = {ell}, got {eta!r}"
        ),
    ),
)
_PLUS_MEANINGS = (
    _ACCURACY,
    _FAILURE,
    ("ell", "length of the window of targets, between s and 2 s"),
)


def _longer(key: str, title: str, reach_text: str, prefactor: Any, **rest: Any) -> SamplingTheorem:
    return SamplingTheorem(
        key=key,
        title=title,
        source=f"{OURS}, R1+ (B2); on the grid D2",
        claim=(
            r"Let X be uniform on the odd multiples of $2^{-24}s$ in $(-s, s)$ and "
            r"$s \le \ell \le 2s$. With probability at least $1 - \delta$, n independent copies "
            rf"have, for every real z with {reach_text} at once, a subset whose sum is within "
            r"$\eta$ of z, if {bound}"
        ),
        hypotheses=_PLUS_HYPOTHESES,
        bound=exponential(
            "n", prefactor, _PLUS_RATIO, (sympy.Le(eta, ell / 2),), meanings=_PLUS_MEANINGS
        ),
        law=r"\mathrm{U}[-s, s]",
        proof="rss-r1plus",
        extremal={"eta": _ETAS, "delta": (0.5, 0.01)},
        false_bound=FALSE,
        prefactor=prefactor,
        ratio=_PLUS_RATIO,
        setting=(("ell", Fraction(2)),),
        **rest,
    )


_DRIFT = Inequality(
    "drift on the longer window", lambda effort: _algebra.longer_window(), IDENTITIES
)
_STRINGS = Inequality(
    "at least half of all pairs are within half the window (0/1 strings)",
    lambda effort: _algebra.cut_lemma_strings(effort.pick(11, 14)),
    SHOWS_CASES,
)
R1PLUS = _longer(
    "dacunha2022_r1plus",
    "Random subset sum: twice the range at the same rate",
    r"$|z| \le (\ell - \eta)/2$",
    (ell / eta - 1) ** 2,
    reach=lambda eta: (2 - eta) / 2,
    restated=_restated.R1PLUS,
    inequalities=(POTENTIAL, _DRIFT, _STRINGS),
)
R1PLUS_WHOLE = _longer(
    "dacunha2022_r1plus_whole",
    "Random subset sum: twice the range, to its very ends",
    r"$|z| \le \ell/2$",
    2 * ell**2 / eta**2,
    reach=lambda eta: Fraction(1),
    restated=_restated.R1PLUS_WHOLE,
    inequalities=(POTENTIAL, _DRIFT),
)

_KAPPA = sympy.Rational(KAPPA.numerator, KAPPA.denominator)
_PRODUCT_PREFACTOR = (W / eta - 1) ** 2
_PRODUCT_RATIO = 1 - (_KAPPA - 3 * GRID * W / eta) / 4


def _strings(length: int) -> Inequality:
    return Inequality(
        f"cut lemma on all 0/1 strings of length {length}",
        lambda effort: _algebra.cut_lemma_strings(length),
        SHOWS_CASES,
    )


PRODUCT_INEQUALITIES = (
    Inequality(
        f"kappa >= {KAPPA} by interval subdivision",
        lambda effort: _algebra.kappa_cells(KAPPA),
        PROVES,
    ),
    Inequality(
        "density of the discrete product above its floor",
        lambda effort: _algebra.density_floor(),
        PROVES,
    ),
    Inequality(
        "cut lemma, closed inequalities", lambda effort: _algebra.cut_lemma_cases(), IDENTITIES
    ),
    *map(_strings, (5, 8, 12, 15)),
)
PRODUCT = SamplingTheorem(
    key="dacunha2022_product",
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
                if 3 * rational(W) / 2**24 < KAPPA * rational(eta)
                and rational(eta) <= rational(W) / 2
                else f"eta must lie in (3 * 2^-24 W / {KAPPA}, W/2] for W = {W}, got {eta!r}"
            ),
        ),
    ),
    bound=exponential(
        "n",
        _PRODUCT_PREFACTOR,
        _PRODUCT_RATIO,
        domain=(sympy.Le(eta, W / 2),),
        meanings=(
            _ACCURACY,
            _FAILURE,
            ("W", "window of targets, 3/4 of s_a times s_b"),
        ),
    ),
    law=r"\mathrm{U}[-s_b, s_b] \cdot \sigma(\mathrm{U}[-s_a, s_a])",
    proof="product-r2plus",
    extremal={"eta": (0.1, 0.01, 0.001), "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_PRODUCT_PREFACTOR,
    ratio=_PRODUCT_RATIO,
    setting=(("W", Fraction(3, 4)),),
    reach=lambda eta: (Fraction(3, 4) - eta) / 2,
    restated=_restated.PRODUCT,
    gated=True,
    inequalities=PRODUCT_INEQUALITIES,
)


DYNAMIC_PROGRAM = DynamicProgram(
    key="dacunha2022_dp",
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
        procedure=certified_length,
        domain=(
            sympy.Ge(eta, sympy.Rational(1, 1 << 24)),
            sympy.Le(eta, sympy.Rational(1, 2)),
            sympy.Le(delta, 1),
        ),
    ),
    law=r"\mathrm{U}[-1, 1]",
    proof="rss-dp",
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_R1_PREFACTOR,
    ratio=_R1_RATIO,
    setting=R1.setting,
    reach=R1.reach,
    restated=_restated.R1,
    step=R1.step,
    closed_form=R1,
)


COUNTING = Counting(
    key="dacunha2022_counting",
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
        domain=(sympy.Le(eta, R),),
        meanings=(_ACCURACY, ("R", "all targets up to this absolute value are served")),
    ),
    law="any",
    proof="counting",
    extremal={"eta": (0.05, 0.01)},
    false_bound="twice the bound",
    sampler=R1,
)
