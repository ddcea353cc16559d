"""Kept edges, layer by layer, become the ticket of a network of depth 2L."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """What one target layer keeps of its two random layers.

    Attributes:
        layer: The target layer l; the random layers are 2 l and 2 l + 1.
        sizes: (inputs, hidden neurons, outputs).
        edges: Flat indices output * hidden + neuron of the kept outgoing weights, unsorted.
        reads: The input that each hidden neuron of `edges` reads; `inputs` for its own bias.
        report: What the ticket's provenance says of this layer.
    """

    layer: int
    sizes: tuple[int, int, int]
    edges: Ints
    reads: Ints
    report: dict[str, Any]


def assemble(network: Network, target: Target, name: str, pairs: Sequence[Pair]) -> Ticket:
    """The ticket that keeps these edges, one input a live neuron, and nothing else."""
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    reports = []
    for pair in pairs:
        inputs, hidden, outputs = pair.sizes
        first, second = f"layers.{2 * pair.layer}", f"layers.{2 * pair.layer + 1}"
        live, at = np.unique(pair.edges % hidden, return_index=True)
        reads = pair.reads[at]
        own = reads == inputs
        kept[f"{second}.weight"] = ((outputs, hidden), np.unique(pair.edges))
        kept[f"{first}.weight"] = ((hidden, inputs), live[~own] * inputs + reads[~own])
        if f"{first}.bias" in network.masked:
            kept[f"{first}.bias"] = ((hidden,), live[own])
        reports.append(
            {**pair.report, "live_neurons": live.size, "kept": live.size + pair.edges.size}
        )
    for parameter in network.masked:  # biases of even sub-layers: all pruned
        kept.setdefault(parameter, (network[parameter].shape, np.empty(0, np.int64)))
    provenance: dict[str, Any] = {
        "construction": name,
        "target": target.digest,
        "layers": reports,
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)
