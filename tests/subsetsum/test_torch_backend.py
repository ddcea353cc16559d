"""The torch backend on CPU tensors: the numbers of numba and NumPy, and what is refused."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from subset_oracles import LAWS, instances

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import (
    Interrupted,
    Products,
    regimes,
    rows_numpy,
    torch_network,
    torch_rows,
    torch_stream,
    torch_verbs,
)

EPSILON = {"bits": 1, "small": 3, "copies": 1 << 10, "wide": 1 << 40, "mixed": 1 << 12}
FIELDS = ("mask", "error", "found", "proved")


def tensor(values: Any) -> Any:
    return torch.from_numpy(np.array(values))


def assert_same(arrays: Any, tensors: Any) -> None:
    for field in FIELDS:
        wanted, got = getattr(arrays, field), getattr(tensors, field)
        assert isinstance(got, torch.Tensor)
        assert got.numpy().dtype == wanted.dtype
        assert got.shape == wanted.shape
        assert np.array_equal(got.numpy(), wanted), field


def three(verb: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """The verb on arrays by numba and by NumPy, and on tensors: one answer."""
    moved = [tensor(x) if isinstance(x, np.ndarray) else x for x in arguments]
    got = verb(*moved, **named)
    for backend in ("numba", "numpy"):
        assert_same(verb(*arguments, backend=backend, **named), got)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 9, 13])
def test_three_backends_have_one_answer(law: str, n: int) -> None:
    rng = np.random.default_rng(n)
    a, t = instances(rng, law, 640, max(n, 1))
    a = np.round(a[:, :n] * 2.0**50) / 2.0**50 if law == "uniform53" else a[:, :n]
    a = np.ascontiguousarray(a)
    epsilon = EPSILON.get(law, 0.02)
    three(subsetsum.best, a, t)
    three(subsetsum.within, a, t, epsilon)
    three(subsetsum.sparsest, a, t, epsilon)
    wide = np.full(len(t), epsilon, t.dtype) * rng.integers(0, 3, len(t))
    three(subsetsum.within, a, t, wide)


@pytest.mark.parametrize("law", ["small", "grid", "wide"])
def test_shared_candidates_groups_and_products(law: str) -> None:
    rng = np.random.default_rng(4)
    a, t = instances(rng, law, 30, 8)
    epsilon = EPSILON.get(law, 0.02)
    for per in (1, 3, 70):
        goals = np.repeat(t[:, None], per, axis=1) - rng.integers(0, 5, (30, per))
        three(subsetsum.best, a, goals)
        three(subsetsum.within, a, goals, epsilon)
        three(subsetsum.sparsest, a, goals, epsilon)
    three(subsetsum.best, a[0], t)
    three(subsetsum.sparsest, a[0], t, epsilon)
    b = rng.integers(-99, 99, 8).astype(a.dtype)
    if law != "wide":
        for factors in ((a, b), (b, a), (b, b)):
            wanted = subsetsum.best(Products(*factors), t)
            assert_same(wanted, subsetsum.best(Products(*map(tensor, factors)), tensor(t)))


@pytest.mark.parametrize(("n", "rows"), [(17, 60), (22, 20), (26, 8), (28, 4)])
def test_many_candidates(n: int, rows: int) -> None:
    rng = np.random.default_rng(n)
    for law in ("small", "mixed", "grid"):
        a, t = instances(rng, law, rows, n)
        three(subsetsum.best, a, t)
        three(subsetsum.best, a[0], t)
        for epsilon in (EPSILON.get(law, 0.02), 0, EPSILON.get(law, 2.0**-18)):
            three(subsetsum.within, a, t, epsilon)
    a, t = instances(rng, "grid", 200, 16)
    three(subsetsum.sparsest, a, t, 2.0**-12)  # sizes beyond those that are enumerated


@pytest.mark.parametrize("far", [1.0, 2.0**-500, 2.0**500, 2.0**-1074])
def test_rows_beyond_floats(far: float) -> None:
    """Grids from 2^-900 to 2^900; targets and tolerances that grid units cannot hold."""
    rng = np.random.default_rng(3)
    size = 2.0 ** (900 * rng.integers(-1, 2, 200))
    units, goals = rng.integers(-99, 100, (200, 7)), rng.integers(-300, 300, 200)
    with np.errstate(over="ignore", under="ignore"):
        t = np.clip(goals * size * far, -(2.0**1000), 2.0**1000)
        wide = np.clip(5 * size * far, 0, 2.0**1000)
    a = units * size[:, None]
    three(subsetsum.best, a, t)
    for epsilon in (wide, wide * 2.0**-300, 0.0, np.full(200, 0.25)):
        three(subsetsum.within, a, t, epsilon)


def test_errors_are_rounded_up_as_elsewhere() -> None:
    rng = np.random.default_rng(5)
    a = np.round(rng.uniform(-1, 1, (3000, 6)) * 2.0**52) / 2.0**52
    t = rng.uniform(-1, 1, 3000) * 2.0 ** rng.integers(-60, 60, 3000)
    three(subsetsum.best, a, t)


def test_rows_are_prepared_as_by_numpy() -> None:
    """Fractions that round to 1 with the tolerance's, numbers lost in grid units, coarse grids."""
    near = [1 - 2.0**-53, 1 - 2.0**-52, 0.5, 2.0**-54, 2.0**-53, 2.0**-1074, 0.0, 0.25, 1.0, 3.5]
    ulp = [x for v in near for x in (v, float(np.nextafter(v, 2)), float(np.nextafter(v, 0)))]
    t, e, k = (x.ravel() for x in np.meshgrid([*ulp, *(-v for v in ulp)], ulp, [-900, -3, 0, 900]))
    for scale in (np.zeros_like(k), k):  # numbers of the grid's own size, and far from it
        with np.errstate(over="ignore"):
            targets, wide = np.ldexp(t, scale), np.ldexp(e, scale)
        whole, low, high = (np.empty(len(t), np.int64) for _ in range(3))
        fraction, hard = np.empty(len(t)), np.empty(len(t), np.bool_)
        rows_numpy.aims_of(targets, k, 1, whole, fraction, hard)
        got = torch_rows.aims_of(tensor(targets), tensor(k))
        for wanted, there in zip((whole, fraction, hard), got, strict=True):
            assert np.array_equal(there.numpy(), wanted)
        more = np.zeros_like(hard)
        rows_numpy.intervals_of(wide, k, 1, whole, fraction, low, high, more)
        there = torch_rows.intervals_of(tensor(wide), tensor(k), tensor(whole), tensor(fraction))
        for wanted, part in zip((low, high, more), there, strict=True):
            assert np.array_equal(part.numpy(), wanted)
        sums = np.random.default_rng(0).integers(-(1 << 60), 1 << 60, len(t)) >> (
            np.arange(len(t)) % 61
        )
        errors = np.empty(len(t))
        rows_numpy.errors_of(targets, k, 1, sums, errors)
        assert np.array_equal(
            torch_rows.errors_of(*map(tensor, (targets, k, sums))).numpy(), errors
        )


def test_rows_of_zeros_in_products() -> None:
    b, t = np.array([2.0**-400, 0.0, 2.0**-390]), np.array([1.0, -1.0, 0.0])
    a = np.zeros((3, 3))
    a[1] = 1.0
    assert_same(
        subsetsum.best(Products(a, b), t), subsetsum.best(Products(tensor(a), tensor(b)), tensor(t))
    )


def test_ties_in_later_chunks_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_stream, "_CHUNK", 3)
    a, t = instances(np.random.default_rng(13), "bits", 100, 26)
    three(subsetsum.best, a, t)
    for n in (9, 12):
        units = tensor(a[:, :n] * (1 + np.arange(n) % 3))
        aims = 4 * tensor(t) + 1
        wanted = torch_network.solve(units, None, aims, torch.int64, 1 << 22)
        assert torch.equal(torch_stream.solve(units, aims, 1 << 16), wanted)
        assert torch.equal(
            torch_stream.solve(units[:1], aims, 1 << 16),
            torch_network.solve(units[:1], None, aims, torch.int64, 1 << 22),
        )


@pytest.mark.parametrize(
    "regime",
    [
        regimes.Enumerate(3),
        regimes.UntilHit(),
        (regimes.Enumerate(2), regimes.Network(5)),
        regimes.Stream(),
        regimes.BySize(5),
        regimes.Enumerate(14),
    ],
)
def test_regimes(regime: Any) -> None:
    rng = np.random.default_rng(6)
    for law in ("small", "grid", "mixed"):
        a, t = instances(rng, law, 60, 16)
        three(subsetsum.within, a, t, EPSILON.get(law, 2.0**-9), regime=regime)
        three(subsetsum.best, a, t, regime=regime)
    if isinstance(regime, regimes.BySize):
        three(subsetsum.sparsest, a, t, 1 << 12, regime=regime)


def test_four_lists_of_tensors() -> None:
    a, t = instances(np.random.default_rng(7), "grid", 6, 32)
    three(subsetsum.within, a, t, 2.0**-20, regime=regimes.FourLists(28, 4))


@pytest.mark.parametrize("law", ["small", "wide", "grid"])
def test_fixed_size(law: str) -> None:
    rng = np.random.default_rng(8)
    a, t = instances(rng, law, 200, 9)
    if law == "wide":  # too wide to be raised: on the host
        a[:100] <<= 6
    sizes = rng.integers(0, 10, 200)
    for size in (0, 4, 9, sizes):
        wanted = subsetsum.fixed_size(a, t, size)
        given = tensor(size) if isinstance(size, np.ndarray) else size
        assert_same(wanted, torch_verbs.fixed_size(tensor(a), tensor(t), given))
    with pytest.raises(InputError, match="size must be from 0 to n = 9"):
        torch_verbs.fixed_size(tensor(a), tensor(t), 10)


def test_narrow_dtypes_views_and_gradients() -> None:
    rng = np.random.default_rng(9)
    a, t = instances(rng, "grid", 300, 10)
    t = t.astype(np.float32)
    wanted = subsetsum.best(a, t.astype(np.float64))
    half = tensor(a).to(torch.float32)
    assert_same(wanted, subsetsum.best(half, tensor(t)))
    assert_same(wanted, subsetsum.best(half.T.contiguous().T, tensor(t).requires_grad_()))
    got = subsetsum.best(half.requires_grad_(), tensor(t))
    assert not got.error.requires_grad  # type: ignore[union-attr]
    units, goals = instances(rng, "small", 300, 10)
    wanted = subsetsum.best(units, goals)
    for dtype in (torch.int32, torch.int16, torch.int8):
        assert_same(wanted, subsetsum.best(tensor(units).to(dtype), tensor(goals).to(dtype)))


def test_arrays_by_name_and_what_subsets_say() -> None:
    a, t = instances(np.random.default_rng(10), "grid", 100, 10)
    wanted, got = subsetsum.within(a, t, 0.01), subsetsum.within(a, t, 0.01, backend="torch")
    for field in FIELDS:
        assert isinstance(getattr(got, field), np.ndarray)
        assert np.array_equal(getattr(got, field), getattr(wanted, field))
    there: Any = subsetsum.within(tensor(a), tensor(t), 0.01, backend="torch")
    assert np.array_equal(there.size.numpy(), wanted.size)
    assert np.array_equal(there.taken.numpy(), wanted.taken)
    assert len(there) == 100
    assert repr(there) == repr(wanted).removesuffix(")") + ", on cpu)"
    none: Any = subsetsum.best(tensor(a[:, :0]), tensor(t))
    assert none.taken.tolist() == [0] * 100


def test_budget_changes_no_answer() -> None:
    a, t = instances(np.random.default_rng(11), "mixed", 300, 13)
    for memory in (1 << 15, 1 << 18):
        for verb, *epsilon in ((subsetsum.best,), (subsetsum.within, 9), (subsetsum.sparsest, 9)):
            wanted = verb(a, t, *epsilon)
            assert_same(wanted, verb(tensor(a), tensor(t), *epsilon, memory=memory))
    with pytest.raises(InputError, match="memory is 1000 bytes, and one row of 13 candidates"):
        subsetsum.best(tensor(a), tensor(t), memory=1000)


@pytest.mark.parametrize("make", [tensor, np.asarray])
def test_a_stopped_call_goes_on(make: Any) -> None:
    a, t = instances(np.random.default_rng(12), "small", 400, 7)
    seen: list[tuple[int, int]] = []

    def stop(done: int, rows: int) -> None:
        seen.append((done, rows))
        if done > 150:
            raise RuntimeError("enough")

    options: Any = {"memory": 1 << 18, "backend": "torch"}
    with pytest.raises(Interrupted) as stopped:
        subsetsum.best(make(a), make(t), progress=stop, **options)
    assert isinstance(stopped.value.__cause__, RuntimeError)
    done = stopped.value.done
    assert 150 < done.sum() < 400
    got: Any = subsetsum.best(make(a), make(t), resume=stopped.value, **options)
    assert np.array_equal(np.asarray(got.mask), subsetsum.best(a, t).mask)
    assert isinstance(got.mask, type(make(a)))
    with pytest.raises(InputError, match="resume comes from a call with another verb"):
        subsetsum.within(make(a), make(t), 1, resume=stopped.value, **options)


A, T = torch.zeros(3, 4), torch.zeros(3)
BAD: list[tuple[tuple[Any, ...], str]] = [
    ((A.numpy(), T), "all must be tensors, or none: candidates is ndarray"),
    ((A, T.tolist()), "targets is list"),
    ((Products(A, A.numpy()), T), r"Products.second is ndarray"),
    ((A, T.to("meta")), "candidates on cpu"),
    ((A.to("meta"), T.to("meta")), "a CPU or a CUDA device, got meta"),
    ((A.long(), T), "both be integers or both be floats"),
    ((A.bool(), T), "dense tensor of integers or floats"),
    ((A.to_sparse(), T), "dense tensor"),
    ((A, T[:2]), r"candidates must have shape \(M, n\) with M = 2"),
    ((A, T[0]), r"targets must have shape \(M,\)"),
    ((A[0], A), "targets must have shape"),
    ((torch.zeros(3, 51), T), "at most 50 candidates"),
    ((A, T + float("nan")), "targets must be finite, got nan at index"),
    ((A - float("inf"), T), "candidates must be finite, got -inf"),
    ((A, (T + 1).double() * 2.0**1001), r"targets may reach 2\^1000"),
    ((A.long(), (T + 1).long() << 62), r"integer targets may reach 2\^61"),
    ((A.long() + (1 << 59), T.long()), "row 0 cannot be put on integer keys"),
    ((A.long() - (1 << 63), T.long()), "row 0 cannot be put on integer keys"),
    ((A.double() + 0.1 * torch.arange(4) + 1e-9, T), "Round the candidates"),
    ((A.double() + 2.0**-1050, T), r"grids down to 2\^-1000"),
    ((A.double() + 2.0**1001, T), r"candidates may reach 2\^1000"),
    ((Products(A + 0.1, A.double() + 0.1), T), "products of row 0"),
    ((Products(A.long() + (1 << 40), A.long() + (1 << 40)), T.long()), "products of row 0"),
    ((Products(A, A[:2]), T), "factors of one shape"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_what_best_refuses(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        subsetsum.best(*given)


@pytest.mark.parametrize(
    ("epsilon", "message"),
    [
        (-1.0, "at least 0"),
        (float("nan"), "finite"),
        (T - 1, "at least 0, got -1"),
        (T + float("inf"), "finite"),
        (torch.zeros(2), r"shape \(M,\) = \(3,\)"),
        (np.zeros(3), "array where candidates and targets are tensors"),
        (T.to("meta"), "on one device"),
    ],
)
def test_what_within_refuses(epsilon: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        subsetsum.within(A, T, epsilon)
    with pytest.raises(InputError, match="epsilon must be an integer"):
        subsetsum.within(A.long(), T.long(), T)


def test_other_refusals() -> None:
    with pytest.raises(InputError, match="tensors are solved by backend 'torch'"):
        subsetsum.best(A, T, backend="numpy")
    with pytest.raises(InputError, match="unknown option 'tile'"):
        subsetsum.best(A, T, tile=3)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="coverage has no torch version"):
        subsetsum.coverage(A.numpy(), 1.0, backend="torch")  # type: ignore[call-arg]


def test_torch_is_not_imported_without_a_tensor() -> None:
    code = (
        "import sys, numpy; from strongticket import subsetsum as s;"
        "s.best(numpy.zeros((2, 3)), numpy.zeros(2), backend='numpy');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_network_in_lanes_and_by_index() -> None:
    """Rows of candidates by index, as many lanes as the memory holds: the same masks."""
    generator = torch.Generator().manual_seed(0)
    units = torch.randint(-9, 10, (20, 10), generator=generator)
    of = torch.randint(0, 20, (70,), generator=generator)
    aims = 4 * torch.randint(-40, 40, (70,), generator=generator) + 1
    wanted = torch_network.solve(units[of], None, aims, torch.int64, 1 << 30)
    for dtype in (torch.int32, torch.int64):
        for memory in (1, 1 << 14, 1 << 17, 1 << 30):
            assert torch.equal(torch_network.solve(units, of, aims, dtype, memory), wanted)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no triton")
@pytest.mark.parametrize("n", [1, 9, 12])
def test_triton_kernels_by_the_interpreter(n: int) -> None:
    """In a process of its own: Triton decides as it is imported who runs the kernels."""
    script = Path(__file__).parent / "triton_by_interpreter.py"
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, str(script), str(n)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"


def test_a_bounded_sparsest_proves_only_what_it_tried() -> None:
    """The extreme sum is within epsilon, and so is {6}, which size 0 does not try."""
    a, t = np.array([[1, 2, 3, 6, -9]]), np.array([13])
    for backend in ("torch", "numba", "numpy"):
        options: dict[str, Any] = {"regime": subsetsum.regimes.BySize(0), "backend": backend}
        got = subsetsum.sparsest(a, t, 7, **options)
        assert got.found.all()
        assert not got.proved.any()
