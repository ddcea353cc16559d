"""A ticket on other data, under another head, and trained from the values that it starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from strongticket import Mask, Network, Normal, Ticket, Uniform
from strongticket.analysis import (
    carry_masks,
    evaluate_on,
    new_head,
    retrain_round,
    retrain_ticket,
)
from strongticket.datasets import digits
from strongticket.errors import InputError
from strongticket.pruning import lottery, retrain, state_of
from strongticket.training import Recipe, Trainer, split


def ticket(*widths: int, density: float = 0.4) -> Ticket:
    network = Network.mlp(widths, laws=Normal(), seed=1)
    random = np.random.default_rng(0)
    bits = {p.name: random.random(p.shape) < density for p in network.parameters}
    return Ticket(network, Mask.dense(bits))


def own() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))


def own_ticket(model: nn.Module) -> Ticket:
    network = Network.sample(model, Uniform(), seed=0)
    random = np.random.default_rng(0)
    bits = {p.name: random.random(p.shape) < 0.5 for p in network.parameters}
    buffers = {n: b.numpy().copy() for n, b in model.named_buffers()}
    return Ticket(network, Mask.dense(bits), buffers)


def test_it_is_evaluated_on_each_data_set_by_itself() -> None:
    made = ticket(4, 6, 2)
    x = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    seen: list[nn.Module] = []

    def first(module: nn.Module) -> float:
        seen.append(module)
        value = float(module(x).sum())
        with torch.no_grad():
            next(module.parameters()).zero_()  # of a module of its own
        return value

    found = evaluate_on(made, {"one": first, "other": lambda m: float(m(x).sum())})
    assert found["one"] == found["other"] == float(made.module()(x).sum())
    assert len(seen) == 1
    with pytest.raises(InputError, match="needs model="):
        evaluate_on(own_ticket(own()), {"one": first})


def test_retraining_starts_at_the_ticket_and_keeps_to_its_mask() -> None:
    made = ticket(64, 20, 10)
    calls: list[tuple[dict[str, Tensor], set[str], int, int | None]] = []

    def train(model: nn.Module, masks: Mapping[str, Tensor], start: int, stop: int | None) -> str:
        free = {name for name, p in model.named_parameters() if p.requires_grad}
        calls.append((state_of(model), free, start, stop))
        with torch.no_grad():
            for name, mask in masks.items():
                model.get_parameter(name).add_(mask * 0.5)
        return "history"

    found = retrain_ticket(made, train, start=3, stop=9)
    assert found.history == "history"
    state, free, start, stop = calls[0]
    assert (free, start, stop) == (set(made.mask), 3, 9)
    for name, entries in made.mask.items():
        kept = entries.dense()
        assert np.array_equal(state[name].numpy()[kept], made.kept_weights(name))
        now = found.model.get_parameter(name).detach().numpy()
        assert np.allclose(now[kept], made.kept_weights(name) + 0.5, atol=1e-6)
        assert not now[~kept].any()


def test_retraining_learns_and_pruned_weights_stay_zero() -> None:
    made = ticket(64, 20, 10)
    data = split(digits(), 200)
    trainer = Trainer(data, Recipe(steps=60, batch=64, rate=5e-3, every=30))
    found = retrain_ticket(made, trainer)
    first, last = found.history.evaluations[0], found.history.final
    assert last.accuracy > first.accuracy + 0.3
    for name, entries in made.mask.items():
        assert not found.model.get_parameter(name).detach().numpy()[~entries.dense()].any()


def test_a_user_s_model_is_copied_and_its_constants_may_train() -> None:
    model = own()
    made = own_ticket(model)
    before = state_of(model)
    free: list[set[str]] = []

    def train(net: nn.Module, *_: Any) -> None:
        free.append({name for name, p in net.named_parameters() if p.requires_grad})

    retrain_ticket(made, train, model=model)
    retrain_ticket(made, train, model=model, constants=True)
    assert free == [set(made.mask), {name for name, _ in model.named_parameters()}]
    assert all(torch.equal(before[n], v) for n, v in state_of(model).items())


def test_a_round_of_a_lottery_again() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
    data = split(digits(), 200)
    trainer = Trainer(data, Recipe(steps=6, batch=100, rate=5e-3, every=6))
    found = lottery(model, trainer, rounds=2, keep=0.5, rewind=2)
    again = retrain_round(found, found.rounds[2], model, trainer)
    assert again.history == found.rounds[2].history
    final = state_of(again.model)
    assert all(torch.equal(v, final[n]) for n, v in found.rounds[2].final.items())
    other = Trainer(data, trainer.recipe, seed=5)
    assert retrain_round(found, found.rounds[2], model, other).history != again.history


def test_masks_are_carried_to_a_model_with_another_head() -> None:
    made = ticket(6, 8, 3)
    model = nn.Module()
    model.layers = nn.ModuleList([nn.Linear(6, 8, bias=False), nn.Linear(8, 5, bias=False)])
    found = carry_masks(made, model, whole=["layers.1.*"])
    assert found.whole == ("layers.1.weight",)
    assert found.masks["layers.1.weight"].shape == (5, 8)
    assert found.masks["layers.1.weight"].all()
    first = made.mask["layers.0.weight"].dense()
    assert np.array_equal(found.masks["layers.0.weight"].numpy(), first)
    log = retrain(model, state_of(model), found.masks, lambda m, masks, a, b: sorted(masks))
    assert log == ["layers.0.weight", "layers.1.weight"]
    with pytest.raises(InputError, match="keeps all of it"):
        carry_masks(made, model)
    with pytest.raises(InputError, match="matches none"):
        carry_masks(made, model, whole=["head*"])
    with pytest.raises(InputError, match="no parameter layers"):
        carry_masks(made, nn.Linear(2, 2))


def test_a_new_head_trains_alone() -> None:
    made = ticket(6, 8, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(8, 5)
    module = new_head(made, "layers.1", head)
    assert {n for n, p in module.named_parameters() if p.requires_grad} == {
        "layers.1.weight",
        "layers.1.bias",
    }
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    body = made.module().layers[0]
    assert torch.equal(module(x), head(torch.relu(body(x))))
    model = own()
    inside = new_head(own_ticket(model), "3", nn.Identity(), model=model)
    assert not any(p.requires_grad for p in inside.parameters())
    assert inside.eval()(x).shape == (7, 5)
    assert isinstance(model[3], nn.Linear)
    with pytest.raises(InputError, match=r"no submodule 'layers\.7'"):
        new_head(made, "layers.7", head)
