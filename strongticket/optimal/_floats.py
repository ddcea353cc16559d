"""Tables as floats in [-1, 1] for what only guides or claims, and a descent that guesses well."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._integers import Array, largest
from strongticket.optimal._losses import Loss
from strongticket.optimal._tables import Tables

Floats = NDArray[np.float64]
_PAIRS = 1 << 8  # combinations of two rows that a descent looks at together


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

    def descend(self, picks: Sequence[int], loss: Loss, pairs: bool = False) -> tuple[int, ...]:
        """Better picks: the best row of one table after another, until none improves.

        With `pairs`, then also the best two rows of any two small tables.
        """
        tables = range(len(self.rows))
        moves = [(j,) for j in tables]
        now = self._improved(list(picks), loss, moves)
        if pairs:
            sizes = [len(r) for r in self.rows]
            twos = [(j, i) for j in tables for i in range(j) if sizes[i] * sizes[j] <= _PAIRS]
            now = self._improved(now, loss, [*moves, *twos])
        return tuple(now)

    def _improved(self, now: list[int], loss: Loss, moves: Sequence[tuple[int, ...]]) -> list[int]:
        residual = self.residuals(now)
        best = float(measures(residual[None, :], loss)[0])
        since = 0  # moves that did not help, one after another
        for move in itertools.cycle(moves):
            without = residual + sum(self.rows[j][now[j]] for j in move)
            rows = self.rows[move[0]]
            if len(move) == 2:
                rows = (rows[:, None, :] + self.rows[move[1]]).reshape(-1, len(residual))
            values = measures(without - rows, loss)
            pick = int(values.argmin())
            since += 1
            if values[pick] < best * (1 - 2.0**-30):
                best, since = float(values[pick]), 0
                residual = without - rows[pick]
                for j in reversed(move):
                    pick, now[j] = divmod(pick, len(self.rows[j]))
            if since >= len(moves):
                break
        return now


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
