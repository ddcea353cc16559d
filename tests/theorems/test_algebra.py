"""The displayed inequalities hold, and the code that says so would notice if they did not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from strongticket.theorems import _algebra
from strongticket.theorems.random_subset_sum import KAPPA


@pytest.mark.parametrize(
    "inequality",
    [
        _algebra.identities,
        _algebra.grid_d1,
        _algebra.longer_window,
        _algebra.cut_lemma_cases,
        _algebra.telescoping,
        _algebra.density_floor,
    ],
)
def test_every_inequality_holds(inequality) -> None:  # type: ignore[no-untyped-def]
    holds, measured = inequality()
    assert holds
    assert measured


def test_kappa_is_certified_and_a_little_more_is_not() -> None:
    assert _algebra.kappa_cells(KAPPA)[0]
    assert not _algebra.kappa_cells(KAPPA + Fraction(1, 10_000))[0]


def test_kappa_agrees_with_plain_numerical_integration() -> None:
    cap, shift, window = 2.0**-10, 2.0**-14, 0.75
    s = (np.arange(400_000) + 0.5) * window / 400_000
    g = 0.5 * np.log(1 / np.maximum(s, cap)) - shift
    g[(s > window / 3) & (s < window / 2)] = 0.5 * np.log(2 / window) - shift
    ratios = []
    for v in np.linspace(0.02, 0.5, 49):
        a = v * window
        growth = (g * np.minimum(np.minimum(s, window - s), a)).sum() * window / s.size / window
        ratios.append(growth / (v * (1 - v)))
    assert float(KAPPA) <= min(ratios) <= float(KAPPA) + 1e-3


@pytest.mark.parametrize("length", [5, 8, 11])
def test_cut_lemma_on_all_strings(length: int) -> None:
    assert _algebra.cut_lemma_strings(length)[0]


def test_the_end_interval_attains_the_cut_lemma() -> None:
    """So any larger bound fails: the check could notice."""
    n, a = 12, 0b1111
    for t in range(1, n + 1):
        cells = [(a >> i) & 1 for i in range(n)]
        crossing = [sum(cells[i] != cells[i + s] for i in range(n - s)) for s in range(n + 1)]
        cut = sum(crossing[s - 1] + crossing[s] for s in range(1, t + 1))
        least = sum(min(4, s - 1, n - s + 1) + min(4, s, n - s) for s in range(1, t + 1))
        assert cut == least


def test_a_wrong_identity_is_found() -> None:
    import sympy

    v = sympy.Symbol("v")
    assert _algebra._all_zero({"wrong": (v * (1 - v), v - v**3)}) == (False, "wrong: wrong")
