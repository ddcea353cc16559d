"""The convex relaxation of a node: rows become convex combinations of rows.

Only floats: what comes out guides the branching and proposes multipliers, and `_duals` makes
exact bounds of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from strongticket.optimal._floats import Floats
from strongticket.optimal._losses import Loss

_DENSE = 1 << 8  # points; of more, the matrix of one spread a point is kept sparse


def relax(
    rows: Sequence[Floats], labels: Floats, loss: Loss, seconds: float
) -> tuple[Floats, list[Floats]] | None:
    """(multipliers (N,), the weight of each row of each table); None where the solver gave up."""
    if loss is Loss.MEAN_SQUARED:
        return _least_squares(rows, labels)
    return _linear(rows, labels, loss, seconds)


def _linear(
    rows: Sequence[Floats], labels: Floats, loss: Loss, seconds: float
) -> tuple[Floats, list[Floats]] | None:
    """The linear programme, by HiGHS; multipliers are its duals."""
    from scipy import sparse
    from scipy.optimize import linprog

    matrix = np.concatenate(rows).T
    n, size = matrix.shape
    if loss is Loss.MEAN_ABSOLUTE and n > _DENSE:
        made, spread = sparse.csc_array(matrix), -sparse.eye_array(n)
        above = sparse.block_array([[-made, spread], [made, spread]], format="csc")
    else:
        spread = -np.ones((n, 1)) if loss is Loss.WORST_CASE else -np.eye(n)
        above = np.block([[-matrix, spread], [matrix, spread]])
    once = np.zeros((len(rows), size + spread.shape[1]))
    splits = np.cumsum([len(r) for r in rows])
    for j, (end, part) in enumerate(zip(splits, rows, strict=True)):
        once[j, end - len(part) : end] = 1
    cost = np.concatenate([np.zeros(size), np.ones(spread.shape[1])])
    sides = np.concatenate([-labels, labels])
    ones = np.ones(len(rows))
    limit = {} if math.isinf(seconds) else {"time_limit": max(seconds, 0.0)}
    solved = linprog(
        cost, A_ub=above, b_ub=sides, A_eq=once, b_eq=ones, method="highs", options=limit
    )
    if solved.status != 0:
        return None
    pull = solved.ineqlin.marginals
    return pull[n:] - pull[:n], np.split(solved.x[:size], splits[:-1])


def _least_squares(rows: Sequence[Floats], labels: Floats) -> tuple[Floats, list[Floats]] | None:
    """Nonnegative least squares with heavy equations that weights add up to 1."""
    from scipy.optimize import nnls

    matrix = np.concatenate(rows).T
    size = matrix.shape[1]
    splits = np.cumsum([len(r) for r in rows])
    once = np.zeros((len(rows), size))
    for j, (end, part) in enumerate(zip(splits, rows, strict=True)):
        once[j, end - len(part) : end] = 1
    heavy = 2.0**10 * max(float(np.abs(matrix).max(initial=0.0)), 2.0**-20)
    try:
        weights, _ = nnls(
            np.concatenate([matrix, heavy * once]),
            np.concatenate([labels, np.full(len(rows), heavy)]),
            maxiter=20 * sum(matrix.shape),
        )
    except RuntimeError:  # its iteration limit
        return None
    return labels - matrix @ weights, np.split(weights, splits[:-1])
