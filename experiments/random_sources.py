"""How many candidates a randomly pruned, or partly locked, source needs.

Samples uniform on [-1, 1] each exist with probability kappa; the least n is sought at which, in
all but a tenth of the draws, every |z| <= 1 is within eta of a subset sum, all targets held
exactly. Predicted: 1/kappa times the need at kappa = 1 (R1+ with kappa p for p) and the factor
1 / ln(1/(1-kappa)) of Gadhikar et al. 2023, which is that of the chance that any sample exists.
The same with a fraction locked: its sum is added to every subset. And the fraction of target
edges that find a copy among rho in a source of density kappa, beside 1 - E (1 - kappa)^rho.

    python experiments/random_sources.py [--quick] [--out FOLDER]
    python experiments/random_sources.py --publish    # the tables and figure of the docs
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table
from numpy.typing import NDArray

from strongticket import philox
from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import write_whole
from strongticket.laws import Uniform
from strongticket.theorems import gadhikar2023
from strongticket.theorems._coverage import doubled_radius, least_prefix, subset_sums

NAME = "random_sources"
Ints = NDArray[np.int64]
FREE = 16  # free samples of which all sums are taken; the others are decided beforehand


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write tables and figure where the documentation has them, instead of to `out`"""
    densities: tuple[float, ...] = (1.0, 0.9, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
    locked: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    etas: tuple[float, ...] = (0.1, 0.01)
    delta: float = 0.1
    trials: int = 400
    copies: int = 8
    pairs: int = 64
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {
    "densities": (1.0, 0.5, 0.25),
    "locked": (0.0, 0.25),
    "etas": (0.1,),
    "trials": 100,
}


@dataclass(frozen=True)
class Point:
    """One source and accuracy.

    Attributes:
        eta: accuracy of every subset sum.
        kappa, locked: fraction of samples that exist, and that are locked.
        least: least n at which all targets are served but for delta of the draws.
        inverse: 1/kappa times that at kappa = 1: the law of R1 with kappa p for p.
        copies: ln(1/delta) / ln(1/(1-kappa)): as many as the paper's factor asks at the least.
        proved: what gadhikar2023_samples asks (0 where something is locked).
    """

    eta: float
    kappa: float
    locked: float
    least: int
    inverse: float
    copies: float
    proved: int


@dataclass(frozen=True)
class Realised:
    """A density: the fraction of sources in which all pairs found a copy, beside the bound."""

    kappa: float
    rho: int
    pairs: int
    realised: float
    bound: float
    exact: float


@dataclass(frozen=True)
class Result:
    """Both tables."""

    points: tuple[Point, ...]
    realised: tuple[Realised, ...]


def good(sample: Ints, word: NDArray[np.float64], locked: float, eta: float) -> bool:
    """Whether a sample serves every |z| <= 1, with all that is locked in each sum.

    Free ones beyond the first `FREE` are
    kept one by one while that lowers the sum of what is fixed: what cannot be served so is
    counted as failing.
    """
    fixed = word < locked
    shift = int(sample[fixed].sum())
    free = sample[~fixed]
    for x in free[FREE:].tolist():
        if abs(shift + x) < abs(shift):
            shift += x
    sums = subset_sums(free[:FREE])
    unit = 1 << 24
    accuracy = int(Fraction(eta) * unit)
    return doubled_radius(sums, -unit - shift, unit - shift) <= 2 * accuracy


def draws(most: int, config: Config) -> tuple[Ints, NDArray[np.float64]]:
    """Weights in units of 2^-24 and, on [0, 1), what decides on each: (trials, most)."""

    def words(name: str) -> NDArray[np.uint32]:
        stream = philox.stream("experiment sources", name)
        found = philox.words(config.seed, stream, 0, config.trials * most)
        return found.reshape(config.trials, most)

    decides = words("source").astype(np.float64) * 2.0**-32
    return Uniform().units(words("weights")).astype(np.int64), decides


def least_pruned(kappa: float, eta: float, config: Config) -> int:
    """The least n that all but delta of the draws are served at, exactly: more never hurts."""
    most = math.ceil(60 / kappa)
    samples, words = draws(most, config)
    unit, found = 1 << 24, []
    for sample, word in zip(samples, words, strict=True):
        here = np.flatnonzero(word < kappa)
        count, _ = least_prefix(sample[here], int(Fraction(eta) * unit), -unit, unit)
        found.append(most + 1 if count is None else int(here[count - 1]) + 1)
    n = sorted(found)[math.ceil((1 - config.delta) * config.trials) - 1]
    if n > most:
        raise InputError(f"{most} samples do not serve eta {eta:g} at density {kappa:g}")
    return n


def least_locked(locked: float, eta: float, config: Config) -> int:
    """The same where a part is locked, by bisection: what is locked may hurt a longer sample."""
    most = 400
    samples, words = draws(most, config)

    def enough(n: int) -> bool:
        failed, room = 0, config.delta * config.trials
        for sample, word in zip(samples, words, strict=True):
            failed += not good(sample[:n], word[:n], locked, eta)
            if failed > room:
                return False
        return True

    low, high = 0, 8
    while not enough(high):
        if high == most:
            raise InputError(f"{most} samples do not serve eta {eta:g} with {locked:g} locked")
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def copies(kappa: float, config: Config) -> Realised:
    """The fraction of random sources in which every pair finds one of rho copies."""
    pairs, rho = config.pairs, config.copies
    count = pairs * rho
    stream = philox.stream("experiment sources", f"copies {kappa:g}")
    words = philox.words(config.seed, stream, 0, config.trials * count) * 2.0**-32
    here = (words < kappa).reshape(config.trials, pairs, rho)
    missed = (1 - kappa) ** rho
    return Realised(
        kappa=kappa,
        rho=rho,
        pairs=pairs,
        realised=float(np.mean(np.all(np.any(here, axis=2), axis=1))),
        bound=max(0.0, 1 - pairs * missed),
        exact=(1 - missed) ** pairs,
    )


def measure(kappa: float, locked: float, eta: float, whole: int, config: Config) -> Point:
    """One source; `whole` is the least n of the same with kappa = 1 (0: this is it)."""
    found = least_locked(locked, eta, config) if locked else least_pruned(kappa, eta, config)
    values = {"eta": eta, "delta": config.delta, "ell": 2, "kappa": kappa}
    return Point(
        eta=eta,
        kappa=kappa,
        locked=locked,
        least=found,
        inverse=(whole or found) / kappa,
        copies=math.log(1 / config.delta) / -math.log(1 - kappa) if kappa < 1 else 0.0,
        proved=0 if locked else gadhikar2023.SAMPLES.bound(**values),
    )


def run(config: Config) -> Result:
    """Every density without locks at each accuracy; every locked fraction at the first one."""
    points: list[Point] = []
    total = len(config.etas) * len(config.densities) + len(config.locked) - 1
    with show.progress() as progress:
        for eta in config.etas:
            whole = 0
            for kappa in config.densities:
                progress(f"eta {eta:g}, density {kappa:g}", len(points), total)
                points.append(measure(kappa, 0.0, eta, whole, config))
                whole = whole or points[-1].least
            for locked in config.locked[1:] if eta == config.etas[0] else ():
                progress(f"eta {eta:g}, locked {locked:g}", len(points), total)
                points.append(measure(1.0, locked, eta, whole, config))
    found = tuple(copies(kappa, config) for kappa in config.densities if kappa < 1)
    return Result(tuple(points), found)


def claims(result: Result) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    pruned = [p for p in result.points if not p.locked]
    ratios = [p.least / p.inverse for p in pruned]
    thin = [p for p in pruned if p.kappa < 1]
    worst = max((r.bound - r.realised for r in result.realised), default=0.0)
    return (
        (
            "the least n follows 1/kappa, at most 30 percent above it",
            all(0.9 <= r <= 1.3 for r in ratios),
            f"n kappa / n(1) from {min(ratios):.3g} to {max(ratios):.3g}",
        ),
        (
            "never less than the chance that any sample exists asks for",
            all(p.least >= p.copies for p in thin),
            f"at least {min(p.least / p.copies for p in thin):.3g} times as many",
        ),
        (
            "never more than is proved",
            all(p.least <= p.proved for p in pruned),
            f"proved is {min(p.proved / p.least for p in pruned):.3g} to "
            f"{max(p.proved / p.least for p in pruned):.3g} times as much",
        ),
        (
            "all pairs find a copy at least as often as 1 - E (1 - kappa)^rho",
            worst <= 0.1,
            f"largest shortfall {worst:.3g}",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Least n against the density, with both laws; and realised sources with their bound."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    for i, eta in enumerate(sorted({p.eta for p in result.points}, reverse=True)):
        points = [p for p in result.points if p.eta == eta and not p.locked]
        x, colour = [p.kappa for p in points], f"C{i}"
        left.loglog(x, [p.least for p in points], "o", color=colour, label=rf"$\eta = {eta:g}$")
        left.loglog(x, [p.inverse for p in points], "-", color=colour)
        anchor = min(points, key=lambda p: p.kappa)
        scale = -anchor.least * math.log(1 - anchor.kappa) if anchor.kappa < 1 else math.nan
        fine = np.geomspace(anchor.kappa, 0.995, 100)
        left.loglog(fine, scale / -np.log(1 - fine), ":", color=colour)
    left.plot([], [], "k-", label=r"$n(1)/\kappa$: the rate of R1 with $\kappa p$")
    left.plot([], [], "k:", label=r"$\propto 1/\ln(1/(1-\kappa))$, through the thinnest")
    left.set(xlabel=r"density $\kappa$ of the source", ylabel="least n that serves 9 draws in 10")
    left.legend(fontsize=8)
    x = [r.kappa for r in result.realised]
    right.plot(x, [r.realised for r in result.realised], "o", label="measured")
    if result.realised:
        edges, rho = result.realised[0].pairs, result.realised[0].rho
        fine = np.linspace(0, 1, 201)
        missed = (1 - fine) ** rho
        right.plot(fine, (1 - missed) ** edges, "-", label="independent edges, exactly")
        bound = np.maximum(0, 1 - edges * missed)
        right.plot(fine, bound, "--", label=r"$1 - E(1-\kappa)^\rho$")
        right.set_title(rf"$E = {edges}$ edges of the target, $\rho = {rho}$ copies", size=9)
    right.set(xlabel=r"density $\kappa$ of the source", ylabel="fraction of sources with all edges")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


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
    write_whole(tables / f"{NAME}_copies.csv", table(result.realised))
    plot(result, figures / f"{NAME}.png")
    shown = [
        (
            f"{p.eta:g}",
            f"{p.kappa:g}",
            f"{p.locked:g}",
            p.least,
            f"{p.inverse:.4g}",
            f"{p.copies:.3g}",
            p.proved or "",
        )
        for p in result.points
    ]
    names = ("eta", "density", "locked", "least n", "n(1)/density", "one exists", "proved")
    show.table("candidates that a random source needs", names, shown)
    return judged(claims(result))


if __name__ == "__main__":
    raise SystemExit(main())
