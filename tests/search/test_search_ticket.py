"""The end of a search: its report and its ticket."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from search_models import batch, mlp, search_of, train
from torch import nn

from strongticket.search import CollapseWarning
from strongticket.search.report import report
from strongticket.tickets import Ticket


def test_a_ticket_fills_another_model_with_the_same_outputs(tmp_path: Path) -> None:
    x, y = batch(64, 8, 3)

    def make() -> nn.Sequential:
        return nn.Sequential(nn.Linear(8, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 3))

    model = make()
    search = search_of(model, density=0.3)
    train(model, search, x, y, 10)
    ticket = Ticket.load(search.ticket().save(tmp_path / "found.safetensors"))
    assert ticket == search.ticket()
    other = ticket.into(make())
    model.eval()
    other.eval()
    assert torch.equal(model(x), other(x))
    assert ticket.mask.kept == 48 + 18
    assert ticket.provenance["search"] == "edge-popup"


def test_a_report_counts_dead_units_and_collapsed_layers() -> None:
    masks = {
        "first": torch.tensor([[1, 0, 1], [0, 0, 0]]).bool(),
        "conv": torch.zeros(2, 3, 2, 2, dtype=torch.bool),
        "last": torch.ones(2, 2, dtype=torch.bool),
    }
    masks["conv"][1, 2, 0, 1] = True
    found = report(masks)
    assert [layer.dead_outputs for layer in found.layers] == [1, 1, 0]
    assert [layer.dead_inputs for layer in found.layers] == [1, 2, 0]
    assert found.collapsed == ()
    assert found.dead == 5
    assert (found.kept, found.total) == (7, 34)
    assert "dead units: 5" in repr(found)
    assert "COLLAPSED" not in repr(found)
    masks["last"][:] = False
    assert report(masks).collapsed == ("last",)
    assert "COLLAPSED, nothing kept: last" in repr(report(masks))


def test_a_collapsed_layer_is_said_loudly() -> None:
    # Scores start within 1 / sqrt(fan-in): at a small global density the wide layer gets nothing.
    model = mlp(4, 400, 3)
    search = search_of(model, density=0.005, scope="global")
    assert search.report().collapsed == ("2.weight",)
    with pytest.warns(CollapseWarning, match=r"keeps nothing of 2\.weight"):
        search.ticket()


def test_a_report_of_a_search_is_of_the_mask_in_force() -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 25, 3)
    search = search_of(model, density=0.1, lr=1.0, refresh=5)
    train(model, search, x, y, 7)
    for layer, parameter in zip(search.report().layers, model.parameters(), strict=True):
        assert layer.kept == int((parameter != 0).sum())
        assert layer.dead_outputs == int((parameter == 0).all(1).sum())
        assert layer.dead_inputs == int((parameter == 0).all(0).sum())
        assert layer.density == layer.kept / parameter.numel()
