"""`fixed_size` against Python's integers, its two algorithms against each other, and its laws."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subset_oracles import LAWS, assert_errors_are_true, instances, numbers_of, rational_error

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import _fixed_size, sizes_numba, sizes_numpy
from strongticket.subsetsum._backend import backend_of
from strongticket.subsetsum._inputs import batch


def oracle(candidates: np.ndarray, target: Any, size: int) -> int:
    """The mask number that `fixed_size` documents, from rationals."""
    items, n = [Fraction(a) for a in candidates.tolist()], len(candidates)
    goal, p = Fraction(target.item()), max((n - 1) // 2, 0)
    ranks = []
    for number in range(1 << n):
        if number.bit_count() == size:
            total = sum((items[j] for j in range(n) if (number >> j) & 1), Fraction(0))
            left = [j for j in range(p) if (number >> j) & 1]
            part = sum((items[j] for j in left), Fraction(0))
            where = (number >> (2 * p), len(left), part, number)
            ranks.append((abs(goal - total), total, where))
    return min(ranks)[-1][-1]


@pytest.mark.parametrize("law", LAWS)
def test_against_rationals(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    for n in (0, 1, 2, 3, 6, 9):
        candidates, targets = instances(rng, law, 8, n)
        sizes = rng.integers(0, n + 1, 8)
        sizes[:2] = 0, n
        got = subsetsum.fixed_size(candidates, targets, sizes)
        assert (got.size == sizes).all()
        assert got.found.all()
        assert got.proved.all()
        assert_errors_are_true(candidates, targets, got)
        numbers = numbers_of(got.mask).tolist()
        assert numbers == [
            oracle(candidates[i], targets[i], int(sizes[i])) for i in range(len(sizes))
        ]
        plain = subsetsum.fixed_size(candidates, targets, sizes, backend="numpy")
        assert (plain.mask == got.mask).all()
        assert (plain.error == got.error).all()


@pytest.mark.parametrize("law", ("bits", "small", "copies", "mixed", "grid", "halves"))
@pytest.mark.parametrize("n", [12, 17, 26])
def test_lists_and_raised_candidates_agree(law: str, n: int) -> None:
    """Two algorithms that share nothing give the same masks, ties included, at every size."""
    rng = np.random.default_rng(n)
    rows = 64 if n < 20 else 4
    candidates, targets = instances(rng, law, rows, n)
    sizes = rng.integers(0, n + 1, rows)
    every = np.arange(rows)
    for name in ("numba", "numpy"):
        code = backend_of(name)
        keys = batch(candidates, targets).chunk(0, rows, code)
        raised = _fixed_size._by_raising(code, keys, every, sizes)
        listed = np.full(rows, -1)
        goal = (*keys.tagged, sizes, every, listed)
        code.module("sizes").of_size(keys.candidates, keys.step, *goal)
        assert listed.tolist() == raised.tolist()


def test_at_the_whole_reach_only_lists_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    honest = _fixed_size._by_raising

    def counted(*arguments: Any) -> Any:
        calls.append(arguments[2])
        return honest(*arguments)

    monkeypatch.setattr(_fixed_size, "_by_raising", counted)
    rng = np.random.default_rng(1)
    n, size = 11, 5
    limit = (1 << 60) // (2 * n + 1) - 8
    for reach, raised in ((limit, True), (limit + 1, False), (1 << 60, False)):
        a = rng.integers(0, reach // n, (6, n))
        a[:, 0] += reach - a.sum(axis=1)
        a[::2] *= -1
        t = a[:, 2:7].sum(axis=1)
        calls.clear()
        got = subsetsum.fixed_size(a, t, size)
        assert (got.error == 0).all()
        assert (got.mask.nonzero()[1].reshape(6, 5) == np.arange(2, 7)).all()
        assert bool(calls) == raised
        for target in (-(1 << 61), 1 << 61):
            far = subsetsum.fixed_size(a, np.full(6, target), size, backend="numpy")
            best = np.sort(a, axis=1)[:, -size:] if target > 0 else np.sort(a, axis=1)[:, :size]
            assert ((far.mask * a).sum(axis=1) == best.sum(axis=1)).all()


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_each_row_has_its_own_size_and_way(backend: Any) -> None:
    """Rows of any reach and size, some to be raised and some not, as if each were alone."""
    rng = np.random.default_rng(4)
    size = np.where(rng.integers(0, 2, (24, 1)) == 0, 9, 1 << 56)
    a, t = rng.integers(-size, size, (24, 8)), rng.integers(-size[:, 0], size[:, 0])
    sizes = rng.integers(0, 9, 24)
    got = numbers_of(subsetsum.fixed_size(a, t, sizes, backend=backend).mask)
    assert got.tolist() == [oracle(a[i], t[i], int(sizes[i])) for i in range(24)]


def test_a_sum_of_zero_keeps_its_candidates() -> None:
    a = np.array([[5, -5, 2, 7, 0]])
    for backend in ("numba", "numpy"):
        for size, kept in ((0, []), (1, [4]), (2, [0, 1]), (3, [0, 1, 4])):
            got = subsetsum.fixed_size(a, np.array([0]), size, backend=backend)
            assert got.mask[0].nonzero()[0].tolist() == kept
            assert got.error.tolist() == [0]
    zeros = subsetsum.fixed_size(np.zeros((1, 7)), np.array([0.25]), 4)
    assert zeros.size.tolist() == [4]
    assert zeros.error.tolist() == [0.25]


@pytest.mark.parametrize("n", [25, 28, 40])
def test_beyond_the_network_a_planted_subset_is_found(n: int) -> None:
    rng = np.random.default_rng(n)
    for size in (2, 5, n - 3):
        a = rng.integers(-(1 << 54), 1 << 54, (2, n))
        kept = rng.permuted(np.tile(np.arange(n) < size, (2, 1)), axis=1)
        t = (a * kept).sum(axis=1)
        for backend in ("numba", "numpy")[: 1 if n == 40 else 2]:
            got = subsetsum.fixed_size(a, t, size, backend=backend)
            assert (got.mask == kept).all()


def test_62_candidates_at_small_and_large_sizes() -> None:
    a = np.array([1 << (j % 59) for j in range(62)])[None, :] // 64 * 3 + np.arange(62)
    kept = np.isin(np.arange(62), [3, 40, 61])
    for mask in (kept, ~kept):
        t = a[:, mask].sum(axis=1)
        for backend in ("numba", "numpy"):
            got = subsetsum.fixed_size(a, t, int(mask.sum()), backend=backend)
            assert (got.error == 0).all()
            assert (got.size == mask.sum()).all()
    with pytest.raises(InputError, match="memory is 1073741824 bytes"):
        subsetsum.fixed_size(a, t, 31)


@st.composite
def integers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A few rows, with zeros, copies and targets out of reach."""
    n, rows = draw(st.integers(0, 8)), draw(st.integers(1, 3))
    size = draw(st.sampled_from([1, 3, 100, 1 << 50]))
    unit = st.integers(-size, size) | st.sampled_from([0, 1, -1])
    a = np.array([[draw(unit) for _ in range(n)] for _ in range(rows)], np.int64)
    t = np.array([draw(st.integers(-9 * size, 9 * size)) for _ in range(rows)], np.int64)
    return a.reshape(rows, n), t


@settings(max_examples=100, deadline=None)
@given(integers(), st.sampled_from(["numba", "numpy"]), st.randoms(use_true_random=False))
def test_laws(instance: tuple[np.ndarray, np.ndarray], backend: Any, random: Any) -> None:
    a, t = instance
    n = a.shape[1]
    best = subsetsum.best(a, t, backend=backend)
    errors = []
    for size in range(n + 1):
        got = subsetsum.fixed_size(a, t, size, backend=backend)
        assert (got.size == size).all()
        assert (got.error >= best.error).all()
        errors.append(got.error)
        order = list(range(n))
        random.shuffle(order)
        moved = subsetsum.fixed_size(a[:, order], t, size, backend=backend)
        assert (moved.error == got.error).all()
        scaled = subsetsum.fixed_size(a * 3, t * 3, size, backend=backend)
        assert (scaled.mask == got.mask).all()
        # Complements: n - k candidates near the rest of the total are as near.
        rest = subsetsum.fixed_size(a, a.sum(axis=1) - t, n - size, backend=backend)
        assert (rest.error == got.error).all()
    assert (np.min(errors, axis=0) == best.error).all()
    none, every = errors[0], errors[-1]
    assert (none == np.abs(t)).all()
    assert (every == np.abs(t - a.sum(axis=1))).all()


def test_shared_and_grouped_candidates_and_sizes_a_row() -> None:
    rng = np.random.default_rng(2)
    a, t = rng.uniform(-1, 1, (5, 13)), rng.uniform(-1, 1, (5, 70))
    sizes = rng.integers(0, 14, (5, 70))
    got = subsetsum.fixed_size(a, t, sizes)
    assert got.mask.shape == (5, 70, 13)
    assert (got.size == sizes).all()
    for i in range(5):
        alone = subsetsum.fixed_size(a[i], t[i], sizes[i])
        copied = subsetsum.fixed_size(np.tile(a[i], (70, 1)), t[i], sizes[i], threads=3)
        assert (alone.mask == got.mask[i]).all()
        assert (copied.mask == got.mask[i]).all()
        assert got.error[i, 0] >= rational_error(a[i], t[i, 0], got.mask[i, 0])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (6, "from 0 to n = 5.*every row asks for 6"),
        (-1, "every row asks for -1"),
        ([0, 5, 6], "row 2 asks for 6"),
        (2.0, "size must be an integer"),
        (True, "size must be an integer"),
        ([1, 2], "targets' shape"),
        (np.uint64(2**63), "asks for 9223372036854775808"),
    ],
)
def test_sizes_that_are_refused(size: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        subsetsum.fixed_size(np.ones((3, 5), int), np.zeros(3, int), size)


def test_inputs_that_are_refused() -> None:
    a, t = np.ones((2, 3)), np.zeros(2)
    for broken in (np.nan, np.inf):
        with pytest.raises(InputError, match="candidates must be finite"):
            subsetsum.fixed_size(a * broken, t, 1)
        with pytest.raises(InputError, match="targets must be finite"):
            subsetsum.fixed_size(a, t + broken, 1)
    with pytest.raises(InputError, match="at most 62"):
        subsetsum.fixed_size(np.ones((2, 63)), t, 1)
    with pytest.raises(InputError, match="memory is 1000 bytes"):
        subsetsum.fixed_size(a, t, 1, memory=1000)
    empty = subsetsum.fixed_size(np.ones((0, 3)), np.ones(0), 2)
    assert empty.mask.shape == (0, 3)


@pytest.mark.parametrize("kernel", [sizes_numba, sizes_numpy])
def test_how_much_the_lists_hold(kernel: Any) -> None:
    for n in (0, 1, 2, 9, 24):
        p = max((n - 1) // 2, 0)
        for size in range(n + 1):
            held = [j for j in range(p + 1) if size - (n - p) <= j <= size]
            assert kernel.lists_of(n, size) == sum(comb(p, j) for j in held)
