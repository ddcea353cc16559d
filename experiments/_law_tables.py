"""The tables of the page, as Markdown, made from the curves alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import partial

from _law_bounds import MOST_PAIRS, r6, size_law
from _law_curves import Curve
from _law_fits import Fit, half, law, sizes

from strongticket.errors import InputError
from strongticket.theorems import random_subset_sum as rss
from strongticket.theorems._sampling import SamplingTheorem

LEVELS = (1e-1, 1e-2, 1e-3)
QUANTILES = ((0.5, "median"), (0.1, "90 %"), (0.01, "99 %"))
RARE, COMMON = 0.1, 0.5  # the largest failure rate that enters a fit: one target, all at once
ANCHOR = (8.624e-07, 8.976e-07)  # accuracies that only a claim asks for
Group = tuple[str, str, str]
THEOREMS: dict[Group, SamplingTheorem] = {
    ("single", "U[-1,1]", "U[-1,1]"): rss.R1PLUS_WHOLE,
    ("single", "U[-1,1]", "|t| = 1"): rss.R1PLUS_WHOLE,
    ("single", "U[-1,1]", "U[-.1,.1]"): rss.R1,
    ("single", "gated U*U", "U[-.1,.1]"): rss.PRODUCT,
    ("all", "U[-1,1]", "all |z| <= 1/2"): rss.R1,
    ("all", "U[-1,1]", "all |z| <= 1"): rss.R1PLUS_WHOLE,
}


def groups(curves: Iterable[Curve]) -> dict[Group, list[Curve]]:
    """Curves that differ in epsilon or size alone."""
    found: dict[Group, list[Curve]] = {}
    for curve in curves:
        cell = curve.cell
        if cell.epsilon not in ANCHOR:
            found.setdefault((cell.part, cell.law, cell.targets), []).append(curve)
    return found


def fits(curves: Iterable[Curve], seed: int) -> list[tuple[Group, Fit]]:
    """One fit a group, where it has the points."""
    found: list[tuple[Group, Fit]] = []
    for group, members in groups(curves).items():
        part, of, targets = group
        name = f"{of}, {targets}"
        if part == "size":
            fit = sizes(name, members, seed)
        else:
            most = RARE if part in ("single", "quantized") else COMMON
            fit = law(name, members, most, seed)
        if fit is not None:
            found.append((group, fit))
    return found


def proved(group: Group) -> tuple[str, tuple[float, float, float]] | None:
    """The theorem beside a group and its a, b, c: prefactor and ratio read off its own bound."""
    if group[0].startswith("quantized"):
        b = 1 / math.log2(4 / 3)
        return "R4", (2 * b, b, 0.0)
    theorem = THEOREMS.get(group)
    if theorem is None:
        return None
    eta = 2.0**-8
    start, next_ = theorem.failure(0, eta), theorem.failure(1, eta)
    b = 1 / math.log2(start / next_)
    names = {"r1": "R1", "r1plus_whole": "R1+", "product": "R2+"}
    names = {f"dacunha2022_{key}": name for key, name in names.items()}
    return names[theorem.key], (2 * b, b, b * math.log2(start * eta**2))


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_bars(cell) for cell in line) + " |" for line in lines)


def _bars(text: str) -> str:
    for plain, shown in (("|", r"\|"), ("*", "·"), ("<=", "≤"), ("..", " … ")):
        text = text.replace(plain, shown)
    return text


def between(found: tuple[int | None, int | None, int | None]) -> str:
    """The least n, with the least n by the two confidence limits where they differ."""
    n, low, high = found
    if n is None:
        return "-" if low is None else f"≥ {low}"
    if low == high:
        return str(n)
    return f"{n} ({low} to {high})" if high is not None else f"{n} (from {low})"


def _power(epsilon: float) -> str:
    return f"{epsilon:g}"


def least_table(curves: Iterable[Curve]) -> str:
    """One target: the least n by law, target, level and epsilon; and the mean of the first hit."""
    rows = []
    columns: list[float] = []
    for (part, of, targets), members in groups(curves).items():
        if part != "single":
            continue
        columns = [c.cell.epsilon for c in members]
        for level in LEVELS:
            cells = [between(c.least(level)) for c in members]
            rows.append([of, targets, f"{level:g}", *cells])
        means = [_mean(c) for c in members]
        rows.append([of, targets, "mean first n", *means])
    return markdown(["candidates", "target", "failure", *map(_power, columns)], rows)


def _mean(curve: Curve) -> str:
    never = int(curve.first[-1])
    return f"{curve.mean:.2f}" if never == 0 else f"> {curve.mean:.2f}"


def all_table(curves: Iterable[Curve]) -> str:
    """Every target at once: quantiles of the least n."""
    rows = []
    for (part, of, targets), members in groups(curves).items():
        if part != "all":
            continue
        for curve in members:
            cells = [between(curve.least(level)) for level, _ in QUANTILES]
            rows.append([of, targets, _power(curve.cell.epsilon), str(curve.trials), *cells])
    head = ["candidates", "targets", "epsilon", "trials", *(name for _, name in QUANTILES)]
    return markdown(head, rows)


def size_table(curves: Iterable[Curve]) -> str:
    """Subsets of exactly k: the n at failure 1/2 beside n H2(k/n) = log2(k/epsilon)."""
    rows = []
    for curve in curves:
        cell = curve.cell
        if cell.part == "size":
            crossing = half(curve.first)
            shown = "-" if crossing is None else f"{crossing:.1f}"
            least = between(curve.least(0.5))
            wanted = f"{size_law(cell.size, cell.epsilon):.1f}"
            rows.append([str(cell.size), _power(cell.epsilon), least, shown, wanted])
    return markdown(["k", "epsilon", "least n", "interpolated", "H2 law, c = 1"], rows)


def pair_table(curves: Iterable[Curve]) -> str:
    """One of each pair: how many pairs, measured and proved."""
    rows = []
    for curve in curves:
        if curve.cell.part == "pairs":
            epsilon = curve.cell.epsilon
            for level, name in QUANTILES:
                asked = next(k for k in range(10, MOST_PAIRS, 10) if r6(k, epsilon) <= level)
                rows.append([_power(epsilon), name, between(curve.least(level)), str(asked)])
    return markdown(["epsilon", "quantile", "pairs measured", "pairs by R6 (to 10)"], rows)


def quantized_table(curves: Iterable[Curve]) -> str:
    """Integers: n at three failure levels, and the ratio of successive failure rates."""
    rows = []
    for (part, _, targets), members in groups(curves).items():
        if not part.startswith("quantized"):
            continue
        for curve in members:
            crossing = half(curve.first)
            cells = [between(curve.least(level)) for level in LEVELS]
            shown = "-" if crossing is None else f"{crossing:.2f}"
            rows.append([targets, f"2^{curve.cell.size}", shown, *cells, decay(curve)])
    head = ["targets", "M", "failure 1/2", *(f"{level:g}" for level in LEVELS), "ratio in the tail"]
    return markdown(head, rows)


def decay(curve: Curve) -> str:
    """The mean factor a candidate by which the failure rate falls, between 1 % and 20 failures."""
    failures, trials = curve.failures, curve.trials
    tail = [n for n in range(failures.size) if 20 <= failures[n] <= 0.01 * trials]
    if len(tail) < 3:
        return "-"
    steps = tail[-1] - tail[0]
    return f"{(failures[tail[-1]] / failures[tail[0]]) ** (1 / steps):.2f}"


def fit_table(found: Sequence[tuple[Group, Fit]]) -> str:
    """The fitted constants, their intervals, and the theorem's own."""
    rows = []
    for group, fit in found:
        if group[0] == "size":
            continue
        theorem = proved(group)
        numbers = [
            f"{v:.2f} ({low:.2f} to {high:.2f})"
            for v, low, high in zip(fit.values, fit.low, fit.high, strict=True)
        ]
        stated = "-"
        if theorem is not None:
            stated = f"{theorem[0]}: " + ", ".join(f"{v:.2f}" for v in theorem[1])
        rows.append([PARTS[group[0]], fit.name, *numbers, f"{fit.residual:.2f}", stated])
    head = ["what", "candidates, targets", "a", "b", "c", "residual", "proved a, b, c"]
    return markdown(head, rows)


PARTS = {
    "single": "one target",
    "all": "all at once",
    "size": "size k",
    "pairs": "pairs, all at once",
    "quantized": "integers, one target",
    "quantized all": "integers, all at once",
}


def size_sentence(found: Sequence[tuple[Group, Fit]]) -> str:
    """The fit of the fixed size, as a line."""
    for group, fit in found:
        if group[0] == "size":
            (a, c), (al, cl), (ah, ch) = fit.values, fit.low, fit.high
            return (
                f"Fitted over {fit.points} pairs (k, epsilon): "
                f"$n H_2(k/n) = a \\log_2(k/\\epsilon) + c$ with "
                f"a = {a:.3f} ({al:.3f} to {ah:.3f}) and c = {c:.2f} ({cl:.2f} to {ch:.2f}), "
                f"residual {fit.residual:.2f} bits."
            )
    return "Too few points for a fit."


def blocks(curves: Sequence[Curve], found: Sequence[tuple[Group, Fit]]) -> dict[str, str]:
    """Every table of the page, by the name that the page's markers have."""
    return {
        "fits": fit_table(found),
        "single": least_table(curves),
        "all": all_table(curves),
        "size": size_table(curves) + "\n\n" + size_sentence(found),
        "pairs": pair_table(curves),
        "quantized": quantized_table(curves),
    }


def _within(text: str, markers: re.Match[str]) -> str:
    return f"{markers[1]}\n{text}\n\n{markers[2]}"


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with every marked block replaced.

    Raises:
        InputError: a block has no markers in the page.
    """
    for name, text in tables.items():
        marked = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
        page, count = marked.subn(partial(_within, text), page)
        if count != 1:
            raise InputError(f"the page must have the markers of the block {name!r} once")
    return page
