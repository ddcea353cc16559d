"""Dead-neuron removal in `compact()` against networkx reachability on the kept graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

from strongticket import Mask, Network, Ticket, Uniform


@pytest.mark.parametrize("seed", range(12))
def test_compact_keeps_exactly_the_neurons_on_a_path(seed: int) -> None:
    generator = np.random.default_rng(seed)
    widths = (4, 9, 7, 8, 3)
    network = Network.mlp(widths, laws=Uniform(1.0), seed=seed, biases=(True, False, False, False))
    bits = {p.name: generator.random(p.shape) < 0.2 for p in network.parameters}

    graph = nx.DiGraph()
    for layer in range(4):
        graph.add_nodes_from((layer, k) for k in range(widths[layer]))
        rows, columns = np.nonzero(bits[f"layers.{layer}.weight"])
        graph.add_edges_from(
            ((layer, int(k)), (layer + 1, int(j))) for j, k in zip(rows, columns, strict=True)
        )
    fed = [(0, k) for k in range(4)] + [(1, int(j)) for j in np.flatnonzero(bits["layers.0.bias"])]
    graph.add_edges_from(("source", node) for node in fed)
    graph.add_edges_from(((4, j), "sink") for j in range(3))
    alive = nx.descendants(graph, "source") & nx.ancestors(graph, "sink")

    widths_seen: list[int] = []
    module = Ticket(network, Mask.dense(bits)).compact()
    for layer_module in module.get_submodule("layers").children():
        layer_module.register_forward_hook(lambda m, i, out: widths_seen.append(out.shape[-1]))
    module(torch.zeros(1, 4))
    assert widths_seen[:3] == [sum(node[0] == i for node in alive) for i in (1, 2, 3)]
