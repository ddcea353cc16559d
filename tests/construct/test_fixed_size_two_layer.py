"""Exactly k kept weights for every weight of the target, zero or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Network, Target, Uniform, certify
from strongticket.construct import LayerAccuracy, fixed_size_two_layer
from strongticket.errors import ConstructionError, InputError, WidthError

AIM = [LayerAccuracy(1e-3, 1e-3)] * 2


def target(domain: Any, biased: bool) -> Target:
    rng = np.random.default_rng(3)
    first = rng.uniform(-0.4, 0.4, (3, 2)).astype(np.float32)
    first[0, 0] = 0.0
    second = rng.uniform(-0.4, 0.4, (2, 3)).astype(np.float32)
    bias = rng.uniform(-0.3, 0.3, 3).astype(np.float32) if biased else None
    return Target([(first, bias), (second, None)], domain)


def network(pool: int, biased: bool, seed: int = 1) -> Network:
    widths = (2, pool * (2 + biased), 3, 3 * pool, 2)
    return Network.mlp(widths, biases=[biased, False, False, False], laws=Uniform(1.0), seed=seed)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.0)], ids=str)
def test_every_weight_keeps_exactly_k(domain: Any, biased: bool) -> None:
    sizes, wanted = [15, 20], target(domain, biased)
    net = network(110, biased)
    ticket = fixed_size_two_layer(net, wanted, AIM, sizes)
    groups = (1 if domain.nonnegative else 2, 1)
    for layer, (size, sign_groups) in enumerate(zip(sizes, groups, strict=True)):
        name = f"layers.{2 * layer + 1}.weight"
        outputs, hidden = net[name].shape
        row, neuron = np.divmod(ticket.mask[name].indices(), hidden)
        block = neuron // 110
        blocks = hidden // 110
        counts = np.zeros((outputs, blocks), int)
        np.add.at(counts, (row, block), 1)
        inputs = net.architecture.widths[2 * layer]  # type: ignore[union-attr]
        assert (counts[:, :inputs] == size * sign_groups).all()
        assert (counts[:, inputs:] == size).all()  # a bias has one group
    certificate = certify(ticket, wanted)
    assert certificate.bound <= 0.05
    assert fixed_size_two_layer(net, wanted, AIM, sizes).ticket_id == ticket.ticket_id


def test_small_sizes_are_exact_subsets_of_that_size() -> None:
    wanted = target(Box(0, 1), False)
    ticket = fixed_size_two_layer(network(40, False), wanted, AIM, [1, 2], strict=False)
    assert [part["size"] for part in ticket.provenance["layers"]] == [1, 2]
    assert ticket.mask["layers.1.weight"].kept == 6
    assert ticket.mask["layers.3.weight"].kept == 12
    assert sum(part["missed"] for part in ticket.provenance["layers"]) > 0


def test_what_cannot_be_built_is_an_error() -> None:
    wanted = target(Box(0, 1), False)
    with pytest.raises(ConstructionError, match="needs 80 hidden neurons of one sign an input"):
        fixed_size_two_layer(network(40, False), wanted, AIM, [40, 40])
    with pytest.raises(ConstructionError, match=r"missed their accuracy with subsets of 2\. The"):
        fixed_size_two_layer(network(40, False), wanted, AIM, [2, 2])
    for sizes in ([3], [3, 0], [3, True], [3, 1.5], []):
        with pytest.raises(InputError, match="sizes needs one whole number"):
            fixed_size_two_layer(network(40, False), wanted, AIM, sizes)  # type: ignore[arg-type]
    with pytest.raises(WidthError):
        fixed_size_two_layer(network(40, False), wanted, AIM[:1], [3, 3])


def test_weights_that_miss_every_window_try_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, wanted, sizes = [LayerAccuracy(4e-6, 4e-6)] * 2, target(Box(0, 1), False), [28, 28]
    ticket = fixed_size_two_layer(network(170, False), wanted, fine, sizes)
    assert certify(ticket, wanted).bound <= 1e-4
    for layer, size in enumerate(sizes):
        name = f"layers.{2 * layer + 1}.weight"
        assert ticket.mask[name].kept == size * wanted.weights[layer].size
    monkeypatch.setattr("strongticket.construct._fixed_size.SWAPS", 0)
    with pytest.raises(ConstructionError, match="missed their accuracy"):
        fixed_size_two_layer(network(170, False), wanted, fine, sizes)
