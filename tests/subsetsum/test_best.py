"""`best` against the exhaustive oracle, against itself, and against its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subset_oracles import (
    LAWS,
    assert_errors_are_true,
    every_mask,
    instances,
    numbers_of,
    rational_error,
)

from strongticket import subsetsum


@pytest.mark.parametrize("law", LAWS)
def test_both_backends_give_the_masks_of_the_oracle(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    for n in range(15):
        candidates, targets = instances(rng, law, 70 if n < 12 else 20, n)
        oracle = subsetsum.exhaustive(candidates, targets)
        assert_errors_are_true(candidates, targets, oracle)
        for backend in ("numba", "numpy"):
            for threads in (1, 3):
                got = subsetsum.best(candidates, targets, backend=backend, threads=threads)
                assert (got.mask == oracle.mask).all()
                assert (got.error == oracle.error).all()
                assert got.error.dtype == targets.dtype
                assert got.found.all()


@pytest.mark.parametrize("law", ["bits", "copies", "grid", "wide", "uniform53"])
@pytest.mark.parametrize("n", [17, 21, 24])
def test_backends_agree_where_the_oracle_does_not_reach(law: str, n: int) -> None:
    rng = np.random.default_rng(n)
    candidates, targets = instances(rng, law, {17: 300, 21: 64, 24: 8}[n], n)
    one = subsetsum.best(candidates, targets, backend="numba")
    other = subsetsum.best(candidates, targets, backend="numpy")
    assert (one.mask == other.mask).all()
    assert (one.error == other.error).all()
    assert_errors_are_true(candidates, targets, one)


def test_thousands_of_ties_are_decided_alike() -> None:
    rng = np.random.default_rng(5)
    for law in ("bits", "small", "halves"):
        candidates, targets = instances(rng, law, 2_000, 11)
        one = subsetsum.best(candidates, targets, backend="numba")
        other = subsetsum.best(candidates, targets, backend="numpy")
        assert (one.mask == other.mask).all()
        assert (one.error == other.error).all()


def test_int32_and_int64_keys_choose_the_same_masks() -> None:
    rng = np.random.default_rng(6)
    candidates, targets = rng.integers(-50, 51, (300, 12)), rng.integers(-200, 201, 300)
    narrow = subsetsum.best(candidates, targets)
    wide = subsetsum.best(candidates << 40, targets << 40)
    assert (narrow.mask == wide.mask).all()
    assert (narrow.error << 40 == wide.error).all()


def test_the_largest_reach_does_not_overflow() -> None:
    for sign in (-1, 1):
        candidates = np.full((2, 24), sign << 55, np.int64)
        candidates[0, ::2] *= -1
        targets = np.array([sign << 61, -sign << 61])
        for backend in ("numba", "numpy"):
            got = subsetsum.best(candidates, targets, backend=backend)
            assert got.error.tolist() == [(1 << 61) - 12 * (1 << 55), 1 << 61]
            assert got.size.tolist() == [12, 0]


def test_the_documented_ties() -> None:
    # Equally near sums: the smaller. Sum 0: the empty subset, though {0, 1} sums to 0 as well.
    assert not subsetsum.best(np.array([[2, 4]]), np.array([1])).mask.any()
    assert not subsetsum.best(np.array([[3, -3, 5]]), np.array([0])).mask.any()
    # Twice the same candidate: the first of a block is kept.
    assert subsetsum.best(np.array([[7, 7, 100, 100, 100]]), np.array([7])).mask.tolist() == [
        [True, False, False, False, False]
    ]


@settings(max_examples=40)
@given(st.data())
def test_properties_of_the_optimum(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 9))
    small = st.integers(-40, 40)
    a = np.array([data.draw(st.lists(small, min_size=n, max_size=n))])
    t = np.array([data.draw(st.integers(-120, 120))])
    error = subsetsum.best(a, t).error
    assert error <= abs(t)  # the empty subset
    order = np.array(data.draw(st.permutations(range(n))))
    assert subsetsum.best(a[:, order], t).error == error
    factor = data.draw(st.sampled_from([-3, 2, 1 << 30]))
    assert subsetsum.best(a * factor, t * factor).error == error * abs(factor)
    flipped = a.copy()  # keep j becomes leave j, its number taken off the target
    flipped[0, 0] *= -1
    assert subsetsum.best(flipped, t - a[:, 0]).error == error
    assert subsetsum.best(a[:, :-1], t).error >= error  # more candidates never hurt
    shift = 2 * t - a.sum()  # the partition form (Kumar and Natale, Lemma 2)
    assert min(abs(2 * (every_mask(n) @ a[0]) - a.sum() - shift)) == 2 * error[0]


@settings(max_examples=40)
@given(st.data())
def test_any_dyadic_target_is_met_exactly(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 7))
    units = st.integers(-64, 64)
    a = np.array(data.draw(st.lists(units, min_size=n, max_size=n)), np.float64) * 2.0**-4
    t = np.array([data.draw(st.floats(-1e6, 1e6)), data.draw(st.floats(-3, 3))])
    got = subsetsum.best(a, t)
    assert_errors_are_true(a, t, got)
    for i in range(2):
        nearest = min(rational_error(a, t[i], m) for m in every_mask(n))
        assert rational_error(a, t[i], got.mask[i]) == nearest


def test_anchor_failure_rate_at_15() -> None:
    """n = 15, U[-1, 1], epsilon .01: 0.404 % fail in the literature's tables (p < 1e-6 here)."""
    from scipy.stats import binomtest

    rng = np.random.default_rng(15)
    candidates, targets = rng.uniform(-1, 1, (40_000, 15)), rng.uniform(-1, 1, 40_000)
    failures = int((subsetsum.best(candidates, targets).error > 0.01).sum())
    assert binomtest(failures, 40_000, 0.00404).pvalue > 1e-6
    assert binomtest(2 * failures, 40_000, 0.00404).pvalue < 1e-6  # it can fail
    products = candidates * rng.uniform(-1, 1, (40_000, 15))
    products = np.round(products * 2.0**40) * 2.0**-40
    failures = int((subsetsum.best(products, targets).error > 0.01).sum())
    assert binomtest(failures, 40_000, 0.0345).pvalue > 1e-6


def test_anchor_median_error_at_21() -> None:
    """n = 21, U[-1, 1]: the median best error is 8.8e-7, to a median's sampling error."""
    rng = np.random.default_rng(21)
    units = rng.integers(-(1 << 23), 1 << 23, (20_000, 21))
    error = subsetsum.best(units * 2.0**-23, rng.uniform(-1, 1, 20_000)).error
    assert 8.3e-7 < np.median(error) < 9.3e-7


def test_shared_candidates_and_layouts_change_nothing() -> None:
    rng = np.random.default_rng(8)
    row, targets = rng.integers(-1000, 1000, 13), rng.integers(-2000, 2000, 200)
    shared = subsetsum.best(row, targets)
    spelled = subsetsum.best(np.tile(row, (200, 1)), targets)
    assert (shared.mask == spelled.mask).all()
    wide = rng.uniform(-1, 1, (13, 400)).round(6).astype(np.float32)
    columns, goals = wide.T[::2], rng.uniform(-1, 1, 400)[::2]
    assert not columns.flags.c_contiguous
    got = subsetsum.best(columns, goals)
    assert (got.mask == subsetsum.best(columns.copy(), goals.copy()).mask).all()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_the_smallest_batches(dtype: type) -> None:
    none = subsetsum.best(np.zeros((0, 5), dtype), np.zeros(0, dtype))
    assert none.mask.shape == (0, 5)
    assert len(none) == 0
    assert repr(none) == "Subsets(0 rows of 5 candidates)"
    empty = subsetsum.best(np.zeros((3, 0), dtype), np.array([1, 0, -2], dtype))
    assert empty.error.tolist() == [1, 0, 2]
    assert subsetsum.best(np.zeros(0, dtype), np.array([4], dtype)).error.tolist() == [4]
    one = subsetsum.best(np.array([[4]], dtype), np.array([3], dtype))
    assert one.mask.tolist() == [[True]]
    assert one.error.tolist() == [1]
    zeros = subsetsum.best(np.zeros((1, 9), dtype), np.array([1], dtype))
    assert zeros.size.tolist() == [0]
    assert "1 rows of 9 candidates: 1 found" in repr(zeros)


def test_targets_far_out_of_range() -> None:
    candidates = np.array([[0.5, -0.25, 1.0]])
    for target, size in ((1e300, 2), (-1e300, 1), (1e-300, 0), (2.0**70, 2)):
        got = subsetsum.best(candidates, np.array([target]))
        assert got.size.tolist() == [size]
        assert_errors_are_true(candidates, np.array([target]), got)


def test_what_overflows_in_grid_units_is_only_far_away() -> None:
    fine = np.array([[0.5, 2.0**-55]])
    for backend in ("numba", "numpy"):
        got = subsetsum.within(fine, np.array([1e300]), 1e290, backend=backend)
        assert (got.error.tolist(), got.found.tolist()) == ([1e300], [False])
        assert subsetsum.within(fine, np.array([-1e300]), 1.1e300, backend=backend).found.all()


def test_oracle_numbers_are_its_own() -> None:
    got = subsetsum.exhaustive(np.array([[1, 2, 4, 8]]), np.array([11]))
    assert numbers_of(got.mask).tolist() == [11]
