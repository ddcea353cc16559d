"""`compact()` of networks wider than memory: what it holds grows with what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from strongticket import Mask, Network, Ticket, Uniform
from strongticket.tickets import _modules


def test_a_layer_wider_than_memory() -> None:
    width, first, last = 1 << 40, 7, (1 << 40) - 1
    network = Network.mlp((2, width, 2), laws=Uniform(), seed=0)
    kept = {
        "layers.0.weight": ((width, 2), np.array([2 * first + 1, 2 * last])),
        "layers.1.weight": ((2, width), np.array([first, width + last])),
    }
    ticket = Ticket(network, Mask.sparse(kept))
    x = torch.rand(5, 2)
    a, b = (ticket.kept_weights(f"layers.{i}.weight") for i in (0, 1))
    y = ticket.compact()(x)
    for j in (0, 1):
        assert torch.equal(y[:, j], torch.relu(x[:, 1 - j] * float(a[j])) * float(b[j]))
    assert (a != 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_tables_and_searches_find_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    network = Network.mlp((3, 9, 8, 2), biases=True, laws=Uniform(), seed=seed)
    bits = {p.name: rng.random(p.shape) < 0.25 for p in network.parameters}
    ticket = Ticket(network, Mask.dense(bits))
    x = torch.rand(6, 3)
    wanted = ticket.compact()(x)
    monkeypatch.setattr(_modules, "_TABLE", 0)
    assert torch.equal(ticket.compact()(x), wanted)
    torch.testing.assert_close(ticket.module()(x), wanted)
