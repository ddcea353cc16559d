"""Nothing is rounded: floats of any scale, at the edges where a split could lose a bit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from subset_oracles import assert_errors_are_true, every_mask, numbers_of, rational_error

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import _keys, rows_numba, rows_numpy
from strongticket.subsetsum._limits import NARROW, REACH

BACKENDS: tuple[Any, ...] = ("numba", "numpy")
LEAST = 5e-324
TARGETS = (
    *(0.0, LEAST, -LEAST, 1e-310, -1e-310, 1e-20, -1e-20, 2.0**-1022, -(2.0**-1022)),
    *(s * float(np.nextafter(0.5, side)) for s in (1, -1) for side in (0, 0.5, 1)),
    *(s * float(np.nextafter(1.0, side)) for s in (1, -1) for side in (0, 1, 2)),
    *(s * float(np.nextafter(1.5, side)) for s in (1, -1) for side in (0, 1.5, 2)),
    *(s * float(np.nextafter(2.5, side)) for s in (1, -1) for side in (0, 2.5, 3)),
)


def hold(a: Any, t: Any, epsilon: Any, backend: Any) -> None:
    """All three verbs against Fractions: optimum, error, and found == (exact error <= epsilon)."""
    best = subsetsum.best(a, t, backend=backend)
    first = subsetsum.within(a, t, epsilon, backend=backend)
    least = subsetsum.sparsest(a, t, epsilon, backend=backend)
    oracle = subsetsum.exhaustive(a, t)
    assert (best.mask == oracle.mask).all()
    assert (best.error == oracle.error).all()
    for got in (best, first, least):
        assert_errors_are_true(a, t, got)
    for i in range(len(t)):
        errors = [rational_error(a[i], t[i], m) for m in every_mask(a.shape[1])]
        wide = Fraction(float(epsilon[i]))
        number = int(numbers_of(oracle.mask[i : i + 1])[0])
        assert errors[number] == min(errors)  # the oracle itself
        for got in (first, least):
            number = int(numbers_of(got.mask[i : i + 1])[0])
            assert bool(got.found[i]) == (errors[number] <= wide) == (min(errors) <= wide)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [1.0, 2.0**-30, 2.0**40, 2.0**900])
def test_targets_beside_the_edges(backend: Any, size: float) -> None:
    goals = np.array(TARGETS)
    goals = np.concatenate([goals, goals * size]) if size != 1 else goals
    for row in ([1.0, 2.0], [-1.0], [2.0], [1.0, -1.0, 4.0], [-3.0, 1.0, 1.0, -2.0]):
        a = np.tile(np.array(row) * size, (len(goals), 1))
        for epsilon in (0.0, LEAST, 1e-20, 0.5, 0.5 * size, float(np.nextafter(0.5, 0)) * size):
            hold(a, goals, np.full(len(goals), epsilon), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_target_just_below_zero(backend: Any) -> None:
    a = np.array([[1.0, 2.0]])
    for verb in (subsetsum.within, subsetsum.sparsest):
        got = verb(a, np.array([-1e-20]), 0.0, backend=backend)
        assert (got.found.tolist(), got.error.tolist()) == ([False], [1e-20])
    almost = np.array([-0.49999999999999994])
    assert subsetsum.best(np.array([[-1.0]]), almost, backend=backend).size.tolist() == [0]
    assert subsetsum.exhaustive(np.array([[-1.0]]), almost).size.tolist() == [0]


@st.composite
def mixed(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Rows whose candidates, targets and tolerances differ in scale, and lie near sums or not."""
    n, rows = draw(st.integers(0, 5)), draw(st.integers(1, 3))
    units = st.integers(-(1 << 12), 1 << 12) | st.sampled_from([0, 1, -1, 2])
    scales = st.sampled_from([0, 0, -12, 12, -50, 50, -900, 900])
    reals = st.floats(0, 4, allow_subnormal=True) | st.sampled_from([0.0, 0.5, 1.0, LEAST])
    a, t, epsilon = np.zeros((rows, n)), np.zeros(rows), np.zeros(rows)
    for i in range(rows):
        scale = draw(scales)
        a[i] = [float(draw(units)) * 2.0**scale for _ in range(n)]
        kept = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        off = draw(reals) * draw(st.sampled_from([-1, 1])) * 2.0 ** draw(scales)
        t[i] = np.clip(a[i, np.array(kept, bool)].sum() + off, -(2.0**990), 2.0**990)
        epsilon[i] = draw(reals) * 2.0 ** draw(st.sampled_from([0, scale, -1060]))
    return a, t, epsilon


@settings(max_examples=150, deadline=None)
@given(mixed(), st.sampled_from(BACKENDS))
@example((np.array([[1.0, 2.0]]), np.array([-1e-20]), np.array([0.0])), "numba")
@example((np.array([[4096.0]]), np.array([-1e-20]), np.array([1e-21])), "numpy")
@example((np.array([[2.0]]), np.array([1.5]), np.array([0.5])), "numba")
def test_found_is_true_of_the_real_numbers(instance: tuple[Any, Any, Any], backend: Any) -> None:
    hold(*instance, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_interval_is_closed_on_both_sides(backend: Any) -> None:
    for candidate, target in ((2.0, 1.5), (1.0, 1.5), (-2.0, -1.5), (-1.0, -1.5), (-2.0, -2.5)):
        a, t = np.array([[candidate]]), np.array([target])
        for verb in (subsetsum.within, subsetsum.sparsest):
            assert verb(a, t, 0.5, backend=backend).found.all()
            assert not verb(a, t, float(np.nextafter(0.5, 0)), backend=backend).found.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_grid_units_cannot_hold_is_compared_all_the_same(backend: Any) -> None:
    """Targets and tolerances that underflow when they are divided by a step of 2^900."""
    t, a = 2.0**-150 * (1 + 2.0**-52), np.array([[2.0**900]])
    for epsilon, found in ((2.0**-110, True), (t, True), (np.nextafter(t, 0), False), (0.0, False)):
        for target in (t, -t):
            hold(a, np.array([target]), np.array([epsilon]), backend)
            got = subsetsum.within(a, np.array([target]), epsilon, backend=backend)
            assert got.found.tolist() == [found]


def test_rows_are_prepared_alike() -> None:
    """Every array that the backends make of floats, bit for bit, and the units undone."""
    rng = np.random.default_rng(0)
    a = np.ldexp(rng.integers(-(1 << 20), 1 << 20, (500, 7)), rng.integers(-30, 9, (500, 1)))
    a[::7] *= 2.0**-900
    a[3::7] *= 2.0**900
    a[::11] = 0
    a[1::11, 1] = 2.0**-80
    a[2::11, 2] = [np.nan, np.inf, -np.inf, 1e305, 5e-324] * 9 + [0.0]
    made = []
    for code in (rows_numba, rows_numpy):
        units, exponents = np.zeros(a.shape, np.int64), np.zeros(500, np.int64)
        code.units_of(a, a.view(np.int64), units, exponents)
        good = exponents < _keys.REFUSED
        assert (np.ldexp(units[good].astype(float), exponents[good, None]) == a[good]).all()
        odd = (units[good] & 1).any(axis=1) | (a[good] == 0).all(axis=1)
        assert odd.all()  # the greatest grid
        units[~good] = 0
        low, high = np.zeros(500, np.int64), np.zeros(500, np.int64)
        over = code.ranges_of(units, low, high)
        made.append((units, exponents, low, high, over))
    for one, other in zip(*made, strict=True):
        assert np.array_equal(one, other)


def test_the_grid_of_the_row_before_changes_nothing() -> None:
    """Every row after every other row: units, grids and refusals as if it stood alone."""
    rows = [[1.0, 2.0], [2.0, 4.0], [0.5, 2.0**40], [2.0**60, 1.0], [2.0**61, 1.0], [0.0, 0.0]]
    rows += [[2.0**950, 2.0**1000], [2.0**950, 2.0**1001], [2.0**-1000, 3 * 2.0**-1000]]
    rows += [[2.0**890, 2.0**899], [2.0**-1001, 1.0], [LEAST, 0.0], [np.inf, 1.0], [1.0, np.nan]]
    rows += [[-(2.0**62), 2.0], [-(2.0**62), 1.0], [2.0**1000, 2.0**1000]]
    pairs = np.array([[one, other] for one in rows for other in rows]).reshape(-1, 2)
    for code in (rows_numba, rows_numpy):
        together, grids = np.zeros(pairs.shape, np.int64), np.zeros(len(pairs), np.int64)
        code.units_of(pairs, pairs.view(np.int64), together, grids)
        for i in range(len(pairs)):
            alone, grid = np.zeros((1, 2), np.int64), np.zeros(1, np.int64)
            rows_numpy.units_of(pairs[i : i + 1], pairs[i : i + 1].view(np.int64), alone, grid)
            assert grids[i] == grid[0]
            if grid[0] != _keys.REFUSED:
                assert (together[i] == alone[0]).all()
    assert (grids == _keys.REFUSED).any()


@pytest.mark.parametrize("code", [rows_numba, rows_numpy])
def test_sums_that_overflow_int64_are_beyond_reach(code: Any) -> None:
    """62 magnitudes of 2^58 add up to nearly 2^64, which wraps to a small number."""
    units = np.array([[1 << 58] * 62 + [0], [-(1 << 58)] * 62 + [0], [1 << 57] * 63, [1] * 63])
    for first in range(4):
        part = units[first:]
        low, high = np.zeros(len(part), np.int64), np.zeros(len(part), np.int64)
        assert code.ranges_of(part, low, high) == (0 if first < 3 else -1)
    part = np.array([[1 << 54] * 62, [(1 << 57) - 1] * 62])
    assert code.ranges_of(part, low.repeat(2), high.repeat(2)) == 1
    assert part[1].sum() > REACH


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_reach_is_2_to_the_60_and_no_more(backend: Any) -> None:
    assert (REACH, NARROW) == (1 << 60, (1 << 29) - 4)
    powers = [1 << k for k in range(59, 37, -1)]
    edge = np.array([[*powers, (1 << 38) - 1, 1]])  # adds up to 2^60
    for dtype in (np.int64, np.float64):
        for signs in (1, np.array([1, -1] * 12)):
            a = (edge * signs).astype(dtype)
            assert subsetsum.best(a, a.sum(axis=1), backend=backend).error == 0
        with pytest.raises(InputError, match="cannot be put on integer keys"):
            subsetsum.best(edge.astype(dtype) + (edge == 1), np.zeros(1, dtype), backend=backend)
    beyond = np.array([[1 << 59, 1 << 59, 1]])
    with pytest.raises(InputError, match="1152921504606846977"):
        subsetsum.best(beyond, np.array([0]), backend=backend)
