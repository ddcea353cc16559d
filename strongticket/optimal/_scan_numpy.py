"""The scan of `_scan_numba` in NumPy, for where numba cannot be imported: the same integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any


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
    """As `_scan_numba.scan`, argument by argument."""
    tables, rows = starts.size - 1, len(tail)
    strict = not slack.any()
    for c in range(first, first + count):
        taken = [head[starts[level] + digits[level]] for level in range(tables)]
        r = np.abs(labels - sum(taken, np.zeros_like(labels)) - tail)
        measures = r.sum(axis=1) if kind == 0 else (r * r).sum(axis=1) if kind == 1 else r.max(1)
        begin, state[5] = int(state[5]), 0
        for t in begin + np.flatnonzero(measures[begin:] <= state[1]):
            measure = int(measures[t])
            if measure > state[1]:
                continue
            if measure < state[0]:
                state[0] = measure
                if strict:
                    state[1], state[2] = measure - 1, 0
                else:
                    root = slack[0] * math.sqrt(measure)
                    state[1] = min(int(state[1]), measure + math.ceil(root + slack[1]))
            if state[2] == found.shape[1]:
                keep = found[:, found[1] <= state[1]]
                found[:, : keep.shape[1]] = keep
                state[2] = keep.shape[1]
                if state[2] == found.shape[1]:
                    state[3:] = 1, c, t
                    return
            found[:, state[2]] = c * rows + t, measure
            state[2] += 1
        for level in range(tables):
            digits[level] += 1
            if digits[level] < starts[level + 1] - starts[level]:
                break
            digits[level] = 0
