r"""Every combination of rows: exact integers, or rounded ones whose near ties are settled exactly.

Where the sums of magnitudes (or squares) of the residuals fit int64, the scan is exact. Where they
do not, tables and labels are rounded to multiples of :math:`2^s`. Of K - 1 tables and N labels,
each residual is then off by at most K/2 of those multiples, a sum of magnitudes by NK/2, the
Euclidean norm by :math:`\sqrt N K/2`; so every best mask is among those that come within twice
that of the best rounded measure, and these few are compared as Python integers.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from strongticket.errors import InputError
from strongticket.optimal._integers import ROOM, Array, largest, wide
from strongticket.optimal._losses import Loss
from strongticket.optimal._methods import Answer, Exhaustive
from strongticket.optimal._tables import Tables

TAIL = 1 << 10  # rows of the innermost table at most,
_CACHED = 1 << 16  # and integers: half a mebibyte
FOUND = 1 << 16
_CHUNK = 1 << 28  # residuals between two looks at the clock
_KINDS = {Loss.MEAN_ABSOLUTE: 0, Loss.MEAN_SQUARED: 1, Loss.WORST_CASE: 2}


@dataclass(frozen=True)
class Least:
    """The first combination of least measure below a cutoff; `picks` None where there is none."""

    picks: tuple[int, ...] | None
    measure: int
    examined: int
    complete: bool


def exhaust(tables: Tables, loss: Loss, method: Exhaustive) -> Answer:
    """The best of all distinct masks, the least mask number among equals."""
    if tables.combinations > method.most:
        raise InputError(
            f"{tables.combinations:,} distinct masks (of {sum(tables.bits)} maskable bits) are "
            f"more than the {method.most:,} that are enumerated; use method=BranchAndBound() "
            "(proves) or method=MILP(), mask fewer weights (layers='first' or 'output', "
            "best_neuron_mask), or raise Exhaustive(most=)"
        )
    found = least(tables.rows, tables.labels, loss, seconds=method.time_limit)
    picks = found.picks if found.picks is not None else (0,) * len(tables.rows)
    bound = None if found.complete else Fraction(0)
    return Answer(picks, bound, found.examined, 0, "exhaustion" if found.complete else
                  "exhaustion that ran out of time")  # fmt: skip


def least(
    rows: Sequence[Array],
    labels: Array,
    loss: Loss,
    *,
    below: int | None = None,
    seconds: float | None = None,
) -> Least:
    """The first combination (table 0 fastest) of least measure, if that is less than `below`."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    shift = _shift(rows, labels, loss)
    small = [_rounded(r, shift) for r in rows]
    n, count = len(labels), len(rows) + 1
    inner = 1  # tables of the tail
    room = min(TAIL, _CACHED // n)
    while inner < len(rows) and math.prod(len(r) for r in rows[: inner + 1]) <= room:
        inner += 1
    tail = small[0]
    for table in small[1:inner]:
        tail = (table[:, None, :] + tail[None, :, :]).reshape(-1, n)
    tail = np.ascontiguousarray(tail)
    outer = small[inner:]
    head = np.concatenate(outer) if outer else np.empty((0, n), np.int64)
    starts = np.cumsum([0, *(len(r) for r in outer)]).astype(np.int64)
    slack = np.zeros(2) if shift == 0 else _slack(loss, n, count)
    most = (1 << ROOM) - 1
    limit = most if below is None else min(most, _limit(below, shift, loss, n, count))
    state = np.array([most, limit, 0, 0, 0, 0], np.int64)
    found = np.empty((2, FOUND), np.int64)
    digits = np.zeros(len(outer), np.int64)
    total = math.prod(len(r) for r in outer)
    labels_small = _rounded(labels, shift)
    best: tuple[int, ...] | None = None
    measure, done = below, 0
    # Below measure 0 there is nothing, and the first 0 is the one of the least number.
    while done < total and time.monotonic() < end and state[1] >= 0:
        until = min(total, done + max(1, _CHUNK // tail.size))
        _scan()(
            head, starts, digits, done, until - done, tail, labels_small, _KINDS[loss], slack,
            state, found,
        )  # fmt: skip
        done = until
        if state[3]:  # more near ties than there is room for: settle these, and go on after them
            done = int(state[4])
            best, measure = _settled(found[0], rows, labels, loss, best, measure)
            assert measure is not None
            state[1] = min(int(state[1]), _limit(measure, shift, loss, n, count))
            state[2] = state[3] = 0
    near = found[0, : state[2]]
    if shift:
        near = near[found[1, : state[2]] <= state[1]]
    best, measure = _settled(near, rows, labels, loss, best, measure)
    complete = done == total or state[1] < 0
    examined = done * len(tail) + int(state[5])
    return Least(best, -1 if best is None or measure is None else measure, examined, complete)


def _settled(
    numbers: Array,
    rows: Sequence[Array],
    labels: Array,
    loss: Loss,
    best: tuple[int, ...] | None,
    measure: int | None,
) -> tuple[tuple[int, ...] | None, int | None]:
    """The first combination, of these and the best before them, of least exact measure."""
    for start in range(0, len(numbers), 1 << 10):
        part = numbers[start : start + (1 << 10)]
        residuals, rest = wide(labels), part
        for table in rows:
            residuals = residuals - wide(table[rest % len(table)])
            rest = rest // len(table)
        exact = loss.measures(residuals)
        least = min(exact)
        if measure is None or least < measure:
            number = int(part[exact.index(least)])
            best, measure = _picks(number, [len(r) for r in rows]), least
    return best, measure


@cache
def _scan() -> Callable[..., None]:
    try:
        module: Any = importlib.import_module("strongticket.optimal._scan_numba")
    except ImportError:
        module = importlib.import_module("strongticket.optimal._scan_numpy")
    scan: Callable[..., None] = module.scan
    return scan


def _shift(rows: Sequence[Array], labels: Array, loss: Loss) -> int:
    """The least s for which the rounded measures stay below 2^62."""
    reach = largest(labels) + sum(largest(r) for r in rows)
    n, count = len(labels), len(rows) + 1
    shift = 0
    while True:
        size = (reach >> shift) + (count if shift else 0)
        size = size * size * n if loss is Loss.MEAN_SQUARED else size * n
        if size < 1 << ROOM:
            return shift
        shift += 1


def _rounded(values: Array, shift: int) -> Array:
    """The nearest multiples of 2^shift, divided by it."""
    half = 1 << shift >> 1
    return ((values + half) >> shift).astype(np.int64)


def _slack(loss: Loss, n: int, count: int) -> Array:
    """(a, c): a best mask's rounded measure is at most best + a sqrt(best) + c."""
    if loss is Loss.MEAN_SQUARED:  # outwards by more than the roundings of these few operations
        return np.array([2.0 * count * math.sqrt(n) * (1 + 2.0**-40), n * count**2 + 1.0])
    return np.array([0.0, float(n * count if loss is Loss.MEAN_ABSOLUTE else count)])


def _limit(below: int, shift: int, loss: Loss, n: int, count: int) -> int:
    """The largest rounded measure of a combination whose measure is less than `below`."""
    if shift == 0:
        return below - 1
    if loss is Loss.MEAN_SQUARED:
        root = math.isqrt((below >> 2 * shift) + 1) + 1
        return (root + math.isqrt(n * count * count) + 1) ** 2
    return (below >> shift) + 1 + (n * count if loss is Loss.MEAN_ABSOLUTE else count)


def _picks(number: int, sizes: Sequence[int]) -> tuple[int, ...]:
    picks = []
    for size in sizes:
        number, pick = divmod(number, size)
        picks.append(pick)
    return tuple(picks)
