"""Subset sums on a CUDA device: the CPU's masks and errors, by torch ops and by Triton."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import (
    Interrupted,
    Products,
    regimes,
    torch_enumerate,
    torch_network,
    torch_rows,
    torch_verbs,
    triton_door,
)
from strongticket.subsetsum.torch_keys import Keys

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

TRITON = importlib.util.find_spec("triton") is not None
KERNELS = [
    "torch",
    pytest.param("triton", marks=pytest.mark.skipif(not TRITON, reason="no triton")),
]
LAWS = ("bits", "small", "mixed", "wide", "grid", "halves")


@pytest.fixture(params=KERNELS)
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose kernels solve: both have to give the same."""
    if request.param == "torch":
        monkeypatch.setattr(triton_door, "triton_kernels", lambda device: None)
    else:
        assert triton_door.triton_kernels(torch.device("cuda", 0)) is not None
    name: str = request.param
    return name


def instances(law: str, rows: int, n: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Candidates, targets and a tolerance of one law."""
    rng = np.random.default_rng(seed)
    if law == "bits":  # nearly everything ties
        return rng.integers(-1, 2, (rows, n)), rng.integers(-4, 5, rows), 1
    if law == "small":
        return rng.integers(-9, 10, (rows, n)), rng.integers(-60, 61, rows), 3
    if law == "mixed":  # some rows fit int32 keys and some do not
        size = 1 << rng.integers(20, 32, (rows, 1))
        return rng.integers(-size, size, (rows, n)), rng.integers(-(1 << 30), 1 << 30, rows), 999
    if law == "wide":
        size = 1 << 49
        return rng.integers(-size, size, (rows, n)), rng.integers(-size, size, rows), 1 << 40
    if law == "halves":
        return rng.integers(-9, 10, (rows, n)) * 0.25, rng.integers(-60, 61, rows) * 0.125, 0.25
    units = rng.integers(-(1 << 23), 1 << 23, (rows, n))
    return units * 2.0**-23, rng.uniform(-1.5, 1.5, rows), 0.01


def there(values: Any) -> Any:
    return torch.from_numpy(np.array(values)).cuda()


def assert_same(here: Any, got: Any) -> None:
    for field in ("mask", "error", "found", "proved"):
        wanted, tensor = getattr(here, field), getattr(got, field)
        assert tensor.is_cuda
        assert np.array_equal(tensor.cpu().numpy(), wanted), field


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 17, 21, 24])
def test_verbs(law: str, n: int, kernels: str) -> None:
    a, t, epsilon = instances(law, 1000 if n < 20 else 200, max(n, 1))
    a = a[:, :n]
    assert_same(subsetsum.best(a, t), subsetsum.best(there(a), there(t)))
    for wide in (epsilon, np.full_like(t, epsilon), 0):
        given = there(wide) if isinstance(wide, np.ndarray) else wide
        assert_same(subsetsum.within(a, t, wide), subsetsum.within(there(a), there(t), given))
    assert_same(subsetsum.sparsest(a, t, epsilon), subsetsum.sparsest(there(a), there(t), epsilon))


@pytest.mark.parametrize("law", ["small", "grid", "wide"])
def test_shared_groups_products_and_sizes(law: str, kernels: str) -> None:
    a, t, epsilon = instances(law, 60, 12)
    for per in (1, 3, 70):
        goals = np.repeat(t[:, None], per, axis=1) - np.arange(per).astype(t.dtype)
        assert_same(subsetsum.best(a, goals), subsetsum.best(there(a), there(goals)))
        got = subsetsum.within(there(a), there(goals), epsilon)
        assert_same(subsetsum.within(a, goals, epsilon), got)
    assert_same(subsetsum.best(a[0], t), subsetsum.best(there(a[0]), there(t)))
    got = subsetsum.sparsest(there(a[0]), there(t), epsilon)
    assert_same(subsetsum.sparsest(a[0], t, epsilon), got)
    if law != "wide":
        for x, y in ((a, a[1]), (a[1], a)):
            got = subsetsum.best(Products(there(x), there(y)), there(t))
            assert_same(subsetsum.best(Products(x, y), t), got)
    sizes = np.arange(60) % 13
    got = torch_verbs.fixed_size(there(a), there(t), there(sizes))
    assert_same(subsetsum.fixed_size(a, t, sizes), got)


@pytest.mark.parametrize("n", [25, 28, 31])
def test_beyond_the_network(n: int, kernels: str) -> None:
    a, t, epsilon = instances("grid", 12, n)
    assert_same(subsetsum.best(a, t), subsetsum.best(there(a), there(t)))
    for wide in (epsilon, 1e-7):
        assert_same(subsetsum.within(a, t, wide), subsetsum.within(there(a), there(t), wide))


@pytest.mark.parametrize("far", [1.0, 2.0**-500, 2.0**500, 2.0**-1074])
def test_rows_beyond_floats(far: float) -> None:
    """Grids from 2^-900 to 2^900, floats below the smallest normal one: nothing is flushed."""
    rng = np.random.default_rng(3)
    size = 2.0 ** (900 * rng.integers(-1, 2, 200))
    units, goals = rng.integers(-99, 100, (200, 7)), rng.integers(-300, 300, 200)
    with np.errstate(over="ignore", under="ignore"):
        t = np.clip(goals * size * far, -(2.0**1000), 2.0**1000)
        wide = np.clip(5 * size * far, 0, 2.0**1000)
    a = units * size[:, None]
    assert_same(subsetsum.best(a, t), subsetsum.best(there(a), there(t)))
    for epsilon in (wide, wide * 2.0**-300):
        got = subsetsum.within(there(a), there(t), there(epsilon))
        assert_same(subsetsum.within(a, t, epsilon), got)


def test_rows_are_prepared_as_on_the_cpu() -> None:
    rng = np.random.default_rng(5)
    near = [1 - 2.0**-53, 0.5, 2.0**-54, 2.0**-1074, 0.0, 0.25, 1.0, 3.5]
    t, e, k = (x.ravel() for x in np.meshgrid([*near, *(-v for v in near)], near, [-900, 0, 900]))
    sums = rng.integers(-(1 << 60), 1 << 60, len(t)) >> (np.arange(len(t)) % 61)
    values = rng.standard_normal((3000, 5)) * 2.0 ** rng.integers(-300, 300, (3000, 1))
    values[:, 1:] = np.where(rng.random((3000, 4)) < 0.3, values[:, :1] * 3, 0)
    here = [torch.from_numpy(x) for x in (t, e, k, sums, values)]
    results = []
    for t_, e_, k_, s_, v_ in (here, [x.cuda() for x in here]):
        whole, fraction, hard = torch_rows.aims_of(t_, k_)
        intervals = torch_rows.intervals_of(e_, k_, whole, fraction)
        errors = torch_rows.errors_of(t_, k_, s_)
        units, exponents = torch_rows.units_of(v_)
        parts = [whole, fraction, hard, *intervals, errors, exponents, units[exponents < 1 << 30]]
        results.append([part.cpu() for part in parts])
    for wanted, got in zip(*results, strict=True):
        assert torch.equal(wanted, got)


@pytest.mark.skipif(not TRITON, reason="no triton")
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("n", [1, 3, 5, 8, 12, 17, 19, 21, 22, 23, 24])
def test_triton_kernels(n: int, dtype: torch.dtype) -> None:
    found = triton_door.triton_kernels(torch.device("cuda", 0))
    assert found is not None
    generator = torch.Generator("cuda").manual_seed(n)
    rows = 700

    def draw(size: int, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(-size, size + 1, shape, generator=generator, device="cuda")

    of = draw(1 << 20, (rows,)).abs() % rows
    for size in (1, 50, 1 << 20, 1 << (24 if dtype == torch.int32 else 50)):
        some, goal = draw(size, (rows, n)), draw(3 * size, (rows,))
        for units, index in ((some, None), (some[:1], None), (some, of)):
            lowest, highest, _ = torch_rows.ranges_of(units if index is None else units[index])
            lowest, highest = lowest.expand(rows), highest.expand(rows)
            goal = goal.clamp(lowest - 1, highest + 1)
            aims = 4 * goal + 2 * (goal & 1) - 1
            wanted = torch_network.solve(units, index, aims, dtype, 1 << 28)
            assert int(wanted.min()) >= 0
            assert torch.equal(found.nearest(units, index, aims, dtype), wanted)
            keys = Keys(units, index, goal, lowest, highest, goal, goal * 0.0, False)
            wide = max(size >> (n // 2), 1)
            low = (goal - wide).clamp(lowest, highest + 1)
            high = (goal + wide).clamp(lowest - 1, highest)
            for bits in {1, min(n, 8), min(n, 15)}:
                first = torch_enumerate.first_hit(keys, low, high, bits, dtype, 1 << 28)
                assert torch.equal(found.first_hit(units, index, low, high, bits, dtype), first)


def test_many_rows_within_the_budget(kernels: str) -> None:
    a, t, epsilon = instances("grid", 100_000, 21)
    half, goals = there(a).to(torch.float32), there(t)
    wanted = subsetsum.best(a, t)
    for memory in (1 << 26, 1 << 30):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        got = subsetsum.best(half, goals, memory=memory)
        answer = 100_000 * (21 + 8 + 2)
        assert torch.cuda.max_memory_allocated() - before <= memory + answer + (1 << 22)
        assert_same(wanted, got)
    assert_same(subsetsum.within(a, t, epsilon), subsetsum.within(half, goals, epsilon))


def test_regimes_and_deterministic_mode(kernels: str) -> None:
    a, t, epsilon = instances("mixed", 200, 14)
    torch.use_deterministic_algorithms(True)
    try:
        for regime in (regimes.UntilHit(), regimes.Enumerate(14), regimes.BySize(4)):
            got = subsetsum.within(there(a), there(t), epsilon, regime=regime)
            assert_same(subsetsum.within(a, t, epsilon, regime=regime), got)
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_stopped_call_goes_on() -> None:
    a, t, _ = instances("small", 4000, 9)

    def stop(done: int, rows: int) -> None:
        if done:
            raise RuntimeError("enough")

    with pytest.raises(Interrupted) as stopped:
        subsetsum.best(there(a), there(t), progress=stop, memory=1 << 21)
    assert 0 < stopped.value.done.sum() < 4000
    got = subsetsum.best(there(a), there(t), resume=stopped.value, memory=1 << 21)
    assert_same(subsetsum.best(a, t), got)


def test_refusals() -> None:
    a, t, _ = instances("grid", 10, 5)
    a, t = there(a), there(t)
    with pytest.raises(InputError, match="one device, got targets on cpu"):
        subsetsum.best(a, t.cpu())
    with pytest.raises(InputError, match="all must be tensors"):
        subsetsum.best(a, t.cpu().numpy())
    with pytest.raises(InputError, match="candidates must be finite, got nan at index"):
        subsetsum.best(a + float("nan"), t)
    with pytest.raises(InputError, match="targets must be finite"):
        subsetsum.best(a, t - float("inf"))
    with pytest.raises(InputError, match="row 0 cannot be put on integer keys"):
        subsetsum.best(a + 0.1, t)
    with pytest.raises(InputError, match="at least 0"):
        subsetsum.within(a, t, t.abs() - 9)
