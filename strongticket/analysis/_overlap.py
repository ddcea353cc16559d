r"""How much two masks have in common, against chance: is it the same ticket twice?

By chance means: given that the masks keep a and b of the n weights of a layer, one of them is drawn
uniformly among all masks that keep as many. Then the number X of weights that both keep is
hypergeometric,

.. math:: P(X = k) = \binom{b}{k} \binom{n - b}{a - k} \Big/ \binom{n}{a}, \qquad
          E X = \frac{ab}{n},

and the layers are independent. The p-values are tails of that law, not of an approximation to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strongticket.analysis._masks import Kept, pair
from strongticket.errors import InputError

Floats = NDArray[np.float64]
_LEAST = 1e-12  # what is left of a total's tail by rounding in its convolution


@dataclass(frozen=True)
class Shared:
    """What two masks share of one layer, or of all.

    Attributes:
        name: the parameter, or "all".
        total: weights.
        kept: how many the first and the second mask keep.
        common: how many both keep.
        expected: how many by chance.
        deviation: the standard deviation by chance.
        low: end of the central interval by chance.
        high: its other end.
        more: the probability by chance of at least `common`.
        fewer: the probability by chance of at most `common`.
        jaccard_by_chance: the expected value of `jaccard`.
    """

    name: str
    total: int
    kept: tuple[int, int]
    common: int
    expected: float
    deviation: float
    low: int
    high: int
    more: float
    fewer: float
    jaccard_by_chance: float

    @property
    def jaccard(self) -> float:
        """Kept by both over kept by any; 1 where nothing is kept at all."""
        union = sum(self.kept) - self.common
        return self.common / union if union else 1.0

    @property
    def score(self) -> float:
        """Standard deviations above chance; 0 where chance leaves no choice."""
        return (self.common - self.expected) / self.deviation if self.deviation else 0.0

    @property
    def by_chance(self) -> bool:
        """Whether `common` lies in the central interval."""
        return self.low <= self.common <= self.high


@dataclass(frozen=True)
class Overlap:
    """Two masks side by side: a row for each layer, and `all`; prints as a table."""

    layers: tuple[Shared, ...]
    all: Shared
    level: float

    @property
    def identical(self) -> bool:
        """Whether both masks keep the same weights."""
        return self.all.kept == (self.all.common, self.all.common)

    def __getitem__(self, name: str) -> Shared:
        """The row of a parameter, or "all"."""
        for row in (*self.layers, self.all):
            if row.name == name:
                return row
        raise InputError(f"no layer {name!r}; there are {[row.name for row in self.layers]}")

    def __repr__(self) -> str:
        head = (
            "layer",
            "kept",
            "common",
            "by chance",
            f"{self.level:.0%} interval",
            "jaccard",
            "by chance",
            "deviations",
            "p (more)",
            "p (fewer)",
        )
        rows = [head, *(_cells(row) for row in (*self.layers, self.all))]
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)).rstrip() for row in rows
        )


def _cells(row: Shared) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.kept[0]:,} and {row.kept[1]:,} of {row.total:,}",
        f"{row.common:,}",
        f"{row.expected:,.1f}",
        f"{row.low:,} .. {row.high:,}",
        f"{row.jaccard:.4f}",
        f"{row.jaccard_by_chance:.4f}",
        f"{row.score:+.1f}",
        f"{row.more:.2g}",
        f"{row.fewer:.2g}",
    )


def overlap(first: Kept, second: Kept, *, level: float = 0.95) -> Overlap:
    """What two masks of the same shapes share, layer by layer and in all, against chance.

    Args:
        first: a ticket, a mask, or boolean arrays or tensors by parameter name.
        second: another.
        level: of the central interval of what chance gives.

    The p-values of the row "all" come from a convolution in float64, and 1e-12 stands there for
    whatever is smaller.
    """
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, got {level!r}")
    one, two = pair(first, second)
    rows, law, start = [], np.ones(1), 0
    for name, a in one.items():
        b = two[name]
        kept = int(a.sum()), int(b.sum())
        low, chance = by_chance(a.size, *kept)
        rows.append(_shared(name, a.size, kept, int((a & b).sum()), low, chance, level))
        law, start = _added(law, start, chance, low)
    total = sum(row.total for row in rows)
    counts = sum(row.kept[0] for row in rows), sum(row.kept[1] for row in rows)
    common = sum(row.common for row in rows)
    whole = _shared("all", total, counts, common, start, law, level, _LEAST if rows[1:] else 0.0)
    return Overlap(tuple(rows), whole, level)


def overlaps(tickets: Mapping[str, Kept], *, level: float = 0.95) -> dict[tuple[str, str], Overlap]:
    """The overlap of every pair of several masks, by their names."""
    names: Sequence[str] = list(tickets)
    return {
        (a, b): overlap(tickets[a], tickets[b], level=level)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    }


def by_chance(total: int, a: int, b: int) -> tuple[int, Floats]:
    """(least value, probabilities from there on) of the number that two random masks share."""
    from scipy.special import gammaln

    low, high = max(0, a + b - total), min(a, b)
    k = np.arange(low, high + 1, dtype=np.float64)
    logs = -(gammaln(k + 1) + gammaln(a - k + 1) + gammaln(b - k + 1))
    logs -= gammaln(total - a - b + k + 1)
    law = np.exp(logs - logs.max())
    return low, law / law.sum()


def _added(one: Floats, start: int, other: Floats, low: int) -> tuple[Floats, int]:
    """The law of a sum; tails that float64 cannot carry through a convolution are cut off."""
    if one.size == 1 or other.size == 1:
        return one * other, start + low
    one, first = _cut(one)
    other, second = _cut(other)
    size = one.size + other.size - 1
    both = np.fft.irfft(np.fft.rfft(one, size) * np.fft.rfft(other, size), size)
    found = np.maximum(both, 0.0)
    return found / found.sum(), start + first + low + second


def _cut(law: Floats) -> tuple[Floats, int]:
    real = np.flatnonzero(law > 1e-25)
    return law[real[0] : real[-1] + 1], int(real[0])


def _shared(
    name: str,
    total: int,
    kept: tuple[int, int],
    common: int,
    start: int,
    law: Floats,
    level: float,
    least: float = 0.0,
) -> Shared:
    k = start + np.arange(law.size, dtype=np.float64)
    mean = float(law @ k)
    union = sum(kept) - k
    ratio = np.divide(k, union, out=np.ones_like(k), where=union > 0)
    at = common - start
    more = float(law[max(at, 0) :].sum()) if at < law.size else 0.0
    fewer = float(law[: at + 1].sum()) if at >= 0 else 0.0
    outside = (1 - level) / 2
    low = start + int(np.searchsorted(np.cumsum(law), outside, side="right"))
    high = start + law.size - 1 - int(np.searchsorted(np.cumsum(law[::-1]), outside, side="right"))
    return Shared(
        name,
        total,
        kept,
        common,
        mean,
        float(np.sqrt(law @ (k - mean) ** 2)),
        low,
        high,
        min(1.0, max(more, least)),
        min(1.0, max(fewer, least)),
        float(law @ ratio),
    )
