"""The weights that winning tickets keep: how their distribution changes as pruning grows.

For every round of the tickets of `frankle2019_lenet.py`, read from its folder or trained here,
the initial and the trained values of the kept weights, by layer, with the three statistics of
`strongticket.analysis.distribution`: Sarle's coefficient (normal 1/3, uniform 5/9, two atoms 1),
the share of weights within half the median magnitude of zero (below 1/4 no law with its one peak
at zero fits) and the gap around zero.

    python experiments/frankle2019_weights.py --quick         # the shipped digits, seconds
    python experiments/frankle2019_weights.py --data FOLDER --short --publish   # docs' results
    python experiments/frankle2019_weights.py --data FOLDER   # as published

Source: Frankle, Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural
networks", ICLR 2019, Section 4 and Appendix F.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from _lottery import Options, bench, steady
from _lottery_means import Mean, mean_of
from _main import judged, places, refused
from _stored import table

from strongticket.analysis import distributions
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.pruning import Lottery
from strongticket.training import History

NAME = "frankle2019_weights"
HELD = 7  # rounds of 0.8: the claims are about a density of 0.21
BINS = 90  # of the drawn histograms
SPREADS = 9.0  # how far they reach, in standard deviations of the dense initial weights


@dataclass(frozen=True)
class Config(Options):
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME


@dataclass(frozen=True)
class Kept:
    """The kept weights of one layer at one round of one seed.

    Attributes:
        setting, data, steps: what was trained.
        seed, round: of the ticket; round 0 is dense.
        density: kept fraction of this layer.
        layer: the parameter's name.
        values: "initial", the weights that training starts from, or "trained".
        count, deviation, sarle, centre, gap: see `strongticket.analysis.distribution`.
    """

    setting: str
    data: str
    steps: int
    seed: int
    round: int
    density: float
    layer: str
    values: str
    count: int
    deviation: float
    sarle: float
    centre: float
    gap: float


@dataclass(frozen=True)
class Drawn:
    """A histogram of one seed, for the figure: shares of bins in units of `spread`."""

    layer: str
    values: str
    round: int
    density: float
    spread: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    """Statistics, histograms of the first seed, and the claims that they are held to."""

    rows: tuple[Kept, ...]
    drawn: tuple[Drawn, ...]
    claims: tuple[tuple[str, bool, str], ...]


def run(config: Config) -> Result:
    """Read or train the tickets, and look at their weights."""
    setting = config.setting()
    here = bench(setting, config.data, config.runs)
    rows: list[Kept] = []
    drawn: list[Drawn] = []
    with steady(), show.progress() as progress:
        for seed in range(config.seeds):
            found = here.tickets(seed, setting.rounds, progress)
            mine, pictures = weights(found)
            drawn += pictures if not seed else []
            rows += [
                replace(
                    r, setting=setting.name, data=here.data_name, steps=setting.steps, seed=seed
                )
                for r in mine
            ]
    return Result(tuple(rows), tuple(drawn), claims(rows))


def weights(found: Lottery[History]) -> tuple[list[Kept], list[Drawn]]:
    """Every round, layer and state; the fields that name the run are left empty."""
    rows, drawn = [], []
    dense = found.rounds[0]
    spread = {n: float(found.initial[n].std()) for n in dense.masks}
    for one in found.rounds:
        for values, state in (("initial", found.initial), ("trained", one.final)):
            for name in one.masks:
                seen = distributions(
                    one.masks, state, only=[name], bins=BINS, limit=SPREADS * spread[name]
                )[name]
                density = one.densities[name]
                row = Kept(
                    setting="",
                    data="",
                    steps=0,
                    seed=0,
                    round=one.index,
                    density=density,
                    layer=name,
                    values=values,
                    count=seen.count,
                    deviation=seen.deviation,
                    sarle=seen.sarle,
                    centre=seen.centre,
                    gap=seen.gap,
                )
                rows.append(row)
                drawn.append(Drawn(name, values, one.index, density, spread[name], seen.counts))
    return rows, drawn


def statistic(rows: Sequence[Kept], layer: str, values: str, index: int, name: str) -> Mean:
    """The mean over seeds of one statistic."""
    mine = [r for r in rows if (r.layer, r.values, r.round) == (layer, values, index)]
    return mean_of([getattr(r, name) for r in mine])


def claims(rows: Sequence[Kept]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    layers = list(dict.fromkeys(r.layer for r in rows))
    rounds = sorted({r.round for r in rows})
    made = []
    for layer in layers:
        first = statistic(rows, layer, "initial", 0, "sarle")
        last = statistic(rows, layer, "initial", HELD, "sarle")
        made.append(
            (
                f"{layer}: initial values of kept weights are nearer to bimodal at round {HELD} "
                "than dense",
                last.low > first.high,
                f"Sarle's coefficient {last}, dense {first}",
            )
        )
    for layer in layers:
        one = statistic(rows, layer, "trained", HELD, "sarle")
        centre = statistic(rows, layer, "trained", HELD, "centre")
        made.append(
            (
                f"{layer}: trained values at round {HELD} are bimodal: above 5/9, centre below 1/4",
                one.low > 5 / 9 and centre.high < 1 / 4,
                f"{one}, centre {centre}",
            )
        )
    hidden = layers[:-1]
    grows = {
        layer: [statistic(rows, layer, "trained", i, "sarle").mean for i in rounds[1 : HELD + 1]]
        for layer in hidden
    }
    made.append(
        (
            f"hidden layers: trained values become more bimodal with every round up to {HELD}",
            all(bool((np.diff(v) > 0).all()) for v in grows.values()),
            "; ".join(f"{n}: {v[0]:.3f} to {v[-1]:.3f}" for n, v in grows.items()),
        )
    )
    later = {
        layer: [statistic(rows, layer, "trained", i, "sarle") for i in rounds[HELD + 1 :]]
        for layer in hidden
    }
    if rounds[-1] > HELD:
        made.append(
            (
                f"hidden layers: trained values stay more bimodal than at round {HELD}",
                all(one.low > grows[n][-1] for n, seen in later.items() for one in seen),
                "; ".join(f"{n}: {v[0]} at first, {v[-1]} at last" for n, v in later.items()),
            )
        )
    return tuple(made)


def plot(result: Result, path: Path) -> None:
    """Histograms of the first seed by layer, and Sarle's coefficient against density."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullFormatter

    layers = list(dict.fromkeys(r.layer for r in result.rows))
    last = max(r.round for r in result.rows)
    shown = [i for i in (0, 3, HELD, 11, 15) if i <= last]
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    axes = figure.subplots(3, len(layers))
    middle = (np.arange(BINS) + 0.5) / BINS * 2 * SPREADS - SPREADS
    for column, layer in enumerate(layers):
        for row, values in enumerate(("initial", "trained")):
            here = axes[row, column]
            for color, index in enumerate(shown):
                one = next(
                    d
                    for d in result.drawn
                    if (d.layer, d.values, d.round) == (layer, values, index)
                )
                height = np.array(one.counts) / max(sum(one.counts), 1) * BINS / (2 * SPREADS)
                here.step(
                    middle,
                    height,
                    where="mid",
                    lw=1,
                    color=f"C{color}",
                    label=f"{one.density:.2g}",
                )
            here.set(xlabel="weight / initial standard deviation", title=f"{layer}, {values}")
            if values == "initial":  # the trained ones have the same colours, and fill the frame
                here.legend(fontsize=6.5, title="density", title_fontsize=6.5, loc="upper right")
        below = axes[2, column]
        for color, values in enumerate(("initial", "trained")):
            rounds = sorted({r.round for r in result.rows})
            x = [
                next(r.density for r in result.rows if (r.layer, r.round) == (layer, i))
                for i in rounds
            ]
            seen = [statistic(result.rows, layer, values, i, "sarle") for i in rounds]
            below.errorbar(
                x,
                [s.mean for s in seen],
                [s.half for s in seen],
                marker="o",
                ms=3,
                capsize=2,
                color=f"C{color + 5}",
                label=values,
            )
        below.axhline(5 / 9, color="0.6", lw=0.8, ls=":")
        below.set(xscale="log", xlabel="density of the layer", ylabel="Sarle's coefficient")
        below.invert_xaxis()
        below.xaxis.set_major_locator(FixedLocator(x[::3]))
        below.set_xticklabels([f"{t:.2g}" for t in x[::3]])
        below.xaxis.set_minor_formatter(NullFormatter())
        below.legend(fontsize=7)
    first = result.rows[0]
    figure.suptitle(
        f"Kept weights, {first.data}, {first.steps:,} iterations ({first.setting} setting); "
        "histograms of seed 0, dotted: 5/9, a uniform law",
        fontsize=10,
    )
    figure.savefig(path, dpi=140)


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
    last = max(r.round for r in result.rows)
    for layer in dict.fromkeys(r.layer for r in result.rows):
        for index in (0, HELD, last) if last > HELD else (0, HELD):
            found = next(r for r in result.rows if (r.layer, r.round) == (layer, index))
            pairs = [
                str(statistic(result.rows, layer, values, index, name))
                for values in ("initial", "trained")
                for name in ("sarle", "centre")
            ]
            rows.append((layer, f"{found.density:.3f}", *pairs))
    columns = ("layer", "density", "initial: Sarle", "centre", "trained: Sarle", "centre")
    show.table(f"means over seeds, {config.setting().name} setting", columns, rows)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
