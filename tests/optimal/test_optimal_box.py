"""The worst case over a box, against an independent exact supremum in one dimension and samples."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from optimal_oracles import Instance, fractions, instance, loss_of, masks, naive_loss

from strongticket import Box, Target, optimal
from strongticket.errors import InputError
from strongticket.optimal import OneHidden
from strongticket.targets import Ball
from strongticket.tickets import Mask

EDGE = Fraction(3, 4)
BOX = Box(-0.75, 0.75)


def random_pair(rng: np.random.Generator, kind: str, width: int, inputs: int) -> tuple[Any, Any]:
    network = instance(rng, kind, width=width, inputs=inputs, points=1, bias=True).network
    target = instance(rng, kind, width=2, inputs=inputs, points=1, bias=True).network
    return network, target


def values(network: OneHidden, mask: Any, x: list[list[Fraction]]) -> list[Fraction]:
    """Outputs, one point at a time, by the naive loss of a single point with label 0 and sign."""
    found = []
    for point in x:
        zero = Instance(network, [point], [Fraction(0)])
        size = naive_loss(zero, mask, "worst case")
        one = Instance(network, [point], [size])
        found.append(size if naive_loss(one, mask, "worst case") == 0 else -size)
    return found


def exact_supremum(network: OneHidden, target: OneHidden, mask: Any) -> Fraction:
    """In one dimension: the ends, and where this mask's neurons or the target's change sides."""
    first, hidden, _, _ = mask
    w = [a[0] * m[0] for a, m in zip(fractions(network.weights), first, strict=True)]
    b = [a * m for a, m in zip(fractions(network.bias), hidden, strict=True)]
    w += [a[0] for a in fractions(target.weights)]
    b += fractions(target.bias)
    breaks = [-bias / weight for weight, bias in zip(w, b, strict=True) if weight]
    x = [[t] for t in {-EDGE, EDGE, *breaks} if -EDGE <= t <= EDGE]
    ones = ([[1]] * target.width, [1] * target.width, [1] * target.width, 1)
    pairs = zip(values(network, mask, x), values(target, ones, x), strict=True)
    return loss_of([f - g for f, g in pairs], "worst case")


@pytest.mark.parametrize("kind", ["integers", "dyadic", "fractions"])
def test_one_dimension_is_the_exact_supremum_of_every_mask(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    for number in range(24):
        network, target = random_pair(rng, kind, 2 if number % 12 == 0 else 1, 1)
        x, y = optimal.box_sample(network, target, BOX)
        best = []
        for mask in masks(network, "both", True, False):
            wanted = exact_supremum(network, target, mask)
            assert naive_loss(Instance(network, x, y), mask, "worst case") == wanted
            best.append(wanted)
        for method in (optimal.Exhaustive(), optimal.BranchAndBound(leaf=1)):
            found = optimal.best_weight_mask(network, x, y, loss="worst case", method=method)
            assert found.loss == min(best)
            assert found.proved


@pytest.mark.parametrize("inputs", [2, 3])
def test_no_sampled_point_is_worse_and_some_come_near(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    width = 3 if inputs == 2 else 1
    network, target = random_pair(rng, "dyadic", width, inputs)
    if inputs == 3:
        network, target = (
            OneHidden(net.weights[:1], net.output[:1], net.bias[:1]) for net in (network, target)
        )
    x, y = optimal.box_sample(network, target, BOX)
    assert all(-EDGE <= v <= EDGE for v in x.reshape(-1))
    found = optimal.best_weight_mask(network, x, y, loss="worst case")
    inside = rng.integers(-96, 97, (4000, inputs)) / 128
    w, b, v = (np.asarray(a, np.float64) for a in (target.weights, target.bias, target.output))
    labels = np.maximum(inside @ w.T + b, 0) @ v
    for mask in (found.mask, Mask({})):
        over = optimal.masked_loss(network, mask, x, y, "worst case")
        sampled = optimal.masked_loss(network, mask, inside, labels, "worst case")
        assert sampled <= over + Fraction(1, 1 << 40)
        assert sampled >= over * Fraction(7, 10)


def test_the_box_of_a_target_is_taken() -> None:
    network = OneHidden(np.array([[1.0], [0.5]]), np.array([1.0, -1.0]))
    layers = [(np.array([[0.5]], np.float32), None), (np.array([[1.0]], np.float32), None)]
    x, y = optimal.box_sample(network, Target(layers, Box(-1.0, 2.0)))
    assert x.tolist() == [[-1], [0], [2]]
    assert y.tolist() == [0, 0, 1]
    found = optimal.best_weight_mask(network, x, y, loss="worst case")
    assert found.loss == 0  # relu(x) - relu(x / 2) is the target on this box


def test_what_has_no_exact_worst_case_is_refused() -> None:
    rng = np.random.default_rng(0)
    network, target = random_pair(rng, "dyadic", 3, 2)
    with pytest.raises(InputError, match="exact over a Box"):
        optimal.box_sample(network, target)
    layers = [(np.ones((1, 2), np.float32), None), (np.ones((1, 1), np.float32), None)]
    with pytest.raises(InputError, match="exact over a Box"):
        optimal.box_sample(network, Target(layers, Ball(1.0)))
    with pytest.raises(InputError, match="same inputs"):
        optimal.box_sample(network, OneHidden(np.ones((1, 3)), np.ones(1)), BOX)
    wide, _ = random_pair(rng, "dyadic", 40, 3)
    with pytest.raises(InputError, match="sampled points, and certify"):
        optimal.box_sample(wide, OneHidden(np.ones((1, 3)), np.ones(1)), BOX)
