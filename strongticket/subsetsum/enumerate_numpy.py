"""Enumeration with early exit in plain NumPy: the same order and masks as `enumerate_numba`."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Sums = NDArray[Any]  # int32 or int64
TILE = 11
_BLOCK = 256


def first_hit(
    candidates: Integers,
    step: int,
    low: Integers,
    high: Integers,
    rows: Integers,
    bits: int,
    zero: Sums,
    numbers: Integers,
) -> None:
    """numbers[rows] = the least mask number below 2^bits with low <= sum <= high, else -1."""
    for start in range(0, rows.size, _BLOCK):
        part = rows[start : start + _BLOCK]
        a = candidates[part * step]
        numbers[part] = _first_hit(a, low[part], high[part], bits, zero.dtype)


def _first_hit(
    a: Integers, low: Integers, high: Integers, bits: int, dtype: np.dtype[Any]
) -> Integers:
    found = np.full(len(a), -1, np.int64)
    alive = np.flatnonzero(low <= high)
    sums = np.zeros((alive.size, 1), dtype)
    _note(found, alive, sums, low, high, 0)
    tile = min(bits, TILE)
    for j in range(tile):
        sums, alive = sums[found[alive] < 0], alive[found[alive] < 0]
        new = sums + a[alive, j : j + 1].astype(dtype)
        _note(found, alive, new, low, high, 1 << j)
        sums = np.concatenate([sums, new], axis=1)
    for o in range(1, 1 << (bits - tile)):
        sums, alive = sums[found[alive] < 0], alive[found[alive] < 0]
        if alive.size == 0:
            break
        taken = a[alive, tile:bits] @ ((o >> np.arange(bits - tile)) & 1)
        _note(found, alive, sums, low, high, o << tile, taken)
    return found


def _note(
    found: Integers,
    alive: Integers,
    sums: Sums,
    low: Integers,
    high: Integers,
    offset: int,
    taken: Integers | int = 0,
) -> None:
    """Write offset + the first column of sums (+ taken) in [low, high] into found, where one is."""
    least = (low[alive] - taken).astype(sums.dtype)[:, None]
    most = (high[alive] - taken).astype(sums.dtype)[:, None]
    hits = (sums >= least) & (sums <= most)
    some = hits.any(axis=1)
    found[alive[some]] = offset + hits[some].argmax(axis=1)


def least_size(
    candidates: Integers,
    step: int,
    low: Integers,
    high: Integers,
    rows: Integers,
    most_size: int,
    zero: Sums,
    numbers: Integers,
) -> None:
    """numbers[rows] = the least mask number of the least size that has low <= sum <= high.

    -1 where no size up to `most_size` has one.
    """
    for start in range(0, rows.size, _BLOCK):
        part = rows[start : start + _BLOCK]
        a = candidates[part * step]
        numbers[part] = _least_size(a, low[part], high[part], most_size, zero.dtype)


def _least_size(
    a: Integers, low: Integers, high: Integers, most_size: int, dtype: np.dtype[Any]
) -> Integers:
    n = a.shape[1]
    found = np.full(len(a), -1, np.int64)
    alive = np.flatnonzero(low <= high)
    table = np.zeros((alive.size, 1), dtype)  # sums of all subsets of min(size, 3) candidates
    masks = np.zeros(1, np.int64)
    for size in range(most_size + 1):
        if 1 <= size <= 3:
            table, masks = _grown(table, masks, a[alive].astype(dtype), size)
        for top in _tops(n, size):
            taken = a[alive][:, list(top)].sum(axis=1)
            count = comb(top[-1], 3) if top else table.shape[1]
            open_rows = found[alive] < 0
            least = (low[alive] - taken).astype(dtype)[:, None]
            most = (high[alive] - taken).astype(dtype)[:, None]
            hits = (table[:, :count] >= least) & (table[:, :count] <= most)
            some = hits.any(axis=1) & open_rows
            upper = sum(1 << j for j in top)
            found[alive[some]] = upper | masks[hits[some].argmax(axis=1)]
        table, alive = table[found[alive] < 0], alive[found[alive] < 0]
        if alive.size == 0:
            break
    return found


def _tops(n: int, size: int) -> Iterator[tuple[int, ...]]:
    """The candidates above the lowest three of a subset of `size`, falling, in mask order."""
    if size <= 3:
        yield ()
        return
    upper = (1 << (size - 3)) - 1
    while upper < 1 << (n - 3):
        yield tuple(j for j in range(n - 1, 2, -1) if (upper >> (j - 3)) & 1)
        lowest = upper & -upper  # Gosper's step to the next number with as many bits
        ripple = upper + lowest
        upper = ripple | (((upper ^ ripple) >> 2) // lowest)


def _grown(table: Sums, masks: Integers, a: Sums, size: int) -> tuple[Sums, Integers]:
    """From all subsets of size - 1 (in mask order) to all subsets of `size` (in mask order)."""
    sums, numbers = [table[:, :0]], [masks[:0]]
    for j in range(size - 1, a.shape[1]):
        count = comb(j, size - 1)
        sums.append(table[:, :count] + a[:, j : j + 1])
        numbers.append(masks[:count] | (1 << j))
    return np.concatenate(sums, axis=1), np.concatenate(numbers)
