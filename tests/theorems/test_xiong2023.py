"""Perturbed samples: coverage against brute force, counts by hand, checks that refute."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from strongticket.check import check
from strongticket.errors import InputError
from strongticket.theorems import Effort, _perturbed
from strongticket.theorems._perturbed import growth_step, perturbed_prefix, widening
from strongticket.theorems.xiong2023 import PERTURBED, RECALLED


def brute(samples: list[int], nu: int, eta: int, radius: int) -> int | None:
    """All subsets, and every half integer of the interval: gaps end at integers."""
    for n in range(len(samples) + 1):
        reach = [
            (sum(part), eta + nu * len(part))
            for m in range(n + 1)
            for part in itertools.combinations(samples[:n], m)
        ]
        points = np.arange(-2 * radius, 2 * radius + 1)
        if all(any(abs(z - 2 * s) <= 2 * r for s, r in reach) for z in points):
            return n
    return None


@given(
    st.lists(st.integers(-12, 12), min_size=0, max_size=5),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 10),
)
def test_coverage_is_that_of_all_subsets(
    samples: list[int], nu: int, eta: int, radius: int
) -> None:
    found = perturbed_prefix(np.array(samples, np.int64), nu, eta, radius)
    assert found == brute(samples, nu, eta, radius)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8), st.integers(0, 9), st.integers(0, 9))
def test_more_perturbation_never_needs_more_samples(samples: list[int], a: int, b: int) -> None:
    row = np.array(samples, np.int64)
    still, moved = (perturbed_prefix(row, nu, 2, 25) for nu in (min(a, b), max(a, b)))
    assert moved is not None or still is None
    assert still is None or moved is None or moved <= still


def test_counts_by_hand() -> None:
    # nu 1, eta 0.1: ln(81 / 0.01) / ln(3/2) = 9.0 / 0.405465 = 22.194 (grid: 1.8e-6 of it)
    assert PERTURBED.bound(eta=0.1, nu=1, delta=0.01) == 23
    # nu 0: ln(8100) / ln(4/3) = 31.28
    assert PERTURBED.bound(eta=0.1, nu=0, delta=0.01) == 32
    assert PERTURBED.width(0.001, 0.01) == 60
    assert math.isclose(PERTURBED.failure(0, 0.1), 81, rel_tol=1e-6)


def test_refusals() -> None:
    for values, message in (
        ({"eta": 0.6}, "eta must lie"),
        ({"eta": 1e-8}, "eta must lie"),
        ({"nu": 1.5}, "nu must lie"),
        ({"nu": -0.1}, "nu must lie"),
    ):
        with pytest.raises(InputError, match=message):
            PERTURBED.require(**values)
    with pytest.raises(InputError, match="needs"):
        PERTURBED.bound(eta=0.1, nu=1.5, delta=0.01)
    with pytest.raises(InputError, match="unspecified"):
        RECALLED.bound(C=1, L=1, d_in=1, d_out=1, epsilon=1, delta=0.1, nu=0)


def test_the_steps_of_the_proof() -> None:
    assert growth_step()[0]
    holds, text = widening(9)
    assert holds
    assert text == "511 sets of 9 cells, 8 widths"


@pytest.mark.parametrize("theorem", [PERTURBED, RECALLED], ids=lambda t: t.key)
def test_checks_stand_and_their_false_forms_fall(theorem: object) -> None:
    assert check(theorem, quick=True).ok  # type: ignore[arg-type]
    assert check(theorem, quick=True, false_width=True).ok  # type: ignore[arg-type]


def test_wrong_constants_are_noticed() -> None:
    for factor in (Fraction(9, 10), Fraction(11, 10)):
        wrong = PERTURBED.bound.expression * sympy.Rational(factor.numerator, factor.denominator)
        bad = replace(PERTURBED, bound=replace(PERTURBED.bound, expression=wrong))
        assert any(row.refuted for row in bad.restated_rows())
    far = replace(PERTURBED, reach=lambda eta: Fraction(1, 2))
    assert any(row.refuted for row in far.restated_rows())


def test_a_coverage_that_forgets_the_perturbation_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = perturbed_prefix

    def broken(samples: np.ndarray, nu: int, eta: int, radius: int) -> int | None:
        return real(samples, 0 if nu >= 1 << 20 else nu, eta, radius)

    monkeypatch.setattr(_perturbed, "perturbed_prefix", broken)
    assert not PERTURBED._contains(Effort(quick=True))[1][0]
    assert PERTURBED._saving(Effort(quick=True)).refuted
