"""Exact subset sums on a grid: the phase transition, and how fast failure decays.

Samples are uniform on the integers +-1, ..., +-M, M = 2^b. For every prefix of a sample all of its
subset sums are known exactly, as the bits of one integer: so for each trial the least n is found
at which a random target |z| <= M/2 is a subset sum, and at which every such target is. Failure
against kappa = log2(M) / n shows the transition; failure against n stands beside the proved bound
M^2 rho^n and beside the published order n^(-1/7), drawn with constant 1: its own is unspecified.

    python experiments/quantized_transition.py [--quick] [--out FOLDER]
    python experiments/quantized_transition.py --publish    # results and figure of the docs
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from _main import judged, places, refused
from _stored import table

from strongticket import philox
from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import write_whole
from strongticket.laws import Grid

NAME = "quantized_transition"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    bits: tuple[int, ...] = (4, 6, 8, 10, 12, 16)
    """b = log2 M of one random target"""
    every: tuple[int, ...] = (2, 4, 8, 12)
    """b = log2 M of all targets at once"""
    trials: int = 100_000
    """samples for each b; fewer where M is large"""
    work: float = 2e11
    """bits touched for each b: what fewer trials are reckoned from"""
    seed: int = 0
    quick: bool = False


QUICK: dict[str, Any] = {"bits": (4, 8, 12), "every": (2, 4, 8), "trials": 2000, "work": 2e9}


@dataclass(frozen=True)
class Point:
    """Failures among the trials at one (kind, b, n).

    Attributes:
        kind: "one" random target, or "every" target at once.
        bits, n, kappa: b = log2 M, samples, b / n.
        failed, trials: counts.
        low, high: the 95 % interval of the failure probability (Clopper and Pearson).
        proved: the proved bound on it, at most 1.
        published: n^(-1/7), the published order with constant 1.
        least: for one target, what no sample can be below: 1 - 2^n / (M + 1); else 0, or 1 where
            2^n < M + 1.
    """

    kind: str
    bits: int
    n: int
    kappa: float
    failed: int
    trials: int
    low: float
    high: float
    proved: float
    published: float
    least: float

    @property
    def rate(self) -> float:
        """The share that failed."""
        return self.failed / self.trials


@dataclass(frozen=True)
class Decay:
    """Log2 of the failure probability per sample, fitted where it is small; half of about 95 %."""

    kind: str
    bits: int
    first: int
    last: int
    slope: float
    half: float


@dataclass(frozen=True)
class Result:
    """What was measured, the fitted decays, and the claims that they are held to."""

    points: tuple[Point, ...]
    decays: tuple[Decay, ...]
    claims: tuple[tuple[str, bool, str], ...]


def least_lengths(sample: list[int], target: int, reach: int) -> tuple[int | None, int | None]:
    """The least n at which `target`, and every |z| <= reach, is a subset sum of the first n."""
    bits, offset = 1, 0
    full = (1 << (2 * reach + 1)) - 1
    one = 0 if target == 0 else None
    for n, x in enumerate(sample, 1):
        bits, offset = (bits | bits << x, offset) if x > 0 else (bits | bits << -x, offset - x)
        if one is None and target + offset >= 0 and bits >> (target + offset) & 1:
            one = n
        if one is not None and offset >= reach and bits >> (offset - reach) & full == full:
            return one, n
    return one, None


def measure(config: Config, bits: int, every: bool) -> list[Point]:
    """One sample a trial; failures at every n up to the longest."""
    from scipy import stats

    m, longest = 1 << bits, length(bits, every)
    cost = longest**2 * m / 2 if not every else longest**2 * m
    trials = int(max(200, min(config.trials, config.work / cost)))
    stream = philox.stream("experiment", f"{NAME} {bits} {every}")
    words = philox.words(config.seed, stream, 0, trials * (longest + 1)).reshape(trials, -1)
    samples = Grid(1.0, m).units(words[:, 1:]).tolist()
    targets = (words[:, 0] % np.uint32(m + 1)).astype(np.int64) - m // 2
    found = []
    for sample, target in zip(samples, targets.tolist(), strict=True):
        pair = least_lengths(sample, target, m // 2) if every else (_one(sample, target), None)
        found.append(pair[1] if every else pair[0])
    lengths = np.array([longest + 1 if n is None else n for n in found])
    points = []
    for n in range(1, longest + 1):
        failed = int((lengths > n).sum())
        low = float(stats.beta.ppf(0.025, failed, trials - failed + 1)) if failed else 0.0
        high = float(stats.beta.ppf(0.975, failed + 1, trials - failed)) if failed < trials else 1.0
        short = 1 - 2**n / (m + 1)
        points.append(
            Point(
                kind="every" if every else "one",
                bits=bits,
                n=n,
                kappa=bits / n,
                failed=failed,
                trials=trials,
                low=low,
                high=high,
                proved=min(1.0, m * m * ratio(m) ** n),
                published=n ** (-1 / 7),
                least=max(0.0, short) if not every else float(short > 0),
            )
        )
    return points


def _one(sample: list[int], target: int) -> int | None:
    """The least n at which `target` is a subset sum."""
    if target == 0:
        return 0
    bits, offset = 1, 0
    for n, x in enumerate(sample, 1):
        bits, offset = (bits | bits << x, offset) if x > 0 else (bits | bits << -x, offset - x)
        if target + offset >= 0 and bits >> (target + offset) & 1:
            return n
    return None


def length(bits: int, every: bool) -> int:
    """The longest sample: where failure is rare."""
    return 2 * bits + 16 if every else 2 * bits + 12


def ratio(m: int) -> float:
    """The rate that is proved."""
    return 1 - (m + 1) / (4 * m)


def decay(points: list[Point]) -> Decay | None:
    """A weighted fit where between 20 failures and a fifth of the trials failed."""
    used = [p for p in points if p.failed >= 20 and p.rate <= 0.2]
    if len(used) < 3:
        return None
    x = np.array([p.n for p in used], float)
    y = np.log2([p.rate for p in used])
    # trials are shared along n, so neighbouring points are not independent; the spread of the
    # slope is taken from the last point alone, the least certain one, over the whole stretch
    slope = float(np.polyfit(x, y, 1)[0])
    half = 1.96 / math.log(2) / math.sqrt(used[-1].failed) / (x[-1] - x[0])
    return Decay(used[0].kind, used[0].bits, used[0].n, used[-1].n, slope, float(half))


def run(config: Config) -> Result:
    """Measure, fit and compare."""
    jobs = [(b, False) for b in config.bits] + [(b, True) for b in config.every]
    points: list[Point] = []
    decays = []
    with show.progress() as progress:
        for i, (bits, every) in enumerate(jobs):
            progress(f"M = 2^{bits}, {'every target' if every else 'one target'}", i, len(jobs))
            mine = measure(config, bits, every)
            points += mine
            if (fitted := decay(mine)) is not None:
                decays.append(fitted)
    return Result(tuple(points), tuple(decays), claims(points, decays))


def half_point(points: list[Point]) -> float:
    """The n at which half of the trials fail, interpolated."""
    rates = [p.rate for p in points]
    at = next(i for i, rate in enumerate(rates) if rate <= 0.5)
    if at == 0:
        return float(points[0].n)
    return points[at - 1].n + (rates[at - 1] - 0.5) / (rates[at - 1] - rates[at])


def claims(points: list[Point], decays: list[Decay]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    from scipy import stats

    above, below = 1.0, 1.0
    for p in points:
        if p.proved < 1 and p.kind == "every":
            above = min(above, float(stats.binom.sf(p.failed - 1, p.trials, p.proved)))
        if p.least > 0:
            below = min(below, float(stats.binom.cdf(p.failed, p.trials, p.least)))
    ones = {p.bits for p in points if p.kind == "one"}
    easy = [p for p in points if p.kind == "one" and p.kappa <= 0.5 and p.bits >= 8]
    hard = [p for p in points if p.kind == "one" and p.kappa >= 1.5 and p.bits >= 8]
    halves = {b: half_point([p for p in points if p.bits == b and p.kind == "one"]) for b in ones}
    widths = {b: spread([p for p in points if p.bits == b and p.kind == "one"]) for b in ones}
    least, most = min(ones), max(ones)
    alls = [d for d in decays if d.kind == "every"]
    seventh = max(p.rate / p.published for p in points if p.kind == "every" and p.proved < 1)
    return (
        (
            "every target: no failure rate above the proved bound",
            above > 1e-6,
            f"least p-value {above:.3g}",
        ),
        (
            "no failure rate below what counting allows",
            below > 1e-6,
            f"least p-value {below:.3g}",
        ),
        (
            "kappa <= 1/2, M >= 2^8: a random target is almost always a subset sum",
            max(p.low for p in easy) < 0.05,
            f"at most {max(p.rate for p in easy):.3g} fail",
        ),
        (
            "kappa >= 3/2, M >= 2^8: it hardly ever is",
            min(p.high for p in hard) > 0.8,
            f"at least {min(p.rate for p in hard):.3g} fail",
        ),
        (
            "the transition narrows in kappa as M grows",
            widths[most] < widths[least],
            ", ".join(f"M 2^{b}: {widths[b]:.2f}" for b in sorted(ones)),
        ),
        (
            "half of the targets are reached near kappa = 1, nearer for larger M",
            halves[most] / most < halves[least] / least,
            ", ".join(f"M 2^{b}: kappa {b / halves[b]:.3f}" for b in sorted(ones)),
        ),
        (
            "every target: failure decays exponentially, faster than the proved 0.41 bits a sample",
            all(d.slope + d.half < math.log2(ratio(1 << d.bits)) for d in alls),
            ", ".join(f"M 2^{d.bits}: {d.slope:.2f} ± {d.half:.2f}" for d in alls),
        ),
        (
            "where the bound says something, failure is far below n^(-1/7)",
            seventh < 0.1,
            f"at most {seventh:.3g} of it",
        ),
    )


def spread(points: list[Point]) -> float:
    """Kappa where 10 % fail subtracted from kappa where 90 % fail: the transition's width."""
    high = next((p.kappa for p in reversed(points) if p.rate >= 0.9), points[0].kappa)
    low = next(p.kappa for p in points if p.rate <= 0.1)
    return high - low


def plot(result: Result, path: Path) -> None:
    """The transition against kappa; the decay against n."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    every = sorted({p.bits for p in result.points})
    colours = {bits: f"C{i}" for i, bits in enumerate(every)}  # one M, one colour, in both panels
    for bits in sorted({p.bits for p in result.points if p.kind == "one"}):
        mine = [p for p in result.points if p.kind == "one" and p.bits == bits]
        x = [p.kappa for p in mine]
        left.plot(
            x,
            [p.rate for p in mine],
            "o-",
            ms=2.5,
            lw=1,
            color=colours[bits],
            label=f"M = 2^{bits}",
        )
        left.fill_between(
            x, [p.low for p in mine], [p.high for p in mine], color=colours[bits], alpha=0.2
        )
    left.axvline(1, color="0.6", lw=0.8, ls=":")
    left.set(
        xlim=(0, 2.5),
        xlabel="kappa = log2(M) / n",
        ylabel="a random target |z| ≤ M/2 is no subset sum",
    )
    left.legend(fontsize=7, loc="lower right")
    for bits in sorted({p.bits for p in result.points if p.kind == "every"}):
        mine = [p for p in result.points if p.kind == "every" and p.bits == bits]
        shown = [p for p in mine if p.failed]
        x = [p.n for p in shown]
        right.plot(x, [p.rate for p in shown], "o-", ms=2.5, lw=1, color=colours[bits])
        right.fill_between(
            x, [p.low for p in shown], [p.high for p in shown], color=colours[bits], alpha=0.2
        )
        m = 1 << bits
        far = np.arange(1, 136)
        proved = m * m * ratio(m) ** far.astype(float)
        right.plot(far[proved <= 1], proved[proved <= 1], "--", lw=1, color=colours[bits])
        right.plot([], [], "-", color=colours[bits], label=f"M = 2^{bits}")
    far = np.arange(1, 136)
    right.plot(far, far ** (-1 / 7), ":", color="0.3", lw=1.2, label="n^(-1/7), constant 1")
    right.plot([], [], "o-", ms=2.5, lw=1, color="0.3", label="measured, 95 %")
    right.plot([], [], "--", lw=1, color="0.3", label="proved: M² (3/4 - 1/(4M))^n")
    right.set(
        yscale="log",
        ylim=(2e-5, 1.5),
        xlim=(0, 135),
        xlabel="samples n",
        ylabel="some target |z| ≤ M/2 is no subset sum",
    )
    right.legend(fontsize=7, loc="upper right", bbox_to_anchor=(1, 0.9))
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
    rows = [(d.kind, f"2^{d.bits}", f"{d.slope:.3f} +- {d.half:.3f}") for d in result.decays]
    show.table("log2 of the failure rate per sample", ("targets", "M", "slope, 95 %"), rows)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
