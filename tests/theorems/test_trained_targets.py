"""Trained networks out of the theorems' own random networks, certified at the claimed epsilon."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from strongticket import Box, Target
from strongticket.datasets import digits, idx_folder
from strongticket.theorems import malach2020, orseau2020
from strongticket.theorems._proved import proved_bound
from strongticket.training import accuracy, train_relu

EPSILON, DELTA = 0.5, 0.01


@cache
def on_digits() -> tuple[Any, Target]:
    model = train_relu(digits(), (16,), epochs=20, seed=0, rate=3e-3, decay=1e-3)
    return model, Target(model, domain=Box(0.0, 1.0))


@pytest.mark.parametrize(
    "theorem", [orseau2020.NETWORK, malach2020.PRODUCT], ids=lambda theorem: theorem.key
)
def test_digits(theorem: Any) -> None:
    """64-16-10: the full width is in the millions for products, and only a prefix is read."""
    model, target = on_digits()
    network = theorem.network(target, EPSILON, DELTA, seed=0)
    ticket = theorem.construct(network, target, EPSILON)
    assert proved_bound(ticket, target) <= Fraction(EPSILON)
    assert abs(accuracy(ticket.compact(), digits()) - accuracy(model, digits())) < 0.02


@pytest.mark.data
def test_mnist_by_the_greedy(data_folder: Path) -> None:
    """At an epsilon that the 24-bit grid still proves.

    experiments/catalogue_targets.py does the same with 784-300-100-10.
    """
    images = idx_folder(data_folder / "mnist")
    model = train_relu(images, (24, 16), epochs=1, seed=0, decay=3e-3)
    target = Target(model, domain=Box(0.0, 1.0))
    epsilon = 0.1  # the grid proves about 0.03 at such norms
    theorem = orseau2020.NETWORK
    network = theorem.network(target, epsilon, DELTA, seed=0)
    ticket = theorem.construct(network, target, epsilon)
    assert proved_bound(ticket, target) <= Fraction(epsilon)
    assert abs(accuracy(ticket.compact(), images) - accuracy(model, images)) < 0.01
