"""The four lists of `fourlists_*`: against their documented order, planted sums, and each other."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from subset_oracles import instances

from strongticket.subsetsum import fourlists_numba, fourlists_numpy
from strongticket.subsetsum.fourlists import shape

Find = Callable[..., None]
KERNELS = (fourlists_numba.find, fourlists_numpy.find)
LAWS = ("bits", "small", "copies", "wide")
REACH = 1 << 60


def sums_of(candidates: Any, numbers: Any) -> Any:
    return (((numbers[:, None] >> np.arange(candidates.shape[1])) & 1) * candidates).sum(axis=1)


def intervals(rng: np.random.Generator, candidates: Any, targets: Any) -> tuple[Any, Any]:
    """Intervals of all widths around the targets, some empty, clipped as `Batch.interval` does."""
    lowest = np.minimum(candidates, 0).sum(axis=1)
    highest = np.maximum(candidates, 0).sum(axis=1)
    size = ((highest - lowest) * 2.0 ** -rng.uniform(0, 12, len(targets))).astype(np.int64)
    size *= rng.integers(0, 4, len(targets)) > 0
    low, high = targets - size, targets + rng.integers(-1, 2, len(targets)) + size
    return np.clip(low, lowest, highest + 1), np.clip(high, lowest - 1, highest)


def found(find: Find, candidates: Any, step: int, low: Any, high: Any, use: int, k: int) -> Any:
    numbers = np.full(len(low), -7, np.int64)
    rows = np.arange(len(low))
    find(np.ascontiguousarray(candidates), step, low, high, rows, use, k, numbers)
    return numbers


def all_sums(items: list[int]) -> list[int]:
    return [
        sum(item for j, item in enumerate(items) if (number >> j) & 1)
        for number in range(1 << len(items))
    ]


def documented(items: list[int], low: int, high: int, use: int, windows: int) -> int:
    """The docstring of `find`, word by word, in Python's integers."""
    if low > high:
        return -1
    p = use // 4
    blocks = [items[k * p : (k + 1) * p] for k in range(4)]
    a, b, c, d = (sorted(all_sums(block)) for block in blocks)
    reach, slack = sum(abs(item) for item in items[:use]), high - low
    u = sum(items[: 2 * p]) - sum(items[2 * p : use])
    h = 0
    while h < 59 - 2 * p and not (reach < 1 << (2 * p + 4 + h) and slack < 1 << h):
        h += 1
    width = 1 << (h + p + 2)
    middle = ((low + high) // 2 + u // 2) // 2
    for k in range(windows):
        o = (k + 1) // 2 * (1 if k % 2 else -1)
        w = middle - width // 2 + o * width
        if not (w <= a[-1] + b[-1] and a[0] + b[0] < w + width):
            continue
        slots: dict[int, tuple[int, int]] = {}
        for right in b:
            x = min((left + right - w for left in a if left + right >= w), default=width)
            if x < width:
                slots[x >> h] = (x, right)
        for right in reversed(d):
            y = min((high - w - left - right for left in c if left + right <= high - w), default=-1)
            if not 0 <= y < width or y >> h not in slots:
                continue
            x, other = slots[y >> h]
            if 0 <= y - x <= min(slack, (1 << h) - 1):
                taken = (w + x - other, other, high - w - y - right, right)
                number = 0
                for block, total in zip(reversed(blocks), reversed(taken), strict=True):
                    number = (number << p) | all_sums(block).index(total)
                return number
    return -1


@pytest.mark.parametrize("law", LAWS)
def test_both_kernels_follow_the_documented_order(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    met = 0
    for n, use in ((4, 4), (7, 4), (8, 8), (11, 8), (14, 12), (16, 16)):
        candidates, targets = instances(rng, law, 40, n)
        low, high = intervals(rng, candidates, targets)
        for windows in (1, 2, 5, 64):
            wanted = [
                documented(candidates[i].tolist(), int(low[i]), int(high[i]), use, windows)
                for i in range(40)
            ]
            met += sum(number >= 0 for number in wanted)
            for find in KERNELS:
                got = found(find, candidates, 1, low, high, use, windows)
                assert got.tolist() == wanted
    assert 100 < met < 900  # of 960: both outcomes are common


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("use", [20, 28, 40])
def test_both_kernels_agree_and_every_hit_is_one(law: str, use: int) -> None:
    rng = np.random.default_rng(use)
    rows = 40 if use < 40 else 8
    candidates, targets = instances(rng, law, rows, use + 1)
    reach = np.abs(candidates).sum(axis=1)
    low = targets - (reach * 2.0 ** -(0.75 * use + 1)).astype(np.int64)
    high = 2 * targets - low
    one, other = (found(find, candidates, 1, low, high, use, 6) for find in KERNELS)
    assert (one == other).all()
    hit = one >= 0
    assert hit.any() or law == "copies"  # few sums in all
    sums = sums_of(candidates, one)
    assert ((low <= sums) & (sums <= high))[hit].all()
    assert (one[hit] < 1 << use).all()


def test_surplus_candidates_are_as_good_as_certain_to_hit() -> None:
    """52 uniforms at 2^-36 of their reach: a window hits more often than not, and 40 nearly all."""
    rng = np.random.default_rng(5)
    candidates = rng.integers(-(1 << 53), 1 << 53, (8, 52))
    targets = rng.integers(-(1 << 53), 1 << 53, 8)
    size = np.abs(candidates).sum(axis=1) >> 37
    numbers = found(fourlists_numba.find, candidates, 1, targets - size, targets + size, 52, 40)
    assert (numbers >= 0).all()
    assert (np.abs(sums_of(candidates, numbers) - targets) <= size).all()


@pytest.mark.parametrize("find", KERNELS)
@pytest.mark.parametrize(("n", "size"), [(40, 1 << 9), (48, 1 << 16), (60, 1 << 20)])
def test_the_sum_of_a_planted_subset_is_met_exactly(find: Find, n: int, size: int) -> None:
    """So many subsets have that sum that one window meets some of them."""
    rng = np.random.default_rng(n)
    candidates = rng.integers(-size, size, (3, n)) << 30
    targets = sums_of(candidates, rng.integers(0, 1 << n, 3))
    numbers = found(find, candidates, 1, targets, targets, n, 64)
    assert (numbers >= 0).all()
    assert (sums_of(candidates, numbers) == targets).all()


def test_the_largest_reach_does_not_overflow() -> None:
    rng = np.random.default_rng(7)
    met = 0
    for use in (4, 8, 12, 20, 32):
        lonely = np.zeros(use, np.int64)
        lonely[rng.integers(use)] = rng.choice([-1, 1])
        many = np.full(use, REACH // use)
        for row in (many, -many, many * (-1) ** np.arange(use), REACH * lonely):
            lowest, highest = int(np.minimum(row, 0).sum()), int(np.maximum(row, 0).sum())
            ends = [lowest, highest, lowest + 1, highest - 1, lowest - 1, highest + 1]
            ends.append((lowest + highest) // 2)
            low, high = (np.array(edge).ravel() for edge in np.meshgrid(ends, ends))
            one, other = (found(find, row[None, :], 0, low, high, use, 10**9) for find in KERNELS)
            assert (one == other).all()
            hit = one >= 0
            sums = sums_of(np.repeat(row[None, :], len(low), axis=0), one)
            assert ((low <= sums) & (sums <= high))[hit].all()
            met += int(hit.sum())
            if use <= 8:
                pairs = zip(low.tolist(), high.tolist(), strict=True)
                wanted = [documented(row.tolist(), *pair, use, 40) for pair in pairs]
                assert one.tolist() == wanted
    assert met > 300


@pytest.mark.parametrize("find", KERNELS)
def test_zeros_copies_and_empty_intervals(find: Find) -> None:
    zeros = np.zeros((1, 9), np.int64)
    low, high = np.array([0, 1, 0]), np.array([0, 0, -1])
    assert found(find, zeros, 0, low, high, 8, 3).tolist() == [0, -1, -1]
    copies = np.full((1, 12), 7)
    goals = 7 * np.arange(13)
    got = found(find, copies, 0, goals, goals, 12, 10**9)
    hit = got >= 0
    assert hit.sum() > 5
    assert (sums_of(np.repeat(copies, 13, axis=0), got) == goals)[hit].all()
    assert found(find, copies, 0, goals + 1, goals + 1, 12, 10**9).tolist() == [-1] * 13
    assert found(find, copies, 0, goals, goals, 12, 0).tolist() == [-1] * 13  # no windows at all


@pytest.mark.parametrize("find", KERNELS)
def test_shared_rows_and_chosen_rows(find: Find) -> None:
    rng = np.random.default_rng(3)
    row, targets = rng.integers(-9999, 10_000, (1, 25)), rng.integers(-20_000, 20_001, 30)
    spelled = np.repeat(row, 30, axis=0)
    wanted = found(find, spelled, 1, targets - 1, targets + 1, 24, 3)
    assert (wanted >= 0).any()
    assert (found(find, row, 0, targets - 1, targets + 1, 24, 3) == wanted).all()
    some = np.array([29, 3, 4])
    numbers = np.full(30, -7)
    find(spelled, 1, targets - 1, targets + 1, some, 24, 3, numbers)
    assert (numbers[some] == wanted[some]).all()
    assert (np.delete(numbers, some) == -7).all()


def test_memory_is_what_it_says() -> None:
    rng = np.random.default_rng(4)
    candidates, targets = instances(rng, "wide", 1, 60)
    for module, use in ((fourlists_numba, 60), (fourlists_numpy, 48)):
        found(module.find, candidates, 1, targets, targets + 1, 8, 1)  # compiled by now
        tracemalloc.start()
        found(module.find, candidates, 1, targets, targets + 1, use, 2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.3 * module.bytes_of(use) < peak < module.bytes_of(use) + 50_000
        assert module.bytes_of(60) < 1 << 24


@pytest.mark.parametrize("n", [28, 33, 40, 48, 60, 62])
def test_the_shape_fits_the_row_and_grows_with_its_bits(n: int) -> None:
    assert shape(n, 10.0) is None
    assert shape(n, 80.0) is None
    shapes = [shape(n, bits) for bits in np.arange(17.0, 80.0, 0.25)]
    taken = [one for one in shapes if one is not None]
    assert shapes[: len(taken)] == taken  # no gap: none only from some number of bits on
    assert taken == sorted(taken)
    assert all(use % 4 == 0 and 28 <= use <= min(n, 60) for use, _ in taken)
    assert len(taken) > 20
    assert shape(27, 20.0) is None


@pytest.mark.parametrize(("n", "epsilon"), [(34, 1e-6), (40, 1e-6), (48, 1e-9), (60, 1e-9)])
def test_the_shape_is_as_good_as_it_says(n: int, epsilon: float) -> None:
    """2,000 rows that miss one in 1,000 in the mean miss more than 12 with p < 1e-6."""
    rng = np.random.default_rng(n)
    rows = 2000
    candidates = rng.integers(-(1 << 53), 1 << 53, (rows, n))
    targets, size = rng.integers(-(1 << 53), 1 << 53, rows), int(epsilon * 2**53)
    found_shape = shape(n, math.log2(n / 2 / (2 * epsilon)))
    assert found_shape is not None
    numbers = found(
        fourlists_numba.find, candidates, 1, targets - size, targets + size, *found_shape
    )
    hit = numbers >= 0
    assert (~hit).sum() <= 12
    assert (np.abs(sums_of(candidates, numbers) - targets) <= size)[hit].all()
