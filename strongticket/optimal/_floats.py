"""Tables as floats in [-1, 1] for what only guides or claims, and a descent that guesses well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._integers import Array, largest
from strongticket.optimal._losses import Loss
from strongticket.optimal._tables import Tables

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scaled:
    """Rows and labels divided by the largest residual that there can be, rounded to float64.

    Attributes:
        rows: one (rows, N) array a table.
        labels: (N,).
        scale: what a residual of 1 is worth.
    """

    rows: tuple[Floats, ...]
    labels: Floats
    scale: Fraction

    @classmethod
    def of(cls, tables: Tables) -> Scaled:
        """The tables as floats."""
        reach = largest(tables.labels) + sum(largest(r) for r in tables.rows)
        reach = max(reach, 1)
        rows = tuple(_divided(r, reach) for r in tables.rows)
        return cls(rows, _divided(tables.labels, reach), reach * tables.unit)

    def loss(self, objective: float, loss: Loss) -> float:
        """The true loss of a scaled one."""
        scale = float(self.scale)
        return objective * (scale * scale if loss is Loss.MEAN_SQUARED else scale)

    def residuals(self, picks: Sequence[int]) -> Floats:
        """Labels minus outputs, scaled."""
        made = np.zeros_like(self.labels)
        for rows, pick in zip(self.rows, picks, strict=True):
            made += rows[pick]
        return self.labels - made

    def descend(self, picks: Sequence[int], loss: Loss) -> tuple[int, ...]:
        """Better picks: the best row of one table after another, until none improves."""
        now = list(picks)
        residual = self.residuals(now)
        best = float(measures(residual[None, :], loss)[0])
        improved = True
        while improved:
            improved = False
            for j, rows in enumerate(self.rows):
                without = residual + rows[now[j]]
                values = measures(without - rows, loss)
                pick = int(values.argmin())
                if values[pick] < best * (1 - 2.0**-30):
                    now[j], best, improved = pick, float(values[pick]), True
                    residual = without - rows[pick]
        return tuple(now)


def measures(residuals: Floats, loss: Loss) -> Floats:
    """The loss of each row of residuals."""
    if loss is Loss.WORST_CASE:
        found: Floats = np.abs(residuals).max(axis=1)
    elif loss is Loss.MEAN_ABSOLUTE:
        found = np.abs(residuals).mean(axis=1)
    else:
        found = (residuals**2).mean(axis=1)
    return found


def _divided(values: Array, reach: int) -> Floats:
    if values.dtype == np.int64:
        return values / float(reach)
    flat = [int(v) / reach for v in values.reshape(-1)]
    return np.array(flat, np.float64).reshape(values.shape)
