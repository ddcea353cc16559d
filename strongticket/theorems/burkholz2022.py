r"""Burkholz, NeurIPS 2022, arXiv 2205.02321: depth L + 1 instead of 2L.

"Most Activation Functions Can Win the Lottery Without Excessive Depth": after the first layer no
weight needs a partner. Every neuron stands in several copies, and a copy in the next layer adds up
random weights over the copies of the layer below.

RECALLED is the theorem from memory, its exact form and its constant not read. EXPLICIT is ours:
every constant, and the amplification of errors that the copies really have.
Proof: docs/theorems/proofs-burkholz2022.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy

from strongticket.bounds import Bound
from strongticket.laws import Uniform
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _copies_plan, _copies_rows
from strongticket.theorems._copies_network import REACH, RESOLUTION, CopiesTheorem
from strongticket.theorems._evidence import IDENTITIES, Inequality
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Theorem
from strongticket.theorems.random_subset_sum import R1PLUS

PAPER = "Burkholz, NeurIPS 2022, arXiv 2205.02321"

C, epsilon, delta, rho = sympy.symbols("C epsilon_{l+1} delta rho", positive=True)
n_here, n_next = sympy.symbols("n_l n_{l+1}", positive=True, integer=True)

AMPLIFICATION = (
    "Errors of the copies of a layer are amplified by the mass of the selected random weights, "
    "$\\alpha_l = \\max_{j,c} \\sum_i \\sum_{k \\in S} |u_k|$, not by the norm "
    "$\\|W^{(l)}\\|_\\infty$ of the target that the recalled accuracies $\\varepsilon_l$ multiply "
    "up: copies of one neuron have different errors, and a sum of random weights of both signs "
    "does not cancel them. Where the paper treats this could not be read; the explicit form here "
    "counts with $\\alpha_l$."
)
CODE = (
    "The published code (repository LT-existence) draws a fresh set of 15 weights whenever a "
    "subset sum misses, until one hits, and adds 1 to the reported width although each retry "
    "takes as many weights again: that is no frozen network, and the width is under-reported. Its "
    "exhaustive search with a largest size m tries the sizes 0 to m - 1 only. First-layer weights "
    "come from U[-2, 2], later ones from U[-1, 1]; the last layer is copied from the target and "
    "not constructed. Here one network is drawn and every layer is constructed from it."
)

RECALLED = Theorem(
    key="burkholz2022_recalled",
    title="Depth L + 1 suffices for most activations (recalled)",
    source=f"{PAPER}; exact form recalled, not read",
    claim=(
        "Let the target have depth L and an activation that is Lipschitz and close to a linear "
        "function on each side of 0, let $\\rho$ count how often every subset-sum problem is "
        "repeated for the copies, and let the random network have depth L + 1. There is a "
        "constant C such that with probability at least $1 - \\delta$ some pruned network is "
        "within $\\varepsilon$ of the target, if layer l has width {bound} for accuracies "
        "$\\varepsilon_l$ that depend on the norms of the later layers."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n_{S,l}",
        C * n_here * sympy.log(n_here * n_next * rho / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant to which no value is known here"),
            ("n_l", "width of layer l of the target"),
            ("n_{l+1}", "width of the next layer"),
            ("rho", "how much the copies enlarge the number of subset-sum problems"),
            ("epsilon_{l+1}", "accuracy of the next layer"),
            ("delta", "failure probability"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(AMPLIFICATION, CODE),
    instead="burkholz2022_explicit",
)

# ---- extremal targets: the largest weight at the reach, both signs, biases, an exact zero


def _at_reach(domain: Box | Ball, biased: bool) -> Callable[[CopiesTheorem], tuple[str, Target]]:
    def make(theorem: CopiesTheorem) -> tuple[str, Target]:
        first = [[0.36, -0.36, 0.25], [-0.03, 0.0, 0.36]]
        second = [[0.4999, -0.4999], [0.125, 0.0]]
        shifts = ([0.3, -0.36], [-0.2, 0.4]) if biased else (None, None)
        layers = [
            (np.array(w, np.float32), None if b is None else np.array(b, np.float32))
            for w, b in zip((first, second), shifts, strict=True)
        ]
        where = f"box [{domain.low:g}, 1]" if isinstance(domain, Box) else "unit ball"
        name = f"3-2-2, {where}, largest weight at the reach{', biases' if biased else ''}"
        return name, Target(layers, domain)

    return make


EXPLICIT = CopiesTheorem(
    key="burkholz2022_explicit",
    title="Depth L + 1 with explicit constants and the true amplification",
    source=f"{OURS}; construction of {PAPER}",
    claim=(
        "Let the target have layers $x \\mapsto W_l x + b_l$ with ReLU between, "
        "$B_{l-1} \\ge \\|x_{l-1}\\|_1$ (plus 1 where a constant neuron carries biases). Let the "
        "random network have depth L + 1 and weights uniform on the toolkit's grid in "
        "$(-s_a, s_a)$, $(-s_b, s_b)$ for its first two layers and in $(-s_l, s_l)$ for the layer "
        "that stands for layer $l \\ge 2$. From the last layer to the first, let $\\alpha_l$ be"
        f"\n\n$$\n\\alpha_l = {sympy.latex(_copies_plan.MASS, ln_notation=True)}\n$$\n\n"
        "with $n_l$ the width of the random layer below and $r_l$ the number of its rows, and aim "
        "at $\\eta_l = \\theta_l \\varepsilon / (B_{l-1} \\prod_{k > l} \\alpha_k)$ with "
        "$\\theta_1 = 1/2$, the other $\\theta_l = 1/(2L - 2)$ (L = 1: $\\theta_1 = 1$; on a ball "
        "$\\varepsilon/\\sqrt{d_L}$ in place of $\\varepsilon$), or at less. With probability at "
        "least $1 - \\delta$, all targets with these bounds at once are within $\\varepsilon$ of "
        "some pruned network on the whole domain, if each neuron of layer $l - 1$ has {bound} "
        "copies and each input (and the bias) a pool of\n\n$$\n"
        f"{_copies_plan.POOL.latex}\n$$\n\nneurons. The same holds with any smaller $\\alpha_l$ "
        "for the targets whose selected weights are that light, which is read off the ticket."
    ),
    hypotheses=(ACCURACY, CONFIDENCE, REACH, RESOLUTION),
    bound=_copies_plan.COPIES,
    law=r"\mathrm{U}[-s_a, s_a],\ \mathrm{U}[-s_b, s_b],\ \mathrm{U}[-s_l, s_l]",
    proof="burkholz2022-explicit",
    extremal={
        "targets": (
            _at_reach(Box(0.0, 1.0), biased=False),
            _at_reach(Box(-1.0, 1.0), biased=True),
            _at_reach(Ball(1.0), biased=True),
            _at_reach(Ball(1.0), biased=False),
        )
    },
    false_bound="pool and copies just below the counting bound",
    errata=(AMPLIFICATION, CODE),
    inequalities=(
        *R1PLUS.inequalities,
        Inequality(
            "error of a copy, one induction step", lambda effort: _copies_rows.step(), IDENTITIES
        ),
    ),
)
