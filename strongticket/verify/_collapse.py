r"""Collapse: a pruned block of layers is exactly one layer of effective weights.

Let y be what a block of b layers reads. Every neuron inside it is, provably, a *form*

.. math:: \sum_k c^+_k y_k^+ + c^-_k y_k^- + c, \qquad y^+ = \max(y, 0),\ y^- = \max(-y, 0),

with integers c on one grid. An affine map of forms is a form. The ReLU of a form is a form, with
the positive parts of the coefficients, where

- the form depends on one y_k alone or is constant (y_k^+ and y_k^- are never both positive), or
- all its coefficients are >= 0 (it is never negative), or all are <= 0 (it is never positive).

A neuron inside a block that is none of these is refused by name. So the block's outputs, before
their ReLU, are forms: :math:`w^+ = c^+` acts on inputs >= 0 and :math:`w^- = -c^-` on inputs < 0.
Behind a ReLU, y >= 0 and the y^- are left out. A block of one layer is its kept weights.

Two layers for one (Malach et al. 2020, Pensia et al. 2020): every neuron inside keeps one input of
weight a_h, and :math:`w^\pm_j` sums :math:`b_{jh} a_h` over those with a_h > 0, or a_h < 0.

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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from strongticket.tickets import Ticket
from strongticket.verify._forms import Forms, exponent_of
from strongticket.verify._structure import Ints, structure


@dataclass(frozen=True)
class Collapsed:
    """One effective layer: weight = integer * 2^exponent.

    `plus` and `minus` (n_out, n_in) act on inputs >= 0 and < 0; `bias` (n_out,) is added; Python
    integers where 63 bits are not enough. `copy_of` (n_out,) is the target neuron that each output
    stands for, the target's width there meaning the constant 1; None: that of its own number.

    Two layers for one: `hidden` are the live hidden neurons, `inputs` what each of them reads
    (d_in: its own bias), `kept` (d_out, live) which of their outgoing weights stay. Any other
    block has its kept flat indices in `masks`, by parameter.
    """

    plus: Ints
    minus: Ints
    bias: Ints
    exponent: int
    hidden: Ints
    inputs: Ints
    kept: NDArray[np.bool_]
    copy_of: Ints | None = None
    masks: dict[str, Ints] = field(default_factory=dict)


def collapse(ticket: Ticket) -> tuple[Collapsed, ...]:
    """The effective layers of a ticket; InputError where its structure cannot be proved."""
    found = structure(ticket)
    layers = []
    for i, (start, size) in enumerate(zip(found.starts, found.blocks, strict=False)):
        pair = _pair(ticket, start, found.copies[i]) if size == 2 else None
        layers.append(pair or _block(ticket, start, size, found.copies[i]))
    return tuple(layers)


def _block(ticket: Ticket, start: int, size: int, copy_of: Ints | None) -> Collapsed:
    """Any block, by the forms of its neurons."""
    reads = ticket.network[f"layers.{start}.weight"].shape[1]
    forms = Forms.inputs(reads, signed=start == 0)
    masks = {}
    for layer in range(start, start + size):
        forms = forms.through(ticket, layer)
        if layer < start + size - 1:
            forms = forms.rectified(f"layers.{layer}")
        for name in (f"layers.{layer}.weight", f"layers.{layer}.bias"):
            if name in ticket.mask:
                masks[name] = ticket.mask[name].indices()
    none = np.empty(0, np.int64)
    plus, minus, bias = forms.dense()
    kept = np.zeros((len(plus), 0), np.bool_)
    return Collapsed(plus, minus, bias, forms.exponent, none, none, kept, copy_of, masks)


def _pair(ticket: Ticket, start: int, copy_of: Ints | None) -> Collapsed | None:
    """Two layers for one, at the speed of int64; None where it is no such pair."""
    network, mask = ticket.network, ticket.mask
    first, second = f"layers.{start}", f"layers.{start + 1}"
    width, d_in = network[f"{first}.weight"].shape
    d_out = network[f"{second}.weight"].shape[0]
    if f"{second}.bias" in mask and mask[f"{second}.bias"].kept:
        return None

    hidden, inputs = np.divmod(mask[f"{first}.weight"].indices(), d_in)
    units = network.units_at(f"{first}.weight", hidden * d_in + inputs).astype(np.int64)
    exponents = [exponent_of(network, f"{name}.weight") for name in (first, second)]
    if f"{first}.bias" in mask:
        own = mask[f"{first}.bias"].indices()
        hidden = np.concatenate([hidden, own])
        inputs = np.concatenate([inputs, np.full(own.size, d_in)])
        units = np.concatenate([units, network.units_at(f"{first}.bias", own).astype(np.int64)])
        if own.size and exponent_of(network, f"{first}.bias") != exponents[0]:
            return None
    order = np.argsort(hidden, kind="stable")
    hidden, inputs, units = hidden[order], inputs[order], units[order]
    if (np.diff(hidden) == 0).any():
        return None

    rows, sources = np.divmod(mask[f"{second}.weight"].indices(), width)
    slot = np.searchsorted(hidden, sources)
    fed = hidden[np.minimum(slot, hidden.size - 1)] == sources if hidden.size else slot < 0
    if not fed.all():  # some read a neuron that is always 0: true, but not in short
        return None
    outgoing = network.units_at(f"{second}.weight", rows * width + sources).astype(np.int64)
    largest = int(np.abs(outgoing).max(initial=0)) * int(np.abs(units).max(initial=0))
    terms = int(np.bincount(rows * (d_in + 1) + inputs[slot]).max(initial=0))
    if largest * terms >= 1 << 63:
        return None

    sums = np.zeros((2, d_out, d_in + 1), np.int64)
    group = (units[slot] < 0).astype(np.int64)
    np.add.at(sums, (group, rows, inputs[slot]), outgoing * units[slot])
    kept = np.zeros((d_out, hidden.size), np.bool_)
    kept[rows, slot] = True
    # A neuron with its own bias as only input is relu(bias): nothing where that is negative.
    return Collapsed(
        plus=sums[0, :, :d_in],
        minus=sums[1, :, :d_in],
        bias=sums[0, :, d_in],
        exponent=sum(exponents),
        hidden=hidden,
        inputs=inputs,
        kept=kept,
        copy_of=copy_of,
    )
