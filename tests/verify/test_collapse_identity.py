"""Collapsing is an identity: random one-input masks, biases of both signs, in rationals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from strongticket import Box, Mask, Network, Target, Ticket, Uniform, certify, recheck
from strongticket.verify import collapse


def random_ticket(seed: int) -> Ticket:
    """Every hidden neuron keeps one input, its own bias, or nothing; outgoing at random."""
    rng = np.random.default_rng(seed)
    widths = (3, 24, 4, 24, 2)
    network = Network.mlp(
        widths,
        laws=[Uniform(1.0), Uniform(2.0), Uniform(0.5), Uniform(4.0)],
        seed=seed,
        biases=(True, False, True, False),
    )
    bits = {p.name: np.zeros(p.shape, np.bool_) for p in network.parameters}
    for layer in (0, 2):
        choice = rng.integers(-1, widths[layer] + 1, widths[layer + 1])
        for h, k in enumerate(choice):
            if k == widths[layer]:
                bits[f"layers.{layer}.bias"][h] = True
            elif k >= 0:
                bits[f"layers.{layer}.weight"][h, k] = True
        bits[f"layers.{layer + 1}.weight"] = (
            rng.random((widths[layer + 2], widths[layer + 1])) < 0.5
        )
        bits[f"layers.{layer + 1}.weight"][:, choice < 0] = False
    return Ticket(network, Mask.dense(bits))


def relu(values: list[Fraction]) -> list[Fraction]:
    return [max(v, Fraction(0)) for v in values]


@pytest.mark.parametrize("seed", range(8))
def test_collapsed_and_pruned_network_are_one_function(seed: int) -> None:
    ticket = random_ticket(seed)
    weights = {
        p.name: ticket.network.weights(p.name).astype(object) * ticket.mask[p.name].dense()
        for p in ticket.network.parameters
    }
    layers = collapse(ticket)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x = y = [Fraction(float(v)) for v in rng.uniform(-1, 1, 3)]
        for layer in range(4):
            w, b = weights[f"layers.{layer}.weight"], weights.get(f"layers.{layer}.bias")
            out = [sum(Fraction(float(v)) * a for v, a in zip(row, x, strict=True)) for row in w]
            if b is not None:
                out = [v + Fraction(float(c)) for v, c in zip(out, b, strict=True)]
            x = relu(out) if layer < 3 else out
        for i, part in enumerate(layers):
            unit = Fraction(2) ** part.exponent
            out = [
                sum(
                    int(p if v >= 0 else m) * unit * v
                    for p, m, v in zip(plus, minus, y, strict=True)
                )
                + int(bias) * unit
                for plus, minus, bias in zip(part.plus, part.minus, part.bias, strict=True)
            ]
            y = relu(out) if i == 0 else out
        assert x == y


@pytest.mark.parametrize("seed", range(8))
def test_any_such_ticket_certifies_against_its_own_collapse(seed: int, tmp_path: Path) -> None:
    """A target that is the collapse in float32 is met up to that rounding; recheck agrees."""
    ticket = random_ticket(seed)
    target = Target(
        [
            (
                np.ldexp(part.plus.astype(np.float64), part.exponent).astype(np.float32),
                np.ldexp(part.bias.astype(np.float64), part.exponent).astype(np.float32),
            )
            for part in collapse(ticket)
        ],
        Box(0.0, 1.0),
    )
    certificate = certify(ticket, target)
    assert certificate.bound < 1e-4
    found = recheck(certificate.save(tmp_path / "proof.json"), target)
    assert found.bound == certificate.exact_bound
