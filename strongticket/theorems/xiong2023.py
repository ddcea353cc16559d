r"""Xiong, Liao, Kyrillidis, AISTATS 2023, PMLR 206, arXiv 2210.16589.

"Strong Lottery Ticket Hypothesis with epsilon-perturbation": if every random weight may be moved a
little before the subset is chosen, fewer of them are needed.

The paper's statement is recalled and not read; RECALLED has its constant unspecified. PERTURBED is
ours: the recursion of R1 with every covered set widened by the perturbation.
Proof: docs/theorems/proofs-xiong2023.md.
"""

from __future__ import annotations

from fractions import Fraction

import sympy

from strongticket.bounds import Bound, rational
from strongticket.theorems._evidence import IDENTITIES, SHOWS_CASES, Inequality
from strongticket.theorems._perturbed import Perturbed, growth_step, widening
from strongticket.theorems._restated import GRID as STEP
from strongticket.theorems._restated import Restated
from strongticket.theorems._sampling import exponential
from strongticket.theorems._theorem import (
    ACCURACY,
    CONFIDENCE,
    OURS,
    TOLERANCE,
    Hypothesis,
    Theorem,
)

PAPER = "Xiong, Liao, Kyrillidis, AISTATS 2023, PMLR 206, arXiv 2210.16589"

eta, C, epsilon, delta = sympy.symbols("eta C epsilon delta", positive=True)
nu = sympy.Symbol("nu", nonnegative=True)
L, d_in, d_out = sympy.symbols("L d_in d_out", positive=True, integer=True)

_PREFACTOR = (1 / eta - 1) ** 2
_KAPPA = (1 + nu) / 2 - 3 * sympy.Rational(1, 1 << 24) / eta
_RATIO = 1 - _KAPPA / (2 + nu)
_NU = Fraction(1, 8)


def _perturbed(accuracy: Fraction) -> tuple[Fraction, Fraction]:
    """(1/eta - 1)^2 and, at nu = 1/8, 1 - (9/16 - 3 2^-24/eta) / (17/8)."""
    return (1 / accuracy - 1) ** 2, 1 - (Fraction(9, 16) - 3 * STEP / accuracy) * Fraction(8, 17)


PERTURBED = Perturbed(
    key="xiong2023_perturbed",
    title="All targets at once from samples that may be moved",
    source=f"{OURS}, R1 with widened sets; the matter of {PAPER} (recalled)",
    claim=(
        "Let $X_1, \\dots, X_n$ be independent, uniform on the odd multiples of $2^{-24}$ in "
        "$(-1, 1)$, and $0 \\le \\nu \\le 1$. With probability at least $1 - \\delta$ every real "
        "$|z| \\le (1 - \\eta)/2$ has a subset S and perturbations $|\\nu_i| \\le \\nu$ with "
        "$|z - \\sum_{i \\in S} (X_i + \\nu_i)| \\le \\eta$, if {bound}"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$6 \cdot 2^{-24} < \eta \le 1/2$",
            lambda eta: (
                None
                if Fraction(6, 1 << 24) < rational(eta) <= Fraction(1, 2)
                else f"eta must lie in (6 * 2^-24, 1/2], got {eta!r}"
            ),
        ),
        Hypothesis(
            r"$0 \le \nu \le 1$",
            lambda nu: None if 0 <= rational(nu) <= 1 else f"nu must lie in [0, 1], got {nu!r}",
        ),
    ),
    bound=exponential(
        "n",
        _PREFACTOR,
        _RATIO,
        domain=(sympy.Le(eta, sympy.Rational(1, 2)), sympy.Le(nu, 1)),
        meanings=(
            ("eta", "accuracy"),
            ("delta", "failure probability"),
            ("nu", "how far each sample may be moved"),
        ),
    ),
    law=r"\mathrm{U}[-1, 1]",
    proof="xiong-perturbed",
    extremal={"eta": (0.1, 0.01, 0.001), "delta": (0.5, 0.01)},
    false_bound="sample sizes at which all perturbed subsets together are too short",
    instead="dacunha2022_r1",
    prefactor=_PREFACTOR,
    ratio=_RATIO,
    setting=(("nu", _NU),),
    reach=lambda eta: (1 - eta) / 2,
    restated=Restated(
        _perturbed,
        lambda eta: Fraction(1, 2) - eta / 2,
        (Fraction(1, 2), 0.1, 0.01, 0.001, 2.0**-18, 6 * STEP * Fraction(1001, 1000)),
        (Fraction(1, 2) + Fraction(1, 10**12), 6 * STEP),
    ),
    inequalities=(
        Inequality(
            "growth by a factor up to 2 + nu: one step", lambda effort: growth_step(), IDENTITIES
        ),
        Inequality(
            "a widened set is longer by at least the width, or all of the window",
            lambda effort: widening(effort.pick(10, 16)),
            SHOWS_CASES,
        ),
    ),
)

RECALLED = Theorem(
    key="xiong2023_recalled",
    title="Perturbed weights need fewer neurons (recalled)",
    source=f"{PAPER}; exact form and constants recalled",
    claim=(
        "Let target and random network be as in [the theorem of Pensia et al.](#pensia-explicit), "
        "of norm-one layers on the unit ball, and let every random weight be moved by at most "
        "$\\nu$ before pruning. There is a constant C such that a pool of n neurons for each input "
        "of a layer suffices, with probability at least $1 - \\delta$, if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * sympy.log(L * d_in * d_out / sympy.Min(epsilon, delta)) / (1 + nu),
        "sufficient",
        meanings=(
            ("C", "a constant that is not quoted here"),
            ("L", "depth of the target"),
            ("d_in", "inputs of the layer"),
            ("d_out", "outputs of the layer"),
            ("epsilon", "sup error on the unit ball"),
            ("delta", "failure probability"),
            ("nu", "how far each weight may be moved"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=r"\mathrm{U}[-1, 1]",
    false_bound="none: with C unspecified no width contradicts the statement",
    instead="xiong2023_perturbed",
)
