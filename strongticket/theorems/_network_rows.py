"""How a theorem on networks of depth 2L is checked: built, certified, counted over seeds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from strongticket.construct import two_layer
from strongticket.errors import ConstructionError
from strongticket.targets import Ball, Box
from strongticket.theorems._evidence import (
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._restated_network import (
    least_pools,
    least_reach,
    propagated,
    sign_groups,
)
from strongticket.theorems._sampling import nearest
from strongticket.verify import Certificate, certify

if TYPE_CHECKING:
    from strongticket.theorems._network import TwoLayerTheorem


def rows(theorem: TwoLayerTheorem, effort: Effort) -> Iterator[Row]:
    """Algebra, construction at extremal targets, probability over seeds, scaling of a block."""
    yield from (inequality.row(effort) for inequality in theorem.inequalities)
    yield from theorem.block.restated_rows()
    union = least_pools(theorem)
    yield algebra("the pool is the least with union * A rho^N <= delta / L", union, RECOMPUTES)
    yield algebra("both signs are served where needed", sign_groups(theorem), RECOMPUTES)
    yield algebra("the scales are the least that reach", least_reach(theorem), RECOMPUTES)
    for make in theorem.extremal["targets"][: effort.pick(2, 99)]:
        yield from _construction(theorem, make, effort)
    yield _seeds(theorem, effort)
    yield theorem.block.scaling(effort)


def _construction(theorem: TwoLayerTheorem, make: Any, effort: Effort) -> Iterator[Row]:
    epsilon, delta = 0.05, 0.01
    name, target = make(theorem)
    plans = theorem.plan(target, epsilon)
    sound = propagated(target, plans)
    yield algebra(
        f"{name}: the accuracies propagate to at most epsilon",
        (sound <= Fraction(epsilon), f"{float(sound):.6g} of {epsilon:g}, in rationals"),
        SHOWS_CASE,
    )
    network = theorem.network(target, epsilon, delta, seed=11)
    pools = [theorem.pool(plan, target.depth, delta) for plan in plans]
    claimed = f"sup error at most {epsilon:g} at pools {pools}"
    try:
        ticket = theorem.construct(network, target, epsilon, delta=delta, objective=nearest)
    except ConstructionError as error:
        yield Row("construction", name, claimed, str(error), True, CAN_REFUTE_SEARCH)
        return
    certificate = certify(ticket, target, epsilon)
    worst = _worst_ratio(certificate, plans)
    corner = _corner_error(certificate, effort.pick(64, 512))
    yield Row(
        "construction",
        name,
        claimed,
        f"certified {certificate.bound:.3g}, corners {float(corner):.3g}, "
        f"worst weight at {float(worst):.3g} of its accuracy",
        worst > 1 or not certificate.holds or corner > certificate.exact_bound,
        SHOWS_CASE,
    )


def _seeds(theorem: TwoLayerTheorem, effort: Effort) -> Row:
    """At the largest delta, where the claim is nearest to failing: every seed a network."""
    epsilon, delta, trials = 0.05, 0.5, effort.trials(24, 100)  # 20 failures would refute
    name, target = theorem.extremal["targets"][0](theorem)
    failed = 0
    for seed in range(trials):
        network = theorem.network(target, epsilon, delta, seed=seed)
        try:
            theorem.construct(network, target, epsilon, delta=delta, objective=nearest)
        except ConstructionError:
            failed += 1
    row = f"{name}: delta {delta:g}, one network a seed, constructed"
    return failures(row, delta, failed, trials, CAN_REFUTE_SEARCH)


def false_rows(theorem: TwoLayerTheorem, effort: Effort) -> Iterator[Row]:
    """Pools too small to tell the targets apart: the construction must fail."""
    epsilon, delta, trials = 0.05, 0.01, effort.trials(8, 30)
    name, target = theorem.extremal["targets"][0](theorem)
    plans = theorem.plan(target, epsilon)
    pools = [max(1, int(Fraction(p.window) / 2 / Fraction(p.eta)).bit_length() - 2) for p in plans]
    failed = 0
    for seed in range(trials):
        try:
            network, aims = theorem.mlp(plans, pools, seed), [p.accuracy for p in plans]
            two_layer(network, target, aims, objective=nearest)
        except ConstructionError:
            failed += 1
    yield failures(
        f"false on purpose, {name}: pools {pools}, below the counting bound",
        delta,
        failed,
        trials,
    )
    yield from theorem.block.rows(effort, false_width=True)


def _worst_ratio(certificate: Certificate, plans: tuple[LayerPlan, ...]) -> Fraction:
    """The largest weight or bias error, in units of its accuracy; exact."""
    worst = Fraction(0)
    target = certificate.target
    for i, (plan, layer) in enumerate(zip(plans, certificate.layers, strict=True)):
        unit = Fraction(2) ** layer.exponent
        signs = (layer.plus,) if plan.groups == 1 else (layer.plus, layer.minus)
        for effective in signs:
            pairs = zip(effective.ravel().tolist(), target.weights[i].ravel().tolist(), strict=True)
            error = max(abs(Fraction(a) * unit - Fraction(w)) for a, w in pairs)
            worst = max(worst, error / Fraction(plan.eta))
        bias = target.biases[i]
        if bias is not None:
            pairs = zip(layer.bias.tolist(), bias.tolist(), strict=True)
            error = max(abs(Fraction(a) * unit - Fraction(w)) for a, w in pairs)
            worst = max(worst, error / Fraction(plan.eta_bias))
    return worst


def _corner_error(certificate: Certificate, most: int) -> Fraction:
    """The largest error of the effective network at corners of the box (or axis points), exact."""
    target, layers = certificate.target, certificate.layers
    domain, d = target.domain, target.widths[0]
    points: Iterator[tuple[float, ...]]
    if isinstance(domain, Box):
        points = itertools.islice(itertools.product((domain.high, domain.low), repeat=d), most)
    else:
        axes = np.concatenate([np.eye(d), -np.eye(d)]) * domain.radius
        points = iter([tuple(p) for p in axes.tolist()][:most])
    worst = Fraction(0)
    for point in points:
        exact = [Fraction(x) for x in point]
        mine = list(exact)
        for i, layer in enumerate(layers):
            unit = Fraction(2) ** layer.exponent
            weights = np.where(
                np.array([x >= 0 for x in mine]), layer.plus.astype(object), layer.minus
            )
            mine = [
                unit * (sum(int(a) * x for a, x in zip(row, mine, strict=True)) + int(b))
                for row, b in zip(weights, layer.bias, strict=True)
            ]
            bias = target.biases[i]
            shift = [0.0] * len(mine) if bias is None else bias.tolist()
            exact = [
                sum((Fraction(w) * x for w, x in zip(row, exact, strict=True)), Fraction(b))
                for row, b in zip(target.weights[i].tolist(), shift, strict=True)
            ]
            if i < len(layers) - 1:
                mine, exact = (
                    [max(x, Fraction(0)) for x in mine],
                    [max(x, Fraction(0)) for x in exact],
                )
        gaps = [abs(a - b) for a, b in zip(mine, exact, strict=True)]
        if isinstance(domain, Ball):
            root = float(sum(g * g for g in gaps)) ** 0.5 * (1 - 2.0**-40)  # a lower bound
            worst = max(worst, Fraction(root))
        else:
            worst = max(worst, *gaps)
    return worst
