"""Exhaustion against naive rational enumeration: losses, ties, layers, biases, both scans."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from optimal_oracles import KINDS, Instance, instance, naive_best, naive_loss

from strongticket import Network, Ticket, optimal
from strongticket.laws import Normal, SignedConstant, Uniform
from strongticket.optimal import Loss, OneHidden, _exhaustive, _scan_numpy
from strongticket.tickets import Mask

LAYERS: tuple[Any, ...] = ("first", "output", "both")


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_and_first_mask_is_the_oracles(kind: str, loss: Loss) -> None:
    rng = np.random.default_rng([KINDS.index(kind), len(loss)])
    cases = list(itertools.product(LAYERS, (False, True), (False, True), (False, True)))
    for layers, bias, output_bias, mask_biases in cases:
        given = instance(rng, kind, width=2, inputs=2, points=3, bias=bias, output_bias=output_bias)
        options = {"layers": layers, "mask_biases": mask_biases}
        found = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss, **options)
        assert (found.loss, found.number) == naive_best(given, loss, **options)
        assert found.proved
        assert found.bound == found.loss
        assert found.gap == 0
        neuron = optimal.best_neuron_mask(given.network, given.x, given.y, loss=loss)
        assert (neuron.loss, neuron.number) == naive_best(given, loss, whole=True)


@pytest.mark.parametrize("loss", Loss)
def test_the_mask_has_the_loss(loss: Loss) -> None:
    rng = np.random.default_rng(1)
    for kind in KINDS:
        given = instance(rng, kind, width=3, inputs=2, points=4, bias=True, output_bias=True)
        for verb in (optimal.best_weight_mask, optimal.best_neuron_mask):
            found = verb(given.network, given.x, given.y, loss=loss)
            assert found.bias is not None
            parts = (found.first.tolist(), found.bias.tolist(), found.output.tolist())
            assert found.output_bias is not None
            assert naive_loss(given, (*parts, int(found.output_bias)), loss) == found.loss
            again = optimal.masked_loss(given.network, found.mask, given.x, given.y, loss)
            assert again == found.loss


def test_masked_loss_is_the_definition_on_any_mask() -> None:
    rng = np.random.default_rng(2)
    for kind, loss in itertools.product(KINDS, Loss):
        given = instance(rng, kind, width=2, inputs=3, points=3, bias=True, output_bias=True)
        first, hidden = rng.random((2, 3)) < 0.5, rng.random(2) < 0.5
        output, last = rng.random((1, 2)) < 0.5, rng.random(1) < 0.5
        mask = Mask.dense(
            {
                "layers.0.weight": first,
                "layers.0.bias": hidden,
                "layers.1.weight": output,
                "layers.1.bias": last,
            }
        )
        parts = (first.tolist(), hidden.tolist(), output[0].tolist(), int(last[0]))
        exact = optimal.masked_loss(given.network, mask, given.x, given.y, loss)
        assert exact == naive_loss(given, parts, loss)
        whole = ([[1] * 3] * 2, [1, 1], [1, 1], 1)
        unnamed = optimal.masked_loss(given.network, Mask({}), given.x, given.y, loss)
        assert unnamed == naive_loss(given, whole, loss)


@pytest.mark.parametrize("law", [Uniform(), Normal(0.3), SignedConstant(0.7)])
def test_a_networks_mask_is_a_ticket(law: Any) -> None:
    import torch

    rng = np.random.default_rng(3)
    network = Network.mlp((3, 3, 1), laws=law, seed=7, biases=True)
    x, y = rng.integers(-64, 65, (9, 3)) / 64, rng.integers(-64, 65, 9) / 64
    found = optimal.best_weight_mask(network, x, y, loss="worst case")
    module = Ticket(network, found.mask).module()
    with torch.no_grad():
        made = module(torch.tensor(x, dtype=torch.float32)).numpy()[:, 0]
    assert abs(np.abs(y - made).max() - float(found.loss)) < 1e-5
    assert found.mask.total == sum(p.numel for p in network.parameters)


def test_numpy_finds_what_numba_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    cases = []
    for kind, loss in itertools.product(KINDS, Loss):
        given = instance(rng, kind, width=4, inputs=2, points=5)
        cases.append((given, loss, optimal.best_weight_mask(given.network, given.x, given.y,
                                                            loss=loss)))  # fmt: skip
    monkeypatch.setattr(_exhaustive, "_scan", lambda: _scan_numpy.scan)
    monkeypatch.setattr(_exhaustive, "TAIL", 8)
    for given, loss, compiled in cases:
        plain = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss)
        assert (plain.loss, plain.number) == (compiled.loss, compiled.number)


@pytest.mark.parametrize("scan", ["numba", "numpy"])
def test_more_near_ties_than_there_is_room_for(scan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    if scan == "numpy":
        monkeypatch.setattr(_exhaustive, "_scan", lambda: _scan_numpy.scan)
    monkeypatch.setattr(_exhaustive, "FOUND", 3)
    monkeypatch.setattr(_exhaustive, "TAIL", 4)
    for loss in Loss:
        for number in range(20):
            given = instance(rng, "floats", width=2, inputs=2, points=3)
            if number % 2:  # copies of a neuron, in 53 bits: exact ties that integers do not see
                twice = np.repeat(given.network.weights[:1], 2, axis=0)
                given = Instance(OneHidden(twice, np.ones(2)), given.x, given.y)
            found = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss)
            assert (found.loss, found.number) == naive_best(given, loss)
            assert found.examined == found.distinct


@pytest.mark.parametrize("scan", ["numba", "numpy"])
@pytest.mark.parametrize("loss", Loss)
def test_the_least_of_many_near_ties_wherever_it_stands(
    scan: str, loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scan == "numpy":
        monkeypatch.setattr(_exhaustive, "_scan", lambda: _scan_numpy.scan)
    monkeypatch.setattr(_exhaustive, "FOUND", 3)
    monkeypatch.setattr(_exhaustive, "TAIL", 4)
    rng = np.random.default_rng(7)
    for place in range(24):
        crumbs = rng.integers(1, 9, 24)  # far below what 62 bits tell apart beside 2^90
        crumbs[place] = 0
        first = np.array([[int(c)] for c in rng.permutation(3)], object)
        rows = [first, np.array([[2**90 + 3 * int(c)] for c in crumbs], object)]
        labels = np.zeros(1, np.int64).astype(object)
        found = _exhaustive.least(rows, labels, loss)
        sums = (rows[1][:, None, 0] + rows[0][None, :, 0]).reshape(-1).tolist()
        assert found.picks is not None
        number = found.picks[0] + len(rows[0]) * found.picks[1]
        assert number == sums.index(min(sums))
        assert found.measure == loss.measure(np.array([min(sums)], object))
        assert found.examined == len(sums)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("room", [10, 14, 20])
def test_coarse_rounding_loses_no_best_mask(
    loss: Loss, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_exhaustive, "ROOM", room)  # for 62: every comparison is a near tie
    rng = np.random.default_rng(room)
    for number in range(60):
        rows = [rng.integers(-999, 1000, (3, 5)) for _ in range(4)]
        labels = rng.integers(-999, 1000, 5)
        every = {
            picks[::-1]: loss.measure(labels - sum(r[p] for r, p in zip(rows, picks[::-1],
                                                                        strict=True)))
            for picks in itertools.product(range(3), repeat=4)
        }  # fmt: skip
        best = min(every.values())
        below = None if number % 2 else best + number % 3
        found = _exhaustive.least(rows, labels, loss, below=below)
        if below == best:
            assert found.picks is None
        else:
            assert found.picks == next(p for p, value in every.items() if value == best)
            assert found.measure == best


def test_exact_ties_in_53_bits_go_to_the_least_number() -> None:
    rng = np.random.default_rng(6)
    for loss in Loss:
        row, out = rng.uniform(0.1, 1, (1, 2)), rng.uniform(0.1, 1)
        copies = OneHidden(np.repeat(row, 3, axis=0), np.full(3, out))
        given = Instance(copies, rng.uniform(0.1, 1, (3, 2)), rng.uniform(0.5, 1, 3))
        found = optimal.best_weight_mask(copies, given.x, given.y, loss=loss)
        assert (found.loss, found.number) == naive_best(given, loss)


def test_distinct_masks_are_counted_once() -> None:
    x = np.array([[1, 2], [3, -1]])
    network = OneHidden(np.array([[1, 2], [3, 4]]), np.array([1, 1]))
    found = optimal.best_weight_mask(network, x, np.array([1, 1]))
    # Each neuron: 4 input patterns; pruned output = no inputs: the same network.
    assert (found.maskable, found.distinct, found.examined) == (6, 16, 16)
    dead = OneHidden(-np.abs(network.weights), np.array([1, 1]))
    assert optimal.best_weight_mask(dead, np.abs(x), np.array([1, 1])).distinct == 1


def test_more_neurons_never_hurt_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(8)
    for kind, loss in itertools.product(KINDS, Loss):
        given = instance(rng, kind, width=4, inputs=2, points=5)
        net = given.network
        fewer = OneHidden(net.weights[:3], net.output[:3])
        order = rng.permutation(4)
        other = OneHidden(net.weights[order], net.output[order])
        for verb in (optimal.best_weight_mask, optimal.best_neuron_mask):
            found = verb(net, given.x, given.y, loss=loss)
            assert found.loss <= verb(fewer, given.x, given.y, loss=loss).loss
            assert found.loss == verb(other, given.x, given.y, loss=loss).loss


def test_losses_scale_exactly() -> None:
    rng = np.random.default_rng(9)
    given = instance(rng, "dyadic", width=3, inputs=2, points=5)
    for loss in Loss:
        one = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss)
        eighth = OneHidden(given.network.weights, given.network.output / 8)
        other = optimal.best_weight_mask(eighth, given.x, given.y / 8, loss=loss)
        power = 2 if loss is Loss.MEAN_SQUARED else 1
        assert other.loss == one.loss / Fraction(8) ** power
        assert other.number == one.number
