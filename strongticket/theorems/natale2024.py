r"""Natale, Ferre, Giambartolomei, Giroire, Mallmann-Trenn, NeurIPS 2024, arXiv 2410.14754.

"On the Sparsity of the Strong Lottery Ticket Hypothesis": subset sums of a fixed size, and with
them tickets of a density that is chosen beforehand.

SUBSETS and NETWORK are the paper's Theorems 2 and 3, their constants unspecified. PAIRS and
EXPLICIT are ours, with every constant: one of each pair, so that every weight keeps exactly k. They
are constructive, and do not use what the paper proves for n much larger than 2k. LOWER is the
paper's Theorem 5 as a count in integers. Proofs: docs/theorems/proofs-natale2024.md.
"""

from __future__ import annotations

from fractions import Fraction

import sympy

from strongticket.bounds import Bound, rational
from strongticket.laws import Uniform
from strongticket.theorems import _kappa, _restated_pairs, pensia2020
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import PROVES, Inequality
from strongticket.theorems._example import example_target
from strongticket.theorems._network import REACH, RESOLUTION
from strongticket.theorems._pairs import (
    PULL,
    PUSH,
    Differences,
    PairedTheorem,
    Pairs,
    pairs_bound,
)
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._restated_network import RestatedNetwork
from strongticket.theorems._sampling import exponential
from strongticket.theorems._sparse_lower import SparseLower, least_parameters
from strongticket.theorems._theorem import (
    ACCURACY,
    CONFIDENCE,
    OURS,
    TOLERANCE,
    Hypothesis,
    Theorem,
)
from strongticket.theorems.random_subset_sum import GRID, POTENTIAL, PRODUCT_INEQUALITIES
from strongticket.tickets import Ticket

PAPER = "Natale et al., NeurIPS 2024, arXiv 2410.14754"
KAPPA_TRIANGLE = Fraction(477, 1000)
KAPPA_DIFFERENCE = Fraction(17, 40)
WINDOW = Fraction(5, 4)
CUT_LEMMA = PRODUCT_INEQUALITIES[2]

epsilon, delta, eta, W, gamma, k = sympy.symbols("epsilon delta eta W gamma k", positive=True)
c_hyp, c_amp, n_star = sympy.symbols("c_hyp c_amp n", positive=True)
L, d_in, d_out, d = sympy.symbols("L d_in d_out d", positive=True, integer=True)
_H2 = -(gamma * sympy.log(gamma) + (1 - gamma) * sympy.log(1 - gamma)) / sympy.log(2)
_GAMMA = ("gamma", "the fraction k/n that is kept, so that the inequality is implicit in n")

_ERRATA = (
    "$\\varphi(0)$ of the normal density is printed as $1/(2\\pi)$ for $1/\\sqrt{2\\pi}$.",
    '"$\\log_2(e/\\gamma) \\le 1$" has the wrong direction: it is at least $\\log_2 e$. The '
    "conclusion stands.",
    "The bound on a partial sum of binomial coefficients is typeset with "
    "$\\binom{m}{\\gamma m}$ in every term.",
    "Corollary 1 needs $\\alpha < p$ where $\\alpha \\ne p$ is printed. The lemma of Pensia et al. "
    "that it uses gives a uniform law on $[-1/2, 1/2]$, so targets and $\\varepsilon$ are to be "
    "rescaled by 2.",
    "$n^*$ is defined by an equation in which it stands on both sides; $c_{thm}$, $c_{amp}$ and "
    "$c_u$ are unspecified.",
)

SUBSETS = Theorem(
    key="natale2024_subsets",
    title="Random subset sums of a fixed size, for one target",
    source=f"{PAPER}, Theorem 2, in our words",
    claim=(
        "Let the density of $X_1 + \\dots + X_k$ be at most $c_u/\\sqrt{k}$ everywhere and at "
        "least $c_l/\\sqrt{k}$ on $[-\\sqrt{k}, \\sqrt{k}]$ for every k, as it is for uniform and "
        "normal laws, and $1 \\le k \\le n/2$. There are constants $c_{hyp} \\ge 1$ and "
        "$c_{thm} > 0$ such that for each $|z| \\le \\sqrt{k}$, with probability at least "
        "$c_{thm}$, some k of n independent copies add up to within $\\varepsilon$ of z, if {bound}"
    ),
    hypotheses=(ACCURACY,),
    bound=Bound(
        "n",
        c_hyp * sympy.log(k / epsilon) / sympy.log(2) / _H2,
        "sufficient",
        meanings=(
            ("c_hyp", "a constant that the paper does not give"),
            ("k", "size of the subset"),
            ("epsilon", "accuracy of the sum"),
            _GAMMA,
        ),
        unspecified=frozenset({"c_hyp"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with c_hyp unspecified no width contradicts the statement",
    errata=_ERRATA,
    instead="natale2024_pairs",
)
NETWORK = Theorem(
    key="natale2024_network",
    title="Tickets of a chosen density in networks of depth 2L",
    source=f"{PAPER}, Theorem 3, in our words",
    claim=(
        "Let target and random network be those of Pensia et al. 2020, with $2 n_i d_{i-1}$ "
        "hidden neurons for layer i. There is a constant $c_{amp}$ such that with probability at "
        "least $1 - \\varepsilon$ every target is within $\\varepsilon$ of a subnetwork of density "
        "at most $\\gamma \\max_i \\max(d_i/d_{i-1}, d_{i-1}/d_i)$, if {bound}"
    ),
    hypotheses=(ACCURACY,),
    bound=Bound(
        "n_i",
        c_amp
        * (sympy.log(2 * L * d_in * d_out * gamma * n_star / epsilon) / sympy.log(2)) ** 2
        / _H2,
        "sufficient",
        meanings=(
            ("c_amp", "a constant that the paper does not give"),
            ("L", "depth of the target"),
            ("d_in", "inputs of target layer i"),
            ("d_out", "outputs of target layer i"),
            ("gamma", "the fraction of candidates that is kept"),
            ("n", "the same number again: the equation is implicit"),
            ("epsilon", "sup error on the unit ball, and failure probability"),
        ),
        unspecified=frozenset({"c_amp"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with c_amp unspecified no width contradicts the statement",
    errata=_ERRATA,
    instead="natale2024_explicit",
)

_TRIANGLE = sympy.Rational(477, 1000) - 6 * GRID / eta
_RATIO = 1 - _TRIANGLE / 2
_GROW, _SHRINK = sympy.Rational(10612, 10000), sympy.Rational(8539, 10000)
_N = sympy.log(16 / (eta**2 * delta)) / -sympy.log(_RATIO)
_M = (sympy.log(4 / delta) + (_N + 1) * sympy.log(_GROW)) / -sympy.log(_SHRINK)


def _uniform_moments() -> Finding:
    """E exp(-X 3/5) and E exp(-max(X, X') 3/5) in interval arithmetic, moved by the grid."""
    iv = intervals()
    t = interval(Fraction(3, 5))
    up, down = iv.exp(t), iv.exp(-t)
    sinh, cosh = (up - down) / 2, (up + down) / 2
    grid = iv.exp(t * interval(Fraction(1, 1 << 24)))
    push, pull = grid * sinh / t, grid * (sinh / t + sinh / t**2 - cosh / t)
    holds = push.b <= interval(Fraction(10612, 10000)).a
    holds = bool(holds and pull.b <= interval(Fraction(8539, 10000)).a)
    return holds, f"{float(push.b):.6f} <= 1.0612, {float(pull.b):.6f} <= 0.8539"


def _product_moments() -> Finding:
    push, pull = _kappa.pair_moments(1.1, float(WINDOW))
    holds = push <= float(PUSH) and pull <= float(PULL)
    return holds, f"{push:.6f} <= 1.071, {pull:.6f} <= 0.863"


PAIRS = Pairs(
    key="natale2024_pairs",
    title="Random subset sums of exactly k of 2k, all targets at once",
    source=f"{OURS}, R6; explicit form of {PAPER}, Corollary 1, for n = 2k",
    claim=(
        "Let X be uniform on the odd multiples of $2^{-24}$ in $(-1, 1)$, and pair 2k independent "
        "copies. With probability at least $1 - \\delta$, for every real $|z| \\le 1$ at once, "
        "exactly one of each pair can be chosen so that the k chosen add up to within $\\eta$ of "
        "z, if {bound}"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$6 \cdot 2^{-24} < 0.477\, \eta$ and $\eta \le 1$",
            lambda eta: (
                None
                if Fraction(6, 1 << 24) < KAPPA_TRIANGLE * rational(eta) <= KAPPA_TRIANGLE
                else f"eta must lie in (7.5e-7, 1], got {eta!r}"
            ),
        ),
    ),
    bound=Bound(
        "k",
        _N + 1 + _M,
        "sufficient",
        domain=(sympy.Le(eta, 1), sympy.Gt(_RATIO, 0), sympy.Lt(_RATIO, 1), sympy.Le(delta, 1)),
        meanings=(
            ("eta", "accuracy of every subset sum"),
            ("delta", "failure probability of the random sample, for all targets together"),
        ),
    ),
    law=Uniform(1.0).latex,
    proof="pairs",
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound="fewer pairs than the counting bound",
    prefactor=8 / eta**2,
    ratio=_RATIO,
    setting=(),
    reach=lambda eta: Fraction(1),
    restated=_restated_pairs.TRIANGLE,
    inequalities=(
        POTENTIAL,
        Inequality(
            "kappa >= 0.477 for the difference of two uniform weights on a window of 2",
            lambda effort: _kappa.at_least(KAPPA_TRIANGLE, 2.0, _kappa.triangle_floor),
            PROVES,
        ),
        Inequality("exponential moments", lambda effort: _uniform_moments(), PROVES),
        CUT_LEMMA,
    ),
)

_DIFFERENCE = (
    sympy.Rational(KAPPA_DIFFERENCE.numerator, KAPPA_DIFFERENCE.denominator) - 6 * GRID * W / eta
)
_BLOCK = Differences(
    key="natale2024_block",
    title="Differences of two products behind a ReLU",
    source=f"{OURS}, R2+ (B3); on the grid D2",
    claim="All $|z| \\le W/2$ within $\\eta$, $W = \\tfrac54 s_a s_b$, if {bound}",
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$\eta \le W/2$ and $6 \cdot 2^{-24}\, W < 0.425\, \eta$",
            lambda eta, W: (
                None
                if 6 * rational(W) / 2**24 < KAPPA_DIFFERENCE * rational(eta)
                and rational(eta) <= rational(W) / 2
                else f"eta must lie in (6 * 2^-24 W / 0.425, W/2] for W = {W}, got {eta!r}"
            ),
        ),
    ),
    bound=exponential(
        "n",
        2 * W**2 / eta**2,
        1 - _DIFFERENCE / 2,
        domain=(sympy.Le(eta, W / 2),),
        meanings=(
            ("eta", "accuracy"),
            ("delta", "failure probability"),
            ("W", "window of targets, 5/4 of s_a s_b"),
        ),
    ),
    law=pensia2020.EXPLICIT.law,
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound="the width just below the counting bound",
    prefactor=2 * W**2 / eta**2,
    ratio=1 - _DIFFERENCE / 2,
    setting=(("W", WINDOW),),
    reach=lambda eta: WINDOW / 2,
    restated=_restated_pairs.DIFFERENCE,
)


class _Explicit(PairedTheorem):
    def example(self) -> Ticket | None:
        """A 2-2-1 target, exactly four weights kept for each of its weights."""
        target = example_target()
        plans = self.plan(target, 0.5)
        network = self.mlp(plans, [16, 16], seed=5)
        return self.prune(network, target, plans, Fraction(1), sizes=[4, 4])


EXPLICIT = _Explicit(
    key="natale2024_explicit",
    title="Depth 2L with exactly k kept weights a weight, explicit constants",
    source=f"{OURS}, R6 with B4; on the grid D2; explicit form of {PAPER}, Theorem 3",
    claim=pensia2020.EXPLICIT.claim.replace(
        "and a pool of $N_i$ hidden neurons",
        "and a pool of $N_i \\ge 4 k_i + \\tau_i + \\sqrt{\\tau_i^2 + 8 k_i \\tau_i}$ hidden "
        "neurons, $\\tau_i = \\ln(3 L (g d_{i-1} + b)/\\delta)$,",
    ).replace(
        "of some pruned network on the whole domain",
        "of some pruned network on the whole domain that keeps, for every weight and bias of the "
        "target and each of its sign groups, exactly $k_i$ weights of the second layer",
    ),
    hypotheses=(ACCURACY, CONFIDENCE, REACH, RESOLUTION),
    bound=pairs_bound(_BLOCK),
    law=pensia2020.EXPLICIT.law,
    proof="pairs-network",
    extremal={"targets": pensia2020.EXPLICIT.extremal["targets"]},
    false_bound="pools just below the counting bound, one kept weight each",
    block=_BLOCK,
    whole=True,
    restated=RestatedNetwork(_restated_pairs.DIFFERENCE, WINDOW, margin=0),
    inequalities=(
        POTENTIAL,
        Inequality(
            "kappa >= 0.425 for the difference of two products on a window of 5/4",
            lambda effort: _kappa.at_least(KAPPA_DIFFERENCE, 1.25, _kappa.difference_floor()),
            PROVES,
        ),
        Inequality("exponential moments", lambda effort: _product_moments(), PROVES),
        CUT_LEMMA,
        pensia2020.EXPLICIT.inequalities[-1],
    ),
)

LOWER = SparseLower(
    key="natale2024_lower",
    title="No smaller network has all tickets of k weights",
    source=f"{PAPER}, Theorem 5, as a count in integers",
    claim=(
        "Let a random network of any architecture, activation and law have P parameters. If for "
        "every $W \\in \\mathbb{R}^{d \\times d}$ with $\\|W\\|_2 \\le \\sqrt{k}$ keeping exactly "
        "k of them gives, with probability at least 1/2, a network within $\\varepsilon$ of "
        "$x \\mapsto Wx$ on the unit ball, then {bound} where $P_{least}$ is the least P with "
        "$\\binom{P}{k} > \\tfrac12 (\\sqrt{k}/(2\\varepsilon))^{d^2}$. For $\\varepsilon < 1/16$ "
        "and $k \\le (1 - \\tfrac{1}{2\\pi}) P$ it follows that $P \\ge \\tfrac{d^2}{2} "
        "\\log_2(k/\\varepsilon) / H_2(k/P)$."
    ),
    hypotheses=(
        ACCURACY,
        Hypothesis(
            "$k \\ge 1$ is whole",
            lambda k: (
                None
                if not isinstance(k, bool) and rational(k) >= 1 and rational(k).denominator == 1
                else f"k must be a whole number >= 1, got {k!r}"
            ),
        ),
    ),
    bound=Bound(
        "P",
        sympy.Function("P_{least}")(sympy.Symbol("k", positive=True, integer=True), epsilon, d),
        "necessary",
        procedure=least_parameters,
        meanings=(
            ("k", "kept parameters"),
            ("epsilon", "sup error on the unit ball"),
            ("d", "inputs and outputs of the target"),
        ),
    ),
    law="any",
    proof="sparse-lower",
    extremal={"networks": ((4, 4), (5, 6))},
    false_bound="twice the bound",
    errata=(
        '"$d^2(\\log_2(1/\\varepsilon) - 1) \\ge 1$" in the proof should read '
        "$d^2(\\tfrac12\\log_2(1/\\varepsilon) - 1) \\ge 1$, which $\\varepsilon < 1/16$ gives.",
    ),
)
