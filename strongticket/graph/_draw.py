"""A ticket as a picture: neurons in layers, kept edges with their weights, pruned ones faint."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.files import write_whole
from strongticket.networks import MLP
from strongticket.tickets import Ticket

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes

LARGEST = 4000  # edges: beyond this a picture shows nothing
_LABELLED = 24  # kept edges that are few enough to carry their weight as text
_POSITIVE, _NEGATIVE, _PRUNED = "#1f6fb2", "#c8442f", "#c9c9c9"


def gadget(ticket: Ticket) -> networkx.DiGraph:
    """The random network of a ticket as a directed graph, every edge kept or pruned.

    Nodes are (layer, neuron), and (layer, "1") is the constant that a layer's biases read; each
    has its `layer` and whether it is `live` (on a path of kept edges from an input or a constant
    to an output). Edges have `kept`, and the `weight`: where kept that of the ticket, where pruned
    the network's own. Raises InputError for a network that is no MLP, or has more than 4,000
    weights.
    """
    import networkx

    architecture = ticket.network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("a gadget is drawn for a Network.mlp; this ticket is of a user's model")
    total = sum(p.numel for p in ticket.network.parameters)
    if total > LARGEST:
        raise InputError(f"a picture shows up to {LARGEST:,} weights, this network has {total:,}")
    found = networkx.DiGraph()
    for layer, width in enumerate(architecture.widths):
        for neuron in range(width):
            found.add_node((layer, neuron), layer=layer)
    for i, (d_in, d_out) in enumerate(itertools.pairwise(architecture.widths)):
        name = f"layers.{i}.weight"
        weights, kept = _weights(ticket, name)
        for row, column in np.ndindex(d_out, d_in):
            found.add_edge(
                (i, column),
                (i + 1, row),
                weight=float(weights[row, column]),
                kept=bool(kept[row, column]),
            )
        if architecture.biases[i]:
            name = f"layers.{i}.bias"
            weights, kept = _weights(ticket, name)
            found.add_node((i, "1"), layer=i)
            for row in range(d_out):
                edge = (i, "1"), (i + 1, row)
                found.add_edge(*edge, weight=float(weights[row]), kept=bool(kept[row]))
    _mark_live(found, architecture.depth)
    return found


def _weights(ticket: Ticket, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A parameter's weights, those that are kept as the ticket has them; and which are."""
    weights, kept = np.array(ticket.network.weights(name)), ticket.mask[name].dense()
    weights[kept] = ticket.kept_weights(name)
    return weights, kept


def _mark_live(found: networkx.DiGraph, depth: int) -> None:
    import networkx

    kept = networkx.DiGraph()
    kept.add_nodes_from(found)
    kept.add_edges_from((a, b) for a, b, data in found.edges(data=True) if data["kept"])
    sources = [n for n in found if n[0] == 0 or n[1] == "1"]
    ends = [n for n in found if n[0] == depth]
    below = set(sources).union(*(networkx.descendants(kept, n) for n in sources))
    above = set(ends).union(*(networkx.ancestors(kept, n) for n in ends))
    for node in found:
        found.nodes[node]["live"] = node in below and node in above


def draw(ticket: Ticket, path: str | os.PathLike[str], title: str = "") -> Path:
    """Write the picture of a small ticket as PNG, whole or not at all.

    Kept edges are blue (positive) or red (negative), as thick as their weight is large, and carry
    it as text where they are few; pruned edges are faint grey, dead neurons hollow.
    """
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = gadget(ticket)
    widest = max(ticket.network.architecture.widths)  # type: ignore[union-attr]
    figure = Figure(figsize=(9, min(3 + 0.16 * widest, 9)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _paint(found, axes)
    kept = sum(data["kept"] for *_, data in found.edges(data=True))
    axes.set_title(f"{title or ticket}\n{kept} of {found.number_of_edges()} edges kept", fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, metadata={"Software": None})
    return write_whole(path, image.getvalue())


def _paint(found: networkx.DiGraph, axes: Axes) -> None:
    import networkx

    place = {}
    layers: dict[int, list[Any]] = {}
    for node, layer in found.nodes(data="layer"):
        layers.setdefault(layer, []).append(node)
    for layer, nodes in layers.items():
        for k, node in enumerate(nodes):
            place[node] = (layer, 1 - (k + 0.5) / len(nodes))
    kept = [(a, b, d["weight"]) for a, b, d in found.edges(data=True) if d["kept"]]
    pruned = [(a, b) for a, b, d in found.edges(data=True) if not d["kept"]]
    small = max(4.0, min(160.0, 2600 / max(map(len, layers.values()))))
    shared = {"arrows": False, "ax": axes}
    networkx.draw_networkx_edges(
        found, place, pruned, edge_color=_PRUNED, width=0.35, alpha=0.55, **shared
    )
    largest = max((abs(w) for *_, w in kept), default=1.0)
    for sign, colour in ((1, _POSITIVE), (-1, _NEGATIVE)):
        edges = [(a, b, w) for a, b, w in kept if w * sign > 0]
        networkx.draw_networkx_edges(
            found,
            place,
            [(a, b) for a, b, _ in edges],
            edge_color=colour,
            width=[0.6 + 1.8 * abs(w) / largest for *_, w in edges],
            **shared,
        )
    for live, filled in ((True, "black"), (False, "white")):
        nodes = [n for n, alive in found.nodes(data="live") if alive == live]
        networkx.draw_networkx_nodes(
            found,
            place,
            nodes,
            node_size=small,
            node_color=filled,
            edgecolors="black" if live else "#9a9a9a",
            linewidths=0.6,
            ax=axes,
        )
    if len(kept) <= _LABELLED:
        labels = {(a, b): f"{w:.3g}" for a, b, w in kept}
        networkx.draw_networkx_edge_labels(
            found, place, labels, font_size=6, label_pos=0.33, rotate=False, ax=axes
        )
    ends = {layer: f"hidden layer {layer}" for layer in layers}
    ends[0], ends[max(layers)] = "inputs", "outputs"
    for layer, text in ends.items():
        axes.text(layer, -0.06, text, ha="center", va="top", fontsize=7)
    axes.set_ylim(-0.14, 1.05)
    axes.set_axis_off()
