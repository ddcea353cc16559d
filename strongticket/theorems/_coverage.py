"""Exactly which targets the subset sums of a given sample reach: all targets at once.

Everything is in integers, so the answers are exact. A sample is *good* for (eta, low, high) when
every real target in [low, high] has a subset sum within eta.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
EXACT_SUMS = 1 << 19  # beyond this many sums only some are kept, and "not good" is not shown


def subset_sums(samples: Integers) -> Integers:
    """All 2^n subset sums of `samples` (n,), sorted; the caller keeps them within int64."""
    sums = np.zeros(1, np.int64)
    for x in samples.tolist():
        sums = _merged(sums, x)
    return sums


def doubled_radius(sums: Integers, low: int, high: int) -> int:
    """Twice the least eta for which sorted `sums` serve every real target in [low, high].

    The farthest target is an end of the interval or the middle of a gap, clipped to the interval.
    """
    inside = sums[np.searchsorted(sums, low, "right") - 1 if sums[0] <= low else 0 :]
    inside = inside[: np.searchsorted(inside, high, "left") + 1]
    worst = max(0, 2 * (int(inside[0]) - low), 2 * (high - int(inside[-1])))
    if inside.size < 2:
        return max(worst, 2 * abs(int(inside[0]) - low), 2 * abs(high - int(inside[0])))
    a, b = inside[:-1], inside[1:]
    # the middle of a gap, doubled, clipped to the doubled interval
    middle = np.clip(a + b, 2 * np.maximum(a, low), 2 * np.minimum(b, high))
    reached = np.minimum(middle - 2 * a, 2 * b - middle)
    return max(worst, int(reached.max()))


def least_prefix(samples: Integers, eta: int, low: int, high: int) -> tuple[int | None, bool]:
    """The least n for which the first n samples are good, and whether that is certain.

    Returns (n, True) for an exact answer, (None, True) where all samples together are certainly
    not good, (n, False) where n samples are good and fewer may be, (None, False) where too many
    sums had to be dropped to know.
    """
    sums, exact = np.zeros(1, np.int64), True
    need = math.log2(max(1.0, (high - low) / (2 * eta + 1)))
    if doubled_radius(sums, low, high) <= 2 * eta:
        return 0, True
    for n, x in enumerate(samples.tolist(), start=1):
        sums = _merged(sums, x)
        if sums.size > EXACT_SUMS:
            sums, exact = _thinned(sums, eta, low, high), False
        if n >= need and doubled_radius(sums, low, high) <= 2 * eta:
            return n, exact
    return None, exact


def _merged(sums: Integers, x: int) -> Integers:
    if x == 0:
        return sums
    both = np.concatenate([sums, sums + x])
    both.sort(kind="stable")  # two sorted runs: one linear merge
    return both


def _thinned(sums: Integers, eta: int, low: int, high: int) -> Integers:
    """A part of the sums that still serves the interval and its surroundings finely."""
    reach = high - low
    near = sums[(sums >= low - reach) & (sums <= high + reach)]
    cell = max(1, eta // 16)
    keep = np.ones(near.size, np.bool_)
    keep[1:] = near[1:] // cell != near[:-1] // cell
    return near[keep]
