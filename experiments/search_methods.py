"""The methods of mask search side by side, at an equal budget, on one network.

Every method gets the same frozen weights, images, epochs and batches, and a learning rate that was
chosen for it beforehand on validation images of the training set (never on the test set). At
density 0.5 all nine methods run, and edge-popup with one ranking over all layers; at density 0.02
those that keep what they are told, with equal densities of the layers, by the Erdos-Renyi rule or
by one ranking, at once or down a ramp.

    python experiments/search_methods.py --data MNIST_FOLDER
    python experiments/search_methods.py --quick             # the shipped digits, seconds
    python experiments/search_methods.py --data ... --tune   # choose the rates again
    python experiments/search_methods.py --data ... --publish

Runs are kept one file each, so an interrupted experiment goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from _main import judged, places, refused
from _searching import Measured, Run, every, images, mean
from _stored import table

from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole

NAME = "search_methods"
MODERATE, SPARSE = 0.5, 0.02
POINTS = 0.02  # how near the toolkit's best edge-popup must be to the best method

# Chosen by --tune on 5,000 validation images of MNIST, by one seed that no run uses.
RATES: dict[str, float] = {
    "edge-popup": 1.0,
    "iterand": 3.0,
    "biprop": 1.0,
    "gem-miner": 3.0,
    "multicoated": 3.0,
    "bernoulli": 100.0,
    "hard-concrete": 1000.0,
    "signed-supermask": 0.5,
    "continuous-sparsification": 100.0,
}
TRIED: dict[str, tuple[float, ...]] = {
    "edge-popup": (0.1, 0.3, 1.0, 3.0),
    "iterand": (0.1, 0.3, 1.0, 3.0, 10.0),
    "biprop": (0.1, 0.3, 1.0, 3.0),
    "gem-miner": (1.0, 3.0, 10.0),
    "multicoated": (0.1, 1.0, 3.0, 10.0),
    "bernoulli": (10.0, 100.0, 1000.0),
    "hard-concrete": (10.0, 100.0, 1000.0, 1e4),
    "signed-supermask": (5e-3, 5e-2, 0.5, 5.0),
    "continuous-sparsification": (0.1, 1.0, 10.0, 100.0, 1000.0),
}

AT_MODERATE: tuple[dict[str, Any], ...] = (
    {"method": "edge-popup"},
    {"method": "edge-popup", "scope": "global"},
    {"method": "iterand"},
    {"method": "biprop"},
    {"method": "gem-miner"},
    {"method": "multicoated"},
    {"method": "bernoulli"},
    {"method": "hard-concrete"},
    {"method": "signed-supermask"},
    {"method": "continuous-sparsification"},
)
AT_SPARSE: tuple[dict[str, Any], ...] = (
    {"method": "edge-popup"},
    {"method": "edge-popup", "ramp": 0.5},
    {"method": "edge-popup", "ratio": "erk", "ramp": 0.5},
    {"method": "edge-popup", "scope": "global", "ramp": 0.5},
    {"method": "iterand", "scope": "global", "ramp": 0.5},
    {"method": "gem-miner"},
    {"method": "gem-miner", "ramp": 0.5},
    {"method": "multicoated"},
)

SPARSE_RATES: dict[str, float] = {
    "edge-popup": 1.0,
    "edge-popup, ramp": 0.3,
    "edge-popup, erk, ramp": 0.3,
    "edge-popup, global, ramp": 0.3,
    "iterand, global, ramp": 1.0,
    "gem-miner": 3.0,
    "gem-miner, ramp": 3.0,
    "multicoated": 1.0,
}
SPARSE_TRIED = {"gem-miner": (1.0, 3.0, 10.0)}
RANKED_TRIED = (0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Path | None = None
    """folder of MNIST or one like it; none: the shipped digits"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the tables and the figure where the documentation has them, instead of to `out`"""
    tune: bool = False
    """choose the learning rates, on validation images, and stop"""
    hidden: tuple[int, ...] = (300, 100)
    seeds: int = 3
    epochs: int = 4
    batch: int = 256
    tune_epochs: int = 4
    validation: int = 5000
    controls: int = 2
    """seeds of each random control"""
    workers: int = 2
    quick: bool = False


QUICK: dict[str, Any] = {
    "hidden": (48, 24),
    "seeds": 1,
    "epochs": 6,
    "batch": 64,
    "tune_epochs": 1,
    "validation": 200,
    "controls": 1,
    "workers": 1,
}


@dataclass(frozen=True)
class Result:
    """What was measured, and the claims that it is held to."""

    rows: tuple[Measured, ...]
    claims: tuple[tuple[str, bool, str], ...]


def model_of(config: Config, data: str) -> str:
    """The name of the network."""
    given = images(data)
    hidden = "-".join(map(str, config.hidden))
    return f"mlp-{given.train_x.shape[1]}-{hidden}-{int(given.train_y.max()) + 1}"


def runs(config: Config) -> list[Run]:
    """Every method at its rate, for every seed."""
    data = "" if config.data is None else str(config.data)
    base = Run(data, model_of(config, data), epochs=config.epochs, batch=config.batch,
               controls=config.controls)  # fmt: skip
    wanted = [(SPARSE, options) for options in AT_SPARSE]
    wanted += [(MODERATE, options) for options in AT_MODERATE]
    made = [
        replace(base, density=density, seed=seed, score_seed=seed, order_seed=seed, **options)
        for density, options in wanted
        for seed in range(config.seeds)
    ]
    return [replace(one, rate=rate_of(one)) for one in made]


def rate_of(one: Run) -> float:
    """The rate that was chosen for the method, or at the low density for its variant."""
    return SPARSE_RATES[one.variant] if one.density == SPARSE else RATES[one.method]


def run(config: Config) -> Result:
    """Measure and compare."""
    with show.progress() as progress:
        rows = every(runs(config), config.out / "runs", config.workers, progress, "methods")
    return Result(tuple(rows), claims(rows))


def tuned(config: Config) -> list[Measured]:
    """Every rate that is tried, judged on validation images, one seed that no run uses."""
    data = "" if config.data is None else str(config.data)
    base = Run(data, model_of(config, data), epochs=config.tune_epochs, batch=config.batch,
               seed=999, score_seed=999, order_seed=999, validation=config.validation)  # fmt: skip
    tries = [
        replace(base, density=SPARSE, rate=rate, **options)
        for options in AT_SPARSE
        for rate in SPARSE_TRIED.get(options["method"], RANKED_TRIED)
    ]
    tries += [replace(base, method=m, rate=rate) for m, rates in TRIED.items() for rate in rates]
    with show.progress() as progress:
        return every(tries, config.out / "runs", config.workers, progress, "rates")


def accuracies(rows: Sequence[Measured], density: float) -> Mapping[str, list[float]]:
    """By variant, in the rows' order."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.density == density:
            found.setdefault(row.variant, []).append(row.accuracy)
    return found


def claims(rows: Sequence[Measured]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    sparse = {name: mean(v) for name, v in accuracies(rows, SPARSE).items()}
    moderate = {name: mean(v) for name, v in accuracies(rows, MODERATE).items()}
    popup = [name for name in sparse if name.startswith("edge-popup")]
    others = [name for name in sparse if name not in popup]
    best, rival = (
        max(popup, key=lambda n: sparse[n].mean),
        max(others, key=lambda n: sparse[n].mean),
    )
    mine = [row for row in rows if row.variant == best and row.density == SPARSE]
    least = min(row.least_density for row in mine)
    gain = min(row.accuracy - row.best_control for row in rows if row.density == MODERATE)
    plain, again = moderate["edge-popup"], moderate["iterand"]
    return (
        (
            f"density {SPARSE:g}: edge-popup does not collapse with {best.partition(', ')[2]}",
            least > 0 and min(row.accuracy for row in mine) > 0.5,
            f"sparsest layer {least:.2%}, worst seed {min(r.accuracy for r in mine):.2%}",
        ),
        (
            f"density {SPARSE:g}: within {100 * POINTS:g} points of the best other method",
            sparse[best].mean >= sparse[rival].mean - POINTS,
            f"{best}: {sparse[best]}; {rival}: {sparse[rival]}",
        ),
        (
            f"density {SPARSE:g}: a ramp is what equal layer densities need",
            sparse["edge-popup, ramp"].mean > sparse["edge-popup"].mean + 0.1,
            f"{sparse['edge-popup']} at once, {sparse['edge-popup, ramp']} down a ramp",
        ),
        (
            f"density {MODERATE:g}: so short a search does not tell IteRand from edge-popup",
            abs(again.mean - plain.mean) <= again.half + plain.half,
            f"{again} and {plain}",
        ),
        (
            f"density {MODERATE:g}: every ticket beats the first mask, random masks, the inverted "
            "mask and new weights by 50 points",
            gain > 0.5,
            f"by {100 * gain:.3g} points at least",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Test error of every variant, each seed a dot, with its controls."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4), layout="constrained")
    for axes, density in zip(figure.subplots(1, 2), (MODERATE, SPARSE), strict=True):
        names = list(accuracies(result.rows, density))
        for i, name in enumerate(reversed(names)):
            mine = [r for r in result.rows if r.variant == name and r.density == density]
            axes.plot(
                [100 - 100 * r.accuracy for r in mine], [i] * len(mine), "o", color="C0", ms=4
            )
            for field, mark, colour in (("random", "x", "0.5"), ("redrawn", "+", "C1")):
                axes.plot([100 - 100 * getattr(r, field) for r in mine], [i] * len(mine), mark,
                          color=colour, ms=5)  # fmt: skip
        axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=7)
        axes.set(title=f"density {density:g}", xlabel="test error, %", xscale="log", xlim=(2, 100))
        axes.set_xticks((2, 3, 5, 10, 20, 50, 100), ("2", "3", "5", "10", "20", "50", "100"))
        axes.minorticks_off()
        axes.grid(axis="x", lw=0.3)
    for mark, colour, label in (
        ("o", "C0", "found"),
        ("x", "0.5", "random mask, equal counts"),
        ("+", "C1", "found mask, new weights"),
    ):
        axes.plot([], [], mark, color=colour, label=label)
    figure.legend(
        *axes.get_legend_handles_labels(), fontsize=7, ncols=3, loc="outside lower center"
    )
    figure.savefig(path, dpi=150)


def show_rows(rows: Sequence[Measured]) -> None:
    """Means over seeds, as a table."""
    lines = []
    for density in sorted({row.density for row in rows}, reverse=True):
        for name, values in accuracies(rows, density).items():
            mine = [r for r in rows if r.variant == name and r.density == density]
            kept = mean([r.kept_density for r in mine]).mean
            seconds = mean([r.seconds for r in mine]).mean
            random = mean([r.random for r in mine]).mean
            lines.append((f"{density:g}", name, mine[0].rate, str(mean(values)), f"{random:.2%}",
                          f"{kept:.4f}", f"{seconds:.0f} s"))  # fmt: skip
    columns = ("density", "method", "rate", "accuracy", "random mask", "kept", "CPU")
    show.table("methods", columns, lines)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    try:
        tables, figures = places(config)
        if config.tune:
            rows = tuned(config)
            write_whole(tables / f"{NAME}_tuning.csv", table(rows))
            lines = [(f"{r.density:g}", r.variant, r.rate, f"{r.accuracy:.2%}") for r in rows]
            show.table("validation accuracy", ("density", "method", "rate", "accuracy"), lines)
            return 0
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    show_rows(result.rows)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
