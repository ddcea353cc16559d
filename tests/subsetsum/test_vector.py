"""`vector` against every subset in rationals, and against `best` in one dimension."""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subset_oracles import every_mask, numbers_of

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum._vectors import goals

Array = Any


def rationals(row: Array) -> tuple[Array, Fraction]:
    """Integers on the row's own grid, and its step."""
    exact = [Fraction(value) for value in row.reshape(-1).tolist()]
    unit = max((value.denominator for value in exact), default=1)
    units = [int(value * unit) for value in exact]
    return np.array(units, object).reshape(row.shape), Fraction(1, unit)


def oracle(candidates: Array, target: Array) -> tuple[int, Fraction]:
    """The least mask number of the nearest vector, and its distance."""
    units, step = rationals(np.concatenate([candidates, target[None]]))
    sums = np.zeros((1, units.shape[1]), object)
    for item in units[:-1]:
        sums = np.concatenate([sums, sums + item])
    distance = abs(sums - units[-1]).max(axis=1)
    number = int(distance.argmin())
    return number, distance[number] * step


def up(value: Fraction) -> float:
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else float(np.nextafter(nearest, np.inf))


def instances(rng: np.random.Generator, law: str, rows: int, n: int, d: int) -> tuple[Array, Array]:
    if law == "bits":  # nearly everything ties
        return rng.integers(-1, 2, (rows, n, d)), rng.integers(-3, 4, (rows, d))
    if law == "small":
        return rng.integers(-9, 10, (rows, n, d)), rng.integers(-30, 31, (rows, d))
    if law == "wide":
        return rng.integers(-(1 << 56), 1 << 56, (rows, n, d)), rng.integers(
            -(1 << 57), 1 << 57, (rows, d)
        )
    if law == "flat":  # coordinates that some rows do not have
        used = rng.integers(0, 2, (rows, 1, d))
        return rng.integers(-99, 100, (rows, n, d)) * used, rng.integers(-200, 201, (rows, d))
    if law == "halves":  # targets half way between grid points, and at other fractions
        target = rng.integers(-99, 100, (rows, d)) * 0.125 + rng.choice([0, 1e-18, 0.03], (rows, d))
        return rng.integers(-9, 10, (rows, n, d)) * 0.25, target
    if law == "fractions":  # distances that differ by less than a step
        part = rng.choice([0, 0.5, 0.25, 0.75, 0.3, 0.9], (rows, d))
        return rng.integers(-2, 3, (rows, n, d)) * 1.0, rng.integers(-4, 4, (rows, d)) + part
    if law == "grid":
        units = rng.integers(-(1 << 23), 1 << 23, (rows, n, d))
        return units * 2.0**-23, rng.uniform(-1.5, 1.5, (rows, d))
    assert law == "uniform53"
    return rng.uniform(-1, 1, (rows, n, d)), rng.uniform(-1, 1, (rows, d))


LAWS = ("bits", "small", "wide", "flat", "halves", "fractions", "grid", "uniform53")


@pytest.mark.parametrize("law", LAWS)
def test_both_backends_give_the_nearest_of_all_subsets(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    for n in (0, 1, 2, 5, 8, 10):
        for d in range(1, 6):
            rows = 40 if law == "fractions" and n < 8 else 4
            candidates, targets = instances(rng, law, rows, n, d)
            got = subsetsum.vector(candidates, targets)
            other = subsetsum.vector(candidates, targets, backend="numpy", threads=1)
            assert got.found.all()
            assert got.proved.all()
            assert got.error.dtype == targets.dtype
            assert (got.mask == other.mask).all()
            assert (got.error == other.error).all()
            assert other.proved.all()
            for i in range(rows):
                number, exact = oracle(candidates[i], targets[i])
                assert numbers_of(got.mask[i][None])[0] == number
                assert got.error[i] == (up(exact) if targets.dtype == float else exact)


@pytest.mark.parametrize("law", LAWS)
def test_epsilon_changes_found_and_nothing_else(law: str) -> None:
    rng = np.random.default_rng(50 + LAWS.index(law))
    candidates, targets = instances(rng, law, 30, 8, 2)
    nearest = subsetsum.vector(candidates, targets)
    for epsilon in (nearest.error, nearest.error * 2 + 1, np.median(nearest.error)):
        wide = np.asarray(epsilon).astype(targets.dtype)
        got = subsetsum.vector(candidates, targets, wide)
        assert (got.mask == nearest.mask).all()
        assert (got.found == (nearest.error <= wide)).all()
        assert got.proved.all()
    if targets.dtype == float:  # the exact distance, not its rounding up, decides
        under = np.nextafter(nearest.error, 0)
        assert not subsetsum.vector(candidates, targets, under).found[nearest.error > 0].any()


@pytest.mark.parametrize(("n", "d"), [(13, 1), (15, 2), (16, 3), (16, 4), (14, 7), (20, 2)])
def test_backends_agree_where_the_oracle_does_not_reach(n: int, d: int) -> None:
    rng = np.random.default_rng(n * d)
    for law in ("small", "grid", "wide"):
        candidates, targets = instances(rng, law, 4, n, d)
        for work in (1, 3_000, 1 << 28):
            one = subsetsum.vector(candidates, targets, work=work, backend="numba")
            two = subsetsum.vector(candidates, targets, work=work, backend="numpy")
            assert (one.mask == two.mask).all()
            assert (one.error == two.error).all()
            assert (one.proved == two.proved).all()
        assert one.proved.all()


@pytest.mark.parametrize("law", ["small", "wide", "halves", "grid"])
def test_one_dimension_is_best(law: str) -> None:
    rng = np.random.default_rng(9)
    candidates, targets = instances(rng, law, 60, 15, 1)
    got = subsetsum.vector(candidates, targets)
    assert (got.error == subsetsum.best(candidates[:, :, 0], targets[:, 0]).error).all()


@settings(max_examples=40)
@given(st.data())
def test_properties_of_the_optimum(data: st.DataObject) -> None:
    n, d = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 4))
    small = st.integers(-40, 40)
    a = np.array(data.draw(st.lists(small, min_size=n * d, max_size=n * d))).reshape(n, d)
    t = np.array([data.draw(st.lists(small, min_size=d, max_size=d))])
    got = subsetsum.vector(a, t)
    assert got.error <= abs(t).max()  # the empty subset
    assert abs(got.mask @ a - t).max() == got.error  # recomputed
    for kept in every_mask(n)[:: 1 + 2**n // 7]:
        assert got.error <= abs(kept @ a - t).max()
    order = np.array(data.draw(st.permutations(range(n))))
    assert subsetsum.vector(a[order], t).error == got.error
    turn = np.array(data.draw(st.permutations(range(d))))
    assert (subsetsum.vector(a[:, turn], t[:, turn]).mask == got.mask).all()
    assert (subsetsum.vector(a * -4, t * -4).mask == got.mask).all()
    assert subsetsum.vector(a[:-1], t).error >= got.error  # more candidates never hurt
    assert subsetsum.vector(a[:, :1], t[:, :1]).error <= got.error  # nor fewer coordinates
    flipped = a.copy()  # keep j becomes leave j, its vector taken off the target
    flipped[0] *= -1
    assert subsetsum.vector(flipped, t - a[0]).error == got.error


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_every_first_radius_gives_the_same(name: str) -> None:
    kernel = importlib.import_module(f"strongticket.subsetsum.vector_{name}")
    rng = np.random.default_rng(14)
    units, whole = rng.integers(-2, 3, (300, 2, 6)), rng.integers(-4, 5, (300, 2))
    fraction = rng.choice([0.5, -0.5, 0.25, 0.0], (300, 2))
    for radius in (0, 1, 50, 1 << 61):
        numbers, proved = np.full(300, -1), np.zeros(300, np.bool_)
        radii, halves = np.full(300, radius), np.array([3, 3])
        given = (units, 1, goals(whole, fraction), radii, whole, whole, False, np.arange(300))
        kernel.search(*given, halves, 1 << 40, numbers, proved)
        assert proved.all()
        for i in range(300):
            assert numbers[i] == oracle(units[i].T.astype(float), whole[i] + fraction[i])[0]


def test_thousands_of_ties_cost_no_more() -> None:
    """All subsets are equally near: a search of all pairs would be 2^62 of them."""
    for n in (30, 62):
        zeros = np.zeros((n, 2), np.int64)
        got = subsetsum.vector(zeros, np.array([[3, -1]]), 2, work=1 << 20)
        assert (got.error.tolist(), got.found.tolist(), got.size.tolist()) == ([3], [False], [0])
    few = np.tile(np.array([[1, 0], [0, 1], [1, 1]]), (10, 1))
    got = subsetsum.vector(few, np.array([[13, 7], [40, 3]]), work=1 << 20)
    assert got.error.tolist() == [0, 20]
    assert got.proved.all()


def test_sixty_candidates_take_bounded_work() -> None:
    rng = np.random.default_rng(60)
    candidates, targets = instances(rng, "grid", 1, 60, 100)  # lists of 2^15 sums
    got = subsetsum.vector(candidates, targets, work=1 << 20)
    assert not got.proved.any()
    assert got.error <= np.abs(targets).max()
    assert got.error[0] == up(max(abs(s) for s in _misses(candidates[0], targets[0], got.mask[0])))
    missed = subsetsum.vector(candidates, targets, 1e-9, work=1 << 20)
    assert not missed.found.any()
    assert not missed.proved.any()


def _misses(candidates: Array, target: Array, mask: Array) -> list[Fraction]:
    units, step = rationals(np.concatenate([candidates, target[None]]))
    return [miss * step for miss in units[:-1][mask].sum(axis=0) - units[-1]]


def test_rows_of_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With short half lists, n = 10 is what 2p + 6 candidates are with long ones."""
    rng = np.random.default_rng(11)
    module = importlib.import_module("strongticket.subsetsum._vector")
    monkeypatch.setattr(module, "_MOST_HALF", 2)
    candidates, targets = instances(rng, "small", 12, 10, 2)
    got = subsetsum.vector(candidates, targets)
    assert got.proved.all()
    for i in range(12):
        assert numbers_of(got.mask[i][None])[0] == oracle(candidates[i], targets[i])[0]
    stopped = [
        subsetsum.vector(candidates, targets, 12, backend=name) for name in ("numba", "numpy")
    ]
    assert (stopped[0].mask == stopped[1].mask).all()
    assert (stopped[0].proved == stopped[1].proved).all()
    assert (stopped[0].found == (got.error <= 12)).all()
    assert not stopped[0].proved.all()  # it stopped at the first pass that had a subset
    assert (stopped[0].error[stopped[0].found] <= 12).all()


def test_shared_candidates_threads_and_layouts_change_nothing() -> None:
    rng = np.random.default_rng(12)
    row, targets = rng.uniform(-1, 1, (11, 3)), rng.uniform(-1, 1, (50, 3))
    shared = subsetsum.vector(row, targets, threads=3)
    spelled = subsetsum.vector(np.tile(row, (50, 1, 1)), targets, threads=1)
    assert (shared.mask == spelled.mask).all()
    assert (shared.error == spelled.error).all()
    turned = np.asfortranarray(np.tile(row, (50, 1, 1)).astype(np.float32))
    assert not turned.flags.c_contiguous
    got = subsetsum.vector(turned, np.asfortranarray(targets))
    assert (got.mask == subsetsum.vector(turned.copy("C"), targets).mask).all()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_the_smallest_batches(dtype: type) -> None:
    none = subsetsum.vector(np.zeros((0, 5, 2), dtype), np.zeros((0, 2), dtype))
    assert none.mask.shape == (0, 5)
    empty = subsetsum.vector(np.zeros((2, 0, 3), dtype), np.array([[1, 0, -2], [0, 0, 0]], dtype))
    assert empty.error.tolist() == [2, 0]
    got = subsetsum.vector(np.zeros((0, 1), dtype), np.array([[4]], dtype), 3)
    assert (got.error.tolist(), got.found.tolist()) == ([4], [False])


def test_it_can_be_stopped_and_taken_up() -> None:
    rng = np.random.default_rng(13)
    candidates, targets = instances(rng, "grid", 40, 9, 2)
    whole = subsetsum.vector(candidates, targets)

    def stop(done: int, rows: int) -> None:
        if done > rows // 2:
            raise RuntimeError

    with pytest.raises(subsetsum.Interrupted) as caught:
        subsetsum.vector(candidates, targets, threads=1, progress=stop)
    assert 0 < caught.value.done.sum() < 40
    got = subsetsum.vector(candidates, targets, resume=caught.value)
    assert (got.mask == whole.mask).all()
    with pytest.raises(InputError, match="resume"):
        subsetsum.vector(candidates, targets, 0.5, resume=caught.value)


ONES = np.ones((2, 3, 2))


@pytest.mark.parametrize(
    ("candidates", "targets", "options", "says"),
    [
        (ONES, np.ones(2), {}, "targets must have shape"),
        (np.ones((2, 3, 0)), np.ones((2, 0)), {}, "d at least 1"),
        (ONES, np.ones((2, 3)), {}, "candidates must have shape"),
        (ONES, np.ones((3, 2)), {}, "candidates must have shape"),
        (np.ones((3, 3)), np.ones((3, 2)), {}, "candidates must have shape"),
        (np.ones(3), np.ones((3, 2)), {}, "candidates must have shape"),
        (ONES, np.ones((2, 2), int), {}, "both be integers or both be floats"),
        (np.ones((1, 63, 2)), np.ones((1, 2)), {}, "at most 62"),
        (ONES * np.nan, np.ones((2, 2)), {}, "candidates must be finite"),
        (ONES, np.full((2, 2), np.inf), {}, "targets must be finite"),
        (ONES, np.ones((2, 2)), {"epsilon": -1.0}, "epsilon must be at least 0"),
        (ONES, np.ones((2, 2)), {"epsilon": np.ones(3)}, "epsilon must be a number"),
        (ONES, np.ones((2, 2)), {"work": 0}, "work must be"),
        (ONES, np.ones((2, 2)), {"threads": 0}, "threads must be"),
        (ONES, np.ones((2, 2)), {"speed": 9}, "unknown option"),
        (ONES, np.full((2, 2), 2.0**70), {}, "targets may reach 2\\^61"),
        (ONES * 2.0**60, np.full((2, 2), 5e-324), {}, "must not vanish beside it"),
        (np.full((2, 3, 2), 1 << 59), np.ones((2, 2), int), {}, "row 0, coordinate 0: magnitudes"),
        (np.array([[1.0, 1], [1, 2.0**-61]]), np.ones((2, 2)), {}, "the shared candidates"),
        (np.array([[[1.0], [2.0**-300]]]), np.ones((1, 1)), {}, "cannot be put on integer keys"),
    ],
)
def test_bad_input(candidates: Array, targets: Array, options: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        subsetsum.vector(candidates, targets, **options)
