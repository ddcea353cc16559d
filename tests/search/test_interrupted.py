"""A step that is cut off in the middle, and parameters that are swapped under a search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from strongticket.errors import SearchError
from strongticket.laws import Normal, Uniform
from strongticket.networks import Network
from strongticket.search import Biprop, EdgePopup, IteRand, MaskSearch, Method, keep_count, turn
from strongticket.search.gates import TopK
from strongticket.search.method import Redraw


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(12, 30, bias=False), nn.ReLU(), nn.Linear(30, 4, bias=False))


def step(network: nn.Module, search: MaskSearch, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    search.zero_grad()
    x = torch.randn(8, 12, generator=generator)
    torch.autograd.backward((network(x) - 1).square().mean())
    search.step()


def cut_off(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, calls: int) -> None:
    """Ctrl-C at the given call of a function."""
    real, left = getattr(where, name), [calls]

    def once(*arguments: Any, **keywords: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    monkeypatch.setattr(where, name, once)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("after", ["ticket", "state", "step", "evaluating"])
def test_an_interrupted_step_leaves_a_search_that_goes_on(
    backend: Any, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = model()
    search = EdgePopup(Network.sample(net, Normal(), seed=0), 0.3, lr=3.0, backend=backend)
    for i in range(4):
        step(net, search, i)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if backend == "numba":
            cut_off(patch, turn, "_settle", 2)  # the first layer is written, the second is not
        else:
            cut_off(patch, type(search._layers), "write", 1)
        step(net, search, 4)
    moved = {n: s.clone() for n, s in search.scores().items()}
    if after == "step":
        step(net, search, 5)
    elif after == "state":
        other = model()
        twin = EdgePopup(Network.sample(other, Normal(), seed=0), 0.3, lr=3.0)
        twin.load_state_dict(search.state_dict())
        pairs = zip(net.parameters(), other.parameters(), strict=True)
        assert all(torch.equal(p, q) for p, q in pairs)
    elif after == "evaluating":
        with search.evaluating():
            pass
    ticket = search.ticket()
    for name, score in search.scores().items():
        assert after == "step" or torch.equal(score, moved[name])
        order = score.abs().reshape(-1).argsort(descending=True, stable=True)
        top = order[: keep_count(0.3, score.numel())]
        assert sorted(ticket.mask[name].indices().tolist()) == sorted(top.tolist())
        weights = dict(net.named_parameters())[name].detach().numpy()
        assert (weights[ticket.mask[name].dense()] == ticket.kept_weights(name)).all()


def test_an_interrupted_redraw_is_not_called_a_foreign_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = model()
    search = IteRand(Network.sample(net, Normal(), seed=0), 0.3, lr=1.0, every=2, rate=0.7)
    for i in range(3):
        step(net, search, i)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        cut_off(patch, torch.Tensor, "masked_fill_", 1)  # redrawn, and not yet written down
        step(net, search, 3)
    ticket = search.ticket()
    for name, parameter in net.named_parameters():
        kept = ticket.mask[name].dense()
        assert (parameter.detach().numpy()[kept] == ticket.kept_weights(name)).all()


def test_a_parameter_that_was_replaced_is_named() -> None:
    net = model()
    search = EdgePopup(Network.sample(net, Normal(), seed=0), 0.3)
    step(net, search, 0)
    net[2].weight = nn.Parameter(net[2].weight.detach().clone())
    for call in (search.ticket, search.state_dict):
        with pytest.raises(SearchError, match=r"no longer has the parameter '2.weight'"):
            call()


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("scores", ["drawn", "tied"])
def test_binary_weights_have_the_same_bits_by_both_ways(scope: Any, scores: str) -> None:
    seen = []
    for backend in ("numba", "torch"):
        net = model()
        network = Network.sample(net, Uniform(), seed=3)
        search = Biprop(network, 0.3, lr=0.5, scope=scope, ramp=4, backend=backend)  # type: ignore[arg-type]
        for i in range(7):
            if scores == "tied":
                for score in search.scores().values():
                    score.mul_(20).round_().div_(20)
            step(net, search, i)
            seen.append([p.detach().clone() for p in net.parameters()])
        assert len(np.unique(np.abs(search.ticket().kept_weights("0.weight")))) == 1
    for a, b in zip(seen[:7], seen[7:], strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_binary_weights_that_are_redrawn_have_the_size_of_the_new_ones(backend: Any) -> None:
    method = Method("own", "", TopK(), gain="binary", redraw=Redraw(1, 1.0))
    net = model()
    network = Network.sample(net, Uniform(), seed=3)
    search = MaskSearch(network, method, density=0.3, lr=2.0, backend=backend)
    for i in range(5):
        step(net, search, i)
    ticket = search.ticket()
    assert any(numbers.any() for numbers in ticket.reading.rounds.values())
    for name, parameter in net.named_parameters():
        kept = ticket.mask[name].dense()
        assert (parameter.detach().numpy()[kept] == ticket.kept_weights(name)).all()
