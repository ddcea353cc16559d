"""A saved search goes on bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from search_models import batch, mlp, saved_and_loaded, search_of, train

from strongticket.errors import InputError, SearchError


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scope": "global", "ranking": "raw"},
        {"refresh": 4},  # saved between two selections
        {"refresh": 7},  # saved at one
        {"momentum": 0.0, "weight_decay": 0.01},
        {"groups": [{"params": ["2.*"], "lr": 0.1}]},
    ],
)
def test_a_resumed_search_equals_one_that_never_stopped(
    options: dict[str, Any], backend: str
) -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 25, 3)
    options = {"lr": 0.7, "density": 0.3, "backend": backend, **options}
    search = search_of(model, **options)
    train(model, search, x, y, 7)
    state = saved_and_loaded(search.state_dict())
    losses = train(model, search, x, y, 9)

    again = mlp(8, 25, 3)
    resumed = search_of(again, score_seed=77, **options)
    resumed.load_state_dict(state)
    assert resumed.steps == 7
    assert train(again, resumed, x, y, 9) == losses
    for one, other in zip(search.state.values(), resumed.state.values(), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert search.ticket() == resumed.ticket()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_scores_stay_float32_through_a_state(dtype: torch.dtype) -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 25, 3).to(dtype)
    search = search_of(model, density=0.3)
    train(model, search, x.to(dtype), y, 3)
    again = mlp(8, 25, 3).to(dtype)
    resumed = search_of(again, density=0.3)
    resumed.load_state_dict(saved_and_loaded(search.state_dict()))
    for one, other in zip(search.state.values(), resumed.state.values(), strict=True):
        for key in ("scores", "momentum_buffer"):
            assert other[key].dtype == torch.float32
            assert torch.equal(one[key], other[key])


def test_neither_masks_nor_frozen_weights_are_stored() -> None:
    model = mlp(8, 25, 3)
    state = search_of(model).state_dict()
    assert {key for entry in state["state"].values() for key in entry} == {"scores"}
    assert "kept" not in state["search"]


def test_a_loaded_state_shares_no_memory() -> None:
    x, y = batch(16, 8, 3)
    model, again = mlp(8, 25, 3), mlp(8, 25, 3)
    search, resumed = search_of(model), search_of(again)
    state = search.state_dict()
    resumed.load_state_dict(state)
    before = state["state"][0]["scores"].clone()
    train(again, resumed, x, y, 2)
    assert torch.equal(state["state"][0]["scores"], before)


def test_schedulers_resume_too() -> None:
    model, again = mlp(8, 25, 3), mlp(8, 25, 3)
    search = search_of(model, lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(search, gamma=0.5)
    x, y = batch(16, 8, 3)
    train(model, search, x, y, 1)
    scheduler.step()
    resumed = search_of(again, lr=1.0)
    resumed.load_state_dict(saved_and_loaded(search.state_dict()))
    assert resumed.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"density": 0.4}, "saved with keep"),
        ({"scope": "global"}, "saved with scope 'layer', this search has 'global'"),
        ({"ranking": "raw"}, "saved with ranking 'abs'"),
        ({"refresh": 2}, "saved with refresh 1"),
        ({"seed": 9}, "saved with network"),
        ({"groups": [{"params": ["2.*"]}]}, "saved with groups"),
    ],
)
def test_a_state_of_another_search(options: dict[str, Any], says: str) -> None:
    state = search_of(mlp(8, 25, 3)).state_dict()
    with pytest.raises(InputError, match=says):
        search_of(mlp(8, 25, 3), **options).load_state_dict(state)


def test_a_state_that_is_damaged_changes_nothing() -> None:
    model = mlp(8, 25, 3)
    search = search_of(model)
    before = {n: s.clone() for n, s in search.scores().items()}
    for spoil, says in (
        (lambda s: s.pop("search"), "this one is not of a search"),
        (lambda s: s["state"][0].update(scores=torch.ones(3)), "must be float32 of shape"),
        (lambda s: s["state"][1]["scores"].fill_(float("nan")), "finite scores"),
        (lambda s: s["state"].pop(0), "finite scores"),
        (lambda s: s["search"].update(format=99), "saved with format 99"),
    ):
        state = saved_and_loaded(search.state_dict())
        spoil(state)
        with pytest.raises(InputError, match=says):
            search.load_state_dict(state)
        for name, score in search.scores().items():
            assert torch.equal(score, before[name])


NAN = float("nan")
GROUP = "param_groups"
DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no kept": (lambda s: s["search"].pop("kept"), "must hold search.kept"),
    "kept of others": (lambda s: s["search"]["kept"].pop("2.weight"), "must hold search.kept"),
    "kept no tensor": (lambda s: s["search"]["kept"].update({"2.weight": 1}), "must be 10 bytes"),
    "kept too short": (
        lambda s: s["search"]["kept"].update({"2.weight": torch.zeros(9, dtype=torch.uint8)}),
        r"'2\.weight' must be 10 bytes",
    ),
    "kept in padding": (lambda s: s["search"]["kept"]["2.weight"][-1:].fill_(255), "padding bits"),
    "kept too few": (lambda s: s["search"]["kept"]["0.weight"].zero_(), "masks must keep"),
    "steps": (lambda s: s["search"].update(steps=-5), "integer >= 0, got -5"),
    "steps as float": (lambda s: s["search"].update(steps=3.0), "integer >= 0, got 3.0"),
    "no steps": (lambda s: s["search"].pop("steps"), "integer >= 0, got None"),
    "lr": (lambda s: s[GROUP][0].update(lr=NAN), "lr must be finite"),
    "no lr": (lambda s: s[GROUP][0].pop("lr"), "lr must be a number, got None"),
    "momentum": (lambda s: s[GROUP][0].update(momentum=1.5), "momentum must be below 1"),
    "nesterov": (lambda s: s[GROUP][0].update(nesterov=None), "nesterov must be True or False"),
    "numbers": (lambda s: s[GROUP][0].update(params=[0, 0]), r"parameters \[0, 1\], got \[0, 0\]"),
    "too few numbers": (lambda s: s[GROUP][0].update(params=[0]), r"got \[0\]"),
    "no groups": (lambda s: s.pop(GROUP), "must hold param_groups"),
    "groups of numbers": (lambda s: s.update({GROUP: [1]}), "must hold param_groups"),
    "no state": (lambda s: s.pop("state"), "the scores of every parameter, it has none"),
    "more state": (lambda s: s["state"].update({7: {}}), r"2 parameters, and \{7\}"),
    "more of one": (lambda s: s["state"][0].update(more=torch.ones(1)), "nothing but scores and"),
    "no tensor": (lambda s: s["state"][0].update(scores=1.0), "must be a tensor, got 1.0"),
    "speed": (lambda s: s["state"][1]["momentum_buffer"].fill_(NAN), "finite scores and momentum"),
    "speed's dtype": (
        lambda s: s["state"][1].update(momentum_buffer=s["state"][1]["momentum_buffer"].double()),
        r"momentum_buffer of '2\.weight' must be float32 of shape \(3, 25\), got torch.float64",
    ),
}


@pytest.mark.parametrize(("spoil", "says"), DAMAGES.values(), ids=DAMAGES)
def test_a_state_is_checked_whole_before_anything_changes(
    spoil: Callable[[dict[str, Any]], Any], says: str
) -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 25, 3)
    search = search_of(model, density=0.3, lr=0.7, refresh=4)
    train(model, search, x, y, 3)
    state = saved_and_loaded(search.state_dict())
    train(model, search, x, y, 3)
    before = saved_and_loaded(search.state_dict())
    weights = [p.detach().clone() for p in model.parameters()]
    spoil(state)
    with pytest.raises(InputError, match=says):
        search.load_state_dict(state)
    after = search.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["search"]["steps"] == before["search"]["steps"] == 6
    for number, entry in before["state"].items():
        assert all(torch.equal(after["state"][number][key], entry[key]) for key in entry)
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))


def test_a_state_is_not_loaded_into_a_model_that_moved() -> None:
    model = mlp(8, 25, 3)
    search = search_of(model)
    state = saved_and_loaded(search.state_dict())
    model.to(torch.float64)
    before = search.scores()["0.weight"].clone()
    state["state"][0]["scores"].zero_()
    with pytest.raises(SearchError, match=r"call model\.to"):
        search.load_state_dict(state)
    assert torch.equal(search.scores()["0.weight"], before)


def test_a_state_loaded_after_an_interruption_keeps_its_masks() -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 25, 3)
    search = search_of(model, lr=0.7, density=0.3, refresh=4)
    train(model, search, x, y, 6)
    state, masks = saved_and_loaded(search.state_dict()), search.masks()
    search._torn = True  # as a step leaves it that was interrupted
    search.load_state_dict(state)
    search.state_dict()  # selects anew after an interruption
    for name, mask in search.masks().items():
        assert torch.equal(mask, masks[name])


def test_momentum_that_is_not_finite_is_not_saved() -> None:
    model = mlp(8, 25, 3)
    search = search_of(model)
    train(model, search, *batch(32, 8, 3), 2)
    search.state[model[2].weight]["momentum_buffer"][0, 0] = torch.inf
    with pytest.raises(SearchError, match=r"momentum of '2\.weight' must be finite"):
        search.state_dict()
