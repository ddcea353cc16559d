"""Planted tickets: the perfect answer scores perfectly, is hidden fairly, and is the only one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from strongticket import MLP, Mask, Network, SignedConstant, Ticket, Uniform, graph
from strongticket.analysis import Planted, plant, recovery
from strongticket.errors import InputError
from strongticket.networks import relu_network
from strongticket.search import EdgePopup
from strongticket.search.controls import random_mask, redrawn
from strongticket.testing import oracles


def network(*widths: int, seed: int = 0) -> Network:
    return Network.mlp(widths, laws=Uniform(), seed=seed)


def inputs(n: int, d: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def test_the_planted_ticket_is_perfect() -> None:
    planted = plant(network(8, 20, 16, 3), 0.3, seed=1)
    x = inputs(40, 8)
    found = planted.score(planted.ticket, x)
    assert found.exact
    assert (found.recovered, found.precision, found.distance, found.largest) == (1, 1, 0, 0)
    assert (found.agreement, found.loss_gap) == (1.0, 0.0)
    assert torch.equal(planted.labels(x), planted.ticket.module()(x))
    arrays = {name: entries.dense() for name, entries in planted.mask.items()}
    assert planted.score(arrays, x) == found
    assert planted.score(planted.mask).distance is None


def test_only_effective_weights_are_planted() -> None:
    for density in (0.1, 0.4):
        planted = plant(network(8, 20, 16, 3), density, seed=2)
        masks = {name: entries.dense() for name, entries in planted.mask.items()}
        assert {n: m.tolist() for n, m in masks.items()} == oracles.without_dead(masks)
        drawn = [oracles.keep_count(density, p.numel) for p in planted.network.parameters]
        assert planted.drawn == sum(drawn) >= planted.mask.kept
        assert planted.densities == {n: e.density for n, e in planted.mask.items()}


def test_every_weight_of_the_network_is_left_alone() -> None:
    net = network(8, 20, 3)
    planted = plant(net, 0.5, seed=3)
    for name in net.masked:
        kept = planted.mask[name].dense()
        assert np.array_equal(planted.ticket.kept_weights(name), net.weights(name)[kept])


def test_a_seed_is_a_mask_and_seeds_differ() -> None:
    net = network(8, 20, 3)
    assert plant(net, 0.3, seed=1).ticket == plant(net, 0.3, seed=1).ticket
    assert plant(net, 0.3, seed=1).mask != plant(net, 0.3, seed=2).mask
    each = plant(net, {"layers.0.weight": 1.0, "layers.1.weight": 0.1}, seed=1)
    assert each.drawn == 160 + 6


def test_units_bound_where_the_ticket_lies() -> None:
    planted = plant(network(6, 50, 40, 2), 1.0, seed=1, units=(3, 2))
    live = graph.live(planted.ticket)
    assert [int(layer.sum()) for layer in live] == [6, 3, 2, 2]
    assert planted.mask.kept == 6 * 3 + 3 * 2 + 2 * 2
    biased = Network.mlp((4, 9, 2), laws=Uniform(), seed=0, biases=(True, False))
    found = plant(biased, 1.0, seed=0, units=(2,))
    assert {n: e.kept for n, e in found.mask.items()} == {
        "layers.0.weight": 8,
        "layers.0.bias": 2,
        "layers.1.weight": 4,
    }


def test_the_score_counts_edges_and_measures_outputs() -> None:
    planted = plant(network(5, 12, 2), 0.4, seed=4)
    x = inputs(30, 5)
    bits = {name: entries.dense().copy() for name, entries in planted.mask.items()}
    gone = np.argwhere(bits["layers.1.weight"])[0]
    bits["layers.1.weight"][tuple(gone)] = False
    extra = np.argwhere(~bits["layers.0.weight"])[:2]
    for at in extra:
        bits["layers.0.weight"][tuple(at)] = True
    k = planted.mask.kept
    found = planted.score(bits, x)
    assert found.recovered == (k - 1) / k
    assert found.precision == (k - 1) / (k + 1)
    assert not found.exact
    y, t = (
        Ticket(planted.network, Mask.dense(bits)).module()(x).double(),
        planted.labels(x).double(),
    )
    assert found.distance == pytest.approx(float((y - t).norm() / (t - t.mean(0)).norm()))
    assert found.largest == pytest.approx(float((y - t).abs().max()))
    assert found.agreement == pytest.approx(float((y.argmax(1) == t.argmax(1)).double().mean()))
    assert found.loss_gap == pytest.approx(float(((y - t) ** 2).mean()), rel=1e-5)

    def classes(out: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(out, teacher.argmax(1))

    gap = planted.score(bits, x, classes).loss_gap
    wanted = classes(y, t) - classes(t, t)
    assert gap == pytest.approx(float(wanted), rel=1e-4)
    assert "recovered" in repr(found)


def test_a_random_mask_recovers_what_chance_does() -> None:
    planted = plant(network(20, 40, 30, 4), 0.3, seed=5)
    scores = [planted.score(random_mask(planted.ticket, s)) for s in range(20)]
    chance = scores[0].by_chance
    per_layer = [e.kept**2 / e.total for e in planted.mask.values()]
    assert chance == pytest.approx(sum(per_layer) / planted.mask.kept)
    assert np.mean([s.recovered for s in scores]) == pytest.approx(chance, abs=0.02)


def test_it_is_the_best_of_all_masks_and_alone() -> None:
    # Every one of the 2^12 masks of a 2-4-1 network, by its squared error.
    net = network(2, 4, 1, seed=3)
    planted = plant(net, 0.6, seed=0)
    x = inputs(50, 2)
    wanted = planted.labels(x).double().numpy()
    first, second = (net.weights(name).astype(np.float64) for name in net.masked)
    best = []
    for flags in itertools.product((False, True), repeat=12):
        a = first * np.reshape(flags[:8], (4, 2))
        b = second * np.reshape(flags[8:], (1, 4))
        y = np.maximum(x.double().numpy() @ a.T, 0) @ b.T
        if np.abs(y - wanted).max() < 1e-6:
            best.append(flags)
    stripped = set()
    for flags in best:
        masks = {
            "layers.0.weight": np.reshape(flags[:8], (4, 2)),
            "layers.1.weight": np.reshape(flags[8:], (1, 4)),
        }
        kept = graph.effective(masks)
        stripped.add(tuple(np.concatenate([e.dense().reshape(-1) for e in kept.values()]).tolist()))
    assert best
    mask = np.concatenate([planted.mask[n].dense().reshape(-1) for n in net.masked]).tolist()
    assert stripped == {tuple(mask)}


def test_a_search_runs_on_it_as_it_is() -> None:
    model = relu_network(MLP((6, 24, 2), (False, False)))
    net = Network.sample(model, SignedConstant(), seed=0)
    planted = plant(net, 1.0, seed=1, units=(2,))
    x = inputs(200, 6)
    y = planted.labels(x)
    search = EdgePopup(net, density=planted.densities, lr=0.1, backend="torch")
    for _ in range(60):
        search.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        search.step()
    found = planted.score(search.ticket(), x)
    random = planted.score(random_mask(planted.ticket, 0), x)
    assert found.distance < random.distance
    assert found.overlap.all.kept[1] == planted.mask.kept
    other = redrawn(planted.ticket, 9)
    with pytest.raises(InputError, match="network in which the target was planted"):
        planted.score(other, x)


class Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6 * 4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).flatten(1))


def test_in_a_user_s_own_model() -> None:
    model = Convolution()
    net = Network.sample(model, Uniform(), seed=0)
    planted = plant(net, 0.2, seed=1, layers=["conv.weight", "head.weight"])
    x = inputs(20, 2 * 16).reshape(20, 2, 4, 4)
    found = planted.score(planted.ticket, x)
    assert (found.distance, found.exact) == (0, True)
    assert set(planted.ticket.buffers) == set(dict(model.named_buffers()))
    as_drawn = plant(net, 0.2, seed=1)
    assert as_drawn.mask.kept == as_drawn.drawn >= planted.mask.kept
    for name, entries in planted.mask.items():
        assert not (entries.dense() & ~as_drawn.mask[name].dense()).any()
    bits = {name: np.ones(e.shape, bool) for name, e in planted.mask.items()}
    assert planted.score(bits, x).distance > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"density": 0.01}, "has none; raise density"),
        ({"density": 2.0}, "density"),
        ({"density": {"layers.0.weight": 0.5}}, "must name"),
        ({"density": 0.5, "units": (3,)}, "each hidden layer"),
        ({"density": 0.5, "units": (3, 99)}, "each hidden layer"),
        ({"density": 0.5, "layers": ["layers.0.weight"]}, "must name all"),
    ],
)
def test_what_cannot_be_planted(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plant(network(5, 10, 10, 2), seed=1, **options)


def test_a_teacher_that_says_nothing() -> None:
    bits = {"a": np.ones((2, 2), bool)}
    with pytest.raises(InputError, match="same outputs"):
        recovery(bits, bits, torch.ones(3, 2), torch.ones(3, 2))
    with pytest.raises(InputError, match="one shape"):
        recovery(bits, bits, torch.ones(3, 2), torch.ones(3, 1))


def test_a_single_output_has_no_agreement() -> None:
    planted: Planted = plant(network(4, 10, 1), 0.5, seed=0)
    assert planted.score(planted.ticket, inputs(9, 4)).agreement is None
