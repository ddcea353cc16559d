"""The trainer by the iteration: repeatable, resumable in the data's order, pruned weights held."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from strongticket.datasets import digits
from strongticket.errors import InputError, SearchError
from strongticket.training import Evaluation, History, Recipe, Split, Trainer, evaluate, hold, split

F = nn.functional
RECIPE = Recipe(steps=40, batch=50, rate=5e-3, every=10)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def data() -> Split:
    return split(digits(), 200)


def mlp(*widths: int, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pairs = itertools.pairwise(widths)
        layers: list[nn.Module] = [m for a, b in pairs for m in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers[:-1])


def half(model: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(77)  # not the seed that the weights came from
    return {
        n: torch.rand(p.shape, generator=generator) < 0.5
        for n, p in model.named_parameters()
        if p.dim() > 1
    }


def test_training_is_the_loop_written_out() -> None:
    model, other = mlp(64, 12, 10), mlp(64, 12, 10)
    history = Trainer(data(), RECIPE, seed=3)(model)
    optimizer = torch.optim.Adam(other.parameters(), lr=5e-3, fused=True)
    batches = Trainer(data(), RECIPE, seed=3)._batches(0)
    for _ in range(40):
        x, y = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(other(x), y).backward()
        optimizer.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [e.step for e in history.evaluations] == [0, 10, 20, 30, 40]
    loss, right = evaluate(other, data().valid_x, data().valid_y)
    assert (history.final.loss, history.final.accuracy) == (loss, right)
    assert history.final.test_accuracy == evaluate(other, data().test_x, data().test_y)[1]
    assert history.final.loss < history.evaluations[0].loss - 0.5
    assert not model.training


def test_every_epoch_sees_every_example_once_in_another_order() -> None:
    given = replace(data(), train_x=torch.arange(120.0)[:, None], train_y=torch.arange(120))
    trainer = Trainer(given, Recipe(steps=1, batch=50))
    batches = trainer._batches(0)
    epochs = [torch.cat([next(batches)[1] for _ in range(3)]) for _ in range(3)]
    for epoch in epochs:
        assert torch.equal(epoch.sort().values, torch.arange(120))
    assert not torch.equal(epochs[0], epochs[1])
    late = trainer._batches(4)  # the second of the second epoch
    assert torch.equal(next(late)[1], epochs[1][50:100])
    other = Trainer(given, Recipe(steps=1, batch=50), seed=1)._batches(0)
    assert not torch.equal(next(other)[1], epochs[0][:50])


def test_a_run_from_iteration_k_sees_the_same_batches() -> None:
    # Stateless SGD, so that a training in two pieces is the training in one.
    recipe = replace(RECIPE, optimizer="sgd", rate=0.1, warmup=8, drops=(25,))
    whole, pieces = mlp(64, 12, 10), mlp(64, 12, 10)
    trainer = Trainer(data(), recipe)
    trainer(whole)
    trainer(pieces, None, 0, 17)
    second = trainer(pieces, {}, 17)
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [e.step for e in second.evaluations] == [17, 20, 30, 40]


def test_rates() -> None:
    recipe = Recipe(steps=100, rate=1.0, warmup=4, drops=(50, 75), factor=0.1)
    found = [recipe.rate_at(k) for k in (0, 3, 49, 50, 75, 99, 5000)]
    assert found == pytest.approx([0.25, 1.0, 1.0, 0.1, 0.01, 0.01, 0.01])


def test_beyond_the_end_the_last_rate_stays() -> None:
    recipe = replace(RECIPE, optimizer="sgd", rate=1.0, drops=(20,), factor=0.5)
    model, trainer = nn.Linear(64, 10), Trainer(data(), recipe)
    before = model.weight.detach().clone()
    x, y = next(trainer._batches(40))
    F.cross_entropy(model(x), y).backward()
    grad = model.weight.grad
    assert grad is not None
    wanted = before - 0.5 * grad
    trainer(model, {}, 40, 41)
    assert torch.allclose(model.weight.detach(), wanted, rtol=0, atol=1e-6)
    assert not torch.allclose(model.weight.detach(), before, rtol=0, atol=1e-4)


def test_early_stop_is_the_first_lowest_loss() -> None:
    rows = tuple(Evaluation(i, loss, 0.5) for i, loss in enumerate([3.0, 1.0, 2.0, 1.0]))
    assert History(rows).early_stop.step == 1
    assert History.from_spec(History(rows).spec()) == History(rows)
    with pytest.raises(InputError, match="evaluations"):
        History.from_spec({"evaluations": [{"loss": 1.0}]})


def test_the_test_set_is_read_where_it_is_needed() -> None:
    trainer = Trainer(data(), replace(RECIPE, steps=60, rate=0.05))
    best = trainer(mlp(64, 12, 10))
    lows = [min(e.loss for e in best.evaluations[: i + 1]) for i in range(7)]
    for i, e in enumerate(best.evaluations):
        new_low = i == 0 or e.loss < lows[i - 1]
        assert (e.test_accuracy is not None) == (new_low or i == 6)
    assert best.early_stop.test_accuracy is not None
    assert any(e.test_accuracy is None for e in best.evaluations)
    always = Trainer(data(), replace(RECIPE, test="always"))(mlp(64, 12, 10))
    assert all(e.test_accuracy is not None for e in always.evaluations)


def test_the_seed_draws_dropout_and_torch_s_generator_is_left_alone() -> None:
    def trained(seed: int) -> Tensor:
        model = nn.Sequential(nn.Dropout(0.5), mlp(64, 10))
        Trainer(data(), RECIPE, seed)(model)
        return model[1][0].weight.detach()

    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    first = trained(1)
    assert torch.equal(torch.rand(3), wanted)
    assert torch.equal(first, trained(1))
    assert not torch.equal(first, trained(2))


def test_the_split_is_a_partition() -> None:
    given = digits()
    parts = split(given, 300, shape=(1, 8, 8))
    assert parts.train_x.shape == (1097, 1, 8, 8)
    assert parts.valid_x.shape == (300, 1, 8, 8)
    rows = torch.cat([parts.train_x, parts.valid_x]).reshape(1397, -1).tolist()
    assert sorted(rows) == sorted(given.train_x.tolist())
    assert not torch.equal(split(given, 300, seed=1).valid_x, split(given, 300).valid_x)


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_and_their_momentum_stay_at_zero(name: str) -> None:
    model = mlp(64, 12, 10)
    masks, optimizer = half(model), OPTIMIZERS[name](model.parameters())
    x, y = data().train_x[:100], data().train_y[:100]

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    steps(3)  # dense first, so that there is momentum to remove
    with hold(model, optimizer, masks):
        for _ in range(4):
            for parameter, mask in (
                (dict(model.named_parameters())[n], m) for n, m in masks.items()
            ):
                assert int(parameter.detach()[~mask].count_nonzero()) == 0
                assert int(parameter.detach()[mask].count_nonzero()) == int(mask.sum())
                for key, state in optimizer.state[parameter].items():
                    if state.shape == mask.shape and key not in ("prev", "step_size"):
                        assert int(state[~mask].count_nonzero()) == 0, key
            steps(1)
    steps(1)  # and then the hold is gone
    assert any(
        int(p.detach()[~masks[n]].count_nonzero())
        for n, p in model.named_parameters()
        if n in masks
    )


def test_the_trainer_holds_masks_and_trains_the_rest() -> None:
    model = mlp(64, 12, 10)
    masks = half(model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    Trainer(data(), RECIPE)(model, masks)
    for name, p in model.named_parameters():
        mask = masks.get(name, torch.ones_like(p, dtype=torch.bool))
        assert int(p.detach()[~mask].count_nonzero()) == 0
    # Negative weights move as well (a published code freezes them: it compares without abs).
    name = "2.weight"
    negative = masks[name] & (before[name] < 0)
    moved = dict(model.named_parameters())[name].detach()[negative] != before[name][negative]
    assert float(moved.float().mean()) > 0.8  # all but those of units that are dead
    assert int(negative.sum()) > 10


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"batch": 0},
        {"every": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"momentum": -0.1},
        {"drops": (-1,)},
        {"warmup": -1},
        {"nesterov": True},
        {"optimizer": "adagrad"},
        {"test": "never"},
        {"factor": float("inf")},
    ],
)
def test_bad_recipes(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Recipe(**{"steps": 10, **change})


def test_bad_trainings() -> None:
    trainer, model = Trainer(data(), RECIPE), mlp(64, 10)
    with pytest.raises(InputError, match="start <= stop"):
        trainer(model, None, 5, 4)
    with pytest.raises(InputError, match="no such parameter"):
        trainer(model, {"9.weight": torch.ones(10, 64, dtype=torch.bool)})
    with pytest.raises(InputError, match="shape"):
        trainer(model, {"0.weight": torch.ones(10, 63, dtype=torch.bool)})
    with pytest.raises(SearchError, match="after 0 iterations"):
        nn.init.constant_(model[0].weight, float("nan"))
        trainer(model)
    with pytest.raises(InputError, match="requires_grad"):
        trainer(mlp(64, 10).requires_grad_(False))
    for count in (0, 1397):
        with pytest.raises(InputError, match="validation must be"):
            split(digits(), count)
