"""Exact dyadic arithmetic, held against rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongticket import exact

FLOATS = st.floats(-(2.0**80), 2.0**80, allow_subnormal=True)


def least_multiple(value: float) -> int:
    """The greatest e with value a multiple of 2^e, by rationals."""
    ratio = Fraction(value)
    twos = (ratio.numerator & -ratio.numerator).bit_length() - 1
    return twos - (ratio.denominator.bit_length() - 1)


@given(st.lists(FLOATS, max_size=8))
def test_grid_exponent_is_the_greatest_common_one(values: list[float]) -> None:
    wanted = [least_multiple(v) for v in values if v != 0]
    found = exact.grid_exponent(np.array(values, np.float64))
    assert found == (min(wanted) if wanted else None)


def test_grid_exponent_looks_beyond_its_first_chunk() -> None:
    values = np.ones(70_000)
    values[-1] = 2.0**-40
    assert exact.grid_exponent(values) == -40


def test_to_grid_gives_back_the_values() -> None:
    values = np.array([1.5, -0.25, 3.0, 0.0])
    assert (np.ldexp(exact.to_grid(values, -2).astype(np.float64), -2) == values).all()


@given(FLOATS, st.integers(-(2**61), 2**61), st.integers(-60, 20))
def test_distance_up_is_the_least_float_above(target: float, total: int, exponent: int) -> None:
    high, low = exact.split_integers(np.array([total]))
    assert int(high[0]) + int(low[0]) == total
    scaled = (np.ldexp(high, exponent), np.ldexp(low, exponent))
    got = float(exact.distance_up(np.array([target]), *scaled)[0])
    wanted = abs(Fraction(target) - total * Fraction(2) ** exponent)
    assert Fraction(got) >= wanted
    assert got == 0 or Fraction(float(np.nextafter(got, -np.inf))) < wanted


@given(st.integers(-(2**61), 2**61), st.integers(-4, 4), st.floats(-1, 1))
def test_distance_up_survives_cancellation(total: int, off: int, part: float) -> None:
    high, low = exact.split_integers(np.array([total]))
    target = float(total + off) + part
    got = float(exact.distance_up(np.array([target]), high, low)[0])
    wanted = abs(Fraction(target) - total)
    assert Fraction(got) >= wanted
    assert got == 0 or Fraction(float(np.nextafter(got, -np.inf))) < wanted


def test_rounding_to_nearest_would_be_refused() -> None:
    # The counter-test: 1 - 2^-60 rounds to nearest as 1, and 1 + 2^-60 too, but up as the next.
    got = exact.distance_up(np.array([1.0, 1.0]), np.zeros(2), np.array([2.0**-60, -(2.0**-60)]))
    assert got[0] == 1.0
    assert got[1] == pytest.approx(1.0, abs=0, rel=1e-15)
    assert got[1] > 1.0
