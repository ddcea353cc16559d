"""What the depth-2L theorems ask of a network, written out a second time (see `_restated`)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from strongticket.errors import ReachError
from strongticket.targets import Ball, Box, Target
from strongticket.theorems._algebra import Finding
from strongticket.theorems._plan import LayerPlan, Norms
from strongticket.theorems._restated import Restated, interval, is_least

if TYPE_CHECKING:
    from strongticket.theorems._network import TwoLayerTheorem


@dataclass(frozen=True)
class RestatedNetwork:
    """The numbers of one depth-2L theorem.

    Attributes:
        block: What serves one weight.
        window: W for s_a s_b = 1.
        margin: The largest weight is at most (W - margin eta) / 2.
    """

    block: Restated
    window: Fraction
    margin: int


def least_pools(theorem: TwoLayerTheorem) -> Finding:
    """On a grid of layers, depths and delta: union * A * rho^N <= delta / L, and N is the least."""
    cases = 0
    for plan, depth, delta in _layers(theorem.restated):
        n = theorem.pool(plan, depth, delta)
        blocks, ratio = _union(theorem.restated, plan)
        if not is_least(n, depth * blocks, ratio, delta):
            return False, f"N = {n} is not the least for depth {depth}, delta {delta:g}, {plan}"
        if plan.hidden(n) != n * (plan.inputs + (1 if plan.biased else 0)):
            return False, f"a pool of {n} gives {plan.hidden(n)} hidden neurons"
        cases += 1
    return True, f"the least in {cases} cases"


def _union(claim: RestatedNetwork, plan: LayerPlan) -> tuple[Fraction, Any]:
    """(sum of the prefactors of all blocks of a layer, the worst ratio).

    The accuracy is finer by two steps of the products' grid, s_a s_b 2^-48 each: as much as
    rounding the target to that grid may cost.
    """
    scale = Fraction(plan.scales[0]) * Fraction(plan.scales[1])
    counts = [(plan.groups * plan.inputs * plan.outputs, plan.eta)]
    if plan.biased:
        counts.append((plan.outputs, plan.eta_bias))
    found = [
        (k, claim.block.failure(Fraction(eta) / scale - Fraction(2, 2**48))) for k, eta in counts
    ]
    ratios = sorted((ratio for _, (_, ratio) in found), key=lambda r: float(interval(r).mid))
    return sum((k * prefactor for k, (prefactor, _) in found), Fraction(0)), ratios[-1]


def _layers(claim: RestatedNetwork) -> Iterator[tuple[LayerPlan, int, float]]:
    coarse, fine = (float(claim.window / Fraction(claim.block.etas[i])) for i in (0, -1))
    sizes, scales = ((1, 1), (784, 500), (3, 70)), ((1.0, 1.0), (0.0625, 0.125), (64.0, 128.0))
    kinds = itertools.product((False, True), (1, 2), (coarse, 100.3, 1e5, fine), (1.0, 0.4))
    for k, (biased, groups, ratio, part) in enumerate(kinds):
        (inputs, outputs), (s_a, s_b) = sizes[k % 3], scales[k // 2 % 3]
        window = float(claim.window) * s_a * s_b
        eta, eta_bias = window / ratio, window / max(coarse, ratio * part)
        if k % 5 == 0:
            eta, eta_bias = eta_bias, eta
        plan = LayerPlan(
            inputs=inputs,
            outputs=outputs,
            biased=biased,
            groups=groups,
            eta=eta,
            eta_bias=eta_bias,
            largest=((0.0, ""), (0.0, "")),
            scales=(s_a, s_b),
            window=window,
        )
        yield plan, (1, 3, 40)[k % 3], (0.99, 0.01, 1e-300)[k // 3 % 3]


def least_reach(theorem: TwoLayerTheorem) -> Finding:
    """Scales reach the largest weight and bias, half of them would not; the edge is where it is."""
    claim = theorem.restated
    for size, bias in itertools.product((1e-30, 1e-3, 0.37, 0.5, 3.0, 1000.0), (None, 0.5, 2.0)):
        shift = None if bias is None else np.array([bias * size], np.float32)
        target = Target([(np.array([[size]], np.float32), shift)], Box(0, 1))
        try:
            (plan,) = theorem.plan(target, 0.01 * size)
        except ReachError as error:
            return False, str(error)
        window = claim.window * Fraction(plan.scales[0]) * Fraction(plan.scales[1])
        largest = Fraction(float(np.float32(size * max(1.0, bias or 0.0))))
        need = 2 * largest + claim.margin * Fraction(plan.eta)
        if not window / 2 < need <= window or plan.window != window:
            return False, f"weight {float(largest):g}: scales {plan.scales}"
    # scales 1 and 1, accuracy 0.01: the largest weight is (W - margin * 0.01) / 2
    edge = float(claim.window - claim.margin * Fraction(1, 100)) / 2
    for size, within in ((edge - 1e-6, True), (edge + 1e-6, False)):
        target = Target([(np.array([[size]], np.float32), None)], Box(0, 1))
        try:
            theorem.plan(target, 0.01, scales=((1.0, 1.0),))
            accepted = True
        except ReachError:
            accepted = False
        if accepted != within:
            return False, f"scales 1 and 1 {'reach' if accepted else 'do not reach'} {size:.6g}"
    return True, "18 targets and both sides of the edge"


def sign_groups(theorem: TwoLayerTheorem) -> Finding:
    """Both signs are served exactly where an input may be negative: before the first ReLU."""
    layers = [(np.full((2, 2), 0.5, np.float32), None)] * 2
    for domain, first in ((Box(0, 1), 1), (Box(-1, 1), 2), (Box(-2, -1), 2), (Ball(1.0), 2)):
        found = [plan.groups for plan in theorem.plan(Target(layers, domain), 0.05)]
        if found != [first, 1]:
            return False, f"{domain}: {found}"
    return True, "on 4 domains"


def propagated(target: Target, plans: tuple[LayerPlan, ...]) -> Fraction:
    """The error at the output, in rationals, if every weight and bias errs by its whole accuracy.

    Layer i adds omega eta (norm of what comes in) + omega_b eta_b to s_i times the error before.
    """
    box = isinstance(target.domain, Box)
    norms = Norms.of(target)
    size, error = Fraction(target.domain.radius), Fraction(0)
    for i, (weights, bias, plan) in enumerate(
        zip(target.weights, target.biases, plans, strict=True)
    ):
        d_out, d_in = weights.shape
        shifted = bias is not None and bool(bias.any())
        if box:
            norm = max(sum(abs(Fraction(x)) for x in row) for row in weights.tolist())
            shift = Fraction(float(np.abs(bias).max())) if bias is not None else Fraction(0)
            omega, omega_b = Fraction(d_in), Fraction(1)
        else:
            norm, shift = norms.weights[i], norms.biases[i]  # rigorous: see test_norms
            omega, omega_b = _root_up(d_in * d_out), _root_up(d_out)
        added = omega * Fraction(plan.eta) * (size + error) if weights.any() else Fraction(0)
        added += omega_b * Fraction(plan.eta_bias) if shifted else Fraction(0)
        error = added + Fraction(norm) * error
        size = Fraction(norm) * size + shift
    return error


def _root_up(value: int) -> Fraction:
    """The square root, a little more than 2^-60 of it above at the most."""
    return Fraction(math.isqrt((value << 120) - 1) + 1, 1 << 60)
