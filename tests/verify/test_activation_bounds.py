"""Bounds for leaky ReLU and tanh: never below what is found, and exact where all is linear."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from strongticket import subsetsum
from strongticket.activations import Activation
from strongticket.construct import LayerAccuracy, copies, source_widths
from strongticket.errors import InputError
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Mask, Reading, Ticket
from strongticket.verify._activations import certify_activation

SOLVERS = {
    "objective": functools.partial(subsetsum.lightest, backend="numpy"),
    "first": functools.partial(subsetsum.best, backend="numpy"),
    "window": 14,
}
KINDS = ("relu", "leaky_relu(0.125)", "tanh")
DOMAINS = (Box(0, 1), Box(-1, 0.5), Ball(1.0))


def make(kind: str, domain, widths=(2, 3, 2), seed: int = 0) -> tuple[Target, Ticket]:
    rng = np.random.default_rng(seed)
    layers = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        w = rng.uniform(-0.5, 0.5, (b, a)).astype(np.float32)
        bias = rng.uniform(-0.4, 0.4, b).astype(np.float32)
        layers.append((w, bias if i == 0 or kind != "tanh" else None))
    target = Target(layers, domain, activation=kind)
    first = 2.0**-6 if kind == "tanh" else 2.0
    network = Network.mlp(
        source_widths(target, 60, [20] * (target.depth - 1)),
        laws=[Uniform(first), Uniform(4 / first), *[Uniform(2.0)] * (target.depth - 1)],
        seed=seed + 1,
        biases=[True] + [False] * target.depth,
        activation=kind,
    )
    ticket = copies(network, target, [LayerAccuracy(2e-3)] * target.depth, **SOLVERS)
    return target, ticket


def points(target: Target, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(5)
    d = target.widths[0]
    if isinstance(target.domain, Box):
        ends = (target.domain.low, target.domain.high)
        corners = np.array(list(itertools.product(ends, repeat=d)))
        return np.concatenate([corners, rng.uniform(*ends, (count, d))])
    x = rng.normal(size=(count, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * target.domain.radius


def outputs(ticket: Ticket, x: np.ndarray) -> np.ndarray:
    """The pruned network in float64, apart from every other evaluation."""
    network, mask = ticket.network, ticket.mask
    architecture = network.architecture
    for i in range(architecture.depth):
        name = f"layers.{i}"
        w = network.weights(f"{name}.weight").astype(np.float64) * mask[f"{name}.weight"].dense()
        x = x @ w.T
        if architecture.biases[i]:
            x = x + network.weights(f"{name}.bias") * mask[f"{name}.bias"].dense()
        x = architecture.activation(x) if i < architecture.depth - 1 else x
    return x


def found(ticket: Ticket, target: Target) -> float:
    x = points(target)
    gaps = np.abs(outputs(ticket, x) - target(x))
    return float(
        gaps.max() if isinstance(target.domain, Box) else np.linalg.norm(gaps, axis=1).max()
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("widths", [(2, 2), (2, 3, 2), (2, 2, 2, 1)])
def test_no_point_exceeds_the_bound_and_the_bound_is_small(kind, domain, widths) -> None:
    target, ticket = make(kind, domain, widths)
    proved = certify_activation(ticket, target)
    assert found(ticket, target) <= proved.bound < {1: 0.004, 2: 0.04, 3: 0.15}[target.depth]
    assert proved.exact_bound <= Fraction(proved.bound)
    assert not proved.recheckable
    masses = [Fraction(layer["mass"]) for layer in ticket.provenance["layers"][1:]]
    assert list(proved.masses) == masses


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_edge_is_noticed(kind) -> None:
    """A kept weight dropped from the last layer: what it did at some input is below the bound."""
    target, ticket = make(kind, Box(-1, 1))
    before = certify_activation(ticket, target).bound
    name = f"layers.{target.depth}.weight"
    bits = ticket.mask[name].dense().copy()
    weights = np.abs(ticket.network.weights(name)) * bits
    bits[np.unravel_index(weights.argmax(), bits.shape)] = False
    masks = {n: ticket.mask[n].dense() for n in ticket.mask}
    other = replace(ticket, mask=Mask.dense({**masks, name: bits}))
    after = certify_activation(other, target)
    assert found(other, target) <= after.bound
    assert after.bound > before + 0.1


def test_one_weight_by_hand() -> None:
    """Tanh, one weight: the error of the product and a third of |b a^3|, in fractions."""
    target = Target([(np.array([[0.5]], np.float32), None)], Box(-2, 2), activation="tanh")
    network = Network.mlp((1, 3, 1), laws=[Uniform(0.25), Uniform(4.0)], seed=3, activation="tanh")
    a = [Fraction(float(v)) for v in network.weights("layers.0.weight")[:, 0]]
    b = [Fraction(float(v)) for v in network.weights("layers.1.weight")[0]]
    masks = {
        "layers.0.weight": np.array([[True], [False], [True]]),
        "layers.1.weight": np.array([[True, False, True]]),
    }
    ticket = Ticket(network, Mask.dense(masks), provenance={"blocks": [2], "copies": []})
    linear = abs(a[0] * b[0] + a[2] * b[2] - Fraction(1, 2))
    cubic = sum(abs(b[i] * a[i] ** 3) for i in (0, 2))
    assert certify_activation(ticket, target).exact_bound == 2 * linear + 8 * cubic / 3


def test_leaky_weights_by_hand() -> None:
    """Two signs: P + s Q on one side of 0, s P + Q on the other."""
    kind = Activation("leaky_relu", 0.25)
    network = Network.mlp((1, 6, 1), laws=Uniform(1.0), seed=3, activation=kind)
    a = [Fraction(float(v)) for v in network.weights("layers.0.weight")[:, 0]]
    b = [Fraction(float(v)) for v in network.weights("layers.1.weight")[0]]
    assert min(a) < 0 < max(a)
    everything = {n: np.ones(network[n].shape, bool) for n in network.masked}
    ticket = Ticket(network, Mask.dense(everything), provenance={"blocks": [2], "copies": []})
    p = sum(x * y for x, y in zip(a, b, strict=True) if x > 0)
    q = sum(x * y for x, y in zip(a, b, strict=True) if x < 0)
    w, s = Fraction(1, 2), Fraction(1, 4)
    layer = [(np.array([[0.5]], np.float32), None)]
    both = Target(layer, Box(-1, 1), activation=kind)
    sides = abs(p + s * q - w), abs(s * p + q - w)
    assert certify_activation(ticket, both).exact_bound == max(sides)
    one = Target(layer, Box(0, 1), activation=kind)
    assert certify_activation(ticket, one).exact_bound == sides[0]


def test_what_is_not_covered_is_refused() -> None:
    target, ticket = make("tanh", Box(0, 1))
    relu = Target(list(zip(target.weights, target.biases, strict=True)), target.domain)
    with pytest.raises(InputError, match="one activation"):
        certify_activation(ticket, relu)
    with pytest.raises(InputError, match="blocks"):
        certify_activation(replace(ticket, provenance={}), target)


def one_weight(*, bias: bool, **options: Any) -> tuple[Target, Ticket]:
    """One weight through three tanh neurons, everything kept, an output bias if asked for."""
    target = Target([(np.array([[0.5]], np.float32), None)], Box(-2, 2), activation="tanh")
    laws = [Uniform(0.25), Uniform(4.0)]
    flags = [False, bias]
    network = Network.mlp((1, 3, 1), laws=laws, seed=3, activation="tanh", biases=flags)
    bits = {n: np.ones(network[n].shape, np.bool_) for n in network.masked}
    provenance = {"blocks": [2], "copies": []}
    return target, Ticket(network, Mask.dense(bits), provenance=provenance, **options)


def test_what_no_bound_is_proved_for_is_refused() -> None:
    """Kept biases behind the first layer, weights made binary, units that stand for a constant."""
    target, ticket = one_weight(bias=True)
    with pytest.raises(InputError, match=r"keeps layers\.1\.bias"):
        certify_activation(ticket, target)
    target, ticket = one_weight(bias=False, reading=Reading(gain="binary"))
    with pytest.raises(InputError, match="made binary"):
        certify_activation(ticket, target)
    target, ticket = make("tanh", Box(-1, 1))
    d = target.widths[1]
    width = ticket.network.architecture.widths[2]  # type: ignore[union-attr]
    for stated, message in (
        ([[[d, width]]], f"target neuron {d}; behind"),  # tanh(1) is not 1
        ([[[0, width + 1]]], "the network has"),
        ([None], "state what they stand for"),
        (["x"], "must be run lengths"),
    ):
        provenance = {**ticket.provenance, "copies": stated}
        with pytest.raises(InputError, match=message):
            certify_activation(replace(ticket, provenance=provenance), target)
