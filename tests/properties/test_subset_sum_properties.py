"""Properties 9 to 17: subset-sum solvers, against brute force in Python's integers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, target
from hypothesis import strategies as st
from property_tools import share

from strongticket.subsetsum import best, coverage, fixed_size, lightest, sparsest, vector, within
from strongticket.testing import SubsetSum, oracles, subset_sums

HERE: Any = {"backend": "numpy"}  # nothing to compile; the backends agree by tests of their own
SMALL = subset_sums(max_n=7)
RICH = ("small", "ties", "copies", "zeros", "wide")  # leaves the solvers room to scale or append


def solve(problem: SubsetSum) -> Any:
    return best(problem.candidates, problem.targets, **HERE)


def exact(values: Any) -> list[Fraction]:
    return [Fraction(v) for v in np.asarray(values).tolist()]


@given(SMALL, st.integers(0, 1 << 7))
def test_9_errors_are_recomputed_and_none_is_smaller(problem: SubsetSum, number: int) -> None:
    """Property 9: the error is the mask's own, at most |z|, at most any other subset's."""
    for verb in (
        solve(problem),
        within(problem.candidates, problem.targets, problem.epsilon, **HERE),
        sparsest(problem.candidates, problem.targets, problem.epsilon, **HERE),
        lightest(problem.candidates, problem.targets, problem.epsilon, **HERE),
    ):
        for i in range(len(problem)):
            row, goal = problem.row(i)
            true = oracles.distance(row, goal, verb.mask[i])
            said = Fraction(verb.error[i].item())
            assert said >= true
            if problem.targets.dtype == np.int64:
                assert said == true
            else:  # the true distance rounded up
                assert said == true or Fraction(math.nextafter(float(said), -math.inf)) < true
    nearest, ratio = solve(problem), Fraction(0)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        true = oracles.distance(row, goal, nearest.mask[i])
        other = [(number >> j) & 1 for j in range(len(row))]
        assert true <= abs(oracles.exact(goal))
        assert true <= oracles.distance(row, goal, other)
        if goal:
            ratio = max(ratio, true / abs(oracles.exact(goal)))
    target(float(ratio), label="error / |z|")


@given(SMALL)
def test_10_the_solver_is_brute_force(problem: SubsetSum) -> None:
    """Property 10: exactly the least distance of all 2^n subsets."""
    answer = solve(problem)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        found = oracles.distance(row, goal, answer.mask[i])
        assert found == oracles.best_distance(row, goal)


@given(subset_sums(max_n=7, kinds=RICH), st.randoms(), st.integers(-4, 4))
def test_10_order_scale_and_complement(problem: SubsetSum, random: Any, power: int) -> None:
    """Property 10: order is nothing, c x to c z is |c| times, x_i to -x_i with z - x_i the same."""
    n, rows = problem.candidates.shape[-1], len(problem)
    table = np.broadcast_to(problem.candidates, (rows, n))
    error = exact(solve(problem).error)
    order = list(range(n))
    random.shuffle(order)
    assert exact(best(table[:, order], problem.targets, **HERE).error) == error
    factor = -3 if table.dtype == np.int64 else -(2.0**power)
    scaled = best(table * factor, problem.targets * factor, **HERE)
    assert exact(scaled.error) == [abs(Fraction(factor)) * e for e in error]
    if n:
        flipped, i = table.copy(), random.randrange(n)
        flipped[:, i] = -flipped[:, i]
        moved = problem.targets - table[:, i]
        exactly = [
            Fraction(t) - Fraction(a)
            for t, a in zip(problem.targets.tolist(), table[:, i].tolist(), strict=True)
        ]
        if exact(moved) == exactly:  # a float difference may be rounded
            assert exact(best(flipped, moved, **HERE).error) == error


@given(SMALL)
def test_11_more_candidates_are_never_worse(problem: SubsetSum) -> None:
    """Property 11: the first n + 1 candidates do at least as well as the first n."""
    previous = [abs(v) for v in exact(problem.targets)]
    for n in range(problem.candidates.shape[-1] + 1):
        answer = best(np.ascontiguousarray(problem.candidates[..., :n]), problem.targets, **HERE)
        now = exact(answer.error)
        # floats are rounded up alike, so the order survives
        assert all(a <= b for a, b in zip(now, previous, strict=True))
        previous = now


@given(subset_sums(max_n=7, kinds=RICH, floats=False))
def test_12_subset_sum_is_number_partitioning(problem: SubsetSum) -> None:
    """Property 12: |2 sum_S - Lambda - (2 z - Lambda)| = 2 |sum_S - z| (Kumar and Natale, Lemma 2).

    So the best signs for target 2 z - Lambda are the best subset for z.
    """
    answer = solve(problem)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        total = sum(row)
        signed = [2 * s - total for s in oracles.subset_sums(row)]
        assert min(abs(s - (2 * goal - total)) for s in signed) == 2 * int(answer.error[i])
        # and the solver itself on the signed form: +-a_j is -a_j plus 0 or 2 a_j
        doubled = best(
            np.array([[2 * a for a in row]], np.int64).reshape(1, len(row)),
            np.array([2 * goal]),
            **HERE,
        )
        assert int(doubled.error[0]) == 2 * int(answer.error[i])


@given(SMALL)
def test_13_the_sparsest_is_no_larger_and_shrinks_with_epsilon(problem: SubsetSum) -> None:
    """Property 13: least size at most the best's where that is feasible, non-increasing in eta."""
    near, small = (
        solve(problem),
        sparsest(problem.candidates, problem.targets, problem.epsilon, **HERE),
    )
    wider = sparsest(problem.candidates, problem.targets, 2 * problem.epsilon, **HERE)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        wanted = oracles.least_size(row, goal, problem.epsilon)
        assert bool(small.found[i]) == (wanted is not None)
        if wanted is not None:
            assert small.size[i] == wanted <= near.size[i]
            assert wider.found[i]
            assert wider.size[i] <= wanted


@given(SMALL)
def test_13_the_lightest_is_no_heavier(problem: SubsetSum) -> None:
    """Property 13, by weight: no subset within epsilon has a smaller sum of magnitudes."""
    answer = lightest(problem.candidates, problem.targets, problem.epsilon, **HERE)
    for i in range(len(problem)):
        row, goal = problem.row(i)
        weights = oracles.subset_sums([abs(oracles.exact(a)) for a in row])
        limit = oracles.exact(problem.epsilon)
        distances = oracles.distances(row, goal)
        fitting = [w for w, d in zip(weights, distances, strict=True) if d <= limit]
        assert bool(answer.found[i]) == bool(fitting)
        if fitting:
            number = int(answer.mask[i] @ (1 << np.arange(len(row))))
            assert weights[number] == min(fitting)


@given(subset_sums(max_n=7, kinds=RICH))
def test_14_fixed_sizes_bracket_the_optimum(problem: SubsetSum) -> None:
    """Property 14: each size's optimum is at least the unconstrained one, and one attains it."""
    n = problem.candidates.shape[-1]
    free = exact(solve(problem).error)
    by_size = []
    for k in range(n + 1):
        answer = fixed_size(problem.candidates, problem.targets, k, **HERE)
        assert (answer.size == k).all()
        by_size.append(exact(answer.error))
        for i in range(len(problem)):
            row, goal = problem.row(i)
            true = oracles.distance(row, goal, answer.mask[i])
            assert true == oracles.best_distance(row, goal, k)
            assert by_size[k][i] >= free[i]
    for i in range(len(problem)):
        assert min(errors[i] for errors in by_size) == free[i]


SAMPLES = st.lists(st.integers(-40, 40), max_size=8)


@given(SAMPLES, st.integers(0, 60), st.integers(-40, 40), st.integers(0, 20))
def test_15_coverage_is_monotone(row: list[int], reach: int, extra: int, less: int) -> None:
    """Property 15: more samples, a larger eta or a smaller R keep a good sample good."""

    def eta(values: list[int], radius: int) -> Fraction:
        found = coverage(np.array([values], np.int64).reshape(1, len(values)), radius, **HERE)
        assert bool(found.good(found.epsilon)[0])
        if found.epsilon[0] > 0:
            assert not found.good(np.nextafter(found.epsilon, 0)).any()
        return Fraction(found.epsilon[0])

    least = eta(row, reach)
    assert least == oracles.coverage(row, reach)  # halves of integers: floats hold them exactly
    assert eta([*row, extra], reach) <= least
    assert eta(row, max(reach - less, 0)) <= least
    if reach:
        target(float(least / reach), label="eta / R")


@given(SAMPLES, st.integers(1, 60))
def test_16_no_good_sample_is_shorter_than_the_counting_bound(row: list[int], reach: int) -> None:
    """Property 16: 2^n sums, each within eta of an interval of length 2 eta, cover [-R, R]."""
    samples = np.array([row], np.int64).reshape(1, len(row))
    eta = Fraction(coverage(samples, reach, **HERE).epsilon[0])
    assert (1 << len(row)) * 2 * eta >= 2 * reach
    target(float(reach / ((1 << len(row)) * eta)), label="bound / measured")


GOLDEN = (math.sqrt(5) - 1) / 2


@given(st.integers(1, 20), st.lists(st.integers(0, 64), min_size=20, max_size=20), st.data())
def test_17_the_golden_ratio_greedy_keeps_its_invariant(
    k: int, places: list[int], data: st.DataObject
) -> None:
    """Property 17: with a sample in every bin [B g^(i+2), B g^(i+1)] the residual after digit i is
    in [0, B g^(i+1)], so every target up to B is met within B g^k.

    A rational g just below 1/phi with g^2 + g <= 1 keeps the proof's inequality exactly.
    """
    g = Fraction(math.floor(GOLDEN * (1 << 40)), 1 << 40)
    assert 0 <= 1 - g - g * g < Fraction(1, 1 << 38)
    # the bins of the proof, with 1 - g for g^2: r <= B g^i and r >= w give r - w <= B g^(i+1)
    bins = [((1 - g) * g**i, g ** (i + 1)) for i in range(k)]
    values = [a + (b - a) * place / 64 for (a, b), place in zip(bins, places, strict=False)]
    goal = Fraction(data.draw(st.integers(0, 1 << 30)), 1 << 30)
    mask, rests = oracles.digits(values, goal)
    for i, rest in enumerate(rests):
        assert 0 <= rest <= g ** (i + 1)
    target(float(rests[-1] / g**k), label="residual / B g^k")
    assert oracles.distance(values, goal, mask) == rests[-1]
    if k <= 8:
        nearest = oracles.best_distance(values, goal)
        assert nearest is not None
        assert nearest <= rests[-1]


@share(0.5)
@given(
    st.integers(1, 3).flatmap(
        lambda d: st.tuples(
            st.lists(st.tuples(*[st.integers(-9, 9)] * d), max_size=6),
            st.tuples(*[st.integers(-20, 20)] * d),
        )
    )
)
def test_9_10_hold_for_vectors(case: Any) -> None:
    """Properties 9 and 10 in R^d: the error is recomputed, and no subset comes nearer."""
    rows, goal = case
    candidates = np.array([rows], np.int64).reshape(1, len(rows), len(goal))
    answer = vector(candidates, np.array([goal]), **HERE)
    sums = [oracles.subset_sums([r[c] for r in rows]) for c in range(len(goal))]
    points = zip(*sums, strict=True)
    distances = [max(abs(s - g) for s, g in zip(t, goal, strict=True)) for t in points]
    number = int(answer.mask[0] @ (1 << np.arange(len(rows))))
    assert answer.proved.all()
    assert distances[number] == int(answer.error[0]) == min(distances)
    if len(goal) == 1:
        assert int(best(candidates[..., 0], np.array(goal), **HERE).error[0]) == min(distances)
