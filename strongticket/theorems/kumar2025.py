r"""Kumar and Natale 2025, arXiv 2508.11020: quantization and pruning.

"Quantization vs Pruning: Insights from the Strong Lottery Ticket Hypothesis": on a grid of weights
a pruned random network can equal its target exactly.

PUBLISHED is the paper's theorem, its formulas read in a damaged copy and reconstructed, its
constants unspecified. SUMS, EXACT and COPIES (depth L + 1) are ours, with every constant and an
exponentially small failure. LOWER is the paper's lower bound.
Proofs: docs/theorems/proofs-kumar2025.md.
"""

from __future__ import annotations

from typing import Any

import sympy

from strongticket.bounds import Bound, rational
from strongticket.theorems import _quantized_network as network
from strongticket.theorems import _quantized_sums as sums
from strongticket.theorems._quantized_copies import ExactCopies
from strongticket.theorems._quantized_lower import QuantizedLower
from strongticket.theorems._quantized_network import ExactNetwork
from strongticket.theorems._quantized_sums import ExactSums
from strongticket.theorems._sampling import exponential
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Hypothesis, Theorem

PAPER = "Kumar and Natale, arXiv 2508.11020"

C, delta, q, p, step, delta_q = sympy.symbols("C delta q p step delta_q", positive=True)
L, d_in, d_out, d, g, c, M, A = sympy.symbols("L d_in d_out d g c M A", positive=True, integer=True)

_ZERO = (
    "**0 in the grid or not (E-9).** The paper's sampling set includes 0 in some places and not "
    "in others. For subset sums it does not matter: a sample 0 helps nobody, and only the "
    "probability q of each nonzero value enters the statement here."
)
_SEVENTH = (
    r"**The exponent 1/7 (E-9).** A failure probability of order $n^{-1/7}$ comes out of bounding "
    r"the sum $\Lambda$ of all samples by Hoeffding's inequality with one fixed parameter. It is "
    "not intrinsic: the covered-set argument gives an exponentially small one."
)
_COPY = (
    "**One copy that hits (E-9).** To wait until a single sample equals the target needs about "
    r"$2M\ln(1/\delta)$ samples. That is exponentially more in $\log M$ than subset sums need, so "
    "it is no replacement for them."
)

PUBLISHED = Theorem(
    key="kumar2025_published",
    title="Quantized targets are matched exactly (as published; formulas reconstructed)",
    source=f"{PAPER}, Theorem 1; read, its formulas lost in conversion and reconstructed",
    claim=(
        "Let the target have depth L and weights on the grid of step $\\delta_t$ in $[-1, 1]$, "
        "with $N_t$ weights, and the random network depth 2L, with weights on a grid of step "
        "$\\delta_{in}$ and products rounded to a step $\\delta_q$, "
        "$\\delta_{in}^2 \\le \\delta_q^2 \\le \\delta_t$. There is a constant C such that, with "
        "$n_i$ hidden neurons between the two layers that stand for target layer i, some pruned "
        "network equals the target with probability at least "
        "$1 - N_t\\, O((\\log_2 1/\\delta_q)^{-1/7})$, if {bound}"
    ),
    hypotheses=(CONFIDENCE,),
    bound=Bound(
        "n_i",
        C * d_in * sympy.log(1 / delta_q) / sympy.log(2),
        "sufficient",
        meanings=(
            ("C", "a constant that the paper leaves open, as it does the one in O"),
            ("d_in", "inputs of target layer i"),
            ("delta_q", "step of the grid"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=r"\mathrm{U}\{-1, -1 + \delta_{in}, \dots, 1\}",
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(_ZERO, _SEVENTH, _COPY),
    instead="kumar2025_exact",
)

SUMS = ExactSums(
    key="kumar2025_sums",
    title="Exact subset sums on a grid: all integers at once, exponentially small failure",
    source=f"{OURS}, R4; explicit form of {PAPER}, Lemma 4",
    claim=(
        "Let M be even and let X be an integer with $P(X = d) \\ge q$ for every $0 < |d| \\le M$: "
        "$q = 1/(2M)$ for X uniform on $\\{\\pm 1, \\dots, \\pm M\\}$, $1/(2M + 1)$ if 0 is among "
        "its values. With probability at least $1 - \\delta$, every integer $|z| \\le M/2$ at once "
        "is exactly the sum of some of n independent copies of X, if {bound}"
    ),
    hypotheses=(
        CONFIDENCE,
        Hypothesis("M is an even integer, at least 2", lambda M: sums.even(M)),
        Hypothesis(r"$0 < q \le 1/(2M)$", lambda q, M: sums.possible(q, M)),
    ),
    bound=exponential(
        "n",
        M**2,
        1 - (M + 1) * q / 2,
        domain=(sympy.Ge(M, 2), sympy.Le(2 * M * q, 1)),
        meanings=(
            ("M", "the largest value of X; even"),
            ("q", "the least probability of a nonzero value up to M"),
            ("delta", "failure probability of the random sample, for all integers together"),
        ),
    ),
    law=r"\mathrm{U}\{\pm 1, \dots, \pm M\}",
    proof="quantized-sums",
    extremal={"M": (2, 16, 256)},
    false_bound="n with 2^n < M + 1: fewer subset sums than integers",
    errata=(_ZERO, _SEVENTH),
)

_HYPOTHESES = (
    ACCURACY,
    CONFIDENCE,
    Hypothesis("A is a power of two, at most $2^{24}$", lambda A: network.unit(A)),
    Hypothesis(r"$\delta_i$ is a power of two", lambda step: network.power(step)),
    Hypothesis(
        r"every weight of layer i is a multiple of $\delta_i$",
        lambda layer, weights, grid: network.on_grid(layer, weights, grid),
    ),
    Hypothesis(
        r"$M_i \le 2^{19}$ (of the construction, not of the proof)",
        lambda layer, size, grid: network.few_steps(layer, size, grid),
    ),
)

EXACT = ExactNetwork(
    key="kumar2025_exact",
    title="Depth 2L, quantized: pruned network and target are equal, explicit constants",
    source=f"{OURS}; explicit form of {PAPER}, Theorem 1",
    claim=(
        "Let the target have depth L, no biases, and in layer i only integer multiples of a step "
        "$\\delta_i$, a power of two, up to $M_i/2$ of them, $M_i$ a power of two. Let the random "
        "network have depth 2L; of the two layers that stand for layer i the first is uniform on "
        "$\\{\\pm 1, \\dots, \\pm A\\}$, A a power of two (signs, if A = 1), the second on "
        "$\\delta_i \\{\\pm 1, \\dots, \\pm M_i\\}$; and there are $N_i$ hidden neurons for each "
        "input. With probability at least $1 - \\delta$ each of these targets at once **equals** "
        "some pruned network, at every input (every non-negative one where $g_1 = 1$), if {bound}"
    ),
    hypotheses=_HYPOTHESES,
    bound=exponential(
        "N_i",
        g * L * d_in * d_out * M**2,
        1 - (M + 1) / (8 * A * M),
        domain=(sympy.Le(g, 2), sympy.Ge(M, 2)),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("M", "largest unit of the second layer; weights go up to M/2 steps"),
            ("A", "largest unit of the first layer"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    ),
    law=r"\mathrm{U}\{\pm 1, \dots, \pm A\},\ \delta_i\,\mathrm{U}\{\pm 1, \dots, \pm M_i\}",
    proof="quantized-exact",
    extremal={"steps": (8, 16, 64)},
    false_bound="pools N with 2^N < M + 1: fewer subset sums than weights",
    errata=(_SEVENTH, _COPY),
    block=SUMS,
)


COPIES = ExactCopies(
    key="kumar2025_copies",
    title="Depth L + 1, quantized: pruned network and target are equal, explicit constants",
    source=f"{OURS}; explicit form of {PAPER}, Theorem 2",
    claim=(
        "Let the target, A, $\\delta_i$ and $M_i$ be as in [depth 2L](#quantized-exact). Let the "
        "random network have depth L + 1: a first layer uniform on $\\{\\pm 1, \\dots, \\pm A\\}$ "
        "with $n_1$ neurons for each input, then for i = 1, ..., L a layer uniform on "
        "$\\delta_i \\{\\pm 1, \\dots, \\pm M_i\\}$ whose outputs are $c_i = n_{i+1}$ copies of "
        "each neuron of target layer i ($c_L = 1$). With probability at least $1 - \\delta$ each "
        "of these targets at once **equals** some pruned network, at every input (every "
        "non-negative one where $g_1 = 1$), if {bound} with $q = 1/(4 A M_1)$ in layer 1 and "
        "$q = 1/(2 M_i)$ in all others."
    ),
    hypotheses=_HYPOTHESES,
    bound=exponential(
        "n_i",
        g * L * c * d_in * d_out * M**2,
        1 - (M + 1) * q / 2,
        domain=(sympy.Le(g, 2), sympy.Ge(M, 2), sympy.Le(2 * M * q, 1)),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("c", "copies of each output of layer i, which is n of the layer above; 1 in the last"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("M", "largest unit of layer i's random weights; weights go up to M/2 steps"),
            ("q", "probability of each unit, 1/(2M); in layer 1, behind signs, 1/(4AM)"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    ),
    law=r"\mathrm{U}\{\pm 1, \dots, \pm A\},\ \delta_i\,\mathrm{U}\{\pm 1, \dots, \pm M_i\}",
    proof="quantized-copies",
    extremal={"steps": (8, 16, 64)},
    false_bound="n with 2^n < M + 1: fewer subset sums than weights",
    errata=(_SEVENTH, _COPY),
    block=SUMS,
)


def _share(p: Any) -> str | None:
    value = rational(p, "p")
    return None if 0 < value <= 1 else f"p must lie in (0, 1], got {p!r}"


def _whole(step: Any) -> str | None:
    value = rational(step, "step")
    if 0 < value <= 1 and (1 / value).denominator == 1:
        return None
    near = 1 / max(1, round(1 / value)) if value > 0 else 1
    return f"step must be 1/k for a whole number k, got {step!r}; the nearest is {near:.6g}"


LOWER = QuantizedLower(
    key="kumar2025_lower",
    title="No smaller network has all quantized tickets",
    source=f"{PAPER}, Theorem 3; read, its formulas reconstructed",
    claim=(
        "Let a random network of any architecture, activation and law have P parameters. If for "
        "every $d \\times d$ matrix W with entries on the grid of the given step in $[-1, 1]$ some "
        "mask makes it equal $x \\mapsto Wx$ with probability at least p, then {bound}"
    ),
    hypotheses=(
        Hypothesis("$0 < p \\le 1$", _share),
        Hypothesis("1/step is a whole number", _whole),
    ),
    bound=Bound(
        "P",
        sympy.log(p * (2 / step + 1) ** (d**2)) / sympy.log(2),
        "necessary",
        domain=(sympy.Le(p, 1), sympy.Le(step, 1)),
        meanings=(
            ("d", "inputs and outputs of the target"),
            ("step", "step of the grid; 1/step is a whole number"),
            ("p", "probability of success, for each matrix"),
        ),
    ),
    law="any",
    proof="quantized-lower",
    extremal={"hidden": (3, 5)},
    false_bound="twice the bound",
    errata=(_ZERO,),
)
