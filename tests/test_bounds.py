"""Bounds: one expression gives number, LaTeX and curve; numbers are rounded the safe way."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from strongticket.bounds import Bound
from strongticket.errors import InputError

x, y = sympy.symbols("x y", positive=True)
MEANINGS = (("x", "first"), ("y", "second"))
SUFFICIENT = Bound("n", sympy.log(x / y) / sympy.log(2), "sufficient", MEANINGS)
NECESSARY = Bound("n", sympy.log(x / y) / sympy.log(2), "necessary", MEANINGS)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_number_is_rounded_so_that_the_claim_stays_true(a: int, b: int) -> None:
    sufficient, necessary = SUFFICIENT(x=a, y=b), NECESSARY(x=a, y=b)
    assert Fraction(2) ** sufficient >= Fraction(a, b)  # enough
    assert Fraction(2) ** (necessary - 1) < Fraction(a, b)  # one less is not
    assert 0 <= sufficient - necessary <= 1


def test_whole_values_are_not_overshot_where_less_must_fail() -> None:
    assert NECESSARY(x=1024, y=1) == 10
    assert SUFFICIENT(x=1000, y=1) == NECESSARY(x=1000, y=1) == 10


def test_a_float_means_the_exact_number_that_it_is() -> None:
    assert SUFFICIENT.real(x=0.1, y=1) == float(
        sympy.log(sympy.Rational(*Fraction(0.1).as_integer_ratio())).evalf(40) / math.log(2)
    )


def test_numpy_numbers_are_the_floats_that_they_are() -> None:
    assert SUFFICIENT.real(x=np.float32(0.1), y=np.int64(1)) == SUFFICIENT.real(
        x=float(np.float32(0.1)), y=1
    )


def test_curve_and_latex_come_from_the_expression() -> None:
    assert SUFFICIENT.curve("x", [2, 4, 9], y=1) == [SUFFICIENT(x=v, y=1) for v in (2, 4, 9)]
    assert sympy.latex(sympy.log(2)).replace("log", "ln") in SUFFICIENT.latex
    assert SUFFICIENT.latex.startswith(r"n \ge ")
    assert Bound("n", x, "tight", MEANINGS[:1]).relation == "="


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": 1}, "needs values for x, y; got x"),
        ({"x": 1, "y": 1, "z": 1}, "got x, y, z"),
        ({"x": math.nan, "y": 1}, "x must be a finite real number"),
        ({"x": math.inf, "y": 1}, "x must be a finite real number"),
        ({"x": "wide", "y": 1}, "x must be a finite real number"),
        ({"x": 0, "y": 1}, "x must be > 0, got 0"),
        ({"x": -1, "y": 1}, "x must be > 0, got -1"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SUFFICIENT(**values)


def test_values_outside_the_domain_are_refused() -> None:
    k = sympy.Symbol("k", nonnegative=True, integer=True)
    bound = Bound(
        "n",
        k * sympy.log(x) / -sympy.log(1 - 1 / y),
        "sufficient",
        (*MEANINGS, ("k", "third")),
        domain=(sympy.Gt(y, 1), sympy.Le(k, 2 * x)),
    )
    assert bound(x=3, y=2, k=3) == 5  # 3 log2(3) = 4.75
    for values, message in (
        ({"x": 2, "y": 1, "k": 3}, r"needs y > 1; got x=2, y=1, k=3"),
        ({"x": 2, "y": 2, "k": 5}, r"needs k <= 2\*x"),
        ({"x": Fraction(0.01), "y": 1, "k": 3}, r"got x=0\.01, y=1, k=3"),
        ({"x": 2, "y": 2, "k": 0.5}, "k must be a whole number, got 0.5"),
        ({"x": 2, "y": 2, "k": -1}, "k must be >= 0"),
    ):
        for call in (bound, bound.real):
            with pytest.raises(InputError, match=message):
                call(**values)
    with pytest.raises(InputError, match="speaks of its own symbols"):
        Bound("n", x, "sufficient", MEANINGS[:1], domain=(sympy.Gt(y, 1),))


def test_what_cancels_is_evaluated_with_more_digits() -> None:
    """log(1 + 10^-120) keeps none of 50 digits of its argument."""
    bound = Bound("n", 1 / sympy.log(1 + x), "sufficient", MEANINGS[:1])
    assert 0 < bound(x=Fraction(1, 10**120)) - 10**120 < 10**91  # 1/log(1 + x) > 1/x


def test_unspecified_constants_stay_symbols_and_give_no_number() -> None:
    bound = Bound("n", x * y, "sufficient", MEANINGS, unspecified=frozenset({"x"}))
    assert "x y" in bound.latex
    with pytest.raises(InputError, match="leaves x unspecified"):
        bound(x=1, y=1)
    with pytest.raises(InputError, match="leaves x unspecified"):
        bound.curve("y", [1], x=1)


def test_every_symbol_needs_a_meaning() -> None:
    with pytest.raises(InputError, match="meaning"):
        Bound("n", x * y, "sufficient", MEANINGS[:1])
    with pytest.raises(InputError, match="one of"):
        Bound("n", x, "maybe", MEANINGS[:1])  # type: ignore[arg-type]


def test_the_module_imports_no_sympy() -> None:
    code = "import sys, strongticket, strongticket.bounds; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_tight_bound_that_is_an_integer_is_that_integer() -> None:
    from strongticket.theorems.malach2020 import HARDNESS

    assert [HARDNESS.bound(D=d) for d in (1, 3, 10**9)] == [1, 3, 10**9]
