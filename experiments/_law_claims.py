"""What the curves are held to: bounds, and figures that were measured before, elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from _law_bounds import lower, upper
from _law_curves import REFUTES, Cell, Curve, clopper_pearson
from numpy.typing import NDArray
from scipy.stats import binom


@dataclass(frozen=True)
class Claim:
    """A claim with what speaks against it: refuted below a probability of 1e-6."""

    name: str
    text: str
    refuted: bool


def claims(curves: Sequence[Curve]) -> list[Claim]:
    """Every claim that these curves can refute."""
    return [*_bounds(curves), *_rates(curves), *_median_error(curves), *_medians(curves)]


def _bounds(curves: Sequence[Curve]) -> Iterator[Claim]:
    """Failure is never above an upper bound and never below a lower one, at any n."""
    least: dict[tuple[str, str], tuple[float, str]] = {}
    points: dict[tuple[str, str], int] = {}
    for curve in curves:
        failed, trials = curve.failures, curve.trials
        for side, bounds in (("upper", upper(curve.cell)), ("lower", lower(curve.cell))):
            for name, bound in bounds.items():
                p = np.clip([bound(n) for n in range(failed.size)], 0.0, 1.0)
                above = side == "upper"
                tails = binom.sf(failed - 1, trials, p) if above else binom.cdf(failed, trials, p)
                key, n = (name, side), int(np.argmin(tails))
                points[key] = points.get(key, 0) + failed.size
                if key not in least or tails[n] < least[key][0]:
                    where = f"{failed[n]} of {trials}, bound {p[n]:.3g}"
                    least[key] = (float(tails[n]), f"{curve.cell.name}, n = {n}: {where}")
    for (name, side), (tail, point) in least.items():
        text = f"{points[name, side]} points; least likely (p = {tail:.2g}) {point}"
        yield Claim(
            f"{name} bounds failure from {'above' if side == 'upper' else 'below'}",
            text,
            tail < REFUTES,
        )


_RATES = {"U[-1,1]": (0.00404, 0.0003), "U*U": (0.0345, 0.001)}


def _rates(curves: Sequence[Curve]) -> Iterator[Claim]:
    """Failure at n = 15, epsilon 0.01, t ~ U[-1, 1]: two published implementations' figures."""
    for law, (rate, width) in _RATES.items():
        curve = _find(curves, Cell("single", law, "U[-1,1]", 0.01))
        failed = _failed(curve, 15)
        if curve is None or failed is None:
            continue
        low, high = clopper_pearson(failed, curve.trials, REFUTES)
        apart = bool(low[0] > rate + width or high[0] < rate - width)
        text = f"measured {failed[0] / curve.trials:.3%} ({low[0]:.3%} to {high[0]:.3%})"
        yield Claim(f"n = 15, epsilon 0.01, {law}: {rate:.3%} +- {width:.2%}", text, apart)


def _median_error(curves: Sequence[Curve]) -> Iterator[Claim]:
    """Half of the best errors of 21 candidates are below 8.8e-7, to 2 %."""
    counts = []
    for epsilon in (8.624e-07, 8.976e-07):
        curve = _find(curves, Cell("single", "U[-1,1]", "U[-1,1]", epsilon))
        failed = _failed(curve, 21)
        if curve is None or failed is None:
            return
        counts.append((int(failed[0]), curve.trials))
    above, below = binom.cdf(*counts[0], 0.5), binom.sf(counts[1][0] - 1, counts[1][1], 0.5)
    near, far = (failed / trials for failed, trials in counts)
    text = f"{near:.2%} of the errors are above 8.624e-7, {far:.2%} above 8.976e-7"
    refuted = min(above, below) < REFUTES
    yield Claim("n = 21: median best error 8.8e-7 +- 2 %", text, bool(refuted))


_MEDIANS = {
    ("U[-1,1]", "all |z| <= 1/2"): (6, 7, 9, 11, 12, 13, 15),
    ("U[-1,1]", "all |z| <= 1"): (7, 9, 10, 12, 13, 14, 15),
    ("N(0,1)", "all |z| <= 1/2"): (7, 8, 10, 11, 12, 14, 15),
    ("N(0,1)", "all |z| <= 1"): (7, 9, 10, 12, 13, 14, 16),
    ("U*U", "all |z| <= 1/2"): (7, 8, 9, 11, 12, 13, 14),
    ("U*U", "all |z| <= 1"): (12, 12, 13, 14, 14, 16, 17),
}
_EPSILONS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


def _medians(curves: Sequence[Curve]) -> Iterator[Claim]:
    """The median n at which every target is served; found before with 400 draws a cell."""
    for (law, targets), medians in _MEDIANS.items():
        for epsilon, median in zip(_EPSILONS, medians, strict=True):
            curve = _find(curves, Cell("all", law, targets, epsilon))
            at = _failed(curve, median - 1, median)
            if curve is None or at is None:
                continue
            low, high = clopper_pearson(at, curve.trials, REFUTES)
            refuted = bool(high[0] < 0.5 or low[1] > 0.5)
            before, here = at / curve.trials
            text = f"failure {before:.3f} at n - 1, {here:.3f} at n"
            yield Claim(f"median n = {median}: {law}, {targets}, {epsilon:g}", text, refuted)


def _find(curves: Sequence[Curve], cell: Cell) -> Curve | None:
    return next((curve for curve in curves if curve.cell == cell), None)


def _failed(curve: Curve | None, *numbers: int) -> NDArray[np.int64] | None:
    """The failures at each n; None where the curve ends before one of them."""
    if curve is None or (max(numbers) > curve.most and curve.first[-1]):
        return None
    padded = np.append(curve.failures, 0)
    return padded[np.minimum(numbers, curve.failures.size)]
