"""How many random neurons one weight needs, against the accuracy, by four constructions.

One weight w on positive inputs, one pool of random neurons, read until it serves w to epsilon:

- both near: a neuron with a near w and b near 1, the rule of the proof of Malach et al. 2020;
- product: a neuron with ab near w;
- greedy: a golden-ratio greedy over log-uniform b and signs a, after Orseau et al. 2020;
- subset sum: the best of all subsets of products, after Pensia et al. 2020.

The first two cost 1/epsilon^2 and 1/epsilon neurons, the others a logarithm. Beside the medians
stand the theorems' own counts at failure probability 1/2.

    python experiments/pool_laws.py [--quick] [--out FOLDER]
    python experiments/pool_laws.py --publish    # results and figure of the docs
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table

from strongticket import philox
from strongticket.cli import show
from strongticket.construct._golden import greedy
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.laws import Law, LogUniform, SignedConstant, Uniform
from strongticket.theorems import malach2020, orseau2020, pensia2020
from strongticket.theorems._golden_sampling import cells, least_digits

NAME = "pool_laws"
MOST = 1 << 22  # neurons of one pool


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    near: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    """accuracies 2^-k of the rule on both weights"""
    product: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    greedy: tuple[int, ...] = (2, 4, 6, 8, 10, 12, 14)
    sums: tuple[int, ...] = (2, 4, 6, 8, 10, 12)
    trials: int = 200
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {
    "near": (2, 3, 4, 5, 6),
    "product": (2, 4, 6, 8),
    "greedy": (2, 5, 8),
    "sums": (2, 5, 8),
    "trials": 60,
}


@dataclass(frozen=True)
class Point:
    """One construction at one accuracy.

    Attributes:
        rule: near, product, greedy or sums.
        power: epsilon = 2^-power.
        trials: weights, each with a pool of its own.
        mean, low, median, high: neurons read; quartiles.
        claimed: The theorem's count at failure probability 1/2.
        missed: Pools that needed more than that.
    """

    rule: str
    power: int
    trials: int
    mean: float
    low: float
    median: float
    high: float
    claimed: int
    missed: int


@dataclass(frozen=True)
class Slope:
    """A least-squares slope of medians with its 95 % interval (Student's t)."""

    name: str
    slope: float
    half: float

    def __str__(self) -> str:
        return f"{self.slope:.3f} +- {self.half:.3f}"


@dataclass(frozen=True)
class Result:
    """What was measured, the fitted rates, and the claims that they are held to."""

    points: tuple[Point, ...]
    slopes: tuple[Slope, ...]
    claims: tuple[tuple[str, bool, str], ...]


def drawn(laws: tuple[Law, Law], name: str, trial: int, start: int, count: int) -> tuple[Any, Any]:
    """Weights `start`, ... of one pool: incoming and outgoing, float64 (exact)."""
    found = []
    for law, side in zip(laws, "ab", strict=True):
        words = philox.words(trial, philox.stream(f"pool laws {side}", name), start, count)
        found.append(law.units(words).astype(np.float64) * 2.0 ** (law.exponent or 0))
    return found[0], found[1]


def weight(trial: int) -> float:
    """The weight of a trial, uniform in [0.1, 0.7]."""
    return float(np.random.default_rng([trial, 17]).uniform(0.1, 0.7))


def first(good: Callable[[Any, Any], Any], laws: tuple[Law, Law], name: str, trial: int) -> int:
    """How many neurons are read until one is good."""
    start, count = 0, 1 << 10
    while start < MOST:
        found = good(*drawn(laws, name, trial, start, count))
        if found.any():
            return start + int(np.argmax(found)) + 1
        start, count = start + count, min(2 * count, 1 << 18)
    return MOST


def near(power: int, trial: int) -> int:
    """Both weights near: a in [w, w + epsilon], b in [1 - epsilon, 1]."""
    w, eps = weight(trial), 2.0**-power
    return first(
        lambda a, b: (a >= w) & (a <= w + eps) & (b >= 1 - eps),
        (Uniform(1.0), Uniform(1.0)),
        f"near {power}",
        trial,
    )


def product(power: int, trial: int) -> int:
    """The product near: |ab - w| <= epsilon, a > 0."""
    w, eps = weight(trial), 2.0**-power
    return first(
        lambda a, b: (a > 0) & (np.abs(a * b - w) <= eps),
        (Uniform(2.0), Uniform(2.0)),
        f"product {power}",
        trial,
    )


def by_greedy(power: int, trial: int) -> int:
    """The greedy on every prefix of the pool, scale 1/2: the first that leaves at most epsilon."""
    k = least_digits(Fraction(1, 1 << power - 1)) or 0
    law, size = LogUniform(0.5, cells(k)), 24 * k
    a, b = drawn((SignedConstant(1.0), law), f"greedy {power}", trial, 0, size)
    units = np.where((a > 0) & (b > 0), b, 0.0) * 2.0**25
    prefixes = np.tril(np.ones((size, size), np.int64)) * units.astype(np.int64)
    goal = np.full(size, int(weight(trial) * 2.0**25))
    _, left = greedy(prefixes, goal, k)
    good = left <= 2.0 ** (25 - power)
    return int(np.argmax(good)) + 1 if good.any() else size


def by_sums(power: int, trial: int) -> int:
    """All subsets of the products read so far: the first pool with one within epsilon."""
    w, eps = weight(trial), 2.0**-power
    a, b = drawn((Uniform(2.0), Uniform(2.0)), f"sums {power}", trial, 0, 128)
    sums = np.zeros(1)
    for n in range(a.size):
        if a[n] > 0:
            sums = np.concatenate([sums, sums + a[n] * b[n]])
            if sums.size > 1 << 21:
                return n + 1
            if np.abs(sums - w).min() <= eps:
                return n + 1
    return int(a.size)


RULES: dict[str, tuple[Callable[[int, int], int], str]] = {
    "near": (near, "both weights near"),
    "product": (product, "best product"),
    "greedy": (by_greedy, "golden-ratio greedy"),
    "sums": (by_sums, "subset sum"),
}


def claimed(rule: str, power: int) -> int:
    """The theorem's count for one weight on positive inputs, failure probability 1/2."""
    eps, one = Fraction(1, 1 << power), {"L": 1, "g": 1, "d_in": 1, "d_out": 1}
    half = Fraction(1, 2)
    if rule == "near":
        return malach2020.WEIGHTS.bound(**one, eta_i=eps, delta=half)
    if rule == "product":
        return malach2020.PRODUCT.bound(**one, b=0, W_i=1, eta_i=eps, delta=half)
    if rule == "greedy":
        k = least_digits(2 * eps - Fraction(1, 1 << 24)) or 0
        return orseau2020.NETWORK.bound(**one, b=0, k_i=k, delta=half)
    window = 3  # of scales 2 and 2
    return pensia2020.EXPLICIT.bound(**one, b=0, W_i=window, eta_i=eps, zeta_i=eps, delta=half)


def run(config: Config) -> Result:
    """Measure, fit and compare."""
    jobs = [(rule, power) for rule in RULES for power in getattr(config, rule)]
    points = []
    with show.progress() as progress:
        for i, (rule, power) in enumerate(jobs):
            progress(f"{RULES[rule][1]}, epsilon 2^-{power}", i, len(jobs))
            measure = RULES[rule][0]
            found = [measure(power, config.seed + t) for t in range(config.trials)]
            low, median, high = (float(x) for x in np.quantile(found, (0.25, 0.5, 0.75)))
            mean, asked = float(np.mean(found)), claimed(rule, power)
            missed = sum(n > asked for n in found)
            points.append(Point(rule, power, config.trials, mean, low, median, high, asked, missed))
    slopes = fits(points)
    return Result(tuple(points), slopes, claims(points, slopes))


def fits(points: list[Point]) -> tuple[Slope, ...]:
    """log2 of the neurons per bit for the first two rules; neurons per bit for the others."""
    found = []
    for rule, (_, name) in RULES.items():
        mine = [p for p in points if p.rule == rule]
        power = rule in ("near", "product")
        y = [math.log2(p.median) if power else p.median for p in mine]
        what = f"{name}: {'log2 of ' if power else ''}median neurons, per log2(1/epsilon)"
        found.append(fitted(what, [float(p.power) for p in mine], y))
    return tuple(found)


def fitted(name: str, x: list[float], y: list[float]) -> Slope:
    """The slope of y against x."""
    from scipy import stats

    line = stats.linregress(x, y)
    return Slope(name, float(line.slope), float(stats.t.ppf(0.975, len(x) - 2) * line.stderr))


def claims(points: list[Point], slopes: tuple[Slope, ...]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    from scipy import stats

    by_near, by_product, by_golden, by_subsets = slopes
    ends = {
        rule: max((p for p in points if p.rule == rule), key=lambda p: p.power) for rule in RULES
    }
    logs = ("greedy", "sums")
    starts = {
        rule: min((p for p in points if p.rule == rule and p.power > 4), key=lambda p: p.power)
        for rule in logs
    }
    tails = [float(stats.binom.sf(p.missed - 1, p.trials, 0.5)) for p in points]
    growth = {
        rule: math.log2(ends[rule].median / starts[rule].median)
        / (ends[rule].power - starts[rule].power)
        for rule in logs
    }
    proved = {"greedy": 4 * 1.4404 * 12, "sums": 2 * 9.70 * math.log(2) * 1.1}
    return (
        (
            "at most half of the pools need more than the theorem's count for probability 1/2",
            min(tails) > 1e-6,
            f"at most {max(p.missed / p.trials for p in points):.3g} do, exact tails >= "
            f"{min(tails):.2g}",
        ),
        (
            "both weights near: the pool grows like 1/epsilon^2",
            abs(by_near.slope - 2) < max(0.15, by_near.half),
            str(by_near),
        ),
        (
            "best product: the pool grows like 1/epsilon",
            abs(by_product.slope - 1) < max(0.15, by_product.half),
            str(by_product),
        ),
        (
            "greedy and subset sums: no power of 1/epsilon above 0.5 beyond 2^5",
            all(growth[rule] < 0.5 for rule in logs),
            ", ".join(f"{rule} {growth[rule]:.2f}" for rule in logs),
        ),
        (
            "greedy and subset sums: neurons per bit below what is proved",
            by_golden.slope < proved["greedy"] and by_subsets.slope < proved["sums"],
            f"{by_golden.slope:.3g} and {by_subsets.slope:.3g}, proved "
            f"{proved['greedy']:.3g} and {proved['sums']:.3g}",
        ),
        (
            "at the finest accuracies a subset sum needs the fewest, then the greedy",
            ends["sums"].median
            < ends["greedy"].median
            < ends["product"].median
            < ends["near"].median,
            ", ".join(f"{rule} {p.median:.4g} at 2^-{p.power}" for rule, p in ends.items()),
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Neurons against 1/epsilon, both logarithmic; and the two logarithms on a linear scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    for i, (rule, (_, name)) in enumerate(RULES.items()):
        mine = [p for p in result.points if p.rule == rule]
        x = [2.0**p.power for p in mine]
        slope = result.slopes[i]
        rate = (
            rf"$\varepsilon^{{-{slope.slope:.2f} \pm {slope.half:.2f}}}$"
            if rule in ("near", "product")
            else f"{slope.slope:.1f} ± {slope.half:.1f} neurons a bit"
        )
        for axes in (left, right) if rule in ("greedy", "sums") else (left,):
            axes.plot(
                x, [p.median for p in mine], "o-", ms=3.5, color=f"C{i}", label=f"{name}: {rate}"
            )
            axes.fill_between(
                x, [p.low for p in mine], [p.high for p in mine], color=f"C{i}", alpha=0.2, lw=0
            )
            axes.plot(x, [p.claimed for p in mine], ":", color=f"C{i}", lw=1.2)
    left.plot([], [], ":", color="0.3", label="proved to suffice with probability 1/2")
    left.plot([], [], color="0.3", lw=6, alpha=0.2, label="quartiles")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="1/ε, accuracy of one weight",
        ylabel="random neurons read (median)",
        ylim=(0.05, None),
    )
    left.legend(fontsize=7, loc="lower right")
    right.set(
        xscale="log",
        xlabel="1/ε, accuracy of one weight",
        ylabel="random neurons read (median), linear scale",
        ylim=(0, None),
    )
    right.plot([], [], ":", color="0.3", label="proved to suffice with probability 1/2")
    right.legend(fontsize=7, loc="upper left")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
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
    show.table("fitted rates", ("what", "slope, 95 %"), [(s.name, str(s)) for s in result.slopes])
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
