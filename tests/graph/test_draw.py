"""Pictures of gadgets: the graph is the ticket, edge by edge, and the file is a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strongticket import Mask, Network, Ticket, Uniform
from strongticket.errors import InputError
from strongticket.graph import draw, gadget
from strongticket.tickets import Reading


def ticket(biases: bool = True) -> Ticket:
    """2-3-1 with one live path, one neuron that nothing reads and one that reads nothing."""
    network = Network.mlp((2, 3, 1), laws=Uniform(), seed=3, biases=(biases, False))
    bits = {
        "layers.0.weight": np.array([[1, 0], [0, 1], [0, 0]], bool),
        "layers.1.weight": np.array([[1, 0, 1]], bool),
    }
    if biases:
        bits["layers.0.bias"] = np.array([1, 0, 0], bool)
    return Ticket(network, Mask.dense(bits))


def test_the_graph_has_the_weights_and_the_mask() -> None:
    made = ticket()
    found = gadget(made)
    for i in (0, 1):
        weights = made.network.weights(f"layers.{i}.weight")
        kept = made.mask[f"layers.{i}.weight"].dense()
        for (row, column), weight in np.ndenumerate(weights):
            edge = found.edges[(i, column), (i + 1, row)]
            assert edge["weight"] == weight
            assert edge["kept"] == kept[row, column]
    assert found.edges[(0, "1"), (1, 0)]["kept"]
    assert not found.edges[(0, "1"), (1, 1)]["kept"]
    assert found.number_of_edges() == 2 * 3 + 3 + 3


def test_kept_edges_have_the_weights_that_the_ticket_has() -> None:
    plain = ticket()
    reading = Reading({"layers.0.weight": np.array([3, 0])}, {"layers.1.weight": np.array([-1, 2])})
    made = Ticket(plain.network, plain.mask, reading=reading)
    found = gadget(made)
    first, last = made.kept_weights("layers.0.weight"), made.kept_weights("layers.1.weight")
    assert found.edges[(0, 0), (1, 0)]["weight"] == first[0]
    assert first[0] != plain.kept_weights("layers.0.weight")[0]
    assert [found.edges[(1, k), (2, 0)]["weight"] for k in (0, 2)] == last.tolist()
    assert (last == plain.kept_weights("layers.1.weight") * [-1, 2]).all()
    pruned = found.edges[(0, 1), (1, 0)]["weight"]
    assert pruned == made.network.weights("layers.0.weight")[0, 1]


def test_live_neurons_lie_on_a_path_of_kept_edges() -> None:
    live = {n for n, alive in gadget(ticket(biases=False)).nodes(data="live") if alive}
    assert live == {(0, 0), (1, 0), (2, 0)}
    assert (0, "1") in {n for n, alive in gadget(ticket()).nodes(data="live") if alive}


def test_a_picture_is_written_and_repeats(tmp_path: Path) -> None:
    first = draw(ticket(), tmp_path / "a.png", "a gadget").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert draw(ticket(), tmp_path / "b.png", "a gadget").read_bytes() == first
    assert draw(ticket(biases=False), tmp_path / "c.png").read_bytes() != first


def test_a_network_too_large_to_be_seen_is_refused() -> None:
    network = Network.mlp((64, 64, 1), laws=Uniform(), seed=0)
    empty = {p.name: (p.shape, np.empty(0, np.int64)) for p in network.parameters}
    with pytest.raises(InputError, match="up to 4,000 weights, this network has 4,160"):
        gadget(Ticket(network, Mask.sparse(empty)))
