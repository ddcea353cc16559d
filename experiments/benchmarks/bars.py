"""The bars that the toolkit has to reach, each beside what this machine measures in this run.

    python experiments/benchmarks/bars.py [--data FOLDER] [--quick]

Commands are run as a user runs them, in processes of their own; the two ratios (the theorem's
width against 96 hidden neurons an input, an edge-popup step against a dense one) compare runs of
this process that take turns. A missed bar is printed and is no failure: machines are noisy and
differ. Exit code 1 only where a command failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import search
import torch

from strongticket.cli import show
from strongticket.construct import two_layer
from strongticket.errors import StrongticketError
from strongticket.files import folder, write_whole
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.theorems import pensia2020
from strongticket.verify import attack, certify

ROOT = Path(__file__).parents[2]
STRONGTICKET = (sys.executable, "-c", "from strongticket.cli import main; main()")
EPSILON, DELTA, NARROW = 0.05, 0.01, 96


@dataclass(frozen=True)
class Row:
    """One bar. `met` None: it could not be measured, and `measured` says why."""

    what: str
    bar: str
    measured: str
    met: bool | None
    failed: bool = False

    @property
    def verdict(self) -> str:
        """One word."""
        return {True: "met", False: "missed", None: "not run"}[self.met]


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    seconds: float
    out: str


def command(*arguments: str | Path) -> Finished:
    """Run a command in the repository; its progress goes to our standard error."""
    start = time.perf_counter()
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return Finished(done.returncode, time.perf_counter() - start, done.stdout)


def timed(what: str, limit: float, *arguments: str | Path) -> Row:
    """A row: the command succeeds within a limit of seconds."""
    done = command(*arguments)
    measured = f"{done.seconds:.1f} s, exit code {done.code}"
    met = done.code == 0 and done.seconds < limit
    return Row(what, f"under {limit:g} s", measured, met, done.code != 0)


def demo(out: Path) -> Iterator[Row]:
    yield timed("make demo, environment built", 60, *STRONGTICKET, "demo", "--out", out / "demo")


def tests(quick: bool) -> Iterator[Row]:
    if quick:
        yield Row("make test", "under 300 s", "left out by --quick", None)
    else:
        yield timed("make test", 300, sys.executable, "-m", "pytest", "-q")


def mnist(data: str, out: Path, quick: bool) -> Iterator[Row]:
    """The main job at full size; training is not counted."""
    title = "MNIST 784-500-10, epsilon 0.05, delta 0.01"
    if not data:
        why = "no data: give --data or set STRONGTICKET_DATA"
        yield Row(title, "under 60 s", why, None)
        return
    place = out / "mnist"
    script = ROOT / "experiments" / "pensia2020_mnist.py"
    options = ("--epsilon", str(EPSILON), "--delta", str(DELTA))
    done = command(sys.executable, script, "--data", data, "--out", place, *options)
    if done.code:
        why = f"pensia2020_mnist.py ended with exit code {done.code}"
        yield Row(title, "exit code 0", why, False, failed=True)
        return
    result = json.loads((place / "result.json").read_text("utf-8"))
    proof, seconds = result["proof"], result["proof"]["seconds"]
    stages = [seconds[name] for name in ("construct", "certify", "attack")]
    spent = sum(stages)
    parts = " + ".join(f"{s:.1f}" for s in stages)
    yield Row(f"{title}: construct + certify + attack", "under 60 s", f"{parts} s", spent < 60)
    peak = result["peak_gib"]
    yield Row("  peak memory, training included", "under 2 GiB", f"{peak:.2f} GiB", peak < 2)
    bound, below = proof["bound"], proof["lower_bound"]
    measured = f"{bound:.3g}, attack (200 starts x 200 steps) >= {below:.3g}"
    met = below <= bound <= 0.02
    yield Row("  certified sup error over [0,1]^784", "at most 0.02", measured, met)
    target = Target.load(place / "target.safetensors")
    narrow, wide = widths(target, rounds=1 if quick else 3)
    measured = f"{wide / narrow:.2f} ({wide:.1f} s against {narrow:.1f} s)"
    what = f"  its time against {NARROW} hidden neurons an input"
    yield Row(what, "at most 1.2", measured, wide <= 1.2 * narrow)
    yield timed(
        "recheck of its certificate", 10, *STRONGTICKET, "recheck", place / "mnist.proof.json"
    )
    for name, limit in (("ticket", 2.5), ("certificate", 6.0)):
        size = proof[f"{name}_bytes"] / 1e6
        yield Row(f"  {name} file", f"at most {limit} MB", f"{size:.2f} MB", size <= limit)


def widths(target: Target, rounds: int) -> tuple[float, float]:
    """Least seconds of construct, certify and attack: 96 hidden neurons an input, the theorem's.

    Both networks aim at the theorem's accuracies; a weight that the narrow one misses keeps its
    best subset.
    """
    theorem = pensia2020.EXPLICIT
    plans = theorem.plan(target, EPSILON)
    asked = theorem.network(target, epsilon=EPSILON, delta=DELTA, seed=0)
    narrow = theorem.mlp(plans, [NARROW] * target.depth, seed=0)

    def once(network: Network) -> float:
        start = time.perf_counter()
        ticket = two_layer(network, target, [plan.accuracy for plan in plans], strict=False)
        certificate = certify(ticket, target, EPSILON)
        attack(ticket, target, layers=certificate.layers)
        return time.perf_counter() - start

    found: dict[Network, list[float]] = {narrow: [], asked: []}
    warm = Target(
        [(w[:2, :8] if i == 0 else w[:2, :2], None) for i, w in enumerate(target.weights)],
        target.domain,
    )
    small = theorem.network(warm, epsilon=EPSILON, delta=DELTA, seed=0)
    theorem.construct(small, warm, epsilon=EPSILON)  # compiled loops are loaded
    for _ in range(rounds):
        for network, times in found.items():
            times.append(once(network))
    return min(found[narrow]), min(found[asked])


def masks(quick: bool) -> Iterator[Row]:
    """Edge-popup against dense training, one thread."""
    torch.set_num_threads(1)
    try:
        numbers = search.measure(search.QUICK if quick else search.Config(), "cpu", ("numba",))
    except StrongticketError as error:
        yield Row("edge-popup against dense training", "a ratio", str(error), None)
        return
    for what, bar in (("step", search.BAR_STEP), ("evaluation", search.BAR_EVALUATION)):
        dense = numbers["dense SGD step" if what == "step" else "dense evaluation"]
        ours = numbers[f"edge-popup {what}, numba"]
        measured = f"{ours / dense:.3f} ({ours * 1e3:.2f} ms against {dense * 1e3:.2f} ms)"
        title = f"edge-popup {what} against dense, 784-1024-1024-10, batch 128"
        yield Row(title, f"at most {bar}", measured, ours <= bar * dense)


def checks() -> Iterator[Row]:
    for title, false_width in (
        ("every claim stands", ()),
        ("every false one falls", ("--false-width",)),
    ):
        name = " ".join(("strongticket check --all", *false_width))
        yield timed(f"{name}: {title}", 180, *STRONGTICKET, "check", "--all", *false_width)


def machine() -> str:
    """The processor and how many cores we may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text("utf-8").splitlines()
        name = next((t.partition(":")[2].strip() for t in lines if "model name" in t), name)
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return f"{cores} cores of {name}, Python {platform.python_version()}"


def measure(data: str, out: Path, quick: bool) -> Iterator[Row]:
    """All rows, one at a time."""
    yield from demo(out)
    yield from tests(quick)
    yield from mnist(data, out, quick)
    yield from masks(quick)
    yield from checks()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one table, store it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", default=os.environ.get("STRONGTICKET_DATA", ""))
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--quick", action="store_true", help="no test run, fewer rounds")
    asked = parser.parse_args(arguments)
    out = folder(asked.out.absolute())
    data = str(Path(asked.data).absolute()) if asked.data else ""
    rows = []
    for row in measure(data, out, asked.quick):
        rows.append(row)
        sys.stderr.write(f"{row.what.strip()}: {row.measured}, {row.verdict}\n")
    cells = [(row.what, row.bar, row.measured, row.verdict) for row in rows]
    show.table(f"bars on {machine()}", ("what", "bar", "measured", "met"), cells)
    found: dict[str, Any] = {"machine": machine(), "quick": asked.quick}
    found["rows"] = [asdict(row) for row in rows]
    stored = write_whole(out / "bars.json", (json.dumps(found, indent=1) + "\n").encode())
    show.line(f"stored in {stored}")
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
