r"""Orseau, Hutter, Rivasplata, NeurIPS 2020, arXiv 2006.12156.

"Logarithmic Pruning is All You Need": a number of random neurons for one target weight that is
logarithmic in all but the depth, without assumptions on the norms of the weights, by weights of
hyperbolic (log-uniform) law and a decomposition of the target weight in powers of a constant.

The paper's statements are recalled and not read; RECALLED has their constants unspecified. SAMPLES
and NETWORK are ours, the same mechanism with every constant, in base golden ratio and on the grid
that the toolkit's weights live on. Proofs: docs/theorems/proofs-orseau2020.md.
"""

from __future__ import annotations

import sympy

from strongticket.bounds import Bound, rational
from strongticket.theorems._golden_network import GoldenNetwork
from strongticket.theorems._golden_sampling import GoldenSampling, too_fine
from strongticket.theorems._network import RESOLUTION
from strongticket.theorems._theorem import (
    ACCURACY,
    CONFIDENCE,
    OURS,
    TOLERANCE,
    Hypothesis,
    Theorem,
)

PAPER = "Orseau et al., NeurIPS 2020, arXiv 2006.12156"

epsilon, delta, C = sympy.symbols("epsilon delta C", positive=True)
k, k_i, L, d_in, d_out, g = sympy.symbols("k k_i L d_in d_out g", positive=True, integer=True)
b = sympy.Symbol("b", nonnegative=True, integer=True)


def _loss(digits: sympy.Symbol) -> sympy.Expr:
    """tau: what the grid costs a bin, as a part of its probability; counted for k <= 30."""
    return sympy.Rational(1, 4096) + sympy.GoldenRatio**digits / 2**23


_DIGITS = "digits; the accuracy is $s\\gamma^{k-1}$, with $\\gamma = (\\sqrt5 - 1)/2$"
_DELTA = "failure probability of the random weights, for all targets together"

SAMPLES = GoldenSampling(
    key="orseau2020_samples",
    title="Log-uniform weights and the golden-ratio greedy: all targets at once, in linear time",
    source=f"{OURS}; the mechanism of {PAPER} (recalled)",
    claim=(
        "Let $\\gamma = (\\sqrt5 - 1)/2$, $s$ a power of two, $1 \\le k \\le 30$, and let n "
        "independent weights be log-uniform on the toolkit's grid, of either sign, their "
        "magnitudes between $s\\gamma^k$ and $s$. With probability at least $1 - \\delta$ the "
        "greedy, which walks through the weights bin by bin and subtracts what it can, leaves of "
        "every $|w| \\le s/\\gamma$ at most $s\\gamma^{k-1}$, in time linear in n, if {bound}"
    ),
    hypotheses=(
        TOLERANCE,
        CONFIDENCE,
        Hypothesis(
            r"$\eta \ge \gamma^{29}$ for s = 1, so that $k \le 30$",
            lambda eta: too_fine(rational(eta)),
        ),
    ),
    bound=Bound(
        "n",
        2 * k * sympy.log(2 * k / delta) / (1 - _loss(k)),
        "sufficient",
        domain=(sympy.Le(k, 30), sympy.Lt(delta, 1)),
        meanings=(("k", _DIGITS), ("delta", _DELTA)),
    ),
    law=r"\pm\mathrm{LogU}[s\gamma^k, s]",
    proof="orseau-samples",
    extremal={"eta": (0.1, 0.01, 0.001), "delta": (0.5, 0.05)},
    false_bound="sample sizes just below the counting bound",
)

NETWORK = GoldenNetwork(
    key="orseau2020_network",
    title="Depth 2L by the golden-ratio greedy: signs, then log-uniform weights",
    source=f"{OURS}; the matter of {PAPER} (recalled)",
    claim=(
        "Let the target and the accuracies $\\eta_i$ of its weights and biases be as in "
        "[the depth-2L theorem](#pensia-explicit), on a ball or a box, with norms of any size. Let "
        "$s_i$ be a power of two with $s_i/\\gamma$ at least the largest weight and bias of layer "
        "i, and $k_i \\le 30$ such that $s_i(\\gamma^{k_i - 1} + 2^{-24}) \\le \\eta_i$. Let the "
        "random network have depth 2L, signs $\\pm1$ in the first of the two layers that stand for "
        "layer i, log-uniform weights on the toolkit's grid of either sign and of magnitudes "
        "between $s_i\\gamma^{k_i}$ and $s_i$ in the second, and $N_i$ hidden neurons for each "
        "input (and one pool for the bias). With probability at least $1 - \\delta$, all targets "
        "with these norms at once are within $\\varepsilon$ of some pruned network on the whole "
        "domain, each weight found by one pass over its pool, if {bound}"
    ),
    hypotheses=(
        ACCURACY,
        CONFIDENCE,
        Hypothesis("30 digits are enough for the accuracy of every layer", RESOLUTION.test),
    ),
    bound=Bound(
        "N_i",
        4 * k_i * sympy.log(2 * k_i * L * (g * d_in + b) * d_out / delta) / (1 - _loss(k_i)),
        "sufficient",
        domain=(
            sympy.Le(k_i, 30),
            sympy.Le(g, 2),
            sympy.Le(b, 1),
            sympy.Lt(delta, 1),
        ),
        meanings=(
            ("k_i", "digits of layer i"),
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("b", "1 where layer i has a bias, else 0"),
            ("delta", _DELTA),
        ),
    ),
    law=r"\{-1, 1\},\ \pm\mathrm{LogU}[s_i\gamma^{k_i}, s_i]",
    proof="orseau-network",
    false_bound="pools of half the counting bound",
    samples=SAMPLES,
)

RECALLED = Theorem(
    key="orseau2020_recalled",
    title="Logarithmically many neurons a weight, whatever the norms (recalled)",
    source=f"{PAPER}; from its abstract, exact form and constants recalled",
    claim=(
        "Let a target ReLU network of depth L have at most d neurons a layer and weights of any "
        "norm. A random network of depth 2L, its weights from a hyperbolic law, can be pruned to "
        "within $\\varepsilon$ of it with probability at least $1 - \\delta$ if it has for each "
        "weight of the target a number of neurons that is logarithmic in all but the depth: for "
        "some constant C, which also stands for the norms, {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * L * sympy.log(d_in * L / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant that is not quoted here"),
            ("L", "depth of the target"),
            ("d_in", "neurons of its layers, at most"),
            ("epsilon", "sup error"),
            ("delta", "failure probability"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=r"p(w) \propto 1/|w|",
    false_bound="none: with C unspecified no width contradicts the statement",
    instead="orseau2020_network",
)
