r"""Diffenderfer and Kailkhura, ICLR 2021, arXiv 2103.09377: multi-prize tickets.

"Multi-Prize Lottery Ticket Hypothesis": a random network with weights +-1 can be pruned to every
target, up to one gain.

RECALLED is the paper's rate as a later paper restates it. MEAN is ours: a weight is a count of
products of two signs, with every constant. Proof: docs/theorems/proofs-binary.md.
"""

from __future__ import annotations

import sympy

from strongticket.bounds import Bound
from strongticket.theorems._binary_mean import BinaryMean
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Theorem

PAPER = "Diffenderfer and Kailkhura, ICLR 2021, arXiv 2103.09377"

C, epsilon, delta = sympy.symbols("C epsilon delta", positive=True)
L, d, d_in, d_out, g = sympy.symbols("L d d_in d_out g", positive=True, integer=True)
m = sympy.Symbol("m", nonnegative=True, integer=True)
_DENSITY = (
    "**A rate named in opposite senses (E-13).** The paper's code calls the fraction of weights "
    "that are kept the prune rate; others call the fraction pruned the sparsity. Density, the "
    "fraction kept, is what is printed here."
)

RECALLED = Theorem(
    key="diffenderfer2021_recalled",
    title="Binary weights, depth 2L: the rate as restated (constants unspecified)",
    source=f"{PAPER}, as restated by Kumar and Natale 2025; its gadget and gain are recalled",
    claim=(
        "Let the target have depth L and width d. A random network of depth 2L with weights +-1 "
        "can be pruned, up to a gain, to within $\\varepsilon$ of it with probability at least "
        "$1 - \\delta$, if its width is of the order {bound} The restatement gives the order "
        "alone: neither C nor how $\\delta$ enters."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * (L * d ** sympy.Rational(3, 2) / epsilon + L * d * sympy.log(L * d / epsilon)),
        "sufficient",
        meanings=(
            ("C", "a constant that the restatement does not give"),
            ("L", "depth of the target"),
            ("d", "width of the target"),
            ("epsilon", "sup error on the unit ball"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=r"\{-1, 1\}",
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(_DENSITY,),
    instead="diffenderfer2021_mean",
)

_LOG = sympy.log(2 * g * L * d_in * d_out / delta)
MEAN = BinaryMean(
    key="diffenderfer2021_mean",
    title="Binary weights, depth 2L: a weight is a count of kept products, explicit constants",
    source=f"{OURS}, explicit form of {PAPER} (rate as restated)",
    claim=(
        "Let the target have depth L and no biases, and let $\\eta_i$ be its accuracies for "
        "$\\varepsilon$ as in [the depth-2L theorem](#pensia-explicit). Let $n_i$ be a power of "
        "two with $1/(2 n_i) \\le \\eta_i$, and $m_i \\ge \\mathrm{round}(n_i |w|)$ for all "
        "weights w of layer i. Let the random network have depth 2L, all weights +-1, those of "
        "the second layer that stands for layer i times $1/n_i$, and $N_i$ hidden neurons for "
        "each input. With probability at least $1 - \\delta$ all such targets at once are within "
        "$\\varepsilon$ of some pruned network on the whole domain; each weight is within "
        "$1/(2n_i)$, exactly $\\mathrm{round}(n_i w)/n_i$; if {bound} The scales may "
        "be taken out: all weights +-1 and one gain $\\prod_i 1/n_i$ at the output is the same "
        "function, for ReLU is positively homogeneous."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "N_i",
        4 * (m + _LOG + sympy.sqrt(_LOG * (_LOG + 2 * m))),
        "sufficient",
        domain=(sympy.Le(g, 2), sympy.Le(delta, 1)),
        meanings=(
            ("m", "the largest count of layer i, about the largest weight over 2 eta_i"),
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    ),
    law=r"\{-1, 1\}",
    proof="binary-mean",
    extremal={"bits": (4, 7)},
    false_bound="pools of fewer neurons than the largest weight has products",
    errata=(_DENSITY,),
)
