"""Toy tasks and planting by overwriting: the target is computed, and nothing else is touched."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from strongticket import Box, Target
from strongticket.analysis import plant_target, solution, toy, toy_target
from strongticket.errors import InputError
from strongticket.pruning import magnitude


def model(*widths: int, bias: bool = True, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Linear(a, b, bias=bias), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


def test_solutions_by_hand() -> None:
    assert solution("relu", np.array([[-0.5], [0.25]])).tolist() == [[0.0], [0.25]]
    rings = np.array([[0.1, 0.1], [0.5, 0.0], [0.6, 0.5], [0.9, 0.9]])
    assert solution("circle", rings).tolist() == [0, 1, 2, 3]
    (x, y, z), (a, b, c) = solution("helix", np.array([[0.0], [1.0]]))
    assert (x, y, z) == (pytest.approx(-0.625), pytest.approx(0, abs=1e-12), 0.625)  # 5 pi
    assert (a, b, c) == (pytest.approx(1.0), pytest.approx(0, abs=1e-12), 1.0)  # 8 pi
    half = 6.5 / 8
    assert solution("helix", np.array([[0.5]]))[0] == pytest.approx(
        [half * math.cos(6.5 * math.pi), half * math.sin(6.5 * math.pi), half], abs=1e-12
    )


@pytest.mark.parametrize("task", ["relu", "circle", "helix"])
def test_data_repeats_and_noise_is_noise(task: str) -> None:
    one, again, other = toy(task, 1, count=2000), toy(task, 1, count=2000), toy(task, 2, count=2000)
    assert torch.equal(one.train_x, again.train_x)
    assert torch.equal(one.train_y, again.train_y)
    assert not torch.equal(one.train_x, other.train_x)
    assert (len(one.train_x), len(one.test_x)) == (1800, 200)
    clean = toy(task, 1, count=2000, noise=0.0)
    assert torch.equal(one.train_x, clean.train_x)
    assert torch.equal(one.test_y, clean.test_y)
    exact = solution(task, clean.train_x.double().numpy())
    assert np.allclose(clean.train_y.numpy(), exact, atol=1e-6)
    difference = (one.train_y - clean.train_y).double()
    if task == "circle":
        wrong = float((difference != 0).double().mean())
        assert 0.002 < wrong < 0.015  # a hundredth drawn anew, three quarters of it another ring
        assert set(one.train_y.unique().tolist()) == {0, 1, 2, 3}
    else:
        assert float(difference.std()) == pytest.approx(0.01, rel=0.06)
    low = 0.0 if task == "helix" else -1.0
    assert low < float(one.train_x.min()) < low + 0.05
    assert 0.95 < float(one.train_x.max()) < 1


@pytest.mark.parametrize("depth", [None, 5])
def test_the_targets_solve_their_tasks(depth: int | None) -> None:
    x = np.linspace(-1, 1, 101)[:, None]
    assert np.array_equal(toy_target("relu", depth)(x), solution("relu", x))
    t = np.linspace(0, 1, 400)[:, None]
    helix = toy_target("helix", depth)
    worst = np.abs(helix(t) - solution("helix", t)).max()
    # |f''| is at most (3 pi)^2 r + 2 (3 pi)(3/8), r <= 1; an interpolant is within h^2/8 of it.
    assert worst < ((3 * math.pi) ** 2 + 2 * 3 * math.pi * 3 / 8) / 29**2 / 8
    knots = np.linspace(0, 1, 30)[:, None]
    assert np.abs(helix(knots) - solution("helix", knots)).max() < 1e-5
    points = np.random.default_rng(0).uniform(-1, 1, (4000, 2))
    radius = (points**2).sum(1)
    margin = np.abs(radius[:, None] - np.array([0.2, 0.5, 0.7])).min(1)
    right = toy_target("circle", depth)(points).argmax(1) == solution("circle", points)
    assert right[margin > 2 * (2 / 9) ** 2 / 4 + 1e-5].all()
    assert right.mean() > 0.9
    fine = toy_target("circle", depth, knots=100)(points).argmax(1) == solution("circle", points)
    assert fine.mean() > 0.998
    if depth:
        assert all(toy_target(t, depth).depth == depth for t in ("relu", "circle", "helix"))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("task", ["relu", "circle", "helix"])
def test_the_masked_model_is_the_target(task: str, scale: bool) -> None:
    target = toy_target(task, 4)
    net = model(target.widths[0], 40, 37, 33, target.widths[-1])
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    planted = plant_target(net, target, 3, scale=scale)
    data = toy(task, 0, count=500)
    found = planted.score(planted.masks, net, data.test_x)
    assert found.distance < 1e-5
    assert found.exact
    for name, mask in planted.masks.items():
        now = net.get_parameter(name)
        assert torch.equal(now[~mask], before[name][~mask])
        assert (now[mask] != before[name][mask]).all()
        assert int(mask.sum()) == np.count_nonzero(target.weights[int(name[0]) // 2])
    assert planted.density == pytest.approx(
        sum(int(m.sum()) for m in planted.masks.values())
        / sum(m.numel() for m in planted.masks.values())
    )
    assert (
        planted.score(
            {n: torch.ones_like(m) for n, m in planted.masks.items()}, net, data.test_x
        ).distance
        > 0.1
    )
    assert planted.score(planted.masks).distance is None
    assert torch.equal(net.get_parameter("2.weight"), planted.state["2.weight"])


def test_scaling_is_exact_and_hides_magnitudes() -> None:
    weights = [(np.full((3, 2), 2.0**9), None), (np.full((1, 3), 2.0**-9), None)]
    target = Target([(w.astype(np.float32), b) for w, b in weights], Box(0, 1))
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    nets = [model(2, 64, 1, bias=False), model(2, 64, 1, bias=False)]
    loud, hidden = (
        plant_target(n, target, 1, scale=s) for n, s in zip(nets, (False, True), strict=True)
    )
    outputs = []
    for net, planted in zip(nets, (loud, hidden), strict=True):
        weight, mask = net[0].weight.detach(), planted.masks["0.weight"]
        outputs.append(float(weight[mask].abs().mean() / weight[~mask].std()))
        assert planted.score(planted.masks, net, x).largest <= 2e-6
    assert outputs[0] > 500
    assert 0.5 < outputs[1] < 2
    top = magnitude(nets[0])["0.weight"].reshape(-1).topk(6).indices
    assert loud.masks["0.weight"].reshape(-1)[top].all()


@pytest.mark.parametrize(
    ("widths", "bias", "message"),
    [
        ((2, 40, 4), True, "as many Linear layers"),
        ((2, 10, 40, 4), True, "no narrower"),
        ((3, 40, 40, 4), True, "same inputs"),
        ((2, 40, 40, 4), False, "has a bias"),
    ],
)
def test_models_that_cannot_hold_it(widths: tuple[int, ...], bias: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plant_target(model(*widths, bias=bias), toy_target("circle"), 0)


def test_tasks_that_are_none() -> None:
    with pytest.raises(InputError, match="one of relu, circle, helix"):
        toy("spiral", 0)
    with pytest.raises(InputError, match="circle needs depth"):
        toy_target("circle", 2)
    with pytest.raises(InputError, match="knots"):
        toy_target("helix", knots=1)
    with pytest.raises(InputError, match="count"):
        toy("relu", 0, count=3)
    with pytest.raises(InputError, match="noise"):
        toy("relu", 0, noise=1.0)
