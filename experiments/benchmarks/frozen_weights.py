"""How fast frozen weights are made: words, laws, and scattered indices, on one core.

    python experiments/benchmarks/frozen_weights.py [--quick]

Each figure is the best of several runs over arrays that stay in cache, beside the time to write as
many bytes (the floor of anything that makes an array).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import tyro

from strongticket import Normal, SignedConstant, Uniform, philox
from strongticket.cli import show


@dataclass(frozen=True)
class Config:
    """What is run."""

    quick: bool = False


def best(run: Callable[[], object], repeats: int) -> float:
    """The least wall time of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Measure and print one table."""
    config = tyro.cli(Config, description=__doc__)
    torch.set_num_threads(1)
    repeats, count = (5, 1 << 18) if config.quick else (30, 1 << 18)
    stream = philox.stream("weights", "benchmark")
    words = philox.words(0, stream, 0, count)
    blocks = np.arange(1 << 13, dtype=np.uint64)
    every_other = np.arange(0, 2 * count, 2)
    target = np.empty(count, np.uint32)
    runs: list[tuple[str, int, Callable[[], object]]] = [
        ("write an array (floor)", count, lambda: target.fill(1)),
        ("words (numba where it imports)", count, lambda: philox.words(0, stream, 0, count)),
        ("words, NumPy", 4 * blocks.size, lambda: philox.numpy_blocks(0, stream, blocks)),
        ("words, torch on the CPU", count, lambda: philox.torch_words(0, stream, 0, count)),
        ("words at every other index", count, lambda: philox.words_at(0, stream, every_other)),
    ]
    runs += [
        (f"law {law.name} of given words", count, partial(law.weights, words))
        for law in (Uniform(), Normal(1.0), SignedConstant(1.0))
    ]
    rows, floor = [], 0.0
    for name, size, run in runs:
        run()
        rate = size / best(run, repeats)
        floor = floor or rate
        rows.append((name, f"{rate / 1e6:,.0f}", f"{floor / rate:.1f}"))
    columns = ("what", "million a second", "times the floor")
    show.table("frozen weights, one core", columns, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
