"""Which rows can still be part of a better choice, by the ranges of all the others' sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from strongticket.optimal._duals import Rows
from strongticket.optimal._integers import Array, largest
from strongticket.optimal._losses import Loss

# Distances are exact integers and only their measure is a float: relative errors of at most
# (N + 3) 2^-53, far below this allowance for any N that the tables hold.
_ALLOWANCE = 2.0**-24


def possible(
    rows: Sequence[Array], labels: Array, loss: Loss, reached: int
) -> tuple[Rows, ...] | None:
    """The rows of each table that the ranges leave for measures below `reached`; None: no choice.

    With a row taken, each residual lies between its least and its greatest value over all choices
    of the other tables; the measure of the distances of these ranges from 0 is a lower bound.
    That is weak duality once more, with multipliers of its own for every row.
    """
    # Integers that floats do not hold (of points with long denominators) are halved a few times:
    # distances rounded down, what was reached up.
    reach = largest(labels) + sum(largest(r) for r in rows)
    spare = max(0, reach.bit_length() - 400)
    enough = float(-(-reached >> spare * (2 if loss is Loss.MEAN_SQUARED else 1)))
    left = [np.arange(len(r)) for r in rows]
    low = [r.min(axis=0) for r in rows]
    high = [r.max(axis=0) for r in rows]
    changed = True
    while changed:
        changed = False
        least, most = labels - sum(high), labels - sum(low)  # of all residuals
        for j, table in enumerate(rows):
            part = table[left[j]]
            below = least + high[j] - part
            above = part - (most + low[j])
            distance = (np.maximum(np.maximum(below, above), 0) >> spare).astype(np.float64)
            keep = _measures(distance, loss) * (1 - _ALLOWANCE) < enough
            if keep.all():
                continue
            left[j] = left[j][keep]
            if not left[j].size:
                return None
            low[j], high[j] = table[left[j]].min(axis=0), table[left[j]].max(axis=0)
            least, most = labels - sum(high), labels - sum(low)
            changed = True
    return tuple(left)


def _measures(distances: Array, loss: Loss) -> Array:
    if loss is Loss.WORST_CASE:
        return np.asarray(distances.max(axis=1))
    if loss is Loss.MEAN_ABSOLUTE:
        return np.asarray(distances.sum(axis=1))
    return np.asarray((distances * distances).sum(axis=1))
