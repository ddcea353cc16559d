r"""da Cunha, d'Amore, Giroire, Lesfari, Natale, Viennot, arXiv 2204.13929, ESA 2023.

"Revisiting the Random Subset Sum Problem": an elementary proof of Lueker's theorem (1998), on
which the theorems on tickets rest: logarithmically many random numbers have a subset sum near
every target at once.

RECALLED is the theorem as it is recalled, its constant unspecified. R1, R1PLUS, PRODUCT and
DYNAMIC_PROGRAM (in `random_subset_sum`) are ours, with every constant; NORMAL and NORMAL_PRODUCT
are the same for Gaussian weights, their growth constants certified; REACH extends the range at a
price that R1PLUS does not ask. COUNTING is what no law can beat. Proofs: docs/theorems/proofs.md
and docs/theorems/proofs-random-sources.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import Bound, rational
from strongticket.laws import Normal, Uniform
from strongticket.theorems import _algebra, _kappa, _restated_sources
from strongticket.theorems._evidence import PROVES, RECOMPUTES, Inequality, Row, algebra
from strongticket.theorems._sampling import SamplingTheorem, exponential
from strongticket.theorems._theorem import (
    ACCURACY,
    CONFIDENCE,
    OURS,
    TOLERANCE,
    Hypothesis,
    Theorem,
)
from strongticket.theorems.random_subset_sum import COUNTING as COUNTING
from strongticket.theorems.random_subset_sum import DYNAMIC_PROGRAM as DYNAMIC_PROGRAM
from strongticket.theorems.random_subset_sum import POTENTIAL, PRODUCT_INEQUALITIES
from strongticket.theorems.random_subset_sum import PRODUCT as PRODUCT
from strongticket.theorems.random_subset_sum import R1 as R1
from strongticket.theorems.random_subset_sum import R1PLUS as R1PLUS
from strongticket.theorems.random_subset_sum import R1PLUS_WHOLE as R1PLUS_WHOLE

PAPER = "da Cunha et al., ESA 2023, arXiv 2204.13929"
FALSE = "the width just below the counting bound"
LOSS = sympy.Rational(12, 10**7)  # twice the distance of the deviate's law, per covered interval
KAPPA_NORMAL = Fraction(46, 100)
KAPPA_NORMAL_PRODUCT = Fraction(33, 100)
DEVIATE = Fraction(4, 10**6)  # how far the deviate may be from the normal one it stands for

C, epsilon, eta, delta, W = sympy.symbols("C epsilon eta delta W", positive=True)
_MEANINGS = (
    ("eta", "accuracy of every subset sum"),
    ("delta", "failure probability of the random sample, for all targets together"),
)

RECALLED = Theorem(
    key="dacunha2022_recalled",
    title="Logarithmically many uniform numbers serve all targets (exact form recalled)",
    source=f"Lueker, RSA 1998, Corollary 2.5; again {PAPER}; exact form and number recalled",
    claim=(
        "There is a constant C such that n independent uniform numbers from $[-1, 1]$ have, with "
        "probability at least $1 - \\delta$, for every $|z| \\le 1/2$ at once a subset whose sum "
        "is within $\\varepsilon$ of z, if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * sympy.log(2 / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant that no source gives"),
            ("epsilon", "accuracy of every subset sum"),
            ("delta", "failure probability"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(
        "The results on tickets that use this lemma (da Cunha, Natale, Viennot 2022 on "
        "convolutions; Burkholz 2022; Ferbach et al. 2023; Otsuka et al. 2025) carry its C along "
        "without a value, so that none of their widths is a number. As recalled, the elementary "
        "proof gives a C in the hundreds; R1 gives 4.82 for $\\log_2(1/\\varepsilon)$ and 2.41 for "
        "$\\log_2(1/\\delta)$.",
    ),
    instead="dacunha2022_r1",
)


@dataclass(frozen=True, kw_only=True)
class NormalSamples(SamplingTheorem):
    """The same with weights of the toolkit's normal law: units of 2^-20, products of 2^-40."""

    def sample(self, trials: int, n: int, seed: int) -> NDArray[np.int64]:
        """Integer samples (trials, n)."""

        def draw(name: str) -> NDArray[np.int64]:
            words = philox.words(seed, philox.stream("check normal", name), 0, trials * n)
            return Normal(1.0).units(words).astype(np.int64).reshape(trials, n)

        return draw("b") * np.maximum(draw("a"), 0) if self.gated else draw("a")

    @property
    def unit(self) -> int:
        """How many integer units make 1."""
        return 1 << (40 if self.gated else 20)


def _window(ratio: Fraction, kappa: Fraction) -> Hypothesis:
    edge = 3 * Fraction(12, 10**7) / kappa
    return Hypothesis(
        r"$\eta \le W/2$ and $3.6 \cdot 10^{-6}\, W < \kappa \eta$",
        lambda eta, W: (
            None
            if edge * rational(W) < rational(eta) <= rational(W) / 2
            else f"eta must lie in ({float(edge):.3g} W, W/2] for W = {W}, got {eta!r}"
        ),
    )


_ERROR = Inequality(
    "the deviate is within 4e-6 of the normal one that it stands for, in the bins that count",
    lambda effort: (
        (found := _kappa.normal_error()) <= DEVIATE,
        f"at most {found:.3g}, quantiles in double precision",
    ),
    PROVES,
)
_DISTANCE = Inequality(
    "the deviate's law is within 6e-7 of the normal law (Kolmogorov)",
    lambda effort: (
        (found := _kappa.normal_distance()) <= 6e-7,
        f"distance at most {found:.3g}, quantiles in double precision",
    ),
    PROVES,
)


def _normal(
    key: str,
    title: str,
    claim: str,
    law: str,
    kappa: Fraction,
    gate: int,
    window: Fraction,
    **rest: Any,
) -> NormalSamples:
    prefactor = (W / eta - 1) ** 2
    growth = sympy.Rational(kappa.numerator, kappa.denominator) - 3 * LOSS * W / eta
    ratio = 1 - growth / gate
    return NormalSamples(
        key=key,
        title=title,
        source=f"{OURS}, R2+ (B3) for the toolkit's normal law",
        claim=claim,
        hypotheses=(TOLERANCE, CONFIDENCE, _window(window, kappa)),
        bound=exponential(
            "n",
            prefactor,
            ratio,
            domain=(sympy.Le(eta, W / 2),),
            meanings=(*_MEANINGS, ("W", f"window of targets, {window} in units of the scale")),
        ),
        law=law,
        proof="rss-normal",
        extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
        false_bound=FALSE,
        prefactor=prefactor,
        ratio=ratio,
        setting=(("W", window),),
        reach=lambda eta: (window - eta) / 2,
        **rest,
    )


NORMAL = _normal(
    "dacunha2022_normal",
    "Random subset sum of Gaussian weights",
    r"Let X have the toolkit's normal law with standard deviation s, and $W = 2 s$. With "
    r"probability at least $1 - \delta$, n independent copies have, for every real "
    r"$|z| \le (W - \eta)/2$ at once, a subset whose sum is within $\eta$ of z, if {bound}",
    r"\mathcal{N}(0, s^2)",
    KAPPA_NORMAL,
    2,
    Fraction(2),
    restated=_restated_sources.NORMAL,
    inequalities=(
        POTENTIAL,
        Inequality(
            "kappa >= 0.46 for the normal density on a window of 2",
            lambda effort: _kappa.at_least(KAPPA_NORMAL, 2.0, _kappa.normal_floor),
            PROVES,
        ),
        _DISTANCE,
        PRODUCT_INEQUALITIES[2],
    ),
)
NORMAL_PRODUCT = _normal(
    "dacunha2022_normal_product",
    "Random subset sum of products of two Gaussian weights behind a ReLU",
    r"Let a and b be independent, of the toolkit's normal law with standard deviations $s_a$, "
    r"$s_b$, and $W = \tfrac32 s_a s_b$. With probability at least $1 - \delta$, n independent "
    r"copies of $b\,\sigma(a)$ have, for every real $|z| \le (W - \eta)/2$ at once, a subset whose "
    r"sum is within $\eta$ of z, if {bound}",
    r"\mathcal{N}(0, s_b^2) \cdot \sigma(\mathcal{N}(0, s_a^2))",
    KAPPA_NORMAL_PRODUCT,
    4,
    Fraction(3, 2),
    restated=_restated_sources.NORMAL_PRODUCT,
    gated=True,
    inequalities=(
        POTENTIAL,
        Inequality(
            "kappa >= 0.33 for the product of two normal laws on a window of 3/2",
            lambda effort: _kappa.at_least(
                KAPPA_NORMAL_PRODUCT, 1.5, _kappa.normal_product_floor(float(DEVIATE))
            ),
            PROVES,
        ),
        _ERROR,
        _DISTANCE,
        PRODUCT_INEQUALITIES[2],
    ),
)


@dataclass(frozen=True, kw_only=True)
class Reached(SamplingTheorem):
    """R3: n is the sum of what coverage asks at delta / 2 and what the reach asks at delta / 2."""

    def restated_rows(self) -> Iterator[Row]:
        """The width and the reach beside the statement, written out a second time."""
        width = _restated_sources.reached(self.width)
        yield algebra(
            "the width suffices for coverage and reach, one less a step", width, RECOMPUTES
        )
        reach = (self.reach(Fraction(1, 100)) == 1, "1")
        yield algebra("the targets are those of the statement", reach, RECOMPUTES)


_SERVED = 16 / (eta**2 * delta)
REACH = Reached(
    key="dacunha2022_reach",
    title="Random subset sum: a longer range by reserved samples",
    source=f"{OURS}, R3; on the grid D1",
    claim=(
        "Let X be uniform on the odd multiples of $2^{-24}$ in $(-1, 1)$. With probability at "
        r"least $1 - \delta$, n independent copies have, for every real $|z| \le 1$ at once, a "
        r"subset whose sum is within $\eta$ of z, if {bound} (R1PLUS asks for less.)"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$2^{-24} \le \eta \le 1/2$",
            lambda eta: (
                None
                if Fraction(1, 1 << 24) <= rational(eta) <= Fraction(1, 2)
                else f"eta must lie in [2^-24, 1/2], got {eta!r}"
            ),
        ),
    ),
    bound=Bound(
        "n",
        sympy.log(_SERVED / delta) / sympy.log(sympy.Rational(4, 3)) + 1,
        "sufficient",
        domain=(sympy.Le(eta, sympy.Rational(1, 2)), sympy.Le(delta, 1)),
        meanings=_MEANINGS,
    ),
    law=Uniform(1.0).latex,
    proof="rss-reach",
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound=FALSE,
    prefactor=_SERVED,
    ratio=sympy.Rational(3, 4),
    setting=(),
    reach=lambda eta: Fraction(1),
    restated=_restated_sources.REACH,
    step=Fraction(1, 1 << 24),
    inequalities=(
        POTENTIAL,
        Inequality("the grid costs nothing (D1)", lambda effort: _algebra.grid_d1(), PROVES),
    ),
)
