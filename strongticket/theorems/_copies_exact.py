"""A ticket of copies, read with integers and fractions, apart from `construct` and `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.networks import MLP
from strongticket.targets import Target
from strongticket.tickets import Ticket

Big = NDArray[Any]  # object arrays of Python integers or fractions


@dataclass(frozen=True)
class Read:
    """What one target layer became.

    Attributes:
        error: The largest |subset sum - weight| of a unit that is read, biases included.
        mass: The largest sum of absolute kept weights of such a unit.
        units: How many units are read.
    """

    error: Fraction
    mass: Fraction
    units: int


def read(ticket: Ticket, target: Target) -> list[Read]:
    """Errors and masses of every layer, from the mask alone."""
    copies = ticket.provenance["copies"]
    used = np.arange(target.widths[-1])
    found = []
    for layer in range(target.depth - 1, 0, -1):
        neuron = _neurons(copies[layer - 1])
        rows, columns, units = _kept(ticket, layer + 1)
        unit = _unit(ticket, layer + 1)
        slot = {int(u): i for i, u in enumerate(used)}
        width = max(target.widths[layer] + 1, int(neuron.max()) + 1)
        sums = np.zeros((used.size, width), object)
        mass = np.zeros(used.size, object)
        for row, column, value in zip(rows.tolist(), columns.tolist(), units.tolist(), strict=True):
            at = slot[row]  # a row that nobody reads keeps nothing
            sums[at, neuron[column]] += value
            mass[at] += abs(value)
        above = _neurons(copies[layer]) if layer < target.depth - 1 else np.arange(used.max() + 1)
        wanted = _wanted(target, layer, above[used], width)
        found.append(Read(_worst(sums * unit, wanted), max(mass) * unit, int(used.size)))
        used = np.unique(columns)
    found.append(_first(ticket, target, used))
    return found[::-1]


def recursion(target: Target, layers: Sequence[Read], sums: Sequence[Fraction]) -> list[Fraction]:
    """D_1, ..., D_L: how far any copy of any neuron may be from the target's."""
    deviations, before = [], Fraction(0)
    for i, layer in enumerate(layers):
        before = layer.error * sums[i] + (layer.mass * before if i else 0)
        deviations.append(before)
    del target
    return deviations


def outputs(ticket: Ticket, x: Sequence[Fraction]) -> list[Big]:
    """The exact values of every layer of the pruned ReLU network at one input."""
    architecture = ticket.network.architecture
    assert isinstance(architecture, MLP)
    values: Big = np.array(list(x), object)
    found = []
    for layer in range(architecture.depth):
        rows, columns, units = _kept(ticket, layer)
        z = np.zeros(architecture.widths[layer + 1], object)
        np.add.at(z, rows, units.astype(object) * values[columns])
        if architecture.biases[layer]:
            at = ticket.mask[f"layers.{layer}.bias"].indices()
            z[at] += ticket.network.units_at(f"layers.{layer}.bias", at).astype(object)
        z = z * _unit(ticket, layer)
        values = np.maximum(z, 0) if layer < architecture.depth - 1 else z
        found.append(values)
    return found


def target_values(target: Target, x: Sequence[Fraction]) -> list[Big]:
    """The exact values of every layer of the target, with a 1 behind those of hidden layers."""
    values: Big = np.array(list(x), object)
    found = []
    for i, (w, b) in enumerate(zip(target.weights, target.biases, strict=True)):
        z = _fractions(w).dot(values)
        if b is not None:
            z = z + _fractions(b)
        values = np.maximum(z, 0) if i < target.depth - 1 else z
        last = i == target.depth - 1
        found.append(values if last else np.array([*values.tolist(), Fraction(1)], object))
    return found


def deviations(ticket: Ticket, target: Target, x: Sequence[Fraction]) -> list[Fraction]:
    """The largest distance of a copy that is read from its neuron, layer by layer, at x."""
    mine, exact = outputs(ticket, x), target_values(target, x)
    worst = []
    for layer in range(target.depth):
        values = mine[layer + 1]
        if layer < target.depth - 1:
            used = np.unique(_kept(ticket, layer + 2)[1])
            neuron = _neurons(ticket.provenance["copies"][layer])[used]
            gaps = np.abs(values[used] - exact[layer][neuron])
        else:
            gaps = np.abs(values - exact[layer])
        worst.append(Fraction(max(gaps.tolist(), default=0)))
    return worst


def _first(ticket: Ticket, target: Target, used: NDArray[np.int64]) -> Read:
    """The first pair of layers: products, sign group by sign group."""
    d_in = target.widths[0]
    rows, columns, units = _kept(ticket, 0)
    incoming = {int(r): (int(c), int(u)) for r, c, u in zip(rows, columns, units, strict=True)}
    assert len(incoming) == rows.size  # one input a hidden neuron
    if "layers.0.bias" in ticket.network.masked:
        at = ticket.mask["layers.0.bias"].indices()
        for h, u in zip(at, ticket.network.units_at("layers.0.bias", at), strict=True):
            assert int(h) not in incoming
            incoming[int(h)] = (d_in, int(u))
    unit = _unit(ticket, 0) * _unit(ticket, 1)
    slot = {int(u): i for i, u in enumerate(used)}
    sums = np.zeros((2, used.size, d_in + 1), object)
    for row, h, value in zip(*(a.tolist() for a in _kept(ticket, 1)), strict=True):
        column, weight = incoming[h]
        sums[int(weight < 0), slot[row], column] += value * weight
    copies = ticket.provenance["copies"]
    neurons = _neurons(copies[0])[used] if target.depth > 1 else used
    wanted = _wanted(target, 0, neurons, d_in + 1)
    error = _worst(sums[0] * unit, wanted)
    if not target.domain.nonnegative:
        error = max(error, _worst(sums[1, :, :d_in] * unit, wanted[:, :d_in]))
    return Read(error, Fraction(1), int(used.size))


def _wanted(target: Target, layer: int, neurons: NDArray[np.int64], width: int) -> Big:
    """The target's rows of `neurons`, the bias as a column more; row d_l is the constant 1."""
    weights = _fractions(target.weights[layer])
    bias = target.biases[layer]
    found = np.zeros((neurons.size, width), object)
    for at, neuron in enumerate(neurons.tolist()):
        if neuron == len(weights):
            found[at, weights.shape[1]] = 1
            continue
        found[at, : weights.shape[1]] = weights[neuron]
        if bias is not None:
            found[at, weights.shape[1]] = Fraction(float(bias[neuron]))
    return found


def _worst(sums: Big, wanted: Big) -> Fraction:
    return Fraction(max(np.abs(sums - wanted).ravel().tolist(), default=0))


def _kept(ticket: Ticket, layer: int) -> tuple[NDArray[np.int64], ...]:
    """(rows, columns, units) of the kept weights of a random layer."""
    name = f"layers.{layer}.weight"
    flat = ticket.mask[name].indices()
    rows, columns = np.divmod(flat, ticket.network[name].shape[1])
    return rows, columns, ticket.network.units_at(name, flat).astype(np.int64)


def _unit(ticket: Ticket, layer: int) -> Fraction:
    exponent = ticket.network[f"layers.{layer}.weight"].law.exponent
    assert exponent is not None
    return Fraction(2) ** exponent


def _neurons(runs: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Which neuron each unit of a boundary stands for."""
    neurons, counts = zip(*runs, strict=True)
    return np.repeat(np.array(neurons, np.int64), counts)


def _fractions(array: NDArray[np.float32]) -> Big:
    flat = [Fraction(v) for v in array.astype(np.float64).ravel().tolist()]
    return np.array(flat, object).reshape(array.shape)
