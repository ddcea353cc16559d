"""Density against over-parameterisation: how many candidates do subsets of exactly k need?

For every size k the least n is sought at which half of random targets in [-sqrt(k), sqrt(k)] are
within epsilon of the sum of exactly k of n uniform weights, solved exactly. Beside it stand the
entropy law n H2(k/n) = log2(k / epsilon) of Natale et al. 2024 (Theorem 2, its constant set to 1),
and the count behind their Theorem 5, C(n, k) epsilon / sqrt(k) >= 1/2, which no solver can beat.

    python experiments/fixed_size_density.py [--quick] [--out FOLDER]
    python experiments/fixed_size_density.py --publish    # the table and figure of the docs
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table

from strongticket import philox, subsetsum
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.laws import Uniform
from strongticket.theorems import natale2024

NAME = "fixed_size_density"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write table and figure where the documentation has them, instead of to `out`"""
    epsilons: tuple[float, ...] = (1e-2, 1e-3, 1e-4)
    sizes: tuple[int, ...] = (2, 3, 4, 5, 6, 8, 10, 12)
    trials: int = 400
    most: int = 32
    """candidates; a size that needs more is left out"""
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"epsilons": (1e-2, 1e-3), "sizes": (3, 4, 6, 8), "trials": 100, "most": 24}


@dataclass(frozen=True)
class Point:
    """One accuracy and size.

    Attributes:
        epsilon, k: accuracy and size of the subset.
        least: least n at which half of the targets are served; 0 where `most` candidates are
            too few.
        served: the fraction served at that n.
        density: k / n there, the fraction that is kept.
        counted: least n that the count of Theorem 5 allows.
        entropy: least n with n H2(k/n) >= log2(k / epsilon), the law with its constant 1.
        constant: n H2(k/n) / log2(k / epsilon) at the measured n: the measured constant.
        pairs: 2k for the k that natale2024_pairs proves (all |z| <= 1, failure 1/2).
    """

    epsilon: float
    k: int
    least: int
    served: float
    density: float
    counted: int
    entropy: int
    constant: float
    pairs: int


@dataclass(frozen=True)
class Result:
    """All accuracies and sizes."""

    points: tuple[Point, ...]


def bits(k: int, n: int) -> float:
    """The entropy n H2(k/n), about log2 C(n, k)."""
    x = k / n
    return 0.0 if k >= n else -n * (x * math.log2(x) + (1 - x) * math.log2(1 - x))


def served(k: int, n: int, epsilon: float, config: Config) -> float:
    """The fraction of random targets within epsilon of the sum of exactly k of n weights."""
    stream = philox.stream("experiment fixed size", f"{k} {n} {epsilon:g}")
    words = philox.words(config.seed, stream, 0, (n + 1) * config.trials)
    drawn = Uniform().weights(words).astype(np.float64).reshape(config.trials, n + 1)
    answer = subsetsum.fixed_size(drawn[:, :n], drawn[:, n] * math.sqrt(k), k)
    return float((answer.error <= epsilon).mean())


def measure(k: int, epsilon: float, config: Config) -> Point:
    """The least n, by steps of one from the count, below which half is impossible."""
    counted = next(n for n in range(k, 10**6) if math.comb(n, k) * epsilon >= math.sqrt(k) / 2)
    half = math.ceil(bits(1, 2))  # 2: n = k has one subset alone
    entropy = next(
        n for n in range(max(k + 1, half), 10**6) if bits(k, n) >= math.log2(k / epsilon)
    )
    least, fraction = 0, 0.0
    for n in range(max(k, counted - 1), config.most + 1):
        fraction = served(k, n, epsilon, config)
        if fraction >= 0.5:
            least = n
            break
    return Point(
        epsilon=epsilon,
        k=k,
        least=least,
        served=fraction,
        density=k / least if least else math.nan,
        counted=counted,
        entropy=entropy,
        constant=bits(k, least) / math.log2(k / epsilon) if least else math.nan,
        pairs=2 * natale2024.PAIRS.width(epsilon, 0.5),
    )


def run(config: Config) -> Result:
    """Every accuracy and size."""
    cases = [(epsilon, k) for epsilon in config.epsilons for k in config.sizes]
    points = []
    with show.progress() as progress:
        for i, (epsilon, k) in enumerate(cases):
            progress(f"epsilon {epsilon:g}, subsets of {k}", i, len(cases))
            points.append(measure(k, epsilon, config))
    return Result(tuple(points))


def claims(result: Result) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    found = [p for p in result.points if p.least]
    # the count bounds the expected fraction; a fraction of few trials may exceed it by chance
    beyond = [p for p in found if p.least < p.counted - 1]
    constants = [p.constant for p in found]
    within = max(constants) / min(constants) if constants else math.inf
    return (
        (
            "no size is served by fewer candidates than the count of Theorem 5",
            bool(found) and not beyond,
            f"{len(found)} sizes, {len(beyond)} below",
        ),
        (
            "n H2(k/n) / log2(k/epsilon) stays within a factor of 3 (Theorem 2)",
            within <= 3,
            f"from {min(constants, default=0.0):.3g} to {max(constants, default=0.0):.3g}",
        ),
        (
            "at each accuracy smaller subsets need more candidates: density falls with n",
            all(_falls([p for p in found if p.epsilon == e]) for e in {p.epsilon for p in found}),
            "; ".join(f"k {p.k} of {p.least}" for p in found[: len(found) // 3]),
        ),
    )


def _falls(points: list[Point]) -> bool:
    """Whether density increases with k."""
    order = sorted(points, key=lambda p: p.k)
    return all(a.density <= b.density for a, b in itertools.pairwise(order))


def plot(result: Result, path: Path) -> None:
    """Kept fraction against candidates, an accuracy a colour: measured, law and count."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    for i, epsilon in enumerate(sorted({p.epsilon for p in result.points}, reverse=True)):
        points = [p for p in result.points if p.epsilon == epsilon and p.least]
        colour = f"C{i}"
        label = rf"$\varepsilon = {epsilon:g}$, measured"
        axes.plot(
            [p.least for p in points], [p.density for p in points], "o-", color=colour, label=label
        )
        laws: dict[str, Any] = {"color": colour, "lw": 1}
        axes.plot([p.entropy for p in points], [p.k / p.entropy for p in points], ":", **laws)
        axes.plot([p.counted for p in points], [p.k / p.counted for p in points], "--", **laws)
    law = r"least n with $n H_2(k/n) \geq \log_2(k/\varepsilon)$: constant 1"
    axes.plot([], [], ":", color="0.3", lw=1, label=law)
    axes.plot([], [], "--", color="0.3", lw=1, label="count of Theorem 5, no solver beats it")
    axes.set(xlabel="candidates n a weight", ylabel="density k / n (kept)", ylim=(0, 1))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.legend(fontsize=8)
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
    plot(result, figures / f"{NAME}.png")
    shown = [
        (
            f"{p.epsilon:g}",
            p.k,
            p.least or f"over {config.most}",
            f"{p.density:.3f}",
            p.counted,
            p.entropy,
            f"{p.constant:.2f}",
            p.pairs,
        )
        for p in result.points
    ]
    names = ("epsilon", "k", "least n", "kept", "count", "law", "constant", "2k proved")
    show.table("subsets of exactly k of n, half of targets served", names, shown)
    return judged(claims(result))


if __name__ == "__main__":
    raise SystemExit(main())
