"""Theorems on networks of depth L + 1: neurons in copies, and the true amplification of errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from strongticket import subsetsum
from strongticket.bounds import rational
from strongticket.construct import LayerAccuracy, copies
from strongticket.errors import InputError, ReachError, WidthError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.theorems import _copies_plan, _copies_rows, _plan
from strongticket.theorems._copies_plan import GRID, LayerPlan, Layers, TooFineError
from strongticket.theorems._evidence import Effort, Inequality, Row
from strongticket.theorems._plan import Norms
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Hypothesis, Theorem
from strongticket.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class CopiesTheorem(Theorem):
    """The first target layer becomes two random layers, every further one a single layer.

    Attributes:
        inequalities: The displayed inequalities of the proof.
    """

    inequalities: tuple[Inequality, ...]

    def plan(
        self,
        target: Target,
        epsilon: float,
        delta: float | Fraction = Fraction(1, 2),
        scales: tuple[tuple[float, ...], ...] | None = None,
        mass: float | None = None,
    ) -> tuple[LayerPlan, ...]:
        """Accuracies, scales, masses, pool and copies for a target, every hypothesis tested.

        `mass` None bounds the amplification by the weight of all copies, so the claim holds
        whatever is selected; a number allows alpha to be that multiple of the largest row sum of
        the target's layer, and the claim is about tickets whose masses keep to it. `scales` gives
        (s_a, s_b), (s_2,), ..., (s_L,); None takes the least powers of two that reach.
        """
        self.require(epsilon=epsilon)
        if mass is not None and not mass >= 1:
            raise InputError(f"mass is a multiple of the row sums, at least 1; got {mass!r}")
        norms = Norms.of(target)
        layers = Layers.of(target, rational(epsilon), norms)
        factor = None if mass is None else rational(mass)
        try:
            plans = _copies_plan.counts(layers, rational(delta), scales, factor, GRID)
        except TooFineError as error:
            self.require(epsilon=epsilon, finest=error, norms=norms)
            raise
        for plan in plans:
            self.require(plan=plan, need=2 * Fraction(plan.largest[0]) + Fraction(plan.eta))
        return tuple(plans)

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement: depth L + 1, exactly the width that is asked.

        Options `scales` and `mass` as in `plan`.
        """
        self.require(epsilon=epsilon, delta=delta)
        return self.mlp(self.plan(target, epsilon, delta, **options), seed)

    def mlp(self, plans: tuple[LayerPlan, ...], seed: int) -> Network:
        """The random network with these counts, whether or not they are enough."""
        first, *rest = plans
        widths = [first.columns - first.biased, first.columns * first.count]
        widths += [plan.columns * plan.count for plan in rest] + [plans[-1].rows]
        laws = [Uniform(x) for plan in plans for x in plan.scales]
        flags = [first.biased] + [False] * len(plans)
        return Network.mlp(widths, laws=laws, seed=seed, biases=flags)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """Prune the network down to the target, from the last layer to the first.

        Each layer aims at the accuracy that epsilon leaves after the masses selected above it;
        where these are lighter than the statement allows for, that is coarser than the
        statement's. Options go to `construct.copies` (objective, first, window, progress). Option
        `delta` makes a network narrower than the bound at this failure probability an error;
        `mass` is as in `plan`. Raises WidthError, ReachError, InputError, ConstructionError.
        """
        delta, mass = options.pop("delta", None), options.pop("mass", None)
        if delta is not None:
            self.require(delta=delta)
        scales = _scales(network, target)
        asked = Fraction(1, 2) if delta is None else delta
        plans = self.plan(target, epsilon, asked, scales=scales, mass=mass)
        architecture = network.architecture
        assert isinstance(architecture, MLP)
        wanted = self.mlp(plans, 0).architecture.widths  # type: ignore[union-attr]
        short = [i for i, w in enumerate(wanted) if architecture.widths[i] < w]
        if short:
            raise WidthError(
                f"for epsilon {epsilon:g} and delta {float(asked):g} the theorem asks for the "
                f"widths {wanted}; layer {short[0]} of this network is "
                f"{architecture.widths[short[0]]} wide. Draw it by theorem.network, or construct "
                "with strongticket.construct.copies and let the certificate judge"
            )
        layers = Layers.of(target, rational(epsilon), Norms.of(target))

        def accuracy(layer: int, amplification: Fraction) -> LayerAccuracy:
            return LayerAccuracy(_plan.down(layers.accuracy(layer, amplification)))

        if mass is not None:
            options.setdefault("objective", subsetsum.lightest)
        return copies(network, target, accuracy, **options)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The random network for norm-one targets on the unit ball, for the continuous law."""
        self.require(epsilon=epsilon, delta=delta)
        widths = shape.widths
        layers = Layers(
            rows=widths[1:],
            columns=widths[:-1],
            sums=tuple(_copies_plan.root_up(d) for d in widths[:-1]),
            row_sums=tuple(_copies_plan.root_up(d) for d in widths[:-1]),
            largest=((1.0, "an entry of a matrix of norm 1"),) * shape.depth,
            groups=2,
            biased=False,
            error=rational(epsilon) / _copies_plan.root_up(widths[-1]),
        )
        note = "whatever subsets are selected"
        try:
            plans = _copies_plan.counts(layers, rational(delta), None, None, GRID)
        except TooFineError:
            plans = _copies_plan.counts(layers, rational(delta), None, None, Fraction(0))
            note = "whatever subsets are selected; continuous law: finer than 24-bit weights"
        network = self.mlp(tuple(plans), 0).architecture
        assert isinstance(network, MLP)
        return Asked(network.widths, "ours", note)

    def example(self) -> Ticket:
        """A 2-2-1 target in a random network of depth 3, a few copies a neuron."""
        return _copies_rows.example()

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, construction at extremal targets, probability over seeds, scaling."""
        rows = _copies_rows.false_rows if false_width else _copies_rows.rows
        return rows(self, effort)


def _reach(plan: LayerPlan, need: Fraction) -> str | None:
    if Fraction(plan.window) >= need:
        return None
    _, what = plan.largest
    return (
        f"{what}, wanted within {plan.eta:.3g}, lies beyond "
        f"what the scales {plan.scales} are proved to reach, {plan.window / 2:.6g} less half the "
        "accuracy; give larger scales"
    )


def _resolution(epsilon: float, finest: TooFineError | None, norms: Norms) -> str | None:
    if finest is None:
        return None
    return (
        f"epsilon {_plan.shown(rational(epsilon))} asks for weights finer than the 24-bit grid of "
        f"the random weights can prove for this target: errors of layer {finest.layer} are "
        f"amplified by up to {_plan.shown(finest.amplification)} (norm bound "
        f"{_plan.shown(norms.output)}); the finest epsilon is about "
        f"{_plan.shown(rational(epsilon) * finest.ratio * Fraction(21, 20))}. Give mass= (say 6), "
        "for a claim about tickets whose subsets are that light, or ask for less accuracy"
    )


REACH = Hypothesis(
    r"the largest weight and bias of every layer lie within the window: at most "
    r"$(W_1 - \eta_1)/2$ in the first layer, $s_l - \eta_l/2$ in every other (where the constant "
    "neuron counts as a weight of 1)",
    _reach,
    ReachError,
)
RESOLUTION = Hypothesis(
    r"the 24-bit grid is fine enough: $12 \cdot 2^{-24} s_l < \eta_l$, and "
    r"$3 \cdot 2^{-24} W_1 < \kappa \eta_1$",
    _resolution,
)


def _scales(network: Network, target: Target) -> tuple[tuple[float, ...], ...]:
    """The scales of the network's laws; WidthError where it has not depth L + 1."""
    architecture = network.architecture
    if not isinstance(architecture, MLP) or architecture.depth != target.depth + 1:
        shown = getattr(architecture, "widths", type(architecture).__name__)
        raise WidthError(
            f"the theorem needs a fully connected random network of depth {target.depth + 1}; got "
            f"{shown}"
        )
    found = []
    for i in range(architecture.depth):
        law = network[f"layers.{i}.weight"].law
        if not isinstance(law, Uniform):
            raise InputError(f"the theorem is about uniform weights; layer {i} has {law}")
        found.append(float(law.scale or 0))
    return ((found[0], found[1]), *((x,) for x in found[2:]))
