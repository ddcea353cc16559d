"""`lightest` and `weight` against Python's integers, and the laws that they obey."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subset_oracles import LAWS, assert_errors_are_true, instances, numbers_of

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import _lightest, weights_numba, weights_numpy

BACKENDS: tuple[Any, ...] = ("numba", "numpy")


def oracle(candidates: np.ndarray, target: Any, epsilon: Any) -> int | None:
    """The mask number that `lightest` documents, from rationals."""
    items, n = [Fraction(a) for a in candidates.tolist()], len(candidates)
    goal, wide = Fraction(target.item()), Fraction(epsilon.item())
    ranks = []
    for number in range(1 << n):
        kept = [items[j] for j in range(n) if (number >> j) & 1]
        if abs(goal - sum(kept, Fraction(0))) <= wide:
            ranks.append((sum(map(abs, kept), Fraction(0)), number))
    return min(ranks)[1] if ranks else None


def tolerances(rng: np.random.Generator, candidates: np.ndarray, rows: int) -> np.ndarray:
    """Tolerances from nothing to generous, of the candidates' dtype."""
    size = np.abs(candidates).max(initial=1) * 10.0 ** rng.uniform(-3, 0, rows)
    size[::4] = 0
    return np.minimum(size, 1e18).astype(candidates.dtype)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("sign", [0, 1, -1])
def test_against_rationals(law: str, sign: int) -> None:
    rng = np.random.default_rng(10 + LAWS.index(law))
    for n in (0, 1, 2, 5, 9):
        candidates, targets = instances(rng, law, 8, n)
        if sign:
            candidates = sign * np.abs(candidates)
        epsilon = tolerances(rng, candidates, 8)
        got = subsetsum.lightest(candidates, targets, epsilon)
        best = subsetsum.best(candidates, targets)
        assert got.proved.all()
        assert_errors_are_true(candidates, targets, got)
        numbers = numbers_of(got.mask)
        for i in range(8):
            wanted = oracle(candidates[i], targets[i], epsilon[i])
            assert got.found[i] == (wanted is not None)
            if wanted is None:
                assert (got.mask[i] == best.mask[i]).all()
            else:
                assert numbers[i] == wanted
        plain = subsetsum.lightest(candidates, targets, epsilon, backend="numpy")
        assert (plain.mask == got.mask).all()
        assert (plain.error == got.error).all()
        assert (plain.found == got.found).all()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [13, 18])
def test_cut_and_whole_lists_agree(law: str, n: int) -> None:
    """The compiled search cuts its halves, the plain one takes all of them."""
    rng = np.random.default_rng(n)
    rows = 40
    candidates, targets = instances(rng, law, rows, n)
    span = np.abs(candidates).sum(axis=1)
    for part in (1, 100, 10_000, 1_000_000):
        epsilon = (span / part).astype(candidates.dtype)
        one = subsetsum.lightest(candidates, targets, epsilon)
        other = subsetsum.lightest(candidates, targets, epsilon, backend="numpy")
        assert (one.mask == other.mask).all()
        assert (one.error == other.error).all()
        assert (one.found == other.found).all()


@pytest.mark.parametrize("n", [8, 12])
@pytest.mark.parametrize("size", [2, 20, 60])
@pytest.mark.parametrize("most", [0, 2, 12])
def test_ties_of_weight_at_every_budget(n: int, size: int, most: int) -> None:
    """Many small rows where sums and weights coincide, halves within themselves too."""
    rng = np.random.default_rng(size + most)
    a = rng.integers(-size, size + 1, (400, n))
    t, epsilon = rng.integers(-size, size, 400), rng.integers(0, most + 1, 400)
    one = subsetsum.lightest(a, t, epsilon)
    other = subsetsum.lightest(a, t, epsilon, backend="numpy")
    assert (one.mask == other.mask).all()


@pytest.mark.parametrize("kernel", [weights_numba, weights_numpy])
def test_kernels_touch_only_the_rows_asked_for(kernel: Any) -> None:
    a = np.array([[3, -1, 4], [1, 1, 2], [5, 5, 5]])
    low, high = np.array([2, 2, 1]), np.array([2, 2, 0])
    numbers = np.full(3, 7)
    kernel.least_weight(a, 1, low, high, np.array([0, 2]), numbers)
    assert numbers.tolist() == [0b011, 7, -1]
    kernel.least_weight(a[1:2], 0, low, high, np.array([1]), numbers)
    assert numbers.tolist() == [0b011, 0b011, -1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_weight_comes_before_nearness_and_size(backend: Any) -> None:
    for row, target, epsilon, kept in (
        ([10, -4, 2, 2, 2], 6, 0, [2, 3, 4]),  # 2 + 2 + 2 weighs 6, 10 - 4 weighs 14
        ([9, 7, 6], 8, 2, [2]),  # the lightest of three hits, not the nearest
        ([0, 0, 5], 5, 0, [2]),  # zeros weigh nothing and have no part
        ([3, 1, 2, 3], 3, 0, [0]),  # equal weights: the least mask number
        ([4, 1, 2, 3], 3, 0, [1, 2]),
        ([-2, 1, 1, -2], -2, 0, [0]),
        ([5, 5], 1, 1, []),
        ([100, -97, 50, -1, 1], 3, 1, [0, 1]),  # only cancelling reaches it
        ([100, -97, 50, -48, 1], 3, 1, [2, 3]),
    ):
        got = subsetsum.lightest(np.array([row]), np.array([target]), epsilon, backend=backend)
        assert got.mask[0].nonzero()[0].tolist() == kept
        assert got.found.all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gap_between_many_sums_holds_the_best(backend: Any) -> None:
    got = subsetsum.lightest(np.full((1, 10), 8), np.array([12]), 3, backend=backend)
    assert got.found.tolist() == [False]
    assert got.error.tolist() == [4]
    assert got.size.tolist() == [1]


@pytest.mark.parametrize("n", [24, 29, 40])
def test_a_lighter_subset_is_never_missed(n: int) -> None:
    """At sizes beyond any oracle: the planted subset is in reach, so the answer is no heavier."""
    rng = np.random.default_rng(n)
    rows = 8 if n == 40 else 25
    a = rng.integers(-(1 << 40), 1 << 40, (rows, n))
    kept = rng.permuted(np.tile(np.arange(n) < n // 4, (rows, 1)), axis=1)
    t = (a * kept).sum(axis=1)
    previous = subsetsum.weight(a, kept)
    for epsilon in (0, 1 << 24, 1 << 30, 1 << 36) if n < 40 else (1 << 24, 1 << 34):
        got = subsetsum.lightest(a, t, epsilon)
        assert got.found.all()
        assert (got.error <= epsilon).all()
        weight = subsetsum.weight(a, got.mask)
        assert (weight <= previous).all()
        assert (weight >= np.abs(t) - epsilon).all()
        previous = weight


@st.composite
def integers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A few rows, with zeros, copies, targets out of reach and tolerances of all sizes."""
    n, rows = draw(st.integers(0, 9)), draw(st.integers(1, 4))
    size = draw(st.sampled_from([1, 3, 100, 1 << 50]))
    unit = st.integers(-size, size) | st.sampled_from([0, 1, -1])
    a = np.array([[draw(unit) for _ in range(n)] for _ in range(rows)], np.int64)
    t = np.array([draw(st.integers(-9 * size, 9 * size)) for _ in range(rows)], np.int64)
    few = st.integers(0, 2) | st.integers(0, size) | st.just(20 * size)
    return a.reshape(rows, n), t, np.array([draw(few) for _ in range(rows)], np.int64)


@settings(max_examples=150, deadline=None)
@given(integers(), st.sampled_from(BACKENDS), st.randoms(use_true_random=False))
def test_laws(instance: Any, backend: Any, random: Any) -> None:
    a, t, epsilon = instance
    got = subsetsum.lightest(a, t, epsilon, backend=backend)
    weight = subsetsum.weight(a, got.mask)
    best = subsetsum.best(a, t, backend=backend)
    sparsest = subsetsum.sparsest(a, t, epsilon, backend=backend)
    first = subsetsum.within(a, t, epsilon, backend=backend)
    found = got.found
    assert (found == (best.error <= epsilon)).all()
    assert (got.error <= epsilon)[found].all()
    assert (got.mask == best.mask)[~found].all()
    for other in (best, sparsest, first):
        assert (other.found | ~found).all()
        assert (weight <= subsetsum.weight(a, other.mask))[found].all()
        assert (sparsest.size <= other.size)[found].all()
    assert (sparsest.size <= got.size)[found].all()
    order = list(range(a.shape[1]))
    random.shuffle(order)
    moved = subsetsum.lightest(a[:, order], t, epsilon, backend=backend)
    assert (subsetsum.weight(a[:, order], moved.mask) == weight)[found].all()
    padded = subsetsum.lightest(np.pad(a, ((0, 0), (2, 0))), t, epsilon, backend=backend)
    assert (padded.mask[:, 2:] == got.mask)[found].all()
    assert not padded.mask[found, :2].any()
    turned = subsetsum.lightest(-a, -t, epsilon, backend=backend)
    assert (turned.mask == got.mask)[found].all()
    scaled = subsetsum.lightest(3 * a, 3 * t, 3 * epsilon + 2, backend=backend)
    assert (scaled.mask == got.mask)[found].all()
    wider = subsetsum.lightest(a, t, epsilon + 1, backend=backend)
    assert (subsetsum.weight(a, wider.mask) <= weight)[found].all()
    assert (subsetsum.sparsest(a, t, epsilon + 1).size <= sparsest.size)[found].all()


def test_weight_is_exact_and_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lightest, "_RUN", 1)
    a = np.array([[0.1, -0.2, 0.4], [2.0**59, -1.0, 3.0]])
    mask = np.array([[True, True, False], [True, True, True]])
    got = subsetsum.weight(a, mask)
    for i in range(2):
        exact = sum((abs(Fraction(v)) for v in a[i][mask[i]].tolist()), Fraction(0))
        assert Fraction(got[i].item()) >= exact > Fraction(float(np.nextafter(got[i], 0)))
    assert subsetsum.weight(np.array([1, -2, 4]), mask).tolist() == [3, 7]
    groups = np.stack([mask, ~mask], axis=1)
    assert subsetsum.weight(np.array([[1, -2, 4], [8, 0, -5]]), groups).tolist() == [
        [3, 4],
        [13, 0],
    ]
    products = subsetsum.Products(np.array([[1, -2, 4]] * 2), np.array([3, 3, -1]))
    assert subsetsum.weight(products, mask).tolist() == [9, 13]
    halves = subsetsum.Products(np.array([[0.5, -1.5, 4]] * 2), np.array([0.5, -0.25, 1]))
    assert subsetsum.weight(halves, mask).tolist() == [0.625, 4.625]


def test_weights_that_are_refused() -> None:
    a = np.ones((2, 3))
    for mask, message in (
        (np.ones((2, 3)), "mask must be bool"),
        (np.ones(3, bool), "mask must be bool"),
        (np.ones((2, 4), bool), "mask has 4 candidates a row, and there are 3"),
        (np.ones((5, 3), bool), "M = 5"),
    ):
        with pytest.raises(InputError, match=message):
            subsetsum.weight(a, mask)
    with pytest.raises(InputError, match="candidates must be finite"):
        subsetsum.weight(a * np.nan, np.ones((2, 3), bool))


def test_weights_of_narrow_integers_do_not_wrap() -> None:
    """-128 has no magnitude in int8."""
    mask = np.ones((1, 2), np.bool_)
    narrow = np.array([[-128, 100]], np.int8)
    assert subsetsum.weight(narrow, mask).tolist() == [228]
    assert subsetsum.weight(subsetsum.Products(narrow, narrow[0]), mask).tolist() == [26384]


def test_inputs_that_are_refused() -> None:
    a, t = np.ones((2, 3)), np.zeros(2)
    for broken in (np.nan, np.inf):
        with pytest.raises(InputError, match="candidates must be finite"):
            subsetsum.lightest(a * broken, t, 0.1)
        with pytest.raises(InputError, match="targets must be finite"):
            subsetsum.lightest(a, t + broken, 0.1)
        with pytest.raises(InputError, match="epsilon must be finite"):
            subsetsum.lightest(a, t, broken)
    with pytest.raises(InputError, match="epsilon must be at least 0"):
        subsetsum.lightest(a, t, -0.1)
    with pytest.raises(InputError, match="at most 40"):
        subsetsum.lightest(np.ones((2, 41)), t, 0.1)
    with pytest.raises(InputError, match="memory is 1000 bytes"):
        subsetsum.lightest(a, t, 0.1, memory=1000)
    assert subsetsum.lightest(np.ones((0, 3)), np.ones(0), 0.1).mask.shape == (0, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_and_grouped_candidates(backend: Any) -> None:
    rng = np.random.default_rng(5)
    a, t = rng.uniform(-1, 1, (4, 12)), rng.uniform(-1, 1, (4, 70))
    got = subsetsum.lightest(a, t, 0.02, backend=backend)
    assert got.mask.shape == (4, 70, 12)
    for i in range(4):
        alone = subsetsum.lightest(a[i], t[i], 0.02, backend=backend)
        copied = subsetsum.lightest(np.tile(a[i], (70, 1)), t[i], 0.02, threads=3, backend=backend)
        assert (alone.mask == got.mask[i]).all()
        assert (copied.mask == got.mask[i]).all()
