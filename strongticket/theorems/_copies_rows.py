"""How the depth-(L + 1) theorem is checked: built, read exactly, counted over seeds."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from strongticket import subsetsum
from strongticket.bounds import rational
from strongticket.construct import LayerAccuracy, copies, source_widths
from strongticket.errors import ConstructionError
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Box, Target
from strongticket.theorems import _copies_exact, _copies_restated
from strongticket.theorems._algebra import Finding
from strongticket.theorems._copies_plan import Layers
from strongticket.theorems._evidence import (
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._plan import Norms
from strongticket.theorems._sampling import nearest
from strongticket.theorems.random_subset_sum import R1PLUS
from strongticket.tickets import Ticket

if TYPE_CHECKING:
    from strongticket.theorems._copies_network import CopiesTheorem

# the solvers without compiled code, which takes longer to compile than a check runs
LIGHT = functools.partial(subsetsum.lightest, backend="numpy")
SOLVERS: dict[str, Any] = {"objective": nearest, "first": nearest}


def rows(theorem: CopiesTheorem, effort: Effort) -> Iterator[Row]:
    """Algebra, construction at extremal targets, probability over seeds, scaling of a block."""
    yield from (inequality.row(effort) for inequality in theorem.inequalities)
    least = _copies_restated.least_counts(theorem)
    yield algebra("pool and copies are the least that the union bound allows", least, RECOMPUTES)
    masses = _copies_restated.masses(theorem)
    yield algebra("the masses of all rows, by Hoeffding's inequality", masses, RECOMPUTES)
    sound = _copies_restated.propagated(theorem)
    yield algebra("accuracies and masses propagate to at most epsilon", sound, RECOMPUTES)
    reach = _copies_restated.least_reach(theorem)
    yield algebra("the scales are the least that reach", reach, RECOMPUTES)
    for make in theorem.extremal["targets"][: effort.pick(2, 99)]:
        yield _construction(theorem, make, effort)
    yield _lighter(theorem)
    yield _seeds(theorem, effort)
    yield R1PLUS.scaling(effort)


def step() -> Finding:
    """The induction step of the error of copies, for two neurons with two copies each."""
    u = sympy.symbols("u0:4")
    mine = sympy.symbols("y0:4")
    w, x = sympy.symbols("w0:2"), sympy.symbols("x0:2")
    whole = sum(a * b for a, b in zip(u, mine, strict=True)) - sum(
        a * b for a, b in zip(w, x, strict=True)
    )
    parts = sum((u[2 * i] + u[2 * i + 1] - w[i]) * x[i] for i in (0, 1))
    parts += sum(u[k] * (mine[k] - x[k // 2]) for k in range(4))
    return sympy.expand(whole - parts) == 0, "weight errors times x, plus kept weights times D"


def _construction(
    theorem: CopiesTheorem, make: Callable[[CopiesTheorem], tuple[str, Target]], effort: Effort
) -> Row:
    epsilon, delta = EPSILON, 0.01
    name, target = make(theorem)
    network = theorem.network(target, epsilon, delta, seed=11)
    plans = theorem.plan(target, epsilon, delta)
    counts = [plan.count for plan in plans]
    claimed = f"sup error at most {epsilon:g}, pool {counts[0]}, copies {counts[1:]}"
    try:
        ticket = theorem.construct(network, target, epsilon, delta=delta, **SOLVERS)
    except ConstructionError as error:
        return Row("construction", name, claimed, str(error), True, CAN_REFUTE_SEARCH)
    bounds, worst, excess = _held(ticket, target, effort.pick(8, 64))
    layers = _copies_exact.read(ticket, target)
    light = all(layer.mass <= plan.mass for layer, plan in zip(layers[1:], plans[1:], strict=True))
    allowed = Layers.of(target, rational(epsilon), Norms.of(target)).error
    return Row(
        "construction",
        name,
        claimed,
        f"proved {float(bounds[-1]):.3g} from exact weights and masses "
        f"{[round(float(layer.mass), 1) for layer in layers[1:]]}, corners {float(worst):.3g}",
        bounds[-1] > allowed or excess or not light,
        SHOWS_CASE,
    )


def _held(ticket: Ticket, target: Target, corners: int) -> tuple[list[Fraction], Fraction, bool]:
    """(the recursion's bounds, largest output error at corners, whether a corner exceeds one)."""
    layers = _copies_exact.read(ticket, target)
    sums = Layers.of(target, Fraction(1), Norms.of(target)).sums
    bounds = _copies_exact.recursion(target, layers, sums)
    worst, excess = Fraction(0), False
    for x in _corners(target, corners):
        found = _copies_exact.deviations(ticket, target, x)
        worst = max(worst, found[-1])
        excess = excess or any(a > b for a, b in zip(found, bounds, strict=True))
    return bounds, worst, excess


def _corners(target: Target, most: int) -> Iterator[list[Fraction]]:
    domain, d = target.domain, target.widths[0]
    if isinstance(domain, Box):
        ends = (Fraction(domain.high), Fraction(domain.low))
        yield from map(list, itertools.islice(itertools.product(ends, repeat=d), most))
        return
    for i, sign in itertools.islice(itertools.product(range(d), (1, -1)), most):
        yield [sign * Fraction(domain.radius) if k == i else Fraction(0) for k in range(d)]


def _lighter(theorem: CopiesTheorem) -> Row:
    """At equal accuracies the lightest subsets give no larger bound than the nearest ones."""
    name, target = theorem.extremal["targets"][1](theorem)
    network = theorem.network(target, EPSILON, 0.01, seed=12)
    accuracy = [LayerAccuracy(2.0**-9)] * target.depth
    masses = []
    for objective in (LIGHT, nearest):
        ticket = copies(
            network, target, accuracy, objective=objective, first=nearest, window=14, strict=False
        )
        masses.append([layer.mass for layer in _copies_exact.read(ticket, target)[1:]])
    light, near = masses
    return Row(
        "construction",
        f"{name}: the lightest subsets beside the nearest, accuracy 2^-9",
        "no heavier, row by row",
        f"masses {[f'{float(m):.2f}' for m in light]} and {[f'{float(m):.2f}' for m in near]}",
        any(a > b for a, b in zip(light, near, strict=True)),
        SHOWS_CASE,
    )


def _seeds(theorem: CopiesTheorem, effort: Effort) -> Row:
    """At the largest delta, where the claim is nearest to failing: every seed a network."""
    delta, trials = 0.5, effort.trials(24, 80)
    name, target = theorem.extremal["targets"][0](theorem)
    failed = 0
    for seed in range(trials):
        network = theorem.network(target, EPSILON, delta, seed=seed)
        try:
            theorem.construct(network, target, EPSILON, delta=delta, **SOLVERS)
        except ConstructionError:
            failed += 1
    row = f"{name}: delta {delta:g}, one network a seed, constructed"
    return failures(row, delta, failed, trials, CAN_REFUTE_SEARCH)


def false_rows(theorem: CopiesTheorem, effort: Effort) -> Iterator[Row]:
    """Pools and copies too few to tell the targets apart: the construction must fail."""
    delta, trials = 0.01, effort.trials(8, 30)
    name, target = theorem.extremal["targets"][0](theorem)
    plans = theorem.plan(target, EPSILON, delta)
    few = [max(1, int(Fraction(p.window) / 2 / Fraction(p.eta)).bit_length() - 2) for p in plans]
    widths = source_widths(target, few[0], few[1:])
    laws = [Uniform(x) for plan in plans for x in plan.scales]
    flags = [plans[0].biased] + [False] * target.depth
    failed = 0
    for seed in range(trials):
        network = Network.mlp(widths, laws=laws, seed=seed, biases=flags)
        try:
            copies(network, target, [p.accuracy for p in plans], **SOLVERS)
        except ConstructionError:
            failed += 1
    yield failures(
        f"false on purpose, {name}: pool {few[0]}, copies {few[1:]}, below the counting bound",
        delta,
        failed,
        trials,
    )
    yield from R1PLUS.rows(effort, false_width=True)


EPSILON = 0.25


def example() -> Ticket:
    """A 2-2-1 target with biases, 4 copies a neuron: 45 hidden neurons."""
    target = Target(
        [
            (
                np.array([[0.5, -0.25], [0.375, 0.75]], np.float32),
                np.array([0.25, -0.125], np.float32),
            ),
            (np.array([[0.625, -0.5]], np.float32), np.array([0.25], np.float32)),
        ],
        Box(0.0, 1.0),
    )
    network = Network.mlp(
        source_widths(target, 11, [4]), laws=Uniform(1.0), seed=3, biases=[True, False, False]
    )
    accuracy = [LayerAccuracy(0.1), LayerAccuracy(0.1)]
    return copies(network, target, accuracy, objective=LIGHT, first=nearest, strict=False)
