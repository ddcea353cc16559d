"""The reduction between subset sums and best masks, both ways."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongticket.errors import InputError
from strongticket.optimal import BranchAndBound, Loss, OneHidden, best_neuron_mask, best_weight_mask
from strongticket.optimal.hardness import (
    SubsetSum,
    mask_of,
    subset_of,
    to_pruning,
    to_subset_sum,
)
from strongticket.tickets import Mask

INTEGERS = st.integers(-50, 50)


def nearest(instance: SubsetSum) -> int:
    """By all subsets, in Python's integers."""
    n = len(instance.numbers)
    return min(instance.distance(j for j in range(n) if s >> j & 1) for s in range(1 << n))


@settings(max_examples=60, deadline=None)
@given(st.lists(INTEGERS, min_size=1, max_size=6), st.integers(-120, 120), st.sampled_from(Loss))
def test_best_masks_solve_subset_sums(numbers: list[int], goal: int, loss: Loss) -> None:
    instance = SubsetSum(tuple(numbers), goal)
    pruning = to_pruning(instance)
    least = nearest(instance)
    for best in (best_weight_mask, best_neuron_mask):
        found = best(pruning.network, pruning.x, pruning.y, loss=loss)
        assert found.loss == (least**2 if loss is Loss.MEAN_SQUARED else least)
        assert instance.distance(subset_of(found.mask)) == least
        assert (found.loss == 0) == (least == 0)


def test_branch_and_bound_solves_large_numbers() -> None:
    random = np.random.default_rng(0)
    numbers = tuple(int(a) << 70 for a in random.integers(1, 1 << 40, 12))
    goal = sum(numbers[::2])
    pruning = to_pruning(SubsetSum(numbers, goal))
    found = best_weight_mask(pruning.network, pruning.x, pruning.y, method=BranchAndBound())
    assert found.proved
    assert found.loss == 0
    assert sum(numbers[j] for j in subset_of(found.mask)) == goal


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pruning_on_one_point_is_a_subset_sum(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 5))
    eighth = st.integers(-16, 16).map(lambda v: v / 8)
    rows = data.draw(st.lists(st.tuples(eighth, eighth), min_size=k, max_size=k))
    u, b = (data.draw(st.lists(eighth, min_size=k, max_size=k)) for _ in range(2))
    x, y = [list(data.draw(st.tuples(eighth, eighth)))], [data.draw(eighth) / 3]
    network = OneHidden(rows, u, b, [0.25])
    instance, unit = to_subset_sum(network, x, y)
    assert best_neuron_mask(network, x, y).loss == nearest(instance) * unit


def test_both_ways_and_back() -> None:
    instance = SubsetSum((3, -5, 7), 9)
    pruning = to_pruning(instance)
    assert to_subset_sum(pruning.network, pruning.x, pruning.y) == (instance, Fraction(1))
    assert subset_of(mask_of((0, 2), 3)) == (0, 2)
    assert instance.distance([0, 2]) == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="one integer at least"):
        SubsetSum((), 3)
    with pytest.raises(InputError, match="an integer goal"):
        SubsetSum((1, 2.5), 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="different indices below 3"):
        mask_of((1, 1), 3)
    with pytest.raises(InputError, match="one point"):
        to_subset_sum(OneHidden([[1]], [1]), [[1], [2]], [1, 2])
    wide = {"layers.0.weight": np.ones((2, 2), bool), "layers.1.weight": np.ones((1, 2), bool)}
    with pytest.raises(InputError, match="shapes"):
        subset_of(Mask.dense(wide))
