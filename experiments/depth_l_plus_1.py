"""Depth L + 1 beside depth 2L: widths, random weights, kept weights and certified errors.

Targets of depth 2 to 8 are built at one accuracy a weight, once by two layers for one and once
with neurons in copies, with the lightest, the sparsest, the nearest and the first subsets that
are within the accuracy. All errors are certified over the whole box, so they hold the
amplification by the copies. A second table has what the theorems ask for.

    python experiments/depth_l_plus_1.py [--quick] [--out FOLDER]
    python experiments/depth_l_plus_1.py --publish    # results and figure of the docs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table

from strongticket import Box, Network, Target, Uniform, subsetsum
from strongticket.bounds import rational
from strongticket.cli import show
from strongticket.construct import LayerAccuracy, Objective, copies, source_widths, two_layer
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.theorems import _copies_plan, burkholz2022, pensia2020
from strongticket.theorems._plan import Norms
from strongticket.verify import certify

NAME = "depth_l_plus_1"
OBJECTIVES: dict[str, Objective] = {
    "lightest": subsetsum.lightest,
    "sparsest": subsetsum.sparsest,
    "within": subsetsum.within,
    "best": subsetsum.best,
}
TWO_LAYERS = "two layers"
NAMES = {
    "within": "the first within reach",
    "best": "nearest",
}  # where an objective says too little
MASS = 6.0  # what the theorem's widths allow the selected weights to weigh, in row sums


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the tables and the figure where the documentation has them, instead of to `out`"""
    depths: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    width: int = 6
    accuracy: float = 2.0**-10
    """of every weight"""
    candidates: int = 20
    """subset sums are over so many at first, and over as many more where they miss"""
    epsilon: float = 0.5
    """for which the theorems are asked"""
    delta: float = 0.01
    seeds: int = 5
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"depths": (2, 4, 8), "seeds": 2}


@dataclass(frozen=True)
class Built:
    """One ticket.

    Attributes:
        depth, seed: of the target.
        how: "two layers", or the objective of the copies.
        layers, width, weights: Random layers, hidden neurons, random weights of the source.
        kept: Weights that stay.
        amplification: The product of all masses; of all row sums of effective weights for two
            layers.
        norms: The product of the target's row sums, from the second layer on.
        bound: Certified error over the box.
        missed: Weights beyond the accuracy.
    """

    depth: int
    seed: int
    how: str
    layers: int
    width: int
    weights: int
    kept: int
    amplification: float
    norms: float
    bound: float
    missed: int


@dataclass(frozen=True)
class AskedFor:
    """What a theorem asks for a target, for the continuous law of weights.

    `grid`: whether 24-bit weights are fine enough for the theorem there.
    """

    depth: int
    theorem: str
    width: int
    weights: int
    grid: bool


@dataclass(frozen=True)
class Result:
    """What was measured, and the claims that it is held to."""

    built: tuple[Built, ...]
    asked: tuple[AskedFor, ...]
    claims: tuple[tuple[str, bool, str], ...]


def target_of(depth: int, width: int, seed: int) -> Target:
    """Random layers whose rows have absolute sum 2: norms and activations neither die nor burst."""
    rng = np.random.default_rng([seed, depth])
    layers = []
    for _ in range(depth):
        w = rng.uniform(-1, 1, (width, width))
        w *= 2 / np.abs(w).sum(1, keepdims=True)
        layers.append((w.astype(np.float32), None))
    return Target(layers, Box(0.0, 1.0))


def build(config: Config, depth: int, seed: int, how: str) -> Built:
    """Construct and certify one ticket."""
    target = target_of(depth, config.width, seed)
    aims = [LayerAccuracy(config.accuracy)] * depth
    pool = 6 * config.candidates  # half of a pool has the sign that is of use
    common: dict[str, Any] = {"window": config.candidates, "strict": False}
    if how == TWO_LAYERS:
        widths = [config.width]
        for _ in range(depth):
            widths += [pool * config.width, config.width]
        network = Network.mlp(widths, laws=[Uniform(1.0), Uniform(4.0)] * depth, seed=seed)
        ticket = two_layer(network, target, aims, objective=subsetsum.within, **common)
    else:
        counts = [3 * config.candidates] * (depth - 1)
        laws = [Uniform(1.0), Uniform(4.0), *[Uniform(1.0)] * (depth - 1)]
        network = Network.mlp(source_widths(target, pool, counts), laws=laws, seed=seed)
        ticket = copies(network, target, aims, objective=OBJECTIVES[how], **common)
    certificate = certify(ticket, target)
    reports = ticket.provenance["layers"]
    if how == TWO_LAYERS:
        rows = [
            np.abs(layer.plus).sum(1).max() * 2.0**layer.exponent
            for layer in certificate.layers[1:]
        ]
    else:
        rows = [report["mass"] for report in reports[1:]]
    norms = [float(np.abs(w.astype(np.float64)).sum(1).max()) for w in target.weights[1:]]
    widths = list(network.architecture.widths)  # type: ignore[union-attr]
    return Built(
        depth=depth,
        seed=seed,
        how=how,
        layers=len(widths) - 1,
        width=sum(widths[1:-1]),
        weights=sum(p.numel for p in network.parameters),
        kept=ticket.mask.kept,
        amplification=float(np.prod(rows)),
        norms=float(np.prod(norms)),
        bound=certificate.bound,
        missed=sum(report["missed"] for report in reports),
    )


def asked(config: Config, depth: int) -> list[AskedFor]:
    """What both theorems ask for the first target of a depth."""
    target = target_of(depth, config.width, config.seed)
    epsilon, delta = config.epsilon, config.delta
    wide = pensia2020.EXPLICIT.network(target, epsilon, delta, seed=0)
    layers = _copies_plan.Layers.of(target, rational(epsilon), Norms.of(target))
    found = [("pensia2020_explicit", wide, True)]
    for name, factor in (("mass of all copies", None), (f"mass {MASS:g}", Fraction(MASS))):
        plans = _copies_plan.counts(layers, rational(delta), None, factor, Fraction(0))
        fine = True
        try:
            _copies_plan.counts(layers, rational(delta), None, factor, _copies_plan.GRID)
        except _copies_plan.TooFineError:
            fine = False
        network = burkholz2022.EXPLICIT.mlp(tuple(plans), 0)
        found.append((f"burkholz2022_explicit, {name}", network, fine))
    return [
        AskedFor(
            depth=depth,
            theorem=name,
            width=sum(network.architecture.widths[1:-1]),  # type: ignore[union-attr]
            weights=sum(p.numel for p in network.parameters),
            grid=grid,
        )
        for name, network, grid in found
    ]


def run(config: Config) -> Result:
    """Measure and compare."""
    jobs = [
        (depth, config.seed + i, how)
        for depth in config.depths
        for i in range(config.seeds)
        for how in (TWO_LAYERS, *OBJECTIVES)
    ]
    built, wanted = [], []
    with show.progress() as progress:
        for i, (depth, seed, how) in enumerate(jobs):
            progress(f"depth {depth}, {how}", i, len(jobs))
            built.append(build(config, depth, seed, how))
        for i, depth in enumerate(config.depths):
            progress(f"theorems at depth {depth}", i, len(config.depths))
            wanted += asked(config, depth)
    return Result(tuple(built), tuple(wanted), claims(built, wanted))


def claims(built: Sequence[Built], wanted: Sequence[AskedFor]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    deepest = max(b.depth for b in built)

    def of(how: str, depth: int = deepest) -> list[Built]:
        return [b for b in built if b.how == how and b.depth == depth]

    def middle(how: str, name: str) -> float:
        return float(np.median([getattr(b, name) for b in of(how)]))

    hit = all(b.missed == 0 for b in built)
    pairs = [
        (light, other)
        for light in built
        if light.how == "lightest"
        for other in built
        if (other.depth, other.seed) == (light.depth, light.seed) and other.how == "best"
    ]
    lighter = sum(a.amplification <= b.amplification for a, b in pairs)
    ratio = middle("best", "bound") / middle("lightest", "bound")
    wide = {h: middle(h, "width") for h in (TWO_LAYERS, "lightest")}
    weights = {h: middle(h, "weights") for h in (TWO_LAYERS, "lightest")}
    kept = {h: middle(h, "kept") for h in (TWO_LAYERS, "lightest", "sparsest")}
    above = [b for b in built if b.how != TWO_LAYERS]
    return (
        (
            "every weight is within its accuracy",
            hit,
            f"{sum(b.missed for b in built)} misses in {len(built)} tickets",
        ),
        (
            "the masses multiply to more than the target's row sums: errors grow faster",
            all(b.amplification > b.norms for b in above),
            f"least quotient {min(b.amplification / b.norms for b in above):.3g}",
        ),
        (
            "the lightest subsets amplify less than the nearest in every pair",
            lighter == len(pairs),
            f"{lighter} of {len(pairs)} pairs",
        ),
        (
            f"depth {deepest}: the lightest give a smaller certified error than the nearest",
            ratio > 1,
            f"medians differ by a factor {ratio:.3g}",
        ),
        (
            f"depth {deepest}: copies need fewer hidden neurons and more random weights",
            wide["lightest"] < wide[TWO_LAYERS] and weights["lightest"] > weights[TWO_LAYERS],
            f"neurons {wide['lightest']:.0f} and {wide[TWO_LAYERS]:.0f}, "
            f"weights {weights['lightest']:.0f} and {weights[TWO_LAYERS]:.0f}",
        ),
        (
            f"depth {deepest}: copies keep more weights at one accuracy",
            kept["sparsest"] > kept[TWO_LAYERS],
            f"sparsest {kept['sparsest']:.0f}, lightest {kept['lightest']:.0f}, "
            f"two layers {kept[TWO_LAYERS]:.0f}",
        ),
        (
            "the theorems' widths: copies ask for more random weights at every depth",
            all(
                a.weights > b.weights
                for b in wanted
                for a in wanted
                if b.theorem.startswith("pensia") and a.depth == b.depth and a is not b
            ),
            f"at depth {deepest}: "
            + ", ".join(f"{a.weights:.3g}" for a in wanted if a.depth == deepest),
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Hidden neurons, random weights, kept weights and certified errors against the depth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    titles = {
        "width": "hidden neurons",
        "weights": "random weights",
        "kept": "kept weights",
        "bound": "certified error over the box",
    }
    depths = sorted({b.depth for b in result.built})
    for axis, (name, title) in zip(axes.flat, titles.items(), strict=True):
        hows = (TWO_LAYERS, *OBJECTIVES) if name in ("kept", "bound") else (TWO_LAYERS, "lightest")
        for how in hows:
            middle = [
                np.median([getattr(b, name) for b in result.built if b.how == how and b.depth == d])
                for d in depths
            ]
            label = "two layers for one" if how == TWO_LAYERS else f"copies, {NAMES.get(how, how)}"
            if how == "lightest" and len(hows) == 2:
                label = "copies"
            style = "k--" if how == TWO_LAYERS else "-"
            axis.plot(depths, middle, style, marker="o", ms=3, lw=1.2, label=label)
        if name in ("width", "weights"):
            for i, theorem in enumerate(dict.fromkeys(a.theorem for a in result.asked)):
                mine = [a for a in result.asked if a.theorem == theorem]
                axis.plot(
                    [a.depth for a in mine],
                    [getattr(a, name) for a in mine],
                    ":",
                    color=f"C{i + 4}",
                    lw=1.2,
                    label=f"asked: {theorem}",
                )
        axis.set(yscale="log", xlabel="depth L of the target", ylabel=title)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend
        axis.legend(fontsize=7, loc="upper left")
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
    write_whole(tables / f"{NAME}.csv", table(result.built))
    write_whole(tables / f"{NAME}_asked.csv", table(result.asked))
    plot(result, figures / f"{NAME}.png")
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
