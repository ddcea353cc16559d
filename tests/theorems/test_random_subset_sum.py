"""Random subset sums: anchors, closed forms, the certificate between theory and experiment."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from strongticket.errors import InputError
from strongticket.theorems import _dynamic_program, _sampling
from strongticket.theorems._evidence import CAN_REFUTE_SEARCH
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


def test_widths_by_hand() -> None:
    """Logarithms taken on a pocket calculator; -ln(3/4) = 0.287682."""
    # (200 - 1)^2 / 0.01 = 3 960 100, ln = 15.1918; the grid takes 6 * 2^-24 * 200 = 7.2e-5 of p
    assert R1PLUS.width(0.01, 0.01) == 53  # 52.81
    # 2 * 200^2 / 0.01 = 8 000 000, ln = 15.8950
    assert R1PLUS_WHOLE.width(0.01, 0.01) == 56  # 55.26
    # (75 - 1)^2 / 0.01 = 547 600, ln = 13.2133; rho = 1 - 0.391987/4, -ln = 0.103137
    assert PRODUCT.width(0.01, 0.01) == 129  # 128.11
    # near the grid the rate is eaten up: p' = 1 - 6/16 at eta = 2^-19, ell = 2; p' / 4 = 0.15625,
    # -ln = 0.169899; (2^20 - 1)^2 / 0.01, ln = 32.3311
    assert R1PLUS.width(2.0**-19, 0.01) == 191  # 190.30
    # kappa' = 0.392 - 3 * 2^-4 = 0.2045 at W / eta = 2^20; / 4 = 0.051125, -ln = 0.0524782
    assert PRODUCT.width(0.75 * 2.0**-20, 0.01) == 617  # 616.09


def test_an_accuracy_between_two_grid_points_is_rounded_down() -> None:
    fine = Fraction(1, 1 << 24)
    assert R1.width(1.99 * 2**-24, 0.01) == R1.width(fine, 0.01) == 135  # ln(2^49 * 100)/0.28768
    assert R1.failure(135, 1.99 * 2**-24) == R1.failure(135, fine)
    assert R1.failure(135, 2 * fine) < R1.failure(135, fine)
    below = 3 * fine - Fraction(1, 10**40)  # its float is 3 * 2^-24
    assert DYNAMIC_PROGRAM.width(below, 0.01) == DYNAMIC_PROGRAM.width(2 * fine, 0.01) == 101
    assert DYNAMIC_PROGRAM.width(3 * fine, 0.01) == 99
    assert R1.width(below, 0.01) == R1.width(2 * fine, 0.01) > R1.width(3 * fine, 0.01)
    assert next(itertools.islice(certificate(below), 50, None)) == DYNAMIC_PROGRAM.failure(
        50, 2 * fine
    )


def test_a_delta_between_two_floats_is_not_rounded_up() -> None:
    at = Fraction(DYNAMIC_PROGRAM.failure(30, 0.1))
    assert DYNAMIC_PROGRAM.width(0.1, at) == 30
    assert DYNAMIC_PROGRAM.width(0.1, at - Fraction(1, 10**60)) == 31  # its float is that of `at`


def test_a_failure_probability_is_never_rounded_to_nothing() -> None:
    assert 0 < R1.failure(10**6, 0.1) < 1e-300


@pytest.mark.parametrize(
    ("theorem", "values", "message"),
    [
        (R1, {"L": 1, "p": 3}, "needs p <= 1"),
        (R1, {"L": 1, "p": 4}, "needs p <= 1"),
        (R1, {"L": 1, "p": 0}, "p must be > 0"),
        (R1, {"L": 0.01, "p": 1}, "needs eta <= L/2"),
        (R1, {"L": 1, "p": 1, "delta": 2}, "needs delta <= 1"),
        (R1PLUS, {"ell": 10**6}, "needs"),  # finer than the grid can prove: no rate is left
        (R1PLUS, {"ell": 0.01}, "needs eta <= ell/2"),
        (PRODUCT, {"W": 10**5}, "needs"),
        (DYNAMIC_PROGRAM, {"eta": 0.7}, "needs eta <= 1/2"),
        (COUNTING, {"R": 0.001}, "needs eta <= R"),
    ],
)
def test_bounds_refuse_what_the_theorem_does_not_speak_of(
    theorem: Any, values: dict[str, float], message: str
) -> None:
    given = {"eta": 0.01, "delta": 0.1} | values
    if theorem is COUNTING:
        del given["delta"]
    with pytest.raises(InputError, match=message):
        theorem.bound(**given)


def test_require_tests_at_scale_1_and_knows_its_names() -> None:
    with pytest.raises(InputError, match=r"eta must lie in .* for ell = 2"):
        R1PLUS.require(eta=3.0)
    R1PLUS.require(eta=3.0, ell=8)
    with pytest.raises(InputError, match=r"p must lie in \(0, 1\], got 3"):
        R1.require(p=3)
    with pytest.raises(InputError, match="assumes nothing about sigma; its hypotheses speak of"):
        R1.require(sigma=3)


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


def test_a_window_without_a_subset_refutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 24 of the samples are solved; a target that they miss is no pass."""
    assert not R1._construction().refuted
    monkeypatch.setattr(_sampling, "LONGEST_SOLVED", 3)
    row = R1._construction()
    assert row.refuted
    assert row.shows == CAN_REFUTE_SEARCH
