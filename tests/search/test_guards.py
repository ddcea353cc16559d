"""What a search refuses: foreign writes, scores without a rank, bad arguments."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from search_models import batch, mlp, search_of, train
from torch import nn

from strongticket.errors import InputError, SearchError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup
from strongticket.search.engine import CHECK_EVERY


def write_one(model: nn.Sequential) -> None:
    model[2].weight.data[0, 0] += 1.0


def write_pruned(model: nn.Sequential) -> None:
    flat = model[2].weight.data.view(-1)
    flat[int((flat == 0).nonzero()[0])] = 1e-30


def write_nan(model: nn.Sequential) -> None:
    model[2].weight.data[0, 0] = float("nan")


def train_with_another(model: nn.Sequential) -> None:
    model[2].weight.grad = torch.ones_like(model[2].weight)
    torch.optim.SGD([model[2].weight], lr=1e-3).step()


WRITES = [write_one, write_pruned, write_nan, train_with_another]
ASKS: list[Callable[[EdgePopup], Any]] = [EdgePopup.ticket, EdgePopup.state_dict]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("write", WRITES)
def test_a_foreign_write_is_named(write: Any, ask: Callable[[EdgePopup], Any]) -> None:
    model = mlp(8, 12, 3)
    search = search_of(model)
    ask(search)
    write(model)
    with pytest.raises(SearchError, match=r"'2\.weight' no longer holds"):
        ask(search)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("refresh", [1, 1000])
def test_a_foreign_write_is_seen_at_the_hundredth_step(backend: str, refresh: int) -> None:
    x, y = batch(4, 5, 2)
    model = mlp(5, 4, 2)
    # A rate of zero leaves the selection as it is; the write below stays in a kept entry.
    search = search_of(model, lr=0.0, backend=backend, refresh=refresh)
    train(model, search, x, y, CHECK_EVERY)
    with torch.no_grad():
        model[0].weight[0, 0] += 1.0
    with pytest.raises(SearchError, match=r"'0\.weight' no longer holds"):
        train(model, search, x, y, 1)


def test_frozen_weights_are_held_to_their_digest() -> None:
    model = mlp(8, 12, 3)
    search = search_of(model)
    layer = search._layers["0.weight"]
    pruned = int((model[0].weight.detach().reshape(-1) == 0).nonzero()[0])
    layer.frozen[pruned] *= -1  # hidden: the effective weight is zero there
    for ask in ASKS:
        with pytest.raises(SearchError, match=r"frozen weights of '0\.weight' were changed"):
            ask(search)


def test_frozen_weights_share_no_memory_with_the_model() -> None:
    model = mlp(8, 12, 3)
    search = search_of(model)
    x, y = batch(16, 8, 3)
    train(model, search, x, y, 5)
    for name, layer in search._layers.items():
        wanted = torch.from_numpy(search.network.weights(name)).reshape(-1)
        assert torch.equal(layer.frozen, wanted)


@pytest.mark.parametrize("which", ["bias", "norm", "excluded"])
def test_what_is_not_masked_may_not_change_either(which: str) -> None:
    model = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Linear(12, 3))
    network = Network.sample(model, SignedConstant(), 0, exclude=["2.weight"])
    search = EdgePopup(network)
    search.ticket()
    changed = {"bias": model[0].bias, "norm": model[1].weight, "excluded": model[2].weight}[which]
    with torch.no_grad():
        changed[0] += 1.0
    for ask in ASKS:
        with pytest.raises(SearchError, match="is frozen and was changed"):
            ask(search)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("steps_before", [0, 3])
def test_scores_that_stop_being_finite(
    backend: str, scope: str, bad: float, steps_before: int
) -> None:
    model = mlp(8, 12, 3)
    search = search_of(model, backend=backend, scope=scope)
    x, y = batch(8, 8, 3)
    train(model, search, x, y, steps_before)
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[2].weight.grad[1, 2] = bad
    with pytest.raises(SearchError, match=r"'2\.weight' must be finite"):
        search.step()
    for parameter, weights in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.detach(), weights)  # nothing half-written
    with pytest.raises(SearchError, match="finite"):
        search.ticket()


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 3e38])
def test_scores_that_stop_being_finite_between_two_selections(backend: str, bad: float) -> None:
    model = mlp(8, 12, 3)
    search = search_of(model, backend=backend, refresh=10, lr=100.0)
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    search.step()
    search.state_dict()
    model[2].weight.grad[1, 2] = bad
    with pytest.raises(SearchError, match=r"'2\.weight' must be finite.*, got . NaN and . inf"):
        search.step()
    with pytest.raises(SearchError, match=r"scores of '2\.weight' must be finite"):
        search.state_dict()
    for parameter, weights in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.detach(), weights)
    search.scores()["2.weight"].zero_()
    search.state[model[2].weight]["momentum_buffer"][0, 0] = float("inf")
    with pytest.raises(SearchError, match=r"momentum of '2\.weight' must be finite"):
        search.state_dict()  # load_state_dict would refuse it


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_search_is_not_copied_apart_from_its_model(again: Any) -> None:
    search = search_of(mlp(8, 12, 3))
    with pytest.raises(SearchError, match=r"belongs to its live model.*state_dict"):
        again(search)


def test_a_model_that_moved() -> None:
    model = mlp(8, 12, 3)
    search = search_of(model)
    model.to(torch.float64)
    with pytest.raises(SearchError, match=r"'0\.weight' was torch.float32 on cpu .* torch.float64"):
        search.step()


def test_a_model_that_was_trained_before() -> None:
    model = mlp(8, 12, 3, bias=True)
    network = Network.sample(model, SignedConstant(), 0)
    with torch.no_grad():
        model[0].weight[3, 3] *= 1.5
    with pytest.raises(SearchError, match=r"'0\.weight' must hold the frozen weights"):
        EdgePopup(network)
    network = Network.sample(model, SignedConstant(), 0)
    with torch.no_grad():
        model[0].bias[3] = 0.5
    with pytest.raises(SearchError, match=r"'0\.bias' must hold the constants"):
        EdgePopup(network)


def test_a_model_that_is_gone() -> None:
    model = mlp(8, 12, 3)
    network = Network.sample(model, SignedConstant(), 0)
    del model
    gc.collect()
    with pytest.raises(SearchError, match="needs the live model"):
        EdgePopup(network)
    with pytest.raises(SearchError, match="needs the live model"):
        EdgePopup(Network.mlp((3, 4, 2), laws=SignedConstant(), seed=0))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"density": 0.0}, "density is the fraction kept"),
        ({"density": 1.5}, "density is the fraction kept"),
        ({"density": float("nan")}, "density is the fraction kept"),
        ({"density": {"0.weight": 0.5}}, "density must name the masked parameters"),
        ({"density": {"0.weight": 0.5, "2.weight": 0.0}}, "density is the fraction kept"),
        ({"density": {"0.weight": 0.5, "2.weight": 0.5}, "scope": "global"}, "needs scope='layer'"),
        ({"lr": -0.1}, "lr must be finite and >= 0"),
        ({"lr": float("nan")}, "lr must be finite"),
        ({"momentum": -1.0}, "momentum must be finite and >= 0"),
        ({"weight_decay": float("inf")}, "weight_decay must be finite"),
        ({"momentum": 0.0, "nesterov": True}, "nesterov needs momentum"),
        ({"scope": "layers"}, "scope is 'layer' or 'global', got 'layers'"),
        ({"ranking": "signed"}, "ranking is 'abs' or 'raw', got 'signed'"),
        ({"refresh": 0}, "refresh is a number of steps >= 1"),
        ({"refresh": 2.0}, "refresh is a number of steps >= 1"),
        ({"refresh": True}, "refresh is a number of steps >= 1, got True"),
        ({"density": True}, "density is the fraction kept, in .*, got True"),
        ({"density": "0.5"}, "density is the fraction kept"),
        ({"lr": "a"}, "lr must be a number, got 'a'"),
        ({"lr": "0.1"}, "lr must be a number"),
        ({"density": None}, r"density is the fraction kept, in \(0, 1\], got None"),
        ({"lr": None}, "lr must be a number, got None"),
        ({"lr": torch.ones(2)}, "lr must be a number"),
        ({"weight_decay": True}, "weight_decay must be a number, got True"),
        ({"momentum": 2}, "momentum must be below 1.*got 2"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"momentum": 1.0 - 1e-9}, "momentum must be below 1, as a float32"),
        ({"nesterov": "no"}, "nesterov must be True or False, got 'no'"),
        ({"score_seed": 1.5}, "score_seed must be an integer >= 0, got 1.5"),
        ({"score_seed": "1"}, "score_seed must be an integer"),
        ({"backend": "jax"}, "backend is None, 'numba' or 'torch'"),
        ({"score_seed": -1}, "seed must be an integer"),
        ({"groups": [{"params": ["nothing*"], "lr": 1.0}]}, "no masked parameter is left"),
        ({"groups": [{"params": "0.weight"}]}, "a sequence of patterns"),
        ({"groups": [{"params": ["0.*"], "lr": -1.0}]}, "lr must be finite"),
        ({"groups": [{"params": ["0.*"], "density": 0.1}]}, "a group sets lr"),
    ],
)
def test_bad_arguments(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        search_of(mlp(8, 12, 3), **options)


def test_a_search_moves_its_own_parameters_only() -> None:
    search = search_of(mlp(8, 12, 3))
    with pytest.raises(InputError, match="no others"):
        search.add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    assert len(search.param_groups) == 1


def test_parameters_must_require_gradients() -> None:
    model = mlp(8, 12, 3)
    network = Network.sample(model, SignedConstant(), 0)
    model[0].weight.requires_grad_(False)
    with pytest.raises(SearchError, match=r"'0\.weight' must have requires_grad"):
        EdgePopup(network)


def test_numba_is_asked_for_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.search import kernels

    monkeypatch.setattr(kernels, "compiled", lambda: None)
    with pytest.raises(InputError, match="needs numba"):
        search_of(mlp(8, 12, 3), backend="numba")
    x, y = batch(8, 8, 3)
    model = mlp(8, 12, 3)
    train(model, search_of(model), x, y, 2)
