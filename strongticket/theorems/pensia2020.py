r"""Pensia, Rajput, Nagle, Vishwakarma, Papailiopoulos, NeurIPS 2020, arXiv 2006.07990.

"Optimal Lottery Tickets via Subset Sum: Logarithmic Over-Parameterization is Sufficient": a random
ReLU network of depth 2L, wider by a logarithm, can be pruned to every target of depth L.

PUBLISHED is the theorem as later papers restate it, its exact form recalled and not read. FIRST
and EXPLICIT are ours, with every constant, for targets of any norm, with biases, on the grid that
the toolkit's weights live on; EXPLICIT has the smaller widths. LOWER is the paper's lower bound.
Proofs: docs/theorems/proofs.md.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy

from strongticket.bounds import Bound, rational
from strongticket.laws import Uniform
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _algebra, _plan, _restated
from strongticket.theorems._evidence import IDENTITIES, PROVES, Inequality
from strongticket.theorems._lower import Lower
from strongticket.theorems._network import REACH, RESOLUTION, TwoLayerTheorem, pool_bound
from strongticket.theorems._restated_network import RestatedNetwork
from strongticket.theorems._sampling import SamplingTheorem, exponential
from strongticket.theorems._theorem import (
    ACCURACY,
    CONFIDENCE,
    OURS,
    TOLERANCE,
    Hypothesis,
    Theorem,
)
from strongticket.theorems.random_subset_sum import (
    GRID,
    POTENTIAL,
    PRODUCT,
    PRODUCT_INEQUALITIES,
)

PAPER = "Pensia et al., NeurIPS 2020, arXiv 2006.07990"

C, epsilon, delta = sympy.symbols("C epsilon delta", positive=True)
L, d_in, d_out, d = sympy.symbols("L d_in d_out d", positive=True, integer=True)
W, eta = sympy.symbols("W eta", positive=True)

_EVALUATED = (
    "**E-1, the published accuracy.** Until April 2022 the public script of the experiment "
    "evaluated the target where it meant the approximated network: the accuracy reported after "
    "pruning is the target's own. The authors corrected the code."
)
_SHARED = (
    "**E-2, shared samples.** The public script draws 21 samples once for each output neuron and "
    "uses them for all weights of that row, though its comment gives every weight its own: 10,710 "
    "random numbers, not 8.3 million."
)
_TESTED = (
    "**E-3, what the experiment tested.** Direct uniform samples from the range of the trained "
    "weights: no products, no ReLU, no doubled depth; and spectral norms above 3, outside the "
    "theorem's hypotheses."
)
_ROUNDED = (
    "**E-4, the count.** The README rounds c log2(1/epsilon), that is 20; the code multiplies c by "
    "the rounded logarithm, which is 21."
)
_DENSITY = (
    "**E-13, sparsity.** In the experiments it is the fraction of weights that are pruned; other "
    "papers give the name to the fraction kept. Here density is what is kept."
)
_ROOM = (
    "**E-10, room in Theorem 1.** The accuracy epsilon/(2 L d_in d_out) of a weight may be "
    "epsilon/(2 L sqrt(d_in d_out)). No negative group is needed after the first layer. Norms need "
    "not be at most 1. Entries up to 1 need wider laws, or more samples, than products of two "
    "uniforms on [-1, 1] with a constant rate."
)

PUBLISHED = Theorem(
    key="pensia2020_published",
    title="Logarithmic over-parameterization suffices (as restated; exact form recalled)",
    source=(
        f"{PAPER}, Theorem 1, as restated by Natale et al. 2024 and Otsuka et al. 2025; "
        "exact form recalled"
    ),
    claim=(
        "Let the target have depth L, no biases and $\\|W_i\\|_2 \\le 1$ in every layer. Let the "
        "random network have depth 2L, weights from $\\mathrm{U}[-1, 1]$, and "
        "$2 d_{i-1} n_i$ hidden neurons between the layers that stand for target layer i. There "
        "is a constant C such that with probability at least $1 - \\delta$ every such target is "
        "within $\\varepsilon$ on the unit ball of some pruned network, if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n_i",
        C * sympy.log(2 * L * d_in * d_out / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant that the restatements do not give"),
            ("L", "depth of the target"),
            ("d_in", "inputs of target layer i"),
            ("d_out", "outputs of target layer i"),
            ("epsilon", "sup error on the unit ball"),
            ("delta", "failure probability of the random network"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(_EVALUATED, _SHARED, _TESTED, _ROUNDED, _ROOM, _DENSITY),
)

_CLAIM = (
    "Let the target have layers $x \\mapsto W_i x + b_i$ with ReLU between, on inputs of norm at "
    "most $M_0$; norms are Euclidean on a ball, maximum norms on a box. Let "
    "$s_i \\ge \\|W_i\\|$, $\\beta_i \\ge \\|b_i\\|$, $M_i = s_i M_{i-1} + \\beta_i$, and aim at "
    f"the accuracies\n\n$$\n\\eta_i = \\zeta_i = {sympy.latex(_plan.ACCURACY)}\n$$\n\n"
    "for weights and biases, or at smaller ones, with $\\omega_i = d_{i-1}$ and "
    "$\\omega_{b,i} = 1$ on a box, $\\omega_i = \\sqrt{d_{i-1} d_i}$ and "
    "$\\omega_{b,i} = \\sqrt{d_i}$ on a ball, $\\omega_{b,i} = 0$ without biases. "
    "Let the random network "
    "have depth 2L, its weights uniform on the toolkit's grid in $(-s_a, s_a)$ and "
    "$(-s_b, s_b)$ for the two layers that stand for layer i, and a pool of $N_i$ hidden neurons "
    "for each input (and one for the bias, from the same law). With probability at least "
    "$1 - \\delta$, all targets with these norms at once are within $\\varepsilon$ of some pruned "
    "network on the whole domain, if {bound}"
)
_LAW = r"\mathrm{U}[-s_a, s_a],\ \mathrm{U}[-s_b, s_b]"
_HYPOTHESES = (ACCURACY, CONFIDENCE, REACH, RESOLUTION)

# ---- extremal targets: the largest weight at the reach, both sign groups, biases, small norms


def _at_reach(domain: Box | Ball, biased: bool) -> Callable[[TwoLayerTheorem], tuple[str, Target]]:
    """A 3-2-2 target whose largest weight lies at the edge of what its scales reach."""

    def make(theorem: TwoLayerTheorem) -> tuple[str, Target]:
        # accuracies are below 0.02 at epsilon 0.05, so this is within the reach of s_a s_b = 2
        edge = float(dict(theorem.block.setting)["W"]) - (0.0 if theorem.whole else 0.02)
        first = [[edge, -edge, 0.25], [-0.03, 0.0, edge]]
        second = [[edge, -0.5], [0.125, -edge]]
        shifts = ([0.4, -edge], [-0.2, 0.1]) if biased else (None, None)
        layers = [
            (np.array(w, np.float32), None if b is None else np.array(b, np.float32))
            for w, b in zip((first, second), shifts, strict=True)
        ]
        where = f"box [{domain.low:g}, 1]" if isinstance(domain, Box) else "unit ball"
        name = f"3-2-2, {where}, largest weight at the reach{', biases' if biased else ''}"
        return name, Target(layers, domain)

    return make


_TARGETS = (
    _at_reach(Box(0.0, 1.0), biased=False),
    _at_reach(Box(-1.0, 1.0), biased=True),
    _at_reach(Ball(1.0), biased=True),
    _at_reach(Ball(1.0), biased=False),
)
_TELESCOPING = Inequality(
    "error propagation with biases, one induction step",
    lambda effort: _algebra.telescoping(),
    IDENTITIES,
)

_FIRST_RATE = sympy.log(2) / 4 - GRID  # the discrete mixture loses at most 2^-24 of ln(2)/4
_FIRST_KAPPA = Fraction(str(sympy.N(_FIRST_RATE, 50)))
_FIRST_PREFACTOR, _FIRST_RATIO = 2 * W**2 / eta**2, 1 - (_FIRST_RATE - 3 * GRID * W / eta) / 4
_FIRST_BLOCK = SamplingTheorem(
    key="pensia2020_first_block",
    title="Products behind a ReLU, by the uniform law that they contain",
    source=f"{OURS}, R1 and R2",
    claim="All $|z| \\le W/2$ within $\\eta$, $W = s_a s_b / 2$, if {bound}",
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$\eta \le W/2$ and $3 \cdot 2^{-24}\, W < (\ln 2 / 4 - 2^{-24}) \eta$",
            lambda eta, W: (
                None
                if 3 * rational(W) / 2**24 < _FIRST_KAPPA * rational(eta)
                and rational(eta) <= rational(W) / 2
                else f"eta must lie in (3 * 2^-24 W / 0.173, W/2] for W = {W}, got {eta!r}"
            ),
        ),
    ),
    bound=exponential(
        "n",
        _FIRST_PREFACTOR,
        _FIRST_RATIO,
        domain=(sympy.Le(eta, W / 2),),
        meanings=(
            ("eta", "accuracy"),
            ("delta", "failure probability"),
            ("W", "window of targets, half of s_a s_b"),
        ),
    ),
    law=PRODUCT.law,
    extremal=PRODUCT.extremal,
    prefactor=_FIRST_PREFACTOR,
    ratio=_FIRST_RATIO,
    setting=(("W", Fraction(1, 2)),),
    reach=lambda eta: Fraction(1, 4),
    restated=_restated.FIRST,
    gated=True,
)
FIRST = TwoLayerTheorem(
    key="pensia2020_first",
    title="Depth 2L with explicit constants: the uniform part of the product law",
    source=f"{OURS}, 1.D'; on the grid D2; explicit form of {PAPER}, Theorem 1",
    claim=_CLAIM,
    hypotheses=_HYPOTHESES,
    bound=pool_bound(_FIRST_BLOCK),
    law=_LAW,
    proof="pensia-first",
    errata=(_ROOM,),
    extremal={"targets": _TARGETS},
    false_bound="pools just below the counting bound",
    block=_FIRST_BLOCK,
    whole=True,
    restated=RestatedNetwork(_restated.FIRST, Fraction(1, 2), margin=0),
    inequalities=(
        POTENTIAL,
        Inequality(
            "density of the discrete product at half its range",
            lambda effort: _algebra.density_at_half(),
            PROVES,
        ),
        _TELESCOPING,
    ),
)
EXPLICIT = TwoLayerTheorem(
    key="pensia2020_explicit",
    title="Depth 2L with explicit constants: the whole product law",
    source=f"{OURS}, B4; on the grid D2; explicit form of {PAPER}, Theorem 1",
    claim=_CLAIM,
    hypotheses=_HYPOTHESES,
    bound=pool_bound(PRODUCT),
    law=_LAW,
    proof="pensia-explicit",
    errata=(_ROOM,),
    extremal={"targets": _TARGETS},
    false_bound="pools just below the counting bound",
    block=PRODUCT,
    whole=False,
    restated=RestatedNetwork(_restated.PRODUCT, Fraction(3, 4), margin=1),
    inequalities=(*PRODUCT_INEQUALITIES, _TELESCOPING),
)


LOWER = Lower(
    key="pensia2020_lower",
    title="No smaller network has all tickets",
    source=f"{PAPER}, Theorem 2, as restated by Natale et al. 2024",
    claim=(
        "Let a random network of any architecture, activation and law have P parameters. If for "
        "every $W \\in \\mathbb{R}^{d \\times d}$ with $\\|W\\|_2 \\le 1$ it can be pruned, with "
        "probability at least 1/2, to within $\\varepsilon$ of $x \\mapsto Wx$ on the unit ball, "
        "then {bound}"
    ),
    hypotheses=(
        Hypothesis(
            r"$0 < \varepsilon < 1/2$",
            lambda epsilon: (
                None
                if ACCURACY.test(epsilon=epsilon) is None and epsilon < 0.5
                else f"epsilon must lie strictly between 0 and 1/2, got {epsilon!r}"
            ),
        ),
    ),
    bound=Bound(
        "P",
        d**2 * sympy.log(1 / (2 * epsilon)) / sympy.log(2) - 1,
        "necessary",
        domain=(sympy.Lt(2 * epsilon, 1),),
        meanings=(
            ("epsilon", "sup error on the unit ball"),
            ("d", "inputs and outputs of the target"),
        ),
    ),
    law="any",
    proof="pensia-lower",
    # (hidden neurons, k): 4 * hidden parameters, below 4 log2(2k) - 1
    extremal={"hidden": (3, 5), "matrices": ((1, 2), (2, 4), (3, 16))},
    false_bound="twice the bound",
    upper=EXPLICIT,
)
