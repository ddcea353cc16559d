"""`within` and `sparsest` against enumeration in rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from subset_oracles import (
    LAWS,
    assert_errors_are_true,
    every_mask,
    instances,
    numbers_of,
    rational_error,
)

from strongticket import subsetsum
from strongticket.subsetsum import enumerate_numba, enumerate_numpy


def tolerances(rng: np.random.Generator, candidates: np.ndarray, rows: int) -> np.ndarray:
    """Tolerances from nothing to generous, of the candidates' dtype."""
    size = np.abs(candidates).max(initial=1) * 10.0 ** rng.uniform(-3, 0, rows)
    size[::5] = 0
    return np.minimum(size, 1e18).astype(candidates.dtype)


@pytest.mark.parametrize("law", LAWS)
def test_both_verbs_against_rationals(law: str) -> None:
    rng = np.random.default_rng(100 + LAWS.index(law))
    for n in (0, 1, 2, 5, 8):
        candidates, targets = instances(rng, law, 12, n)
        epsilon = tolerances(rng, candidates, 12)
        first = subsetsum.within(candidates, targets, epsilon)
        least = subsetsum.sparsest(candidates, targets, epsilon)
        best = subsetsum.best(candidates, targets)
        for got in (first, least):
            assert_errors_are_true(candidates, targets, got)
            missed = ~got.found
            assert (got.mask[missed] == best.mask[missed]).all()
        for i in range(12):
            errors = [rational_error(candidates[i], targets[i], m) for m in every_mask(n)]
            good = [k for k in range(1 << n) if errors[k] <= Fraction(epsilon[i].item())]
            assert first.found[i] == least.found[i] == bool(good)
            if not good:
                continue
            number = int(numbers_of(first.mask[i : i + 1])[0])
            assert number in good
            if good[0] < 1 << min(n, n // 2 + 3):
                assert number == good[0]
            number = int(numbers_of(least.mask[i : i + 1])[0])
            size = min(k.bit_count() for k in good)
            assert number in good
            assert number.bit_count() == size
            if size <= 4:
                assert number == min(k for k in good if k.bit_count() == size)
            else:
                assert errors[number] == min(errors[k] for k in good if k.bit_count() == size)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [9, 14])
def test_backends_agree(law: str, n: int) -> None:
    rng = np.random.default_rng(n)
    candidates, targets = instances(rng, law, 150, n)
    epsilon = tolerances(rng, candidates, 150)
    for verb in (subsetsum.within, subsetsum.sparsest):
        one = verb(candidates, targets, epsilon, backend="numba")
        other = verb(candidates, targets, epsilon, backend="numpy", threads=1)
        assert (one.mask == other.mask).all()
        assert (one.error == other.error).all()
        assert (one.found == other.found).all()


def test_sparsest_is_least_at_sizes_beyond_enumeration() -> None:
    rng = np.random.default_rng(3)
    for size in (1 << 30, 1 << 55):  # the second leaves no room for raised candidates
        a, t = rng.integers(-size, size, (40, 13)), rng.integers(-size, size, 40)
        every = every_mask(13)
        sums = a @ every.T
        nearest = np.abs(sums - t[:, None]).min(axis=1)
        got = subsetsum.sparsest(a, t, nearest)
        good = np.abs(sums - t[:, None]) <= nearest[:, None]
        wanted = np.where(good, every.sum(axis=1), 99).min(axis=1)
        assert (got.size == wanted).all()
        assert got.found.all()
        assert wanted.max() > 6
        plain = subsetsum.sparsest(a, t, nearest, backend="numpy")
        assert (plain.mask == got.mask).all()


def test_first_hits_beyond_one_tile() -> None:
    # Only the mask with candidate 11 or later hits: the loop over the upper candidates finds it.
    row = np.array([1] * 11 + [1000] + [1] * 9)
    for backend in ("numba", "numpy"):
        got = subsetsum.within(row, np.array([1003]), 0, backend=backend)
        assert numbers_of(got.mask).tolist() == [2048 + 7]


def test_tolerance_is_a_closed_interval_and_exact() -> None:
    a, t = np.array([[0.5]]), np.array([0.1])
    gap = Fraction(0.1)
    edge = float(gap)
    assert subsetsum.within(a, t, edge).found.all()
    below = float(np.nextafter(edge, 0))
    assert not subsetsum.within(a, t, below).found.any()
    assert not subsetsum.sparsest(a, t, below).found.any()
    far = np.array([2.0**70])  # integer parts far beyond int64
    assert subsetsum.within(a, far, 2.0**70 - 0.5).found.all() == (
        Fraction(2.0**70) - Fraction(1, 2) <= Fraction(2.0**70 - 0.5)
    )
    assert subsetsum.within(a, far, 2.0**70).found.all()
    assert not subsetsum.within(a, far, 2.0**69).found.any()


def test_sizes_never_grow_with_the_tolerance() -> None:
    rng = np.random.default_rng(4)
    a, t = rng.uniform(-1, 1, (300, 16)), rng.uniform(-1, 1, 300)
    sizes = [subsetsum.sparsest(a, t, eps) for eps in (1e-3, 1e-2, 1e-1)]
    for fine, coarse in pairwise(sizes):
        assert (coarse.size <= fine.size)[fine.found].all()
        assert coarse.found[fine.found].all()
    best = subsetsum.best(a, t)
    assert (sizes[0].size <= best.size)[sizes[0].found].all()
    assert (sizes[0].found == (best.error <= 1e-3)).all()


def test_integer_tolerances_of_any_size() -> None:
    a, t = np.array([[5, 9]]), np.array([1 << 61])
    assert subsetsum.within(a, t, 2**63 - 1).found.all()
    assert not subsetsum.within(a, t, 2**61 - 15).found.any()
    assert subsetsum.within(a, t, 2**61 - 14).found.all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 21, 24, 32, 33, 34, 48, 62])
def test_kernels_agree_at_every_width(n: int) -> None:
    """Enumeration alone, as far as each size: runs of 8, 16, 32 and 64 sums end inside a row."""
    rng = np.random.default_rng(n)
    rows, sizes = np.arange(40)[::-1].copy(), range(min(n + 1, 5 if n <= 24 else 4))
    for dtype, size in ((np.int32, 3), (np.int32, 1 << 22), (np.int64, 1 << 53)):
        a = rng.integers(-size, size + 1, (40, n))
        kept = rng.random((40, n)) < rng.uniform(0, 4 / max(n, 4), (40, 1))
        low = (a * kept).sum(axis=1) - rng.integers(0, 2, 40)
        high = low + rng.integers(-1, 3, 40)
        reach = np.abs(a).sum(axis=1)  # as far as intervals go: one beyond all sums
        low[::9], high[::9] = reach[::9] + 1, reach[::9]
        low[1::9] = -reach[1::9]
        zero, got = np.empty(0, dtype), np.zeros((2, 40), np.int64)
        for most in (*sizes, -1):
            for k, code in enumerate((enumerate_numba, enumerate_numpy)):
                if most >= 0:
                    code.least_size(a, 1, low, high, rows, most, zero, got[k])
                else:
                    code.first_hit(a, 1, low, high, rows, min(n, 13), zero, got[k])
            assert (got[0] == got[1]).all()
            assert (got[0] < 0).any()
