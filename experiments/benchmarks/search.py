"""How much an edge-popup step and an evaluation cost beside plain dense training.

    python experiments/benchmarks/search.py [--quick]

One process, one torch thread. The variants take turns, round by round, and each row is the median
of its rounds, in CPU time of the process (on CUDA: wall time of synchronised runs). The physical
floor is the dense step plus the memory traffic that exact edge-popup adds to SGD with momentum and
cannot avoid (a frozen weight read), at the copy speed measured in the same run.

Beside it: Conv-6; the exact selection alone, in ns a weight; and the published layer, which sorts
its scores at every forward pass, re-implemented here from its description: the same masks, step
after step, and how much longer it takes. On CUDA also ResNet-18 under bfloat16 autocast. Exit code
1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from strongticket.laws import SignedConstant
from strongticket.models import named
from strongticket.networks import Network
from strongticket.search import EdgePopup, keep_count, kernels, select
from strongticket.search.engine import Backend

BAR_STEP, BAR_CONV, BAR_EVALUATION = 1.2, 1.03, 1.01
BAR_SELECTION, BAR_PUBLISHED, BAR_RESNET = 2.0, 8.0, 1.1  # ns a weight; times; times on a GPU
EXTRA_BYTES = 4  # dense: 20 a weight (gradient; weight and momentum, read and written); we: 24


@dataclass(frozen=True)
class Config:
    """What is measured."""

    widths: tuple[int, ...] = (784, 1024, 1024, 10)
    batch: int = 128
    rounds: int = 60
    repeats: int = 4
    density: float = 0.5
    conv_batch: int = 64
    conv_rounds: int = 8
    same_steps: int = 100
    weights: int = 4_000_000


QUICK = Config(rounds=15, repeats=3, conv_rounds=3, same_steps=30, weights=1_000_000)


def mlp(config: Config, device: str) -> nn.Sequential:
    """Linear layers with ReLU between them, no biases."""
    layers: list[nn.Module] = []
    for d_in, d_out in zip(config.widths[:-1], config.widths[1:], strict=True):
        layers += [nn.Linear(d_in, d_out, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(device)


class Optimizer(Protocol):
    """What a training step needs."""

    def zero_grad(self) -> None:
        """Drop the gradients."""

    def step(self) -> Any:
        """Move."""


def trainer(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> Callable[[], None]:
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


def void(_: Any) -> None:
    """Drop a result."""


def conv(config: Config, device: str) -> dict[str, float]:
    """Median seconds of a Conv-6 step and evaluation, dense and edge-popup."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(config.conv_batch, 3072, generator=generator).to(device)
    y = torch.randint(10, (config.conv_batch,), generator=generator).to(device)
    dense, model = (named("conv-6").to(device) for _ in range(2))
    sgd = torch.optim.SGD(dense.parameters(), lr=1e-3, momentum=0.9)
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), config.density, 0.1)
    once = replace(config, rounds=config.conv_rounds, repeats=1)
    return medians(
        {
            "dense SGD step": trainer(dense, sgd, x, y),
            "edge-popup step": trainer(model, search, x, y),
        },
        once,
        device,
    ) | medians(
        {"dense evaluation": evaluator(dense, x), "edge-popup evaluation": evaluator(model, x)},
        once,
        device,
    )


def selection(config: Config) -> dict[str, float]:
    """Nanoseconds a weight of one exact selection on one core, by the two backends."""
    scores = torch.randn(config.weights, generator=torch.Generator().manual_seed(0))
    bits = scores.numpy().view("int32")
    loops, keep = kernels.compiled(), config.weights // 2
    calls = {"torch": lambda: void(select({"scores": scores}, keep, backend="torch")["scores"])}
    if loops is not None:
        out, ready = torch.zeros(config.weights).numpy().view("int32"), loops

        def cut() -> tuple[int, int]:
            return kernels.cut(ready, [bits], False, keep, lambda: None)[0]

        calls["numba, the cut"] = lambda: void(cut())

        def write() -> None:
            ready.write(bits, False, *cut(), bits, out)

        calls["numba, cut and effective weights"] = write
    seconds = medians(calls, replace(config, rounds=15), "cpu")
    return {name: value / config.weights * 1e9 for name, value in seconds.items()}


class SortedMask(torch.autograd.Function):
    """The published subnet selection: sort, zero the smallest, pass the gradient through."""

    @staticmethod
    def forward(ctx: Any, sizes: Tensor, keep: int) -> Tensor:
        """A mask of ones for the `keep` largest, zeros elsewhere.

        Of equal sizes the first come first, as in `strongticket.search.select`; the publication
        says nothing of ties, and one tie at the cut makes two searches two.
        """
        mask = sizes.clone()
        _, order = sizes.flatten().sort(descending=True, stable=True)
        flat = mask.flatten()
        flat[order[:keep]] = 1
        flat[order[keep:]] = 0
        return flat.reshape(sizes.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The identity."""
        return grad, None


class SortingLinear(nn.Module):
    """A linear layer that sorts the magnitudes of its scores at every forward pass."""

    def __init__(self, frozen: Tensor, scores: Tensor, density: float) -> None:
        super().__init__()
        self.register_buffer("frozen", frozen.clone())
        self.scores = nn.Parameter(scores.clone())
        self.keep = keep_count(density, scores.numel())

    def mask(self) -> Tensor:
        """The mask of the next forward pass."""
        found: Tensor = SortedMask.apply(self.scores.abs(), self.keep)  # type: ignore[no-untyped-call]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """(batch, d_in) -> (batch, d_out)."""
        frozen: Tensor = self.frozen  # type: ignore[assignment]
        return nn.functional.linear(x, frozen * self.mask())


class PlainSGD:
    """SGD with momentum, one rounding an operation: the same numbers on every machine."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        self.parameters, self.lr, self.momentum = list(parameters), lr, momentum
        self.speed = [torch.zeros_like(p) for p in self.parameters]

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move."""
        for parameter, speed in zip(self.parameters, self.speed, strict=True):
            assert parameter.grad is not None
            speed.mul_(self.momentum).add_(parameter.grad)
            parameter.sub_(speed * self.lr)


def published(config: Config) -> tuple[dict[str, float], int]:
    """Median seconds of a step of both; and how many mask bits ever differed."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(config.batch, config.widths[0], generator=generator)
    y = torch.randint(config.widths[-1], (config.batch,), generator=generator)
    model = mlp(config, "cpu")
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), config.density, 0.1)
    layers: list[nn.Module] = []
    for name, scores in search.scores().items():
        frozen = torch.from_numpy(search.network.weights(name).copy())
        layers += [SortingLinear(frozen, scores, config.density), nn.ReLU()]
    sorting = nn.Sequential(*layers[:-1])
    plain = PlainSGD(sorting.parameters(), 0.1, 0.9)
    steps = {"published layer": trainer(sorting, plain, x, y), "ours": trainer(model, search, x, y)}
    differing = 0
    for _ in range(config.same_steps):
        for step in steps.values():
            step()
        theirs = [layer.mask() for layer in layers if isinstance(layer, SortingLinear)]
        for mine, other in zip(search.masks().values(), theirs, strict=True):
            differing += int((mine != (other != 0)).sum())
    return medians(steps, replace(config, rounds=5, repeats=1), "cpu"), differing


def resnet(config: Config) -> dict[str, float]:
    """Median seconds of a ResNet-18 step on CUDA, batch 512, bfloat16 autocast."""
    x = torch.randn(512, 3072, device="cuda")
    y = torch.randint(10, (512,), device="cuda")
    dense, model = (named("resnet-18").cuda() for _ in range(2))
    sgd = torch.optim.SGD(dense.parameters(), lr=1e-3, momentum=0.9)
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=0), config.density, 0.1)

    def step(net: nn.Module, optimizer: Optimizer) -> Callable[[], None]:
        def run() -> None:
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                loss = nn.functional.cross_entropy(net(x), y)
            torch.autograd.backward(loss)
            optimizer.step()

        return run

    variants = {"dense SGD step": step(dense, sgd), "edge-popup step": step(model, search)}
    return medians(variants, config, "cuda")


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
    bars: list[tuple[str, float, float, bool]] = []  # what, measured, bar, met
    numbers = measure(config, "cpu", ("numba", "torch"))
    shape = "-".join(map(str, config.widths))
    table(f"MLP {shape}, batch {config.batch}, one thread, CPU time", numbers)
    below(bars, "step, MLP", numbers["edge-popup step, numba"], numbers["dense SGD step"], BAR_STEP)
    evaluations = numbers["edge-popup evaluation, numba"], numbers["dense evaluation"]
    below(bars, "evaluation, MLP", *evaluations, BAR_EVALUATION)
    numbers = conv(config, "cpu")
    table(f"Conv-6, batch {config.conv_batch}, one thread, CPU time", numbers)
    below(bars, "step, Conv-6", numbers["edge-popup step"], numbers["dense SGD step"], BAR_CONV)
    print(f"exact selection of {config.weights:,} scores, ns a weight")
    for name, nanoseconds in selection(config).items():
        print(f"  {name:44s} {nanoseconds:9.2f}")
        if name == "numba, the cut":
            below(bars, "selection, ns a weight", nanoseconds, 1.0, BAR_SELECTION)
    numbers, differing = published(config)
    times = numbers["published layer"] / numbers["ours"]
    print(f"published layer, sorting at every forward pass: {times:.1f} times our step")
    print(f"  mask bits that differed in {config.same_steps} steps: {differing}")
    bars.append(("published layer over ours", times, BAR_PUBLISHED, times >= BAR_PUBLISHED))
    bars.append(("differing mask bits", differing, 0, differing == 0))
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
        table("the MLP on CUDA, wall time", measure(config, "cuda", ("torch",)))
        numbers = resnet(config)
        table("ResNet-18 on CUDA, batch 512, bfloat16 autocast, wall time", numbers)
        pair = numbers["edge-popup step"], numbers["dense SGD step"]
        below(bars, "step, ResNet-18 on CUDA", *pair, BAR_RESNET)
    for what, measured, bar, met in bars:
        print(f"{what:28s} {measured:8.3f}   bar {bar:g}   {'met' if met else 'MISSED'}")
    return 0 if all(met for *_, met in bars) else 1


def below(
    bars: list[tuple[str, float, float, bool]], what: str, ours: float, dense: float, bar: float
) -> None:
    """Note a ratio that must not exceed its bar."""
    bars.append((what, ours / dense, bar, ours / dense <= bar))


if __name__ == "__main__":
    sys.exit(main())
