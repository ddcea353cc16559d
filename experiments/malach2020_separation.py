"""Weights over neurons: a single ReLU neuron on {0, 1}^d out of equally large random networks.

Pruning neurons can do no better than least squares over the network's random features; its error
is measured for the hardest of all single neurons relu(<1_S, x> - j), beside the theorem's lower
bound. Pruning weights builds the same neuron out of a random network of depth 4 with as many
weights. All errors are over all 2^d points, none is estimated.

    python experiments/malach2020_separation.py [--quick] [--out FOLDER]
    python experiments/malach2020_separation.py --publish    # results and figure of the docs
"""

from __future__ import annotations

import functools
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

from strongticket import Box, Network, Target, Uniform, subsetsum
from strongticket.cli import show
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.optimal import OneHidden, fit_features
from strongticket.theorems._single_neuron import (
    cube,
    errors,
    least_prefix,
    random_features,
    single_neurons,
)
from strongticket.theorems.malach2020 import SINGLE_NEURON
from strongticket.verify import collapse

NAME = "malach2020_separation"
FINEST = 1e-12  # what the construction aims at; it keeps its best where it misses


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    dimensions: tuple[int, ...] = (4, 6, 8, 10)
    """d of the curves against width"""
    least: tuple[int, ...] = (3, 4, 5, 6, 7, 8, 9)
    """d at which the least sizes are found"""
    seeds: int = 5
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"dimensions": (4, 6, 10), "least": (3, 4, 5, 6, 7), "seeds": 2}


@dataclass(frozen=True)
class Point:
    """One pair of random networks of (nearly) equal size.

    Attributes:
        d, width, seed: inputs, hidden neurons k of the neuron-pruned network, seed.
        weights: how many weights that network has, biases included; the other has no more.
        proved: root mean squared error that the theorem proves for the hardest neuron.
        free: the same, measured: least squares over the k features.
        hull: a lower bound, proved in rationals, for the best neuron mask at that neuron; 0 where
            it was not computed.
        pool: hidden neurons an input of the weight-pruned network.
        pruned: root mean squared error of that network at that neuron.
    """

    d: int
    width: int
    seed: int
    weights: int
    proved: float
    free: float
    hull: float
    pool: int
    pruned: float


@dataclass(frozen=True)
class Least:
    """The sizes at which both come within a mean squared error of 1/(64 d^2), for one seed."""

    d: int
    seed: int
    features: int
    bound: int
    pool: int

    @property
    def feature_weights(self) -> int:
        """Weights and biases of the one-hidden-layer network."""
        return self.features * (self.d + 2)

    @property
    def pruned_weights(self) -> int:
        """Weights and biases of the random network of depth 4."""
        return self.pool * size(self.d)


@dataclass(frozen=True)
class Slope:
    """A least-squares slope with its 95 % interval (Student's t)."""

    name: str
    slope: float
    half: float

    def __str__(self) -> str:
        return f"{self.slope:.3f} +- {self.half:.3f}"


@dataclass(frozen=True)
class Result:
    """What was measured, the fitted rates, and the claims that they are held to."""

    points: tuple[Point, ...]
    least: tuple[Least, ...]
    slopes: tuple[Slope, ...]
    claims: tuple[tuple[str, bool, str], ...]


def size(d: int) -> int:
    """Weights and biases of the depth-4 network for each neuron of a pool."""
    return (d + 1) * (d + 2) + 2  # (d + 1) N neurons with d inputs, a bias, an output; then N - N


def neuron_target(d: int, subset: int, j: int) -> Target:
    """relu(<1_S, x> - j) with weights scaled to at most 1 (a power of two, undone afterwards)."""
    unit = np.float32(scale(d))
    row = ((subset >> np.arange(d)) & 1).astype(np.float32)[None, :] * unit
    first = (row, np.array([-j], np.float32) * unit)
    return Target([first, (np.ones((1, 1), np.float32), None)], Box(0.0, 1.0))


def scale(d: int) -> float:
    """The power of two by which weights and bias are at most 1."""
    return 2.0 ** -math.ceil(math.log2(d))


def listed(d: int) -> list[tuple[int, int]]:
    """(S, j) of every row of `single_neurons`."""
    return [(s, j) for s in range(1 << d) for j in range(-1, max(s.bit_count(), 0))]


def pruned_error(d: int, neuron: tuple[int, int], pool: int, seed: int) -> float:
    """Root mean squared error over the cube of the weight-pruned network."""
    target = neuron_target(d, *neuron)
    network = Network.mlp(
        (d, pool * (d + 1), 1, pool, 1),
        biases=[True, False, False, False],
        laws=Uniform(2.0),
        seed=seed,
    )
    best = functools.partial(subsetsum.best, backend="numpy")
    accuracy = [LayerAccuracy(FINEST, FINEST), LayerAccuracy(FINEST)]
    ticket = two_layer(network, target, accuracy, objective=best, strict=False)
    y = cube(d).astype(np.float64)
    for i, layer in enumerate(collapse(ticket)):
        y = np.ldexp(y @ layer.plus.T + layer.bias, layer.exponent)
        y = np.maximum(y, 0.0) if i == 0 else y
    wanted = np.maximum(cube(d) @ ((neuron[0] >> np.arange(d)) & 1) - neuron[1], 0)
    return float(np.sqrt(((y[:, 0] / scale(d) - wanted) ** 2).mean()))


def measure(d: int, seed: int) -> list[Point]:
    """Every width from 4 to 2^d, in powers of two; the features of a wider network go on."""
    targets, names, found = single_neurons(d), listed(d), []
    features = random_features(d, 1 << d, seed)
    for power in range(2, d + 1):
        k = 1 << power
        squares = errors(features[:, :k], targets)
        hardest = int(squares.argmax())
        weights = k * (d + 2)
        pool = max(1, weights // size(d))
        hull = hull_bound(d, features[:, :k], targets[hardest], seed) if d <= 6 else 0.0
        found.append(
            Point(
                d=d,
                width=k,
                seed=seed,
                weights=weights,
                proved=math.sqrt(max(0.0, 1 - k / 2**d)) / (4 * d),
                free=math.sqrt(max(0.0, float(squares[hardest]))),
                hull=hull,
                pool=pool,
                pruned=pruned_error(d, names[hardest], pool, seed),
            )
        )
    return found


def hull_bound(d: int, features: NDArray[np.float64], wanted: Any, seed: int) -> float:
    """No neuron mask with output weights from U[-1, 1] comes below this; proved in rationals."""
    # each feature, rounded to 2^-20, is one input: the network's first layer is the identity
    k = features.shape[1]
    output = np.asarray(np.random.default_rng([seed, d, 1]).uniform(-1, 1, k))
    network = OneHidden(np.eye(k), output)
    x = np.rint(features * 2**20) / 2**20
    fit = fit_features(network, x, wanted, coefficients="mask")
    return math.sqrt(float(fit.bound))


def least_sizes(d: int, seed: int) -> Least:
    """Features for all single neurons; the pool for eight of them, from one draw."""
    epsilon = 1 / (64 * d * d)
    features = least_prefix(random_features(d, 4 << d, seed), single_neurons(d), epsilon)
    names = listed(d)
    chosen = np.random.default_rng([seed, d, 2]).choice(len(names), 7, replace=False)
    wanted = [((1 << d) - 1, d // 2), *(names[i] for i in chosen)]
    pool = 1
    while any(pruned_error(d, name, pool, seed) > math.sqrt(epsilon) for name in wanted):
        pool += 1
    bound = SINGLE_NEURON.bound(d=d, epsilon=Fraction(1, 64 * d * d))
    return Least(d=d, seed=seed, features=features, bound=bound, pool=pool)


def run(config: Config) -> Result:
    """Measure, fit and compare."""
    points: list[Point] = []
    least: list[Least] = []
    seeds = [config.seed + i for i in range(config.seeds)]
    jobs = [(d, s) for d in config.dimensions for s in seeds]
    with show.progress() as progress:
        for i, (d, seed) in enumerate(jobs):
            progress(f"widths at d = {d}", i, len(jobs))
            points += measure(d, seed)
        jobs = [(d, s) for d in config.least for s in seeds]
        for i, (d, seed) in enumerate(jobs):
            progress(f"least sizes at d = {d}", i, len(jobs))
            least.append(least_sizes(d, seed))
    slopes = (
        fitted("log2 features, per dimension", [(p.d, p.features) for p in least]),
        fitted("log2 weights, features, per dimension", [(p.d, p.feature_weights) for p in least]),
        fitted(
            "log2 weights, weight pruning, per log2 dimension",
            [(math.log2(p.d), p.pruned_weights) for p in least],
        ),
    )
    return Result(tuple(points), tuple(least), slopes, claims(points, least, slopes))


def fitted(name: str, pairs: list[tuple[float, int]]) -> Slope:
    """The slope of log2 of the second against the first."""
    from scipy import stats

    x, y = np.array([a for a, _ in pairs]), np.log2([b for _, b in pairs])
    line = stats.linregress(x, y)
    return Slope(name, float(line.slope), float(stats.t.ppf(0.975, len(x) - 2) * line.stderr))


def claims(
    points: list[Point], least: list[Least], slopes: tuple[Slope, ...]
) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    below = [p for p in points if p.proved > 0]
    near = min(p.free / p.proved for p in below)
    hulls = [p for p in points if p.hull]
    widest = max(p.d for p in points)
    late = [p for p in points if p.d == widest and p.width == 1 << (widest - 1)]
    gain = min(p.free / p.pruned for p in late)
    exponential, _, polynomial = slopes
    return (
        (
            "the hardest neuron is never nearer to the features than the theorem says",
            near >= 1,
            f"least ratio {near:.3g} over {len(below)} networks",
        ),
        (
            "coefficients between 0 and the frozen weights are no better than free ones",
            all(p.hull >= p.free * (1 - 1e-3) for p in hulls),
            f"{len(hulls)} proved bounds",
        ),
        (
            f"d = {widest}, half of 2^d neurons: weight pruning is nearer at equal weights",
            gain > 1,
            f"by a factor {gain:.3g} or more",
        ),
        (
            "features for all single neurons: at least the theorem's number",
            all(p.features >= p.bound for p in least),
            ", ".join(
                f"d {p.d}: {p.features} >= {p.bound}" for p in least if p.seed == least[0].seed
            ),
        ),
        (
            "the number of features grows exponentially: by a factor above 2^0.75 a dimension",
            exponential.slope - exponential.half > 0.75,
            str(exponential),
        ),
        (
            "weights of weight pruning grow like a power below d^4",
            polynomial.slope + polynomial.half < 4,
            str(polynomial),
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Errors at equal weights; and least sizes against the dimension."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    dimensions = sorted({p.d for p in result.points})
    for i, d in enumerate(dimensions):
        mine = [p for p in result.points if p.d == d]
        weights = sorted({p.weights for p in mine})
        for name, style, mark in (("free", "-", "o"), ("pruned", "--", "s"), ("proved", ":", "")):
            middle = [
                np.median([getattr(p, name) for p in mine if p.weights == w]) for w in weights
            ]
            shown = [(w, v) for w, v in zip(weights, middle, strict=True) if v > 1e-12]
            left.plot(*zip(*shown, strict=True), style, marker=mark, ms=3, color=f"C{i}", lw=1.2)
        left.plot([], [], color=f"C{i}", label=f"d = {d}")
    for style, mark, name in (
        ("-", "o", "any output coefficients over k neurons"),
        (":", "", "proved lower bound for these"),
        ("--", "s", "pruning weights, depth 4"),
    ):
        left.plot([], [], style, marker=mark, ms=3, color="0.3", lw=1.2, label=name)
    left.set(
        xscale="log",
        yscale="log",
        ylim=(1e-7, 30),
        xlabel="weights of the random network",
        ylabel="root mean squared error, hardest neuron",
    )
    left.legend(fontsize=7, loc="lower left")
    for name, label, mark in (
        ("feature_weights", "pruning neurons: at least this (any coefficients)", "o"),
        ("pruned_weights", "pruning weights, depth 4", "s"),
    ):
        right.plot(
            [p.d for p in result.least],
            [getattr(p, name) for p in result.least],
            mark,
            ms=4,
            alpha=0.6,
            label=label,
        )
    dims = np.array(sorted({p.d for p in result.least}))
    far = np.arange(dims[0], 17)
    right.plot(far, 0.75 * 2.0**far * (far + 2), ":", color="C0", label="proved: 3/4 2^d neurons")
    line = result.slopes[2]
    mean = np.mean(
        [math.log2(p.pruned_weights) - line.slope * math.log2(p.d) for p in result.least]
    )
    right.plot(
        far,
        2.0 ** (mean + line.slope * np.log2(far)),
        "--",
        color="C1",
        lw=1,
        label=f"fit: d^({line.slope:.2f} ± {line.half:.2f})",
    )
    right.set(
        yscale="log",
        xlabel="dimension d",
        ylabel="weights for mean squared error 1/(64 d²)",
    )
    right.legend(fontsize=7, loc="upper left")
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
    write_whole(tables / f"{NAME}_least.csv", table(result.least))
    plot(result, figures / f"{NAME}.png")
    show.table("fitted rates", ("what", "slope, 95 %"), [(s.name, str(s)) for s in result.slopes])
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
