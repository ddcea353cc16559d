"""Heads of stacked projections: a head goes as a whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from strongticket.errors import InputError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, Heads
from strongticket.search.structures import structure


@pytest.mark.parametrize("axis", [0, 1])
def test_a_head_is_its_run_in_every_stacked_projection(axis: int) -> None:
    kind, shape = Heads(2, axis, 3), ((12, 5), (5, 12))[axis]
    heads = kind.expand(torch.arange(2), shape).movedim(axis, 0)
    assert heads.tolist() == [[head] * 5 for head in [0, 0, 1, 1] * 3]
    assert kind.reduce(heads.movedim(0, axis).float(), shape).reshape(-1).tolist() == [0.0, 30.0]


def test_the_text_of_stacked_heads() -> None:
    assert structure("heads:2x3") == Heads(2, 0, 3)
    assert structure("heads:2x3:1") == Heads(2, 1, 3)
    for text in ("heads:4", "heads:4:1", "heads:4x3", "heads:4x3:1"):
        assert structure(text).text == text
    with pytest.raises(InputError, match="5 heads, 3 times, must divide axis 0"):
        Heads(5, 0, 3).split((24, 8))
    with pytest.raises(InputError, match="stacked projections"):
        Heads(5, 0, 0)


def test_half_of_the_heads_of_an_attention() -> None:
    model = nn.MultiheadAttention(8, 4, bias=False)
    network = Network.sample(model, SignedConstant(), seed=0, include=["in_proj_weight"])
    search = EdgePopup(network, density=0.5, lr=0.3, structure="heads:4x3")
    x = torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        search.zero_grad()
        model(x, x, x)[0].square().sum().backward()
        search.step()
    rows = search.masks()["in_proj_weight"].reshape(3, 4, 2, 8)
    whole = rows.flatten(2).all(2)
    assert torch.equal(whole, rows.flatten(2).any(2))
    assert whole.sum(1).tolist() == [2, 2, 2]
    assert torch.equal(whole[0], whole[1])
    assert torch.equal(whole[0], whole[2])
