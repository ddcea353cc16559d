r"""Collapse: a pruned pair of layers is exactly a layer of effective weights.

With one live incoming weight a_h a hidden neuron, :math:`\sum_h b_{jh} \sigma(a_h y)` equals
:math:`w^+_j y` for y >= 0 and :math:`w^-_j y` for y < 0, where :math:`w^\pm_j` sums
:math:`b_{jh} a_h` over the neurons with a_h > 0, or a_h < 0. All of it is integers on one grid.

What a ticket says of its structure is in its provenance:

``provenance["blocks"]``
    ``[b_1, ..., b_L]``, integers >= 1: target layer i is realised by the next b_i layers of the
    ticket's network. Without it every target layer has two. Layer i of the target ends in a ReLU
    of the network's at the end of its block (the last in none).

``provenance["copies"]``
    ``[c_1, ..., c_{L-1}]``: for each hidden layer l of the target (its boundary between block l
    and block l + 1) what the network's neurons there stand for, as run lengths
    ``[[target neuron, count], ...]`` that add up to the network's width there, or None (each
    neuron stands for that of its own number, and the widths are equal). Target neuron d_l (one
    past the last) means the constant 1, which carries biases of deeper layers. A target neuron
    may have any number of copies, also none. Without the key there are no copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Collapsed:
    """One effective layer: weight = integer * 2^exponent.

    `plus` and `minus` (d_out, d_in) act on inputs >= 0 and < 0; `bias` (d_out,) is added. `hidden`
    are the live hidden neurons, `inputs` what each of them reads (d_in: its own bias), `kept`
    (d_out, live) which of their outgoing weights stay.
    """

    plus: Ints
    minus: Ints
    bias: Ints
    exponent: int
    hidden: Ints
    inputs: Ints
    kept: NDArray[np.bool_]


def collapse(ticket: Ticket) -> tuple[Collapsed, ...]:
    """The effective layers of a ticket of depth 2L; InputError where it has not that structure."""
    architecture = ticket.network.architecture
    if not isinstance(architecture, MLP) or architecture.depth % 2:
        raise InputError(
            "certificates are for tickets of a Network.mlp of even depth (two layers for one); "
            f"got {architecture}"
        )
    return tuple(_pair(ticket, architecture, layer) for layer in range(architecture.depth // 2))


def _pair(ticket: Ticket, architecture: MLP, layer: int) -> Collapsed:
    d_in, width, d_out = architecture.widths[2 * layer : 2 * layer + 3]
    first, second = f"layers.{2 * layer}", f"layers.{2 * layer + 1}"
    network, mask = ticket.network, ticket.mask
    if architecture.biases[2 * layer + 1] and mask[f"{second}.bias"].kept:
        raise InputError(f"{second}.bias keeps weights; a two-layers-for-one ticket prunes them")

    hidden, inputs = np.divmod(mask[f"{first}.weight"].indices(), d_in)
    units = network.units_at(f"{first}.weight", hidden * d_in + inputs).astype(np.int64)
    if architecture.biases[2 * layer]:
        own = mask[f"{first}.bias"].indices()
        hidden = np.concatenate([hidden, own])
        inputs = np.concatenate([inputs, np.full(own.size, d_in)])
        units = np.concatenate([units, network.units_at(f"{first}.bias", own).astype(np.int64)])
    order = np.argsort(hidden, kind="stable")
    hidden, inputs, units = hidden[order], inputs[order], units[order]
    if (np.diff(hidden) == 0).any():
        twice = int(hidden[:-1][np.diff(hidden) == 0][0])
        raise InputError(
            f"hidden neuron {twice} of {first} keeps two inputs; in a two-layers-for-one ticket "
            "every hidden neuron keeps one at the most"
        )

    rows, sources = np.divmod(mask[f"{second}.weight"].indices(), width)
    slot = np.searchsorted(hidden, sources)
    fed = hidden[np.minimum(slot, hidden.size - 1)] == sources if hidden.size else slot < 0
    if not fed.all():
        raise InputError(
            f"hidden neuron {int(sources[~fed][0])} of {first} keeps no input but is read by "
            f"{second}; it always outputs 0: prune its outgoing weights"
        )
    outgoing = network.units_at(f"{second}.weight", rows * width + sources).astype(np.int64)
    products = outgoing * units[slot]
    laws = [network[f"{name}.weight"].law for name in (first, second)]
    exponents = [law.exponent for law in laws]
    if exponents[0] is None or exponents[1] is None:
        raise InputError(f"the laws of {first} and {second} need power-of-two scales")
    if architecture.biases[2 * layer] and network[f"{first}.bias"].law != laws[0]:
        raise InputError(f"{first}.weight and {first}.bias need one law, to lie on one grid")
    terms = int(np.bincount(rows * (d_in + 1) + inputs[slot]).max(initial=0))
    if products.size and int(np.abs(products).max()) * terms >= 1 << 63:
        raise InputError(f"a subset sum of {first} and {second} may overflow 63 bits")

    sums = np.zeros((2, d_out, d_in + 1), np.int64)
    group = (units[slot] < 0).astype(np.int64)
    np.add.at(sums, (group, rows, inputs[slot]), products)
    kept = np.zeros((d_out, hidden.size), np.bool_)
    kept[rows, slot] = True
    # A neuron with its own bias as only input is relu(bias): nothing where that is negative.
    return Collapsed(
        plus=sums[0, :, :d_in],
        minus=sums[1, :, :d_in],
        bias=sums[0, :, d_in],
        exponent=exponents[0] + exponents[1],
        hidden=hidden,
        inputs=inputs,
        kept=kept,
    )
