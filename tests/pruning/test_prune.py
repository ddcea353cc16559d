"""One call that prunes, and torch's own pruning there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pruning_models import batch, convnet, mlp, snapshot
from torch import nn
from torch.nn.utils import prune as torch_prune

from strongticket.errors import InputError, SearchError
from strongticket.pruning import from_torch_prune, prune, snip, to_torch_prune
from strongticket.search import keep_count, ratios


def test_magnitude_by_layer() -> None:
    model = mlp(10, 8, 3)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    masks = prune(model, 0.25)
    assert list(masks) == ["0.weight", "2.weight"]
    for name, p in model.named_parameters():
        if name not in masks:
            assert torch.equal(p, before[name])  # biases stay
            continue
        assert torch.equal(p.detach(), before[name] * masks[name])
        assert int(masks[name].sum()) == keep_count(0.25, p.numel())
        order = np.sort(before[name].abs().numpy().ravel())[::-1]
        assert float(before[name][masks[name]].abs().min()) == order[int(masks[name].sum()) - 1]


def test_global_is_one_ranking() -> None:
    model = mlp(10, 8, 3)
    with torch.no_grad():
        model[2].weight.mul_(10)
    masks = prune(model, 0.3)
    together = prune(mlp(10, 8, 3), 0.3, {n: m.float() for n, m in masks.items()}, scope="global")
    assert sum(int(m.sum()) for m in together.values()) == keep_count(0.3, 104)
    model = mlp(10, 8, 3)
    with torch.no_grad():
        model[2].weight.mul_(10)
    masks = prune(model, 0.3, scope="global")
    assert int(masks["2.weight"].sum()) > 0.8 * 24
    assert sum(int(m.sum()) for m in masks.values()) == keep_count(0.3, 104)


@pytest.mark.parametrize("scope", ["erk", "balanced"])
def test_layer_ratios(scope: Any) -> None:
    model = convnet()
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters() if p.dim() > 1}
    masks = prune(model, 0.3, scope=scope)
    assert {n: int(m.sum()) for n, m in masks.items()} == getattr(ratios, scope)(shapes, 0.3)


def test_a_density_each_and_any_score() -> None:
    model, data = mlp(10, 8, 3), batch(20, 10)
    scores = snip(model, data)
    masks = prune(model, {"0.weight": 0.1, "2.weight": 1.0}, lambda m: snip(m, data))
    assert int(masks["0.weight"].sum()) == 8
    assert masks["2.weight"].all()
    best = scores["0.weight"].flatten().argsort(descending=True)[:8]
    assert masks["0.weight"].flatten()[best].all()
    only = prune(mlp(10, 8, 3), 0.5, exclude=["2.*"])
    assert list(only) == ["0.weight"]


def test_the_sign_of_a_score_counts_unless_it_is_ranked_by_abs() -> None:
    scores = {"0.weight": torch.tensor([[-5.0, 1.0], [0.5, 0.1]])}
    raw = prune(nn.Sequential(nn.Linear(2, 2)), 0.25, scores)
    by_abs = prune(nn.Sequential(nn.Linear(2, 2)), 0.25, scores, ranking="abs")
    assert raw["0.weight"].tolist() == [[False, True], [False, False]]
    assert by_abs["0.weight"].tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"density": 0.0}, InputError, "fraction kept"),
        ({"density": {"0.weight": 0.5}}, InputError, "must name"),
        (
            {"density": {"0.weight": 0.5, "2.weight": 0.5}, "scope": "erk"},
            InputError,
            "needs scope",
        ),
        ({"density": 0.5, "scope": "network"}, InputError, "scope is"),
        ({"density": 0.5, "scores": {"0.weight": torch.ones(8, 10)}}, InputError, "none for 2.w"),
        ({"density": 0.5, "include": ["7.*"]}, InputError, "leave no parameter"),
        ({"density": 0.5, "exclude": ["7.*"]}, InputError, "must match"),
        (
            {
                "density": 0.5,
                "scores": {"0.weight": torch.ones(8, 9), "2.weight": torch.ones(3, 8)},
            },
            InputError,
            "shape",
        ),
        (
            {
                "density": 0.5,
                "scores": {
                    "0.weight": torch.full((8, 10), float("nan")),
                    "2.weight": torch.ones(3, 8),
                },
            },
            SearchError,
            "80 NaN",
        ),
    ],
)
def test_bad_arguments_change_nothing(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    model = mlp(10, 8, 3)
    before = snapshot(model)
    with pytest.raises(error, match=says):
        prune(model, **arguments)
    assert snapshot(model) == before


def test_torch_prune_there_and_back() -> None:
    model, x = mlp(10, 8, 3), torch.randn(4, 10)
    names = list(model.state_dict())
    masks = prune(model, 0.25)
    wanted = model(x)
    to_torch_prune(model, masks)
    assert torch_prune.is_pruned(model)
    assert torch.equal(model(x), wanted)
    assert torch.equal(model[0].weight_mask.bool(), masks["0.weight"])
    kept = from_torch_prune(model, remove=False)
    assert torch_prune.is_pruned(model)
    back = from_torch_prune(model)
    assert not torch_prune.is_pruned(model)
    for name in masks:
        assert torch.equal(back[name], masks[name])
        assert torch.equal(kept[name], masks[name])
    assert sorted(model.state_dict()) == sorted(names)
    assert torch.equal(model(x), wanted)
    with pytest.raises(InputError, match="no parameter of the model"):
        from_torch_prune(model)


def test_a_tied_parameter_is_handed_over_wherever_it_is_held() -> None:
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6, bias=False))
    model[1].weight = model[0].weight
    masks = prune(model, 0.5)
    to_torch_prune(model, masks)
    for _ in range(2):
        out = model(torch.arange(6))
        out.square().sum().backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
    used = model[0].weight_orig
    assert model[1].weight_orig is used
    assert bool((used.detach() * ~masks["0.weight"] == 0).all())  # no module trained it
    back = from_torch_prune(model)
    assert list(back) == ["0.weight"]
    assert torch.equal(back["0.weight"], masks["0.weight"])
    assert model[1].weight is model[0].weight


def test_masks_that_torch_made() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.LSTM(4, 3))
    torch_prune.random_unstructured(model[0], "weight", amount=10)
    torch_prune.l1_unstructured(model[0], "bias", amount=1)
    masks = from_torch_prune(model)
    assert {n: int(m.sum()) for n, m in masks.items()} == {"0.weight": 14, "0.bias": 3}


def test_what_does_not_fit_is_not_handed_over() -> None:
    model = mlp(10, 8, 3)
    with pytest.raises(InputError, match="no such parameter"):
        to_torch_prune(model, {"0.wait": torch.ones(8, 10)})
    with pytest.raises(InputError, match=r"0 and 1 alone, that of 0\.weight"):
        to_torch_prune(model, {"0.weight": torch.full_like(model[0].weight, 0.3)})
    assert not torch_prune.is_pruned(model)
