"""Theorems on networks of depth 2L: from per-block failure probabilities to widths and tickets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket import subsetsum
from strongticket.bounds import Bound, rational
from strongticket.construct import two_layer
from strongticket.errors import InputError, ReachError, WidthError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Box, Target
from strongticket.theorems import _network_rows, _plan
from strongticket.theorems._evidence import Effort, Inequality, Row
from strongticket.theorems._plan import LayerPlan, Norms
from strongticket.theorems._restated_network import RestatedNetwork
from strongticket.theorems._sampling import SamplingTheorem
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Hypothesis, Theorem
from strongticket.tickets import Ticket


def pool_bound(block: SamplingTheorem) -> Bound:
    r"""The pool :math:`N_i` that makes all blocks of layer i fail with probability <= delta / L."""
    eta, window = (sympy.Symbol(n, positive=True) for n in ("eta", "W"))
    eta_w, eta_b, delta = sympy.symbols("eta_i zeta_i delta", positive=True)
    depth, d_in, d_out, g = sympy.symbols("L d_in d_out g", positive=True, integer=True)
    biased = sympy.Symbol("b", nonnegative=True, integer=True)
    w = sympy.Symbol("W_i", positive=True)
    prefactor, ratio = block.prefactor.subs(window, w), block.ratio.subs(window, w)
    blocks = g * d_in * d_out * prefactor.subs(eta, eta_w)
    blocks += biased * d_out * prefactor.subs(eta, eta_b)
    least = sympy.Min(eta_w, eta_b)
    worst = ratio.subs(eta, least)
    return Bound(
        "N_i",
        sympy.log(depth * blocks / delta) / -sympy.log(worst),
        "sufficient",
        domain=(
            sympy.Le(g, 2),
            sympy.Le(biased, 1),
            sympy.Le(eta_w, w / 2),
            sympy.Le(eta_b, w / 2),
            sympy.Gt(worst, 0),
            sympy.Lt(worst, 1),
            sympy.Le(delta, 1),
        ),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("b", "1 where layer i has a bias, else 0"),
            (
                "W_i",
                f"window of targets, {dict(block.setting)['W']} of s_a times s_b",
            ),
            ("eta_i", "accuracy of every weight of layer i"),
            ("zeta_i", "accuracy of every bias of layer i"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class TwoLayerTheorem(Theorem):
    """Every target layer becomes two pruned random layers; `block` serves one weight.

    Attributes:
        block: The sampling theorem for the gated products that approximate one weight.
        whole: Whether the block serves |w| <= W/2, else |w| <= (W - eta)/2.
        restated: The same numbers, written out a second time.
        inequalities: The displayed inequalities of the proof.
    """

    block: SamplingTheorem
    whole: bool
    restated: RestatedNetwork
    inequalities: tuple[Inequality, ...]

    def plan(
        self,
        target: Target,
        epsilon: float,
        scales: tuple[tuple[float, float], ...] | None = None,
    ) -> tuple[LayerPlan, ...]:
        """The accuracies, scales and windows for a target, every hypothesis tested.

        `scales` gives (s_a, s_b) for each target layer; None takes the least powers of two whose
        proved reach covers the layer's largest weight and bias. Raises InputError, ReachError.
        """
        self.require(epsilon=epsilon)
        norms, error = Norms.of(target), rational(epsilon)
        ratio = dict(self.block.setting)["W"]
        plans, coarseness = [], Fraction(0)
        for i, accuracy in enumerate(_plan.accuracies(target, error, norms)):
            most = _plan.largest(target, i)
            sizes = [Fraction(value) for value, _ in most]
            # Beyond the largest value every accuracy asks for nothing: the empty subset meets it.
            trivial = max(sizes) or ratio / 4
            eta = trivial if accuracy is None else min(accuracy, trivial)
            need = max(2 * eta, 2 * max(sizes) + (0 if self.whole else eta))
            chosen = scales[i] if scales else _plan.least_scales(need, ratio)
            window = ratio * Fraction(chosen[0]) * Fraction(chosen[1])
            coarseness = max(coarseness, window / eta / self._coarsest)
            plans.append(
                LayerPlan(
                    inputs=target.widths[i],
                    outputs=target.widths[i + 1],
                    biased=target.biases[i] is not None,
                    groups=1 if i or target.domain.nonnegative else 2,
                    eta=_plan.down(eta),
                    eta_bias=_plan.down(eta),
                    largest=most,
                    scales=chosen,
                    window=float(window),
                )
            )
            self.require(plan=plans[-1], need=need)
        finest = (
            None  # `pool` works with accuracies that are finer by two grid steps, at most 2^-16
        )
        if coarseness * (1 + Fraction(1, 1 << 16)) >= 1:
            finest = _plan.finest(error, norms, target.depth, coarseness)
        self.require(epsilon=epsilon, finest=finest, norms=norms)
        return tuple(plans)

    @functools.cached_property
    def _coarsest(self) -> Fraction:
        """The W / eta at which the loss to the grid eats up the whole rate."""
        window, eta = (sympy.Symbol(n, positive=True) for n in ("W", "eta"))
        start = self.block.ratio.subs(window, 0)
        return Fraction(
            str(sympy.N((1 - start) / (self.block.ratio.subs(window, eta) - start), 30))
        )

    def pool(self, plan: LayerPlan, depth: int, delta: float | Fraction) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""
        eta, eta_bias = plan.finer
        values: dict[str, float | Fraction] = {
            "L": depth,
            "g": plan.groups,
            "d_in": plan.inputs,
            "d_out": plan.outputs,
            "b": int(plan.biased),
            "W_i": plan.window,
            "eta_i": eta,
            "zeta_i": eta_bias if plan.biased else eta,
            "delta": delta,
        }
        return max(1, self.bound(**values))

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement: depth 2L, exactly the width that the bound asks.

        Nothing is drawn until a block of weights is asked for. Option `scales` as in `plan`.
        """
        self.require(epsilon=epsilon, delta=delta)
        plans = self.plan(target, epsilon, **options)
        pools = [self.pool(plan, target.depth, delta) for plan in plans]
        return self.mlp(plans, pools, seed)

    def construct(
        self,
        network: Network,
        target: Target,
        epsilon: float,
        **options: Any,
    ) -> Ticket:
        """Prune the network down to the target, every weight within the theorem's accuracy.

        Options go to `construct.two_layer` (objective, window, progress). Option `delta` makes a
        network that is narrower than the bound at this failure probability an error; without it
        only one narrower than for any delta < 1. Raises WidthError, ReachError, InputError, and
        ConstructionError where a weight misses after the whole pool.
        """
        delta = options.pop("delta", None)
        if delta is not None:
            self.require(delta=delta)
        plans = self.plan(target, epsilon, scales=_scales(network, target))
        widths = network.architecture.widths  # type: ignore[union-attr]
        for i, plan in enumerate(plans):
            asked = self.pool(plan, target.depth, Fraction(1) if delta is None else delta)
            if widths[2 * i + 1] < plan.hidden(asked):
                raise WidthError(
                    f"for epsilon {epsilon:g} and delta {'< 1' if delta is None else delta} the "
                    f"theorem asks for {plan.hidden(asked)} hidden neurons in random layer {2 * i} "
                    f"({asked} for each of {plan.inputs + plan.biased} inputs); this network has "
                    f"{widths[2 * i + 1]}. Draw it by theorem.network, or construct with "
                    "strongticket.construct.two_layer and let the certificate judge"
                )
        return two_layer(network, target, [plan.accuracy for plan in plans], **options)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For all targets of norm-one layers on the unit ball at once, of weights up to 1."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for plan in self.unit_plans(shape, epsilon):
            widths += [plan.hidden(self.pool(plan, shape.depth, delta)), plan.outputs]
        return Asked(tuple(widths), "ours", self.note)

    @property
    def note(self) -> str:
        """What makes its size not quite comparable."""
        return ""

    def unit_plans(self, shape: Shape, epsilon: float) -> Iterator[LayerPlan]:
        """The plans for every target of that shape with norms 1, entries up to 1, no biases."""
        ratio = dict(self.block.setting)["W"]
        for i, accuracy in enumerate(_plan.unit_accuracies(shape, epsilon)):
            eta = min(accuracy, ratio / 4)
            scales = _plan.least_scales(2 + (Fraction(0) if self.whole else eta), ratio)
            plan = LayerPlan(
                inputs=shape.widths[i],
                outputs=shape.widths[i + 1],
                biased=False,
                groups=1 if i else 2,
                eta=_plan.down(eta),
                eta_bias=_plan.down(eta),
                largest=((1.0, "the largest weight"), (0.0, "")),
                scales=scales,
                window=float(ratio * Fraction(scales[0]) * Fraction(scales[1])),
            )
            if plan.window / plan.eta >= self._coarsest:
                raise InputError(
                    f"epsilon {epsilon:g} asks for weights finer than the 24-bit grid can prove at "
                    f"widths {shape.widths}: {plan.eta:.3g} of a window of {plan.window:g}, which "
                    f"must be at least {float(plan.window / self._coarsest):.3g}"
                )
            yield plan

    def example(self) -> Ticket | None:
        """A 2-2-1 target, pools of ten neurons an input: best effort, for a drawing."""
        first = np.array([[0.5, -0.25], [0.375, 0.75]], np.float32)
        last = np.array([[-0.5, 0.625]], np.float32)
        target = Target([(first, None), (last, None)], Box(0.0, 1.0))
        plans = self.plan(target, 0.5)
        accuracy = [plan.accuracy for plan in plans]
        few = functools.partial(subsetsum.sparsest, backend="numpy")
        network = self.mlp(plans, [10, 10], seed=0)
        return two_layer(network, target, accuracy, objective=few, strict=False)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, construction at extremal targets, probability over seeds, scaling of a block."""
        rows = _network_rows.false_rows if false_width else _network_rows.rows
        return rows(self, effort)

    def mlp(self, plans: tuple[LayerPlan, ...], pools: list[int], seed: int) -> Network:
        """The random network with these pools, whether or not they are wide enough."""
        widths = [plans[0].inputs]
        biases: list[bool] = []
        laws: list[Uniform] = []
        for plan, pool in zip(plans, pools, strict=True):
            widths += [plan.hidden(pool), plan.outputs]
            biases += [plan.biased, False]
            laws += [Uniform(plan.scales[0]), Uniform(plan.scales[1])]
        return Network.mlp(widths, biases=biases, laws=laws, seed=seed)


def _reach(plan: LayerPlan, need: Fraction) -> str | None:
    if Fraction(plan.window) >= need:
        return None
    value, what = max(plan.largest)
    ratio = Fraction(plan.window) / Fraction(plan.scales[0]) / Fraction(plan.scales[1])
    a, b = _plan.least_scales(need, ratio)
    return (
        f"{what}, wanted within {max(plan.eta, plan.eta_bias):.3g}, lies beyond what products of "
        f"U[-{plan.scales[0]:g}, {plan.scales[0]:g}] and U[-{plan.scales[1]:g}, "
        f"{plan.scales[1]:g}] are proved to reach, {plan.window / 2:.6g} less half the accuracy; "
        f"the scales {a:g} and {b:g} reach {value:.6g}"
    )


def _resolution(epsilon: float, finest: float | None, norms: Norms) -> str | None:
    if finest is None:
        return None
    return (
        f"epsilon {_plan.shown(rational(epsilon))} asks for weights finer than the 24-bit grid of "
        "the random weights can prove for this target (norm bound "
        f"{_plan.shown(norms.output)}); the finest epsilon is about {finest * 1.05:.3g}. Train the "
        "target to smaller norms (weight decay), or ask for less accuracy"
    )


REACH = Hypothesis(
    r"the largest weight and bias of every layer lie within the window: at most $(W_i - \eta_i)/2$ "
    "in absolute value (or $W_i/2$ where the block serves the whole window)",
    _reach,
    ReachError,
)
RESOLUTION = Hypothesis(
    r"the 24-bit grid is fine enough: $3 \cdot 2^{-24}\, W_i/\eta_i$ stays below the block's rate",
    _resolution,
)


def _scales(network: Network, target: Target) -> tuple[tuple[float, float], ...]:
    """The scales of the network's laws, pair by pair; WidthError where it has not depth 2L."""
    architecture = network.architecture
    if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
        shown = getattr(architecture, "widths", type(architecture).__name__)
        raise WidthError(
            f"the theorem needs a fully connected random network of depth {2 * target.depth} whose "
            f"even widths are the target's {target.widths}; got {shown}"
        )
    found = []
    for i in range(target.depth):
        laws = [network[f"layers.{2 * i + k}.weight"].law for k in (0, 1)]
        for law in laws:
            if not isinstance(law, Uniform):
                raise InputError(f"the theorem is about uniform weights; layer {2 * i} has {law}")
        found.append((float(laws[0].scale or 0), float(laws[1].scale or 0)))
    return tuple(found)
