"""The merged lists of `stream_*`: against brute force, the network, and each other."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from subset_oracles import instances

from strongticket.subsetsum import network_numba, stream_numba, stream_numpy

Nearest = Callable[..., None]
KERNELS = (stream_numba.nearest, stream_numpy.nearest)
LAWS = ("bits", "small", "copies", "wide")
REACH = 1 << 60


def first_of_all(items: list[int], target: int, tag: int) -> int:
    """The documented mask number, in Python's integers."""
    n = len(items)
    p = (n - 1) // 2

    def rank(number: int) -> tuple[int, int, int, int]:
        taken = [item if (number >> j) & 1 else 0 for j, item in enumerate(items)]
        distance = abs(4 * (target - sum(taken)) + tag)
        return distance, number >> (2 * p), sum(taken[:p]), number

    return min(range(1 << n), key=rank)


def goals(rng: np.random.Generator, candidates: Any, targets: Any) -> tuple[Any, Any]:
    """Targets within what `Keys.tagged` gives for these candidates, and tags."""
    lowest = np.minimum(candidates, 0).sum(axis=1)
    highest = np.maximum(candidates, 0).sum(axis=1)
    tags = rng.choice(np.array([-1, 1]), len(targets))
    return np.clip(targets, lowest - 2, highest + 1), tags


def chosen(solve: Nearest, candidates: Any, step: int, targets: Any, tags: Any) -> Any:
    numbers = np.full(len(targets), -7, np.int64)
    candidates = np.ascontiguousarray(candidates)
    solve(candidates, step, targets, tags, np.arange(len(targets)), numbers)
    return numbers


def sums_of(candidates: Any, numbers: Any) -> Any:
    return (((numbers[:, None] >> np.arange(candidates.shape[1])) & 1) * candidates).sum(axis=1)


@pytest.mark.parametrize("law", LAWS)
def test_both_kernels_choose_the_mask_of_brute_force(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    for n in range(1, 12):
        candidates, targets = instances(rng, law, 24 if n < 9 else 4, n)
        targets, tags = goals(rng, candidates, targets)
        wanted = [
            first_of_all(candidates[i].tolist(), int(targets[i]), int(tags[i]))
            for i in range(len(targets))
        ]
        for solve in KERNELS:
            assert chosen(solve, candidates, 1, targets, tags).tolist() == wanted


@pytest.mark.parametrize("law", LAWS)
def test_the_compiled_kernel_chooses_the_mask_of_the_network(law: str) -> None:
    rng = np.random.default_rng(10 + LAWS.index(law))
    for n in range(2, 23):
        candidates, targets = instances(rng, law, 64, n)
        targets, tags = goals(rng, candidates, targets)
        wanted = np.zeros(64, np.int64)
        p, zero, rows = (n - 1) // 2, np.empty(0, np.int64), np.arange(64)
        network_numba.solve(
            np.ascontiguousarray(candidates), 1, targets, tags, rows, p, zero, wanted
        )
        assert (chosen(stream_numba.nearest, candidates, 1, targets, tags) == wanted).all()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [13, 20, 29])
def test_both_kernels_agree_beyond_brute_force(law: str, n: int) -> None:
    rng = np.random.default_rng(n)
    candidates, targets = instances(rng, law, {13: 60, 20: 30, 29: 2}[n], n)
    targets, tags = goals(rng, candidates, targets)
    one, other = (chosen(solve, candidates, 1, targets, tags) for solve in KERNELS)
    assert (one == other).all()


@pytest.mark.parametrize("n", [33, 38])
def test_a_planted_sum_is_met(n: int) -> None:
    rng = np.random.default_rng(n)
    candidates = rng.integers(-REACH // 64, REACH // 64, (2, n))
    planted = rng.integers(0, 1 << n, 2)
    targets, tags = sums_of(candidates, planted), np.array([-1, 1])
    got = chosen(stream_numba.nearest, candidates, 1, targets, tags)
    assert (sums_of(candidates, got) == targets).all()
    assert (got == planted).all()  # one sum in 2^20 of the range is met: no other mask has it


@pytest.mark.parametrize("solve", KERNELS)
def test_the_largest_reach_does_not_overflow(solve: Nearest) -> None:
    for n in (1, 2, 5, 8, 16):
        for signs in (np.ones(n, int), -np.ones(n, int), (-1) ** np.arange(n)):
            candidates = (signs * (REACH // n))[None, :].repeat(4, axis=0)
            lowest, highest = np.minimum(candidates, 0).sum(1), np.maximum(candidates, 0).sum(1)
            targets = np.array([lowest[0] - 2, highest[0] + 1, lowest[0], highest[0]])
            numbers = chosen(solve, candidates, 1, targets, np.array([1, -1, 1, -1]))
            sums = sums_of(candidates, numbers)
            assert (sums == [lowest[0], highest[0], lowest[0], highest[0]]).all()
    one = np.array([[REACH, 0, 0, 0, 0, 0, 0], [0, 0, -REACH, 0, 0, 0, 0]])
    for one_row, wanted in ((one[:1], [0, 1]), (one[1:], [4, 0])):
        halves = np.array([one_row.sum() // 2, one_row.sum() // 2])
        got = chosen(solve, one_row, 0, halves, np.array([-1, 1]))  # just below, just above half
        assert got.tolist() == wanted


@pytest.mark.parametrize("solve", KERNELS)
def test_zeros_and_copies(solve: Nearest) -> None:
    for n in (3, 9, 14):
        zeros = np.zeros((1, n), np.int64)
        assert chosen(solve, zeros, 0, np.array([0, 1]), np.array([1, -1])).tolist() == [0, 0]
        copies = np.full((1, n), 7)
        got = chosen(solve, copies, 0, np.array([7, 7 * n]), np.array([1, 1]))
        p = (n - 1) // 2
        assert got.tolist() == [1 << p, (1 << n) - 1]  # left sum 0 stands before left sum 7


@pytest.mark.parametrize("solve", KERNELS)
def test_shared_rows_and_chosen_rows(solve: Nearest) -> None:
    rng = np.random.default_rng(3)
    row, targets = rng.integers(-99, 100, (1, 15)), rng.integers(-400, 400, 30)
    spelled = np.repeat(row, 30, axis=0)
    targets, tags = goals(rng, spelled, targets)
    wanted = chosen(solve, spelled, 1, targets, tags)
    assert (chosen(solve, row, 0, targets, tags) == wanted).all()
    some = np.array([29, 3, 4])
    numbers = np.full(30, -7)
    solve(spelled, 1, targets, tags, some, numbers)
    assert (numbers[some] == wanted[some]).all()
    assert (np.delete(numbers, some) == -7).all()


def test_memory_is_what_it_says() -> None:
    rng = np.random.default_rng(4)
    candidates, targets = instances(rng, "wide", 1, 33)
    for module in (stream_numba, stream_numpy):
        chosen(module.nearest, candidates[:, :9], 1, targets, np.array([1]))  # compiled by now
        tracemalloc.start()
        chosen(module.nearest, candidates, 1, targets, np.array([1]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.4 * module.bytes_of(33) < peak < module.bytes_of(33) + 50_000
        assert module.bytes_of(50) < 1 << 29
