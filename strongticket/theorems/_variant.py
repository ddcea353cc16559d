"""Theorems on depth 2L that differ from the plain one in what they prune, and so in their pools."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from strongticket.errors import ConstructionError, WidthError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.theorems import _network_rows
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import RECOMPUTES, Effort, Row, algebra, failures
from strongticket.theorems._network import TwoLayerTheorem, _scales
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._restated_network import least_reach, sign_groups
from strongticket.theorems._sampling import nearest
from strongticket.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class VariantTheorem(TwoLayerTheorem):
    """A depth-2L theorem with its own pools and its own way to prune.

    `pool`, `prune` and `least_pools` make the difference; networks, tickets, sizes and rows are
    shared. `options` are what the variant understands (a source, a size), the same for all three.
    """

    @abstractmethod
    def pool(self, plan: LayerPlan, depth: int, delta: float | Fraction, **options: Any) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""

    @abstractmethod
    def prune(
        self,
        network: Network,
        target: Target,
        plans: tuple[LayerPlan, ...],
        delta: float | Fraction,
        **options: Any,
    ) -> Ticket:
        """The ticket, every weight within its accuracy."""

    @abstractmethod
    def least_pools(self) -> Finding:
        """The pools beside the statement, its constants written out a second time."""

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; options as `pool`, and `scales` as `plan`."""
        self.require(epsilon=epsilon, delta=delta)
        plans = self.plan(target, epsilon, scales=options.pop("scales", None))
        pools = [self.pool(plan, target.depth, delta, **options) for plan in plans]
        return self.mlp(plans, pools, seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """Prune the network down to the target, every weight within the theorem's accuracy.

        With option `delta` a network narrower than the bound at this failure probability is an
        error; without it only one narrower than for any delta < 1. Raises WidthError, ReachError,
        InputError, and ConstructionError where a weight misses.
        """
        delta = options.pop("delta", None)
        if delta is not None:
            self.require(delta=delta)
        least = Fraction(1) if delta is None else delta
        objective = options.pop("objective", None)
        plans = self.plan(target, epsilon, scales=_scales(network, target))
        widths = network.architecture.widths  # type: ignore[union-attr]
        for i, plan in enumerate(plans):
            asked = plan.hidden(self.pool(plan, target.depth, least, **options))
            if widths[2 * i + 1] < asked:
                raise WidthError(
                    f"for epsilon {epsilon:g} and delta {'< 1' if delta is None else delta} the "
                    f"theorem asks for {asked} hidden neurons in random layer {2 * i}; this "
                    f"network has {widths[2 * i + 1]}. Draw it by theorem.network, or use the "
                    "construction in strongticket.construct and let the certificate judge"
                )
        if objective is not None:
            options["objective"] = objective
        return self.prune(network, target, plans, least, **options)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, construction at extremal targets, probability over seeds, scaling of a block."""
        if false_width:
            yield self._too_small(effort)
            yield from self.block.rows(effort, false_width=True)
            return
        yield from (inequality.row(effort) for inequality in self.inequalities)
        yield from self.block.restated_rows()
        yield algebra(
            "the pool suffices, and little less would not", self.least_pools(), RECOMPUTES
        )
        yield algebra("both signs are served where needed", sign_groups(self), RECOMPUTES)
        yield algebra("the scales are the least that reach", least_reach(self), RECOMPUTES)
        for make in self.extremal["targets"][: effort.pick(1, 99)]:
            yield from _network_rows._construction(self, make, effort)
        yield _network_rows._seeds(self, effort)
        yield from self.own_rows(effort)

    def own_rows(self, effort: Effort) -> Iterator[Row]:
        """What only this theorem shows."""
        yield self.block.scaling(effort)

    def _too_small(self, effort: Effort) -> Row:
        """Pools too small to tell the targets apart: the construction must fail."""
        epsilon, delta, trials = 0.05, 0.01, effort.trials(8, 30)
        name, target = self.extremal["targets"][0](self)
        plans = self.plan(target, epsilon)
        bits = [int(Fraction(p.window) / 2 / Fraction(p.eta)).bit_length() - 2 for p in plans]
        pools = [max(1, b) for b in bits]
        failed = 0
        for seed in range(trials):
            try:
                network = self.mlp(plans, pools, seed)
                self.prune_short(network, target, plans)
            except ConstructionError:
                failed += 1
        row = f"false on purpose, {name}: pools {pools}, below the counting bound"
        return failures(row, delta, failed, trials)

    def prune_short(self, network: Network, target: Target, plans: tuple[LayerPlan, ...]) -> Ticket:
        """`prune` on a network too narrow for the statement."""
        return self.prune(network, target, plans, Fraction(1), objective=nearest)
