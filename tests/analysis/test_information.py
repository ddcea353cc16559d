"""Binned mutual information against counting, on laws whose answer is known."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from strongticket.analysis import activations, information, information_plane
from strongticket.errors import InputError


def entropy(values: list[object]) -> float:
    n = len(values)
    return sum(c / n * math.log2(n / c) for c in Counter(values).values())


@given(
    st.integers(1, 40), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99)
)
def test_against_plain_counting(n: int, width: int, bins: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, y = random.uniform(-1, 1, (n, width)), random.integers(0, classes, n)
    found = information(a, y, bins=bins, limits=(-1, 1))
    cells: list[object] = [tuple(math.floor((v + 1) / 2 * bins) for v in row) for row in a.tolist()]
    labels: list[object] = y.tolist()
    both: list[object] = list(zip(cells, labels, strict=True))
    mutual = entropy(cells) + entropy(labels) - entropy(both)
    assert found.of_input == pytest.approx(entropy(cells))
    assert found.of_label == pytest.approx(mutual, abs=1e-9)
    assert found.label == pytest.approx(entropy(labels))
    assert found.distinct == len(set(cells)) / n
    assert 0 <= found.of_label <= min(found.of_input, found.label) + 1e-9


def test_known_laws() -> None:
    labels = np.arange(64) % 4
    copy = information(labels.astype(float)[:, None], labels, bins=4)
    assert (copy.of_input, copy.of_label, copy.label) == (2.0, 2.0, 2.0)
    blind = information(np.ones((64, 3)), labels)
    assert (blind.of_input, blind.of_label, blind.distinct) == (0.0, 0.0, 1 / 64)
    every = information(np.arange(64.0), labels, bins=64)
    assert (every.of_input, every.of_label, every.distinct) == (6.0, 2.0, 1.0)
    independent = information(np.repeat([0.0, 1.0], 32), labels)
    assert (independent.of_input, independent.of_label) == (1.0, 0.0)


def test_limits_fold_what_lies_beyond_and_default_to_the_range() -> None:
    a, y = np.array([-5.0, -0.9, 0.9, 7.0]), np.array([0, 0, 1, 1])
    assert information(a, y, bins=2, limits=(-1, 1)).of_input == 1.0
    found = information(a, y, bins=3)
    assert (found.low, found.high, found.of_input) == (-5.0, 7.0, 1.5)


def model() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2), nn.Dropout(0.5)
        )


def test_activations_are_those_of_evaluation_and_nothing_is_left_behind() -> None:
    net = model()
    net[1].eval()
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    found = activations(net, x, ["2", "4"])
    wanted = net.eval()(x)
    assert torch.equal(found["4"], wanted)
    assert torch.equal(found["2"], net[:3](x))
    net.train()
    net[1].eval()
    before = net[1].running_mean.clone()
    activations(net, x, ["0"])
    assert [m.training for m in net] == [True, False, True, True, True]
    assert torch.equal(net[1].running_mean, before)
    assert not any(m._forward_hooks for m in net.modules())


def test_the_plane_of_a_step() -> None:
    net = model()
    x = torch.randn(50, 5, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] > 0).long()
    first, last = information_plane(net, x, y, ["2", "3"], 7, limits=(-1, 1))
    assert (first.step, first.layer, last.layer) == (7, "2", "3")
    wanted = information(activations(net, x, ["2"])["2"], y, limits=(-1, 1))
    assert first.information == wanted


@pytest.mark.parametrize(
    ("a", "y", "options", "message"),
    [
        (np.ones((3, 2)), np.ones(2, int), {}, "needed activations"),
        (np.ones((3, 2)), np.ones(3), {}, "integer labels"),
        (np.ones((0, 2)), np.ones(0, int), {}, "n >= 1"),
        (np.ones((3, 2)), np.ones(3, int), {"bins": 0}, "bins"),
        (np.ones((3, 2)), np.ones(3, int), {"limits": (1, 1)}, "low < high"),
        (np.full((3, 2), np.nan), np.ones(3, int), {}, "6 are not"),
    ],
)
def test_what_is_refused(a: object, y: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        information(a, y, **options)


def test_a_layer_that_is_none() -> None:
    with pytest.raises(InputError, match="no submodule '9'"):
        activations(model(), torch.ones(2, 5), ["9"])
