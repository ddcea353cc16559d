r"""Depth L + 1 with error zero: copies of every hidden neuron, and weights used directly.

The first two random layers make several copies of each neuron of the first hidden layer, exactly.
From there on copy c of neuron j chooses for every neuron i below a subset S of the copies of i with

.. math:: \sum_{k \in S} u_{(j,c),(i,k)} = w_{ji},

in integers. All copies are equal, so nothing is amplified. Layers are solved from the last to the
first, so that copies that nobody reads are not made.

Source: Kumar and Natale 2025 (arXiv 2508.11020), Theorem 2, after Burkholz 2022.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._exact import _group, exact_subset, integers, unbiased
from strongticket.construct._pool import Pool
from strongticket.errors import ConstructionError, InputError
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]


def exact_copies(network: Network, target: Target) -> Ticket:
    """Prune a random network of depth L + 1 until it equals the target, weight by weight.

    `network` has widths (d_0, n_1 d_0, n_2 d_1, ..., n_L d_{L-1}, d_L): n_{l+1} copies of each
    neuron of hidden layer l, side by side. Weights of the target are multiples of the second
    random layer's unit times the first's, or of the random layer's own. No biases. Raises
    InputError where a weight is off the grid, ConstructionError where there is no subset.
    """
    unbiased(target)
    copies = _copies(network, target)
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    rows = np.arange(target.widths[-1])  # what is read of the layer above, copies included
    for layer in range(target.depth - 1, 0, -1):
        name = f"layers.{layer + 1}.weight"
        edges = _direct(network, target, layer, rows, copies[layer - 1], copies[layer])
        kept[name] = (network[name].shape, edges)
        rows = np.unique(edges % network[name].shape[1])
    pool = Pool(network, 0, has_bias=False)
    goals = np.zeros((pool.outputs, pool.inputs), np.int64)
    goals[rows] = integers(target, 0, pool.exponent)[rows // copies[0]]
    found: list[int] = []
    for sign in (1,) if target.domain.nonnegative else (1, -1):
        found += _group(pool, goals, sign, 0)[0]
    chosen = np.array(sorted(found), np.int64)
    hidden = np.unique(chosen % pool.hidden)
    kept[pool.first] = ((pool.hidden, pool.inputs), hidden * pool.inputs + hidden // pool.size)
    kept[pool.second] = ((pool.outputs, pool.hidden), chosen)
    provenance: dict[str, Any] = {
        "construction": "copies, depth L + 1, exactly",
        "target": target.digest,
        "blocks": [2] + [1] * (target.depth - 1),
        "copies": [
            [[neuron, count] for neuron in range(width)]
            for width, count in zip(target.widths[1:-1], copies[:-1], strict=True)
        ],
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def _copies(network: Network, target: Target) -> list[int]:
    """The copies of each neuron after every target layer; 1 after the last."""
    architecture = network.architecture
    widths = architecture.widths if isinstance(architecture, MLP) else ()
    wanted = target.widths
    fits = len(widths) == target.depth + 2 and widths[0] == wanted[0] and widths[-1] == wanted[-1]
    if not fits or any(a % b for a, b in zip(widths[1:-1], wanted[:-1], strict=True) if fits):
        raise InputError(
            f"the network needs depth {target.depth + 1} and widths (d_0, n_1 d_0, n_2 d_1, ..., "
            f"d_L) for the target's {wanted}, got {architecture}"
        )
    return [a // b for a, b in zip(widths[2:], wanted[1:], strict=True)]


def _direct(
    network: Network, target: Target, layer: int, rows: Ints, below: int, above: int
) -> Ints:
    """Kept flat indices of one random layer whose weights are used directly."""
    name = f"layers.{layer + 1}.weight"
    width = network[name].shape[1]
    exponent = network[name].law.exponent
    if exponent is None:
        raise InputError(f"{name} needs a law with a power-of-two scale, got {network[name].law}")
    goals = integers(target, layer, exponent)
    edges: list[int] = []
    for row in rows.tolist():
        units = network.units(name, row * width, width).reshape(-1, below).tolist()
        for i, goal in enumerate(goals[row // above].tolist()):
            chosen = exact_subset(units[i], goal)
            if chosen is None:
                raise ConstructionError(
                    f"no subset of {below} copies of neuron {i} sums to weight ({row // above}, "
                    f"{i}) of layer {layer}, {goal} steps; draw another network, or a wider one "
                    "(theorem.network)"
                )
            edges += [row * width + i * below + k for k in chosen]
    return np.array(sorted(edges), np.int64)
