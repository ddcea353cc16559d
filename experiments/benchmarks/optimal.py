"""How fast exact best masks are: ``python experiments/benchmarks/optimal.py [--quick]``.

First exhaustion: distinct masks a second on one core against the bar of 10 million, on 64 points.
Then, on 32 points, the seconds until a method has nothing left to do: `MILP` (cvxpy with HiGHS)
and our own `BranchAndBound`, which proves, beside it. The bars are those of the MILP: 40 maskable
weights in 60 s for the mean absolute and the worst-case loss, 24 for the mean squared loss.

Weights are U[-1, 1], inputs uniform on the grid 2^-8. The labels are a ReLU neuron of norm 1
("neuron"), a pruned part of the network itself with noise of deviation .01 ("planted"), or noise.
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

from strongticket import Network, Uniform, optimal
from strongticket.cli import show
from strongticket.optimal import MILP, BranchAndBound, Exhaustive, Loss, Optimum

Floats = NDArray[np.float64]
Labels = Literal["neuron", "planted", "noise"]
BAR_MASKS = 10e6
BAR_SECONDS = 60.0


@dataclass(frozen=True)
class Task:
    """A network, the layers that are masked, and how many points.

    Attributes:
        width: hidden neurons.
        inputs: of each.
        layers: which are masked.
        points: of the sample.
        labels: which they are.
    """

    width: int
    inputs: int
    layers: Literal["first", "output", "both"]
    points: int
    labels: Labels

    def sample(self, seed: int) -> tuple[Network, Floats, Floats]:
        """The network, and x and y on dyadic grids."""
        network = Network.mlp((self.inputs, self.width, 1), laws=Uniform(), seed=seed)
        rng = np.random.default_rng(seed)
        x = np.round(rng.uniform(-1, 1, (self.points, self.inputs)) * 2**8) / 2**8
        if self.labels == "neuron":
            w = rng.normal(size=self.inputs)
            y = np.maximum(x @ (w / np.linalg.norm(w)), 0)
        elif self.labels == "noise":
            y = rng.normal(size=self.points)
        else:
            first = network.weights("layers.0.weight") * (rng.random((self.width, 1)) < 0.5)
            kept = first * (rng.random(first.shape) < 0.5)
            y = np.maximum(x @ kept.T, 0) @ network.weights("layers.1.weight")[0]
            y = y + 0.01 * rng.normal(size=self.points)
        return network, x, np.round(y * 2**16) / 2**16

    def solve(self, seed: int, loss: Loss, method: optimal.Exhaustive | MILP | BranchAndBound,
              ) -> Optimum:  # fmt: skip
        """The best mask."""
        network, x, y = self.sample(seed)
        return optimal.best_weight_mask(network, x, y, loss=loss, layers=self.layers, method=method)


def seconds(work: Callable[[], Optimum], clock: Callable[[], float]) -> tuple[float, Optimum]:
    """The time of one run, and what it gave."""
    start = clock()
    found = work()
    return clock() - start, found


def exhaustion(repeats: int, quick: bool) -> list[tuple[str, ...]]:
    """One row a loss and shape: distinct masks a second of CPU time."""
    rows: list[tuple[str, ...]] = []
    small = Task(3, 3, "both", 64, "neuron")
    for loss in Loss:
        small.solve(0, loss, Exhaustive())  # compiles
        for width, inputs in ((6, 4), (3, 8)) if quick else ((6, 4), (3, 8), (7, 4), (9, 3)):
            task = Task(width, inputs, "both", 64, "neuron")
            work = partial(task.solve, 0, loss, Exhaustive())
            runs = [seconds(work, time.thread_time) for _ in range(repeats)]
            cost = min(run[0] for run in runs)
            rate = runs[0][1].examined / cost
            rows.append(
                (
                    f"{inputs}-{width}-1",
                    str(loss),
                    f"{runs[0][1].maskable}",
                    f"{runs[0][1].examined:,}",
                    f"{cost:.3g}",
                    f"{rate / 1e6:.1f}",
                    f"{rate / BAR_MASKS:.2f}",
                )
            )
    return rows


SOLVED: tuple[tuple[int, int, Literal["first", "output", "both"]], ...] = (
    (8, 4, "both"),
    (4, 9, "both"),
    (10, 4, "first"),
    (5, 8, "first"),
    (13, 2, "both"),
    (20, 2, "first"),
)
SOLVED_SQUARED: tuple[tuple[int, int, Literal["first", "output", "both"]], ...] = (
    (6, 3, "both"),
    (8, 2, "both"),
    (4, 5, "both"),
    (6, 4, "first"),
)


def solving(seeds: int, limit: float) -> list[tuple[str, ...]]:
    """One row a loss, shape and kind of labels: the slowest of some seeds, wall time."""
    rows: list[tuple[str, ...]] = []
    Task(2, 2, "both", 8, "noise").solve(0, Loss.WORST_CASE, MILP())  # imports cvxpy
    for loss in (Loss.MEAN_ABSOLUTE, Loss.WORST_CASE, Loss.MEAN_SQUARED):
        for width, inputs, layers in SOLVED_SQUARED if loss is Loss.MEAN_SQUARED else SOLVED:
            kinds: tuple[Labels, ...] = ("neuron", "planted", "noise")
            for kind in kinds:
                task = Task(width, inputs, layers, 32, kind)
                milp, ours, gap, closed, agree = 0.0, 0.0, 0.0, 0, True
                for seed in range(seeds):
                    solved = partial(task.solve, seed, loss, MILP(limit))
                    time_milp, claimed = seconds(solved, time.perf_counter)
                    bounded = partial(task.solve, seed, loss, BranchAndBound(limit))
                    time_ours, proved = seconds(bounded, time.perf_counter)
                    milp, ours = max(milp, time_milp), max(ours, time_ours)
                    gap = max(gap, claimed.gap)
                    closed += proved.proved
                    agree &= not proved.proved or claimed.loss == proved.loss
                rows.append(
                    (
                        f"{inputs}-{width}-1",
                        layers,
                        str(claimed.maskable),
                        str(loss),
                        kind,
                        f"{milp:.2f}",
                        f"{milp / BAR_SECONDS:.3f}",
                        f"{gap:.1e}",
                        f"{ours:.2f}",
                        f"{ours / milp:.2f}",
                        f"{closed}/{seeds}",
                        "yes" if agree else "NO",
                    )
                )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller shapes, one seed")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a solve (default 60)")
    chosen = parser.parse_args()
    show.table(
        "exhaustion on 64 points, CPU time of one thread (everything that the caller waits for)",
        ("shape", "loss", "bits", "distinct masks", "s", "million/s", "rate/bar"),
        exhaustion(2 if chosen.quick else 5, chosen.quick),
    )
    show.table(
        "MILP and branch and bound on 32 points, wall time, the slowest seed",
        (
            *("shape", "layers", "bits", "loss", "labels", "MILP s", "MILP/bar", "MILP gap"),
            *("ours s", "ours/MILP", "proved", "same loss"),
        ),
        solving(1 if chosen.quick else 3, chosen.limit),
    )


if __name__ == "__main__":
    main()
