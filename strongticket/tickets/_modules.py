"""Tickets as torch modules: the full pruned network, a compact one, and a user's own model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.networks._modules import ReluNetwork
from strongticket.networks._sample import (
    named_buffers,
    named_parameters,
    saved_buffers,
    write_frozen,
)

if TYPE_CHECKING:
    from strongticket.tickets._ticket import Ticket

Indices = NDArray[np.int64]
_TABLE = 1 << 24  # neurons of a layer for which a table is made


class GatherScale(nn.Module):
    """A layer whose neurons keep one input each at most: out_h = scale_h x_{index_h} + bias_h."""

    def __init__(self, index: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("index", index)
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, d_in) -> (batch, live neurons)."""
        index: torch.Tensor = self.index  # type: ignore[assignment]
        return x.index_select(-1, index) * self.scale + self.bias


def full(ticket: Ticket) -> nn.Module:
    """The pruned network at full width."""
    arrays: dict[str, torch.Tensor] = {}
    for parameter in ticket.network.parameters:
        array = np.zeros(parameter.numel, np.float32)
        array[ticket.mask[parameter.name].indices()] = ticket.kept_weights(parameter.name)
        arrays[parameter.name] = torch.from_numpy(array.reshape(parameter.shape))
    architecture = _mlp(ticket)
    layers: list[nn.Module] = []
    for i, bias in enumerate(architecture.biases):
        layers.append(
            _linear(arrays[f"layers.{i}.weight"], arrays[f"layers.{i}.bias"] if bias else None)
        )
    return ReluNetwork(layers, architecture.activation)


def compact(ticket: Ticket) -> nn.Module:
    """The pruned network without its dead neurons.

    A hidden neuron lives if it keeps a bias or a weight from a living neuron, and a weight to
    one: all others output 0 or are not read. Behind a sigmoid nothing outputs 0, and a neuron
    lives if it keeps a weight to a living one.
    """
    architecture = _mlp(ticket)
    depth, widths = architecture.depth, architecture.widths
    edges = []
    for i in range(depth):
        rows, columns = np.divmod(ticket.mask[f"layers.{i}.weight"].indices(), widths[i])
        edges.append((rows, columns, ticket.kept_weights(f"layers.{i}.weight")))
    biases = [_bias(ticket, i) for i in range(depth)]

    # Lists of neurons: a layer is as wide as its theorem asks, and may be wider than memory.
    live = [np.arange(widths[0])]
    for i in range(depth - 1):
        rows, columns, _ = edges[i]
        if architecture.activation.at_zero != 0:
            live.append(np.arange(widths[i + 1]))
        else:
            fed = rows[_slots(live[i], columns, widths[i]) >= 0]
            live.append(np.union1d(fed, biases[i][0]))
    live.append(np.arange(widths[depth]))
    for i in range(depth - 1, 0, -1):
        rows, columns, _ = edges[i]
        read = columns[_slots(live[i + 1], rows, widths[i + 1]) >= 0]
        live[i] = np.intersect1d(live[i], read)

    layers: list[nn.Module] = []
    for i, (rows, columns, weights) in enumerate(edges):
        inputs = _slots(live[i], columns, widths[i])
        outputs = _slots(live[i + 1], rows, widths[i + 1])
        kept = (inputs >= 0) & (outputs >= 0)
        r, c, w = outputs[kept], inputs[kept], weights[kept]
        n_out, n_in = live[i + 1].size, live[i].size
        bias = torch.zeros(n_out)
        slots = _slots(live[i + 1], biases[i][0], widths[i + 1])
        bias[torch.from_numpy(slots[slots >= 0])] = torch.from_numpy(biases[i][1][slots >= 0])
        if n_in and (not r.size or np.bincount(r).max() <= 1):
            index, scale = np.zeros(n_out, np.int64), np.zeros(n_out, np.float32)
            index[r], scale[r] = c, w
            layers.append(GatherScale(torch.from_numpy(index), torch.from_numpy(scale), bias))
        else:
            dense = torch.zeros(n_out, n_in)
            dense[torch.from_numpy(r), torch.from_numpy(c)] = torch.from_numpy(w)
            layers.append(_linear(dense, bias if bias.any() else None))
    return ReluNetwork(layers, architecture.activation)


def _slots(live: Indices, wanted: Indices, width: int) -> Indices:
    """Where each of the wanted neurons stands among the live ones (increasing), or -1."""
    if width <= _TABLE:  # looked up: faster than searched
        table = np.full(width, -1, np.int64)
        table[live] = np.arange(live.size)
        found: Indices = table[wanted]
        return found
    slot = np.searchsorted(live, wanted)
    there = live[np.minimum(slot, live.size - 1)] == wanted if live.size else slot < 0
    return np.where(there, slot, -1)


def fill(ticket: Ticket, model: nn.Module) -> nn.Module:
    """Write weights times mask, constants and buffers into a user's model."""
    buffers = named_buffers(model)
    for name, value in ticket.buffers.items():
        if name not in buffers or tuple(buffers[name].shape) != value.shape:
            came = tuple(buffers[name].shape) if name in buffers else "no such buffer"
            raise InputError(f"the model needs a buffer {name} of shape {value.shape}, got {came}")
    lacking = sorted(set(saved_buffers(model)) - set(ticket.buffers))
    if lacking:
        raise InputError(
            f"the ticket must hold the model's buffers, it has none for {', '.join(lacking)}: they "
            "would keep values of their own; make the ticket with the buffers of its model, as "
            "search.ticket() does"
        )
    write_frozen(ticket.network, model)
    present = dict(named_parameters(model))
    with torch.no_grad():
        for name, entries in ticket.mask.items():
            weights = np.zeros(entries.total, np.float32)
            weights[entries.indices()] = ticket.kept_weights(name)
            found = torch.from_numpy(weights.reshape(entries.shape))
            present[name].copy_(found.to(present[name].dtype))
        for name, value in ticket.buffers.items():
            buffers[name].copy_(torch.from_numpy(np.array(value)))
    return model


def _mlp(ticket: Ticket) -> MLP:
    architecture = ticket.network.architecture
    assert isinstance(architecture, MLP)
    return architecture


def _bias(ticket: Ticket, layer: int) -> tuple[Indices, NDArray[np.float32]]:
    """The neurons with a bias other than 0, and these biases."""
    name = f"layers.{layer}.bias"
    if not _mlp(ticket).biases[layer]:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    indices, values = ticket.mask[name].indices(), ticket.kept_weights(name)
    return indices[values != 0], values[values != 0]


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=bias is not None)  # torch warns of one with nothing in it
    layer.out_features, layer.in_features = weight.shape
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer
