r"""Sreenivasan, Rajput, Sohn, Papailiopoulos, AISTATS 2022, arXiv 2110.08996.

"Finding (Nearly) Everything within Random Binary Networks": a random network with weights +-1,
deeper by a logarithm, can be pruned to every target.

RECALLED is the paper's rate as read in its abstract and in a later paper. DOUBLING is ours: powers
of two by depth, with every constant. Proof: docs/theorems/proofs-binary.md.
"""

from __future__ import annotations

import sympy

from strongticket.bounds import Bound
from strongticket.theorems._binary_doubling import BinaryDoubling, least_bundle
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Theorem

PAPER = "Sreenivasan et al., AISTATS 2022, arXiv 2110.08996"

C, epsilon, delta = sympy.symbols("C epsilon delta", positive=True)
L, d, d_in, d_out, g, B = sympy.symbols("L d d_in d_out g B", positive=True, integer=True)

RECALLED = Theorem(
    key="sreenivasan2022_recalled",
    title="Binary weights, logarithmically deeper: the rate as restated (constants unspecified)",
    source=f"{PAPER}, abstract, and as restated by Kumar and Natale 2025; its gadget is recalled",
    claim=(
        "Let the target have depth L and width d. A random network with weights +-1, of depth of "
        "the order $L \\log(dL/\\varepsilon)$, can be pruned to within $\\varepsilon$ of it, with "
        "high probability, if its width is of the order {bound} The orders are all that is "
        "restated: neither the constants nor the failure probability."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * d * sympy.log(d * L / epsilon) ** 2,
        "sufficient",
        meanings=(
            ("C", "a constant that the restatement does not give"),
            ("d", "width of the target"),
            ("L", "depth of the target"),
            ("epsilon", "sup error on the unit ball"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=r"\{-1, 1\}",
    false_bound="none: with C unspecified no width contradicts the statement",
    instead="sreenivasan2022_doubling",
)

DOUBLING = BinaryDoubling(
    key="sreenivasan2022_doubling",
    title="Binary weights, powers of two by depth: explicit constants",
    source=f"{OURS}, explicit form of {PAPER} (rate as restated)",
    claim=(
        "Let the target have depth L and no biases, and let $\\eta_i$ be its accuracies for "
        "$\\varepsilon$ as in [the depth-2L theorem](#pensia-explicit). Let $f_i$ be an integer "
        "with $2^{-f_i} \\le 2\\eta_i$ and let $2^{f_i}|w|$ round to less than $2^{B_i}$ for all "
        "weights w of layer i. Let the random network have $B_i + 1$ layers for layer i, all "
        "weights +-1, those of the last of them times $2^{-f_i}$; widths $3 r d_{in}$ after the "
        "first of them and $r (g d_{in} + 2 d_{out})$ after each of the next $B_i - 1$. With "
        "probability at least $1 - \\delta$ all such targets at once are within $\\varepsilon$ of "
        "some pruned network on the whole domain, each weight exactly "
        "$2^{-f_i}\\mathrm{round}(2^{f_i}w)$, if {bound} where r is the least integer with "
        "$L\\,K(r)\\,2^{-r} \\le \\delta$ and $K(r) = (B - 1)\\,(r(r + 1) g d_{in} + "
        "2 r d_{out}(g d_{in} + 1)) + 2 d_{out}(g d_{in} + 1)$. Two such networks give the same "
        "function, whatever their seeds. The scales may be taken out: all weights +-1 and one "
        "gain $\\prod_i 2^{-f_i}$ at the output is the same function."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "r_i",
        sympy.Function("r")(B, L, g, d_in, d_out, delta),
        "sufficient",
        procedure=least_bundle,
        domain=(sympy.Le(g, 2), sympy.Le(delta, 1)),
        meanings=(
            ("B", "bits of the weights of layer i"),
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    ),
    law=r"\{-1, 1\}",
    proof="binary-doubling",
    extremal={"epsilon": (0.1, 0.01)},
    false_bound="bundles of one neuron",
)
