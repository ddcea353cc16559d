"""Theorems on networks of depth 2L: from per-block failure probabilities to widths and tickets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from strongticket.bounds import Bound
from strongticket.construct import two_layer
from strongticket.errors import InputError, ReachError, WidthError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.theorems import _network_rows, _plan
from strongticket.theorems._evidence import Effort, Row
from strongticket.theorems._plan import LayerPlan, Norms
from strongticket.theorems._sampling import Inequality, SamplingTheorem
from strongticket.theorems._theorem import Hypothesis, Theorem
from strongticket.tickets import Ticket


def pool_bound(block: SamplingTheorem) -> Bound:
    r"""The pool :math:`N_i` that makes all blocks of layer i fail with probability <= delta / L."""
    eta, window = (sympy.Symbol(n, positive=True) for n in ("eta", "W"))
    eta_w, eta_b, delta, depth = sympy.symbols("eta_i zeta_i delta L", positive=True)
    d_in, d_out, g, biased = sympy.symbols("d_in d_out g b", nonnegative=True)
    w = sympy.Symbol("W_i", positive=True)
    prefactor, ratio = block.prefactor.subs(window, w), block.ratio.subs(window, w)
    blocks = g * d_in * d_out * prefactor.subs(eta, eta_w)
    blocks += biased * d_out * prefactor.subs(eta, eta_b)
    worst = ratio.subs(eta, sympy.Min(eta_w, eta_b))
    return Bound(
        "N_i",
        sympy.log(depth * blocks / delta) / -sympy.log(worst),
        "sufficient",
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
        inequalities: The displayed inequalities of the proof.
    """

    block: SamplingTheorem
    whole: bool
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
        norms = Norms.of(target)
        ratio = dict(self.block.setting)["W"]
        plans = []
        for i, (eta, eta_bias) in enumerate(_plan.accuracies(target, _plan.exact(epsilon), norms)):
            most = _plan.largest(target, i)
            if eta == 0.0:  # no weight and no bias: everything is exact
                eta = eta_bias = float(ratio) / 4
            needs = [2 * Fraction(eta), 2 * Fraction(eta_bias)]
            for (value, _), accuracy in zip(most, (eta, eta_bias), strict=True):
                needs.append(2 * Fraction(value) + (0 if self.whole else Fraction(accuracy)))
            chosen = scales[i] if scales else _plan.least_scales(max(needs), ratio)
            plans.append(
                LayerPlan(
                    inputs=target.widths[i],
                    outputs=target.widths[i + 1],
                    biased=target.biases[i] is not None,
                    groups=1 if i or target.domain.nonnegative else 2,
                    eta=eta,
                    eta_bias=eta_bias,
                    largest=most,
                    scales=chosen,
                    window=float(ratio * Fraction(chosen[0]) * Fraction(chosen[1])),
                )
            )
            self.require(plan=plans[-1], need=max(needs))
        coarseness = max(
            float(plan.window / accuracy / self._coarsest)
            for plan in plans
            for accuracy in (plan.eta, plan.eta_bias)
        )
        self.require(epsilon=epsilon, coarseness=coarseness * (1 + 2.0**-16), norms=norms)
        return tuple(plans)

    @functools.cached_property
    def _coarsest(self) -> float:
        """The W / eta at which the loss to the grid eats up the whole rate."""
        window, eta = (sympy.Symbol(n, positive=True) for n in ("W", "eta"))
        start = self.block.ratio.subs(window, 0)
        return float((1 - start) / (self.block.ratio.subs(window, eta) - start))

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


def _resolution(epsilon: float, coarseness: float, norms: Norms) -> str | None:
    if coarseness < 1:
        return None
    return (
        f"epsilon {epsilon:g} asks for weights finer than the 24-bit grid of the random weights "
        f"can prove for this target (norm bound {float(norms.output):.4g}); the finest epsilon is "
        f"about {epsilon * coarseness * 1.05:.3g}. Train the target to smaller norms (weight "
        "decay), or ask for less accuracy"
    )


REACH = Hypothesis(
    r"the largest weight and bias of every layer lie within the window: at most $(W_i - \eta_i)/2$ "
    "in absolute value (or $W_i/2$ where the block serves the whole window)",
    _reach,
    ReachError,
)
RESOLUTION = Hypothesis(
    r"the 24-bit grid is fine enough: $3 \cdot 2^{-24}\, W_i/\eta_i$ and "
    r"$3 \cdot 2^{-24}\, W_i/\zeta_i$ stay below the block's rate",
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
