"""How fast the subset sums are: ``python experiments/benchmarks/subsetsum.py [--quick]``.

Every verb on the same instances in one run: microseconds a row (arguments checked, error
recomputed: all that the caller waits for), its ratio to the prototype's bare kernel, to NumPy,
to a MILP with the same objective, two threads against one, and the distance to the floor.

The floor counts what cannot be left out. For `best` it is the vector operations of the network,
two for each compare-exchange and three for each pair that is looked at, at 2 a cycle. For `within`
and `sparsest` it is the memory: candidates read and mask, error and found written once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.cli import show
from strongticket.subsetsum import Subsets

Floats = NDArray[np.float64]
VECTOR_BYTES = 64
OPERATIONS_A_CYCLE = 2


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        verb: "best", "within" or "sparsest".
        n: candidates a row.
        epsilon: None for `best`.
        law: of the targets; "trained" is normal with deviation .01, like a trained first layer.
        bits: candidates and targets lie on the grid 2^-bits: up to 23 the keys are int32.
        bar: microseconds a row of the prototype's kernel alone (numba; of `sparsest` in C), None
            where there is none.
        rows: how many rows in a full run.
    """

    verb: Literal["best", "within", "sparsest"]
    n: int
    epsilon: float | None
    law: Literal["uniform", "trained"]
    bits: int
    bar: float | None
    rows: int

    def instances(self, seed: int, rows: int) -> tuple[Floats, Floats]:
        """Candidates U[-1, 1] and targets of the law, rounded to the grid."""
        rng = np.random.default_rng(seed)
        size = 2.0**self.bits
        candidates = np.round(rng.uniform(-1, 1, (rows, self.n)) * size) / size
        if self.law == "trained":
            return candidates, np.round(rng.normal(0, 0.01, rows) * size) / size
        return candidates, np.round(rng.uniform(-1, 1, rows) * size) / size

    def solver(self, threads: int, backend: Literal["numba", "numpy"]) -> Callable[..., Subsets]:
        """The verb as a function of candidates and targets."""
        if self.epsilon is None:
            return partial(subsetsum.best, threads=threads, backend=backend)
        verb = subsetsum.within if self.verb == "within" else subsetsum.sparsest
        return partial(verb, epsilon=self.epsilon, threads=threads, backend=backend)

    def floor(self, ghz: float, bandwidth: float) -> float:
        """Microseconds a row that no code of this kind gets below."""
        if self.verb != "best":
            return (8 * self.n + 8 + self.n + 8 + 1) / bandwidth * 1e6
        p = (self.n - 1) // 2
        merges = 2 * sum(j << (j - 1) for j in range(1, p + 1))
        outer = 1 << (self.n - 2 * p)
        exchanges = merges + outer * ((p + 1) << p)
        operations = 2 * exchanges + 3 * outer * (2 << p)
        lanes = VECTOR_BYTES // (4 if self.bits <= 23 else 8)
        return operations / lanes / OPERATIONS_A_CYCLE / (ghz * 1e3)


TASKS = (
    Task("best", 21, None, "uniform", 23, 3.9, 40_000),
    Task("best", 21, None, "uniform", 44, 6.9, 20_000),
    Task("best", 24, None, "uniform", 44, 26.0, 6_400),
    Task("within", 21, 0.01, "uniform", 23, 0.088, 400_000),
    Task("within", 21, 0.01, "uniform", 44, None, 400_000),
    Task("within", 21, 1e-6, "uniform", 23, None, 20_000),
    Task("sparsest", 21, 0.01, "uniform", 23, 0.1, 400_000),
    Task("sparsest", 21, 0.01, "trained", 23, 0.016, 400_000),
    Task("sparsest", 21, 1e-4, "uniform", 23, None, 20_000),
    Task("sparsest", 24, 1e-5, "uniform", 44, None, 2_000),
)


def seconds(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    """The least time of some runs, after one that compiles."""
    work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def memory_bandwidth() -> float:
    """Bytes a second of a large copy, read and written."""
    source = np.ones(1 << 24)
    target = np.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: np.copyto(target, source), 3, time.thread_time)


def milp_seconds(candidates: Floats, targets: Floats, limit: float) -> float:
    """Seconds a row of `scipy.optimize.milp` minimising the distance, as Pensia et al. 2020 do."""
    from scipy.optimize import LinearConstraint, milp

    n = candidates.shape[1]
    start = time.perf_counter()
    for row, target in zip(candidates, targets, strict=True):
        sides = np.block([[row, np.ones(1)], [row, -np.ones(1)]])
        milp(
            np.append(np.zeros(n), 1.0),
            constraints=LinearConstraint(sides, [target, -np.inf], [np.inf, target]),
            integrality=np.append(np.ones(n), 0),
            bounds=(np.zeros(n + 1), np.append(np.ones(n), np.inf)),
            options={"time_limit": limit},
        )
    return (time.perf_counter() - start) / len(targets)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, fewer repeats")
    parser.add_argument("--seed", type=int, default=0, help="of the instances (default 0)")
    parser.add_argument("--ghz", type=float, default=3.5, help="clock of the floor (default 3.5)")
    chosen = parser.parse_args()
    repeats = 2 if chosen.quick else 5
    bandwidth = memory_bandwidth()
    columns = (
        *("verb", "n", "epsilon", "targets", "keys", "µs", "bar", "µs/bar", "found"),
        *("NumPy µs", "NumPy/numba", "2 threads", "floor µs", "µs/floor"),
    )
    table = []
    for task in TASKS:
        rows = task.rows // (10 if chosen.quick else 1)
        a, t = task.instances(chosen.seed, rows)
        one, two = task.solver(1, "numba"), task.solver(2, "numba")
        cost = seconds(partial(one, a, t), repeats, time.thread_time) / rows * 1e6
        wall = seconds(partial(one, a, t), repeats, time.perf_counter)
        speedup = wall / seconds(partial(two, a, t), repeats, time.perf_counter)
        few = max(min(rows, int(2e5 / cost / 200)), 64) if cost > 0 else 64
        few = min(few, 20_000, rows)
        plain = partial(task.solver(1, "numpy"), a[:few], t[:few])
        slow = seconds(plain, 1, time.thread_time) / few * 1e6
        floor = task.floor(chosen.ghz, bandwidth)
        row = (
            task.verb,
            str(task.n),
            "-" if task.epsilon is None else f"{task.epsilon:g}",
            task.law,
            "int32" if task.bits <= 23 else "int64",
            f"{cost:.3g}",
            "-" if task.bar is None else f"{task.bar:g}",
            "-" if task.bar is None else f"{cost / task.bar:.2f}",
            f"{one(a, t).found.mean():.2%}",
            f"{slow:.3g}",
            f"{slow / cost:.1f}",
            f"{speedup:.2f}x",
            f"{floor:.3g}",
            f"{cost / floor:.1f}",
        )
        table.append(row)
    show.table("subset sums, µs a row (CPU time of one thread; numba)", columns, table)
    count = 1 if chosen.quick else 4
    a, t = TASKS[0].instances(chosen.seed, 4_000)
    ours = seconds(partial(TASKS[0].solver(1, "numba"), a, t), repeats, time.thread_time) / 4_000
    theirs = milp_seconds(a[:count], t[:count], 10.0)
    show.line(
        f"nearest of 2^21 by scipy.optimize.milp: {theirs:.3g} s a row (mean of {count}, at most "
        f"10 s each), {theirs / ours:.3g} times ours"
    )
    show.line(
        f"memory {bandwidth / 1e9:.3g} GB/s (measured), {VECTOR_BYTES}-byte vectors, "
        f"{OPERATIONS_A_CYCLE} a cycle at {chosen.ghz:g} GHz (assumed)"
    )


if __name__ == "__main__":
    main()
