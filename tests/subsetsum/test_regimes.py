"""The rule that chooses regimes, plans carried out, and what is proved when they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subset_oracles import assert_errors_are_true, every_mask, instances, numbers_of

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import _backend
from strongticket.subsetsum.regimes import (
    BySize,
    Enumerate,
    FourLists,
    Network,
    Stream,
    UntilHit,
    plan,
)

BACKENDS = ["numba", "numpy"]
COMPLETE = (Network(), Stream())


@given(st.integers(0, 62), st.integers(0, 63))
def test_every_plan_fits_its_rows(n: int, bits: int) -> None:
    stages = plan("within", n, bits)
    assert stages[-1] in (COMPLETE if n <= 50 else (Stream(50),))
    assert set(stages) <= set(subsetsum.regimes.stages(n))
    counts = []
    for stage in stages[:-1]:
        if isinstance(stage, Enumerate):
            assert stage.bits <= min(n, 15)
        elif isinstance(stage, FourLists):
            assert n > 24 and stage.use <= n
        else:
            assert isinstance(stage, Network | Stream)
            counts.append(stage.prefix or 0)
    assert counts == sorted(set(counts))
    assert all(16 <= count <= n - 2 for count in counts)
    assert plan("best", min(n, 50)) == (Network() if n <= 24 else Stream(),)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("law", ["small", "copies", "grid", "halves"])
@pytest.mark.parametrize(
    "regime",
    [
        Network(),
        Stream(),
        UntilHit(),
        (Enumerate(2), Network(6), Stream(8), Network()),
        (BySize(2), Network()),
        (Network(3), Network(7), FourLists(8, 4), Stream()),
    ],
    ids=str,
)
def test_any_complete_plan_finds_what_there_is(regime: Any, law: str, backend: Any) -> None:
    rng = np.random.default_rng(3)
    a, t = instances(rng, law, 60, 11)
    epsilon = {"small": 1, "copies": 1 << 18, "grid": 0.001, "halves": 0.02}[law]
    exact = subsetsum.exhaustive(a, t)
    got = subsetsum.within(a, t, epsilon, regime=regime, backend=backend)
    assert_errors_are_true(a, t, got)
    assert (got.found == (exact.error <= epsilon)).all()
    assert got.found.any() and not got.found.all()
    assert got.proved.all()
    missed = ~got.found
    assert (got.error[missed] == exact.error[missed]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "regime", [Enumerate(4), BySize(1), Network(5), FourLists(8, 1), (Stream(3), Enumerate(0))]
)
def test_a_bounded_plan_proves_no_absence(regime: Any, backend: Any) -> None:
    a, t = instances(np.random.default_rng(5), "grid", 300, 9)
    got = subsetsum.within(a, t, 0.01, regime=regime, backend=backend)
    exact = subsetsum.exhaustive(a, t)
    assert_errors_are_true(a, t, got)
    assert got.found.any()
    assert (got.found == (got.error <= 0.01)).all()
    assert (got.error >= exact.error).all()
    assert got.proved[got.found].all()
    open_rows = got.proved & ~got.found
    assert (exact.error[open_rows] > 0.01).all()
    assert (exact.error[~got.found] <= 0.01).any()  # some are there, missed, and not denied


@pytest.mark.parametrize("backend", BACKENDS)
def test_best_of_a_prefix_is_not_proved(backend: Any) -> None:
    a, t = instances(np.random.default_rng(6), "mixed", 200, 9)
    got = subsetsum.best(a, t, regime=Network(5), backend=backend)
    prefix = subsetsum.best(a[:, :5], t, backend=backend)
    far = (t >= np.maximum(a, 0).sum(1)) | (t <= np.minimum(a, 0).sum(1))
    assert (got.error[~far] == prefix.error[~far]).all()
    assert not got.mask[~far, 5:].any()
    assert not got.proved[~far].any()
    whole = subsetsum.best(a, t, regime=(Network(5), Network()), backend=backend)
    assert (whole.error == subsetsum.exhaustive(a, t).error).all()
    assert whole.proved.all() and whole.found.all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("law", ["bits", "small", "grid"])
def test_until_hit_takes_the_least_prefix(law: str, backend: Any) -> None:
    rng = np.random.default_rng(7)
    a, t = instances(rng, law, 60, 10)
    epsilon = 0 if t.dtype == np.int64 else 0.05
    got = subsetsum.within(a, t, epsilon, regime=UntilHit(), backend=backend)
    for i in range(60):
        sums = every_mask(10) @ a[i]
        hits = numbers_of(every_mask(10))[np.abs(sums - t[i]) <= epsilon]
        assert got.found[i] == bool(hits.size)
        if hits.size:
            assert got.taken[i] == int(hits.min()).bit_length()


@pytest.mark.parametrize("backend", BACKENDS)
def test_until_hit_goes_on_beyond_what_is_enumerated(backend: Any) -> None:
    """The only hit needs candidate 17 of 20: a power of two that the others do not make."""
    a = np.array([[3 << k for k in range(16)] + [1, 5, 7, 9]])
    t = np.array([(3 << 4) + 1])
    got = subsetsum.within(a, t, 0, regime=UntilHit(), backend=backend)
    assert got.taken.tolist() == [17]
    assert got.found.all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [30, 44, 56, 60, 62])
def test_many_candidates_hit_small_epsilon(n: int, backend: Any) -> None:
    rng = np.random.default_rng(n)
    rows = 40 if backend == "numba" else 6
    a, t = rng.uniform(-1, 1, (rows, n)), rng.uniform(-1, 1, rows)
    for epsilon in (0.01, 1e-6):
        got = subsetsum.within(a, t, epsilon, backend=backend)
        assert got.found.all() and got.proved.all()
        assert (got.error <= epsilon).all()
        assert_errors_are_true(a, t, got)


def test_both_backends_follow_one_plan() -> None:
    rng = np.random.default_rng(11)
    for n, epsilon in ((21, 1e-4), (26, 1e-5), (34, 1e-7), (60, 1e-8)):
        a, t = rng.uniform(-1, 1, (12, n)), rng.uniform(-9, 9, 12)
        one = subsetsum.within(a, t, epsilon, backend="numba")
        two = subsetsum.within(a, t, epsilon, backend="numpy")
        assert (one.mask == two.mask).all()
        assert (one.proved == two.proved).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [1, 21, 40, 62])
def test_targets_out_of_reach_cost_nothing(n: int, backend: Any) -> None:
    """Beyond the greatest sum the nearest subset is known at once, for any n."""
    a = np.random.default_rng(n).uniform(-1, 1, (500, n))
    t = np.where(np.arange(500) % 2, 100.0, -1e300)
    got = subsetsum.within(a, t, 1e-9, backend=backend)
    assert not got.found.any()
    assert got.proved.all()
    assert (got.mask == np.where((t > 0)[:, None], a > 0, a < 0)).all()
    if n <= 50:
        assert (subsetsum.best(a, t, backend=backend).mask == got.mask).all()


def test_a_kernel_that_lies_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = _backend.backend_of("numpy")

    def first_hit(*arguments: Any) -> None:
        arguments[-1][arguments[4]] = 1  # "the first candidate hits", whatever the row

    liar = replace(honest, first_hit=first_hit)
    a, t = instances(np.random.default_rng(8), "grid", 100, 6)
    got = subsetsum.within(a, t, 0.01, backend=liar)
    assert (got.found == (got.error <= 0.01)).all()
    denied = got.proved & ~got.found
    assert (subsetsum.exhaustive(a, t).error[denied] > 0.01).all()
    assert not denied.all() and got.found.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_subset_beyond_the_sizes_tried_is_not_proved_the_smallest(backend: Any) -> None:
    """The greatest sum 12, of four, is within 7 of 13; so is 6 alone, which is not tried."""
    got = subsetsum.sparsest([[1, 2, 3, 6, -9]], [13], 7, regime=BySize(0), backend=backend)
    assert got.found.all() and got.size[0] == 4
    assert not got.proved.any()
    tried = subsetsum.sparsest([[1, 2, 3, 6, -9]], [13], 7, regime=BySize(1), backend=backend)
    assert tried.size[0] == 1 and tried.proved.all()
    rng = np.random.default_rng(12)
    a, t = rng.integers(-9, 10, (500, 7)), rng.integers(-40, 41, 500)
    least = subsetsum.sparsest(a, t, 9)
    for most in range(4):
        got = subsetsum.sparsest(a, t, 9, regime=BySize(most), backend=backend)
        certain = got.proved & got.found
        assert (got.size[certain] == least.size[certain]).all()
        assert certain.any() and not least.found[got.proved & ~got.found].any()
        assert (certain == (least.found & (least.size <= most))).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_until_hit_takes_rows_of_more_candidates_than_are_searched(backend: Any) -> None:
    a = np.random.default_rng(13).uniform(-1, 1, (20, 60))
    got = subsetsum.within(a, np.full(20, 0.3), 1e-3, regime=UntilHit(), backend=backend)
    assert got.found.all() and (got.taken < 30).all()


def test_bad_regimes() -> None:
    a, t = np.ones((2, 30)), np.ones(2)
    for make, match in (
        (lambda: Enumerate(31), "from 0 to 30, got 31"),
        (lambda: Network(25), "from 1 to 24, got 25"),
        (lambda: Stream(51), "from 1 to 50"),
        (lambda: FourLists(30, 4), "multiple of 4, got 30"),
        (lambda: FourLists(28, 0), "windows must be an integer from 1"),
        (lambda: BySize(True), "BySize.most"),
    ):
        with pytest.raises(InputError, match=match):
            make()
    for regime, match in (
        (Network(), "Network takes up to 24 candidates, and there are 30: name a prefix"),
        (FourLists(32, 1), "FourLists uses 32 candidates, and there are 30"),
        ("network", "regime must be .* got 'network'"),
        ((Stream(), 3), "regime must be .* got 3"),
    ):
        with pytest.raises(InputError, match=match):
            subsetsum.within(a, t, 0.1, regime=regime)  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"BySize\(12\) of 40 candidates would try 9119901052 subsets"
    ):
        subsetsum.sparsest(np.ones((1, 40)), [2.0], 0.1, regime=BySize(12))
    with pytest.raises(InputError, match="BySize"):
        subsetsum.sparsest(a, t, 0.1, regime=Network(8))  # type: ignore[arg-type]
