"""`coverage` against every subset sum in rationals, against `best`, and against its properties."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subset_oracles import LAWS, instances

from strongticket import subsetsum
from strongticket.errors import InputError


def sums_of(row: Any) -> list[Fraction]:
    sums = {Fraction(0)}
    for value in row.tolist():
        sums |= {s + Fraction(value) for s in sums}
    return sorted(sums)


def distance(sums: list[Fraction], z: Fraction) -> Fraction:
    return min(abs(z - s) for s in sums)


def oracle(row: Any, reach: Any) -> Fraction:
    """The distance is piecewise linear: its peaks in [-R, R] are midpoints, or the ends."""
    sums, edge = sums_of(row), Fraction(reach.item())
    middles = [(a + b) / 2 for a, b in pairwise(sums)]
    peaks = [-edge, edge, *(z for z in middles if -edge <= z <= edge)]
    return max(distance(sums, z) for z in peaks)


def up(value: Fraction) -> float:
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else float(np.nextafter(nearest, np.inf))


@pytest.mark.parametrize("law", LAWS)
def test_epsilon_is_that_of_all_sums_and_is_attained(law: str) -> None:
    rng = np.random.default_rng(LAWS.index(law))
    for n in range(8):
        candidates, reach = instances(rng, law, 12, n)
        reach = np.abs(reach) * rng.integers(0, 3, 12)
        got = subsetsum.coverage(candidates, reach)
        other = subsetsum.coverage(candidates, reach, backend="numpy", threads=1)
        assert (got.epsilon == other.epsilon).all()
        assert (got.worst == other.worst).all()
        for i in range(12):
            exact = oracle(candidates[i], reach[i])
            assert got.epsilon[i] == up(exact)
            worst = Fraction(got.worst[i].item())
            assert abs(worst) <= Fraction(reach[i].item())
            slack = abs(worst) * Fraction(1, 1 << 53)  # the exact point was rounded to nearest
            assert distance(sums_of(candidates[i]), worst) >= exact - slack


def test_reaches_beside_the_grid() -> None:
    """Half gaps and ends that differ by less than a step of the candidates' grid."""
    rng = np.random.default_rng(7)
    for n in range(1, 5):
        candidates = rng.integers(-6, 7, (150, n)).astype(np.float64)
        reach = rng.integers(0, 9, 150) + rng.choice([0, 0.5, 0.3, 0.75, 2.0**-40], 150)
        got = subsetsum.coverage(candidates, reach)
        exact = [up(oracle(*row)) for row in zip(candidates, reach, strict=True)]
        assert got.epsilon.tolist() == exact


def test_wide_gaps_are_rounded_up() -> None:
    odd = np.array([[(1 << 58) + 1], [-(1 << 58) - 1]])
    got = subsetsum.coverage(odd, np.array([(1 << 58) + 1] * 2))
    assert got.epsilon.tolist() == [up(Fraction((1 << 58) + 1))] * 2
    filled = np.array([[(1 << 58) + 1, -(1 << 58) - 1]])
    got = subsetsum.coverage(filled, np.array([(1 << 58) + 1]))
    assert got.epsilon[0] == up(Fraction((1 << 58) + 1, 2)) > 2.0**57


@pytest.mark.parametrize("n", [10, 16, 19])
@pytest.mark.parametrize("law", ["copies", "grid", "wide"])
def test_backends_agree_where_the_oracle_does_not_reach(law: str, n: int) -> None:
    rng = np.random.default_rng(n)
    candidates, targets = instances(rng, law, 4, n)
    for reach in (np.abs(targets), np.abs(candidates).sum(axis=1)):
        one = subsetsum.coverage(candidates, reach, backend="numba")
        two = subsetsum.coverage(candidates, reach, backend="numpy")
        assert (one.epsilon == two.epsilon).all()
        assert (one.worst == two.worst).all()


def test_blocks_of_the_numpy_walk_join(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.subsetsum import coverage_numpy

    rng = np.random.default_rng(4)
    candidates, reach = rng.integers(-5000, 5000, (20, 9)), rng.integers(0, 20000, 20)
    whole = subsetsum.coverage(candidates, reach, backend="numpy")
    for block in (1, 2, 7):
        monkeypatch.setattr(coverage_numpy, "_BLOCK", block)
        parts = subsetsum.coverage(candidates, reach, backend="numpy")
        assert (whole.epsilon == parts.epsilon).all()
        assert (whole.worst == parts.worst).all()


def test_no_point_is_farther_and_some_come_near() -> None:
    rng = np.random.default_rng(3)
    row = rng.uniform(-1, 1, 14).round(6)
    got = subsetsum.coverage(row, 1.25)
    z = np.linspace(-1.25, 1.25, 20_001)
    tried = subsetsum.best(row, z).error
    step = z[1] - z[0]
    assert got.epsilon[0] - step / 2 <= tried.max() <= got.epsilon[0]
    at_worst = subsetsum.best(row, got.worst).error
    assert at_worst == pytest.approx(got.epsilon, rel=1e-12)


@settings(max_examples=60)
@given(st.data())
def test_properties(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 8))
    a = np.array(data.draw(st.lists(st.integers(-40, 40), min_size=n, max_size=n)))
    reach = data.draw(st.integers(0, 100))
    epsilon = subsetsum.coverage(a, reach).epsilon
    assert subsetsum.coverage(a[:-1], reach).epsilon >= epsilon  # another candidate never hurts
    assert subsetsum.coverage(a, reach + 1).epsilon >= epsilon  # nor a smaller interval
    assert 2**n * 2 * epsilon >= 2 * reach  # 2^n intervals of length 2 epsilon cover [-R, R]
    order = np.array(data.draw(st.permutations(range(n))))
    assert subsetsum.coverage(a[order], reach).epsilon == epsilon
    assert subsetsum.coverage(-a, reach).epsilon == epsilon  # z to -z
    assert subsetsum.coverage(a * 2.0**-9, reach * 2.0**-9).epsilon == epsilon * 2.0**-9


def test_the_counting_bound_holds_and_is_met_by_binary_weights() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 5, 12):
        reach = rng.uniform(0, 2, 20)
        epsilon = subsetsum.coverage(rng.uniform(-1, 1, (20, n)), reach).epsilon
        assert (2.0**n * 2 * epsilon >= 2 * reach * (1 - 1e-15)).all()
    # -8, 1, 2, 4 and half a step of offset: all of -8 .. 7, so [-7.5, 7.5] within one half.
    assert subsetsum.coverage(np.array([-8.0, 1, 2, 4]), 7.5).epsilon == 0.5
    assert subsetsum.coverage(np.array([-8.0, 1, 2, 4]), 8.0).epsilon == 1.0


def test_good_is_monotone_and_exact() -> None:
    row = np.array([1.0, -1.0, 0.1])
    got = subsetsum.coverage(row, np.array([0.0, 0.5, 1.0, 2.0]))
    assert got.epsilon[0] == 0
    exact = oracle(row, np.float64(0.5))
    assert got.good(up(exact))[1]
    below = np.nextafter(up(exact), 0)
    assert not got.good(below)[1]
    assert got.good(got.epsilon).all()
    assert got.good(got.epsilon * 2 + 1).all()
    assert got.good(2).tolist() == [True] * 4
    assert (np.diff(got.epsilon) >= 0).all()


def test_known_rows() -> None:
    # No candidates, or none but zeros: 0 is the only sum.
    assert subsetsum.coverage(np.zeros((2, 0)), np.array([0.0, 3.0])).epsilon.tolist() == [0, 3]
    got = subsetsum.coverage(np.zeros(5), 1e-300)
    assert (got.epsilon.tolist(), abs(got.worst[0])) == ([1e-300], 1e-300)
    # Sums 0, 3: between them 1.5; cut off at R = 1.
    assert subsetsum.coverage(np.array([3]), 2).epsilon == 2  # at -2
    got = subsetsum.coverage(np.array([3, -3]), np.array([1, 2, 4]))
    assert got.epsilon.tolist() == [1, 1.5, 1.5]
    assert got.worst.tolist() == [-1, -1.5, -1.5]
    assert "3 rows: epsilon 1 to 1.5" in repr(got)
    assert len(subsetsum.coverage(np.zeros((0, 4)), 1.0)) == 0
    # Duplicates change nothing.
    assert subsetsum.coverage(np.array([3, -3, 3, -3, 0]), 2).epsilon == 1.5


def test_reach_far_beyond_and_far_below_the_grid() -> None:
    row = np.array([[0.5, -0.25, 2.0**-50]])
    for reach in (1e300, 2.0**70, 1e-300, 5e-324):
        got = subsetsum.coverage(row, reach)
        assert got.epsilon[0] == up(oracle(row[0], np.float64(reach)))
    coarse = np.array([[2.0**60, -(2.0**60)]])
    assert subsetsum.coverage(coarse, 5e-324).epsilon == 5e-324
    wide = np.full((1, 4), 1 << 58)
    assert subsetsum.coverage(wide, (1 << 61) - 1).epsilon == 2.0**61


def test_layouts_groups_products_threads() -> None:
    rng = np.random.default_rng(2)
    units = rng.integers(-999, 1000, (6, 9))
    reach = rng.integers(0, 5000, (6, 3))
    got = subsetsum.coverage(units, reach, threads=2)
    assert got.epsilon.shape == (6, 3)
    for k in range(3):
        alone = subsetsum.coverage(units, reach[:, k])
        assert (alone.epsilon == got.epsilon[:, k]).all()
        assert (alone.worst == got.worst[:, k]).all()
    shared = subsetsum.coverage(units[0], reach[:, 0])
    spelled = subsetsum.coverage(np.tile(units[0], (6, 1)), reach[:, 0])
    assert (shared.epsilon == spelled.epsilon).all()
    products = subsetsum.Products(units * 0.5, units[0] * 0.25)
    multiplied = subsetsum.coverage(units * units[0] * 0.125, 100.0)
    assert (subsetsum.coverage(products, 100.0).epsilon == multiplied.epsilon).all()
    seen: list[tuple[int, int]] = []
    subsetsum.coverage(units, 7, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (6, 6)


@pytest.mark.parametrize(
    ("candidates", "reach", "options", "says"),
    [
        (np.zeros((2, 27)), 1.0, {}, "at most 26"),
        (np.zeros((2, 3)), -1.0, {}, "at least 0"),
        (np.zeros((2, 3)), np.nan, {}, "finite"),
        (np.zeros((2, 3)), np.inf, {}, "finite"),
        (np.full((2, 3), np.nan), 1.0, {}, "finite"),
        (np.zeros((2, 3), int), 1.0, {}, "reach must be an integer"),
        (np.zeros((2, 3)), np.ones(3), {}, "reach must be a number or have shape"),
        (np.zeros(3), np.ones((3, 2)), {}, "reach must be a number or have shape"),
        (np.zeros((2, 3)), (1 << 53) + 1, {}, "equal to a float64"),
        (np.zeros((2, 3), complex), 1.0, {}, "integers or floats"),
        (np.array([1.0, 2.0**-70]), 1.0, {}, "cannot be put on integer keys"),
        (np.zeros((2, 3)), 1.0, {"resume": 1}, "no resume"),
        (np.zeros((2, 26)), 1.0, {"memory": 1 << 20}, "memory is"),
    ],
)
def test_bad_input(candidates: Any, reach: Any, options: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        subsetsum.coverage(candidates, reach, **options)


@pytest.mark.parametrize("epsilon", [-1.0, np.nan, np.ones(3), (1 << 60) + 1])
def test_bad_epsilon(epsilon: Any) -> None:
    with pytest.raises(InputError, match="epsilon must be"):
        subsetsum.coverage(np.ones((2, 3)), 1.0).good(epsilon)
