"""Buffers of a searched model: in its ticket whatever their dtype, and in its saved state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from search_models import batch, saved_and_loaded, search_of, train
from torch import nn

from strongticket.errors import InputError
from strongticket.tickets import Ticket


def norm_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 3))


def conv_net() -> nn.Sequential:
    body = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*body, nn.Linear(6 * 36, 3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_ticket_holds_buffers_of_any_float(tmp_path: Path, dtype: torch.dtype) -> None:
    model = conv_net().to(dtype)
    search = search_of(model, density=0.4)
    x = torch.randn(16, 2, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    train(model, search, x, torch.arange(16) % 3, 3)
    ticket = Ticket.load(search.ticket().save(tmp_path / "found.safetensors"))
    assert ticket == search.ticket()
    stored = {torch.bfloat16: "float32", torch.float16: "float16", torch.float64: "float64"}
    assert ticket.buffers["1.running_var"].dtype == stored[dtype]
    other = ticket.into(conv_net().to(dtype))
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, other.get_buffer(name))
        assert buffer.dtype == other.get_buffer(name).dtype
    assert torch.equal(model.eval()(x), other.eval()(x))


@pytest.mark.parametrize(
    "buffer", [torch.ones(2, dtype=torch.complex128), torch.eye(3).to_sparse()]
)
def test_a_buffer_that_no_ticket_holds_is_refused_before_the_search(buffer: torch.Tensor) -> None:
    model = norm_net()
    model.register_buffer("table", buffer)
    with pytest.raises(InputError, match="the buffer 'table' must be a dense array of bool"):
        search_of(model)
    model.register_buffer("table", buffer, persistent=False)
    assert "table" not in search_of(model).ticket().buffers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("refresh", [1, 4])
def test_a_resumed_search_has_the_same_statistics(dtype: torch.dtype, refresh: int) -> None:
    x, y = batch(32, 8, 3)
    x = x.to(dtype)
    model, again = norm_net().to(dtype), norm_net().to(dtype)
    search = search_of(model, density=0.3, lr=0.7, refresh=refresh)
    train(model, search, x, y, 5)
    state = saved_and_loaded(search.state_dict())
    train(model, search, x, y, 5)
    resumed = search_of(again, density=0.3, lr=0.7, refresh=refresh)
    resumed.load_state_dict(state)
    train(again, resumed, x, y, 5)
    assert resumed.ticket() == search.ticket()
    assert resumed.ticket().ticket_id == search.ticket().ticket_id
    assert torch.equal(model.eval()(x), again.eval()(x))


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "none": (lambda s: s.pop("buffers"), r"model's buffers \['1\.num_.*, got None"),
    "missing": (lambda s: s["buffers"].pop("1.running_mean"), "must hold the model's buffers"),
    "more": (lambda s: s["buffers"].update(x=torch.ones(1)), "must hold the model's buffers"),
    "shape": (
        lambda s: s["buffers"].update({"1.running_mean": torch.ones(3)}),
        r"'1\.running_mean' must be torch.float32 of shape \(20,\), got torch.float32 of",
    ),
    "dtype": (lambda s: s["buffers"].update({"1.running_mean": torch.ones(20).int()}), "int32"),
    "no tensor": (lambda s: s["buffers"].update({"1.running_mean": 1}), "must be a tensor, got 1"),
}


@pytest.mark.parametrize(("spoil", "says"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_buffers_change_nothing(spoil: Callable[[Any], Any], says: str) -> None:
    x, y = batch(32, 8, 3)
    model = norm_net()
    search = search_of(model)
    start = saved_and_loaded(search.state_dict())
    train(model, search, x, y, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    spoil(start["search"])
    with pytest.raises(InputError, match=says):
        search.load_state_dict(start)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert search.steps == 3
