"""Continuous functions on a box by pruning a random network and nothing else: error against width.

A one-hidden-layer ReLU network is fitted to each function; it is only a plan, and none of its
weights is kept. The theorem (pensia2020.EXPLICIT) draws a random network of depth 4 whose weights
never change, prunes it until it is the plan to within epsilon, and the certificate proves that over
the whole box. What is left is the plan's own error, which falls with its width.

    python experiments/malach2020_universality.py [--quick] [--out FOLDER]
    python experiments/malach2020_universality.py --publish    # results and figure of the docs
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table
from numpy.typing import NDArray

from strongticket import Box, Target, certify, subsetsum
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.theorems import pensia2020

NAME = "malach2020_universality"
Floats = NDArray[np.float64]
RIDGE = 1e-7  # keeps output weights near 10, so that they lie within the laws' reach

FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "sin(2 pi x)": lambda x: np.sin(2 * np.pi * x[:, 0]),
    "square root of |2x - 1|": lambda x: np.sqrt(np.abs(2 * x[:, 0] - 1)),
    "bump in the plane": lambda x: np.exp(-8 * ((x - 0.5) ** 2).sum(axis=1)),
    "distance from the middle": lambda x: np.sqrt(((x - 0.5) ** 2).sum(axis=1)),
}
INPUTS = dict(zip(FUNCTIONS, (1, 1, 2, 2), strict=True))


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    widths: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    """hidden neurons of the plan"""
    epsilon: float = 0.01
    delta: float = 0.01
    steps: int = 4000
    """steps of the fit (Adam on a grid)"""
    starts: int = 4
    """fits, of which the best counts"""
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"widths": (2, 8, 24), "epsilon": 0.05, "steps": 600, "starts": 1}


@dataclass(frozen=True)
class Point:
    """One function at one width.

    Attributes:
        function, width: which, and the hidden neurons of the plan.
        random_weights, kept_weights: of the random network of depth 4, and of the pruned one.
        plan_error: sup error of the plan on a fine grid.
        pruned_error: sup error of the pruned network on the same grid.
        certified: proved bound on the distance of the two over the whole box.
    """

    function: str
    width: int
    random_weights: int
    kept_weights: int
    plan_error: float
    pruned_error: float
    certified: float


@dataclass(frozen=True)
class Result:
    """What was measured, and the epsilon that was asked for."""

    points: tuple[Point, ...]
    epsilon: float


def grid(d: int, points: int) -> Floats:
    """A regular grid of the box [0, 1]^d."""
    axis = np.linspace(0, 1, points)
    return np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)


def points(d: int) -> Floats:
    """Where plans are fitted."""
    return grid(d, 401 if d == 1 else 51)


def plan(config: Config, name: str, width: int) -> Target:
    """The fit, of a few, with the least sup error on the points that it was fitted to."""
    x = points(INPUTS[name])
    fits = [fit(name, width, config.steps, config.seed + i) for i in range(config.starts)]
    return min(fits, key=lambda f: float(np.abs(f(x)[:, 0] - FUNCTIONS[name](x)).max()))


def fit(name: str, width: int, steps: int, seed: int) -> Target:
    """The plan: hidden neurons by Adam on a grid of the box, output weights by ridge regression."""
    import torch
    from torch import nn

    d = INPUTS[name]
    x = points(d)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(d, width), nn.ReLU(), nn.Linear(width, 1))
        with torch.no_grad():  # kinks within the box, spread evenly over directions and places
            first, last = model[0], model[2]
            assert isinstance(first, nn.Linear)
            assert isinstance(last, nn.Linear)
            direction = nn.functional.normalize(torch.randn(width, d), dim=1)
            place = torch.rand(width, d) if d > 1 else torch.linspace(0, 1, width + 1)[:-1, None]
            first.weight.copy_(2 * direction)
            first.bias.copy_(-2 * (direction * place).sum(1))
        inputs = torch.tensor(x, dtype=torch.float32)
        wanted = torch.tensor(FUNCTIONS[name](x), dtype=torch.float32)[:, None]
        ridge(first, last, inputs, wanted)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            torch.autograd.backward(((model(inputs) - wanted) ** 2).mean())
            optimizer.step()
            schedule.step()
        ridge(first, last, inputs, wanted)
    return Target(model.eval(), domain=Box(0.0, 1.0))


def ridge(first: Any, last: Any, inputs: Any, wanted: Any) -> None:
    """Set the last layer by least squares over the hidden neurons, its weights kept small."""
    import torch

    with torch.no_grad():
        hidden = torch.relu(first(inputs)).double()
        z = torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1)
        gram = z.T @ z / len(z) + RIDGE * torch.eye(z.shape[1])
        found = torch.linalg.solve(gram, z.T @ wanted.double() / len(z))[:, 0]
        last.weight.copy_(found[None, :-1])
        last.bias.copy_(found[-1:])


def measure(config: Config, name: str, width: int) -> Point:
    """Fit, prune, certify, and evaluate the pruned network itself."""
    import torch

    target = plan(config, name, width)
    theorem = pensia2020.EXPLICIT
    network = theorem.network(target, config.epsilon, config.delta, seed=config.seed)
    best = functools.partial(subsetsum.best, backend="numpy")
    ticket = theorem.construct(network, target, config.epsilon, objective=best)
    certificate = certify(ticket, target, config.epsilon)
    x = grid(INPUTS[name], 2001 if INPUTS[name] == 1 else 101)
    wanted = FUNCTIONS[name](x)
    with torch.no_grad():
        made = ticket.compact()(torch.tensor(x, dtype=torch.float32)).numpy()[:, 0]
    return Point(
        function=name,
        width=width,
        random_weights=ticket.mask.total,
        kept_weights=ticket.mask.kept,
        plan_error=float(np.abs(target(x)[:, 0] - wanted).max()),
        pruned_error=float(np.abs(made - wanted).max()),
        certified=certificate.bound,
    )


def run(config: Config) -> Result:
    """Every function at every width."""
    jobs = [(name, width) for name in FUNCTIONS for width in config.widths]
    found = []
    with show.progress() as progress:
        for i, (name, width) in enumerate(jobs):
            progress(f"{name}, {width} hidden neurons", i, len(jobs))
            found.append(measure(config, name, width))
    return Result(tuple(found), config.epsilon)


def claims(result: Result) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    measured = result.points
    ratios = []
    for name in FUNCTIONS:
        mine = sorted((p.width, p.pruned_error) for p in measured if p.function == name)
        ratios.append(mine[0][1] / min(error for _, error in mine))
    return (
        (
            "every pruned network is certified within epsilon of its plan",
            all(p.certified <= result.epsilon for p in measured),
            f"largest {max(p.certified for p in measured):.3g} of {result.epsilon:g}",
        ),
        (
            "its error is at most the plan's plus the certified distance",
            all(p.pruned_error <= p.plan_error + p.certified for p in measured),
            f"{len(measured)} networks",
        ),
        (
            "wider plans give smaller errors, for every function",
            min(ratios) > 2,
            f"least factor from the first width on {min(ratios):.3g}",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Sup errors of plans and pruned networks against width; and the sizes behind them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, name in enumerate(FUNCTIONS):
        mine = [p for p in result.points if p.function == name]
        widths = [p.width for p in mine]
        left.plot(widths, [p.plan_error for p in mine], ":", color=f"C{i}", lw=1)
        left.plot(
            widths, [p.pruned_error for p in mine], "o-", ms=4, color=f"C{i}", label=name, lw=1.2
        )
        right.plot(widths, [p.random_weights for p in mine], "o-", ms=4, color=f"C{i}", lw=1.2)
        right.plot(widths, [p.kept_weights for p in mine], "s--", ms=4, color=f"C{i}", lw=1.2)
    left.plot([], [], ":", color="0.3", lw=1, label="the plan itself")
    left.axhline(result.epsilon, color="0.6", lw=0.8)
    left.text(left.get_xlim()[1], result.epsilon, " epsilon", fontsize=7, va="bottom", ha="right")
    left.set(xscale="log", yscale="log", xlabel="hidden neurons of the plan", ylabel="sup error")
    left.legend(fontsize=7)
    right.plot([], [], "o-", ms=4, color="0.3", label="random weights")
    right.plot([], [], "s--", ms=4, color="0.3", label="kept weights")
    right.set(xscale="log", yscale="log", xlabel="hidden neurons of the plan", ylabel="weights")
    right.legend(fontsize=7)
    for axes in (left, right):
        ticks = sorted({p.width for p in result.points})
        axes.set_xticks(ticks, [str(t) for t in ticks])
        axes.minorticks_off()
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.points))
    plot(result, figures / f"{NAME}.png")
    shown = [
        (p.function, p.width, f"{p.plan_error:.2e}", f"{p.pruned_error:.2e}", f"{p.certified:.2e}",
         f"{p.kept_weights:,} of {p.random_weights:,}")
        for p in result.points
    ]  # fmt: skip
    show.table("sup errors", ("function", "width", "plan", "pruned", "certified", "kept"), shown)
    return judged(claims(result))


if __name__ == "__main__":
    raise SystemExit(main())
