"""What every subset-sum algorithm costs, measured: the curves of the documentation.

    python experiments/subsetsum_curves.py [--quick] [--out docs/subsetsum]

CPU time of one thread for the whole call (arguments checked, error recomputed), as microseconds a
row: candidates and targets from U[-1, 1], the least of some runs. One figure an algorithm, and all
numbers in one file beside them.
"""

from __future__ import annotations

import csv
import io
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import folder, write_whole
from strongticket.subsetsum.fourlists import shape
from strongticket.subsetsum.regimes import FourLists, UntilHit

Floats = NDArray[np.float64]
Work = Callable[[], object]
FINE = 44
"""Candidates on the grid 2^-44: int64 keys. On 2^-23 they are int32."""


@dataclass(frozen=True)
class Config:
    """What is measured; every field is an option of the command line."""

    out: Path = Path("docs/subsetsum")
    seed: int = 0
    seconds: float = 0.4
    repeats: int = 3
    quick: bool = False


@dataclass(frozen=True)
class Point:
    """One measured point: microseconds a row of `curve` at `x`."""

    figure: str
    curve: str
    x: float
    microseconds: float


@dataclass(frozen=True)
class Curve:
    """One line of a figure: what is solved at every x, for so many rows as fit the time.

    Attributes:
        figure: the algorithm.
        name: the line's label.
        xs: where it is measured.
        work: (x, rows, generator) -> the call.
        guess: (x) -> microseconds a row, roughly: it sets how many rows there are.
    """

    figure: str
    name: str
    xs: tuple[float, ...]
    work: Callable[[float, int, np.random.Generator], Work]
    guess: Callable[[float], float]


def instances(
    rng: np.random.Generator, rows: int, n: int, bits: int = FINE, d: int = 0
) -> tuple[Floats, Floats]:
    """Candidates and targets U[-1, 1], candidates on the grid 2^-bits."""
    size = 2.0**bits
    shape = (rows, n, d) if d else (rows, n)
    candidates = np.round(rng.uniform(-1, 1, shape) * size) / size
    return candidates, rng.uniform(-1, 1, (rows, d) if d else rows)


def call(verb: Callable[..., object], *arguments: Any, **options: Any) -> Work:
    """A call on one thread, still to be made."""
    return lambda: verb(*arguments, threads=1, **options)


def by_n(figure: str, name: str, ns: range, solve: Any, guess: Any, bits: int = FINE) -> Curve:
    """A curve over n of ``solve(candidates, targets)``, which gives the work."""

    def work(x: float, rows: int, rng: np.random.Generator) -> Work:
        made: Work = solve(*instances(rng, rows, int(x), bits))
        return made

    return Curve(figure, name, tuple(float(n) for n in ns), work, guess)


def by_epsilon(figure: str, name: str, n: int, solve: Any, guess: Any) -> Curve:
    """A curve over epsilon of ``solve(candidates, targets, epsilon)``, which gives the work."""

    def work(x: float, rows: int, rng: np.random.Generator) -> Work:
        made: Work = solve(*instances(rng, rows, n), x)
        return made

    return Curve(figure, name, (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6), work, guess)


def curves() -> Iterator[Curve]:
    """All lines of all figures."""
    backends: tuple[tuple[Literal["numba", "numpy"], int], ...] = (("numba", 1), ("numpy", 12))
    for backend, slower in backends:
        for bits, keys in ((23, "int32"), (FINE, "int64")):
            yield by_n(
                "network",
                f"{backend}, {keys} keys",
                range(6, 25, 2),
                lambda a, t, backend=backend: call(subsetsum.best, a, t, backend=backend),
                lambda n, slower=slower: slower * (0.2 + 5e-3 * 2 ** (n / 2)),
                bits,
            )
    yield by_n(
        "stream",
        "numba",
        range(25, 45, 3),
        lambda a, t: call(subsetsum.best, a, t),
        lambda n: 4e-3 * 2 ** (n / 2),
    )
    for backend, slower in backends:
        yield by_epsilon(
            "enumeration",
            f"within, n = 21, {backend}",
            21,
            lambda a, t, e, backend=backend: call(subsetsum.within, a, t, e, backend=backend),
            lambda e, slower=slower: slower * (0.2 + min(1e-4 / e, 5)),
        )
    yield by_epsilon(
        "enumeration",
        "until hit, of 32, numba",
        32,
        lambda a, t, e: call(subsetsum.within, a, t, e, regime=UntilHit()),
        lambda e: 1 + 1e-4 / e,
    )
    for n in (21, 32):
        yield by_epsilon(
            "by-size",
            f"sparsest, n = {n}",
            n,
            lambda a, t, e: call(subsetsum.sparsest, a, t, e),
            lambda e: 0.5 + 1e-3 / e,
        )
    for size in (3, 0):  # 0 stands for half of the candidates
        yield by_n(
            "by-size",
            f"fixed_size, k = {size or 'n / 2'}",
            range(12, 37, 4),
            lambda a, t, size=size: call(subsetsum.fixed_size, a, t, size or a.shape[1] // 2),
            lambda n: 1 + 1e-2 * 2 ** (n / 2),
        )
    for epsilon in (1e-6, 1e-9, 1e-12):
        bits = int(np.log2(10 / epsilon))
        ns = tuple(float(n) for n in range(28, 61, 4) if shape(n, bits) is not None)

        def work(x: float, rows: int, rng: np.random.Generator, e: float = epsilon) -> Work:
            a, t = instances(rng, rows, int(x), 53)
            lists = shape(int(x), int(np.log2(x / 2 / (2 * e))))
            assert lists is not None
            return call(subsetsum.within, a, t, e, regime=FourLists(*lists))

        yield Curve("four-lists", f"epsilon = {epsilon:g}", ns, work, lambda n: 300.0)
    for epsilon in (1e-1, 1e-2):
        yield by_n(
            "lightest",
            f"epsilon = {epsilon:g}",
            range(12, 33, 4),
            lambda a, t, e=epsilon: call(subsetsum.lightest, a, t, e),
            lambda n: 2 + 2e-2 * 2 ** (n / 2),
        )
    for d, epsilon in ((2, 0.1), (2, 0.01), (3, 0.1), (4, 0.1)):

        def vectors(
            x: float, rows: int, rng: np.random.Generator, d: int = d, e: float = epsilon
        ) -> Work:
            a, t = instances(rng, rows, int(x), d=d)
            return call(subsetsum.vector, a, t, e)

        ns = tuple(float(n) for n in range(12, 29, 4))
        name = f"d = {d}, epsilon = {epsilon:g}"
        yield Curve("vector", name, ns, vectors, lambda n: 5 + 0.1 * 2 ** (n / 2))
    for reach in (0.5, 1.0):
        yield by_n(
            "coverage",
            f"R = {reach:g}",
            range(12, 25, 2),
            lambda a, t, reach=reach: call(subsetsum.coverage, a, reach),
            lambda n: 5 + 5e-3 * 2.0**n,
        )


def run(config: Config) -> list[Point]:
    """Measure every curve."""
    seconds, repeats = (0.03, 1) if config.quick else (config.seconds, config.repeats)
    every = list(curves())
    points = []
    with show.progress() as progress:
        for number, curve in enumerate(every):
            progress(f"{curve.figure}: {curve.name}", number, len(every))
            for x in curve.xs[:: 3 if config.quick else 1]:
                rows = int(np.clip(seconds / (curve.guess(x) * 1e-6), 1, 100_000))
                work = curve.work(x, rows, np.random.default_rng(config.seed))
                work()  # compiles
                least = np.inf
                for _ in range(repeats):
                    start = time.thread_time()
                    work()
                    least = min(least, time.thread_time() - start)
                points.append(Point(curve.figure, curve.name, x, least / rows * 1e6))
    return points


def plot(points: list[Point], path: Path, figure: str) -> None:
    """The lines of one figure."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    chosen = [point for point in points if point.figure == figure]
    drawn = Figure(figsize=(6, 3.6), layout="constrained")
    axes = drawn.subplots()
    over_epsilon = all(point.x <= 0.1 for point in chosen)
    mixed = not over_epsilon and any(point.x <= 0.1 for point in chosen)
    panels = drawn.subplots(1, 2, sharey=True) if mixed else [axes]
    if mixed:
        drawn.delaxes(axes)
        drawn.set_size_inches(9, 3.6)
    names = list(dict.fromkeys(point.curve for point in chosen))
    for i, name in enumerate(names):
        line = [point for point in chosen if point.curve == name]
        panel = panels[0 if not mixed or line[0].x <= 0.1 else 1]
        xs, ys = [point.x for point in line], [point.microseconds for point in line]
        panel.plot(xs, ys, "os^Dv<>"[i % 7] + "-", color=f"C{i}", markersize=4, label=name)
    for panel in panels:
        small = panel.lines[0].get_xdata()[0] <= 0.1  # type: ignore[index, operator]
        panel.set(yscale="log", xlabel="epsilon" if small else "candidates a row, n")
        if small:
            panel.set_xscale("log")
            panel.invert_xaxis()
        if not small:
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set_ylabel("µs a row, one thread")
    drawn.savefig(path, dpi=120)


def main() -> int:
    """Measure, store, draw."""
    config = tyro.cli(Config, description=__doc__)
    try:
        folder(config.out)
        points = run(config)
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("figure", "curve", "x", "microseconds", "machine"))
        for p in points:
            cells = (p.figure, p.curve, f"{p.x:g}", f"{p.microseconds:.4g}", platform.machine())
            writer.writerow(cells)
        write_whole(config.out / "curves.csv", text.getvalue().encode())
        for figure in dict.fromkeys(point.figure for point in points):
            plot(points, config.out / f"curve-{figure}.png", figure)
    except StrongticketError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    show.table(
        "µs a row (CPU time of one thread)",
        ("algorithm", "curve", "at", "µs"),
        [(p.figure, p.curve, f"{p.x:g}", f"{p.microseconds:.3g}") for p in points],
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
