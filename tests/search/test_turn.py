"""The one-pass step gives the bits of the plain one, and is left where it cannot be sure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from strongticket import Law, Network, SignedConstant, Uniform
from strongticket.errors import SearchError
from strongticket.search import EdgePopup, fused, kernels, turn, turn_kernels

NEEDS_NUMBA = pytest.mark.skipif(kernels.compiled() is None, reason="the loops need numba")
pytestmark = NEEDS_NUMBA
WIDTHS = (20, 40, 6)
UNIFORM = Uniform(1.0)
Side = tuple[nn.Module, EdgePopup]


def pair(law: Law = UNIFORM, widths: tuple[int, ...] = WIDTHS, **options: Any) -> tuple[Side, Side]:
    """The same search by the loops and by torch."""
    found = []
    for backend in ("numba", "torch"):
        layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
        model = nn.Sequential(layers[0], nn.ReLU(), layers[1])
        network = Network.sample(model, law, seed=3)
        found.append((model, EdgePopup(network, 0.3, backend=backend, **options)))  # type: ignore[arg-type]
    return found[0], found[1]


def grads(model: nn.Module, step: int, size: float) -> None:
    for k, parameter in enumerate(model.parameters()):
        draw = torch.Generator().manual_seed(97 * step + k)
        parameter.grad = size * torch.randn(parameter.shape, generator=draw)


def same(a: Side, b: Side) -> None:
    for mine, other in zip(a[0].parameters(), b[0].parameters(), strict=True):
        assert torch.equal(mine, other)
    for name, scores in a[1].scores().items():
        assert torch.equal(scores, b[1].scores()[name])
    for name, mask in a[1].masks().items():
        assert torch.equal(mask, b[1].masks()[name])


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often a pool was settled near the last cut, and how often it was ranked anew."""
    seen = {"near": 0, "anew": 0}
    settle, rewrite = turn._settle, fused.rewrite

    def counted(*arguments: Any) -> Any:
        key = settle(*arguments)
        seen["near"] += key is not None
        return key

    def anew(*arguments: Any) -> None:
        seen["anew"] += 1
        rewrite(*arguments)

    monkeypatch.setattr(turn, "_settle", counted)
    monkeypatch.setattr(fused, "rewrite", anew)
    return seen


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e-3},
        {"lr": 1e-3, "momentum": 0.0},
        {"lr": 1e-3, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.3},  # many cross the cut, and the cut moves far
    ],
    ids=["small", "no momentum", "nesterov", "large"],
)
def test_every_step_has_the_bits_of_the_plain_way(
    scope: str, ranking: str, options: dict[str, Any], ways: dict[str, int]
) -> None:
    a, b = pair(scope=scope, ranking=ranking, **options)
    for step in range(25):
        for model, search in (a, b):
            grads(model, step, 0.3)
            search.step()
        same(a, b)
    assert (ways["near"] if options["lr"] < 0.1 else ways["anew"]) > 0


def test_small_steps_stay_near_and_wild_ones_are_ranked_anew(ways: dict[str, int]) -> None:
    (model, search), _ = pair(lr=1e-6, momentum=0.0)
    for step in range(10):
        grads(model, step, 1.0)
        search.step()
    assert ways == {"near": 2 * 9, "anew": 1}  # the first step knows no cut, of both layers
    for group in search.param_groups:
        group["lr"] = 1e3
    grads(model, 99, 1.0)
    search.step()
    assert ways["anew"] > 1


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_ties_go_to_the_lower_index_step_after_step(scope: str, ways: dict[str, int]) -> None:
    """Scores on a coarse grid, with moves that stay on it: the cut is always shared by many."""
    a, b = pair(scope=scope, lr=1.0, momentum=0.0, law=SignedConstant(1.0))
    for _, search in (a, b):
        for scores in search.scores().values():
            scores.copy_((scores * 64).round() / 64 + 1)
    for step in range(12):
        for model, search in (a, b):
            for k, parameter in enumerate(model.parameters()):
                draw = torch.Generator().manual_seed(31 * step + k)
                parameter.grad = torch.randint(-1, 2, parameter.shape, generator=draw) / 4096
            search.step()
        same(a, b)
    assert ways["near"] > 0


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_more_entries_cross_than_there_is_room_to_note(scope: str, ways: dict[str, int]) -> None:
    """A layer of 4,800 scores, all of which change their rank at once."""
    a, b = pair(widths=(60, 80, 6), scope=scope, lr=1.0, momentum=0.0)
    for step, size in enumerate((0.0, 0.0, 30.0, 1e-6, 30.0)):
        for model, search in (a, b):
            grads(model, step, size)
            search.step()
        same(a, b)
    assert ways["anew"] > 1
    assert ways["near"] > 0


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_all_scores_equal(scope: str) -> None:
    a, b = pair(scope=scope, lr=1e-3, momentum=0.0)
    for step in range(4):
        for model, search in (a, b):
            if step == 0:
                for scores in search.scores().values():
                    scores.fill_(0.5)
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            search.step()
        same(a, b)


def change_scores(search: EdgePopup) -> None:
    for scores in search.scores().values():
        scores.neg_().mul_(torch.linspace(2, 0.5, scores.numel()).reshape(scores.shape))


def swap_scores(search: EdgePopup) -> None:
    for state in search.state.values():
        state["scores"] = state["scores"].flip(0).clone()


@pytest.mark.parametrize("disturb", [change_scores, swap_scores])
def test_scores_that_others_changed_are_ranked_anew(
    disturb: Callable[[EdgePopup], None], ways: dict[str, int]
) -> None:
    a, b = pair(lr=1e-6)
    for step in range(6):
        for model, search in (a, b):
            if step == 4:
                disturb(search)
            grads(model, step, 1.0)
            search.step()
        same(a, b)
    assert ways["anew"] == 2  # the first step, and the disturbed one


def test_a_loaded_state_is_ranked_anew() -> None:
    a, b = pair(lr=1e-6)
    saved = None
    for step in range(6):
        for model, search in (a, b):
            grads(model, step, 1.0)
            search.step()
        if step == 2:
            saved = a[1].state_dict()
            saved = {
                **saved,
                "state": {
                    k: {n: t.clone() for n, t in v.items()} for k, v in saved["state"].items()
                },
            }
    for model, search in (a, b):
        search.load_state_dict(saved)  # type: ignore[arg-type]
        grads(model, 7, 1.0)
        search.step()
    same(a, b)


def test_a_parameter_without_a_gradient_takes_the_plain_way() -> None:
    a, b = pair(lr=1e-3)
    for step in range(6):
        for model, search in (a, b):
            grads(model, step, 1.0)
            if step % 2:
                next(model.parameters()).grad = None
            search.step()
        same(a, b)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_is_written_if_a_later_layer_is_not_finite(value: float) -> None:
    (model, search), _ = pair(lr=1e-3)
    for step in range(3):
        grads(model, step, 1.0)
        search.step()
    before = [p.detach().clone() for p in model.parameters()]
    grads(model, 9, 100.0)
    list(model.parameters())[1].grad[0, 0] = value  # type: ignore[index]
    with pytest.raises(SearchError, match=r"step 4: .*'2.weight'"):
        search.step()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_an_older_graph_notices_that_weights_were_amended() -> None:
    model = nn.Sequential(nn.Linear(6, 9, bias=False), nn.Linear(9, 2, bias=False))
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), 0.5, lr=1e-6)
    x = torch.ones(3, 6)
    for _ in range(3):
        search.zero_grad()
        loss = model(x).square().sum()
        loss.backward(retain_graph=True)
        search.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize("size", [70, 3000])
def test_exactly_the_entries_that_a_selection_may_treat_otherwise_are_noted(
    ranking: str, size: int
) -> None:
    """Keys within a few of the window's ends and of the last cut, against the definition."""
    loops, raw = turn_kernels.compiled(), ranking == "raw"
    assert loops is not None
    draw, middle = np.random.default_rng(5), 0x3F400000
    for last_cut, low, high in ((0, -2, 2), (1, 0, 3), (-3, -1, 1), (2, 2, 2)):
        before, after = (middle + draw.integers(-4, 5, size).astype(np.int32) for _ in range(2))
        scores, goal = before.view(np.float32).copy(), after.view(np.float32)
        if raw:
            scores, goal = -scores, -goal
            last_cut, low, high = -last_cut, -high, -low
        sign = -1 if raw else 1
        middle_key = sign * middle
        room = np.empty(size + turn_kernels.BLOCK, np.int32)
        above, filled, peak = loops.advance(
            scores - goal, np.ones(size, np.float32), scores, np.empty(0, np.float32),
            np.float32(1), np.float32(0), np.float32(0), False, False, raw,
            middle_key + last_cut, middle_key + low, middle_key + high, room,
        )  # fmt: skip
        assert np.array_equal(scores, goal)
        was, now = sign * before - middle_key, sign * after - middle_key
        otherwise = (was == last_cut) | ((was > last_cut) != (now > high))
        noted = np.flatnonzero(otherwise | ((low <= now) & (now <= high)))
        assert np.array_equal(room[:filled], noted)
        assert (above, peak) == (np.count_nonzero(now > high), after.max())


def test_after_an_interruption_the_weights_are_ranked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(100, 10, bias=False)
    network = Network.sample(model, UNIFORM, seed=3)
    search = EdgePopup(network, 0.3, lr=1.0, momentum=0.0, ranking="raw")
    scores, frozen = search.scores()["weight"], search._layers["weight"].frozen.view(10, 100)

    def move(distance: float) -> None:
        model.weight.grad = -distance / frozen
        search.step()

    move(0.0)
    cut = float(scores[model.weight != 0].min())
    with monkeypatch.context() as patch:
        patch.setattr(turn, "_settle", lambda *_: raised(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            move(1.0 - cut)  # far beyond the last cut
    rng = np.random.default_rng(0)
    aim = torch.from_numpy(rng.permutation(1000).reshape(10, 100).astype(np.float32))
    aim = cut + (aim - 700.0) / 1e4  # the same cut as before the interruption, of other entries
    model.weight.grad = (scores - aim) / frozen
    search.step()
    search.state_dict()  # compares the weights with a selection made anew


def raised(error: type[BaseException]) -> None:
    raise error
