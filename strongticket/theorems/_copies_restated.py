"""What the depth-(L + 1) theorem asks of a network, written out a second time.

Every constant comes from docs/theorems/proofs-burkholz2022.md and none from a `Bound`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from strongticket.errors import ReachError
from strongticket.targets import Ball, Box, Domain, Target
from strongticket.theorems._algebra import Finding
from strongticket.theorems._copies_plan import LayerPlan
from strongticket.theorems._plan import Norms
from strongticket.theorems._restated import GRID, interval, intervals, is_least
from strongticket.theorems._restated_network import _root_up

if TYPE_CHECKING:
    from strongticket.theorems._copies_network import CopiesTheorem

Case = tuple[Target, float, float, tuple[LayerPlan, ...]]


def least_counts(theorem: CopiesTheorem) -> Finding:
    """Every layer's union bound is at most delta / (2 L), and its count is the least."""
    cases = 0
    for target, _, delta, plans in itertools.chain(_cases(theorem), _near_the_grid(theorem)):
        share = Fraction(delta) / (2 * target.depth)
        for i, plan in enumerate(plans):
            copies = plans[i + 1].count if i + 1 < len(plans) else 1
            rows, columns = _size(target, i)
            sums, scale = copies * rows * columns, [Fraction(x) for x in plan.scales]
            if i:
                eta = Fraction(plan.eta) - 2 * scale[0] * GRID
                prefactor = sums * (2 * scale[0] / eta - 1) ** 2
                ratio: Any = Fraction(3, 4) + 3 * GRID * scale[0] / eta
            else:
                signs = 1 if isinstance(target.domain, Box) and target.domain.low >= 0 else 2
                window = Fraction(3, 4) * scale[0] * scale[1]
                eta = Fraction(plan.eta) - 2 * scale[0] * scale[1] * GRID**2
                prefactor = signs * sums * (window / eta - 1) ** 2
                ratio = 1 - (Fraction(392, 1000) - 3 * GRID * window / eta) / 4
            if not is_least(plan.count, prefactor, ratio, share):
                return False, f"{target}, layer {i}: {plan.count} is not the least"
            cases += 1
    return True, f"the least in {cases} layers"


def masses(theorem: CopiesTheorem) -> Finding:
    """Rows exp(-2 t^2 / n) <= delta / (2 L) where the mass is s (n / 2 + t), and just so."""
    iv, cases = intervals(), 0
    for target, _, delta, plans in _cases(theorem):
        share = interval(Fraction(delta) / (2 * target.depth))
        for i, plan in enumerate(plans[1:], 1):
            copies = plans[i + 1].count if i + 1 < len(plans) else 1
            rows, columns = _size(target, i)
            n = plan.count * columns
            for slack, holds in ((Fraction(1), True), (1 - Fraction(1, 10**9), False)):
                t = slack * plan.mass / Fraction(plan.scales[0]) - Fraction(n, 2)
                failing = copies * rows * iv.exp(interval(-2 * t * t / n))
                if bool((failing <= share) is True) != holds:
                    return False, f"{target}, layer {i}: mass {float(plan.mass):g} for n = {n}"
            cases += 1
    return True, f"tight to a part in 10^9 in {cases} layers"


def propagated(theorem: CopiesTheorem) -> Finding:
    """D_l = eta_l (B_{l-1} + 1) + alpha_l D_{l-1} ends at most at epsilon, in rationals."""
    worst = 0.0
    for target, epsilon, _, plans in _cases(theorem):
        deviation = Fraction(0)
        for i, (plan, size) in enumerate(zip(plans, _sums(target), strict=True)):
            deviation = Fraction(plan.eta) * size + (plan.mass * deviation if i else 0)
        if isinstance(target.domain, Ball):
            deviation *= _root_up(target.widths[-1])
        if deviation > Fraction(epsilon):
            return False, f"{target}: {float(deviation):.6g} of {epsilon:g}"
        worst = max(worst, float(deviation / Fraction(epsilon)))
    return True, f"largest share of epsilon {worst:.6g}"


def least_reach(theorem: CopiesTheorem) -> Finding:
    """Scales of the second layer reach its largest weight, half of them would not."""
    one = np.array([[0.25]], np.float32)
    cases = 0
    for size in (1e-3, 0.37, 0.5, 1.0, 3.0, 1000.0):
        target = Target([(one, None), (np.array([[size]], np.float32), None)], Box(0, 1))
        plan = theorem.plan(target, 0.05 * size)[1]
        s, need = Fraction(plan.scales[0]), Fraction(float(np.float32(size)))
        half = Fraction(plan.eta) / 2
        if not s / 2 - half < need <= s - half or Fraction(plan.window) != 2 * s:
            return False, f"weight {size:g}: scale {plan.scales[0]:g}"
        cases += 1
    for size, within in ((0.98, True), (1.0, False)):
        target = Target([(one, None), (np.array([[size]], np.float32), None)], Box(0, 1))
        try:
            theorem.plan(target, 0.005, scales=((1.0, 2.0), (1.0,)))
            accepted = True
        except ReachError:
            accepted = False
        if accepted != within:
            return False, f"scale 1 {'reaches' if accepted else 'does not reach'} {size:g}"
    return True, f"{cases} targets and both sides of the edge"


def _cases(theorem: CopiesTheorem) -> Iterator[Case]:
    shapes = ((3, 2), (2, 3, 2), (5, 4, 1), (2, 2, 1, 3))
    domains: tuple[Domain, ...] = (Box(0, 1), Box(-1, 1), Ball(1.5))
    rng = np.random.default_rng(3)
    for k, (widths, domain) in enumerate(itertools.product(shapes, domains)):
        layers = []
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            bias = rng.uniform(-0.5, 0.5, b).astype(np.float32) if (k + i) % 3 == 0 else None
            layers.append((rng.uniform(-0.5, 0.5, (b, a)).astype(np.float32), bias))
        target = Target(layers, domain)
        epsilon, delta = (0.5 * 64 ** (len(widths) - 3) if len(widths) > 3 else 0.25), 0.01
        delta = (0.5, 0.01, 1e-9)[k % 3]
        yield target, epsilon, delta, theorem.plan(target, epsilon, delta)


def _near_the_grid(theorem: CopiesTheorem) -> Iterator[Case]:
    """Accuracies at which the grid costs a good part of the rate, in both kinds of layers."""
    layers = [(np.full((2, 2), 0.25, np.float32), None), (np.full((1, 2), 0.25, np.float32), None)]
    target = Target(layers, Box(0, 1))
    for epsilon in (1e-5, 3e-6):
        yield target, epsilon, 0.01, theorem.plan(target, epsilon, 0.01, mass=1)


def _size(target: Target, layer: int) -> tuple[int, int]:
    """Rows and columns of a layer with the constant neuron, and the bias of the first."""
    later = [b is not None for b in target.biases]
    rows = target.widths[layer + 1] + any(later[layer + 1 :])
    if layer:
        return rows, target.widths[layer] + any(later[layer:])
    return rows, target.widths[0] + any(later)


def _sums(target: Target) -> list[Fraction]:
    """B_{l-1}, and 1 for the constant: what a weight error of 1 may add up to."""
    box = isinstance(target.domain, Box)
    size, norms = Fraction(target.domain.radius), Norms.of(target)
    ends = [_ends(target.domain, target.widths[0])] if isinstance(target.domain, Box) else []
    later = [b is not None for b in target.biases]
    found = []
    for i, (w, b) in enumerate(zip(target.weights, target.biases, strict=True)):
        width = target.widths[i]
        total = _root_up(width) * size
        if box:
            total = sum((max(-x, y) for x, y in ends[-1]), Fraction(0))
        found.append(total + int(any(later[i:])))
        if box:
            ends.append(_through(w, b, ends[-1]))
        # norms rigorous: see test_norms
        size = norms.weights[i] * size + norms.biases[i]
    return found


def _ends(domain: Box, width: int) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(domain.low), Fraction(domain.high))] * width


def _through(w: Any, b: Any, ends: list[tuple[Fraction, Fraction]]) -> list[Any]:
    """The exact interval of every neuron behind its ReLU."""
    found = []
    for j, row in enumerate(w.astype(np.float64).tolist()):
        low = high = Fraction(0) if b is None else Fraction(float(b[j]))
        for weight, (x, y) in zip(map(Fraction, row), ends, strict=True):
            low, high = low + min(weight * x, weight * y), high + max(weight * x, weight * y)
        found.append((max(low, Fraction(0)), max(high, Fraction(0))))
    return found
