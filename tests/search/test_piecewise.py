"""Steps block by block: the bits of steps layer by layer, for every elementwise gate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from search_methods import METHODS, STEPS, searched
from search_models import batch, mlp, saved_and_loaded, train
from torch import Tensor, nn

from strongticket.errors import SearchError
from strongticket.laws import Normal
from strongticket.networks import Network
from strongticket.search import Bernoulli, Frozen, MaskSearch, piecewise
from strongticket.search.gate import Elementwise
from strongticket.search.gates import Above
from strongticket.search.method import Method
from strongticket.search.scores import Start

X, Y = batch(24, 12, 5, seed=3)
WHOLE = ("bernoulli rescale", "bernoulli rows")  # a gain or a structure: layer by layer
NAMES = [
    "gem-miner",
    "gem-miner frozen",
    "bernoulli",
    "bernoulli threshold",
    "signed",
    "continuous",
    "hard-concrete",
]


def trained(name: str, steps: int = STEPS, **options: Any) -> tuple[MaskSearch, nn.Module]:
    model = mlp(12, 37, 13, 5)
    search = searched(name, model, **options)
    train(model, search, X, Y, steps)
    return search, model


def state(search: MaskSearch, model: nn.Module) -> list[Tensor]:
    found = [value.detach().clone() for value in model.parameters()]
    for entry in search.state.values():
        found += [value for _, value in sorted(entry.items())]
    return found + list(search.masks().values()) + list(search._in_force().values())


def small_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(piecewise, "GRAIN", size)
    monkeypatch.setattr(piecewise, "SIZE", size)


def by_block(search: MaskSearch) -> bool:
    return piecewise.Piecewise.of(search.method, search._plan, search._layers) is not None


def test_every_elementwise_method_goes_block_by_block() -> None:
    for name in METHODS:
        search = searched(name, mlp(12, 37, 13, 5))
        gate = isinstance(search.method.gate, Elementwise)
        assert gate == (name in (*NAMES, *WHOLE)), name
        assert by_block(search) == (name in NAMES), name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in NAMES),
        *((name, {"frozen": Frozen(0.2, 0.1, seed=4)}) for name in NAMES if "frozen" not in name),
    ],
)
def test_blocks_change_no_bit(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as whole:
        whole.setattr(piecewise.Piecewise, "of", lambda *_: None)
        wanted = state(*trained(name, **options))
    small_blocks(monkeypatch, 64)  # 7 blocks, 8 and 2 of the three layers
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        search, model = trained(name, **options)
        assert by_block(search)
        found = state(search, model)
    finally:
        torch.set_num_threads(before)
    assert len(found) == len(wanted)
    for mine, other in zip(found, wanted, strict=True):
        assert mine.dtype == other.dtype
        assert torch.equal(mine, other)
    ticket = search.ticket()
    with search.evaluating(), torch.no_grad():
        outputs = model(X)
    again = mlp(12, 37, 13, 5)
    ticket.into(again)
    assert torch.equal(again(X), outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_search_resumes_with_other_blocks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch, 128)
    search, model = trained(name, 5)
    saved = saved_and_loaded(search.state_dict())
    train(model, search, X, Y, 4)
    small_blocks(monkeypatch, 64)
    other = mlp(12, 37, 13, 5)
    resumed = searched(name, other)
    resumed.load_state_dict(saved)
    train(other, resumed, X, Y, 4)
    for mine, wanted in zip(state(resumed, other), state(search, model), strict=True):
        assert torch.equal(mine, wanted)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_threads_share_blocks_by_whole_grains(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    grain, size = piecewise.GRAIN, piecewise.SIZE
    for count in (0, 1, grain - 1, grain, 3 * grain + 5, 23 * grain, 200 * grain + 1):
        at = 0
        for start, stop in piecewise._blocks(count):
            assert start == at < stop <= start + threads * size
            used = min(threads, -(-(stop - start) // grain))  # torch's rule
            share = -(-(stop - start) // used)
            assert share % grain == 0 or (used == 1 and stop == count)
            at = stop
        assert at == count


def test_bits_are_the_same_by_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    models = [mlp(301, 333, 5) for _ in range(2)]
    alone, several = (searched("continuous", model) for model in models)
    draw = torch.Generator().manual_seed(0)
    try:
        for threads in range(2, 8):  # parts of 301 * 333 entries that fill no vector register
            for pair in zip(*(model.parameters() for model in models), strict=True):
                grad = torch.randn(pair[0].shape, generator=draw)
                for parameter in pair:
                    parameter.grad = grad.clone()
            torch.set_num_threads(threads)
            several.step()
            torch.set_num_threads(1)
            alone.step()
            several.state_dict()  # makes the gates anew and compares: raises where bits differ
            for one, other in zip(state(alone, models[0]), state(several, models[1]), strict=True):
                assert torch.equal(one, other)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_no_block_is_written_where_a_score_is_not_finite(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch, 64)
    search, model = trained(name, 2)
    before = [value.detach().clone() for value in model.parameters()]
    held = {n: gate.clone() for n, gate in search._gates.items()}
    for value in model.parameters():
        value.grad = torch.zeros_like(value)
    assert model[2].weight.grad is not None
    model[2].weight.grad.view(-1)[-1] = torch.inf  # in the last block of the second layer
    if search._pinned:
        search._pinned["2.weight"].view(-1)[-1] = 0
    with pytest.raises(SearchError, match=r"step 3.*'2\.weight' must be finite.*gradient of"):
        search.step()
    for value, wanted in zip(model.parameters(), before, strict=True):
        assert torch.equal(value.detach(), wanted)
    for n, gate in search._gates.items():
        assert torch.equal(gate, held[n])


def test_gates_are_held_between_selections() -> None:
    model = mlp(12, 37, 13, 5)
    network = Network.sample(model, Normal(), seed=1)
    method = Method("above", "none", Above(0.5), start=Start("unit interval"))
    search = MaskSearch(network, method, density=None, lr=0.5, refresh=3)
    for step in range(1, 8):
        weights = [value.detach().clone() for value in model.parameters()]
        train(model, search, X, Y, 1)
        moved = any(not torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
        assert moved == (step % 3 == 0)
        for name, mask in search.masks().items():
            assert torch.equal(mask, model.get_parameter(name).detach() != 0)


def test_layers_laid_out_otherwise_go_whole() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.Flatten(), nn.Linear(32, 3))
    model.to(memory_format=torch.channels_last)
    search = searched("bernoulli", model)
    assert not by_block(search)
    x, y = batch(8, 64, 3)
    train(model, search, x.reshape(8, 4, 4, 4), y, 3)
    search.ticket()


def test_rows_go_whole() -> None:
    model = mlp(12, 37, 13, 5)
    search = Bernoulli(Network.sample(model, Normal(), seed=0), structure="rows")
    assert not by_block(search)
    train(model, search, X, Y, 2)
    search.ticket()
