"""How fast the subset sums are: ``python experiments/benchmarks/subsetsum.py [--quick]``.

Four tables from one run. What must be reached, as wall time of the whole call (arguments checked,
error recomputed). Every verb's CPU time a row, against NumPy, two threads and the floor. Scaling
in rows, n and threads. Other solvers on the same instances and the same objective: an optimum is
held against an optimum, a first hit against a first hit.

The floor counts what cannot be left out. For `best` it is the vector operations of the network,
two for each compare-exchange and three for each pair that is looked at, at 2 a cycle. For `within`
and `sparsest` it is the memory: candidates read and mask, error and found written once.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.cli import show
from strongticket.subsetsum import Subsets

Floats = NDArray[np.float64]
Solver = Callable[..., Subsets]
NETWORK = 397_000
"""The weights of 784-500-10, the network whose subset sums Pensia et al. 2020 solved."""
VECTOR_BYTES = 64
OPERATIONS_A_CYCLE = 2


def instances(
    seed: int, rows: int, n: int, law: str, bits: int, groups: int = 0
) -> tuple[Floats, Floats]:
    """Candidates U[-1, 1] on the grid 2^-bits; targets "uniform", or "trained": N(0, 0.01)."""
    rng = np.random.default_rng(seed)
    size = 2.0**bits
    candidates = np.round(rng.uniform(-1, 1, (groups or rows, n)) * size) / size
    wide = rng.normal(0, 0.01, rows) if law == "trained" else rng.uniform(-1, 1, rows)
    targets = np.round(wide * size) / size
    return candidates, targets.reshape(groups, -1) if groups else targets


@dataclass(frozen=True)
class Bar:
    """What must be reached: seconds for `count` rows with so many threads.

    Attributes:
        what: the row of the table.
        solve: (candidates, targets, threads) -> `Subsets`.
        seconds: the bar, for `count` rows.
        count: rows that the bar speaks of.
        rows: rows that a full run solves; the time is scaled to `count`.
        n, law, bits, groups, threads: of the instances and the call.
    """

    what: str
    solve: Solver
    seconds: float
    count: int
    rows: int
    n: int
    law: str = "uniform"
    bits: int = 23
    groups: int = 0
    threads: int = 2


def _within(epsilon: float) -> Solver:
    return partial(subsetsum.within, epsilon=epsilon)


BARS = (
    Bar("best of 2^21", subsetsum.best, 1.0, NETWORK, NETWORK, 21),
    Bar("within 0.01, n = 21", _within(0.01), 0.040, NETWORK, NETWORK, 21, "trained"),
    Bar(
        "sparsest within 0.01, n = 21",
        partial(subsetsum.sparsest, epsilon=0.01),
        *(0.030, NETWORK, NETWORK, 21, "trained"),
    ),
    Bar("best, 510 shared rows of 21", subsetsum.best, 0.6, NETWORK, 396_780, 21, groups=510),
    Bar("best, n = 30", subsetsum.best, 0.25e-3, 1, 2_000, 30, bits=44, threads=1),
    Bar("best, n = 40", subsetsum.best, 15e-3, 1, 40, 40, bits=44, threads=1),
    Bar("within 1e-12, n = 60", _within(1e-12), 3e-3, 1, 300, 60, bits=53, threads=1),
)


@dataclass(frozen=True)
class Task:
    """One row of the table of all verbs.

    Attributes:
        verb: "best", "within", ...
        n: candidates a row.
        argument: epsilon, or the size.
        law: of the targets.
        bits: candidates and targets lie on the grid 2^-bits: up to 23 the keys are int32.
        rows: how many rows in a full run.
    """

    verb: Literal["best", "within", "sparsest", "fixed_size", "lightest"]
    n: int
    argument: float | None
    law: str
    bits: int
    rows: int

    def solver(self, threads: int, backend: Literal["numba", "numpy"]) -> Solver:
        """The verb as a function of candidates and targets."""
        verb = getattr(subsetsum, self.verb)
        last = () if self.argument is None else (self.argument,)

        def solve(candidates: Floats, targets: Floats) -> Subsets:
            answer: Subsets = verb(candidates, targets, *last, threads=threads, backend=backend)
            return answer

        return solve

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
    Task("best", 21, None, "uniform", 23, 40_000),
    Task("best", 21, None, "uniform", 44, 20_000),
    Task("best", 24, None, "uniform", 44, 6_400),
    Task("within", 21, 0.01, "uniform", 23, 400_000),
    Task("within", 21, 0.01, "uniform", 44, 400_000),
    Task("within", 21, 0.01, "trained", 23, 400_000),
    Task("within", 21, 1e-4, "uniform", 23, 40_000),
    Task("within", 21, 1e-6, "uniform", 23, 20_000),
    Task("sparsest", 21, 0.01, "uniform", 23, 400_000),
    Task("sparsest", 21, 0.01, "trained", 23, 400_000),
    Task("sparsest", 21, 1e-4, "uniform", 23, 20_000),
    Task("fixed_size", 21, 10, "uniform", 23, 10_000),
    Task("lightest", 21, 0.01, "uniform", 23, 40_000),
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


def bars(seed: int, quick: bool, repeats: int) -> Iterator[tuple[str, ...]]:
    """Rows of the first table."""
    for bar in BARS:
        groups = bar.groups // 10 if quick else bar.groups
        rows = (bar.rows // 10 if quick else bar.rows) // max(groups, 1) * max(groups, 1)
        rows = max(rows, 4)
        a, t = instances(seed, rows, bar.n, bar.law, bar.bits, groups)
        work = partial(bar.solve, a, t, threads=bar.threads)
        measured = seconds(work, repeats, time.perf_counter) / rows * bar.count
        answer = bar.solve(a, t)
        yield (
            bar.what,
            f"{bar.count:,}",
            str(bar.threads),
            _time(measured),
            _time(bar.seconds),
            f"{measured / bar.seconds:.2f}",
            "yes" if measured <= bar.seconds else "NO",
            f"{answer.found.mean():.3%}",
        )


def verbs(
    seed: int, quick: bool, repeats: int, ghz: float, bandwidth: float
) -> Iterator[tuple[str, ...]]:
    """Rows of the second table."""
    for task in TASKS:
        rows = task.rows // (10 if quick else 1)
        a, t = instances(seed, rows, task.n, task.law, task.bits)
        one, two = task.solver(1, "numba"), task.solver(2, "numba")
        cost = seconds(partial(one, a, t), repeats, time.thread_time) / rows * 1e6
        wall = seconds(partial(one, a, t), repeats, time.perf_counter)
        speedup = wall / seconds(partial(two, a, t), repeats, time.perf_counter)
        few = min(max(int(1e3 / cost), 64), 20_000, rows)
        plain = partial(task.solver(1, "numpy"), a[:few], t[:few])
        slow = seconds(plain, 1, time.thread_time) / few * 1e6
        floor = task.floor(ghz, bandwidth)
        yield (
            task.verb,
            str(task.n),
            "-" if task.argument is None else f"{task.argument:g}",
            task.law,
            "int32" if task.bits <= 23 else "int64",
            f"{cost:.3g}",
            f"{slow:.3g}",
            f"{slow / cost:.1f}",
            f"{speedup:.2f}x",
            f"{floor:.3g}",
            f"{cost / floor:.1f}",
        )


def scaling(seed: int, quick: bool, repeats: int) -> Iterator[tuple[str, ...]]:
    """Rows of the third table: microseconds a row of `best` over rows, n and threads."""
    most = 20_000 if quick else 200_000
    for rows, n, threads in (
        *((10**k, 21, 1) for k in range(1, len(str(most)))),
        *((most // 2 ** max(0, n - 14), n, 1) for n in (10, 14, 18, 22)),
        *((most, 21, threads) for threads in (1, 2, 4)),
    ):
        a, t = instances(seed, rows, n, "uniform", 23)
        work = partial(subsetsum.best, a, t, threads=threads)
        took = seconds(work, repeats, time.perf_counter) / rows * 1e6
        yield f"{rows:,}", str(n), str(threads), f"{took:.3g}"


def peers(seed: int, quick: bool) -> Iterator[tuple[str, ...]]:
    """Rows of the fourth table: seconds a row of each solver, and how many times ours that is."""
    a, t = instances(seed, 20_000, 21, "uniform", 23)
    count = 2 if quick else 10
    limit = 10.0 if quick else 60.0
    for objective, epsilon in (("optimum", None), ("any within 0.01", 0.01)):
        verb = subsetsum.best if epsilon is None else partial(subsetsum.within, epsilon=epsilon)
        ours = seconds(partial(verb, a, t, threads=1), 3, time.perf_counter) / len(t)
        exact = verb(a[:count], t[:count]).error
        yield objective, "strongticket", _time(ours), "1", "100%"
        for name, solve in _solvers().items():
            start = time.perf_counter()
            errors = [
                solve(x, float(y), epsilon, limit) for x, y in zip(a, t[:count], strict=False)
            ]
            took = (time.perf_counter() - start) / count
            reached = exact if epsilon is None else epsilon
            right = np.mean(np.array(errors) <= reached * (1 + 1e-12))
            yield objective, name, _time(took), f"{took / ours:,.0f}", f"{right:.0%}"


def _solvers() -> dict[str, Callable[[Floats, float, float | None, float], float]]:
    """The solvers that can be imported: each gives the true error of the subset it finds."""
    found: dict[str, Callable[[Floats, float, float | None, float], float]] = {
        "scipy.optimize.milp": _milp,
        "cvxpy with HiGHS": _cvxpy,
    }
    if importlib.util.find_spec("ortools"):
        found["OR-Tools CP-SAT"] = _cp_sat
    if importlib.util.find_spec("gurobipy"):
        found["gurobipy"] = _gurobi
    return found


def _error(row: Floats, target: float, kept: Any) -> float:
    if kept is None:
        return float("inf")
    return abs(float(target - row @ (np.asarray(kept) > 0.5)))  # exact: sums of 24-bit numbers


def _milp(row: Floats, target: float, epsilon: float | None, limit: float) -> float:
    from scipy.optimize import LinearConstraint, milp

    n = len(row)
    options = {"time_limit": limit, "mip_rel_gap": 0.0}
    if epsilon is not None:
        constraint = LinearConstraint(row[None], target - epsilon, target + epsilon)
        result = milp(np.zeros(n), constraints=constraint, integrality=np.ones(n), bounds=(0, 1))
        return _error(row, target, result.x)
    sides = np.block([[row, np.ones(1)], [row, -np.ones(1)]])
    result = milp(
        np.append(np.zeros(n), 1.0),
        constraints=LinearConstraint(sides, [target, -np.inf], [np.inf, target]),
        integrality=np.append(np.ones(n), 0),
        bounds=(np.zeros(n + 1), np.append(np.ones(n), np.inf)),
        options=options,
    )
    return _error(row, target, None if result.x is None else result.x[:n])


def _cvxpy(row: Floats, target: float, epsilon: float | None, limit: float) -> float:
    import cvxpy as cp

    kept = cp.Variable(len(row), boolean=True)
    distance = cp.abs(row @ kept - target)
    if epsilon is None:
        problem = cp.Problem(cp.Minimize(distance))
    else:
        problem = cp.Problem(cp.Minimize(0), [distance <= epsilon])
    problem.solve(solver=cp.HIGHS, time_limit=limit, mip_rel_gap=0.0)
    return _error(row, target, kept.value)


def _cp_sat(row: Floats, target: float, epsilon: float | None, limit: float) -> float:
    model_of = importlib.import_module("ortools.sat.python.cp_model")
    model, scale = model_of.CpModel(), 2.0**23
    kept = [model.new_bool_var(str(j)) for j in range(len(row))]
    total = sum(int(x * scale) * k for x, k in zip(row, kept, strict=True)) - int(target * scale)
    if epsilon is None:
        gap = model.new_int_var(0, 1 << 40, "gap")
        model.add(total <= gap)
        model.add(total >= -gap)
        model.minimize(gap)
    else:
        model.add(total <= int(epsilon * scale))
        model.add(total >= -int(epsilon * scale))
    solver = model_of.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_time_in_seconds = 1, limit
    if solver.solve(model) not in (model_of.OPTIMAL, model_of.FEASIBLE):
        return float("inf")
    return _error(row, target, [solver.value(k) for k in kept])


def _gurobi(row: Floats, target: float, epsilon: float | None, limit: float) -> float:
    gp = importlib.import_module("gurobipy")
    with gp.Env(params={"OutputFlag": 0}) as env, gp.Model(env=env) as model:
        model.Params.Threads, model.Params.TimeLimit, model.Params.MIPGap = 1, limit, 0.0
        kept = model.addMVar(len(row), vtype="B")
        gap = model.addVar(ub=float("inf") if epsilon is None else epsilon)
        model.addConstr(row @ kept - target <= gap)
        model.addConstr(row @ kept - target >= -gap)
        if epsilon is None:
            model.setObjective(gap)
        model.optimize()
        return _error(row, target, kept.X if model.SolCount else None)


def memory(seed: int, quick: bool) -> str:
    """How much the process grows beyond a large batch and its answer."""
    rows = 200_000 if quick else 2_000_000
    a, t = instances(seed, rows, 21, "uniform", 23)
    subsetsum.best(a[:1000], t[:1000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = subsetsum.within(a, t, 0.01)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    kept = sum(each.nbytes for each in (answer.mask, answer.error, answer.found, answer.proved))
    return (
        f"memory: a batch of {rows:,} rows ({a.nbytes / 2**20:.0f} MiB) with an answer of "
        f"{kept / 2**20:.0f} MiB raised the process's peak by {grown / 2**20:.0f} MiB"
    )


def _time(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= 0.1 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, fewer repeats")
    parser.add_argument("--seed", type=int, default=0, help="of the instances (default 0)")
    parser.add_argument("--ghz", type=float, default=3.5, help="clock of the floor (default 3.5)")
    chosen = parser.parse_args()
    repeats = 3 if chosen.quick else 7
    grown = memory(chosen.seed, chosen.quick)  # first: a peak only rises
    show.table(
        "what must be reached (wall time of the whole call)",
        ("task", "rows", "threads", "measured", "bar", "of the bar", "met", "found"),
        list(bars(chosen.seed, chosen.quick, repeats)),
    )
    bandwidth = memory_bandwidth()
    columns = (
        *("verb", "n", "argument", "targets", "keys", "µs"),
        *("NumPy µs", "NumPy/numba", "2 threads", "floor µs", "µs/floor"),
    )
    few = 2 if chosen.quick else 5
    table = list(verbs(chosen.seed, chosen.quick, few, chosen.ghz, bandwidth))
    show.table("µs a row (CPU time of one thread; numba)", columns, table)
    show.table(
        "scaling of best (wall time)",
        ("rows", "n", "threads", "µs a row"),
        list(scaling(chosen.seed, chosen.quick, few)),
    )
    show.table(
        "other solvers, the same 21-candidate instances, one thread",
        ("objective", "solver", "a row", "times ours", "reached it"),
        list(peers(chosen.seed, chosen.quick)),
    )
    show.line(grown)
    show.line(
        f"memory {bandwidth / 1e9:.3g} GB/s (measured), {VECTOR_BYTES}-byte vectors, "
        f"{OPERATIONS_A_CYCLE} a cycle at {chosen.ghz:g} GHz (assumed)"
    )


if __name__ == "__main__":
    main()
