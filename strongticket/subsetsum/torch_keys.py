"""A run of rows as integers on its own device: `_keys.Keys` in tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from strongticket.subsetsum._limits import NARROW
from strongticket.subsetsum.torch_rows import ranges_of


@dataclass(frozen=True, eq=False)
class Keys:
    """Rows 0 .. m - 1 with their integers, as `_keys.Keys` has them.

    Attributes:
        units: int64 (r, n), the rows of candidates.
        of: int64 (m,), the row of candidates of every target; None where r = m, or r = 1 for all.
        exponents: int64 (m,) or (1,).
        lowest, highest: int64 (m,).
        whole: int64 (m,).
        fraction: float64 (m,).
        narrow: whether every row is known to fit int32 keys.
    """

    units: Tensor
    of: Tensor | None
    exponents: Tensor
    lowest: Tensor
    highest: Tensor
    whole: Tensor
    fraction: Tensor
    narrow: bool

    @property
    def n(self) -> int:
        """Candidates a row."""
        return self.units.shape[1]

    @property
    def reach(self) -> Tensor:
        """int64 (m,), the row's sum of magnitudes."""
        return self.highest - self.lowest

    @property
    def near(self) -> tuple[Tensor, Tensor]:
        """Whole and fraction of the targets, clipped to just outside [lowest, highest]."""
        whole = self.whole.clamp(min=self.lowest - 1, max=self.highest + 1)
        return whole, torch.where(whole == self.whole, self.fraction, 0.0)

    @property
    def aim(self) -> Tensor:
        """4 T + tag: its distance to 4 s orders sums s as their true distances do."""
        whole, fraction = self.near
        below = fraction == -0.5  # as near to the integer below, and that one is the smaller
        tag = torch.where(below | (fraction > 0), 1, -1)
        return 4 * (whole - below.to(torch.int64)) + tag

    def items(self, rows: Tensor | None = None, count: int | None = None) -> Tensor:
        """The (first `count`) candidates of some rows (None: all), (k, n); (1, n) if shared."""
        units = self.units if count is None else self.units[:, :count]
        if len(units) == 1:
            return units
        return at(units, rows if self.of is None else at(self.of, rows))

    def some(self, rows: Tensor | None) -> Keys:
        """Some of the rows; rows of candidates that targets share stay shared."""
        if rows is None:
            return self
        one = len(self.units) == 1
        return replace(
            self,
            units=self.units if one or self.of is not None else self.units[rows],
            of=None if one or self.of is None else self.of[rows],
            exponents=self.exponents if len(self.exponents) == 1 else self.exponents[rows],
            lowest=self.lowest[rows],
            highest=self.highest[rows],
            whole=self.whole[rows],
            fraction=self.fraction[rows],
        )

    def prefix(self, count: int) -> Keys:
        """The same rows with their first `count` candidates."""
        units = self.units[:, :count]
        lowest, highest, _ = ranges_of(units)
        return replace(
            self,
            units=units,
            lowest=spread(lowest, self.of, len(self.whole)),
            highest=spread(highest, self.of, len(self.whole)),
        )

    def widths(self) -> Iterator[tuple[torch.dtype, Tensor | None]]:
        """The rows (None: all) that int32 keys hold exactly, and those that need int64."""
        if self.narrow:
            yield torch.int32, None
            return
        fits = self.reach <= NARROW
        count = int(fits.sum())
        if count in (0, len(fits)):
            yield (torch.int32 if count else torch.int64), None
            return
        yield torch.int32, fits.nonzero()[:, 0]
        yield torch.int64, fits.logical_not().nonzero()[:, 0]


def at(values: Tensor, rows: Tensor | None) -> Tensor:
    """values[rows]; None is all of them."""
    return values if rows is None else values[rows]


def spread(values: Tensor, of: Tensor | None, m: int) -> Tensor:
    """One value a row of candidates as one a target, (m,)."""
    return values.expand(m) if of is None else values[of]
