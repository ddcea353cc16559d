"""How much an edge-popup step and an evaluation cost beside plain dense training.

    python experiments/benchmarks/search.py [--quick]

One process, one torch thread. The variants take turns, round by round, and each row is the median
of its rounds, in CPU time of the process (on CUDA: wall time of synchronised runs). The physical
floor is the dense step plus the memory traffic that exact edge-popup adds and cannot avoid, at
the copy speed measured in the same run. Exit code 1 if a bar is missed on the CPU.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup
from strongticket.search.engine import Backend

BAR_STEP, BAR_EVALUATION = 1.3, 1.02
EXTRA_BYTES = 24  # scores twice, frozen weights twice, effective weights written, one line fill


@dataclass(frozen=True)
class Config:
    """What is measured."""

    widths: tuple[int, ...] = (784, 1024, 1024, 10)
    batch: int = 128
    rounds: int = 60
    repeats: int = 4
    density: float = 0.5


QUICK = Config(rounds=15, repeats=3)


def mlp(config: Config, device: str) -> nn.Sequential:
    """Linear layers with ReLU between them, no biases."""
    layers: list[nn.Module] = []
    for d_in, d_out in zip(config.widths[:-1], config.widths[1:], strict=True):
        layers += [nn.Linear(d_in, d_out, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(device)


def trainer(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> Callable[[], None]:
    """One training step as a function."""

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
        optimizer.step()

    return step


def evaluator(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """One evaluation of a batch as a function."""

    def evaluate() -> None:
        with torch.no_grad():
            model(x)

    return evaluate


def medians(
    variants: dict[str, Callable[[], None]], config: Config, device: str
) -> dict[str, float]:
    """Median seconds a call, the variants taking turns."""

    def now() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    for call in variants.values():
        for _ in range(3):
            call()
    seen: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(config.rounds):
        # Every other round backwards: whoever comes second finds the caches of the first.
        order = list(variants.items())[:: -1 if turn % 2 else 1]
        for name, call in order:
            start = now()
            for _ in range(config.repeats):
                call()
            seen[name].append((now() - start) / config.repeats)
    return {name: statistics.median(times) for name, times in seen.items()}


def measure(config: Config, device: str, backends: tuple[Backend, ...]) -> dict[str, float]:
    """Median seconds of every variant on one device."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(config.batch, config.widths[0], generator=generator).to(device)
    y = torch.randint(config.widths[-1], (config.batch,), generator=generator).to(device)
    dense = mlp(config, device)
    dense_fused = mlp(config, device)
    sgd = torch.optim.SGD(dense.parameters(), lr=1e-3, momentum=0.9)
    sgd_fused = torch.optim.SGD(dense_fused.parameters(), lr=1e-3, momentum=0.9, fused=True)
    steps = {
        "dense SGD step": trainer(dense, sgd, x, y),
        "dense SGD step, fused=True": trainer(dense_fused, sgd_fused, x, y),
    }
    evaluations = {"dense evaluation": evaluator(dense, x)}
    kept = []
    for backend in backends:
        make = partial(EdgePopup, density=config.density, lr=0.1, backend=backend)
        for name, variant in (
            ("", make),
            (", scope=global", partial(make, scope="global")),
            (", refresh=10", partial(make, refresh=10)),
        ):
            model = mlp(config, device)
            search = variant(Network.sample(model, SignedConstant(), seed=0))
            kept.append(model)
            steps[f"edge-popup step, {backend}{name}"] = trainer(model, search, x, y)
            if not name:
                evaluations[f"edge-popup evaluation, {backend}"] = evaluator(model, x)
    numbers = medians(steps, config, device)
    many = Config(config.widths, config.batch, config.rounds, 3 * config.repeats)
    numbers |= medians(evaluations, many, device)
    weights = sum(p.numel() for p in dense.parameters())
    source = torch.ones(weights, device=device)
    target = torch.empty_like(source)
    copied = medians({"copy": lambda: void(target.copy_(source))}, config, device)["copy"]
    numbers["floor of an exact step"] = numbers["dense SGD step"] + copied * EXTRA_BYTES / 8
    return numbers


def void(_: Tensor) -> None:
    """Drop a result."""


def table(title: str, numbers: dict[str, float]) -> None:
    """Print milliseconds and ratios to the dense rows."""
    print(title)
    print(f"  {'':44s} {'ms':>9s}  {'ratio':>6s}")
    for name, seconds in numbers.items():
        base = numbers["dense evaluation" if "evaluation" in name else "dense SGD step"]
        print(f"  {name:44s} {seconds * 1e3:9.3f}  {seconds / base:6.3f}")


def main() -> int:
    """Measure, print, and say whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    config = QUICK if parser.parse_args().quick else Config()
    torch.set_num_threads(1)
    numbers = measure(config, "cpu", ("numba", "torch"))
    shape = "-".join(map(str, config.widths))
    table(f"MLP {shape}, batch {config.batch}, one thread, CPU time", numbers)
    step = numbers["edge-popup step, numba"] / numbers["dense SGD step"]
    evaluation = numbers["edge-popup evaluation, numba"] / numbers["dense evaluation"]
    if torch.cuda.is_available():
        table("the same on CUDA, wall time", measure(config, "cuda", ("torch",)))
    held = step <= BAR_STEP and evaluation <= BAR_EVALUATION
    print(f"step {step:.3f} (bar {BAR_STEP}), evaluation {evaluation:.3f} (bar {BAR_EVALUATION})")
    print("bars met" if held else "BARS MISSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
