r"""How many weights each layer keeps: uniform, ERK, balanced, by global ranking, explicit.

Every rule takes parameter names with their shapes (or scores, or masks) and gives a count for
each: exact integers, at least 1 and at most the size of the layer. `strongticket.search.select`
takes such counts as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from strongticket.errors import InputError
from strongticket.search.selection import Ranking, keep_count, select
from strongticket.tickets._mask import Entries

if TYPE_CHECKING:
    from torch import Tensor

    from strongticket.tickets import Mask

Shapes = Mapping[str, Sequence[int]]
Share = float | Fraction


def uniform(shapes: Shapes, density: Share) -> dict[str, int]:
    """The same density in every layer: ``keep_count(density, n)`` of each layer's n weights.

    The total is the sum of the layers' roundings, so it may miss density * N by half a weight a
    layer.
    """
    return {name: keep_count(density, n) for name, n in _sizes(shapes).items()}


def explicit(shapes: Shapes, densities: Mapping[str, Share]) -> dict[str, int]:
    """A density of its own for every layer; InputError unless each layer is named once."""
    sizes = _sizes(shapes)
    if set(densities) != set(sizes):
        raise InputError(f"densities must name the layers {list(sizes)}, got {list(densities)}")
    return {name: keep_count(densities[name], n) for name, n in sizes.items()}


def erk(shapes: Shapes, density: Share, *, kernel: bool = True) -> dict[str, int]:
    r"""Erdős–Rényi (kernel) densities, with the total exactly ``keep_count(density, N)``.

    Layer l keeps a number of weights that is proportional to the sum of its dimensions,

    .. math:: k_l = \min\Bigl(n_l,\ \max\bigl(1,\ \varepsilon\,
              (d^{out}_l + d^{in}_l + \textstyle\sum_j s_{l,j})\bigr)\Bigr),

    that is, has the density :math:`\varepsilon\,(d^{out} + d^{in} + \ldots) / (d^{out} d^{in}
    \cdots)` where that is below 1. Without `kernel`, the kernel's sizes s are left out of the
    sum and multiply it instead, as in the Erdős–Rényi rule for fully connected layers. The
    factor is solved for in rationals; fractions are then given out by largest remainder, the
    earlier layer first.

    Sources: Mocanu et al., Nature Communications 9:2383, 2018 (ER); Evci et al., "Rigging the
    lottery", ICML 2020, Section 3 (ERK).
    """

    def weight(shape: Sequence[int]) -> int:
        if kernel or len(shape) < 3:
            return sum(shape)
        return sum(shape[:2]) * math.prod(shape[2:])

    return _proportional(shapes, density, weight)


def balanced(shapes: Shapes, density: Share) -> dict[str, int]:
    """As many weights in every layer as in any other, small layers dense; the total is exact."""
    return _proportional(shapes, density, lambda shape: 1)


def by_scores(
    scores: Mapping[str, Tensor], density: Share, ranking: Ranking = "raw"
) -> dict[str, int]:
    """What one global ranking of float32 `scores` keeps of each layer.

    Raises InputError if it keeps nothing of a layer: the layer would collapse. Take a larger
    density then, or one of the other rules.
    """
    total = sum(score.numel() for score in scores.values())
    kept = select(scores, keep_count(density, total), ranking)
    counts = {name: int(mask.sum()) for name, mask in kept.items()}
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise InputError(
            f"each layer must keep a weight, a global density of {density} keeps none of "
            f"{', '.join(empty)}; use a larger density or erk()"
        )
    return counts


def same_as(masks: Mapping[str, Tensor] | Mask) -> dict[str, int]:
    """The counts that given masks keep: bool tensors or arrays, or a ticket's `Mask`."""
    return {
        name: mask.kept if isinstance(mask, Entries) else int(mask.sum())
        for name, mask in masks.items()
    }


def _sizes(shapes: Shapes) -> dict[str, int]:
    if not shapes:
        raise InputError("ratios need the shape of one layer or more, got none")
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    empty = [name for name, size in sizes.items() if size < 1]
    if empty:
        raise InputError(f"each layer needs a weight, {', '.join(empty)} have none")
    return sizes


def _proportional(
    shapes: Shapes, density: Share, weight: Callable[[Sequence[int]], int]
) -> dict[str, int]:
    """Counts proportional to `weight` of the shape, between 1 and the size, of exact total."""
    sizes = _sizes(shapes)
    total = keep_count(density, sum(sizes.values()))
    if total < len(sizes):
        raise InputError(
            f"each of {len(sizes)} layers must keep a weight, a density of {density} keeps "
            f"{total} of {sum(sizes.values())} in all; use a larger density"
        )
    weights = {name: weight(shape) for name, shape in shapes.items()}
    factor = _factor(sizes, weights, total)
    exact = {name: _between(factor * weights[name], sizes[name]) for name in sizes}
    counts = {name: math.floor(share) for name, share in exact.items()}
    # All fractions together are the integer that is still missing, so it is below their number.
    missing = total - sum(counts.values())
    for name in sorted(sizes, key=lambda name: counts[name] - exact[name])[:missing]:
        counts[name] += 1
    assert sum(counts.values()) == total
    return counts


def _between(share: Fraction, size: int) -> Fraction:
    return min(max(share, Fraction(1)), Fraction(size))


def _factor(sizes: Mapping[str, int], weights: Mapping[str, int], total: int) -> Fraction:
    """The factor at which the shares, cut to 1 .. size, add up to `total` exactly.

    Their sum is piecewise linear and does not fall; between two neighbouring bends it is a line.
    """
    ends = (Fraction(end, weights[n]) for n in sizes for end in (1, sizes[n]))
    bends = sorted({Fraction(0), *ends})

    def reached(factor: Fraction) -> Fraction:
        shares = (_between(factor * weights[name], size) for name, size in sizes.items())
        return sum(shares, Fraction(0))

    low, high = 0, len(bends) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(bends[middle]) <= total else (low, middle)
    below, above = reached(bends[low]), reached(bends[high])
    if above == below:
        return bends[low]
    return bends[low] + (bends[high] - bends[low]) * (total - below) / (above - below)
