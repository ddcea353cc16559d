"""How fast subset sums are on a GPU: ``python experiments/benchmarks/subsetsum_cuda.py [--quick]``.

The instances of ``subsetsum.py`` (candidates U[-1, 1] on the grid 2^-23, as float32 on the device;
the 397,000 weights of 784-500-10), with Triton's kernels and with torch ops alone. Seconds are the
whole call's, arguments checked and errors recomputed, the device waited for; the least of some
rounds after one that compiles. Beside them: the bytes that cannot be left out (candidates read,
mask, error and flags written) over the seconds, and the most memory that the call took beyond the
batch and the answer. Every answer is held to numba's on its first rows.

Where there is no CUDA device it says so and measures CPU tensors at a tiny size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strongticket import subsetsum
from strongticket.cli import show
from strongticket.subsetsum import triton_door

NETWORK = 397_000
"""The weights of 784-500-10, the network whose subset sums Pensia et al. 2020 solved."""
COMPARED = 2000


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        verb: the name of the verb.
        n: candidates a row.
        rows: targets.
        epsilon: the tolerance, or None.
        trained: whether targets are N(0, 0.01), as trained weights are; else U[-1, 1].
        bar: the seconds that it must reach on one H200, or None.
    """

    verb: str
    n: int
    rows: int
    epsilon: float | None
    trained: bool = False
    bar: float | None = None

    @property
    def what(self) -> str:
        """The case in words."""
        within = "" if self.epsilon is None else f", epsilon = {self.epsilon:g}"
        law = "N(0, 0.01)" if self.trained else "U[-1, 1]"
        return f"{self.verb}{within}, n = {self.n}, {self.rows:,} targets {law}"


CASES = (
    Case("best", 21, NETWORK, None, bar=0.1),
    Case("best", 24, NETWORK // 4, None),
    Case("best", 16, NETWORK, None),
    Case("within", 21, NETWORK, 0.01, bar=0.005),
    Case("within", 21, NETWORK, 0.01, trained=True, bar=0.005),
    Case("within", 21, NETWORK, 1e-4),
    Case("sparsest", 21, NETWORK, 0.01),
    Case("best", 30, 4000, None),
)
QUICK = (Case("best", 21, 20_000, None), Case("within", 21, 20_000, 0.01))
TINY = (Case("best", 13, 2000, None), Case("within", 21, 2000, 0.01))


@contextmanager
def kernels(triton: bool) -> Iterator[None]:
    """Whether Triton's kernels may be used; a benchmark's business, no option of the library."""
    usual: Any = triton_door.triton_kernels
    if not triton:
        triton_door.triton_kernels = lambda device: None  # type: ignore[assignment]
    try:
        yield
    finally:
        triton_door.triton_kernels = usual


def instances(case: Case, device: torch.device) -> tuple[Tensor, Tensor]:
    """Candidates float32 (rows, n) and targets float32 on the device."""
    rng = np.random.default_rng(case.n)
    size = 2.0**23
    candidates = np.round(rng.uniform(-1, 1, (case.rows, case.n)) * size) / size
    wide = rng.normal(0, 0.01, case.rows) if case.trained else rng.uniform(-1, 1, case.rows)
    pair = (candidates, np.round(wide * size) / size)
    a, t = (torch.from_numpy(x).to(device, torch.float32) for x in pair)
    return a, t


def seconds(call: Callable[[], Any], rounds: int, device: torch.device) -> float:
    """The least wall time of some rounds after a first one, the device waited for."""
    times = []
    for _ in range(rounds + 1):
        wait(device)
        start = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(case: Case, device: torch.device, rounds: int) -> list[str]:
    """One row of the table; an answer that is not numba's ends the benchmark."""
    a, t = instances(case, device)
    verb = getattr(subsetsum, case.verb)
    goal = () if case.epsilon is None else (case.epsilon,)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    got = verb(a, t, *goal)
    answer = case.rows * (case.n + 8 + 2)
    peak = torch.cuda.max_memory_allocated(device) - before if device.type == "cuda" else 0
    few = slice(0, COMPARED if case.n < 25 else 20)
    host = (x[few].to("cpu", torch.float64).numpy() for x in (a, t))
    wanted = verb(*host, *goal)
    if not (got.mask[few].cpu().numpy() == wanted.mask).all():
        raise SystemExit(f"{case.what}: the masks are not numba's")
    took = seconds(lambda: verb(a, t, *goal), rounds, device)
    floor = case.rows * (4 * case.n + 4 + case.n + 8 + 2)
    return [
        f"{1e3 * took:.2f}",
        f"{case.rows / took / 1e6:.2f}",
        f"{floor / took / 1e9:.1f}",
        f"{max(peak - answer, 0) / 2**20:.0f}" if peak else "-",
        "-" if case.bar is None else f"{1e3 * case.bar:g}",
        "-" if case.bar is None else ("yes" if took <= case.bar else "no"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast subset sums are on a GPU.")
    parser.add_argument("--quick", action="store_true", help="20,000 rows, three rounds")
    asked = parser.parse_args()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    cases = QUICK if asked.quick else CASES
    if device.type == "cpu":
        show.line("no CUDA device: CPU tensors at a tiny size, which say nothing about a GPU")
        cases = TINY
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    show.line(f"{name}, torch {torch.__version__}")
    ways = {"torch ops": False}
    if triton_door.triton_kernels(device) is not None:
        ways = {"Triton": True, **ways}
    columns = ("what", "kernels", "ms", "M rows/s", "GB/s of the floor", "MiB", "bar, ms", "met")
    rows = []
    for case in cases:
        for way, triton in ways.items():
            with kernels(triton):
                rows.append([case.what, way, *measure(case, device, 3 if asked.quick else 10)])
    show.table("subset sums of tensors", columns, rows)


if __name__ == "__main__":
    main()
