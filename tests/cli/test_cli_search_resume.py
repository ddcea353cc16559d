"""A search that was interrupted goes on where it stood, and finds what it would have found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runner import Runner
from torch import nn

from strongticket import models
from strongticket.cli import _search_state
from strongticket.tickets import Ticket

SMALL = ("search", "--model", "mlp-64-16-10", "--epochs", "3", "--batch", "400")  # 4 steps each


def interrupted_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C right after the state of that step is written; a state is written after each."""
    saves = 0
    real = _search_state.Kept.save

    def save(self: _search_state.Kept, state: Any) -> None:
        nonlocal saves
        real(self, state)
        saves += 1
        if saves == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(_search_state.Kept, "save", save)
    monkeypatch.setattr(_search_state, "EVERY", -1.0)


@pytest.mark.parametrize("step", [1, 4, 6, 12])
@pytest.mark.parametrize(
    "options",
    [("--ramp", "0.8", "--density", "0.1"), ("--method", "gem-miner"), ("--method", "bernoulli")],
    ids=["ramp", "gem-miner", "bernoulli"],
)
def test_an_interrupted_search_finds_the_same(
    run: Runner, tmp_path: Path, step: int, options: tuple[str, ...]
) -> None:
    whole = run(*SMALL, *options, "--out", tmp_path / "whole.safetensors", "--json").json
    state, out = tmp_path / "state", tmp_path / "part.safetensors"
    arguments = (*SMALL, *options, "--out", out, "--resume", state)
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(patch, step)
        ended = run(*arguments)
    assert ended.code == 130
    assert f"goes on from {state}" in ended.err
    assert not out.exists()
    found = run(*arguments, "--json").json
    for key in ("id", "accuracy", "random_accuracy"):
        assert found[key] == whole[key]
    assert Ticket.load(out) == Ticket.load(tmp_path / "whole.safetensors")


def test_without_a_file_nothing_is_kept(run: Runner, tmp_path: Path) -> None:
    assert run(*SMALL, "--out", tmp_path / "mask.safetensors").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mask.safetensors"]


def test_a_state_of_another_search_is_refused_and_kept(run: Runner, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "mask.safetensors"
    assert run(*SMALL, "--out", out, "--resume", state).code == 0
    before = state.read_bytes()
    others = {
        "density": "0.3",
        "method": "biprop",
        "seed": "1",
        "epochs": "4",
        "model": "mlp-64-10",
    }
    for key, value in others.items():
        ended = run(*SMALL, f"--{key}", value, "--out", out, "--resume", state)
        assert ended.code == 2
        assert f"is of a search with {key}" in ended.err
        assert value in ended.err
    assert state.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"no state", None])
def test_a_file_that_is_no_state_is_refused(
    run: Runner, tmp_path: Path, data: bytes | None
) -> None:
    state = tmp_path / "state"
    if data is None:
        torch.save({"search": 1}, state)
    else:
        state.write_bytes(data)
    ended = run(*SMALL, "--out", tmp_path / "mask.safetensors", "--resume", state)
    assert ended.code in (1, 2)
    assert "holds no search to resume from" in ended.err
    assert not (tmp_path / "mask.safetensors").exists()


def test_a_state_that_lost_a_bit_is_refused_and_kept(run: Runner, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "mask.safetensors"
    assert run(*SMALL, "--out", out, "--resume", state).code == 0
    whole = state.read_bytes()
    for at in (0, 30, 70, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        state.write_bytes(damaged)
        ended = run(*SMALL, "--out", out, "--resume", state)
        assert ended.code in (1, 2)
        assert "is damaged" in ended.err
        assert state.read_bytes() == damaged
    state.write_bytes(whole[:-1])
    assert "is damaged" in run(*SMALL, "--out", out, "--resume", state).err


def test_state_and_ticket_need_a_file_each(run: Runner, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run(*SMALL, "--out", tmp_path / "mask.safetensors", "--resume", state).code == 0
    before = state.read_bytes()
    ended = run(*SMALL, "--out", tmp_path / "." / "state", "--resume", state)
    assert ended.code == 2
    assert "need a file each" in ended.err
    assert state.read_bytes() == before


def test_the_layers_of_the_mask_are_shown(run: Runner, tmp_path: Path) -> None:
    options = ("--density", "0.01", "--out", tmp_path / "mask.safetensors")
    shown = run(*SMALL, *options).out
    assert "layers.1.weight  10x16  2 of 160" in shown
    assert "dead units:" in shown


def test_a_layer_that_keeps_nothing_is_said_in_words(run: Runner, tmp_path: Path) -> None:
    options = ("--scope", "global", "--density", "0.001", "--out", tmp_path / "mask.safetensors")
    ended = run(*SMALL, *options, "--json")
    assert ended.code == 0
    (line,) = [text for text in ended.err.splitlines() if "keeps nothing of" in text]
    assert line.startswith("warning: the mask keeps nothing of layers.")


def test_norm_statistics_are_those_of_the_ticket(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def normed(name: str, classes: int = 10) -> nn.Module:
        return nn.Sequential(
            nn.Linear(64, 16, bias=False),
            nn.BatchNorm1d(16, affine=False),
            nn.ReLU(),
            nn.Linear(16, 10, bias=False),
        )

    monkeypatch.setattr(models, "named", normed)
    out = tmp_path / "mask.safetensors"
    assert run(*SMALL, "--method", "bernoulli", "--out", out).code == 0
    ticket = Ticket.load(out)
    from strongticket.datasets import digits

    model = ticket.into(normed(""))
    inputs = torch.from_numpy(digits().train_x)
    batches = [model[0](part) for part in inputs.split(400)]
    mean = torch.stack([h.mean(0) for h in batches]).mean(0)
    torch.testing.assert_close(model[1].running_mean, mean)
