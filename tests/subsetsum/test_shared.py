"""Many targets of one row: lookups in sorted sums against the network and the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from subset_oracles import every_mask

from strongticket import subsetsum
from strongticket.subsetsum import network_numpy, shared_numba, shared_numpy
from strongticket.subsetsum._backend import split

MODULES: tuple[Any, ...] = (shared_numba, shared_numpy)


def solved(module: Any, row: Any, aim: Any, tag: Any, dtype: Any) -> Any:
    """The numbers of all targets, and of those a few rows only in another order."""
    numbers = np.full(len(aim), -7, np.int64)
    goal = (row[None], aim, tag)
    p, zero = split(len(row)), np.empty(0, dtype)
    module.solve_shared(*goal, np.arange(len(aim)), p, zero, numbers)
    some = np.full(len(aim), -7, np.int64)
    rows = np.arange(len(aim))[::-3]
    module.solve_shared(*goal, rows, p, zero, some)
    assert (some[rows] == numbers[rows]).all()
    assert (np.delete(some, rows) == -7).all()
    return numbers


def instance(rng: np.random.Generator, n: int, size: int, targets: int) -> tuple[Any, Any, Any]:
    """A row, targets within and just outside its sums, tags."""
    row = rng.integers(-size, size + 1, n)
    low, high = np.minimum(row, 0).sum() - 1, np.maximum(row, 0).sum() + 1
    aim = rng.integers(low, high + 1, targets)
    aim[:2] = low, high
    return row, aim, rng.choice([-1, 1], targets)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("size", [1, 9, 1000, 1 << 23])
def test_numbers_are_those_of_the_network(module: Any, dtype: Any, size: int) -> None:
    rng = np.random.default_rng(size)
    for n, targets in ((1, 40), (2, 40), (3, 9), (7, 500), (12, 300), (16, 130), (17, 40)):
        row, aim, tag = instance(rng, n, size, targets)
        numbers = solved(module, row, aim, tag, dtype)
        network = np.zeros(targets, np.int64)
        rows = np.arange(targets)
        zero = np.empty(0, dtype)
        network_numpy.solve(row[None], 0, aim, tag, rows, split(n), zero, network)
        sums = ((network[:, None] >> np.arange(n)) & 1) @ row
        network[sums == 0] = 0
        left = numbers < 0
        assert (numbers[~left] == network[~left]).all()
        every = every_mask(n) @ row
        for i in np.flatnonzero(left)[:20]:
            assert (every == sums[i]).sum() > shared_numpy.RANKED
        few = np.flatnonzero(~left & (sums != 0))[:20]
        assert all((every == sums[i]).sum() <= shared_numpy.RANKED for i in few)


@pytest.mark.parametrize("module", MODULES)
def test_numbers_are_those_of_the_oracle(module: Any) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 4, 9, 11):
        for size in (3, 40, 1 << 40):
            row, aim, _ = instance(rng, n, size, 60)
            oracle = subsetsum.exhaustive(row, aim).mask @ (1 << np.arange(n))
            numbers = solved(module, row, aim, np.full(60, -1), np.int64)
            assert (numbers[numbers >= 0] == oracle[numbers >= 0]).all()
            assert (numbers >= 0).mean() > (0.9 if size > 3 else 0.1)


@pytest.mark.parametrize("module", MODULES)
def test_sums_in_clusters(module: Any) -> None:
    """A candidate far above all others: thousands of sums lie where evenly spread ones are few."""
    rng = np.random.default_rng(2)
    for dtype, size in ((np.int32, 1 << 27), (np.int64, 1 << 57)):
        row = rng.integers(1, 4000, 16)
        row[3] = size
        aim = np.concatenate([rng.integers(0, row.sum() - size, 100), [size - 9, size + 40_000]])
        tag = rng.choice([-1, 1], aim.size)
        network = np.zeros(aim.size, np.int64)
        goal = (row[None], 0, aim, tag, np.arange(aim.size), split(16), np.empty(0, dtype))
        network_numpy.solve(*goal, network)
        numbers = solved(module, row, aim, tag, dtype)
        assert (numbers == network)[numbers >= 0].all()
        assert (numbers >= 0).mean() > 0.5


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_reach_does_not_overflow(module: Any, sign: int) -> None:
    for dtype, reach in ((np.int32, (1 << 29) - 4), (np.int64, 1 << 60)):
        row = np.full(18, sign * (reach // 18))
        row[0] += sign * (reach - abs(row).sum())
        row[1::2] *= -1
        low, high = np.minimum(row, 0).sum() - 1, np.maximum(row, 0).sum() + 1
        numbers = solved(module, row, np.array([low, high]), np.array([1, -1]), dtype)
        sums = ((numbers[:, None] >> np.arange(18)) & 1) @ row
        assert sums.tolist() == [low + 1, high - 1]


def test_sorted_counts() -> None:
    assert shared_numpy.sorted_count(21, 778) == 15
    assert shared_numpy.sorted_count(1, 1) == 1
    assert shared_numpy.sorted_count(5, 10_000) == 5
    assert shared_numpy.sorted_count(60, 1 << 30) == shared_numpy.MOST
    assert shared_numpy.worth(21, 64)
    assert not shared_numpy.worth(15, 1000)
    assert not shared_numpy.worth(21, 8)
