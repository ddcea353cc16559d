"""Depth 2L, error zero: a quantized target equals a pruned random network on the grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.bounds import rational
from strongticket.construct import exact
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import Grid
from strongticket.networks import MLP, Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._integer_network import agrees
from strongticket.theorems._quantized_sums import ExactSums, draw, least_prefix
from strongticket.theorems._restated import is_least
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Ticket
from strongticket.verify import certify

MOST_STEPS = 1 << 18  # of a largest weight: what exact subset sums are built for


@dataclass(frozen=True)
class GridPlan:
    """One target layer: its sizes, sign groups, and the two laws that stand for it.

    `step` is the unit of the products, `largest` is M: weights are integers up to M/2 steps.
    """

    inputs: int
    outputs: int
    groups: int
    step: float
    largest: int


@dataclass(frozen=True, kw_only=True)
class ExactNetwork(Theorem):
    """Every weight is a subset sum of gated weights on one grid; `block` is that theorem."""

    block: ExactSums

    def plan(self, target: Target, steps: tuple[float, ...] | None = None) -> tuple[GridPlan, ...]:
        """Step and M of every layer; `steps` None takes the coarsest grid that holds the layer.

        Raises InputError for biases, for a step that does not hold a weight (with the nearest
        that it does), and for weights of more than 2^18 steps.
        """
        if any(b is not None for b in target.biases):
            raise InputError(
                "this theorem is about targets without biases; use pensia2020.EXPLICIT"
            )
        if steps is not None and len(steps) != target.depth:
            raise InputError(f"depth {target.depth} needs as many steps, got {len(steps)}")
        plans = []
        for i, weights in enumerate(target.weights):
            self.require(step=(step := _coarsest(weights) if steps is None else steps[i]))
            self.require(layer=i, weights=weights, grid=step)
            size = int(np.abs(np.rint(weights.astype(np.float64) / step)).max(initial=0))
            self.require(layer=i, size=size, grid=step)
            largest = max(2, 1 << max(0, 2 * size - 1).bit_length())
            groups = 1 if i or target.domain.nonnegative else 2
            plans.append(GridPlan(weights.shape[1], weights.shape[0], groups, step, largest))
        return tuple(plans)

    def pool(self, plan: GridPlan, depth: int, delta: float | Fraction, first: int = 1) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""
        return self.bound(
            L=depth,
            g=plan.groups,
            d_in=plan.inputs,
            d_out=plan.outputs,
            M=plan.largest,
            A=first,
            delta=delta,
        )

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; its error is 0, whatever epsilon > 0 is.

        Options: `steps` as in `plan`; `first`, the largest unit A of the first layers (1).
        """
        steps, first = options.pop("steps", None), options.pop("first", 1)
        if options:
            raise InputError(f"unknown options {sorted(options)}; there are steps and first")
        self.require(epsilon=epsilon, delta=delta, A=first)
        plans = self.plan(target, steps)
        pools = [self.pool(plan, target.depth, delta, first) for plan in plans]
        return random_network(plans, pools, first, seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket that equals the target; WidthError where the network has another shape."""
        if options:
            raise InputError(f"this construction takes no options, got {sorted(options)}")
        self.require(epsilon=epsilon)
        architecture = network.architecture
        if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
            raise WidthError(
                f"the theorem needs a fully connected network of depth {2 * target.depth} whose "
                f"even widths are {target.widths}, got {architecture}"
            )
        return exact(network, target)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For targets rounded to the coarsest grid that keeps them within epsilon."""
        self.require(epsilon=epsilon, delta=delta)
        widths, (plans, note) = [shape.widths[0]], unit_grids(shape, epsilon)
        for plan in plans:
            widths += [plan.inputs * self.pool(plan, shape.depth, delta), plan.outputs]
        return Asked(tuple(widths), "ours", note)

    def example(self) -> Ticket | None:
        """A 2-2-1 target on a grid of 1/4, in pools of six."""
        target = toy(Box(0.0, 1.0), 4)
        for seed in range(1000):
            try:
                network = random_network(self.plan(target), [6, 6], 1, seed)
                return self.construct(network, target, 1.0)
            except ConstructionError:
                continue
        return None

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The pool restated, tickets of error zero, failures over seeds, growth of the pool."""
        if false_width:
            yield from (self._too_narrow(steps, effort) for steps in (8, 64))
            return
        name = "the pool is the least with L g d_in d_out M^2 rho^N <= delta"
        yield algebra(name, self._least(), RECOMPUTES)
        for domain, steps, first in (
            (Box(0.0, 1.0), 64, 1),
            (Box(-1.0, 1.0), 16, 1),
            (Ball(1.0), 8, 2),
        )[: effort.pick(2, 3)]:
            yield from self._built(domain, steps, first)
        yield self._seeds(effort.trials(40, 300))
        yield self.block.scaling("gated", effort)

    def _least(self) -> Finding:
        cases = 0
        for steps, first, depth, delta in (
            (2, 1, 1, 0.5),
            (16, 1, 2, 0.01),
            (4096, 2, 3, 1e-9),
            (64, 8, 1, 1e-300),
        ):
            for groups, d_in, d_out in ((1, 1, 1), (2, 7, 3), (1, 784, 300)):
                n = self.pool(GridPlan(d_in, d_out, groups, 1.0, steps), depth, delta, first)
                blocks = Fraction(depth * groups * d_in * d_out)
                # a weight of the window is met with probability (1/2A) (1/2M) each of M + 1 times
                meeting = Fraction(1, 2 * first) * Fraction(1, 2 * steps) * (steps + 1)
                if not is_least(n, blocks * steps**2, 1 - meeting / 2, delta):
                    return False, f"N = {n} at M = {steps}, A = {first}, delta {delta:g}"
                cases += 1
        return True, f"the least in {cases} cases"

    def _built(self, domain: Box | Ball, steps: int, first: int) -> Iterator[Row]:
        target = toy(domain, steps)
        network = self.network(target, 1.0, 0.01, seed=11, first=first)
        widths = "-".join(map(str, network.architecture.widths))  # type: ignore[union-attr]
        name = f"2-2-1 target, {steps} steps, {domain}, in {widths}, A = {first}"
        try:
            ticket = self.construct(network, target, 1.0)
        except ConstructionError as error:
            yield Row("construction", name, "error 0", str(error), True, CAN_REFUTE)
            return
        bound = certify(ticket, target).exact_bound
        matrices = [np.rint(w.astype(np.float64) * steps).astype(int) for w in target.weights]
        same = agrees(ticket, [m.astype(object) for m in matrices], exponent_of(steps), target)
        yield Row(
            "construction",
            name,
            "error 0 on the whole domain",
            f"certified {bound}; equal at 64 integer points: {'yes' if same else 'NO'}; "
            f"{ticket.mask.kept} weights kept",
            bound != 0 or not same,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        target, failed = toy(Ball(1.0), 16), 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, 1.0, 0.5, seed=seed), target, 1.0)
            except ConstructionError:
                failed += 1
        name = "delta 0.5: one network a seed, constructed"
        return failures(name, 0.5, failed, trials, CAN_REFUTE)

    def _too_narrow(self, steps: int, effort: Effort) -> Row:
        """With 2^N < M + 1 the products of one input and sign cannot make M + 1 weights."""
        pool, trials = steps.bit_length() - 1, effort.trials(40, 200)
        failed = sum(
            least_prefix(sample, steps // 2) is None
            for sample in draw("gated", steps, trials, pool, seed=5).tolist()
        )
        name = f"false on purpose: pools of {pool}, M = {steps}, all weights at once, all masks"
        return failures(name, 0.01, failed, trials)


def random_network(plans: tuple[GridPlan, ...], pools: list[int], first: int, seed: int) -> Network:
    """Signs (or units up to `first`) in the first layer of a pair, the grid in the second."""
    widths, laws = [plans[0].inputs], []
    for plan, pool in zip(plans, pools, strict=True):
        widths += [pool * plan.inputs, plan.outputs]
        laws += [Grid(1.0, first), Grid(plan.step, plan.largest)]
    return Network.mlp(widths, laws=laws, seed=seed)


def unit_grids(shape: Shape, epsilon: float) -> tuple[tuple[GridPlan, ...], str]:
    """The coarsest grids on which norm-one targets, rounded, stay within epsilon; and a note."""
    bits = _plan.unit_bits(shape, epsilon)
    plans = tuple(
        GridPlan(a, b, 1 if i else 2, 2.0**-f, 2 << f)
        for i, (a, b, f) in enumerate(zip(shape.widths, shape.widths[1:], bits, strict=False))
    )
    return plans, f"exactly, for targets on a grid of 2^-{max(bits)} or coarser"


def toy(domain: Box | Ball, steps: int) -> Target:
    """A 2-2-1 target on the grid 1/steps: weights +-1, which are at the reach, 0 and others."""
    first = np.array([[1, -1], [0, -(3 * steps // 8) / steps]], np.float32)
    second = np.array([[1 / steps, -1]], np.float32)
    return Target([(first, None), (second, None)], domain)


def exponent_of(steps: int) -> int:
    """Of the output of `toy`: two layers of 1/steps."""
    return -2 * (steps.bit_length() - 1)


def _coarsest(weights: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    """The largest power of two of which all weights are multiples."""
    mantissa, exponent = np.frexp(weights[weights != 0].astype(np.float64))
    whole = (mantissa * (1 << 24)).astype(np.int64)
    if not whole.size:
        return 1.0
    trailing = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return float(2.0 ** int((exponent - 24 + trailing).min()))


def on_grid(layer: int, weights: Any, grid: float) -> str | None:
    """The hypothesis that a layer lies on its grid."""
    scaled = weights.astype(np.float64) / grid
    off = np.argwhere(scaled != np.rint(scaled))
    if not off.size:
        return None
    at = tuple(off[0].tolist())
    return (
        f"weight {at} of layer {layer}, {float(weights[at]):.9g}, must be a multiple of {grid:g}; "
        f"the nearest is {float(np.rint(scaled[at])) * grid:.9g}: round the target first "
        "(strongticket.construct.quantized)"
    )


def few_steps(layer: int, size: int, grid: float) -> str | None:
    """The hypothesis that weights have few steps."""
    if size <= MOST_STEPS:
        return None
    step = grid * 2.0 ** ((size - 1) // MOST_STEPS).bit_length()
    return (
        f"layer {layer} has weights of {size:,} steps of {grid:g}, more than the {MOST_STEPS:,} "
        f"that exact subset sums are built for; round the target to a step of {step:g} or coarser "
        "(strongticket.construct.quantized)"
    )


def power(step: Any) -> str | None:
    """The hypothesis on steps."""
    value = rational(step, "a step")
    if value > 0 and math.frexp(float(value))[0] == 0.5 and Fraction(float(value)) == value:
        return None
    near = f"; the nearest is {2.0 ** round(math.log2(value)):g}" if value > 0 else ""
    return f"a step must be a power of two > 0, got {step!r}{near}"


def unit(A: object) -> str | None:
    """The hypothesis on the first layers' largest unit."""
    value = rational(A, "A")
    if value.denominator == 1 and 1 <= value <= 1 << 24 and not int(value) & (int(value) - 1):
        return None
    near = 1 << max(0, min(24, round(math.log2(max(1.0, float(value))))))
    return f"A must be a power of two in [1, 2^24], got {A!r}; the nearest is {near}"
