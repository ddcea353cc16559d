"""Winning tickets of LeNet-300-100 on MNIST, beside their controls.

Accuracy and early-stopping iteration against density, for tickets of iterative pruning, one-shot
pruning at the same numbers of weights in every layer, the same masks over other initial weights,
and the tickets' connections rearranged within their layers. Every method is trained alike, by
the published recipe but for the number of iterations, which `--short` cuts.

    python experiments/frankle2019_lenet.py --quick         # the shipped digits, seconds
    python experiments/frankle2019_lenet.py --data FOLDER --short --publish   # docs' results
    python experiments/frankle2019_lenet.py --data FOLDER   # the published length

FOLDER holds the four files of MNIST. Trained rounds stay in `runs` and are not trained again.

Source: Frankle, Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural
networks", ICLR 2019, Sections 2 and 4 and Appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from _lottery import CONTROLS, Bench, Options, bench, steady
from _lottery_means import Mean, mean_of
from _main import judged, places, refused
from _stored import table

from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import write_whole
from strongticket.training import History

NAME = "frankle2019_lenet"
HELD = 7  # rounds of 0.8: the claims are about a density of 0.21
METHODS = ("ticket", *CONTROLS)
COLORS = dict(zip(METHODS, ("C0", "C2", "C1", "C3"), strict=True))


@dataclass(frozen=True)
class Config(Options):
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME


@dataclass(frozen=True)
class Trained:
    """One training.

    Attributes:
        setting, data, steps, every: what was trained, and how long; evaluated each `every`.
        seed: of initial weights and batches.
        method: "ticket" (round 0: the dense network) or a control.
        round, density: rounds of pruning, kept fraction of all weights.
        early_step: the iteration with the lowest validation loss, `early_loss`.
        early_accuracy, final_accuracy: on the test set, at that iteration and at the end.
        reached: first evaluation with a validation loss no higher than the re-initialised
            network's lowest, at the same seed and density; -1 where there is none.
    """

    setting: str
    data: str
    steps: int
    every: int
    seed: int
    method: str
    round: int
    density: float
    early_step: int
    early_loss: float
    early_accuracy: float
    final_accuracy: float
    reached: int


@dataclass(frozen=True)
class Point:
    """Means over the seeds of one method at one density; halves of 95 % t-intervals."""

    setting: str
    method: str
    round: int
    density: float
    seeds: int
    accuracy: float
    accuracy_half: float
    early_step: float
    early_half: float
    final_accuracy: float
    final_half: float


@dataclass(frozen=True)
class Result:
    """All trainings, their means, and the claims that they are held to."""

    trained: tuple[Trained, ...]
    points: tuple[Point, ...]
    claims: tuple[tuple[str, bool, str], ...]


def run(config: Config) -> Result:
    """Train what is not there yet, and compare."""
    setting = config.setting()
    here = bench(setting, config.data, config.runs)
    rows: list[Trained] = []
    with steady(), show.progress() as progress:
        for seed in range(config.seeds):
            rows += measure(here, seed, progress)
    points = means(rows)
    return Result(tuple(rows), points, claims(rows))


def measure(here: Bench, seed: int, progress: show.Report) -> list[Trained]:
    """Everything of one seed."""
    setting = here.setting
    found = here.tickets(seed, setting.rounds, progress)
    rows = []
    for one in found.rounds:
        histories = {"ticket": one.history}
        if one.index in setting.compared:
            for name in CONTROLS:
                progress(f"seed {seed}, round {one.index}: {name}", 0, 0)
                histories[name] = here.control(name, found, one.index, seed)
        level = histories.get("re-initialised")
        for method, history in histories.items():
            early = history.early_stop
            if early.test_accuracy is None or history.final.test_accuracy is None:
                raise InputError("the trainer must test at the lowest loss and at the end")
            rows.append(
                Trained(
                    setting=setting.name,
                    data=here.data_name,
                    steps=setting.steps,
                    every=setting.every,
                    seed=seed,
                    method=method,
                    round=one.index,
                    density=one.density,
                    early_step=early.step,
                    early_loss=early.loss,
                    early_accuracy=early.test_accuracy,
                    final_accuracy=history.final.test_accuracy,
                    reached=-1 if level is None else reached(history, level),
                )
            )
    return rows


def reached(history: History, level: History) -> int:
    """The first evaluation of `history` as low in validation loss as the lowest of `level`."""
    wanted = level.early_stop.loss
    return min((e.step for e in history.evaluations if e.loss <= wanted), default=-1)


def means(rows: Sequence[Trained]) -> tuple[Point, ...]:
    """Over the seeds, for each method and round."""
    points = []
    for method in METHODS:
        for index in sorted({r.round for r in rows if r.method == method}):
            mine = [r for r in rows if (r.method, r.round) == (method, index)]
            accuracy = mean_of([r.early_accuracy for r in mine])
            step, final = early(mine), mean_of([r.final_accuracy for r in mine])
            points.append(
                Point(
                    setting=mine[0].setting,
                    method=method,
                    round=index,
                    density=mine[0].density,
                    seeds=len(mine),
                    accuracy=accuracy.mean,
                    accuracy_half=accuracy.half,
                    early_step=step.mean,
                    early_half=step.half,
                    final_accuracy=final.mean,
                    final_half=final.half,
                )
            )
    return tuple(points)


def early(rows: Sequence[Trained]) -> Mean:
    """The mean early-stopping iteration."""
    return mean_of([float(r.early_step) for r in rows])


def accuracy(rows: Sequence[Trained], method: str, index: int) -> Mean:
    """The mean test accuracy at the early-stopping iteration."""
    mine = [r.early_accuracy for r in rows if (r.method, r.round) == (method, index)]
    return mean_of(mine)


def claims(rows: Sequence[Trained]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured), at a density of 0.21."""
    dense, ticket = accuracy(rows, "ticket", 0), accuracy(rows, "ticket", HELD)
    at = "at a density of 0.21"
    made = [
        (
            f"{at} the ticket is as accurate as the dense network: not below its interval",
            ticket.mean >= dense.low,
            f"{ticket.percent()}, dense {dense.percent()}",
        )
    ]
    for name in ("re-initialised", "rearranged"):
        control = accuracy(rows, name, HELD)
        made.append(
            (
                f"{at} the {name} network is below the ticket, the two intervals apart",
                control.high < ticket.low,
                f"{control.percent()}, ticket {ticket.percent()}",
            )
        )
    pairs = {
        (r.seed, r.method): r
        for r in rows
        if r.round == HELD and r.method in ("ticket", "re-initialised")
    }
    seeds = sorted({seed for seed, _ in pairs})
    times = [(pairs[s, "ticket"].reached, pairs[s, "re-initialised"].early_step) for s in seeds]
    made.append(
        (
            f"{at} every ticket is sooner at the re-initialised network's lowest validation loss",
            all(0 <= mine < other for mine, other in times),
            ", ".join(f"{mine} < {other}" for mine, other in times),
        )
    )
    return tuple(made)


def compared(rows: Sequence[Trained]) -> list[tuple[str, str, str]]:
    """(what, published, measured); the published numbers are second-hand."""
    by = {(r.seed, r.method, r.round): r for r in rows}
    seeds = sorted({r.seed for r in rows})

    def gain(a: tuple[str, int], b: tuple[str, int]) -> str:
        points = [100 * (by[(s, *a)].early_accuracy - by[(s, *b)].early_accuracy) for s in seeds]
        one = mean_of(points)
        return f"{one.mean:+.2f} ± {one.half:.2f} points"

    def ratio(a: tuple[str, int], b: tuple[str, int]) -> str:
        return str(mean_of([by[(s, *a)].early_step / by[(s, *b)].early_step for s in seeds]))

    held, other, dense = ("ticket", HELD), ("re-initialised", HELD), ("ticket", 0)
    shown = [
        ("early stop, ticket at 0.21 / dense", "0.62", ratio(held, dense)),
        ("early stop, re-initialised / ticket, 0.21", "2.51", ratio(other, held)),
        ("accuracy, ticket less re-initialised, 0.21", "+0.5 points", gain(held, other)),
        ("accuracy, ticket less dense, 0.21", "as accurate or more", gain(held, dense)),
    ]
    shown += [
        (f"accuracy, ticket at {density} less dense", claimed, gain(("ticket", index), dense))
        for index, density, claimed in ((9, 0.135, "+0.3 points"), (15, 0.036, "about 0"))
        if (seeds[0], "ticket", index) in by
    ]
    return shown


def plot(result: Result, path: Path) -> None:
    """Accuracy and early-stopping iteration against density."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullFormatter

    figure = Figure(figsize=(9.6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    dense = next(p for p in result.points if p.round == 0)
    for method in METHODS:
        mine = [p for p in result.points if p.method == method]
        x = [p.density for p in mine]
        for axes, value, half, scale in (
            (left, "accuracy", "accuracy_half", 100.0),
            (right, "early_step", "early_half", 1.0),
        ):
            axes.errorbar(
                x,
                [scale * getattr(p, value) for p in mine],
                [scale * getattr(p, half) for p in mine],
                marker="o",
                ms=4,
                lw=1.2,
                capsize=2,
                color=COLORS[method],
                label=method,
            )
    low, high = dense.accuracy - dense.accuracy_half, dense.accuracy + dense.accuracy_half
    left.axhspan(100 * low, 100 * high, color="0.88", zorder=0, label="dense, 95 % interval")
    left.set(ylabel="test accuracy at early stopping, %")
    right.set(ylabel="early-stopping iteration")
    right.axhline(result.trained[0].steps, color="0.6", lw=0.8, ls=":")
    ticks = sorted({p.density for p in result.points if p.method == "ticket"})
    ticks = ticks[:: -(-len(ticks) // 8)]
    for axes in (left, right):
        axes.set(xscale="log", xlabel="density (kept fraction of weights)")
        axes.invert_xaxis()
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.set_xticklabels([f"{t:.2g}" for t in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
    left.legend(fontsize=8)
    first = result.trained[0]
    figure.suptitle(
        f"{first.data}, {first.steps:,} iterations ({first.setting} setting), "
        f"{dense.seeds} seeds; bars: 95 % t-intervals",
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
    write_whole(tables / f"{NAME}.csv", table(result.trained))
    write_whole(tables / f"{NAME}_means.csv", table(result.points))
    plot(result, figures / f"{NAME}.png")
    show.table(
        f"means over {config.seeds} seeds, {config.setting().name} setting",
        ("method", "density", "test accuracy", "early stop"),
        [
            (
                p.method,
                f"{p.density:.3f}",
                Mean(p.accuracy, p.accuracy_half, p.seeds).percent(),
                str(Mean(p.early_step, p.early_half, p.seeds)),
            )
            for p in result.points
        ],
    )
    show.table(
        "published and measured", ("what", "published", "measured"), compared(result.trained)
    )
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
