"""The oracles, against other code and against numbers worked out by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongticket import Box, Network, SignedConstant, Target, Uniform, search, subsetsum
from strongticket.errors import InputError
from strongticket.testing import oracles, subset_sums, targets, tickets


@given(st.integers(1, 400), st.integers(1, 5000))
def test_counts_are_those_of_the_mask_search(total: int, thousandths: int) -> None:
    density = min(thousandths, 1000) / 1000
    assert oracles.keep_count(density, total) == search.keep_count(density, total)
    share = Fraction(min(thousandths, total), total)
    assert oracles.keep_count(share, total) == search.keep_count(share, total)


def test_counts_by_hand() -> None:
    cases = [(0.5, 5, 3), (0.15, 10, 2), (0.25, 2, 1), (0.1, 3, 1), (0.349, 10, 3), (1.0, 7, 7)]
    assert [oracles.keep_count(d, n) for d, n, _ in cases] == [k for *_, k in cases]


@given(subset_sums(max_n=8))
def test_least_distances_are_those_of_the_exhaustive_solver(problem: Any) -> None:
    answer = subsetsum.exhaustive(problem.candidates, problem.targets)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        least = oracles.best_distance(row, goal)
        assert least == oracles.distance(row, goal, answer.mask[i])
        assert least == min(d for d in oracles.distances(row, goal))


def test_subset_sums_by_hand() -> None:
    assert oracles.subset_sums([1, 2, Fraction(1, 3)]) == [
        0, 1, 2, 3, Fraction(1, 3), Fraction(4, 3), Fraction(7, 3), Fraction(10, 3),
    ]  # fmt: skip
    assert oracles.subset_sums([]) == [0]
    assert oracles.best_distance([0.5, 0.25], 1.0) == Fraction(1, 4)
    assert oracles.best_distance([3, 4], 10, size=1) == 6
    assert oracles.best_distance([3, 4], 10, size=3) is None
    assert oracles.least_size([3, 4, 7], 7, 0) == 1
    assert oracles.least_size([3, 4, 7], 2, 0.5) is None
    assert oracles.distance(np.array([0.1]), np.float64(0.3), [True]) == (
        Fraction(0.3) - Fraction(0.1)
    )


@given(st.lists(st.integers(-9, 9), max_size=5), st.integers(0, 12))
def test_coverage_against_every_half_step(row: list[int], radius: int) -> None:
    sums = {sum(c) for r in range(len(row) + 1) for c in itertools.combinations(row, r)}
    halves = [Fraction(k, 2) for k in range(-2 * radius, 2 * radius + 1)]
    worst = max(min(abs(z - s) for s in sums) for z in halves)
    assert oracles.coverage(row, radius) == worst  # sums are integers: the worst z is a half


@given(targets(Box(-1.0, 1.0)))
def test_forward_is_the_targets_own(target: Target) -> None:
    x = [0.5 - i for i in range(target.widths[0])]
    wanted = [float(v) for v in oracles.forward(oracles.layers_of(target), x)]
    assert target([x])[0].tolist() == wanted  # few bits: float64 rounds nothing


def test_forward_by_hand() -> None:
    layers = [([[1, -1], [2, 0]], [0, -3]), ([[1, 1]], None)]
    assert oracles.forward(layers, [5, 2]) == [3 + 7]
    assert oracles.forward(layers, [1, 2]) == [0]
    assert oracles.forward(layers[:1], [1, 2]) == [-1, -1]


@given(tickets())
def test_layers_of_a_ticket_are_its_modules(ticket: Any) -> None:
    for i, (weight, bias) in enumerate(oracles.layers_of(ticket)):
        bits = ticket.mask[f"layers.{i}.weight"].dense()
        assert np.array_equal(weight[bits], ticket.kept_weights(f"layers.{i}.weight"))
        assert not weight[~bits].any()
        assert (bias is None) == (not ticket.network.architecture.biases[i])


def test_live_neurons_by_hand() -> None:
    masks = {
        "layers.0.weight": [[1, 0], [0, 0], [0, 1]],  # neuron 1 is fed by nothing
        "layers.1.weight": [[1, 1, 0], [0, 1, 0]],  # neuron 2 is read by nothing
        "layers.2.weight": [[1, 1]],
    }
    assert oracles.live_neurons(list(masks.values())) == [
        [True, True],
        [True, False, False],
        [True, False],
        [True],
    ]
    assert oracles.without_dead(masks) == {
        "layers.0.weight": [[True, False], [False, False], [False, False]],
        "layers.1.weight": [[True, False, False], [False, False, False]],
        "layers.2.weight": [[True, False]],
    }


def test_masks_are_counted() -> None:
    masks = list(oracles.all_masks(4))
    assert len(set(masks)) == oracles.count_masks(4) == 16
    assert masks[5] == (True, False, True, False)
    for kept in range(6):
        assert oracles.count_masks(4, kept) == sum(sum(mask) == kept for mask in masks)


def test_greedy_digits_by_hand() -> None:
    assert oracles.digits([4, 2, 1], 5) == ([True, False, True], [1, 1, 0])
    assert oracles.digits([], 3) == ([], [])


def sampled() -> Any:
    import torch

    from strongticket import Mask, Ticket

    model = torch.nn.Linear(2, 2)
    network = Network.sample(model, SignedConstant(), seed=0)
    return Ticket(network, Mask.dense({"weight": np.ones((2, 2), np.bool_)}))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: oracles.subset_sums([0] * 21), "up to n = 20"),
        (lambda: list(oracles.all_masks(21)), "up to n = 20"),
        (lambda: oracles.keep_count(0.0, 3), "0 < density <= 1"),
        (lambda: oracles.keep_count(0.5, 0), "total >= 1"),
        (lambda: oracles.layers_of(sampled()), "a ticket of a Network.mlp"),
    ],
)
def test_what_is_too_much_is_refused(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()


def test_weights_count_as_the_rationals_that_they_are() -> None:
    weight = Network.mlp((1, 1), laws=Uniform(1.0), seed=0).weights("layers.0.weight")[0, 0]
    assert oracles.exact(weight) == Fraction(float(weight))
    assert oracles.exact(np.int64(3)) == oracles.exact(3) == oracles.exact(Fraction(3)) == 3
