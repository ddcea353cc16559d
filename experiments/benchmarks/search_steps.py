"""How much a step of every search method costs beside plain dense training.

    python experiments/benchmarks/search_steps.py [--quick]

One process, one torch thread, CPU time of the process. The methods take turns, round by round and
every other round backwards, and each row is the median of its rounds; the ratio is the median of
the ratios to the dense step of the same round. A method begins as
`strongticket.search.by_name` makes it, and has taken some steps before it is timed, so that masks
and temperatures are those of a search under way. There is no bar: edge-popup's is in `search.py`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search.by_name import NAMES, Asked, by_name

DENSE = "dense SGD with momentum"


@dataclass(frozen=True)
class Config:
    """What is measured."""

    widths: tuple[int, ...] = (784, 1024, 1024, 10)
    batch: int = 128
    density: float = 0.5
    total: int = 3000
    warm: int = 30
    rounds: int = 60
    repeats: int = 4


QUICK = Config(warm=6, rounds=12, repeats=2)


def mlp(widths: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with ReLU between them, no biases."""
    layers: list[nn.Module] = []
    for d_in, d_out in pairwise(widths):
        layers += [nn.Linear(d_in, d_out, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def steps(config: Config) -> dict[str, Callable[[], None]]:
    """One training step of the dense network, and of each method."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(config.batch, config.widths[0], generator=generator)
    y = torch.randint(config.widths[-1], (config.batch,), generator=generator)

    def step_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], None]:
        def step() -> None:
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
            optimizer.step()

        return step

    dense = mlp(config.widths)
    found = {DENSE: step_of(dense, torch.optim.SGD(dense.parameters(), lr=1e-3, momentum=0.9))}
    for name in NAMES:
        model = mlp(config.widths)
        network = Network.sample(model, SignedConstant(), seed=0)
        found[name] = step_of(model, by_name(name, network, Asked(config.density, config.total)))
    return found


def measure(config: Config) -> dict[str, list[float]]:
    """Seconds a step of each method, one number a round."""
    variants = steps(config)
    for step in variants.values():
        for _ in range(config.warm):
            step()
    seen: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(config.rounds):
        # Every other round backwards: whoever comes second finds the caches of the first.
        for name, step in list(variants.items())[:: -1 if turn % 2 else 1]:
            start = time.process_time()
            for _ in range(config.repeats):
                step()
            seen[name].append((time.process_time() - start) / config.repeats)
    return seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    config = QUICK if parser.parse_args().quick else Config()
    torch.set_num_threads(1)
    seen = measure(config)
    print(f"MLP {'-'.join(map(str, config.widths))}, batch {config.batch}, one thread, CPU time")
    print(f"  {'step':28s} {'ms':>8s}  {'ratio':>6s}")
    for name, seconds in seen.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, seen[DENSE], strict=True))
        print(f"  {name:28s} {statistics.median(seconds) * 1e3:8.2f}  {ratio:6.2f}")


if __name__ == "__main__":
    main()
