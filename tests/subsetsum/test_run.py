"""Groups of targets, products, the memory budget, progress, interruption and resumption."""

from __future__ import annotations

import threading
import time
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from subset_oracles import LAWS, assert_errors_are_true, instances

from strongticket import subsetsum
from strongticket.errors import InputError
from strongticket.subsetsum import Interrupted, Products, _inputs, _run, _work

BACKENDS = ["numba", "numpy"]


def same(a: Any, b: Any) -> None:
    for name in ("mask", "error", "found", "proved"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype
        assert np.array_equal(x.reshape(y.shape), y), name


def verbs(epsilon: Any) -> list[Any]:
    return [
        lambda a, t, **o: subsetsum.best(a, t, **o),
        lambda a, t, **o: subsetsum.within(a, t, epsilon, **o),
        lambda a, t, **o: subsetsum.sparsest(a, t, epsilon, **o),
    ]


def recorder() -> tuple[list[tuple[int, int]], Any]:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    return seen, note


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("per", [1, 7, 64, 100])
@pytest.mark.parametrize("law", ["bits", "mixed", "grid", "halves"])
def test_targets_in_groups_are_rows_of_their_own(law: str, per: int, backend: Any) -> None:
    rng = np.random.default_rng(per)
    a, _ = instances(rng, law, 5, 9)
    _, t = instances(rng, law, 5 * per, 9)
    epsilon = 2 if t.dtype == np.int64 else 0.25
    for verb in verbs(epsilon):
        grouped = verb(a, t.reshape(5, per), backend=backend)
        assert grouped.mask.shape == (5, per, 9)
        assert grouped.size.shape == grouped.taken.shape == (5, per)
        same(grouped, verb(np.repeat(a, per, axis=0), t, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shapes", [((9,), (40, 9)), ((40, 9), (9,)), ((40, 9), (40, 9)), ((9,), (9,))]
)
def test_products_of_integers_are_their_products(shapes: Any, backend: Any) -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-(1 << 24), 1 << 24, shape) for shape in shapes)
    t = rng.integers(-(1 << 50), 1 << 50, 40)
    for verb in verbs(1 << 42):
        same(verb(Products(a, b), t, backend=backend), verb(a * b, t, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_of_floats_are_exact(backend: Any) -> None:
    """30 bits times 28 bits: no float64 holds the products, and the errors are still true."""
    rng = np.random.default_rng(5)
    a = rng.integers(-(1 << 28), 1 << 28, 8) * 2.0**-29 + 2.0**-30
    b = rng.integers(-(1 << 26), 1 << 26, (50, 8)) * 2.0**-26 + 2.0**-27
    t = rng.uniform(-1, 1, 50)
    got = subsetsum.best(Products(a, b), t, backend=backend)
    exact = [[Fraction(x) * Fraction(y) for x, y in zip(a, row, strict=True)] for row in b]
    assert any(Fraction(float(x)) != x for row in exact for x in row)
    for i in range(50):
        sums = [
            sum((x for j, x in enumerate(exact[i]) if (m >> j) & 1), Fraction(0))
            for m in range(1 << 8)
        ]
        nearest = min(abs(Fraction(t[i]) - s) for s in sums)
        kept = sum((x for x, m in zip(exact[i], got.mask[i], strict=True) if m), Fraction(0))
        assert abs(Fraction(t[i]) - kept) == nearest
        error = Fraction(float(got.error[i]))
        assert error >= nearest > Fraction(float(np.nextafter(got.error[i], -1.0)))


def test_products_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(6)
    t = np.zeros(3)
    fine = rng.uniform(-1, 1, (3, 5))
    with pytest.raises(InputError, match=r"products of row 0 .* Round both factors"):
        subsetsum.best(Products(fine, fine), t)
    fine[:2] = 0.5
    with pytest.raises(InputError, match="products of row 2 "):
        subsetsum.best(Products(fine, fine), t)
    with pytest.raises(InputError, match=r"factors of one shape, got \(3, 5\), \(3, 4\)"):
        subsetsum.best(Products(fine, fine[:, :4]), t)
    with pytest.raises(InputError, match="finite, got nan"):
        subsetsum.best(Products(fine, np.full(5, np.nan)), t)
    tiny = np.full((3, 5), 2.0**-600)
    with pytest.raises(InputError, match="leave 2\\^-1000"):
        subsetsum.best(Products(tiny, tiny), t)


def test_progress_counts_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_work, "_MOST", 64)
    a, t = instances(np.random.default_rng(0), "small", 500, 6)
    for threads in (1, 3):
        seen, note = recorder()
        subsetsum.best(a, t, threads=threads, progress=note)
        done = [d for d, _ in seen]
        assert done[0] == 0 and done[-1] == 500 and done == sorted(done)
        assert len(done) > 3 or threads > 1
        assert {total for _, total in seen} == {500}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_what_is_done_is_not_lost(
    threads: int, stop: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_work, "_MOST", 64)
    a, t = instances(np.random.default_rng(1), "grid", 600, 8)

    def halt(done: int, total: int) -> None:
        if done >= 200:
            raise stop("enough")

    for verb in verbs(0.01):
        whole = verb(a, t)
        with pytest.raises(Interrupted, match=r"stopped after \d+ of 600 rows") as stopped:
            verb(a, t, threads=threads, progress=halt)
        part = stopped.value
        assert 200 <= part.done.sum() <= (600 if threads > 1 else 256)
        for name in ("mask", "error", "found", "proved"):
            assert np.array_equal(
                getattr(part.subsets, name)[part.done], getattr(whole, name)[part.done]
            )
        seen, note = recorder()
        same(verb(a, t, resume=part, progress=note), whole)
        assert seen[0] == (part.done.sum(), 600)  # rows that are done are not solved again
        assert isinstance(part, KeyboardInterrupt)


def test_a_second_stop_while_the_first_is_told_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C twice: the second one comes while the digest of the call is being made."""
    a, t = instances(np.random.default_rng(1), "grid", 300, 8)
    stops = [KeyboardInterrupt, KeyboardInterrupt]

    def impatient(*parts: Any) -> str:
        if stops:
            raise stops.pop()
        return _work.fingerprint(*parts)

    def halt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(_run, "fingerprint", impatient)
    with pytest.raises(Interrupted) as stopped:
        subsetsum.best(a, t, threads=1, progress=halt)
    assert not stops
    same(subsetsum.best(a, t, resume=stopped.value), subsetsum.best(a, t))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_no_thread_works_on_after_a_stop(stop: type[BaseException]) -> None:
    begun, ended = [], []

    def work(start: int, stop: int) -> None:
        begun.append(start)
        time.sleep(0.002)
        ended.append(start)

    def halt(done: int, total: int) -> None:
        if done >= 10:
            raise stop

    runs = [(i, i + 1) for i in range(200)]
    with pytest.raises((KeyboardInterrupt, _work._Stop)):
        _work.over_runs(work, runs, 3, halt, 200)
    assert 10 <= len(begun) < 200
    assert sorted(begun) == sorted(ended) == list(range(len(begun)))
    time.sleep(0.01)
    assert len(begun) == len(ended)


def test_of_several_errors_the_first_row_s_is_raised() -> None:
    second = threading.Event()

    def work(start: int, stop: int) -> None:
        if start == 4:
            assert second.wait(10)  # fails after the run behind it
            raise InputError("row 4")
        if start == 5:
            second.set()
            raise InputError("row 5")

    with pytest.raises(InputError, match="row 4"):
        _work.over_runs(work, [(i, i + 1) for i in range(100)], 2, None, 100)


def test_small_groups_are_worked_on_together() -> None:
    """A run a row of candidates would cost more than its work; a large row stays alone."""
    a, t = np.ones((1000, 6), np.int64), np.ones((1000, 64), np.int64)
    assert len(_inputs.batch(a, t).runs(4096)) == 16
    assert len(_inputs.batch(np.ones((1000, 20), np.int64), t).runs(4096)) == 1000


def test_resume_takes_the_same_call_only() -> None:
    a, t = instances(np.random.default_rng(1), "grid", 300, 8)

    def halt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        subsetsum.within(a, t, 0.01, progress=halt)
    part = stopped.value
    moved = t.copy()
    moved[-1] += 1.0
    for call in (
        lambda: subsetsum.best(a, t, resume=part),
        lambda: subsetsum.within(a, t, 0.02, resume=part),
        lambda: subsetsum.within(a, moved, 0.01, resume=part),
        lambda: subsetsum.within(a, t, 0.01, resume=part, regime=subsetsum.regimes.Network()),
        lambda: subsetsum.within(a, t, 0.01, resume="yesterday"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="resume"):
            call()


def test_an_error_in_a_row_is_no_interruption() -> None:
    a = np.ones((300, 3))
    a[290, 1] = np.nan
    with pytest.raises(InputError, match=r"got nan at index \(290, 1\)"):
        subsetsum.best(a, np.ones(300), threads=2)


def test_options_are_checked() -> None:
    a, t = np.ones((2, 3)), np.ones(2)
    for memory in (0, -5, 1.5, True):
        with pytest.raises(InputError, match="memory must be a number of bytes"):
            subsetsum.best(a, t, memory=memory)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"memory is 1000 bytes, and one row .* needs \d+"):
        subsetsum.best(a, t, memory=1000)
    with pytest.raises(InputError, match="unknown option 'thread'; there are backend, memory"):
        subsetsum.best(a, t, thread=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("law", LAWS)
def test_a_small_budget_changes_no_answer(law: str, backend: Any) -> None:
    a, t = instances(np.random.default_rng(2), law, 300, 10)
    epsilon = 3 if t.dtype == np.int64 else 0.1
    for verb in verbs(epsilon):
        little = verb(a, t, backend=backend, memory=(1 << 23) + 200_000, threads=2)
        same(little, verb(a, t, backend=backend))
        assert_errors_are_true(a, t, little)


def test_memory_stays_within_its_budget() -> None:
    """What Python and NumPy allocate beyond the batch and the answer."""
    a = np.random.default_rng(3).uniform(-1, 1, (200_000, 12))
    t = np.zeros(200_000)
    subsetsum.within(a[:10], t[:10], 0.01, backend="numpy")
    for memory in (16 << 20, 64 << 20):
        tracemalloc.start()
        answer = subsetsum.within(a, t, 0.01, backend="numpy", memory=memory, threads=2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept = answer.mask.nbytes + answer.error.nbytes + answer.found.nbytes * 3 + t.nbytes
        assert peak - kept < memory


def test_taken_counts_from_the_first_candidate() -> None:
    mask = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1]], bool)
    nothing = np.zeros(4)
    answer = subsetsum.Subsets(mask, nothing, nothing > 0, nothing > 0)
    assert answer.taken.tolist() == [0, 1, 2, 3]
    assert (
        subsetsum.Subsets(mask[:, :0], nothing, nothing > 0, nothing > 0).taken.tolist() == [0] * 4
    )


def test_coverage_lets_out_what_progress_raises() -> None:
    def halt(done: int, total: int) -> None:
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        subsetsum.coverage(np.ones((3, 4)), 1.0, progress=halt)


def test_verbs_without_torch_refuse_tensors() -> None:
    import torch

    a, t = torch.ones(2, 3, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    for call in (
        lambda: subsetsum.lightest(a, t, 0.1),
        lambda: subsetsum.coverage(a, 1.0),
        lambda: subsetsum.vector(a[:, :, None], t[:, None]),
        lambda: subsetsum.coverage(a.numpy(), 1.0, backend="torch"),
    ):
        with pytest.raises(InputError, match="has no torch version: give NumPy arrays"):
            call()
    same_size = subsetsum.fixed_size(a, t, 2)
    assert torch.is_tensor(same_size.mask)
    assert same_size.size.tolist() == [2, 2]
