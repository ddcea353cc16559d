"""Two neurons for one weight: the rules, the pools, what is kept, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Network, Normal, Target, Uniform
from strongticket.construct import LayerAccuracy
from strongticket.construct._two_neurons import BOTH_NEAR, PRODUCT, two_neurons
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.verify import collapse

FIRST = np.array([[0.8, -0.3], [0.0, 0.11]], np.float32)
SECOND = np.array([[-0.77, 0.5]], np.float32)


def target(domain: Any = None, biased: bool = False) -> Target:
    shifts = [np.array([0.25, -0.4], np.float32), np.array([0.03], np.float32)]
    pairs = zip((FIRST, SECOND), shifts if biased else (None, None), strict=True)
    return Target(list(pairs), domain or Box(-1.0, 1.0))


def net(hidden: tuple[int, int], scale: float = 2.0, biased: bool = False) -> Network:
    widths = (2, hidden[0], 2, hidden[1], 1)
    return Network.mlp(widths, laws=Uniform(scale), seed=1, biases=[biased, False] * 2)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("domain", [Box(-1.0, 1.0), Box(0.0, 1.0), Ball(1.0)], ids=str)
def test_products_are_within_the_accuracy_and_two_a_weight(domain: Any, biased: bool) -> None:
    eta, wanted = 0.01, target(domain, biased)
    blocks = 3 if biased else 2
    ticket = two_neurons(
        net((blocks * 4000, blocks * 4000), biased=biased), wanted, [LayerAccuracy(eta, eta)] * 2
    )
    for i, layer in enumerate(collapse(ticket)):
        unit = Fraction(2) ** layer.exponent
        signed = i == 0 and not domain.nonnegative
        for effective in (layer.plus, layer.minus) if signed else (layer.plus,):
            for found, w in zip(effective.ravel(), wanted.weights[i].ravel(), strict=True):
                assert abs(int(found) * unit - Fraction(float(w))) <= Fraction(eta)
        live = np.count_nonzero(wanted.weights[i])
        most = live * (2 if signed else 1)
        if biased:
            bias = wanted.biases[i]
            assert bias is not None
            most += bias.size
            for found, w in zip(layer.bias, bias, strict=True):
                assert abs(int(found) * unit - Fraction(float(w))) <= Fraction(eta)
        assert ticket.mask[f"layers.{2 * i + 1}.weight"].kept == most


def test_both_near_keeps_neurons_that_are_near_and_own_pools_are_apart() -> None:
    e, pool, wanted = 0.1, 8000, target()
    network = net((4 * pool, 2 * pool), scale=1.0)
    ticket = two_neurons(
        network, wanted, [LayerAccuracy(e)] * 2, rule=BOTH_NEAR, pools=(pool, pool)
    )
    for i, weights in enumerate(wanted.weights):
        d_in, hidden = weights.shape[1], network.architecture.widths[2 * i + 1]  # type: ignore[union-attr]
        flat = ticket.mask[f"layers.{2 * i + 1}.weight"].indices()
        rows, neurons = np.divmod(flat, hidden)
        reads = {h // d_in: h % d_in for h in ticket.mask[f"layers.{2 * i}.weight"].indices()}
        places = np.flatnonzero(weights.ravel()).tolist()
        b = network.units_at(f"layers.{2 * i + 1}.weight", flat) * 2.0**-24
        for row, neuron, out in zip(rows, neurons, b, strict=True):
            k = reads[int(neuron)]
            assert places[neuron // pool] == row * d_in + k  # the weight's own pool
            a = float(network.units_at(f"layers.{2 * i}.weight", np.array([neuron * d_in + k]))[0])
            a, w = a * 2.0**-24, float(weights[row, k])
            assert abs(abs(a) - abs(w)) <= e
            assert abs(abs(out) - 1) <= e
            assert np.sign(a * out) == np.sign(w)
        assert flat.size == len(places) * (2 if i == 0 else 1)


def test_few_neurons_are_read() -> None:
    ticket = two_neurons(net((200_000, 200_000)), target(), [LayerAccuracy(0.05)] * 2)
    assert ticket.provenance["layers"][0]["candidates_read"] < 10_000


def test_a_miss_is_an_error_unless_asked_not_to_be() -> None:
    wanted, accuracy = target(), [LayerAccuracy(1e-4)] * 2
    with pytest.raises(ConstructionError, match=r"none of 6 neurons serves weight \(0, 0\)"):
        two_neurons(net((12, 12)), wanted, accuracy)
    loose = two_neurons(net((12, 12)), wanted, accuracy, strict=False)
    for layer, weights in zip(collapse(loose), wanted.weights, strict=True):
        # what is kept is nearer than nothing
        assert (np.abs(layer.plus * 2.0**layer.exponent - weights) <= np.abs(weights)).all()


def test_bad_input_is_refused() -> None:
    wanted, accuracy = target(), [LayerAccuracy(0.05)] * 2
    with pytest.raises(WidthError, match="even widths"):
        two_neurons(Network.mlp((2, 4, 1), laws=Uniform(1.0), seed=0), wanted, accuracy)
    with pytest.raises(WidthError, match="multiple of 2 neurons"):
        two_neurons(net((5, 4)), wanted, accuracy)
    with pytest.raises(WidthError, match="need 27 neurons"):
        two_neurons(net((20, 20)), wanted, accuracy, pools=(9, 9))
    with pytest.raises(WidthError, match="has a bias"):
        two_neurons(net((6, 6)), target(biased=True), accuracy)
    with pytest.raises(InputError, match="as many accuracies"):
        two_neurons(net((4, 4)), wanted, accuracy[:1])
    with pytest.raises(InputError, match="power-of-two scales"):
        widths = (2, 4, 2, 4, 1)
        two_neurons(Network.mlp(widths, laws=Normal(0.3), seed=0), wanted, accuracy, rule=PRODUCT)
