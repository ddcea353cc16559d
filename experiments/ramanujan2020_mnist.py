"""Edge-popup on MNIST and Fashion-MNIST: accuracy against density, width and law of the weights.

A fully connected network keeps its random weights; only which of them stay is learned. Beside
every searched mask stand its controls: the first mask before any step, a random mask with the same
counts, the mask of the worst scores, and the found mask over weights drawn anew. The method is that
of Ramanujan et al., CVPR 2020; their Section 4 has density, width and law on CIFAR-10.

    python experiments/ramanujan2020_mnist.py --data MNIST_FOLDER FASHION_FOLDER
    python experiments/ramanujan2020_mnist.py --quick            # the shipped digits, seconds
    python experiments/ramanujan2020_mnist.py --data ... --publish

Runs are kept one file each, so an interrupted experiment goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from _main import judged, places, refused
from _searching import LawName, Mean, Measured, Run, every, images, mean
from _stored import table

from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole

NAME = "ramanujan2020_mnist"
BAR, MINUTES = 0.975, 3.0  # of the first data set, if it is MNIST, and of the time on two cores
LOW = 0.1
LAWS: tuple[LawName, ...] = ("signed constant", "normal")


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: tuple[Path, ...] = ()
    """folders of MNIST and others like it; none: the shipped digits"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    hidden: tuple[int, ...] = (300, 100)
    seeds: int = 5
    """of the runs at density 0.5"""
    epochs: int = 10
    batch: int = 128
    densities: tuple[float, ...] = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9)
    factors: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    """widths of the hidden layers, in units of `hidden`"""
    sweep_seeds: int = 3
    sweep_epochs: int = 4
    sweep_batch: int = 256
    sweep_rate: float = 1.0
    """chosen for so few and such large batches on validation images, see search_methods.py"""
    controls: int = 3
    """seeds of each random control"""
    workers: int = 2
    quick: bool = False


QUICK: dict[str, Any] = {
    "hidden": (48, 24),
    "seeds": 2,
    "epochs": 8,
    "batch": 64,
    "densities": (0.1, 0.5, 0.9),
    "factors": (0.5, 1.0),
    "sweep_seeds": 1,
    "sweep_epochs": 6,
    "sweep_batch": 64,
    "controls": 1,
    "workers": 1,
}


@dataclass(frozen=True)
class Result:
    """What was measured, and the claims that it is held to."""

    main: tuple[Measured, ...]
    by_density: tuple[Measured, ...]
    by_width: tuple[Measured, ...]
    claims: tuple[tuple[str, bool, str], ...]

    @property
    def rows(self) -> tuple[Measured, ...]:
        """All of them, once each: the two sweeps cross."""
        names = ("images", "model", "density", "law", "epochs", "batch", "seed", "rate")
        rows = (*self.main, *self.by_density, *self.by_width)
        return tuple({tuple(getattr(r, n) for n in names): r for r in rows}.values())


def model_of(config: Config, data: str, factor: float = 1.0) -> str:
    """The name of the network."""
    given = images(data)
    hidden = "-".join(str(max(1, round(factor * width))) for width in config.hidden)
    return f"mlp-{given.train_x.shape[1]}-{hidden}-{int(given.train_y.max()) + 1}"


def run(config: Config) -> Result:
    """Measure and compare."""
    sets = [str(place) for place in config.data] or [""]
    main = [
        Run(
            data,
            model_of(config, data),
            epochs=config.epochs,
            batch=config.batch,
            seed=seed,
            score_seed=seed,
            order_seed=seed,
            controls=config.controls,
        )
        for data in sets
        for seed in range(config.seeds)
    ]
    sweep = [
        Run(
            data,
            model_of(config, data),
            law=law,
            seed=s,
            score_seed=s,
            order_seed=s,
            epochs=config.sweep_epochs,
            rate=config.sweep_rate,
            batch=config.sweep_batch,
        )
        for data in sets
        for law in LAWS
        for s in range(config.sweep_seeds)
    ]
    by_density = [replace(one, density=d) for one in sweep for d in config.densities]
    by_width = [replace(one, model=model_of(config, one.data, f)) for one in sweep
                for f in config.factors]  # fmt: skip
    place = config.out / "runs"
    with show.progress() as progress:
        workers = config.workers
        found = (
            tuple(every(main, place, workers, progress, "density 0.5")),
            tuple(every(by_density, place, workers, progress, "densities")),
            tuple(every(by_width, place, workers, progress, "widths")),
        )
    return Result(*found, claims(*found))


def by(rows: Sequence[Measured], *names: str) -> dict[tuple[Any, ...], Mean]:
    """Mean accuracies of the rows that agree in these fields, in the rows' order."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in names), []).append(row.accuracy)
    return {key: mean(values) for key, values in groups.items()}


def claims(
    main: Sequence[Measured], by_density: Sequence[Measured], by_width: Sequence[Measured]
) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    found: list[tuple[str, bool, str]] = []
    for name in dict.fromkeys(row.images for row in main):
        mine = [row for row in main if row.images == name]
        least = min(row.accuracy for row in mine)
        controls = max(row.best_control for row in mine)
        found.append(
            (
                f"{name}: every ticket beats every control by 30 points",
                least - controls > 0.3,
                f"worst ticket {least:.2%}, best control {controls:.2%}",
            )
        )
        if name == "mnist":
            value = mean([row.accuracy for row in mine])
            minutes = sum(row.seconds for row in mine) / 120
            found.append(
                (
                    f"{name}: mean at density 0.5 at least {BAR:.1%}, on two cores in {MINUTES:g} "
                    "minutes",
                    value.mean >= BAR and minutes <= MINUTES,
                    f"{value} of {value.count} seeds, {minutes:.2g} minutes of two cores",
                )
            )
    for name in dict.fromkeys(row.images for row in by_density):
        mine = [row for row in by_density if row.images == name]
        for law in dict.fromkeys(row.law for row in mine):
            curve = {
                d: m.mean for (d,), m in by([r for r in mine if r.law == law], "density").items()
            }
            best = max(curve, key=lambda d: curve[d])
            found.append(
                (
                    f"{name}, {law}: the best density is neither the least nor the largest",
                    min(curve) < best < max(curve),
                    f"best at {best:g}: {curve[best]:.2%}; ends {curve[min(curve)]:.2%} and "
                    f"{curve[max(curve)]:.2%}",
                )
            )
        # Below that some searches collapse, and the mean is about how many did.
        sums = {
            law: m.mean for (law,), m in by([r for r in mine if r.density >= LOW], "law").items()
        }
        found.append(
            (
                f"{name}: signed constants do better than normal weights, mean from {LOW:g} on",
                sums["signed constant"] > sums["normal"],
                f"{sums['signed constant']:.2%} and {sums['normal']:.2%}",
            )
        )
    for name in dict.fromkeys(row.images for row in by_width):
        for law in dict.fromkeys(row.law for row in by_width):
            mine = [row for row in by_width if (row.images, row.law) == (name, law)]
            values = [m.mean for m in by(mine, "model").values()]
            found.append(
                (
                    f"{name}, {law}: the widest network does better than the narrowest",
                    values[-1] > values[0],
                    " -> ".join(f"{value:.2%}" for value in values),
                )
            )
    return tuple(found)


def plot(result: Result, path: Path) -> None:
    """Test error against density and width: a line of means a data set and law, a dot a seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, name in enumerate(dict.fromkeys(row.images for row in result.by_density)):
        for law, style in zip(LAWS, ("-o", "--s"), strict=True):
            for axes, rows, field in (
                (left, result.by_density, "density"),
                (right, result.by_width, "model"),
            ):
                mine = [row for row in rows if (row.images, row.law) == (name, law)]
                points = by(mine, field)
                x = [
                    key if field == "density" else int(str(key).split("-")[2]) for (key,) in points
                ]
                y = [100 - 100 * m.mean for m in points.values()]
                label = f"{name}, {law}" if axes is left else None
                color = f"C{2 * i + (style == '--s')}"
                axes.plot(x, y, style, color=color, ms=4, lw=1.2, label=label)
                for place, (key,) in zip(x, points, strict=True):
                    each = [100 - 100 * r.accuracy for r in mine if getattr(r, field) == key]
                    axes.plot([place] * len(each), each, ".", color=color, ms=3, alpha=0.5)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", ylabel="test error, %")
        axes.set_yticks((2, 3, 5, 10, 20, 50, 90), ("2", "3", "5", "10", "20", "50", "90"))
        axes.minorticks_off()
        axes.grid(axis="y", lw=0.3)
    densities = sorted({row.density for row in result.by_density})
    left.set(xlabel="density (fraction kept)")
    left.set_xticks(densities, [f"{density:g}" for density in densities])
    right.set(xlabel="width of the first hidden layer, density 0.5")
    widths = sorted({int(row.model.split("-")[2]) for row in result.by_width})
    right.set_xticks(widths, [str(width) for width in widths])
    left.legend(fontsize=7)
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
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    fields = ("images", "law", "density", "model")
    values = by(result.by_density, *fields) | by(result.by_width, *fields)
    lines = [(*key, str(value)) for key, value in values.items()]
    show.table("test accuracy", (*fields, "mean over seeds, 95 %"), lines)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
