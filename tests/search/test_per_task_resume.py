"""Many masks over one network, resumed."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, IteRand, PerTask

X = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
Y: dict[str, Tensor] = {"sign": (X[:, 0] > 0).long(), "size": (X.norm(dim=1) > 2.4).long()}


def make(seed: int = 0, density: float = 0.5) -> tuple[nn.Module, PerTask]:
    model = nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12, affine=False), nn.ReLU(), nn.Linear(12, 2)
    )
    network = Network.sample(model, SignedConstant(), seed)
    return model, PerTask(network, lambda n: IteRand(n, density, lr=0.3, every=2, rate=0.5))


def go(model: nn.Module, tasks: PerTask, steps: int) -> None:
    for _ in range(steps):
        for name, labels in Y.items():
            tasks[name].zero_grad()
            nn.functional.cross_entropy(model(X), labels).backward()
            tasks[name].step()


def saved(tasks: PerTask) -> Any:
    file = io.BytesIO()
    torch.save(tasks.state_dict(), file)
    file.seek(0)
    return torch.load(file)


def same(one: PerTask, other: PerTask) -> bool:
    a, b = one.tickets(), other.tickets()
    return list(a) == list(b) and all(a[task] == b[task] for task in a)


@pytest.mark.parametrize("first", [0, 1, 3])
def test_all_tasks_resume_bit_for_bit(first: int) -> None:
    model, tasks = make()
    go(model, tasks, first)
    state = saved(tasks)
    go(model, tasks, 4)
    other, resumed = make()
    resumed.load_state_dict(state)
    assert resumed.active == ("size" if first else None)
    go(other, resumed, 4)
    assert same(tasks, resumed)
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), other.buffers(), strict=True))


def test_a_state_holds_each_task_s_own_norm_statistics() -> None:
    model, tasks = make()
    go(model, tasks, 2)
    with torch.no_grad():
        model.train()(X * 3)  # statistics of the task in the model
    found = tasks.state_dict()["tasks"]
    means = [found[task]["search"]["buffers"]["1.running_mean"] for task in Y]
    assert not torch.equal(*means)
    assert tasks.active == "size"


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    model, tasks = make()
    go(model, tasks, 2)
    state, before = saved(tasks), tasks.tickets()
    _, elsewhere = make(seed=1)
    with pytest.raises(InputError, match="'sign': the state was saved with network"):
        elsewhere.load_state_dict(state)
    assert list(elsewhere) == []
    assert elsewhere.active is None
    elsewhere["sign"].ticket()  # the model holds the weights of a search again

    broken = saved(tasks)
    broken["tasks"]["size"]["search"]["method"] = "biprop"
    go(model, tasks, 1)
    now = tasks.tickets()
    assert any(now[task] != before[task] for task in before)
    with pytest.raises(InputError, match="'size': the state was saved with method"):
        tasks.load_state_dict(broken)
    assert all(tasks.tickets()[task] == now[task] for task in now)
    assert tasks.active == "size"
    go(model, tasks, 1)


def test_what_is_no_state_of_tasks() -> None:
    model, tasks = make()
    go(model, tasks, 1)
    for bad in ({}, None, tasks["sign"].state_dict(), {"tasks": {}, "active": "sign"}):
        with pytest.raises(InputError, match="its own state_dict"):
            tasks.load_state_dict(bad)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"lacks the tasks \['sign', 'size'\]"):
        tasks.load_state_dict({"tasks": {}, "active": None})
    plain = nn.Linear(4, 3)
    single = PerTask(Network.sample(plain, SignedConstant(), 0), lambda n: EdgePopup(n, 0.5))
    assert single.state_dict() == {"tasks": {}, "active": None}
