r"""Certificates for tickets of depth L + 1 whose activation is no ReLU: leaky ReLU and tanh.

With Lipschitz constant :math:`\lambda` of the activation, E the exact errors of the effective
weights and u the kept weights, a unit that stands for neuron j is off by at most

.. math:: D_u = \lambda \Bigl( \sum_i |E_{ui}| B_i + \sum_k |u_k| D_k \Bigr),

where :math:`B_i \ge |x_i|` on the domain. In the first pair of layers the inputs are exact; leaky
ReLU has one effective weight for each sign, and :math:`b \tanh(a y)` differs from b a y by at most
:math:`|b| |a y|^3 / 3`. All numbers are rationals, so nothing is rounded but square roots, upward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.activations import Activation
from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.targets import Ball, Target
from strongticket.tickets import Ticket
from strongticket.verify._structure import read_copies

Ints = NDArray[np.int64]
Big = NDArray[Any]


@dataclass(frozen=True)
class ActivationBound:
    """A proved bound on sup |f(x) - g(x)|: max norm on a Box, Euclidean on a Ball.

    Attributes:
        exact_bound: The bound.
        deviations: The largest deviation of a unit that is read, layer by layer.
        masses: The largest sum of absolute kept weights of a row, from the second layer on.
        recheckable: False: `recheck` knows ReLU only, so no certificate file is written.
    """

    exact_bound: Fraction
    deviations: tuple[Fraction, ...]
    masses: tuple[Fraction, ...]
    recheckable: bool = False

    @property
    def bound(self) -> float:
        """The bound rounded up to a float."""
        nearest = float(self.exact_bound)
        above = Fraction(nearest) >= self.exact_bound
        return nearest if above else math.nextafter(nearest, math.inf)


def certify_activation(ticket: Ticket, target: Target) -> ActivationBound:
    """Prove how far a ticket of copies is from a target with the same activation.

    The ticket's provenance gives its blocks, two random layers for the first target layer and one
    for every other, and its copies (see `verify._collapse`). ReLU tickets have the same bound,
    and a sharper one by `certify`. Raises InputError where the structure is another.
    """
    kind = _checked(ticket, target)
    radius = Fraction(target.domain.radius)
    stands = _stands(ticket, target, kind)
    used = [np.unique(_kept(ticket, i + 2)[1]) for i in range(target.depth - 1)]
    used.append(np.arange(target.widths[-1]))
    sizes = _sizes(target, radius, kind)

    deviation = _first(ticket, target, stands[0], used[0], radius, kind)
    if target.depth > 1:
        deviation = {unit: kind.lipschitz * d for unit, d in deviation.items()}
    found, masses = [max(deviation.values(), default=Fraction(0))], []
    for i in range(1, target.depth):
        below, deviation, mass = deviation, {}, Fraction(0)
        unit = _unit(ticket, i + 1)
        wanted = _rows(target, i)
        edges: dict[int, list[tuple[int, int]]] = {int(u): [] for u in used[i]}
        for row, column, value in zip(*(a.tolist() for a in _kept(ticket, i + 1)), strict=True):
            if row not in edges:
                raise InputError(f"unit {row} of layer {i + 1} keeps weights and is not read")
            edges[row].append((column, value))
        for u, kept in edges.items():
            error = dict(wanted[stands[i][u]])
            carried, weight = Fraction(0), 0
            for column, value in kept:
                neuron = int(stands[i - 1][column])
                error[neuron] = error.get(neuron, Fraction(0)) - value * unit
                carried += abs(value) * below[column]
                weight += abs(value)
            own = sum((abs(e) * sizes[i][k] for k, e in error.items()), Fraction(0))
            slope = kind.lipschitz if i < target.depth - 1 else 1
            deviation[u] = slope * (own + unit * carried)
            mass = max(mass, weight * unit)
        found.append(max(deviation.values(), default=Fraction(0)))
        masses.append(mass)
    bound = found[-1]
    if isinstance(target.domain, Ball):
        bound = _root_up(sum((d * d for d in deviation.values()), Fraction(0)))
    return ActivationBound(bound, tuple(found), tuple(masses))


def _checked(ticket: Ticket, target: Target) -> Activation:
    architecture = ticket.network.architecture
    blocks = [2] + [1] * (target.depth - 1)
    if not isinstance(architecture, MLP) or ticket.provenance.get("blocks") != blocks:
        raise InputError(
            f"certify_activation is for tickets of construct.copies, whose blocks are {blocks} for "
            f"this target; the ticket's are {ticket.provenance.get('blocks')}"
        )
    if not ticket.reading.plain:
        raise InputError(
            "certificates are for plain tickets, whose kept weights stay as they were drawn; this "
            "ticket's are redrawn, multiplied or made binary"
        )
    biased = [n for n in ticket.mask if n.endswith(".bias") and ticket.mask[n].kept]
    if any(name != "layers.0.bias" for name in biased):
        raise InputError(
            "certify_activation knows kept biases of layers.0 alone, which is where "
            f"construct.copies keeps them; this ticket keeps {', '.join(biased)}"
        )
    kind = architecture.activation
    if kind != target.activation or kind.at_zero:
        raise InputError(
            "certify_activation needs one activation, relu, leaky_relu or tanh, in ticket and "
            f"target; got {kind} and {target.activation}"
        )
    if not kind.linear and any(b is not None for b in target.biases[1:]):
        raise InputError(f"behind {kind} only the first layer may have a bias")
    return kind


def _first(
    ticket: Ticket,
    target: Target,
    stands: Ints,
    used: Ints,
    radius: Fraction,
    kind: Activation,
) -> dict[int, Fraction]:
    """Before the activation, how far every unit that is read is off."""
    d_in = target.widths[0]
    hidden, inputs, units = _kept(ticket, 0)
    if "layers.0.bias" in ticket.network.masked:
        own = ticket.mask["layers.0.bias"].indices()
        hidden = np.concatenate([hidden, own])
        inputs = np.concatenate([inputs, np.full(own.size, d_in)])
        more = ticket.network.units_at("layers.0.bias", own).astype(np.int64)
        units = np.concatenate([units, more])
        if ticket.network["layers.0.bias"].law != ticket.network["layers.0.weight"].law:
            raise InputError("layers.0.weight and layers.0.bias need one law, to lie on one grid")
    if np.unique(hidden).size < hidden.size:
        raise InputError("a hidden neuron of layers.0 keeps two inputs")
    order = np.argsort(hidden)
    hidden, inputs, units = hidden[order], inputs[order], units[order]
    rows, sources, outgoing = _kept(ticket, 1)
    at = np.minimum(np.searchsorted(hidden, sources), max(hidden.size - 1, 0))
    if rows.size and not (hidden.size and (hidden[at] == sources).all()):
        raise InputError("a hidden neuron of layers.0 without an input is read")
    slot = np.searchsorted(used, rows)
    if rows.size and not (used[np.minimum(slot, used.size - 1)] == rows).all():
        raise InputError("a unit of layers.1 keeps weights and is not read")
    products = outgoing * units[at]
    sums = np.zeros((2, used.size, d_in + 1), np.int64)
    if products.size and int(np.abs(products).max()) * int(np.bincount(slot).max()) >= 1 << 63:
        raise InputError("a subset sum may overflow 63 bits")
    np.add.at(sums, ((units[at] < 0).astype(np.int64), slot, inputs[at]), products)
    unit, step = _unit(ticket, 0) * _unit(ticket, 1), _unit(ticket, 0)
    cubes = np.zeros((used.size, 2), object)  # sum of |b a^3|, of inputs and of biases
    if kind.cubic:
        part = np.abs(products).astype(object) * units[at].astype(object) ** 2
        np.add.at(cubes, (slot, (inputs[at] == d_in).astype(np.int64)), part)
    slope, wanted = kind.minus, _rows(target, 0)
    found = {}
    for r, u in enumerate(used.tolist()):
        neuron = wanted[stands[u]]
        positive = [Fraction(v) * unit for v in sums[0, r].tolist()]
        negative = [Fraction(v) * unit for v in sums[1, r].tolist()]
        total = Fraction(0)
        for k in range(d_in + 1):
            w = neuron.get(k, Fraction(0))
            above = abs(positive[k] + slope * negative[k] - w)
            if k == d_in:
                total += above
                continue
            signed = not target.domain.nonnegative
            under = abs(slope * positive[k] + negative[k] - w) if signed else above
            total += radius * max(above, under)
        rest = unit * step * step * kind.cubic
        found[u] = total + rest * (int(cubes[r, 0]) * radius**3 + int(cubes[r, 1]))
    return found


def _rows(target: Target, layer: int) -> list[dict[int, Fraction]]:
    """The nonzero weights of every neuron by input; the bias at d_in; last the constant 1."""
    found = []
    bias = target.biases[layer]
    d_in = target.widths[layer]
    for j, row in enumerate(target.weights[layer].tolist()):
        entries = {k: Fraction(w) for k, w in enumerate(row) if w}
        if bias is not None and bias[j]:
            entries[d_in] = Fraction(float(bias[j]))
        found.append(entries)
    return [*found, {d_in: Fraction(1)}]


def _sizes(target: Target, radius: Fraction, kind: Activation) -> list[list[Fraction]]:
    """Bounds B_i on the absolute inputs of every layer, and 1 for the constant."""
    sizes = [[radius] * target.widths[0] + [Fraction(1)]]
    for i in range(target.depth - 1):
        rows = _rows(target, i)[:-1]
        below = sizes[-1]
        found = [sum((abs(w) * below[k] for k, w in row.items()), Fraction(0)) for row in rows]
        top = kind.largest
        sizes.append([x if top is None else min(x, top) for x in found] + [Fraction(1)])
    return sizes


def _kept(ticket: Ticket, layer: int) -> tuple[Ints, Ints, Ints]:
    name = f"layers.{layer}.weight"
    flat = ticket.mask[name].indices()
    rows, columns = np.divmod(flat, ticket.network[name].shape[1])
    return rows, columns, ticket.network.units_at(name, flat).astype(np.int64)


def _unit(ticket: Ticket, layer: int) -> Fraction:
    exponent = ticket.network[f"layers.{layer}.weight"].law.exponent
    if exponent is None:
        raise InputError(f"the law of layers.{layer}.weight needs a power-of-two scale")
    return Fraction(2) ** exponent


def _stands(ticket: Ticket, target: Target, kind: Activation) -> list[Ints]:
    """The target neuron that every unit behind a block stands for; its width means 1."""
    widths: tuple[int, ...] = ticket.network.architecture.widths[2:]  # type: ignore[union-attr]
    stated = read_copies(ticket.provenance.get("copies"), list(widths))
    found = []
    for i, (width, copies) in enumerate(zip(widths, stated, strict=True)):
        d = target.widths[i + 1]
        if copies is None and width != d:
            raise InputError(
                f"the network has {width} neurons behind block {i} and the target {d}: state what "
                f"they stand for in provenance['copies']"
            )
        neurons = np.arange(d) if copies is None else copies
        most = d if kind.linear else d - 1  # tanh(1) is not 1
        if int(neurons.max(initial=0)) > most:
            raise InputError(
                f"provenance['copies'][{i}] names target neuron {int(neurons.max())}; behind "
                f"{kind} a unit may stand for neurons up to {most}"
            )
        found.append(neurons)
    return found


def _root_up(value: Fraction) -> Fraction:
    return Fraction(math.isqrt((value.numerator << 128) // value.denominator + 1) + 1, 1 << 64)
