r"""Bias laws scaled like the activations, biases as a constant input, and mirrored sources; exact.

With :math:`t_1, \dots, t_K` powers of two, multiply the weights of layer k by t_k and its biases
by :math:`t_1 \cdots t_k`. A ReLU network is positively homogeneous in each layer, so under every
mask its output is multiplied by :math:`t_1 \cdots t_K` and nothing else changes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.errors import InputError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.theorems._algebra import Finding
from strongticket.tickets import Ticket

Big = NDArray[Any]


def scaled(network: Network, exponents: Sequence[int] | None = None) -> Network:
    r"""The same units under laws scaled by :math:`t_k = 2^{e_k}`, biases by the product so far.

    None takes for every layer the power of two nearest to He's rule, :math:`\sqrt{2/n_{k-1}}` as
    the standard deviation of a weight with n_{k-1} inputs, so that the standard deviation of the
    biases of layer l is, up to those roundings, :math:`\prod_{k \le l} \sqrt{2/n_{k-1}}`.
    """
    architecture = network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("scaled laws are for a Network.mlp")
    laws = [network[f"layers.{k}.weight"].law for k in range(architecture.depth)]
    if not all(isinstance(law, Uniform) for law in laws):
        raise InputError("scaled laws are for uniform weights of power-of-two scales")
    given = he_exponents(network) if exponents is None else tuple(exponents)
    if len(given) != architecture.depth:
        raise InputError(f"depth {architecture.depth} needs as many exponents, got {len(given)}")
    parameters, total = [], 0
    for k, power in enumerate(given):
        total += power
        for parameter in network.parameters:
            if parameter.name == f"layers.{k}.weight":
                parameters.append(replace(parameter, law=_times(parameter.law, power)))
            elif parameter.name == f"layers.{k}.bias":
                parameters.append(replace(parameter, law=_times(parameter.law, total)))
    return Network(architecture, tuple(parameters), network.seed)


def he_exponents(network: Network) -> tuple[int, ...]:
    """log2 of the factors that bring every layer's weights nearest to He's standard deviation."""
    found = []
    for k in range(len(network.architecture.widths) - 1):  # type: ignore[union-attr]
        parameter = network[f"layers.{k}.weight"]
        own = float(parameter.law.scale or 0) / math.sqrt(3)
        found.append(round(math.log2(math.sqrt(2 / parameter.shape[1]) / own)))
    return tuple(found)


def _times(law: Any, power: int) -> Uniform:
    return Uniform(float(law.scale) * 2.0**power)


def values(ticket: Ticket, x: Sequence[Fraction]) -> list[Fraction]:
    """The exact outputs of a pruned ReLU network, each array on its own law's grid."""
    network, mask = ticket.network, ticket.mask
    depth = len(network.architecture.widths) - 1  # type: ignore[union-attr]
    y: Big = np.array(list(x), object)
    for k in range(depth):
        name = f"layers.{k}.weight"
        rows, columns = np.divmod(mask[name].indices(), network[name].shape[1])
        z = np.zeros(network[name].shape[0], object)
        np.add.at(z, rows, _weights(ticket, name) * y[columns])
        if (bias := f"layers.{k}.bias") in network.masked:
            np.add.at(z, mask[bias].indices(), _weights(ticket, bias))
        y = np.maximum(z, 0) if k < depth - 1 else z
    return [Fraction(v) for v in y.tolist()]


def _weights(ticket: Ticket, name: str) -> Big:
    exponent = ticket.network[name].law.exponent
    assert exponent is not None
    units = ticket.network.units_at(name, ticket.mask[name].indices())
    found: Big = units.astype(object) * Fraction(2) ** exponent
    return found


def same_up_to_scale(ticket: Ticket) -> Finding:
    """The ticket's mask on the scaled source gives the product of all factors times its outputs."""
    d = ticket.network.architecture.widths[0]  # type: ignore[union-attr]
    points = list(itertools.product((Fraction(1), Fraction(0), Fraction(-3, 8)), repeat=d))
    depth = len(ticket.network.architecture.widths) - 1  # type: ignore[union-attr]
    choices = (he_exponents(ticket.network), tuple(range(-2, depth - 2)))
    for powers in choices:
        other = Ticket(scaled(ticket.network, powers), ticket.mask)
        factor = Fraction(2) ** sum(powers)
        for x in points:
            if values(other, x) != [factor * v for v in values(ticket, x)]:
                return False, f"exponents {powers}, x = {[str(v) for v in x]}"
    return True, f"equal fractions at {len(points)} inputs, exponents {choices[0]}, {choices[1]}"


def appended(target: Target) -> Finding:
    """A target with biases is one without, on inputs with a 1 appended and a neuron that is 1."""
    from strongticket.construct._copies import extended

    layers = extended(target)
    d = target.widths[0]
    for x in itertools.product((1.0, 0.5, -0.25), repeat=d):
        mine: Big = np.array([*map(Fraction, x), Fraction(1)], object)
        for i, (w, b) in enumerate(layers):
            whole = w if b is None else np.column_stack([w, b])
            z = _exact(whole).dot(mine if i or b is not None else mine[:-1])
            mine = np.maximum(z, 0) if i < len(layers) - 1 else z
        exact: Big = np.array([*map(Fraction, x)], object)
        for i, (w, shift) in enumerate(zip(target.weights, target.biases, strict=True)):
            z = _exact(w).dot(exact)
            if shift is not None:
                z = z + _exact(shift)
            exact = np.maximum(z, 0) if i < target.depth - 1 else z
        if mine.tolist() != exact.tolist():
            return False, f"x = {x}"
    return True, f"equal fractions at {3**d} inputs"


def _exact(array: NDArray[np.float32]) -> Big:
    flat = [Fraction(float(v)) for v in array.ravel()]
    return np.array(flat, object).reshape(array.shape)


# ---- looks-linear: [[U, -U], [-U, U]]


def mirrored(pairs: int, outputs: int, seed: int) -> tuple[Big, Big]:
    """Integer units of one mirrored pool: incoming (2 pairs,), outgoing (outputs, 2 pairs).

    The second half of the hidden neurons has the incoming and the outgoing weights of the first
    half with the opposite sign.
    """
    law = Uniform()

    def draw(name: str, count: int) -> NDArray[np.int64]:
        words = philox.words(seed, philox.stream("looks-linear", name), 0, count)
        return law.units(words).astype(np.int64)

    a, b = draw("a", pairs), draw("b", outputs * pairs).reshape(outputs, pairs)
    return np.concatenate([a, -a]), np.concatenate([b, -b], axis=1)


def linear_for_both_signs(trials: int) -> Finding:
    """Masks on pairs: the pruned mirrored pool is y -> (sum of b a) y, for y of either sign."""
    for seed in range(trials):
        pairs, outputs = 3 + seed % 7, 1 + seed % 3
        a, b = mirrored(pairs, outputs, seed)
        half = np.random.default_rng(seed).random((outputs, pairs)) < 0.5
        kept = np.concatenate([half, half], axis=1) * b
        wanted = (half * (b[:, :pairs] * a[:pairs])).sum(1)
        for y in (3, 0, -5):
            if (kept @ np.maximum(a * y, 0)).tolist() != (wanted * y).tolist():
                return False, f"seed {seed}, y = {y}"
    return True, f"equal integers in {3 * trials} cases"
