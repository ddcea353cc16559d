"""Depth L + 1, error zero: copies of every hidden neuron, their weights used directly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.construct import exact_copies
from strongticket.errors import ConstructionError, InputError
from strongticket.laws import Grid
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
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
from strongticket.theorems._quantized_network import ExactNetwork, GridPlan, unit_grids
from strongticket.theorems._quantized_sums import draw, least_prefix
from strongticket.theorems._restated import is_least
from strongticket.theorems._size import Asked, Shape
from strongticket.tickets import Ticket
from strongticket.verify import certify


@dataclass(frozen=True, kw_only=True)
class ExactCopies(ExactNetwork):
    """As `ExactNetwork`, but only the first target layer costs two random layers."""

    def sizes(
        self, plans: tuple[GridPlan, ...], delta: float | Fraction, first: int = 1
    ) -> list[int]:
        """(n_1, ..., n_L): candidates of every weight, layer by layer, from the last one back."""
        found, copies = [], 1
        for i in range(len(plans) - 1, -1, -1):
            plan = plans[i]
            share = Fraction(1, 2 * plan.largest) if i else Fraction(1, 4 * first * plan.largest)
            n = self.bound(
                L=len(plans),
                g=plan.groups,
                c=copies,
                d_in=plan.inputs,
                d_out=plan.outputs,
                M=plan.largest,
                q=share,
                delta=delta,
            )
            found.append(n)
            copies = n
        return found[::-1]

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; its error is 0, whatever epsilon > 0 is.

        Options: `steps` as in `plan`; `first`, the largest unit A of the first layer (1).
        """
        steps, first = options.pop("steps", None), options.pop("first", 1)
        if options:
            raise InputError(f"unknown options {sorted(options)}; there are steps and first")
        self.require(epsilon=epsilon, delta=delta, A=first)
        plans = self.plan(target, steps)
        return copies_network(plans, self.sizes(plans, delta, first), first, seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket that equals the target."""
        if options:
            raise InputError(f"this construction takes no options, got {sorted(options)}")
        self.require(epsilon=epsilon)
        return exact_copies(network, target)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For targets rounded to the coarsest grid that keeps them within epsilon."""
        self.require(epsilon=epsilon, delta=delta)
        plans, note = unit_grids(shape, epsilon)
        inner = [n * plan.inputs for n, plan in zip(self.sizes(plans, delta), plans, strict=True)]
        return Asked((shape.widths[0], *inner, shape.widths[-1]), "ours", note)

    def example(self) -> Ticket | None:
        """A 2-2-1 target on a grid of 1/2, six candidates in the first layer, four in the next."""
        first = np.array([[0.5, -0.5], [0.0, 0.5]], np.float32)
        target = Target([(first, None), (np.array([[-0.5, 0.5]]), None)], Box(0.0, 1.0))
        for seed in range(1000):
            try:
                return exact_copies(copies_network(self.plan(target), [6, 4], 1, seed), target)
            except ConstructionError:
                continue
        return None

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The counts restated, tickets of error zero, failures over seeds, growth."""
        if false_width:
            yield from (self._too_few(steps, effort) for steps in (8, 64))
            return
        name = "every count is the least with L g c d_in d_out M^2 rho^n <= delta"
        yield algebra(name, self._restated_sizes(), RECOMPUTES)
        for domain, steps in ((Box(-1.0, 1.0), 16), (Ball(1.0), 64))[: effort.pick(1, 2)]:
            yield from self._built_three(domain, steps)
        yield self._seeds_of_three(effort.trials(20, 100))
        yield self.block.scaling("grid", effort)

    def _restated_sizes(self) -> Finding:
        cases = 0
        for widths, steps, first, delta in (
            ((3, 4, 2), (16, 4), 1, 0.5),
            ((64, 32, 16, 10), (64, 256, 8), 2, 1e-6),
            ((5, 1), (2,), 1, 0.01),
        ):
            pairs = list(itertools.pairwise(widths))
            plans = tuple(
                GridPlan(a, b, 1 if i else 2, 1.0, m)
                for i, ((a, b), m) in enumerate(zip(pairs, steps, strict=True))
            )
            sizes = self.sizes(plans, delta, first)
            above = [*sizes[1:], 1]  # the copies that each output of a layer has
            for i, ((d_in, d_out), m, n, c) in enumerate(
                zip(pairs, steps, sizes, above, strict=True)
            ):
                sums = Fraction((1 if i else 2) * len(pairs) * c * d_in * d_out)
                meeting = Fraction(m + 1, 2 * m) / (1 if i else 2 * first)
                if not is_least(n, sums * m * m, 1 - meeting / 2, delta):
                    return False, f"n = {n} in layer {i} of {widths}"
                cases += 1
        return True, f"the least in {cases} layers"

    def _built_three(self, domain: Box | Ball, steps: int) -> Iterator[Row]:
        target = three(domain, steps)
        network = self.network(target, 1.0, 0.01, seed=11)
        widths = "-".join(map(str, network.architecture.widths))  # type: ignore[union-attr]
        name = f"2-2-3-1 target, {steps} steps, {domain}, in {widths}"
        try:
            ticket = self.construct(network, target, 1.0)
        except ConstructionError as error:
            yield Row("construction", name, "error 0", str(error), True, CAN_REFUTE)
            return
        bound = certify(ticket, target).exact_bound
        scaled = [np.rint(w.astype(np.float64) * steps).astype(np.int64) for w in target.weights]
        exponent = -3 * (steps.bit_length() - 1)
        same = agrees(ticket, [m.astype(object) for m in scaled], exponent, target)
        yield Row(
            "construction",
            name,
            "error 0 on the whole domain",
            f"certified {bound}; equal at 64 integer points: {'yes' if same else 'NO'}; "
            f"{ticket.mask.kept} weights kept",
            bound != 0 or not same,
            SHOWS_CASE,
        )

    def _seeds_of_three(self, trials: int) -> Row:
        target, failed = three(Ball(1.0), 8), 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, 1.0, 0.5, seed=seed), target, 1.0)
            except ConstructionError:
                failed += 1
        return failures("delta 0.5: one network a seed, constructed", 0.5, failed, trials)

    def _too_few(self, steps: int, effort: Effort) -> Row:
        """With 2^n < M + 1 the copies of one neuron cannot make M + 1 weights."""
        n, trials = steps.bit_length() - 1, effort.trials(40, 200)
        failed = sum(
            least_prefix(sample, steps // 2) is None
            for sample in draw("grid", steps, trials, n, seed=6).tolist()
        )
        name = f"false on purpose: {n} copies, M = {steps}, all weights at once, all masks"
        return failures(name, 0.01, failed, trials)


def copies_network(plans: tuple[GridPlan, ...], sizes: list[int], first: int, seed: int) -> Network:
    """Signs (or units up to `first`) in the first layer, every layer's grid in the others."""
    inner = [n * plan.inputs for n, plan in zip(sizes, plans, strict=True)]
    laws = [Grid(1.0, first), *(Grid(plan.step, plan.largest) for plan in plans)]
    return Network.mlp((plans[0].inputs, *inner, plans[-1].outputs), laws=laws, seed=seed)


def three(domain: Box | Ball, steps: int) -> Target:
    """A 2-2-3-1 target on the grid 1/steps, both signs, ends and 0."""
    low = 1 / steps
    layers = ([[1, -low], [-0.5, 1]], [[low, -1], [0, 0.5], [1, -0.25]], [[-1, 0.5, low]])
    return Target([(np.array(w, np.float32), None) for w in layers], domain)
