"""Models by name have the published shapes and take flat images."""

from __future__ import annotations

import pytest
import torch

from strongticket import Network, SignedConstant
from strongticket.errors import InputError
from strongticket.models import named
from strongticket.search import EdgePopup


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("mlp-784-300-100-10", 784 * 300 + 300 * 100 + 1000),
        ("conv-2", 4_300_992),  # 3*64*9 + 64*64*9 + 64*16*16*256 + 256*256 + 2560
        ("conv-4", 2_425_024),
        ("conv-6", 2_261_184),
        ("conv-8", 5_275_840),
        ("resnet-18", 11_164_352),
    ],
)
def test_the_number_of_weights_is_the_published_one(name: str, weights: int) -> None:
    model = named(name)
    assert sum(p.numel() for p in model.parameters()) == weights
    assert all(p.dim() > 1 for p in model.parameters())


@pytest.mark.parametrize("name", ["mlp-3072-16-7", "conv-2", "resnet-18"])
def test_a_model_takes_flat_images_and_can_be_searched(name: str) -> None:
    model = named(name, classes=7)
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), 0.5)
    out = model(torch.rand(2, 3072))
    assert out.shape == (2, 7)
    out.square().sum().backward()
    search.step()
    assert search.report().density == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", ["", "mlp", "mlp-5", "mlp-0-3", "conv-3", "conv", "resnet-34"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="a model is mlp-WIDTH"):
        named(name)
