"""Bad calls, tampering, and which backend is taken."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from subset_oracles import assert_errors_are_true, rational_error

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import _backend

A, T = np.ones((2, 3)), np.ones(2)
IA, IT = np.ones((2, 3), np.int64), np.ones(2, np.int64)
FINE = np.array([[1.0, 2.0**-70, 0.5]])
BAD: list[tuple[str, Any, Any, Any, str]] = [
    ("too many", np.ones((2, 63)), T, 0.1, r"at most (62|50|40) candidates a row .* got 63"),
    ("rows differ", np.ones((3, 3)), T, 0.1, r"shape \(M, n\) with M = 2 .* got \(3, 3\)"),
    ("three axes", np.ones((2, 3, 1)), T, 0.1, r"got \(2, 3, 1\)"),
    ("scalar target", A, np.float64(1.0), 0.1, r"shape \(M,\), got \(\)"),
    ("mixed kinds", IA, T, 0.1, "got int64 candidates and float64 targets"),
    ("complex", A.astype(complex), T, 0.1, "got complex128"),
    ("booleans", A.astype(bool), T, 0.1, "got bool"),
    ("long double", A.astype(np.longdouble), T, 0.1, "at most 64 bits"),
    ("unsigned", np.full((1, 1), 2**64 - 1, np.uint64), IT[:1], 1, "fit int64"),
    ("untyped empty", [[], []], T, 0.1, "must say its dtype"),
    ("nan candidate", np.array([[1, np.nan]]), T[:1], 0.1, r"finite, got nan at index \(0, 1\)"),
    ("inf candidate", np.array([[1, np.inf]]), T[:1], 0.1, r"finite, got inf at index \(0, 1\)"),
    ("nan target", A, np.array([1, np.nan]), 0.1, r"finite, got nan at index \(1,\)"),
    ("nan epsilon", A, T, np.nan, "finite, got nan"),
    ("negative epsilon", A, T, -1e-9, "at least 0, got -1e-09"),
    ("long epsilon", A, T, np.ones(3), r"\(2,\), got \(3,\)"),
    ("real epsilon", IA, IT, 0.5, "epsilon must be an integer"),
    ("too fine", FINE, T[:1], 0.1, r"row 0 cannot .* grid 2\^-70, and at most 2\^60"),
    ("too fine, shared", FINE[0], T[:1], 0.1, "the shared candidates cannot"),
    ("too large integers", IA << 60, IT, 1, "row 0 cannot be put on integer keys"),
    ("too large target", IA, IT << 62, 1, r"2\^61 in magnitude"),
    ("huge", A * 1e305, T, 0.1, r"2\^1000"),
    ("huge target", A, T * 1e305, 0.1, r"2\^1000"),
    ("subnormal", A * 5e-324, T, 0.1, r"grids down to 2\^-1000"),
    ("nan beside huge", np.array([[1e305, np.nan]]), T[:1], 0.1, r"finite, got nan at"),
    ("huge beside tiny", np.array([[2.0**999, 2.0**-999]]), T[:1], 0.1, r"row 0 .* 2\^60"),
    ("edge", np.array([[1 << 60, 1]]), IT[:1], 1, "add up to 1152921504606846977, and at most"),
    ("wrapping", np.full((1, 16), 1 << 60), IT[:1], 1, "row 0 cannot be put on integer keys"),
    ("ragged", [[1.0, 2.0], [3.0]], T, 0.1, "candidates must be an array of numbers"),
    ("masked", np.ma.masked_less(A, 2.0), T, 0.1, "candidates must not be a masked array"),
    ("long integer epsilon", A, T, 2**53 + 1, "epsilon must be equal to a float64"),
    ("least int64", np.full((1, 2), -(2**63)), IT[:1], 1, "row 0 cannot be put on integer keys"),
]


@pytest.mark.parametrize(("why", "candidates", "targets", "epsilon", "match"), BAD)
def test_bad_calls(why: str, candidates: Any, targets: Any, epsilon: Any, match: str) -> None:
    for verb in (subsetsum.within, subsetsum.sparsest):
        with pytest.raises(InputError, match=match):
            verb(candidates, targets, epsilon)
    if "epsilon" not in why:
        with pytest.raises(InputError, match=match):
            subsetsum.best(candidates, targets)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_the_refusal_names_a_rounding_that_works(backend: Any) -> None:
    a = np.random.default_rng(0).normal(size=(4_000, 21))
    a *= np.random.default_rng(1).normal(size=a.shape)
    a[1234] *= 100.0
    t = np.linspace(-5, 5, 4_000)
    with pytest.raises(InputError, match="cannot be put on integer keys") as refusal:
        subsetsum.best(a, t, backend=backend)
    recipe = re.search(
        r"candidates = (.*) fits every row .* (\d+) \* 2\^-(\d+)", str(refusal.value)
    )
    assert recipe is not None
    rounded = eval(recipe[1], {"np": np, "candidates": a})  # what a reader would paste
    chosen = subsetsum.best(rounded[:40], t[:40], backend=backend)
    assert len(subsetsum.within(rounded, t, 10.0, backend=backend)) == 4_000
    for i in range(40):
        moved = rational_error(a[i], t[i], chosen.mask[i]) - Fraction(float(chosen.error[i]))
        assert abs(moved) <= Fraction(int(recipe[2]) + 1, 2 ** int(recipe[3]))


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_the_first_row_that_is_refused_is_named(backend: Any) -> None:
    a = np.ones((1_000, 2))
    a[700:, 1] = 2.0**-70
    for threads in (1, 4):
        with pytest.raises(InputError, match="row 700 cannot"):
            subsetsum.best(a, np.ones(1_000), backend=backend, threads=threads)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_row_has_a_grid_of_its_own(backend: Any) -> None:
    """Rows 2^-900, 1 and 2^900 in size, which no common grid holds, do not disturb each other."""
    rng = np.random.default_rng(3)
    units, goals = rng.integers(-999, 1000, (300, 9)), rng.integers(-3000, 3000, 300)
    size = 2.0 ** (900 * rng.integers(-1, 2, 300))
    for verb, *epsilon in (
        (subsetsum.best,),
        (subsetsum.within, 5 * size),
        (subsetsum.sparsest, 5 * size),
    ):
        plain = [np.full(300, 5)] if epsilon else []
        wanted = verb(units, goals, *plain, backend=backend)
        got = verb(units * size[:, None], goals * size, *epsilon, backend=backend)
        assert (got.mask == wanted.mask).all()
        assert (got.error == wanted.error * size).all()
        assert (got.found == wanted.found).all()


def test_bad_options() -> None:
    with pytest.raises(InputError, match=r"backend must be 'numba', 'numpy' or None .* got 'cuda'"):
        subsetsum.best(A, T, backend="cuda")  # type: ignore[arg-type]
    for threads in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="threads must be an integer"):
            subsetsum.best(A, T, threads=threads)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n up to 16, got n = 17"):
        subsetsum.exhaustive(np.ones((1, 17)), T[:1])


def test_a_broken_kernel_cannot_lie_about_its_error() -> None:
    """Tampering: a solver that flips a bit of its masks is held to the masks that it gave."""
    rng = np.random.default_rng(0)
    a, t = rng.uniform(-1, 1, (64, 12)), rng.uniform(-1, 1, 64)
    honest = _backend.backend_of("numpy")

    def broken(*arguments: Any) -> None:
        honest.solve(*arguments)
        arguments[-1][:] ^= 4

    lying = replace(honest, solve=broken)
    got = subsetsum.best(a, t, backend=lying)
    best = subsetsum.best(a, t)
    assert ((got.mask != best.mask).sum(axis=1) == 1).all()
    assert (got.error > best.error).all()
    assert_errors_are_true(a, t, got)
    tight = subsetsum.within(a, t, best.error, backend=lying)
    assert (tight.found == (tight.error <= best.error)).all()
    assert not tight.found.all()


def test_a_kernel_that_finds_no_mask_is_our_bug() -> None:
    honest = _backend.backend_of("numpy")

    def lost(*arguments: Any) -> None:
        arguments[-1][:] = -1

    with pytest.raises(AssertionError, match="no mask"):
        subsetsum.best(A, T, backend=replace(honest, solve=lost))


def test_answers_are_frozen() -> None:
    got = subsetsum.best(A, T)
    with pytest.raises(FrozenInstanceError):
        got.error = T  # type: ignore[misc]


CODE = """
import sys, numpy
from strongticket import subsetsum
assert "numba" not in sys.modules and "torch" not in sys.modules
{block}
got = subsetsum.best(numpy.ones((1, 3)), numpy.ones(1))
assert got.size.tolist() == [1]
print("numba" in sys.modules and sys.modules["numba"] is not None)
"""


@pytest.mark.parametrize(
    ("block", "taken"), [("", "True"), ("sys.modules['numba'] = None", "False")]
)
def test_numba_is_lazy_and_can_be_missing(block: str, taken: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(block=block)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.strip() == taken


def test_asking_for_a_missing_numba_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError("No module named 'numba'")

    monkeypatch.setattr(_backend, "_load", missing)
    with pytest.raises(InputError, match="backend 'numba' cannot be imported"):
        subsetsum.best(A, T, backend="numba")


def test_the_oracle_refuses_what_is_not_finite() -> None:
    with pytest.raises(InputError, match=r"finite, got nan at index \(0, 1\)"):
        subsetsum.exhaustive(np.array([[1, np.nan]]), np.ones(1))
