"""The figures, one idea each; matplotlib is imported where one is saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _law_bounds import information, lower, r4, reach, upper
from _law_curves import Cell, Curve
from _law_fits import half
from _law_tables import ANCHOR, groups

Axes = Any  # matplotlib's, which is not imported here
Draw = Callable[[Axes, Sequence[Curve]], None]
# Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
MARKERS = "osD^vPX"


def save(draw: Draw, curves: Sequence[Curve], path: Path) -> None:
    """Draw one figure to a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes, curves)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _ordered(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](0.9 * i / max(1, count - 1)) for i in range(count)]


def _shown(axes: Axes, curve: Curve, x: Any, **style: Any) -> None:
    """Failure rates with their exact 95 % intervals, while there are failures."""
    low, high = curve.interval
    kept = (curve.failures > 0) & (np.asarray(x) >= 0)
    kept &= np.arange(kept.size) >= np.count_nonzero(curve.failures == curve.trials) - 1
    rate = curve.rate[kept]
    bars = np.maximum(0, [rate - low[kept], high[kept] - rate])
    style = {"marker": "o", "markersize": 3.5, "linewidth": 1.2, "elinewidth": 0.8, **style}
    axes.errorbar(np.asarray(x)[kept], rate, bars, **style)


def _beside(axes: Axes) -> None:
    """The legend to the right of the plot, where it hides nothing."""
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _failure_axes(axes: Axes, curves: Sequence[Curve], x: str = "candidates n") -> None:
    trials = max((c.trials for c in curves), default=100)
    axes.set(yscale="log", xlabel=x, ylabel="probability of failure", ylim=(0.5 / trials, 1.6))


def single(axes: Axes, curves: Sequence[Curve]) -> None:
    """One target: failure against n for six accuracies, and the reach bound."""
    members = groups(curves)["single", "U[-1,1]", "U[-1,1]"]
    for curve, colour, marker in zip(members, _ordered(len(members)), "osD^vP", strict=False):
        label = rf"$\epsilon = 10^{{{round(math.log10(curve.cell.epsilon))}}}$"
        n = np.arange(curve.failures.size)
        _shown(axes, curve, n, color=colour, label=label, marker=marker)
    n = np.arange(0, 40)
    line = [reach(k, 1.0, 0.0) for k in n.tolist()]
    axes.plot(n, line, "k--", linewidth=1.2, label=r"reach bound, $\epsilon \to 0$")
    _failure_axes(axes, members)
    axes.set(xlim=(0, 39), title="One target t ~ U[-1,1], candidates U[-1,1]")
    _beside(axes)


def laws(axes: Axes, curves: Sequence[Curve]) -> None:
    """One target at one accuracy: the law of the candidates and the range of the target."""
    styles = {
        ("U[-1,1]", "U[-.1,.1]"): (BLUE, ":"),
        ("U[-1,1]", "U[-1,1]"): (BLUE, "-"),
        ("U[-1,1]", "|t| = 1"): (BLUE, "--"),
        ("U*U", "U[-.1,.1]"): (RED, ":"),
        ("U*U", "U[-1,1]"): (RED, "-"),
        ("U*U", "|t| = 1"): (RED, "--"),
        ("gated U*U", "U[-.1,.1]"): (PURPLE, ":"),
        ("gated U*U", "U[-1,1]"): (PURPLE, "-"),
        ("N(0,1)", "U[-1,1]"): (GREEN, "-"),
    }
    shown = []
    for (of, targets), (colour, dash) in styles.items():
        curve = _find(curves, Cell("single", of, targets, 1e-3))
        if curve is not None:
            shown.append(curve)
            label = f"{of}, t: {targets}".replace("*", "·")
            n = np.arange(curve.failures.size)
            _shown(axes, curve, n, color=colour, linestyle=dash, label=label, markersize=2.5)
    _failure_axes(axes, shown)
    axes.set(xlim=(5, 72), title=r"One target, $\epsilon = 10^{-3}$: law and range")
    _beside(axes)


def proofs(axes: Axes, curves: Sequence[Curve]) -> None:
    """All targets at once at one accuracy: measured, and what is proved on either side."""
    cell = Cell("all", "U[-1,1]", "all |z| <= 1/2", 0.01)
    curve = _find(curves, cell)
    if curve is None:
        return
    _shown(axes, curve, np.arange(curve.failures.size), color=BLUE, label="measured")
    n = np.arange(0, 71)
    styles = {
        "R1": (RED, "-", "R1 (upper bound)"),
        "R1'": (ORANGE, "-", "R1′ (upper bound)"),
        "reach": (GREEN, "--", "reach (lower bound)"),
    }
    for name, bound in {**upper(cell), **lower(cell)}.items():
        values = np.array([min(1.0, bound(k)) for k in n.tolist()])
        if name == "counting":
            axes.axvline(math.log2(0.5 / 0.01), color="k", linestyle=":", label="counting bound")
            continue
        colour, dash, label = styles[name]
        axes.plot(n, values, dash, color=colour, linewidth=1.4, label=label)
    _failure_axes(axes, [curve])
    axes.set(
        xlim=(0, 70),
        ylim=(1e-4, 1.6),
        title=r"All |z| ≤ 1/2 at once, $\epsilon = 10^{-2}$, candidates U[-1,1]",
    )
    _beside(axes)


def least(axes: Axes, curves: Sequence[Curve]) -> None:
    """Candidates for failure 1e-3 against log2(1/epsilon)."""
    styles = {
        ("U[-1,1]", "U[-.1,.1]"): (SKY, "v"),
        ("U[-1,1]", "U[-1,1]"): (BLUE, "o"),
        ("U[-1,1]", "|t| = 1"): (GREEN, "^"),
        ("U*U", "U[-1,1]"): (RED, "s"),
        ("gated U*U", "U[-.1,.1]"): (PURPLE, "D"),
        ("gated U*U", "U[-1,1]"): (ORANGE, "P"),
    }
    found = groups(curves)
    for (of, targets), (colour, marker) in styles.items():
        points = [(c, c.least(1e-3)) for c in found.get(("single", of, targets), [])]
        kept = [(-math.log2(c.cell.epsilon), *n) for c, n in points if n[0]]
        if not kept:
            continue
        x = [row[0] for row in kept]
        n = np.array([row[1] for row in kept], float)
        low = np.array([row[2] for row in kept], float)
        high = np.array([row[1] if row[3] is None else row[3] for row in kept], float)
        label = f"{of}, t: {targets}".replace("*", "·")
        style = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1, "capsize": 2}
        axes.errorbar(x, n, np.maximum(0, [n - low, high - n]), label=label, **style)
    bits = np.array([2, 21])
    axes.plot(bits, bits, "k:", label=r"$\log_2(1/\epsilon)$")
    axes.plot(bits, 3 * bits, "k--", label=r"$3\,\log_2(1/\epsilon)$ (published)")
    axes.set(
        xlabel=r"$\log_2(1/\epsilon)$, bits",
        ylabel="candidates n",
        xlim=(2, 21),
        ylim=(0, 80),
        title=r"Least n with failure at most $10^{-3}$, one target",
    )
    _beside(axes)


def every(axes: Axes, curves: Sequence[Curve]) -> None:
    """All targets at once: quantiles of n against log2(1/epsilon), beside the theorems."""
    from strongticket.theorems import random_subset_sum as rss

    members = groups(curves)["all", "U[-1,1]", "all |z| <= 1/2"]
    for level, text, colour, marker in (
        (0.5, "median", BLUE, "o"),
        (0.1, "90 %", GREEN, "s"),
        (0.01, "99 %", RED, "^"),
    ):
        kept = [(c.cell.epsilon, *c.least(level)) for c in members]
        kept = [row for row in kept if row[1] is not None]
        x = [-math.log2(row[0]) for row in kept]
        n = np.array([row[1] for row in kept], float)
        low = np.array([row[2] for row in kept], float)
        high = np.array([row[1] if row[3] is None else row[3] for row in kept], float)
        bars = np.maximum(0, [n - low, high - n])
        axes.errorbar(x, n, bars, color=colour, marker=marker, capsize=2, label=f"measured, {text}")
    widths = [2.0**-k for k in range(3, 15)]
    x = [-math.log2(e) for e in widths]
    axes.plot(x, [rss.R1.width(e, 0.01) for e in widths], "k-", label="R1, 99 %")
    axes.plot(x, [rss.DYNAMIC_PROGRAM.width(e, 0.01) for e in widths], "k--", label="R1′, 99 %")
    axes.plot(x, [math.log2(0.5 / e) for e in widths], "k:", label="counting bound")
    axes.set(
        xlabel=r"$\log_2(1/\epsilon)$, bits",
        ylabel="candidates n",
        ylim=(0, None),
        title="All |z| ≤ 1/2 at once, candidates U[-1,1]",
    )
    _beside(axes)


def size(axes: Axes, curves: Sequence[Curve]) -> None:
    """Exactly k candidates: the information in the choice against what the target asks for."""
    ks = sorted({c.cell.size for c in curves if c.cell.part == "size"})
    for k, colour, marker in zip(ks, _ordered(len(ks)), MARKERS, strict=False):
        points = []
        for curve in curves:
            if curve.cell.part == "size" and curve.cell.size == k:
                n = half(curve.first)
                if n is not None and n > k:
                    points.append((math.log2(k / curve.cell.epsilon), information(n, k)))
        style = {"color": colour, "marker": marker, "linestyle": "none", "label": f"k = {k}"}
        axes.plot(*np.array(points).T, **style)
    ends = np.array([3.0, 24.0])
    axes.plot(ends, ends, "k:", label=r"$n H_2(k/n) = \log_2(k/\epsilon)$")
    axes.set(
        xlabel=r"$\log_2(k/\epsilon)$, bits",
        ylabel=r"$n\,H_2(k/n)$, bits",
        title="Subsets of exactly k: n at failure 1/2",
    )
    _beside(axes)


def pairs(axes: Axes, curves: Sequence[Curve]) -> None:
    """Exactly one of each pair: failure against the number of pairs, and R6."""
    members = [c for c in curves if c.cell.part == "pairs"]
    for curve, colour, marker in zip(members, (BLUE, ORANGE, RED), "os^", strict=False):
        label = rf"measured, $\epsilon = {curve.cell.epsilon:g}$"
        n = np.arange(curve.failures.size)
        _shown(axes, curve, n, color=colour, label=label, marker=marker)
        bound = upper(curve.cell)["R6"]
        k = np.arange(10, 2000, 30)
        values = [bound(j) for j in k.tolist()]
        label = rf"R6, $\epsilon = {curve.cell.epsilon:g}$"
        axes.plot(k, values, "--", color=colour, linewidth=1.2, label=label)
    _failure_axes(axes, members, "pairs (subset size k, 2k candidates)")
    axes.set(xscale="log", xlim=(3, 2000), title="Exactly one of each pair, all |z| ≤ 1/2 at once")
    ticks = [3, 10, 30, 100, 300, 1000]
    axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    axes.minorticks_off()
    _beside(axes)


def transition(axes: Axes, curves: Sequence[Curve]) -> None:
    """Integers: failure against log2(M)/n steepens where it is 1."""
    members = [c for c in curves if c.cell.part == "quantized"]
    for curve, colour, marker in zip(members, _ordered(len(members)), "osD^vP", strict=False):
        n = np.arange(1, curve.failures.size)
        ratio = curve.cell.size / n
        low, high = curve.interval
        rate = curve.rate[1:]
        bars = np.maximum(0, [rate - low[1:], high[1:] - rate])
        style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.2}
        axes.errorbar(ratio, rate, bars, label=f"$M = 2^{{{curve.cell.size}}}$", **style)
    axes.axvline(1, color="k", linestyle=":", linewidth=1.2)
    axes.set(
        xlabel=r"$\log_2(M)\,/\,n$",
        ylabel="probability of failure",
        xlim=(0.3, 2),
        ylim=(-0.02, 1.02),
        title="A random integer |z| ≤ M/2 as an exact subset sum",
    )
    _beside(axes)


def exponential(axes: Axes, curves: Sequence[Curve]) -> None:
    """Integers, all targets at once: failure falls exponentially; R4 and n^(-1/7)."""
    members = [c for c in curves if c.cell.part == "quantized all"]
    for curve, colour, marker in zip(members, _ordered(len(members)), "osD^v", strict=False):
        label = f"measured, $M = 2^{{{curve.cell.size}}}$"
        n = np.arange(curve.failures.size)
        _shown(axes, curve, n, color=colour, label=label, marker=marker)
    n = np.arange(4, 91)
    for bits, dash in ((4, "-"), (12, "--")):
        line = [min(1.0, r4(k, 1 << bits)) for k in n.tolist()]
        axes.plot(n, line, dash, color=RED, linewidth=1.4, label=f"R4, $M = 2^{{{bits}}}$")
    axes.plot(n, n ** (-1 / 7), "k:", linewidth=1.4, label="$n^{-1/7}$ (published)")
    _failure_axes(axes, members)
    axes.set(xlim=(4, 90), title="Every integer |z| ≤ M/2 as an exact subset sum")
    _beside(axes)


def _find(curves: Sequence[Curve], cell: Cell) -> Curve | None:
    return next((c for c in curves if c.cell == cell and cell.epsilon not in ANCHOR), None)


FIGURES: dict[str, Draw] = {
    "single": single,
    "laws": laws,
    "least": least,
    "proofs": proofs,
    "all": every,
    "size": size,
    "pairs": pairs,
    "transition": transition,
    "decay": exponential,
}
