"""The temperature of the loss: what it measures, what it leaves alone, and what it makes equal."""

from __future__ import annotations

import math

import pytest
import torch
from search_models import batch, mlp
from torch import nn

from strongticket.errors import InputError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup
from strongticket.search.by_name import Asked, by_name
from strongticket.search.controls import random_mask
from strongticket.search.temperature import temperature


def searched(scale: float, at_temperature: bool, lr: float = 0.3) -> dict[str, torch.Tensor]:
    """The masks after a few steps over weights of the given size."""
    model = mlp(8, 32, 4)
    search = EdgePopup(Network.sample(model, SignedConstant(scale), seed=3), 0.3, lr)
    x, y = batch(64, 8, 4)
    t = temperature(search, x) if at_temperature else 1.0
    for _ in range(20):
        search.zero_grad()
        nn.functional.cross_entropy(model(x) / t, y).backward()
        search.step()
    return search.masks()


def test_it_is_the_size_of_a_random_mask_s_outputs() -> None:
    model = mlp(8, 32, 4)
    network = Network.sample(model, SignedConstant(0.5), seed=0)
    search = EdgePopup(network, 0.25)
    x, _ = batch(50, 8, 4)
    masks = random_mask(search.masks(), 7)
    first, last = (
        torch.from_numpy(network.weights(n).copy()) * masks[n] for n in ("0.weight", "2.weight")
    )
    outputs = torch.relu(x @ first.T) @ last.T
    wanted = math.sqrt(float(outputs.square().mean()))
    assert temperature(search, x, 7) == pytest.approx(wanted, rel=1e-5)
    assert temperature(search, 4 * x, 7) == pytest.approx(4 * wanted, rel=1e-5)
    assert temperature(search, x, 8) != temperature(search, x, 7)


def test_nothing_is_written() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16, affine=False), nn.Linear(16, 4))
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), 0.5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    temperature(search, batch(50, 8, 4)[0])
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    search.ticket()  # which compares every parameter with what the search wrote


def test_the_search_no_longer_sees_the_scale_of_the_weights() -> None:
    one, other = searched(1.0, at_temperature=True), searched(2.0**-7, at_temperature=True)
    assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = searched(1.0, at_temperature=False), searched(2.0**-7, at_temperature=False)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_what_lets_nothing_through_has_temperature_one() -> None:
    model = mlp(8, 32, 4)
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), 0.25)
    assert temperature(search, torch.zeros(3, 8)) == 1.0
    with pytest.raises(InputError, match="finite outputs"):
        temperature(search, torch.full((3, 8), math.inf))


def test_ratio_and_ramp_by_name() -> None:
    network = Network.sample(model := mlp(20, 30, 10), SignedConstant(), seed=0)
    search = by_name("edge-popup", network, Asked(0.1, 40, ratio="erk", ramp=0.5))
    assert search.report().kept == search.report().total  # the ramp begins dense
    x, y = batch(16, 20, 10)
    for _ in range(20):
        search.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        search.step()
    first, last = (layer.density for layer in search.report().layers)
    assert search.report().kept == 90
    assert first < last
    with pytest.raises(InputError, match="share of all steps"):
        by_name("edge-popup", network, Asked(0.1, 40, ramp=2.0))
    with pytest.raises(InputError, match="leave ratio out"):
        by_name("edge-popup", network, Asked(0.1, 40, scope="global", ratio="erk"))
    with pytest.raises(InputError, match="has no ramp"):
        by_name("bernoulli", network, Asked(0.1, 40, ramp=0.5))
