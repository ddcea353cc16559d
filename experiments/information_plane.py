"""Tickets on the information plane: what each layer knows of input and label along training.

A narrow network (information by binning says nothing about wide layers, where every input has a
cell of its own) is trained dense, pruned in rounds to a winning ticket, and the ticket is trained
again from its initial weights, as are the same masks over other initial weights. On the way,
binned mutual information of each hidden layer with the input, I(X; T), and with the label,
I(T; Y), on the training images.

    python experiments/information_plane.py --quick      # seconds
    python experiments/information_plane.py --publish    # results and figure of the docs
    python experiments/information_plane.py --data FOLDER    # MNIST's first images instead

Sources: Shwartz-Ziv, Tishby, "Opening the black box of deep neural networks via information",
2017; for what binning measures: Saxe et al., "On the information bottleneck theory of deep
learning", ICLR 2018; Goldfeld et al., ICML 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from _lottery import OTHER, steady
from _lottery_means import Mean, mean_of
from _main import judged, places, refused
from _stored import table
from torch import Tensor, nn

from strongticket.analysis import information_plane
from strongticket.cli import show
from strongticket.datasets import Images, digits, idx_folder
from strongticket.errors import InputError, StrongticketError
from strongticket.files import write_whole
from strongticket.pruning import LeNet, load_state, state_of
from strongticket.training import History, Recipe, Split

NAME = "information_plane"
METHODS = ("dense", "ticket", "re-initialised")
MARKS = dict(zip(METHODS, ("o", "s", "^"), strict=True))


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Path | None = None
    """folder with MNIST's four files, of which the first images are taken; else the digits"""
    images: int = 5_000
    """so many of them, and a fifth of that to test on"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    hidden: tuple[int, ...] = (32, 12, 6)
    """hidden widths"""
    steps: int = 2_000
    rate: float = 2e-3
    keep: float = 0.7
    """fraction of each hidden layer's weights that a round keeps; of the output layer's, the
    square root"""
    rounds: int = 3
    bins: int = 5
    """equal bins from the least to the largest activation of a layer at that step"""
    seeds: int = 5
    seed: int = 0
    quick: bool = False


QUICK = {"steps": 300, "rounds": 1, "keep": 0.4, "seeds": 2}


@dataclass(frozen=True)
class Known:
    """One layer of one network after some iterations; information in bits.

    Attributes:
        data, steps, seed, method: what was trained; step 0 is before training.
        density: kept fraction of all weights.
        layer, width: hidden layer from the input on, from 1, and its units.
        step: iterations so far.
        of_input, of_label: I(X; T) and I(T; Y).
        label: H(Y), the most that I(T; Y) can be.
        count: images; I(X; T) is at most its logarithm.
        distinct: cells in use over images.
        accuracy: on the test set, at the end of this training.
    """

    data: str
    steps: int
    seed: int
    method: str
    density: float
    layer: int
    width: int
    step: int
    of_input: float
    of_label: float
    label: float
    count: int
    distinct: float
    accuracy: float


@dataclass(frozen=True)
class Result:
    """All points of the plane, and the claims that they are held to."""

    rows: tuple[Known, ...]
    claims: tuple[tuple[str, bool, str], ...]


def run(config: Config) -> Result:
    """Train and look."""
    images = digits() if config.data is None else first(idx_folder(config.data), config.images)
    lenet = LeNet(
        widths=(images.train_x.shape[1], *config.hidden, 10),
        recipe=Recipe(steps=config.steps, rate=config.rate, every=10),
        validation=len(images.train_x) // 7,
        keep=config.keep,
        keep_output=config.keep**0.5,
    )
    data = lenet.split(images)
    rows: list[Known] = []
    with steady(), show.progress() as progress:
        for i in range(config.seeds):
            progress("seeds", i, config.seeds)
            rows += measure(config, lenet, data, images.name, config.seed + i)
    return Result(tuple(rows), claims(rows))


def first(images: Images, count: int) -> Images:
    """The first `count` training images and a fifth as many test images."""
    return replace(
        images,
        train_x=images.train_x[:count],
        train_y=images.train_y[:count],
        test_x=images.test_x[: count // 5],
        test_y=images.test_y[: count // 5],
    )


def measure(config: Config, lenet: LeNet, data: Split, name: str, seed: int) -> list[Known]:
    """The dense network, its ticket, and the control, of one seed."""
    found = lenet.lottery(data, seed, config.rounds)
    last = found.rounds[-1]
    other = state_of(lenet.model(seed + OTHER))
    rows = []
    for method, state, one in (
        ("dense", found.initial, found.rounds[0]),
        ("ticket", found.initial, last),
        ("re-initialised", other, last),
    ):
        model = lenet.model(seed)
        load_state(model, {n: v * one.masks[n] if n in one.masks else v for n, v in state.items()})
        points, history = watched(config, lenet, data, model, one.masks, seed)
        accuracy = history.final.test_accuracy
        if accuracy is None:
            raise InputError("the trainer must test at the end")
        if method != "re-initialised" and history != one.history:
            raise InputError("watching a training must not change it")
        rows += [
            replace(p, data=name, seed=seed, method=method, density=one.density, accuracy=accuracy)
            for p in points
        ]
    return rows


def watched(
    config: Config,
    lenet: LeNet,
    data: Split,
    model: nn.Module,
    masks: Mapping[str, Tensor],
    seed: int,
) -> tuple[list[Known], History]:
    """Train, and look at the hidden layers at a growing distance of iterations."""
    layers = [str(2 * i + 1) for i in range(len(config.hidden))]  # the ReLUs
    at = moments(config.steps)
    rows: list[Known] = []

    def look(step: int) -> None:
        if step not in at:
            return
        points = information_plane(
            model, data.train_x, data.train_y, layers, step, bins=config.bins
        )
        for number, (point, width) in enumerate(zip(points, config.hidden, strict=True), 1):
            seen = point.information
            rows.append(
                Known(
                    data="",
                    steps=config.steps,
                    seed=0,
                    method="",
                    density=0.0,
                    layer=number,
                    width=width,
                    step=step,
                    of_input=seen.of_input,
                    of_label=seen.of_label,
                    label=seen.label,
                    count=seen.count,
                    distinct=seen.distinct,
                    accuracy=0.0,
                )
            )

    look(0)
    trainer = replace(lenet.trainer(data, seed), progress=lambda done, total: look(done))
    return rows, trainer(model, masks)


def moments(steps: int) -> frozenset[int]:
    """0, then tens that grow by about a third each, and the end."""
    found, at = {0, steps}, 10.0
    while at < steps:
        found.add(round(at / 10) * 10)
        at *= 1.35
    return frozenset(found)


def mean(rows: Sequence[Known], method: str, layer: int, step: int, what: str) -> Mean:
    """The mean over seeds at one step."""
    mine = [r for r in rows if (r.method, r.layer, r.step) == (method, layer, step)]
    return mean_of([getattr(r, what) for r in mine])


def fall(rows: Sequence[Known], method: str, layer: int) -> Mean:
    """By how many bits I(X; T) ends below its largest value along the training."""
    falls = []
    for seed in sorted({r.seed for r in rows}):
        mine = [r for r in rows if (r.method, r.layer, r.seed) == (method, layer, seed)]
        ordered = sorted(mine, key=lambda r: r.step)
        falls.append(max(r.of_input for r in ordered) - ordered[-1].of_input)
    return mean_of(falls)


def claims(rows: Sequence[Known]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured), at the last hidden layer."""
    layer, end = max(r.layer for r in rows), max(r.step for r in rows)
    dense, ticket = (mean(rows, m, layer, end, "of_label") for m in ("dense", "ticket"))
    begin = [mean(rows, m, layer, 0, "of_label") for m in ("dense", "ticket")]
    fresh = {(r.method, r.seed): r.of_label for r in rows if (r.layer, r.step) == (layer, 0)}
    seeds = sorted({r.seed for r in rows})
    within = all(
        r.of_label <= min(r.label, r.of_input) + 1e-9 and 2**r.of_input <= r.count * (1 + 1e-9)
        for r in rows
    )
    return (
        (
            "no layer knows more of the label than it knows at all, or than there is to know",
            within,
            f"{len(rows)} points",
        ),
        (
            "training teaches the last hidden layer the label, dense and ticket, intervals apart",
            dense.low > begin[0].high and ticket.low > begin[1].high,
            f"dense {begin[0]} to {dense}, ticket {begin[1]} to {ticket} bits",
        ),
        (
            "the ticket's last hidden layer knows the label as well as the dense one's: not below "
            "its interval",
            ticket.mean >= dense.low,
            f"{ticket}, dense {dense} bits",
        ),
        (
            "before any training every ticket's last hidden layer knows more of the label than the "
            "dense one's",
            all(fresh["ticket", s] > fresh["dense", s] for s in seeds),
            ", ".join(f"{fresh['ticket', s]:.2f} > {fresh['dense', s]:.2f}" for s in seeds),
        ),
    )


def plot(result: Result, path: Path) -> None:
    """The plane, one panel a layer; means over seeds, darker with every iteration."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    layers = sorted({r.layer for r in result.rows})
    steps = sorted({r.step for r in result.rows})
    figure = Figure(figsize=(3.4 * len(layers) + 1, 4), layout="constrained")
    panels = figure.subplots(1, len(layers), squeeze=False)[0]
    names = dict(zip(METHODS, ("Blues", "Oranges", "Greens"), strict=True))
    for axes, layer in zip(panels, layers, strict=True):
        for method in METHODS:
            colors = colormaps[names[method]]
            x = [mean(result.rows, method, layer, s, "of_input").mean for s in steps]
            y = [mean(result.rows, method, layer, s, "of_label").mean for s in steps]
            axes.plot(x, y, lw=0.8, color=colors(0.6))
            for i, point in enumerate(zip(x, y, strict=True)):
                shade = colors(0.3 + 0.7 * i / (len(steps) - 1))
                axes.plot(*point, MARKS[method], ms=4, color=shade)
            axes.plot([], [], MARKS[method], ms=4, color=colors(0.8), label=method)
        width = next(r.width for r in result.rows if r.layer == layer)
        axes.set(title=f"hidden layer {layer}, {width} units", xlabel="I(X; T), bits")
    panels[0].set(ylabel="I(T; Y), bits")
    panels[-1].legend(fontsize=8)
    one = result.rows[0]
    density = next(r.density for r in result.rows if r.method == "ticket")
    count = len({r.seed for r in result.rows})
    figure.suptitle(
        f"{one.data}, {one.count:,} training images, {one.steps:,} iterations (darker: later), "
        f"ticket of density {density:.2f}, means of {count} seeds",
        fontsize=10,
    )
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)  # type: ignore[arg-type]
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    rows = []
    end = max(r.step for r in result.rows)
    for method in METHODS:
        mine = {r.seed: r.accuracy for r in result.rows if r.method == method}
        for layer in sorted({r.layer for r in result.rows}):
            seen = [mean(result.rows, method, layer, end, w) for w in ("of_input", "of_label")]
            cells = (f"{seen[0]}", f"{seen[1]}", str(fall(result.rows, method, layer)))
            rows.append((method, layer, *cells, mean_of(list(mine.values())).percent()))
    columns = ("network", "layer", "I(X; T)", "I(T; Y)", "I(X; T): fall from peak", "test")
    show.table(f"bits after {end:,} iterations, means over seeds", columns, rows)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
