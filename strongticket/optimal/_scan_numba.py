"""Every combination of rows, compiled: the losses of integer residuals, and the least of them.

`_scan_numpy` does the same in arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

Array = Any


@jit
def scan(
    head: Array,
    starts: Array,
    digits: Array,
    first: int,
    count: int,
    tail: Array,
    labels: Array,
    kind: int,
    slack: Array,
    state: Array,
    found: Array,
) -> None:
    """Look at `count` combinations of the head's rows, each with all rows of the tail.

    Args:
        head: (rows, N) tables one after another; table l is rows starts[l] .. starts[l + 1].
        starts: (tables + 1,).
        digits: (tables,) the combination to begin with, table 0 fastest; changed in place.
        first: the number of that combination.
        count: how many combinations.
        tail: (T, N) the innermost rows; combination c with row t has number c T + t.
        labels: (N,).
        kind: 0 sum of magnitudes, 1 sum of squares, 2 largest magnitude.
        slack: (2,) floats (a, c), see `state`.
        state: [best measure, limit, number found, full, c, t]; a measure up to the limit is kept.
            The limit follows the best: best - 1 where the slack is zero (ties go to the first),
            else at most best + a sqrt(best) + c rounded up. The first combination begins at row
            t, and t ends as 0, unless `found` is full: then the scan stops before combination c
            with row t, and full is 1.
        found: (2, room) numbers and measures of what was kept.
    """
    tables = starts.size - 1
    tail_rows, n = tail.shape
    partial = np.empty((tables + 1, n), np.int64)
    partial[tables] = labels
    strict = slack[0] == 0 and slack[1] == 0
    low = tables - 1  # partial[0 .. low] must be made
    for c in range(first, first + count):
        for level in range(low, -1, -1):
            row = head[starts[level] + digits[level]]
            for i in range(n):
                partial[level, i] = partial[level + 1, i] - row[i]
        residual = partial[0]
        limit = state[1]
        begin = state[5]
        state[5] = 0
        for t in range(begin, tail_rows):
            row = tail[t]
            measure = np.int64(0)
            if kind == 0:
                for i in range(n):
                    measure += abs(residual[i] - row[i])
            elif kind == 1:
                for i in range(n):
                    r = residual[i] - row[i]
                    measure += r * r
            else:
                for i in range(n):
                    measure = max(measure, abs(residual[i] - row[i]))
            if measure <= limit:
                if measure < state[0]:
                    state[0] = measure
                    if strict:
                        limit = measure - 1
                        state[2] = 0
                    else:
                        root = slack[0] * np.sqrt(np.float64(measure))
                        limit = min(limit, measure + np.int64(np.ceil(root + slack[1])))
                    state[1] = limit
                if state[2] == found.shape[1]:
                    keep = 0
                    for k in range(found.shape[1]):
                        if found[1, k] <= limit:
                            found[0, keep] = found[0, k]
                            found[1, keep] = found[1, k]
                            keep += 1
                    state[2] = keep
                    if keep == found.shape[1]:
                        state[3], state[4], state[5] = 1, c, t
                        return
                found[0, state[2]] = c * tail_rows + t
                found[1, state[2]] = measure
                state[2] += 1
        low = -1
        for level in range(tables):
            low = level
            digits[level] += 1
            if digits[level] < starts[level + 1] - starts[level]:
                break
            digits[level] = 0
