"""Depth 2L by the golden-ratio greedy: signs in one layer, log-uniform weights in the next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.bounds import rational
from strongticket.construct import LayerAccuracy
from strongticket.construct._golden import golden
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import Law, LogUniform, SignedConstant
from strongticket.networks import MLP, Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._golden_sampling import (
    MOST,
    GoldenSampling,
    cells,
    covered,
    least_digits,
)
from strongticket.theorems._plan import Norms
from strongticket.theorems._proved import proved_bound
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Ticket


@dataclass(frozen=True)
class GoldenPlan:
    """One target layer and what stands for it.

    Attributes:
        inputs, outputs, biased, groups: As in a `LayerPlan`.
        eta: Accuracy of every weight and bias.
        scale: s of the log-uniform law, the least power of two with s/gamma >= the largest value.
        digits: k, the bins.
    """

    inputs: int
    outputs: int
    biased: bool
    groups: int
    eta: float
    scale: float
    digits: int

    @property
    def laws(self) -> tuple[Law, Law]:
        """The laws of the two random layers."""
        return SignedConstant(1.0), LogUniform(self.scale, cells(self.digits))

    @property
    def eta_bias(self) -> float:
        """Accuracy of every bias: that of the weights."""
        return self.eta


@dataclass(frozen=True, kw_only=True)
class GoldenNetwork(Theorem):
    """All targets of given norms at once, every weight by the greedy of `samples`."""

    samples: GoldenSampling

    def plan(self, target: Target, epsilon: float) -> tuple[GoldenPlan, ...]:
        """Accuracies, scales and digits for a target, every hypothesis tested."""
        self.require(epsilon=epsilon)
        norms, error = Norms.of(target), rational(epsilon)
        plans, coarseness = [], Fraction(0)
        for i, accuracy in enumerate(_plan.accuracies(target, error, norms)):
            largest = max(Fraction(value) for value, _ in _plan.largest(target, i))
            eta = largest if accuracy is None else min(accuracy, largest)
            scale, k, need = _digits(eta, largest)
            coarseness = max(coarseness, need)
            plans.append(
                GoldenPlan(
                    inputs=target.widths[i],
                    outputs=target.widths[i + 1],
                    biased=target.biases[i] is not None,
                    groups=1 if i or target.domain.nonnegative else 2,
                    eta=_plan.down(eta or Fraction(1)),
                    scale=scale,
                    digits=k,
                )
            )
        finest = _plan.finest(error, norms, target.depth, coarseness) if coarseness else None
        self.require(epsilon=epsilon, finest=finest, norms=norms)
        return tuple(plans)

    def pool(self, plan: GoldenPlan, depth: int, delta: float | Fraction) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""
        return self.bound(
            L=depth,
            g=plan.groups,
            d_in=plan.inputs,
            d_out=plan.outputs,
            b=int(plan.biased),
            k_i=plan.digits,
            delta=delta,
        )

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement, at exactly the width that the bound asks for."""
        if options:
            raise InputError(f"this network takes no options, got {sorted(options)}")
        self.require(epsilon=epsilon, delta=delta)
        plans = self.plan(target, epsilon)
        return self.mlp(plans, [self.pool(plan, target.depth, delta) for plan in plans], seed)

    def mlp(self, plans: tuple[GoldenPlan, ...], pools: list[int], seed: int) -> Network:
        """The random network with these pools, whether or not they are wide enough."""
        widths = [plans[0].inputs]
        biases: list[bool] = []
        laws: list[Law] = []
        for plan, pool in zip(plans, pools, strict=True):
            widths += [pool * (plan.inputs + plan.biased), plan.outputs]
            biases += [plan.biased, False]
            laws += plan.laws
        return Network.mlp(widths, biases=biases, laws=laws, seed=seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """Every weight by the greedy, within the theorem's accuracy; linear in the pool.

        Options go to the gadget (window, strict, progress); option `delta` makes a network
        narrower than the bound an error. Raises WidthError, InputError, ConstructionError.
        """
        delta, plans = options.pop("delta", None), self.plan(target, epsilon)
        architecture = network.architecture
        if delta is not None and isinstance(architecture, MLP):
            self.require(delta=delta)
            asked = self.mlp(plans, [self.pool(p, target.depth, delta) for p in plans], 0)
            wanted = asked.architecture.widths  # type: ignore[union-attr]
            if any(a < b for a, b in zip(architecture.widths, wanted, strict=False)):
                raise WidthError(
                    f"for epsilon {epsilon:g} and delta {delta} the theorem asks for widths "
                    f"{wanted}, this network has {architecture.widths}; draw it by theorem.network"
                )
        accuracy = [LayerAccuracy(plan.eta, plan.eta) for plan in plans]
        return golden(network, target, accuracy, digits=[plan.digits for plan in plans], **options)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For layers of norm one on the unit ball, two sign groups in the first."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for i, eta in enumerate(_plan.unit_accuracies(shape, epsilon)):
            d_in, d_out = shape.widths[i : i + 2]
            scale, k, need = _digits(min(eta, Fraction(1)), Fraction(1))
            if need:
                raise InputError(
                    f"epsilon {epsilon:g} asks for weights finer than the 24-bit grid can prove: "
                    f"about {float(need):.3g} times finer"
                )
            plan = GoldenPlan(d_in, d_out, False, 1 if i else 2, float(eta), scale, k)
            widths += [d_in * self.pool(plan, shape.depth, delta), d_out]
        return Asked(tuple(widths), "ours", "signs and log-uniform weights")

    def example(self) -> Ticket | None:
        """A 2-2-1 target, pools of ten neurons an input: best effort, for a drawing."""
        target = _targets()[0][1]
        plans = self.plan(target, 2.0)
        return golden(
            self.mlp(plans, [10, 10], seed=3),
            target,
            [LayerAccuracy(plan.eta, plan.eta) for plan in plans],
            digits=[plan.digits for plan in plans],
            strict=False,
        )

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The pool, the propagation, tickets certified, failures over seeds, growth."""
        if false_width:
            yield self._narrow(effort)
            return
        yield algebra(
            "the pool is the least with union * 2k * exp(-N p/2) <= delta / L", *self._least()
        )
        name = "s (gamma^(k-1) + 2^-24) <= eta, and k digits are the fewest"
        yield algebra(name, _fewest(), RECOMPUTES)
        for name, target in _targets()[: effort.pick(2, 9)]:
            yield from self._built(name, target)
        yield self._seeds(effort.trials(24, 100))
        yield self.samples.scaling(effort)

    def _least(self) -> tuple[tuple[bool, str], str]:
        log, cases = intervals().log, 0
        root = intervals().sqrt(interval(5))
        for k, groups, d_in, d_out, biased, depth, delta in (
            (1, 1, 1, 1, 0, 1, 0.99),
            (9, 2, 3, 70, 1, 3, 0.01),
            (30, 1, 784, 500, 0, 2, 1e-12),
        ):
            plan = GoldenPlan(d_in, d_out, bool(biased), groups, 0.1, 1.0, k)
            n = self.pool(plan, depth, delta)
            events = 2 * k * (groups * d_in * d_out + biased * d_out) * depth
            rate = (1 - interval(Fraction(1, 4096)) - ((1 + root) / 2) ** k / 2**23) / (4 * k)
            need = log(interval(Fraction(events) / Fraction(delta)))
            if not ((n * rate - need).a >= 0 > ((n - 1) * rate - need).b):
                return (False, f"N = {n} is not the least at k = {k}"), RECOMPUTES
            cases += 1
        return (True, f"the least in {cases} cases"), RECOMPUTES

    def _built(self, name: str, target: Target) -> Iterator[Row]:
        epsilon, delta = 0.05, 0.01
        plans = self.plan(target, epsilon)
        from strongticket.theorems._restated_network import propagated

        sound = propagated(target, plans)  # type: ignore[arg-type]
        yield algebra(
            f"{name}: the accuracies propagate to at most epsilon",
            (sound <= Fraction(epsilon), f"{float(sound):.6g} of {epsilon:g}, in rationals"),
            SHOWS_CASE,
        )
        network = self.network(target, epsilon, delta, seed=11)
        claimed = f"sup error at most {epsilon:g}, widths {network.architecture.widths}"  # type: ignore[union-attr]
        try:
            ticket = self.construct(network, target, epsilon, delta=delta)
        except ConstructionError as error:
            yield Row("construction", name, claimed, str(error), True, CAN_REFUTE)
            return
        bound = proved_bound(ticket, target)
        yield Row(
            "construction",
            name,
            claimed,
            f"proved {float(bound):.3g}, {ticket.mask.kept} weights kept of {ticket.mask.total:,}",
            bound > Fraction(epsilon),
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        """At the largest delta; the whole pool is read only where a prefix does not serve."""
        (name, target), failed = _targets()[0], 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, 0.05, 0.5, seed=seed), target, 0.05)
            except ConstructionError:
                failed += 1
        return failures(f"{name}: delta 0.5, one network a seed", 0.5, failed, trials)

    def _narrow(self, effort: Effort) -> Row:
        """Fewer neurons than there are weights to tell apart: the greedy must miss some weight."""
        target, epsilon, trials, failed = _dense(), 0.05, effort.trials(8, 30), 0
        plans = self.plan(target, epsilon)
        pools = [max(1, int(p.scale / p.eta).bit_length() // 2) for p in plans]
        aims, digits = [LayerAccuracy(p.eta, p.eta) for p in plans], [p.digits for p in plans]
        for seed in range(trials):
            try:
                golden(self.mlp(plans, pools, seed), target, aims, digits=digits)
            except ConstructionError:
                failed += 1
        name = f"false on purpose: pools {pools}, half of the counting bound"
        return failures(name, 0.01, failed, trials)


def _digits(eta: Fraction, largest: Fraction) -> tuple[float, int, Fraction]:
    """(s, k, how many times too fine the accuracy is, or 0)."""
    if largest == 0:
        return 1.0, 1, Fraction(0)
    exponent = 0
    while not covered(largest, 2.0**exponent):
        exponent += 1
    while covered(largest, 2.0 ** (exponent - 1)):
        exponent -= 1
    scale = 2.0**exponent
    # one grid step for the fraction of a target weight that no unit can stand for
    ratio = eta / Fraction(scale) - Fraction(1, 1 << 24)
    k = least_digits(ratio)
    if k is None:
        step = Fraction(((5**0.5 - 1) / 2) ** (MOST - 1)) * (1 + Fraction(1, 1 << 20))
        return scale, MOST, (step + Fraction(1, 1 << 24)) / (eta / Fraction(scale))
    return scale, k, Fraction(0)


def _fewest() -> tuple[bool, str]:
    """On both sides of every edge: an accuracy at it, half a grid step and a little either way."""
    root, step, cases = intervals().sqrt(interval(5)), Fraction(1, 1 << 24), 0
    scales = (Fraction(1, 4), Fraction(1), Fraction(2))
    for k, scale in itertools.product((1, 2, 9, 24, 30), scales):
        edge = Fraction(str(sympy.N(((sympy.sqrt(5) - 1) / 2) ** (k - 1), 60)))
        for ratio in (edge, edge + step / 2, edge + step * (1 + step), edge + 2 * step):
            largest = scale * Fraction(3, 2)  # of the reach, 1.618 scale; half of it would not do
            found, digits, finer = _digits(scale * ratio, largest)
            if Fraction(found) != scale:
                return False, f"scale {found} for weights up to {float(largest)}"
            room = interval(ratio - step).a
            here, before = ((((root - 1) / 2) ** (digits - 1 - less)).b for less in (0, 1))
            if (here <= room) == bool(finer) or (digits > 1 and before <= room):
                return False, f"{digits} digits for an accuracy of {float(ratio):.9g} of the scale"
            cases += 1
    return True, f"in {cases} cases"


def _targets() -> tuple[tuple[str, Target], ...]:
    """Largest weights at the reach of scale 1, both signs, a 0, biases, ball and boxes."""
    edge = 1.618
    first = np.array([[edge, -edge], [-0.03, 0.0]], np.float32)
    second = np.array([[edge, -0.25]], np.float32)
    shifts = (np.array([0.4, -edge], np.float32), np.array([-0.2], np.float32))
    plain, biased = [(first, None), (second, None)], list(zip((first, second), shifts, strict=True))
    return (
        ("2-2-1, box [-1, 1], largest weight at the reach", Target(plain, Box(-1.0, 1.0))),
        ("2-2-1, box [0, 1], biases", Target(biased, Box(0.0, 1.0))),
        ("2-2-1, unit ball, biases", Target(biased, Ball(1.0))),
    )


def _dense() -> Target:
    """A 6-6-6 target without structure: 72 weights, all of which a pool must serve."""
    rng = np.random.default_rng(5)
    layers = [(rng.uniform(-1, 1, (6, 6)).astype(np.float32), None) for _ in range(2)]
    return Target(layers, Box(0.0, 1.0))
