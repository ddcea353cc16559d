"""Supermasks by criteria: what a mask read off a trained network does for the untrained one.

The nine mask criteria of Zhou et al., and `large_final_same_sign`, pick a fraction of each layer's
weights from what they were before and became in one dense training (round 0 of
`frankle2019_lenet.py`). The masks are applied to the *initial* weights, nothing is trained, and
the test accuracy is measured; also with each kept weight replaced by its sign times the standard
deviation of its layer's initial weights ("signed constant").

    python experiments/zhou2019_criteria.py --quick         # the shipped digits, seconds
    python experiments/zhou2019_criteria.py --data FOLDER --short --publish   # docs' results
    python experiments/zhou2019_criteria.py --data FOLDER   # the published length of training

Source: Zhou, Lan, Liu, Yosinski, "Deconstructing lottery tickets: zeros, signs, and the
supermask", NeurIPS 2019, Sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from _lottery import (
    OTHER,
    Bench,
    Options,
    bench,
    pruned_weights,
    steady,
)
from _lottery_means import Mean, mean_of
from _main import judged, places, refused
from _stored import table
from torch import Tensor

from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import write_whole
from strongticket.pruning import CRITERIA, criterion, load_state
from strongticket.search import ratios, select
from strongticket.training import evaluate

NAME = "zhou2019_criteria"
SUPER, PLAIN, CHANCE = "large_final_same_sign", "large_final", "random"
NAMES = (*CRITERIA, SUPER)
VALUES = ("initial", "signed constant")


@dataclass(frozen=True)
class Config(Options):
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    densities: tuple[float, ...] = (0.8, 0.64, 0.5, 0.4, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05, 0.03)
    """kept fractions of every layer"""


@dataclass(frozen=True)
class Masked:
    """The test accuracy of one untrained masked network.

    Attributes:
        setting, data, steps: of the dense training that the masks are read from.
        seed: of that training; also of the criterion "random".
        criterion, density: how many of each layer's weights are kept, and by what.
        values: what the kept weights hold: "initial", or "signed constant".
        same_sign: share of the kept weights that training left on their side of zero.
        accuracy: on the test set.
        trained: that of the dense trained network at its end.
    """

    setting: str
    data: str
    steps: int
    seed: int
    criterion: str
    density: float
    values: str
    same_sign: float
    accuracy: float
    trained: float


@dataclass(frozen=True)
class Result:
    """All masked networks, and the claims that they are held to."""

    rows: tuple[Masked, ...]
    claims: tuple[tuple[str, bool, str], ...]


def run(config: Config) -> Result:
    """Read or train the dense networks, mask, and evaluate."""
    here = bench(config.setting(), config.data, config.runs)
    rows: list[Masked] = []
    with steady(), show.progress() as progress:
        for seed in range(config.seeds):
            rows += measure(here, seed, config.densities, progress)
    return Result(tuple(rows), claims(rows))


def measure(
    here: Bench, seed: int, densities: Sequence[float], progress: show.Report
) -> list[Masked]:
    """Every criterion and density on one dense training."""
    setting = here.setting
    found = here.tickets(seed, 0, progress)
    dense, model = found.rounds[0], setting.lenet().model(seed)
    trained = dense.history.final.test_accuracy
    if trained is None:
        raise InputError("the trainer must test at the end")
    start = pruned_weights(found.initial, dense.masks)
    end = pruned_weights(dense.final, dense.masks)
    constants = {n: w.sign() * w.std() for n, w in start.items()}
    held = {"initial": start, "signed constant": constants}
    shapes = {n: tuple(w.shape) for n, w in start.items()}
    rows = []
    for name in NAMES:
        progress(f"seed {seed}: {name}", 0, 0)
        scores = criterion(name, seed=seed + OTHER)(start, end)
        for density in densities:
            counts = ratios.uniform(shapes, density)
            masks = select(scores, counts, "raw")
            same = same_sign(masks, start, end)
            for values in VALUES:
                weights = {n: w * masks[n] for n, w in held[values].items()}
                load_state(model, {**found.initial, **weights})
                _, right = evaluate(model, here.data.test_x, here.data.test_y)
                rows.append(
                    Masked(
                        setting=setting.name,
                        data=here.data_name,
                        steps=setting.steps,
                        seed=seed,
                        criterion=name,
                        density=density,
                        values=values,
                        same_sign=same,
                        accuracy=right,
                        trained=trained,
                    )
                )
    return rows


def same_sign(
    masks: Mapping[str, Tensor], start: Mapping[str, Tensor], end: Mapping[str, Tensor]
) -> float:
    """The share of kept weights whose sign training did not change."""
    kept = sum(int(mask.sum()) for mask in masks.values())
    agree = sum(int((masks[n] & (start[n] * end[n] > 0)).sum()) for n in masks)
    return agree / kept


def mean(rows: Sequence[Masked], name: str, density: float, values: str) -> Mean:
    """The accuracy over the seeds."""
    wanted = (name, density, values)
    return mean_of([r.accuracy for r in rows if (r.criterion, r.density, r.values) == wanted])


def best(rows: Sequence[Masked], name: str, values: str) -> tuple[float, Mean]:
    """The density with the highest mean accuracy, and that mean."""
    densities = sorted({r.density for r in rows})
    return max(((d, mean(rows, name, d, values)) for d in densities), key=lambda p: p[1].mean)


def claims(rows: Sequence[Masked]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    at, top = best(rows, SUPER, "initial")
    others = {n: best(rows, n, "initial") for n in NAMES if n != SUPER}
    name, (where, second) = max(others.items(), key=lambda p: p[1][1].mean)
    chance = best(rows, CHANCE, "initial")[1]
    constant = best(rows, SUPER, "signed constant")[1]
    return (
        (
            f"{SUPER} on initial weights is above every density of a random mask, intervals apart",
            top.low > chance.high,
            f"{top.percent()} at {at:g}, random {chance.percent()} at most",
        ),
        (
            f"{SUPER} is above each of the nine criteria at its best density, intervals apart",
            top.low > second.high,
            f"{top.percent()}; the next, {name}, {second.percent()} at {where:g}",
        ),
        (
            f"{PLAIN} is above a random mask, each at its best density, intervals apart",
            others[PLAIN][1].low > chance.high,
            f"{others[PLAIN][1].percent()}, random {chance.percent()}",
        ),
        (
            f"{SUPER}: signed constants do no worse than the initial values",
            constant.mean >= top.low,
            f"{constant.percent()}, initial {top.percent()}",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Accuracy against density, for initial values and for signed constants."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullFormatter

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    densities = sorted({r.density for r in result.rows})
    for axes, values in zip(panels, VALUES, strict=True):
        for color, name in enumerate(NAMES):
            seen = [mean(result.rows, name, d, values) for d in densities]
            axes.errorbar(
                densities,
                [100 * s.mean for s in seen],
                [100 * s.half for s in seen],
                marker="o" if name != CHANCE else "x",
                ms=3.5,
                lw=2 if name == SUPER else 1,
                ls="--" if name == CHANCE else "-",
                capsize=2,
                color=f"C{color}" if name != CHANCE else "k",
                label=name,
            )
        axes.set(xscale="log", xlabel="density of every layer", title=f"kept weights: {values}")
        axes.invert_xaxis()
        ticks = densities[::2]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.set_xticklabels([f"{t:g}" for t in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set(ylabel="test accuracy without training, %")
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=7.5, loc="outside right upper")
    first = result.rows[0]
    count = len({r.seed for r in result.rows})
    figure.suptitle(
        f"{first.data}, masks from {first.steps:,} iterations ({first.setting} setting), "
        f"{count} seeds; bars: 95 % t-intervals",
        fontsize=10,
    )
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, seeds=min(config.seeds, 3))
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    rows = []
    for name in NAMES:
        pairs = [best(result.rows, name, values) for values in VALUES]
        cells = [text for d, m in pairs for text in (f"{d:g}", m.percent())]
        rows.append((name, *cells))
    columns = ("criterion", "best density", "initial", "best density", "signed constant")
    show.table(f"test accuracy, untrained, {config.setting().name} setting", columns, rows)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
