"""Random subset sums: anchors, closed forms, the certificate between theory and experiment."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from strongticket.errors import InputError
from strongticket.theorems import _dynamic_program
from strongticket.theorems.random_subset_sum import (
    COUNTING,
    DYNAMIC_PROGRAM,
    PRODUCT,
    R1,
    R1PLUS,
    R1PLUS_WHOLE,
    certificate,
)

DELTAS = (0.5, 0.1, 0.01, 1e-6)


def test_closed_form_anchors() -> None:
    assert [R1.width(0.01, d) for d in DELTAS] == [37, 43, 51, 83]
    assert [R1.width(0.1, d) for d in DELTAS] == [21, 27, 35, 67]
    assert [R1.width(0.001, d) for d in DELTAS] == [53, 59, 67, 99]
    assert R1PLUS_WHOLE.width(0.01, 0.01) == 56
    assert R1PLUS.width(0.01, 0.01) == 53


@pytest.mark.parametrize(
    ("eta", "limits"),
    [(0.1, (14, 20, 29, 61)), (0.01, (25, 32, 40, 73)), (0.001, (35, 43, 52, 84))],
)
def test_certificate_anchors(eta: float, limits: tuple[int, ...]) -> None:
    """The limits of finer and finer step functions; outward rounding costs a few per cent."""
    found = [DYNAMIC_PROGRAM.width(eta, d) for d in DELTAS]
    assert all(a <= b <= a + 3 for a, b in zip(limits, found, strict=True))
    assert all(b < R1.width(eta, d) for b, d in zip(found, DELTAS, strict=True))


def test_finer_cells_only_lower_the_certificate() -> None:
    def at(cells: int) -> list[float]:
        return list(itertools.islice(certificate(0.05, cells), 12, 40))

    coarse, fine = at(300), at(1200)
    assert all(b <= a for a, b in zip(coarse, fine, strict=True))
    assert fine == sorted(fine, reverse=True)
    assert 0 < fine[-1] < 0.01


def test_numba_and_python_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")

    def curve() -> list[float]:
        return list(itertools.islice(certificate(0.1, 60), 25))

    compiled = curve()
    monkeypatch.setattr(_dynamic_program, "_step", lambda: _dynamic_program._sweep)
    assert curve() == compiled


def test_the_certificate_dominates_the_process_that_it_bounds() -> None:
    """The extremal process (the fraction doubles or stays) has exactly the assumed mean growth."""
    rng = np.random.default_rng(0)
    start, goal, trials = 0.1, 0.05, 4000
    bounds = list(itertools.islice(certificate(start, 600), 31))
    v = np.full(trials, start)
    for n in range(1, 31):
        room = np.minimum(2 * v, 1.0) - v
        jump = rng.random(trials) * room < 0.5 * v * (1 - v)
        v = np.where(jump, v + room, v)
        failed = float(np.mean(v <= 1 - goal))
        assert failed <= bounds[n] + 5 * math.sqrt(bounds[n] / trials) + 1e-3
    assert bounds[30] < 0.02


def test_the_closed_form_dominates_the_certificate_and_samples() -> None:
    lengths = R1.shortest(300, 40, 0.05, seed=1)
    for n, bound in enumerate(itertools.islice(certificate(0.05), 35)):
        assert bound <= min(1.0, R1.failure(n, 0.05))
        failed = sum(k is None or k > n for k in lengths) / len(lengths)
        assert failed <= bound + 0.05


def test_failure_and_width_are_two_readings_of_one_bound() -> None:
    for theorem in (R1, R1PLUS, R1PLUS_WHOLE, PRODUCT):
        for delta in DELTAS:
            n = theorem.width(0.01, delta)
            assert theorem.failure(n, 0.01) <= delta < theorem.failure(n - 1, 0.01)


def test_product_constant_is_that_of_the_page() -> None:
    rate = -1 / math.log(float(PRODUCT.ratio.subs(dict.fromkeys(PRODUCT.ratio.free_symbols, 1))))
    assert abs(rate - 9.70) < 0.005


@pytest.mark.parametrize(
    ("theorem", "eta", "delta", "message"),
    [
        (R1, 0.0, 0.1, "eta must be a finite number > 0"),
        (R1, math.nan, 0.1, "eta must be a finite number > 0"),
        (R1, "fine", 0.1, "eta must be a finite number > 0"),
        (R1, 0.6, 0.1, "eta must lie in"),
        (R1, 2**-25, 0.1, "eta must lie in"),
        (R1, 0.1, 0.0, "delta must lie strictly between"),
        (R1, 0.1, 1.0, "delta must lie strictly between"),
        (R1, 0.1, None, "delta must lie strictly between"),
        (R1PLUS, 1e-7, 0.1, "eta must lie in"),
        (R1PLUS, 1.5, 0.1, "eta must lie in"),
        (PRODUCT, 1e-7, 0.1, "eta must lie in"),
        (DYNAMIC_PROGRAM, 0.6, 0.1, "eta must lie in"),
    ],
)
def test_hypotheses_reject(theorem: Any, eta: Any, delta: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        theorem.width(eta, delta)


def test_counting() -> None:
    assert COUNTING.bound(eta=0.01, R=0.5) == 6
    with pytest.raises(InputError, match="eta must lie in"):
        COUNTING.require(eta=1.0, R=0.5)


def test_samples_lie_on_the_law() -> None:
    plain, gated = R1.sample(50, 200, seed=0), PRODUCT.sample(50, 200, seed=0)
    assert (np.abs(plain) < 1 << 24).all()
    assert (plain % 2 == 1).all()
    assert abs(np.mean(gated == 0) - 0.5) < 0.03
    assert (np.abs(gated) < 1 << 48).all()


def test_statements_show_their_bounds() -> None:
    for theorem in (R1, R1PLUS, PRODUCT, DYNAMIC_PROGRAM, COUNTING):
        assert f"$$\n{theorem.bound.latex}\n$$" in theorem.statement
        assert "{bound}" not in theorem.statement
