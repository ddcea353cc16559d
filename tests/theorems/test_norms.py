"""Norm bounds: never below the truth, and close to it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from strongticket import Ball, Box
from strongticket.theorems import _norms

MATRICES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-100, 100, width=32),
)


@given(MATRICES)
def test_row_sums_are_exact_upper_bounds(w: np.ndarray) -> None:
    exact = max(sum(abs(Fraction(x)) for x in row) for row in w.tolist())
    bound = Fraction(_norms.operator_norm(w, Box(0, 1)))
    assert exact <= bound <= exact * (1 + Fraction(1, 1 << 50)) + Fraction(1, 1 << 1000)


@given(MATRICES)
def test_the_spectral_bound_lies_above_every_quotient(w: np.ndarray) -> None:
    bound = Fraction(_norms.operator_norm(w, Ball(1)))
    for x in np.linalg.svd(w.astype(np.float64))[2].tolist():
        exact = [Fraction(v) for v in x]
        image = [
            sum(Fraction(a) * b for a, b in zip(row, exact, strict=True)) for row in w.tolist()
        ]
        assert sum(v * v for v in image) <= bound**2 * sum(v * v for v in exact)


def test_the_spectral_bound_is_close() -> None:
    w = np.random.default_rng(0).normal(size=(60, 90)).astype(np.float32)
    true = float(np.linalg.norm(w.astype(np.float64), 2))
    assert true < _norms.spectral_norm(w) < true * (1 + 1e-9)


@pytest.mark.parametrize("domain", [Box(-1, 1), Ball(1)])
def test_zero_is_zero(domain: Box | Ball) -> None:
    assert _norms.operator_norm(np.zeros((3, 4), np.float32), domain) == 0
    assert _norms.vector_norm(np.zeros(3, np.float32), domain) == 0


def test_vector_norms() -> None:
    v = np.array([3, -4], np.float32)
    assert _norms.vector_norm(v, Box(0, 1)) == 4
    assert 5 <= _norms.vector_norm(v, Ball(1)) < 5 * (1 + 1e-11)
