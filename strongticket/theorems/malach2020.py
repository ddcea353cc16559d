r"""Malach, Yehudai, Shalev-Shwartz, Shamir, ICML 2020, arXiv 2002.00585.

"Proving the Lottery Ticket Hypothesis: Pruning is All You Need": a random ReLU network of twice the
depth can be pruned to a target weight by weight; pruning whole neurons is only as strong as random
features; the best mask is hard to find.

The paper's own constants are recalled and not read, so every number here is ours, with its proof in
docs/theorems/proofs.md and proofs-malach2020.md: WEIGHTS the paper's gadget at an explicit width,
COUNT the same in the paper's own form, PRODUCT with the best product instead, at a width of order
1/epsilon; FEATURES and SAMPLES what neuron pruning can do, SINGLE_NEURON what it cannot, HARDNESS
the reduction. RECALLED is the paper's impossibility (after Yehudai and Shamir, NeurIPS 2019), its
constant unspecified.
"""

from __future__ import annotations

from typing import Any

import sympy

from strongticket.bounds import Bound, rational
from strongticket.targets import Ball
from strongticket.theorems import _finite_samples, _random_features
from strongticket.theorems._best_mask import BestMask
from strongticket.theorems._finite_samples import Samples
from strongticket.theorems._network import RESOLUTION
from strongticket.theorems._one_neuron import OneNeuron
from strongticket.theorems._random_features import Features
from strongticket.theorems._selection import MOST_STEPS
from strongticket.theorems._single_neuron import SingleNeuron
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Hypothesis, Theorem
from strongticket.theorems._two_neurons import BestProduct, PaperCount, toys

PAPER = "Malach et al., ICML 2020, arXiv 2002.00585"
RECALLED_FORM = "exact form and constants recalled"

epsilon, delta, eta, C = sympy.symbols("epsilon delta eta_i C", positive=True)
L, d_in, d_out, d, g = sympy.symbols("L d_in d_out d g", positive=True, integer=True)
D = sympy.Symbol("D", nonnegative=True)
b = sympy.Symbol("b", nonnegative=True, integer=True)
_STEP = sympy.Rational(1, 1 << 24)


def _above(names: str) -> tuple[Hypothesis, ...]:
    """One hypothesis a name: a finite number > 0."""
    tests = {
        "B": lambda B: _positive("B", B),
        "C": lambda C: _positive("C", C),
        "Y": lambda Y: _positive("Y", Y),
        "t": lambda t: _positive("t", t),
        "s": lambda s: _positive("s", s),
    }
    return tuple(Hypothesis(f"${name} > 0$", tests[name]) for name in names)


def _positive(name: str, value: Any) -> str | None:
    return None if rational(value, name) > 0 else f"{name} must be > 0, got {value!r}"


WEIGHTS = OneNeuron(
    key="malach2020_weights",
    title="Weight pruning, one neuron for one weight: an explicit polynomial width",
    source=f"{OURS}, explicit form of {PAPER}, main theorem ({RECALLED_FORM})",
    claim=(
        "Let the target have depth L and no biases, and let $\\eta_i$ be its accuracies for "
        "$\\varepsilon$ as in [the depth-2L theorem](#pensia-explicit); all weights of layer i are "
        "at most $1 - \\eta_i$ in magnitude. Let the random network have depth 2L, all weights "
        "uniform on the toolkit's grid in $(-1, 1)$, and $N_i$ hidden neurons for each input of "
        "layer i. For a fixed target, with probability at least $1 - \\delta$, some pruned network "
        "is within $\\varepsilon$ of it on the whole domain and keeps at most $2 g_i$ weights for "
        "each weight of the target, if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "N_i",
        sympy.log(g * L * d_in * d_out / delta) / (eta / 2 - _STEP) ** 2,
        "sufficient",
        domain=(
            sympy.Le(g, 2),
            sympy.Le(eta, sympy.Rational(1, 2)),
            sympy.Gt(eta, 2 * _STEP),
            sympy.Le(delta, 1),
        ),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("eta_i", "accuracy of every weight of layer i"),
            ("delta", "failure probability of the random network, for one target"),
        ),
    ),
    law=r"\mathrm{U}[-1, 1]",
    proof="malach-weights",
    false_bound="pools of one neuron, which serves one sign of its input only",
    errata=(
        "**E-12, the count.** The paper's rule costs of order 1/epsilon^2 neurons a weight; the "
        "best product (`malach2020_product`) 1/epsilon, subset sums a logarithm.",
    ),
)

n, s, W_i = sympy.symbols("n s W_i", positive=True)
_HUGE = (
    "The width is explicit but astronomical: 2.7e10 neurons for ten inputs and outputs a layer, "
    "depth 2, epsilon 0.1, delta 0.01. So only toy sizes can ever be built. The constants of the "
    "paper are recalled, not quoted."
)
_ONE = 1 + 2.0**-32  # norms are rounded up, and the proof has room for so much more
_ONE_TARGET = "failure probability of the random network, for one target"

COUNT = PaperCount(
    key="malach2020_count",
    title="Weight pruning in the paper's own form: norm-one layers, two neurons for every weight",
    source=f"{OURS}, reconstruction of {PAPER}, main theorem ({RECALLED_FORM})",
    claim=(
        "Let the target have depth L, no biases, $\\|W_i\\|_2 \\le 1$, at most n neurons a layer "
        "and at most s weights that are not 0 a neuron, on the unit ball. Let the random network "
        "have depth 2L, weights uniform on the toolkit's grid in $(-1, 1)$, and $n s K$ neurons "
        "in every second layer, K for each weight. For a fixed target, with probability at least "
        "$1 - \\delta$, some pruned network is within $\\varepsilon \\le 1$ of it on the whole "
        "ball, and each weight is two neurons with $|a \\mp w| \\le e$ and $|b \\mp 1| \\le e$, "
        "$e = \\varepsilon / (4 s \\sqrt{n} L)$, if {bound}"
    ),
    hypotheses=(
        Hypothesis(
            r"$0 < \varepsilon \le 1$",
            lambda epsilon: (
                None
                if ACCURACY.test(epsilon=epsilon) is None and epsilon <= 1
                else f"epsilon must lie in (0, 1], got {epsilon!r}"
            ),
        ),
        CONFIDENCE,
        Hypothesis(
            "the domain is a ball of radius at most 1",
            lambda domain: (
                None
                if isinstance(domain, Ball) and domain.radius <= 1
                else f"the domain must be Ball(r) with r <= 1, got {domain}; use malach2020.PRODUCT"
            ),
        ),
        Hypothesis(
            r"$\|W_i\|_2 \le 1$ in every layer",
            lambda norms: (
                None
                if max(norms) <= _ONE
                else f"every layer's spectral norm must be at most 1, the largest is "
                f"{max(norms):.12g}; divide the layers by their norms, or use malach2020.PRODUCT"
            ),
        ),
        Hypothesis(
            r"$|w| \le 1$",
            lambda entries: (
                None if entries <= 1 else f"weights must be at most 1 in magnitude, got {entries:g}"
            ),
        ),
        Hypothesis(
            "no biases",
            lambda biased: (
                "the target must have no biases; use malach2020.PRODUCT" if biased else None
            ),
        ),
    ),
    bound=Bound(
        "K",
        sympy.log(2 * n * s * L / delta) / (epsilon / (8 * s * sympy.sqrt(n) * L) - _STEP) ** 2,
        "sufficient",
        domain=(
            sympy.Le(epsilon, 1),
            sympy.Gt(epsilon / (8 * s * sympy.sqrt(n) * L), _STEP),
            sympy.Le(delta, 1),
        ),
        meanings=(
            ("n", "neurons of a layer of the target, at most"),
            ("s", "weights of a neuron that are not 0, at most"),
            ("L", "depth of the target"),
            ("epsilon", "sup error on the unit ball"),
            ("delta", _ONE_TARGET),
        ),
    ),
    law=r"\mathrm{U}[-1, 1]",
    proof="malach-count",
    extremal={"targets": toys()[:1], "epsilon": (1.0,)},
    false_bound="pools of one neuron, which serves one sign of its input only",
    errata=(f"**E-12, the count.** {_HUGE}",),
    instead="malach2020_product",
)
PRODUCT = BestProduct(
    key="malach2020_product",
    title="Weight pruning, the neuron with the best product: width of order 1/epsilon",
    source=f"{OURS}, after the gadget of {PAPER} ({RECALLED_FORM})",
    claim=(
        "Let the target and its accuracies $\\eta_i$ be as in "
        "[the depth-2L theorem](#pensia-explicit), biases included. Let $W_i = s_a s_b / 4$ with "
        "powers of two $s_a, s_b$ be at least $\\eta_i$ more than the largest weight and bias of "
        "layer i. Let the random network have depth 2L, weights uniform on the toolkit's grid in "
        "$(-s_a, s_a)$ and $(-s_b, s_b)$ in the two layers that stand for layer i, and $N_i$ "
        "hidden neurons for each input (and for the bias). For a fixed target, with probability at "
        "least $1 - \\delta$, taking for every weight and sign of its input the neuron with the "
        "nearest product gives a pruned network within $\\varepsilon$ on the domain, if {bound}"
    ),
    hypotheses=(
        ACCURACY,
        CONFIDENCE,
        Hypothesis("the 24-bit grid is fine enough for the accuracies", RESOLUTION.test),
    ),
    bound=Bound(
        "N_i",
        sympy.log(L * (g * d_in + b) * d_out / delta) / (eta * sympy.log(2) / (4 * W_i) - _STEP),
        "sufficient",
        domain=(
            sympy.Le(g, 2),
            sympy.Le(b, 1),
            sympy.Le(eta, W_i),
            sympy.Gt(eta, 6 * _STEP * W_i),
            sympy.Le(delta, 1),
        ),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("b", "1 where layer i has a bias, else 0"),
            ("W_i", "largest product served, a quarter of s_a times s_b"),
            ("eta_i", "accuracy of every weight and bias of layer i"),
            ("delta", _ONE_TARGET),
        ),
    ),
    law=r"\mathrm{U}[-s_a, s_a],\ \mathrm{U}[-s_b, s_b]",
    proof="malach-product",
    extremal={"targets": toys(), "epsilon": (0.1,)},
    false_bound="pools of one neuron, which serves one sign of its input only",
)

_SLOW = Hypothesis(
    f"$s K \\le {MOST_STEPS}$: the grid adds less than a thousandth to the variance",
    lambda steps: (
        None if steps <= MOST_STEPS else f"s K must be at most {MOST_STEPS}, got {steps!r}"
    ),
)
FEATURES = Features(
    key="malach2020_features",
    title="Neuron pruning is as strong as random features with bounded coefficients",
    source=f"{OURS}, explicit form of {PAPER}, section on neuron-subnetworks ({RECALLED_FORM})",
    claim=(
        "Let the first layer of a network with one hidden ReLU layer consist of n blocks of $k_0$ "
        "neurons, whatever their weights, with features of magnitude at most B at "
        "$x_1, \\dots, x_m$, and let block b have coefficients of magnitude at most C with loss "
        "$\\varepsilon_b$, for a loss that is convex in the m outputs and 1-Lipschitz in their "
        "maximum norm. Let the output weights be independent, uniform on the toolkit's grid in "
        "$(-s, s)$. With probability at least $1 - \\delta$ some neuron mask of the network of "
        "width $k_0 n$ has loss at most $\\frac1n\\sum_b \\varepsilon_b + t + \\beta$, "
        "$\\beta = 2^{-22} k_0 B \\sqrt{n s C}$, if $n \\le 2^{46} C / s$ and {bound} "
        "that is $n \\ge \\max(4C/s,\\, s C K^2)$; s = 2/K makes it 2CK. Conversely every neuron "
        "mask is a random-feature predictor with coefficients 0 or $u_j$."
    ),
    hypotheses=(CONFIDENCE, *_above("BCts"), _SLOW),
    bound=_random_features.blocks_bound(),
    law=r"\mathrm{U}[-s, s]\ \text{(output weights)}",
    proof="malach-features",
    false_bound="a single block",
    steep=_random_features.BLOCKS_STEEP,
)
SAMPLES = Samples(
    key="malach2020_samples",
    title="Neuron pruning fits any labels of finitely many points",
    source=f"{OURS}, explicit form of {PAPER}, finite samples ({RECALLED_FORM})",
    claim=(
        "Let the k hidden neurons of a network with one hidden ReLU layer be drawn independently, "
        "with features in $[0, B]$ at $x_1, \\dots, x_m$ and "
        "$H_{ij} = \\mathbb{E}\\,\\phi_w(x_i) \\phi_w(x_j)$ of least eigenvalue at least "
        "$\\lambda > 0$, and the output weights independently of them, uniform on the toolkit's "
        "grid in $(-s, s)$. For labels $|y_i| \\le Y$, with probability at least $1 - \\delta$, "
        "some neuron mask makes all $|y_i - f(x_i)| \\le t + \\beta$, "
        "$\\beta = 2^{-22} B \\sqrt{2 k s B m Y / \\lambda}$, if "
        "$k \\le 2^{47} B m Y / (s\\lambda)$ and {bound}"
    ),
    hypotheses=(CONFIDENCE, *_above("BYts"), _SLOW),
    bound=_finite_samples.samples_bound(),
    law=r"\text{any (first layer)},\ \mathrm{U}[-s, s]\ \text{(output weights)}",
    proof="malach-samples",
    false_bound="a width below the reach of all neurons together",
    steep=_finite_samples.SAMPLES_STEEP,
)
SINGLE_NEURON = SingleNeuron(
    key="malach2020_single_neuron",
    title="No few features are near every single ReLU neuron",
    source=f"{OURS}; the matter of {PAPER}, and of Yehudai and Shamir, NeurIPS 2019",
    claim=(
        "Let k functions on $\\{0, 1\\}^d$, for instance the hidden neurons of a random network "
        "with any weights and biases, have for every $S \\subseteq [d]$ and every integer "
        "$-1 \\le j < \\max(|S|, 1)$ a combination, with coefficients of any size, within mean "
        "squared error $\\varepsilon$ of the single ReLU neuron "
        "$x \\mapsto \\sigma(\\langle 1_S, x \\rangle - j)$ over the uniform distribution. Then "
        "{bound} So no neuron mask of a narrower network serves them all, while "
        "[weight pruning](#pensia-explicit) serves each at a width polynomial in d."
    ),
    hypotheses=(
        Hypothesis(
            r"$0 < \varepsilon < 1 / (16 d^2)$",
            lambda epsilon, d: (
                None
                if 0 < rational(epsilon) < 1 / (16 * rational(d) ** 2)
                else f"epsilon must lie strictly between 0 and 1/(16 d^2), got {epsilon!r}"
            ),
        ),
    ),
    bound=Bound(
        "k",
        2**d * (1 - 16 * d**2 * epsilon),
        "necessary",
        domain=(sympy.Lt(16 * d**2 * epsilon, 1),),
        meanings=(
            ("d", "inputs"),
            ("epsilon", "mean squared error over the points of the cube"),
        ),
    ),
    law="any",
    proof="malach-single-neuron",
    false_bound="twice the bound",
)
RECALLED = Theorem(
    key="malach2020_recalled",
    title="Random features of small weights are far from a single ReLU neuron (recalled)",
    source=f"{PAPER}, after Yehudai and Shamir, NeurIPS 2019; {RECALLED_FORM}",
    claim=(
        "There are a constant C and a single ReLU neuron with weights and bias of polynomial size "
        "such that a network with one hidden layer of k neurons, its first layer random, comes "
        "within a constant mean squared error of it over Gaussian inputs in $\\mathbb{R}^d$ only if"
        " {bound}"
    ),
    hypotheses=(),
    bound=Bound(
        r"k \max_j |u_j|",
        sympy.exp(C * d),
        "necessary",
        meanings=(
            ("C", "a constant, as is the error; neither is quoted here"),
            ("d", "inputs"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law="any product law of the first layer",
    false_bound="none: with C unspecified no width contradicts the statement",
    instead="malach2020_single_neuron",
)
HARDNESS = BestMask(
    key="malach2020_hardness",
    title="The best mask is as hard to find as a subset sum",
    source=f"{OURS}, by reduction; {PAPER} argues from the hardness of learning instead (recalled)",
    claim=(
        "For integers $a_1, \\dots, a_n$ and T let $f(x) = \\sum_j a_j \\sigma(1 \\cdot x)$, with "
        "the one sample point $x = 1$ and label T. Over all weight masks, and over all neuron "
        "masks, {bound} and a mask of least loss gives a nearest subset: the neurons of which it "
        "keeps both weights. So to decide whether some mask of a network with one hidden layer "
        "has loss 0 is NP-complete, for masks of either kind, already with one input and one "
        "sample point; and neuron pruning on one point is a subset sum for every such network."
    ),
    hypotheses=(),
    bound=Bound(
        r"\min_{\text{masks}} |T - f(1)|",
        D,
        "tight",
        meanings=(("D", "distance from T to the nearest sum of some of the numbers"),),
    ),
    law="any",
    proof="malach-hardness",
    false_bound="the network without its last number",
)
