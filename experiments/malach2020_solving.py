"""Best masks that are subset sums: how exact solving time grows, and what a search reaches.

n frozen weights on the 24-bit grid and the sum of a planted half of them are a subset sum, and a
network of n hidden neurons with one sample point (theorem malach2020_hardness). Exhaustion over
its masks proves the optimum; the subset-sum solver finds it from the other side of the reduction;
edge-popup searches by gradients, with the planted number of neurons told to it.

    python experiments/malach2020_solving.py [--quick] [--out FOLDER]
    python experiments/malach2020_solving.py --publish    # the table of the docs
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table

from strongticket import Network, Uniform, subsetsum
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.optimal import best_neuron_mask
from strongticket.optimal.hardness import SubsetSum, subset_of, to_pruning

NAME = "malach2020_solving"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table where the documentation has it, instead of to `out`"""
    sizes: tuple[int, ...] = (12, 16, 20, 22, 24, 26)
    instances: int = 3
    steps: int = 200
    """of edge-popup, each start"""
    starts: int = 5
    """of edge-popup an instance, the best of which counts"""
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"sizes": (10, 12, 14, 16), "instances": 2, "steps": 60, "starts": 2}


@dataclass(frozen=True)
class Point:
    """One size, over all its instances.

    Attributes:
        n: numbers.
        solved: instances whose best mask exhaustion proved to have loss 0 (planted: all).
        agreed: of their doubles with an odd goal, which have no solution: those where exhaustion
            proves the loss 1 and the subset-sum solver finds the distance 1.
        masks: masks that exhaustion examined on such a double.
        seconds: processor seconds of that, the median.
        solver_seconds: those of the subset-sum solver.
        searched: instances that edge-popup solved.
        missed: the median distance that edge-popup leaves, as a fraction of the law's scale.
    """

    n: int
    solved: int
    agreed: int
    masks: int
    seconds: float
    solver_seconds: float
    searched: int
    missed: float


@dataclass(frozen=True)
class Result:
    """The sizes that were run."""

    points: tuple[Point, ...]
    instances: int


def planted(n: int, seed: int) -> tuple[Network, Any, SubsetSum]:
    """(network, its model, instance): n frozen weights on the 24-bit grid, a goal of n/2 of them.

    The hidden neurons are relu(1 x) at x = 1, so the model is the output layer on an input of ones.
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(n, 1, bias=False, dtype=torch.float32))
    network = Network.sample(model, law=Uniform(1.0), seed=seed)
    numbers = network.units(network.masked[0], 0, n)
    chosen = np.random.default_rng([seed, n]).permutation(n)[: n // 2]
    return network, model, SubsetSum(tuple(numbers.tolist()), int(numbers[chosen].sum()))


def popup(network: Network, model: Any, instance: SubsetSum, steps: int, seed: int) -> int:
    """The least distance that edge-popup sees, the number of kept weights told to it."""
    import torch

    from strongticket.search import EdgePopup

    n, least = len(instance.numbers), abs(instance.goal)
    search = EdgePopup(
        network, density=(n // 2) / n, lr=0.1, momentum=0.9, score_seed=seed, backend="torch"
    )
    ones, goal = torch.ones(1, n), instance.goal / 2**24
    for _ in range(steps):
        kept = torch.nonzero(model[0].weight.detach()[0])[:, 0].tolist()
        least = min(least, instance.distance(kept))
        search.zero_grad()
        torch.autograd.backward((model(ones) - goal).abs().sum())
        search.step()
    return least


def measure(n: int, config: Config) -> Point:
    """All instances of one size."""
    solved = agreed = searched = masks = 0
    exhaustion, solver, missed = [], [], []
    for i in range(config.instances):
        network, model, instance = planted(n, config.seed + i)
        pruning = to_pruning(instance)
        best = best_neuron_mask(pruning.network, pruning.x, pruning.y)
        solved += best.proved and best.loss == 0 == instance.distance(subset_of(best.mask))
        # even numbers and an odd goal: no solution, so that nothing ends the enumeration early
        hard = SubsetSum(tuple(2 * a for a in instance.numbers), 2 * instance.goal + 1)
        pruning = to_pruning(hard)
        start = time.process_time()
        best = best_neuron_mask(pruning.network, pruning.x, pruning.y)
        exhaustion.append(time.process_time() - start)
        masks = best.examined
        numbers = np.array([hard.numbers], np.int64)
        start = time.process_time()
        answer = subsetsum.best(numbers, np.array([hard.goal]))
        solver.append(time.process_time() - start)
        distance = hard.distance(np.flatnonzero(answer.mask[0]).tolist())
        agreed += best.proved and best.loss == 1 == distance
        least = min(popup(network, model, instance, config.steps, s) for s in range(config.starts))
        searched += least == 0
        missed.append(least / 2**24)
    return Point(
        n=n,
        solved=solved,
        agreed=agreed,
        masks=masks,
        seconds=float(np.median(exhaustion)),
        solver_seconds=float(np.median(solver)),
        searched=searched,
        missed=float(np.median(missed)),
    )


def run(config: Config) -> Result:
    """Every size, after one instance that compiles what is to be compiled."""
    points = []
    with show.progress() as progress:
        measure(4, replace(config, instances=1, steps=1, starts=1))
        for i, n in enumerate(config.sizes):
            progress(f"{n} numbers", i, len(config.sizes))
            points.append(measure(n, config))
    return Result(tuple(points), config.instances)


def claims(result: Result) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    points = result.points
    solved, agreed = (sum(getattr(p, name) for p in points) for name in ("solved", "agreed"))
    total = result.instances * len(points)
    return (
        (
            "every planted instance has a best mask of loss 0, which is a solution",
            solved == total,
            f"{solved} of {total}",
        ),
        (
            "without a solution: least loss proved, and the subset-sum solver's distance, are 1",
            agreed == total,
            f"{agreed} of {total}",
        ),
        (
            "exhaustion doubles with every number",
            all(p.masks == 1 << p.n for p in points),
            ", ".join(f"{p.n}: {p.masks:,}" for p in points),
        ),
    )


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    try:
        tables, _ = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.points))
    shown = [
        (
            p.n,
            f"{p.masks:,}",
            f"{p.seconds:.2g}",
            f"{p.solver_seconds:.2g}",
            f"{p.searched} of {result.instances}",
            f"{p.missed:.1e}",
        )
        for p in result.points
    ]
    names = (
        "n",
        "masks",
        "exhaustion, s",
        "subset-sum solver, s",
        "edge-popup solves",
        "misses by",
    )
    show.table("planted subset sums as best masks", names, shown)
    return judged(claims(result))


if __name__ == "__main__":
    raise SystemExit(main())
