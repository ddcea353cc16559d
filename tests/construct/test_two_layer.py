"""Two layers for one: the pruned random network is the target, weight by weight."""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from strongticket import subsetsum
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import Normal, Uniform
from strongticket.networks import Network, Parameter, UserModel
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Ticket
from strongticket.verify import collapse

OBJECTIVES = (subsetsum.best, subsetsum.within, subsetsum.sparsest, subsetsum.lightest)


def make(widths, domain, *, biases: bool = True, seed: int = 0, reach: float = 0.5) -> Target:
    rng = np.random.default_rng(seed)
    return Target(
        [
            (
                rng.uniform(-reach, reach, (b, a)).astype(np.float32),
                rng.uniform(-reach, reach, b).astype(np.float32) if biases else None,
            )
            for a, b in itertools.pairwise(widths)
        ],
        domain,
    )


def source(target: Target, pool: int, seed: int = 5) -> Network:
    widths, flags = [target.widths[0]], []
    for i in range(target.depth):
        bias = target.biases[i] is not None
        widths += [pool * (target.widths[i] + bias), target.widths[i + 1]]
        flags += [bias, False]
    return Network.mlp(
        widths, laws=[Uniform(1.0), Uniform(2.0)] * target.depth, seed=seed, biases=flags
    )


def build(target: Target, pool: int = 60, accuracy: float = 3e-3, **options) -> Ticket:
    options = {"window": 10, **options}
    network = options.pop("network", None) or source(target, pool)
    return two_layer(network, target, [LayerAccuracy(accuracy)] * target.depth, **options)


def effective(ticket: Ticket, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(W+, W-, b) of a pair of layers from float64 products, independently of `collapse`."""
    network, mask = ticket.network, ticket.mask
    names = f"layers.{2 * layer}.weight", f"layers.{2 * layer + 1}.weight"
    a, b = (network.weights(n).astype(np.float64) * mask[n].dense() for n in names)
    bias = np.zeros(len(a))
    if (name := f"layers.{2 * layer}.bias") in network.masked:
        bias = network.weights(name).astype(np.float64) * mask[name].dense()
        assert not (a[bias != 0] != 0).any()  # a bias neuron has no other input
    assert ((a != 0).sum(1) <= 1).all()
    return b @ np.maximum(a, 0), b @ np.minimum(a, 0), b @ np.maximum(bias, 0)


DOMAINS = [Box(0, 1), Box(-1, 0.5), Ball(2.0)]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("widths", [(3, 2), (2, 3, 2), (2, 3, 2, 1)])
def test_every_effective_weight_is_within_the_accuracy(widths, biases, domain, objective) -> None:
    target = make(widths, domain, biases=biases)
    ticket = build(target, objective=objective)
    for i, layer in enumerate(collapse(ticket)):
        plus, minus, bias = effective(ticket, i)
        scale = 2.0**layer.exponent
        np.testing.assert_array_equal(layer.plus * scale, plus)
        np.testing.assert_array_equal(layer.minus * scale, minus)
        np.testing.assert_array_equal(layer.bias * scale, bias)
        assert np.abs(plus - target.weights[i]).max() <= 3e-3
        if i == 0 and not domain.nonnegative:
            assert np.abs(minus - target.weights[i]).max() <= 3e-3
        else:
            assert not minus.any()  # inputs are known to be non-negative: one group is enough
        if biases:
            assert np.abs(bias - target.biases[i]).max() <= 3e-3
        else:
            assert not bias.any()
    report = ticket.provenance["layers"]
    assert [layer["missed"] for layer in report] == [0] * target.depth
    assert sum(layer["kept"] for layer in report) == ticket.mask.kept
    assert ticket.provenance["objective"] == objective.__name__
    assert ticket.provenance["target"] == target.digest


def test_pruned_network_is_its_effective_map() -> None:
    """G2 (theory properties 25 to 27, 31): y -> w+ y for y >= 0 and w- y for y < 0, exactly."""
    target = make((3, 4, 2), Box(-1, 1))
    ticket = build(target, accuracy=0.05, window=8)
    x = np.random.default_rng(1).uniform(-1, 1, (200, 3)).astype(np.float32)
    y = x.astype(np.float64)
    for i in range(2):
        plus, minus, bias = effective(ticket, i)
        y = np.maximum(y, 0) @ plus.T + np.minimum(y, 0) @ minus.T + bias
        y = np.maximum(y, 0) if i == 0 else y
    for module in (ticket.module(), ticket.compact()):
        np.testing.assert_allclose(module(torch.from_numpy(x)).numpy(), y, atol=5e-6)
    assert np.abs(y - target(x)).max() < 0.5


def test_all_weights_come_from_the_seed() -> None:
    """Theory property 8: the ticket's weights are those of the network, at the kept places."""
    target = make((2, 3, 1), Box(0, 1))
    network = source(target, 60)
    ticket = build(target, network=network)
    assert ticket.network == Network.from_spec(network.spec())
    module = ticket.module()
    for name, parameter in module.named_parameters():
        weights, bits = network.weights(name), ticket.mask[name].dense()
        np.testing.assert_array_equal(parameter.numpy(), weights * bits)
    assert build(target, network=network) == ticket  # and nothing else is random
    assert build(target, network=source(target, 60, seed=6)) != ticket


def test_second_biases_are_all_pruned() -> None:
    target = make((2, 2), Box(0, 1))
    network = Network.mlp((2, 180, 2), laws=Uniform(1.0), seed=1, biases=(True, True))
    ticket = build(target, network=network, accuracy=0.02)
    assert ticket.mask["layers.1.bias"].kept == 0
    assert ticket.mask["layers.0.bias"].kept > 0


def test_unused_first_biases_are_all_pruned() -> None:
    target = make((2, 2), Box(0, 1), biases=False)
    network = Network.mlp((2, 120, 2), laws=Uniform(1.0), seed=1, biases=(True, False))
    assert build(target, network=network, accuracy=0.02).mask["layers.0.bias"].kept == 0


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda f: f.__name__)
def test_zero_weights_keep_nothing(objective) -> None:
    weight = np.zeros((2, 3), np.float32)
    weight[1, 2] = 0.3
    for target in (
        Target([(weight, np.zeros(2, np.float32))], Box(-1, 1)),
        Target([(0 * weight, None)], Box(-1, 1)),
    ):
        ticket = build(target, objective=objective)
        plus, minus, bias = effective(ticket, 0)
        zero = target.weights[0] == 0
        assert not plus[zero].any()
        assert not minus[zero].any()
        assert not bias.any()
        kept = ticket.mask["layers.1.weight"].dense()
        pool = ticket.network["layers.0.weight"].shape[0] // (3 + (target.biases[0] is not None))
        blocks = np.arange(kept.shape[1]) // pool
        for row, column in zip(*np.nonzero(kept), strict=True):
            assert target.weights[0][row, blocks[column]] != 0


def test_one_source_serves_many_targets() -> None:
    first, second = (make((2, 3, 1), Box(0, 1), seed=s) for s in (0, 1))
    network = source(first, 60)
    tickets = [build(t, network=network) for t in (first, second)]
    assert tickets[0].network is tickets[1].network
    assert tickets[0] != tickets[1]
    for ticket, target in zip(tickets, (first, second), strict=True):
        assert np.abs(effective(ticket, 0)[0] - target.weights[0]).max() <= 3e-3


def test_kept_hidden_neurons_are_the_union_over_outputs() -> None:
    target = make((2, 5), Box(0, 1), biases=False)
    ticket = build(target)
    read = ticket.mask["layers.1.weight"].dense().any(0)
    fed = ticket.mask["layers.0.weight"].dense().any(1)
    np.testing.assert_array_equal(read, fed)  # no neuron is kept that nobody reads


def test_sparsest_keeps_no_more_and_best_misses_no_more() -> None:
    target = make((4, 4), Box(-1, 1))
    kept, error = {}, {}
    for objective in OBJECTIVES:
        ticket = build(target, pool=80, accuracy=0.01, objective=objective)
        kept[objective] = ticket.mask["layers.1.weight"].kept
        error[objective] = np.abs(effective(ticket, 0)[0] - target.weights[0]).sum()
    assert kept[subsetsum.sparsest] < kept[subsetsum.best]
    assert kept[subsetsum.sparsest] <= kept[subsetsum.within]
    assert error[subsetsum.best] < min(error[subsetsum.within], error[subsetsum.sparsest])


def test_small_weights_need_nothing_when_the_sparsest_is_asked_for() -> None:
    target = Target([(np.full((2, 2), 0.004, np.float32), None)], Box(0, 1))
    assert build(target, accuracy=0.01, objective=subsetsum.sparsest).mask.kept == 0


# Retries


def windows_used(ticket: Ticket, target: Target, window: int) -> np.ndarray:
    """For each kept hidden neuron of the positive group, the window that it belongs to."""
    hidden = ticket.network["layers.0.weight"].shape[0]
    size = hidden // (target.widths[0] + (target.biases[0] is not None))
    found = []
    weights = ticket.network.weights("layers.0.weight")
    for h in np.unique(ticket.mask["layers.1.weight"].indices() % hidden):
        block = h // size
        incoming = weights[block * size : h + 1, block]
        found.append(((incoming > 0).sum() - 1) // window)
    return np.array(found)


def test_later_windows_are_read_for_the_weights_that_missed_alone() -> None:
    target = make((3, 6), Box(0, 1), biases=False)
    ticket = build(target, pool=400, accuracy=4e-3, window=8)
    (report,) = ticket.provenance["layers"]
    used = windows_used(ticket, target, 8)
    assert 0 < report["retried"] < 18
    assert used.max() >= 1
    assert report["candidates_read"] < 400
    assert np.abs(effective(ticket, 0)[0] - target.weights[0]).max() <= 4e-3


def test_the_shifted_stage_fixes_a_subset_of_one_window_and_solves_in_the_next() -> None:
    """A pool of few windows: some weights are right only with neurons of two windows at once."""
    mixed = 0
    for seed in range(12):
        target = make((1, 6), Box(0, 1), biases=False, seed=seed)
        ticket = build(target, pool=44, accuracy=5e-5, window=8, strict=False)
        (report,) = ticket.provenance["layers"]
        error = np.abs(effective(ticket, 0)[0] - target.weights[0])
        assert (error > 5e-5).sum() == report["missed"]
        weights = ticket.network.weights("layers.0.weight")[:, 0]
        number = (np.cumsum(weights > 0) - 1) // 8
        for row, near in zip(ticket.mask["layers.1.weight"].dense(), error[:, 0], strict=True):
            windows = set(number[row].tolist())
            assert len(windows) <= 2
            assert max(windows, default=0) - min(windows, default=0) <= 1
            mixed += len(windows) == 2 and near <= 5e-5
    assert mixed > 5


def test_a_weight_that_misses_is_named() -> None:
    weight = np.array([[0.25, 0.25], [0.25, 7.5]], np.float32)
    target = Target([(weight, None)], Box(0, 1))
    with pytest.raises(ConstructionError) as caught:
        build(target, pool=12, accuracy=0.3, window=10)
    text = str(caught.value)
    assert "weight (1, 1) = 7.5" in text
    assert "wanted within 0.3" in text
    assert "whole pool of 12 neurons an input" in text
    assert "strict=False" in text
    plus = effective(build(target, pool=12, accuracy=0.3, window=10, strict=False), 0)[0]
    assert f"reached {7.5 - plus[1, 1]:.3g}" in text


def test_a_bias_that_misses_is_named_with_its_own_accuracy() -> None:
    target = Target([(np.array([[0.25]], np.float32), np.array([9.0], np.float32))], Box(0, 1))
    accuracy = [LayerAccuracy(0.3, 0.125)]
    with pytest.raises(ConstructionError, match=r"bias 0 = 9: wanted within 0\.125, reached"):
        two_layer(source(target, 12), target, accuracy, window=10)


def test_a_pool_with_no_usable_neuron_reaches_what_the_empty_subset_reaches() -> None:
    target = Target([(np.array([[0.25]], np.float32), None)], Box(0, 1))
    seed = next(
        s
        for s in range(50)
        if Network.mlp((1, 1, 1), laws=Uniform(), seed=s).weights("layers.0.weight")[0, 0] < 0
    )
    network = Network.mlp((1, 1, 1), laws=Uniform(), seed=seed)
    with pytest.raises(ConstructionError, match=r"reached 0\.25\."):
        build(target, network=network, accuracy=0.01)
    ticket = build(target, network=network, accuracy=0.01, strict=False)
    assert ticket.mask.kept == 0
    assert ticket.provenance["layers"][0]["missed"] == 1


def test_lenient_constructions_count_what_they_missed() -> None:
    target = make((2, 4), Box(-1, 1), biases=False, reach=2.0)
    ticket = build(target, pool=12, accuracy=1e-3, window=6, strict=False)
    plus, minus, _ = effective(ticket, 0)
    missed = sum(int((np.abs(w - target.weights[0]) > 1e-3).sum()) for w in (plus, minus))
    assert missed == ticket.provenance["layers"][0]["missed"] > 0
    # and kept the best that they found: no worse than nothing
    assert (np.abs(plus - target.weights[0]) <= np.abs(target.weights[0])).all()


def test_the_window_follows_the_accuracy() -> None:
    target = make((2, 2), Box(0, 1), biases=False)
    windows = [
        build(target, pool=200, accuracy=a, window=None).provenance["layers"][0]["window"]
        for a in (0.1, 2e-4, 1e-6)
    ]
    assert 16 == windows[0] < windows[1] < windows[2] == 24


def test_progress_reaches_the_total() -> None:
    calls: list[tuple[str, int, int]] = []
    build(make((2, 3, 1), Box(-1, 1)), progress=lambda *call: calls.append(call))
    text, done, total = calls[-1]
    assert done == total
    assert "layer 2" in text
    assert {"positive" in text for text, _, _ in calls} == {True, False}


@given(
    weight=st.lists(st.floats(-0.5, 0.5, width=32), min_size=4, max_size=4),
    low=st.sampled_from([0.0, -1.0]),
)
@settings(max_examples=25)
def test_any_small_layer(weight: list[float], low: float) -> None:
    target = Target([(np.array(weight, np.float32).reshape(2, 2), None)], Box(low, 1.0))
    ticket = build(target, accuracy=0.02)
    layer = collapse(ticket)[0]
    unit = Fraction(2) ** layer.exponent
    for sums in (layer.plus, layer.minus) if low < 0 else (layer.plus,):
        for made, wanted in zip(sums.ravel().tolist(), weight, strict=True):
            assert abs(made * unit - Fraction(wanted)) <= Fraction(0.02)


# Bad input

TARGET = make((2, 3, 1), Box(0, 1))
ACCURACY = [LayerAccuracy(0.01)] * 2
MLP = {"laws": Uniform(), "seed": 0}


BAD = {
    "depth": (
        lambda: two_layer(Network.mlp((2, 9, 3), **MLP), TARGET, ACCURACY),
        WidthError,
        "needs a random network of depth 4 .*got depth 2",
    ),
    "accuracies": (
        lambda: two_layer(source(TARGET, 9), TARGET, ACCURACY[:1]),
        WidthError,
        "2 accuracies; got depth 4 and 1",
    ),
    "even widths": (
        lambda: two_layer(Network.mlp((2, 9, 4, 8, 1), **MLP), TARGET, ACCURACY),
        WidthError,
        r"\(2, 4, 1\) must be the target's \(2, 3, 1\)",
    ),
    "pool": (
        lambda: two_layer(
            Network.mlp((2, 10, 3, 8, 1), biases=(True, False, True, False), **MLP),
            TARGET,
            ACCURACY,
        ),
        WidthError,
        "multiple of 3 neurons, one pool an input and one for the bias; it has 10",
    ),
    "no biases": (
        lambda: two_layer(Network.mlp((2, 9, 3, 8, 1), **MLP), TARGET, ACCURACY),
        WidthError,
        "source layer 0 needs biases",
    ),
    "law": (
        lambda: two_layer(
            Network.mlp((2, 8, 1), laws=Normal(0.3), seed=0),
            make((2, 1), Box(0, 1), biases=False),
            ACCURACY[:1],
        ),
        InputError,
        "power-of-two scales",
    ),
    "two laws": (
        lambda: two_layer(
            Network(
                source(make((2, 1), Box(0, 1)), 3).architecture,
                (
                    Parameter("layers.0.weight", (9, 2), Uniform(1.0)),
                    Parameter("layers.0.bias", (9,), Uniform(2.0)),
                    Parameter("layers.1.weight", (1, 9), Uniform(1.0)),
                ),
                0,
            ),
            make((2, 1), Box(0, 1)),
            ACCURACY[:1],
        ),
        InputError,
        "layers.0.weight and layers.0.bias need one law",
    ),
    "user's model": (
        lambda: two_layer(
            Network(UserModel("M"), (Parameter("w", (2, 2), Uniform()),), 0), TARGET, ACCURACY
        ),
        InputError,
        "not a user's model",
    ),
    "far beyond": (
        lambda: build(Target([(np.array([[1e30]], np.float32), None)], Box(0, 1))),
        InputError,
        "weights up to 1e\\+30, far beyond",
    ),
    "window": (lambda: build(TARGET, window=25), InputError, "from 1 to 24, got 25"),
    "no window": (lambda: build(TARGET, window=0), InputError, "from 1 to 24, got 0"),
    "too fine": (
        lambda: build(Target([(np.array([[1e-9]], "f4"), None)], Box(0, 1)), accuracy=1e-15),
        InputError,
        "an accuracy of 1e-15, finer than the grid",
    ),
    "accuracy 0": (lambda: LayerAccuracy(0.0), InputError, "finite and > 0, got 0.0"),
    "accuracy NaN": (lambda: LayerAccuracy(0.1, float("nan")), InputError, "got nan"),
}


@pytest.mark.parametrize(("call", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, kind, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_an_objective_may_be_a_partial_or_a_users_own() -> None:
    target = make((2, 3), Box(0.0, 1.0))

    def own(candidates, targets):
        return subsetsum.best(candidates, targets)

    plain = build(target)
    partial = build(target, objective=functools.partial(subsetsum.best, threads=1))
    assert partial == plain
    assert partial.ticket_id == plain.ticket_id  # no address of a function object in the ticket
    assert build(target, objective=own) == plain
    aimed = functools.partial(subsetsum.sparsest, threads=1)
    assert build(target, objective=aimed) == build(target, objective=subsetsum.sparsest)
