"""Two random neurons for one weight: by the best product, and in the form of Malach et al. 2020."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.bounds import rational
from strongticket.construct import LayerAccuracy
from strongticket.construct._two_neurons import BOTH_NEAR, PRODUCT, two_neurons
from strongticket.errors import ConstructionError, InputError, ReachError, WidthError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._evidence import (
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._one_neuron import _growth
from strongticket.theorems._plan import LayerPlan, Norms
from strongticket.theorems._proved import proved_bound
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._restated_network import propagated
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Ticket

STEP = Fraction(1, 1 << 24)


@dataclass(frozen=True, kw_only=True)
class TwoNeurons(Theorem):
    """What the two forms share: how they are built, certified and refuted."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The pool, tickets certified, failures over seeds, growth of the least pool."""
        if false_width:
            yield self._single(effort.trials(40, 100))
            return
        yield algebra("the pool is the least that the proof allows", self._least(), RECOMPUTES)
        yield from self._algebra()
        for name, target in self.extremal["targets"][: effort.pick(2, 9)]:
            yield from self._built(name, target, self.extremal["epsilon"][0])
        yield self._seeds(effort.trials(24, 100))
        yield self._scaling(effort)

    def _least(self) -> tuple[bool, str]:
        raise NotImplementedError

    def _algebra(self) -> Iterator[Row]:
        raise NotImplementedError

    def _scaling(self, effort: Effort) -> Row:
        raise NotImplementedError

    def _narrow(self, target: Target, epsilon: float, seed: int) -> Ticket:
        """A ticket, best effort, from pools of one neuron."""
        raise NotImplementedError

    def _most(self, target: Target) -> int:
        """How many weights a ticket may keep: two a weight and sign."""
        signs = [1 if i or target.domain.nonnegative else 2 for i in range(target.depth)]
        kept = [int(np.count_nonzero(w)) for w in target.weights]
        shifts = [0 if b is None else int(np.count_nonzero(b)) for b in target.biases]
        return sum(2 * (g * w + b) for g, w, b in zip(signs, kept, shifts, strict=True))

    def _built(self, name: str, target: Target, epsilon: float) -> Iterator[Row]:
        network = self.network(target, epsilon, 0.01, seed=11)
        widths = "-".join(map(str, network.architecture.widths))  # type: ignore[union-attr]
        most = self._most(target)
        claimed = f"sup error at most {epsilon:g}, at most {most} weights kept, of {widths}"
        try:
            ticket = self.construct(network, target, epsilon)
        except ConstructionError as error:
            yield Row("construction", name, claimed, str(error), True, CAN_REFUTE_SEARCH)
            return
        bound = proved_bound(ticket, target)
        read = [layer["candidates_read"] for layer in ticket.provenance["layers"]]
        yield Row(
            "construction",
            name,
            claimed,
            f"proved {float(bound):.3g}, {ticket.mask.kept} weights kept of "
            f"{ticket.mask.total:,} ({read} neurons of a pool read)",
            bound > rational(epsilon) or ticket.mask.kept > most,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        (name, target), epsilon = self.extremal["targets"][0], self.extremal["epsilon"][0]
        failed = 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, epsilon, 0.5, seed=seed), target, epsilon)
            except ConstructionError:
                failed += 1
        row = f"{name}: delta 0.5, one network a seed, constructed"
        return failures(row, 0.5, failed, trials, CAN_REFUTE_SEARCH)

    def _single(self, trials: int) -> Row:
        """A pool of one neuron serves one sign of the input only, whatever is kept."""
        target = Target([(np.array([[0.5]], np.float32), None)], Ball(1.0))
        failed = sum(
            proved_bound(self._narrow(target, 0.25, seed), target) > Fraction(1, 4)
            for seed in range(trials)
        )
        name = "false on purpose: pools of one neuron, target x -> x/2"
        return failures(name, 0.01, failed, trials)


@dataclass(frozen=True, kw_only=True)
class BestProduct(TwoNeurons):
    """Any target, pools shared by all outputs, the neuron with the best product."""

    def plan(self, target: Target, epsilon: float) -> tuple[LayerPlan, ...]:
        """Accuracies and scales for a target, every hypothesis tested."""
        self.require(epsilon=epsilon)
        norms, error = Norms.of(target), rational(epsilon)
        plans, coarseness = [], Fraction(0)
        for i, accuracy in enumerate(_plan.accuracies(target, error, norms)):
            most = _plan.largest(target, i)
            largest = max(Fraction(value) for value, _ in most)
            eta = min(accuracy or largest, largest) or Fraction(1, 4)
            plan = product_plan(
                target.widths[i : i + 2],
                target.biases[i] is not None,
                1 if i or target.domain.nonnegative else 2,
                eta,
                most,
            )
            # the grid takes 2^-24 of eta ln 2 / (4 W), and must leave something
            coarseness = max(coarseness, Fraction(plan.window) / eta * Fraction(6, 1 << 24))
            plans.append(plan)
        finest = None
        if coarseness >= 1:
            finest = _plan.finest(error, norms, target.depth, coarseness)
        self.require(epsilon=epsilon, finest=finest, norms=norms)
        return tuple(plans)

    def pool(self, plan: LayerPlan, depth: int, delta: float | Fraction) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""
        return self.bound(
            L=depth,
            g=plan.groups,
            d_in=plan.inputs,
            d_out=plan.outputs,
            b=int(plan.biased),
            W_i=plan.window,
            eta_i=plan.finer[0],
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

    def mlp(self, plans: Sequence[LayerPlan], pools: list[int], seed: int) -> Network:
        """The random network with these pools, whether or not they are wide enough."""
        widths = [plans[0].inputs]
        biases: list[bool] = []
        laws: list[Uniform] = []
        for plan, pool in zip(plans, pools, strict=True):
            widths += [plan.hidden(pool), plan.outputs]
            biases += [plan.biased, False]
            laws += [Uniform(plan.scales[0]), Uniform(plan.scales[1])]
        return Network.mlp(widths, biases=biases, laws=laws, seed=seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """For every weight and sign a neuron whose product is within the accuracy.

        Option `strict` as in `construct.two_neurons`. Raises WidthError, ConstructionError.
        """
        accuracy = [plan.accuracy for plan in self.plan(target, epsilon)]
        return two_neurons(network, target, accuracy, rule=PRODUCT, **options)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For layers of norm one on the unit ball, two sign groups in the first."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for i, eta in enumerate(_plan.unit_accuracies(shape, epsilon)):
            sizes = shape.widths[i : i + 2]
            most = ((1.0, "the largest weight"), (0.0, ""))
            plan = product_plan(sizes, False, 1 if i else 2, min(eta, Fraction(1)), most)
            widths += [plan.hidden(self.pool(plan, shape.depth, delta)), sizes[1]]
        return Asked(tuple(widths), "ours", "for one target, fixed before the draw")

    def example(self) -> Ticket | None:
        """A 2-2-1 target, pools of ten neurons an input: best effort, for a drawing."""
        target = self.extremal["targets"][0][1]
        plans = self.plan(target, 0.5)
        return two_neurons(
            self.mlp(plans, [10, 10], seed=2),
            target,
            [plan.accuracy for plan in plans],
            strict=False,
        )

    def _narrow(self, target: Target, epsilon: float, seed: int) -> Ticket:
        plans = self.plan(target, epsilon)
        accuracy = [plan.accuracy for plan in plans]
        network = self.mlp(plans, [1] * target.depth, seed)
        return two_neurons(network, target, accuracy, strict=False)

    def _algebra(self) -> Iterator[Row]:
        epsilon = self.extremal["epsilon"][0]
        for name, target in self.extremal["targets"]:
            sound = propagated(target, self.plan(target, epsilon))
            yield algebra(
                f"{name}: the accuracies propagate to at most epsilon",
                (sound <= rational(epsilon), f"{float(sound):.6g} of {epsilon:g}, in rationals"),
                SHOWS_CASE,
            )
        yield algebra(
            "products near z on a coarser grid, every pair counted", counted(), SHOWS_CASES
        )

    def _least(self) -> tuple[bool, str]:
        """N is the least with L (g d_in + b) d_out exp(-N p) <= delta, p = eta ln2/(4W) - 2^-24."""
        log, cases = intervals().log, 0
        for ratio, (g, depth, d_in, d_out, b, delta) in itertools.product(
            (Fraction(1), Fraction(1, 10), Fraction(1, 100_000)),
            ((1, 1, 1, 1, 0, 0.5), (2, 3, 7, 5, 1, 1e-9)),
        ):
            for window in (1, Fraction(1, 8), 64):
                n = self.bound(
                    L=depth,
                    g=g,
                    d_in=d_in,
                    d_out=d_out,
                    b=b,
                    W_i=window,
                    eta_i=ratio * window,
                    delta=delta,
                )
                p = interval(ratio) * log(interval(2)) / 4 - interval(STEP)
                events = Fraction(depth * (g * d_in + b) * d_out) / rational(delta)
                need = log(interval(events))
                if not ((n * p - need).a >= 0 > ((n - 1) * p - need).b):
                    return False, f"N = {n} is not the least at eta/W = {ratio}"
                cases += 1
        return True, f"the least in {cases} cases"

    def _scaling(self, effort: Effort) -> Row:
        powers = range(2, effort.pick(5, 7))
        return _growth("best product", effort.trials(40, 200), powers, 1.0, product=True)


@dataclass(frozen=True, kw_only=True)
class PaperCount(TwoNeurons):
    """The paper's own form: norm-one layers, s live inputs a neuron, a pool for every weight."""

    def plan(self, target: Target, epsilon: float) -> tuple[int, int, Fraction]:
        """(n, s, e): neurons a layer, live inputs of a neuron, accuracy of each random weight."""
        norms = [math.inf]
        if isinstance(target.domain, Ball):
            norms = [float(x) for x in Norms.of(target).weights]
        live = [max(1, int((w != 0).sum(1).max())) for w in target.weights]
        entries = max(float(np.abs(w).max()) for w in target.weights)
        biased = any(b is not None for b in target.biases)
        self.require(
            epsilon=epsilon, domain=target.domain, norms=norms, entries=entries, biased=biased
        )
        n, s = max(target.widths[1:]), max(live)
        # rounded down: sqrt n rounded up
        root = Fraction(math.isqrt((n << 80) - 1) + 1, 1 << 40)
        return n, s, rational(epsilon) / (4 * s * root * target.depth)

    def pool(self, n: int, s: int, depth: int, epsilon: float, delta: float | Fraction) -> int:
        """K: the neurons that every weight has for itself."""
        return self.bound(n=n, s=s, L=depth, epsilon=rational(epsilon), delta=delta)

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement: n s K neurons in every second layer."""
        if options:
            raise InputError(f"this network takes no options, got {sorted(options)}")
        self.require(epsilon=epsilon, delta=delta)
        n, s, _ = self.plan(target, epsilon)
        return self.mlp(target, n * s * self.pool(n, s, target.depth, epsilon, delta), seed)

    def mlp(self, target: Target, hidden: int, seed: int) -> Network:
        """The random network with so many neurons in every second layer."""
        widths = [target.widths[0]]
        for width in target.widths[1:]:
            widths += [hidden, width]
        return Network.mlp(widths, laws=Uniform(1.0), seed=seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """For every weight and sign a neuron of its own pool with both weights near.

        Option `strict` as in `construct.two_neurons`. Raises WidthError, ConstructionError.
        """
        n, s, e = self.plan(target, epsilon)
        hidden = getattr(network.architecture, "widths", (0, 0))[1]
        if not isinstance(network.architecture, MLP) or hidden < n * s:
            raise WidthError(f"the theorem needs n s K = {n * s} K hidden neurons, got {hidden}")
        accuracy = [LayerAccuracy(_plan.down(e))] * target.depth
        pools = [hidden // (n * s)] * target.depth
        return two_neurons(network, target, accuracy, rule=BOTH_NEAR, pools=pools, **options)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """Layers of norm one on the unit ball, all inputs live."""
        self.require(epsilon=epsilon, delta=delta)
        n, s = max(shape.widths[1:]), max(shape.widths[:-1])
        hidden = n * s * self.pool(n, s, shape.depth, epsilon, delta)
        widths = [shape.widths[0]]
        for width in shape.widths[1:]:
            widths += [hidden, width]
        return Asked(tuple(widths), "ours", "for one target, fixed before the draw")

    def example(self) -> Ticket | None:
        """A 2-2-1 target, pools of six neurons a weight: best effort, for a drawing."""
        target = self.extremal["targets"][0][1]
        network = self.mlp(target, 24, seed=1)
        accuracy, pools = [LayerAccuracy(0.1)] * 2, [6, 6]
        return two_neurons(network, target, accuracy, rule=BOTH_NEAR, pools=pools, strict=False)

    def _narrow(self, target: Target, epsilon: float, seed: int) -> Ticket:
        network = self.mlp(target, 1, seed)
        accuracy = [LayerAccuracy(epsilon)]
        return two_neurons(network, target, accuracy, rule=BOTH_NEAR, pools=[1], strict=False)

    def _algebra(self) -> Iterator[Row]:
        worst = max(
            ((1 + Fraction(k, 64) / (2 * depth)) ** depth - 1) / Fraction(k, 64)
            for depth in (1, 2, 3, 10, 50)
            for k in range(1, 65)
        )
        yield algebra(
            "(1 + epsilon/(2L))^L - 1 <= epsilon for epsilon <= 1",
            (worst <= 1, f"at most {float(worst):.3g} epsilon in 320 cases, in rationals"),
            SHOWS_CASES,
        )

    def _least(self) -> tuple[bool, str]:
        """K is the least with 2 n s L exp(-K (e/2 - 2^-24)^2) <= delta, e = eps/(4 s sqrt n L)."""
        log, sqrt, cases = intervals().log, intervals().sqrt, 0
        for (n, s, depth), eps, delta in itertools.product(
            ((1, 1, 1), (10, 10, 2), (3, 7, 4)), (Fraction(1), Fraction(1, 10)), (0.5, 0.01)
        ):
            k = self.pool(n, s, depth, float(eps), delta)
            exact = interval(rational(float(eps)))
            rate = (exact / (8 * s * depth * sqrt(interval(n))) - interval(STEP)) ** 2
            need = log(interval(Fraction(2 * n * s * depth) / rational(delta)))
            if not ((k * rate - need).a >= 0 > ((k - 1) * rate - need).b):
                return False, f"K = {k} is not the least at n = {n}, s = {s}, L = {depth}"
            cases += 1
        return True, f"the least in {cases} cases"

    def _scaling(self, effort: Effort) -> Row:
        powers = range(2, effort.pick(5, 6))
        return _growth("both weights near", effort.trials(40, 200), powers, 2.0, product=False)


def product_plan(
    sizes: Sequence[int],
    biased: bool,
    groups: int,
    eta: Fraction,
    most: tuple[tuple[float, str], tuple[float, str]],
) -> LayerPlan:
    """The least scales with W = s_a s_b / 4 >= the largest value + eta."""
    need = max(Fraction(value) for value, _ in most) + eta
    scales = _plan.least_scales(need, Fraction(1, 4))
    window = Fraction(scales[0]) * Fraction(scales[1]) / 4
    if window < need:
        raise ReachError(f"the scales {scales} reach {float(window):g}, not {float(need):g}")
    return LayerPlan(
        inputs=sizes[0],
        outputs=sizes[1],
        biased=biased,
        groups=groups,
        eta=_plan.down(eta),
        eta_bias=_plan.down(eta),
        largest=most,
        scales=scales,
        window=float(window),
    )


def counted() -> tuple[bool, str]:
    """Odd multiples of h = 2^-9 in (-2, 2): all pairs with |b relu(a) - z| <= eta, counted.

    The proof's bound with 2^-24 replaced by this grid's 1/1024: eta ln 2 / 4 - 1/1024.
    """
    steps = 1 << 10
    units = 2 * np.arange(steps) + 1 - steps  # times 2^-9
    products = np.sort(np.multiply.outer(units[units > 0], units).ravel())
    nearest = math.inf
    for eta, z in itertools.product((0.5, 0.1, 0.02), (1.0, 0.7, 0.1, 0.0, -0.3, -1.0)):
        if abs(z) > 1 - eta and abs(z) < 1:
            continue
        goal = math.copysign(1 - eta, z) if abs(z) == 1 else z  # the edge of the reach
        low, high = math.ceil((goal - eta) * 2**18), math.floor((goal + eta) * 2**18)
        inside = np.searchsorted(products, high, "right") - np.searchsorted(products, low, "left")
        bound = eta * math.log(2) / 4 - 1 / steps
        nearest = min(nearest, inside / steps**2 - bound)
    return nearest >= 0, f"at least {nearest:.2g} above the bound"


def toys() -> tuple[tuple[str, Target], ...]:
    """2-2-1 targets with weights of both signs and a 0: on a box, and on a ball with biases."""
    first = np.array([[0.25, -0.5], [0.0, 0.375]], np.float32)
    second = np.array([[-0.5, 0.25]], np.float32)
    shifts = (np.array([0.25, -0.125], np.float32), np.array([0.0625], np.float32))
    plain = [(first, None), (second, None)]
    return (
        ("2-2-1, unit ball", Target(plain, Ball(1.0))),
        ("2-2-1, box [-1, 1]", Target(plain, Box(-1.0, 1.0))),
        (
            "2-2-1, box [0, 1], biases",
            Target(list(zip((first, second), shifts, strict=True)), Box(0.0, 1.0)),
        ),
    )
