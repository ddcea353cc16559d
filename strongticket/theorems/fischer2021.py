r"""Fischer, Gadhikar, Burkholz 2021, arXiv 2110.11150: tickets with nonzero biases.

"Lottery Tickets with Nonzero Biases": existence proofs and initialisations with biases, without
which pruned networks are no universal approximators.

RECALLED is the theorem from memory. EXPLICIT is ours: depth 2L, a bias in every target layer as a
subset sum of hidden biases, and sources whose bias laws scale like the activations.
LOOKS_LINEAR is ours: sources that mirror themselves, where one subset sum serves both signs.
Proofs: docs/theorems/proofs-fischer2021.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket import philox
from strongticket.bounds import Bound, rational
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _algebra, _plan, _scaled
from strongticket.theorems._evidence import IDENTITIES, SHOWS_CASE, Effort, Inequality, Row, algebra
from strongticket.theorems._network import REACH, RESOLUTION, TwoLayerTheorem, pool_bound
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._restated import _COMMON, _TINY, GRID, Restated
from strongticket.theorems._restated import PRODUCT as RESTATED
from strongticket.theorems._restated_network import RestatedNetwork
from strongticket.theorems._sampling import Integers, SamplingTheorem, exponential, nearest
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Theorem
from strongticket.theorems.random_subset_sum import PRODUCT
from strongticket.tickets import Ticket

PAPER = "Fischer, Gadhikar, Burkholz 2021, arXiv 2110.11150"

C, epsilon, delta = sympy.symbols("C epsilon delta", positive=True)
n = sympy.Symbol("n", positive=True, integer=True)
eta, W = sympy.symbols("eta W", positive=True)
KAPPA = sympy.Rational(49, 125)

CODE = (
    "The published code (repository NonZeroBiases) draws fresh samples for a weight whose subset "
    "sum misses, until one hits, and adds 1 to the reported width although each retry takes as "
    "many weights again; its exhaustive search with a largest size m tries the sizes 0 to m - 1 "
    "only. Here one network is drawn, and what misses after the whole pool is an error."
)
DENSITY = (
    "**E-13, density.** The group's public code calls the fraction of weights that are kept the "
    "sparsity; elsewhere that is the fraction pruned. Here density is what is kept."
)
LAWS = (
    "The initialisation in the code, `init_He_scaled`, draws normal biases of standard deviation "
    "$\\prod_{k \\le l} \\sqrt{2/n_k}$ in layer l. Here the laws are uniform and the factors "
    "powers of two, the nearest ones: then scaling is exact on the grid of the weights."
)

RECALLED = Theorem(
    key="fischer2021_recalled",
    title="Depth 2L with nonzero biases (recalled)",
    source=f"{PAPER}; exact form recalled, not read",
    claim=(
        "Let the target have depth L, width n, and weights and biases in $[-1, 1]$, and let the "
        "random network have depth 2L, nonzero biases and, in every layer, the width {bound} "
        "There is a constant C such that with probability at least $1 - \\delta$ some pruned "
        "network is within $\\varepsilon$ of the target."
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n_S",
        C * n * sympy.log(n / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant to which no value is known here"),
            ("n", "width of the target"),
            ("epsilon", "sup error"),
            ("delta", "failure probability"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(CODE, DENSITY),
    instead="fischer2021_explicit",
)


def _biased(domain: Box | Ball) -> Callable[[TwoLayerTheorem], tuple[str, Target]]:
    """A 2-2-2 target whose largest bias lies at the edge of what its scales reach."""

    def make(theorem: TwoLayerTheorem) -> tuple[str, Target]:
        edge = float(dict(theorem.block.setting)["W"]) - 0.02
        layers = [
            ([[edge, -0.25], [-0.03, 0.5]], [edge, -edge]),
            ([[0.5, -edge], [0.125, 0.0]], [-edge, 0.75 * edge]),
        ]
        where = f"box [{domain.low:g}, 1]" if isinstance(domain, Box) else "unit ball"
        arrays = [(np.array(w, np.float32), np.array(b, np.float32)) for w, b in layers]
        return f"2-2-2, {where}, largest bias at the reach", Target(arrays, domain)

    return make


@dataclass(frozen=True, kw_only=True)
class BiasedTheorem(TwoLayerTheorem):
    """The depth-2L theorem for targets with a bias in every layer, and for scaled bias laws."""

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The random network for norm-one layers with biases of norm at most 1, on the ball."""
        self.require(epsilon=epsilon, delta=delta)
        depth, widths = shape.depth, list(shape.widths[:1])
        relative = math.expm1(math.log1p(epsilon / (depth + 1)) / depth)
        for i in range(depth):
            d_in, d_out = shape.widths[i : i + 2]
            size = relative * (i + 2) / (math.sqrt(d_in * d_out) * (i + 1) + math.sqrt(d_out))
            accuracy = min(size * (1 - 2.0**-40), 0.5)
            plan = LayerPlan(
                inputs=d_in,
                outputs=d_out,
                biased=True,
                groups=2 if i == 0 else 1,
                eta=accuracy,
                eta_bias=accuracy,
                largest=((1.0, "an entry"), (1.0, "a bias")),
                scales=(2.0, 2.0),
                window=3.0,
            )
            widths += [plan.hidden(self.pool(plan, depth, delta)), d_out]
        return Asked(tuple(widths), "ours", "biases of norm at most 1 in every layer")

    def example(self) -> Ticket:
        """A 2-2-1 target with biases, seven neurons for each input and bias."""
        layers = [
            (
                np.array([[0.5, -0.25], [0.375, 0.625]], np.float32),
                np.array([0.25, -0.5], np.float32),
            ),
            (np.array([[0.625, -0.5]], np.float32), np.array([0.375], np.float32)),
        ]
        target = Target(layers, Box(0.0, 1.0))
        network = Network.mlp(
            (2, 21, 2, 21, 1), laws=Uniform(1.0), seed=6, biases=[True, False, True, False]
        )
        aims = [LayerAccuracy(0.1, 0.1)] * 2
        return two_layer(network, target, aims, objective=nearest, strict=False)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every depth-2L theorem; and biases as an input, and scaled laws, exactly."""
        yield from super().rows(effort, false_width)
        if false_width:
            return
        name, target = self.extremal["targets"][1](self)
        shown = f"{name}: biases are weights of a constant input"
        yield algebra(shown, _scaled.appended(target), SHOWS_CASE)
        network = self.network(target, 0.05, 0.01, seed=21)
        ticket = self.construct(network, target, 0.05, objective=nearest)
        shown = f"{name}: the same mask under scaled laws"
        yield algebra(shown, _scaled.same_up_to_scale(ticket), SHOWS_CASE)


EXPLICIT = BiasedTheorem(
    key="fischer2021_explicit",
    title="Depth 2L with a bias in every layer, explicit constants, scaled bias laws",
    source=f"{OURS}, B4 with biases; on the grid D2; explicit form of {PAPER}",
    claim=(
        "Let the target have layers $x \\mapsto W_i x + b_i$ with ReLU between, on inputs of norm "
        "at most $M_0$; norms are Euclidean on a ball, maximum norms on a box. Let "
        "$s_i \\ge \\|W_i\\|$, $\\beta_i \\ge \\|b_i\\|$, $M_i = s_i M_{i-1} + \\beta_i$, and aim "
        f"at the accuracies\n\n$$\n\\eta_i = \\zeta_i = {sympy.latex(_plan.ACCURACY)}\n$$\n\n"
        "for weights and biases, or at smaller ones, with $\\omega_i = d_{i-1}$ and "
        "$\\omega_{b,i} = 1$ on a box, $\\omega_i = \\sqrt{d_{i-1} d_i}$ and "
        "$\\omega_{b,i} = \\sqrt{d_i}$ on a ball. Let the random network have depth 2L, weights "
        "uniform on the toolkit's grid in $(-s_a, s_a)$ and $(-s_b, s_b)$ for the two layers that "
        "stand for layer i, biases from the law of the first of the two, and $N_i$ hidden neurons "
        "for each input and for the bias. With probability at least $1 - \\delta$, all targets "
        "with these norms at once are within $\\varepsilon$ of some pruned network on the whole "
        "domain, if {bound} For any powers of two $t_1, \\dots, t_{2L}$, the same masks on the "
        "network whose weights of layer k are scaled by $t_k$ and whose biases of layer k by "
        "$t_1 \\cdots t_k$ give the same functions times $t_1 \\cdots t_{2L}$, exactly."
    ),
    hypotheses=(ACCURACY, CONFIDENCE, REACH, RESOLUTION),
    bound=pool_bound(PRODUCT),
    law=r"\mathrm{U}[-s_a, s_a],\ \mathrm{U}[-s_b, s_b]",
    proof="fischer2021-explicit",
    extremal={"targets": (_biased(Box(0.0, 1.0)), _biased(Box(-1.0, 1.0)), _biased(Ball(1.0)))},
    false_bound="pools just below the counting bound",
    errata=(CODE, LAWS),
    block=PRODUCT,
    whole=False,
    restated=RestatedNetwork(RESTATED, Fraction(3, 4), margin=1),
    inequalities=(
        Inequality(
            "error propagation with biases, one induction step",
            lambda effort: _algebra.telescoping(),
            IDENTITIES,
        ),
    ),
)


# ---- looks-linear sources


def _twice(accuracy: Fraction) -> tuple[Fraction, Any]:
    """Window 3/4: (W/eta - 1)^2 (1 - kappa'/2)^n, kappa' = 0.392 - 3 2^-24 W/eta."""
    ratio = Fraction(3, 4) / accuracy
    return (ratio - 1) ** 2, 1 - (Fraction(392, 1000) - 3 * GRID * ratio) / 2


@dataclass(frozen=True, kw_only=True)
class LooksLinear(SamplingTheorem):
    """Products of two weights without a gate: n counts pairs of mirrored neurons."""

    def sample(self, trials: int, n: int, seed: int) -> Integers:
        """Integer samples (trials, n): unit * 2^-48 is the product b a of a mirrored pair."""

        def draw(name: str) -> Integers:
            words = philox.words(seed, philox.stream("check mirrored", name), 0, trials * n)
            return Uniform().units(words).astype(np.int64).reshape(trials, n)

        return draw("b") * draw("a")

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The mirrored network for norm-one targets on the unit ball."""
        ACCURACY.require(epsilon=epsilon)
        CONFIDENCE.require(delta=delta)
        depth, widths = shape.depth, list(shape.widths[:1])
        relative = math.expm1(math.log1p(epsilon) / depth) * (1 - 2.0**-40)
        for i in range(depth):
            d_in, d_out = shape.widths[i : i + 2]
            accuracy = Fraction(min(relative / math.sqrt(d_in * d_out), 0.5)) - Fraction(8, 1 << 48)
            share = rational(delta) / (depth * d_in * d_out)
            pairs = self.bound(eta=accuracy, W=3, delta=share)
            widths += [2 * pairs * d_in, d_out]
        return Asked(tuple(widths), "ours", "half of the weights mirror the other half")

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the mirror identity, in integers."""
        yield from super().rows(effort, false_width)
        if false_width:
            return
        found = _scaled.linear_for_both_signs(effort.pick(20, 100))
        yield algebra("a pruned mirrored pool is linear for both signs", found, SHOWS_CASE)


_LINEAR_PREFACTOR = (W / eta - 1) ** 2
_LINEAR_RATIO = 1 - (KAPPA - 3 * sympy.Rational(1, 1 << 24) * W / eta) / 2
LOOKS_LINEAR = LooksLinear(
    key="fischer2021_looks_linear",
    title="Looks-linear sources: one subset sum for both signs, no gate",
    source=f"{OURS}; initialisation of {PAPER}",
    claim=(
        "Let a source layer pair mirror itself: with a neuron of incoming weight a and outgoing "
        "weights b it has one of incoming weight -a and outgoing weights -b (the blocks of "
        "$\\begin{pmatrix} U & -U \\\\ -U & U \\end{pmatrix}$), and let masks keep or drop both "
        "edges of a mirrored pair together. Then the pruned pair of layers is exactly "
        "$y \\mapsto \\bigl(\\sum_S b a\\bigr) y$, for y of either sign: one subset sum serves "
        "both sign groups, with one error. Let a and b be uniform on the toolkit's grid in "
        "$(-s_a, s_a)$ and $(-s_b, s_b)$, $W = \\tfrac34 s_a s_b$. With probability at least "
        "$1 - \\delta$, n independent pairs have, for every real $|w| \\le (W - \\eta)/2$ at "
        "once, a subset with $\\sum_S b a$ within $\\eta$ of w, if {bound}"
    ),
    hypotheses=PRODUCT.hypotheses,
    bound=exponential(
        "n",
        _LINEAR_PREFACTOR,
        _LINEAR_RATIO,
        domain=(sympy.Le(eta, W / 2),),
        meanings=(
            ("eta", "accuracy"),
            ("delta", "failure probability"),
            ("W", "window of targets, 3/4 of s_a times s_b"),
        ),
    ),
    law=r"\mathrm{U}[-s_b, s_b] \cdot \mathrm{U}[-s_a, s_a]",
    proof="fischer2021-looks-linear",
    extremal=PRODUCT.extremal,
    false_bound="the width just below the counting bound",
    errata=(LAWS,),
    prefactor=_LINEAR_PREFACTOR,
    ratio=_LINEAR_RATIO,
    setting=(("W", Fraction(3, 4)),),
    reach=lambda eta: (Fraction(3, 4) - eta) / 2,
    restated=Restated(
        _twice,
        lambda eta: Fraction(3, 8) - eta / 2,
        (Fraction(3, 8), *_COMMON, 1e-6, Fraction(3, 4) / 2_192_000),
        (Fraction(3, 8) + _TINY, Fraction(3, 4) / 2_192_223),
    ),
    gated=True,  # products, on the grid of products
)
